//! The directory in D1.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::{D1Database, Env, wasm_bindgen_futures::JsFuture};

use super::{DIRECTORY, value};
use crate::ports::{PortError, Row, Sql, SqlError, Statement};

/// The D1 database.
pub(super) struct Directory(pub(super) Env);

impl Directory {
    fn database(&self) -> Result<JsValue, SqlError> {
        let database: D1Database = self.0.d1(DIRECTORY).map_err(|err| port(&err))?;
        Ok(database.into())
    }
}

impl Sql for Directory {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        let bound = bind(&self.database()?, &statement)?;
        let rows = settle(call(&bound, "raw", &Array::new())?).await?;
        Ok(Array::from(&rows).iter().map(|it| value::row(&it)).collect())
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        let database = self.database()?;
        let bound = Array::new();
        for statement in &statements {
            bound.push(&bind(&database, statement)?);
        }
        let results = settle(call(&database, "batch", &Array::of1(&bound))?).await?;
        Ok(Array::from(&results).iter().map(|it| rows(&it)).collect())
    }
}

/// The rows of one result. They are objects here, whose values stand in the columns' order.
fn rows(result: &JsValue) -> Vec<Row> {
    let results = Reflect::get(result, &"results".into()).unwrap_or(JsValue::UNDEFINED);
    if !Array::is_array(&results) {
        return Vec::new();
    }
    Array::from(&results)
        .iter()
        .map(|it| value::row(&Object::values(it.unchecked_ref::<Object>())))
        .collect()
}

fn bind(database: &JsValue, statement: &Statement) -> Result<JsValue, SqlError> {
    let prepared = call(database, "prepare", &Array::of1(&statement.text.into()))?;
    call(&prepared, "bind", &statement.params.iter().map(value::to_js).collect())
}

/// Calls a method of a JavaScript object.
pub(super) fn call(on: &JsValue, method: &str, arguments: &Array) -> Result<JsValue, SqlError> {
    let function: Function =
        Reflect::get(on, &method.into()).and_then(JsCast::dyn_into).map_err(|err| failed(&err))?;
    function.apply(on, arguments).map_err(|err| failed(&err))
}

async fn settle(promise: JsValue) -> Result<JsValue, SqlError> {
    JsFuture::from(Promise::resolve(&promise)).await.map_err(|err| failed(&err))
}

/// What SQLite said, in a JavaScript error.
fn failed(err: &JsValue) -> SqlError {
    let message = Reflect::get(err, &"message".into()).ok().and_then(|it| it.as_string());
    SqlError::from_sqlite(message.unwrap_or_else(|| format!("{err:?}")))
}

fn port(err: &worker::Error) -> SqlError {
    SqlError::Port(PortError::new("sql", err))
}
