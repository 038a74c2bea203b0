//! What an expression computes with. Data that was bound is lent, never copied.

use std::{cmp::Ordering, collections::BTreeMap, rc::Rc};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

use super::{DATA_NESTING_MAX, Trouble, failed, fuel::Fuel, moments};

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
    Timestamp(DateTime<Utc>),
    Duration(TimeDelta),
}

#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Lent(&'a str),
    Made(Rc<str>),
}

#[derive(Clone, Debug)]
pub(super) enum List<'a> {
    Lent(&'a [Json]),
    Made(Rc<[Value<'a>]>),
}

#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Lent(&'a serde_json::Map<String, Json>),
    Made(Rc<BTreeMap<Key<'a>, Value<'a>>>),
}

/// A key of a map. Ints and uints are one kind, as CEL has it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Key<'a> {
    Bool(bool),
    Number(i128),
    Text(Text<'a>),
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(it) => Self::Bool(*it),
            Json::Number(it) => match (it.as_i64(), it.as_u64()) {
                (Some(it), _) => Self::Int(it),
                (_, Some(it)) => Self::Uint(it),
                _ => Self::Double(it.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(it) => Self::Text(Text::Lent(it)),
            Json::Array(it) => Self::List(List::Lent(it)),
            Json::Object(it) => Self::Map(Map::Lent(it)),
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn made(text: impl Into<Rc<str>>) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    /// What it is, with its article, for sentences.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Uint(_) => "a uint",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Timestamp(_) => "a timestamp",
            Self::Duration(_) => "a duration",
        }
    }

    /// The key that this value names, if it can be one.
    pub(super) fn as_key(&self) -> Option<Key<'a>> {
        match self {
            Self::Bool(it) => Some(Key::Bool(*it)),
            Self::Text(it) => Some(Key::Text(it.clone())),
            _ => self.as_whole().map(Key::Number),
        }
    }

    /// The whole number that this value is, if it is one.
    pub(super) fn as_whole(&self) -> Option<i128> {
        match *self {
            Self::Int(it) => Some(it.into()),
            Self::Uint(it) => Some(it.into()),
            Self::Double(it) if it.trunc() == it && it.abs() < 1e20 => Some(it as i128),
            _ => None,
        }
    }

    /// Whether they are equal. Values of different kinds are not, but numbers are numbers.
    pub(super) fn equals(&self, other: &Self, fuel: &mut Fuel) -> Result<bool, Trouble> {
        self.equals_at(other, fuel, 0)
    }

    fn equals_at(&self, other: &Self, fuel: &mut Fuel, depth: usize) -> Result<bool, Trouble> {
        fuel.step()?;
        deeper(depth)?;
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Text(a), Self::Text(b)) => {
                fuel.bytes(a.as_str().len().min(b.as_str().len()))?;
                Ok(a == b)
            }
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals_at(&b, fuel, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, a) in a.iter() {
                    fuel.bytes(key.len())?;
                    match b.get(&key) {
                        Some(b) if a.equals_at(&b, fuel, depth + 1)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            _ => Ok(self.order(other) == Some(Ordering::Equal)),
        }
    }

    /// Which is less, if they can be compared at all.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Double(a), _) => Some(order_whole(other.as_whole()?, *a)?.reverse()),
            (_, Self::Double(b)) => order_whole(self.as_whole()?, *b),
            _ => Some(self.as_whole()?.cmp(&other.as_whole()?)),
        }
    }

    /// The answer in JSON.
    pub(super) fn to_json(&self, fuel: &mut Fuel) -> Result<Json, Trouble> {
        self.to_json_at(fuel, 0)
    }

    fn to_json_at(&self, fuel: &mut Fuel, depth: usize) -> Result<Json, Trouble> {
        fuel.step()?;
        deeper(depth)?;
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(it) => Json::Bool(*it),
            Self::Int(it) => (*it).into(),
            Self::Uint(it) => (*it).into(),
            Self::Double(it) => match serde_json::Number::from_f64(*it) {
                Some(it) => Json::Number(it),
                None => return Err(failed(format!("JSON has no number {it}"))),
            },
            Self::Text(it) => {
                fuel.bytes(it.as_str().len())?;
                Json::String(it.as_str().to_owned())
            }
            Self::List(it) => {
                let items = it.iter().map(|it| it.to_json_at(fuel, depth + 1));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map(it) => {
                let mut map = serde_json::Map::new();
                for (key, value) in it.iter() {
                    fuel.bytes(key.len())?;
                    let value = value.to_json_at(fuel, depth + 1)?;
                    if map.insert(key.to_string(), value).is_some() {
                        return Err(failed(format!("two keys are {key} in JSON")));
                    }
                }
                Json::Object(map)
            }
            Self::Timestamp(it) => Json::String(moments::write_timestamp(it)),
            Self::Duration(it) => Json::String(moments::write_duration(it)),
        })
    }
}

fn deeper(depth: usize) -> Result<(), Trouble> {
    match depth < DATA_NESTING_MAX {
        true => Ok(()),
        false => Err(failed(format!("the data is nested more than {DATA_NESTING_MAX} deep"))),
    }
}

/// A whole number beside a double, without rounding either.
fn order_whole(a: i128, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    // Beyond the range of i128 the cast saturates, and every int and uint is far inside it.
    let whole = b.trunc();
    Some(a.cmp(&(whole as i128)).then(whole.partial_cmp(&b)?))
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Lent(it) => it,
            Self::Made(it) => it,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lent(it) => it.len(),
            Self::Made(it) => it.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Lent(it) => it.get(index).map(Value::from),
            Self::Made(it) => it.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|it| self.get(it))
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lent(it) => it.len(),
            Self::Made(it) => it.len(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Value<'a>> {
        match (self, key) {
            (Self::Lent(it), Key::Text(key)) => it.get(key.as_str()).map(Value::from),
            (Self::Lent(_), _) => None,
            (Self::Made(it), _) => it.get(key).cloned(),
        }
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (Key<'a>, Value<'a>)> + '_> {
        match self {
            Self::Lent(it) => {
                Box::new(it.iter().map(|(key, it)| (Key::Text(Text::Lent(key)), it.into())))
            }
            Self::Made(it) => Box::new(it.iter().map(|(key, it)| (key.clone(), it.clone()))),
        }
    }
}

impl Key<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(it) => it.as_str().len(),
            _ => 0,
        }
    }
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(it) => write!(f, "{it}"),
            Self::Number(it) => write!(f, "{it}"),
            Self::Text(it) => f.write_str(it.as_str()),
        }
    }
}

impl<'a> From<Key<'a>> for Value<'a> {
    fn from(key: Key<'a>) -> Self {
        match key {
            Key::Bool(it) => Self::Bool(it),
            Key::Text(it) => Self::Text(it),
            // A key was an int or a uint before it was a key.
            Key::Number(it) => match i64::try_from(it) {
                Ok(it) => Self::Int(it),
                Err(_) => Self::Uint(u64::try_from(it).unwrap_or(u64::MAX)),
            },
        }
    }
}
