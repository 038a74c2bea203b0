//! What operators do to values.

use std::{cmp::Ordering, rc::Rc};

use super::{
    Trouble, failed,
    fuel::Fuel,
    moments,
    tree::Operator,
    value::{List, Value},
};

/// Applies a binary operator.
pub(super) fn apply<'a>(
    operator: Operator,
    a: &Value<'a>,
    b: &Value<'a>,
    fuel: &mut Fuel,
) -> Result<Value<'a>, Trouble> {
    match operator {
        Operator::Equal => a.equals(b, fuel).map(Value::Bool),
        Operator::NotEqual => a.equals(b, fuel).map(|it| Value::Bool(!it)),
        Operator::In => is_in(a, b, fuel).map(Value::Bool),
        Operator::Less => compare(operator, a, b, fuel, Ordering::is_lt),
        Operator::LessOrEqual => compare(operator, a, b, fuel, Ordering::is_le),
        Operator::Greater => compare(operator, a, b, fuel, Ordering::is_gt),
        Operator::GreaterOrEqual => compare(operator, a, b, fuel, Ordering::is_ge),
        _ => calculate(operator, a, b, fuel),
    }
}

fn compare<'a>(
    operator: Operator,
    a: &Value,
    b: &Value,
    fuel: &mut Fuel,
    fits: impl Fn(Ordering) -> bool,
) -> Result<Value<'a>, Trouble> {
    if let (Value::Text(a), Value::Text(b)) = (a, b) {
        fuel.bytes(a.as_str().len().min(b.as_str().len()))?;
    }
    match a.order(b) {
        Some(order) => Ok(Value::Bool(fits(order))),
        // Not a number is neither less nor more.
        None if is_number(a) && is_number(b) => Ok(Value::Bool(false)),
        None => Err(unfit(operator, a, b)),
    }
}

fn is_number(it: &Value) -> bool {
    matches!(it, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

fn is_in(needle: &Value, hay: &Value, fuel: &mut Fuel) -> Result<bool, Trouble> {
    match hay {
        Value::List(items) => {
            for item in items.iter() {
                if needle.equals(&item, fuel)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => {
            let key = needle.as_key();
            fuel.bytes(key.as_ref().map_or(0, |it| it.len()))?;
            Ok(key.is_some_and(|it| map.get(&it).is_some()))
        }
        _ => Err(unfit(Operator::In, needle, hay)),
    }
}

fn calculate<'a>(
    operator: Operator,
    a: &Value<'a>,
    b: &Value<'a>,
    fuel: &mut Fuel,
) -> Result<Value<'a>, Trouble> {
    use Operator::{Add, Subtract};
    match (operator, a, b) {
        (_, Value::Int(a), Value::Int(b)) => ints(operator, *a, *b).map(Value::Int),
        (_, Value::Uint(a), Value::Uint(b)) => uints(operator, *a, *b).map(Value::Uint),
        (_, Value::Double(x), Value::Double(y)) => {
            doubles(operator, *x, *y).map(Value::Double).ok_or_else(|| unfit(operator, a, b))
        }
        (Add, Value::Text(a), Value::Text(b)) => {
            fuel.bytes(a.as_str().len() + b.as_str().len())?;
            Ok(Value::made([a.as_str(), b.as_str()].concat()))
        }
        (Add, Value::List(a), Value::List(b)) => {
            fuel.units(a.len() + b.len())?;
            let all: Rc<[Value]> = a.iter().chain(b.iter()).collect();
            Ok(Value::List(List::Made(all)))
        }
        (Add, Value::Timestamp(a), Value::Duration(b))
        | (Add, Value::Duration(b), Value::Timestamp(a)) => {
            moments::timestamp(a.checked_add_signed(*b)).map(Value::Timestamp)
        }
        (Subtract, Value::Timestamp(a), Value::Duration(b)) => {
            moments::timestamp(a.checked_sub_signed(*b)).map(Value::Timestamp)
        }
        (Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
            moments::duration(Some(a.signed_duration_since(b))).map(Value::Duration)
        }
        (Add, Value::Duration(a), Value::Duration(b)) => {
            moments::duration(a.checked_add(b)).map(Value::Duration)
        }
        (Subtract, Value::Duration(a), Value::Duration(b)) => {
            moments::duration(a.checked_sub(b)).map(Value::Duration)
        }
        _ => Err(unfit(operator, a, b)),
    }
}

fn ints(operator: Operator, a: i64, b: i64) -> Result<i64, Trouble> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        _ if b == 0 => return Err(by_zero()),
        Operator::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    }
    .ok_or_else(|| overflow(operator))
}

fn uints(operator: Operator, a: u64, b: u64) -> Result<u64, Trouble> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        _ if b == 0 => return Err(by_zero()),
        Operator::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    }
    .ok_or_else(|| overflow(operator))
}

fn doubles(operator: Operator, a: f64, b: f64) -> Option<f64> {
    match operator {
        Operator::Add => Some(a + b),
        Operator::Subtract => Some(a - b),
        Operator::Multiply => Some(a * b),
        Operator::Divide => Some(a / b),
        _ => None,
    }
}

/// The value below zero that is as far from it.
pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Trouble> {
    match value {
        Value::Int(it) => {
            it.checked_neg().map(Value::Int).ok_or_else(|| overflow(Operator::Subtract))
        }
        Value::Double(it) => Ok(Value::Double(-it)),
        _ => Err(failed(format!("- does not fit {}", value.kind()))),
    }
}

fn by_zero() -> Trouble {
    failed("division by zero")
}

fn overflow(operator: Operator) -> Trouble {
    failed(format!("the result of {} is too large", operator.sign()))
}

fn unfit(operator: Operator, a: &Value, b: &Value) -> Trouble {
    let hint = match is_number(a) && is_number(b) {
        true => "; convert one with int(), uint() or double()",
        false => "",
    };
    failed(format!("{} does not fit {} and {}{hint}", operator.sign(), a.kind(), b.kind()))
}
