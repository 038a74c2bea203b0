//! The fields of a JSON body that are signed, read so that nobody reads them otherwise.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::Refusal;
use crate::recipe::{Fields, folded};

/// Most characters of a field's name that are told.
const TOLD_CHARS_MAX: usize = 64;

/// An object with its fields in their order, the same name as often as it is there.
struct Object(Vec<(String, Value)>);

/// The fields of a body; `None` when it is no JSON object.
///
/// # Errors
/// When a name is there twice, in whatever case: one reader would take the first and another one
/// the last, and only one of them is signed.
pub fn parse(body: &[u8]) -> Result<Option<Value>, Refusal> {
    let Ok(Object(all)) = serde_json::from_slice(body) else { return Ok(None) };
    let mut names = BTreeSet::new();
    for (name, _) in &all {
        if !names.insert(folded(name)) {
            return Err(Refusal::FieldTwice { name: told(name) });
        }
    }
    Ok(Some(Value::Object(all.into_iter().collect::<Map<_, _>>())))
}

/// The string that `{fields}` stands for.
///
/// # Errors
/// When a field is missing, no text, or could pass for others.
pub fn signed(fields: &Fields, json: Option<&Value>) -> Result<String, Refusal> {
    let mut signed = String::new();
    for (number, name) in fields.names.iter().enumerate() {
        let text = match json.and_then(|it| it.get(name)) {
            Some(Value::String(text)) => text,
            None if !fields.needs(name) => continue,
            None => {
                return Err(Refusal::NotInRequest { place: format!("field {name} in its body") });
            }
            Some(_) => return Err(Refusal::BadField { name: name.clone() }),
        };
        if number > 0 && text.contains('\n') {
            return Err(Refusal::BadField { name: name.clone() });
        }
        for line in [name, text] {
            signed.push_str(line);
            signed.push('\n');
        }
    }
    Ok(signed)
}

fn told(name: &str) -> String {
    name.chars().filter(|it| !it.is_control()).take(TOLD_CHARS_MAX).collect()
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut all = Vec::new();
                while let Some(field) = map.next_entry()? {
                    all.push(field);
                }
                Ok(Object(all))
            }
        }

        reader.deserialize_map(Fields)
    }
}
