//! Values on their way to JavaScript and back.

use js_sys::{Array, ArrayBuffer, Number, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::ports::{Row, Value};

/// A parameter as D1 and the objects' SQL take it.
pub(super) fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        // JavaScript numbers are exact up to 2^53, which is what the port promises.
        #[expect(clippy::cast_precision_loss, reason = "the port promises 53 bits")]
        Value::Integer(it) => JsValue::from_f64(*it as f64),
        Value::Real(it) => JsValue::from_f64(*it),
        Value::Text(it) => JsValue::from_str(it),
        Value::Blob(it) => Uint8Array::from(it.as_slice()).into(),
    }
}

/// A row, which is an array of values.
pub(super) fn row(js: &JsValue) -> Row {
    Row(Array::from(js).iter().map(|it| from_js(&it)).collect())
}

fn from_js(js: &JsValue) -> Value {
    if js.is_null() || js.is_undefined() {
        return Value::Null;
    }
    if let Some(it) = js.as_string() {
        return Value::Text(it);
    }
    if let Some(it) = js.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is a safe integer")]
        return if Number::is_safe_integer(js) {
            Value::Integer(it as i64)
        } else {
            Value::Real(it)
        };
    }
    if js.is_instance_of::<ArrayBuffer>()
        || js.is_instance_of::<Uint8Array>()
        || Array::is_array(js)
    {
        // D1 hands a blob back as an array of numbers, an object's SQL as a buffer.
        return Value::Blob(Uint8Array::new(js).to_vec());
    }
    Value::Null
}
