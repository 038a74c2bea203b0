//! Functions on strings. Their arguments are paid for before; what becomes longer is paid for here.

use super::{
    Trouble, failed,
    fuel::Fuel,
    functions::Function,
    value::{List, Text, Value},
};

/// Calls a function on strings; `None` when the arguments do not fit.
pub(super) fn call<'a>(
    function: Function,
    arguments: &[Value<'a>],
    fuel: &mut Fuel,
) -> Result<Option<Value<'a>>, Trouble> {
    let value = match (function, arguments) {
        (Function::Join, [Value::List(list)]) => join(list, "", fuel)?,
        (Function::Join, [Value::List(list), Value::Text(by)]) => join(list, by.as_str(), fuel)?,
        (_, [Value::Text(text), rest @ ..]) => return of_text(function, text, rest, fuel),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn of_text<'a>(
    function: Function,
    text: &Text<'a>,
    rest: &[Value<'a>],
    fuel: &mut Fuel,
) -> Result<Option<Value<'a>>, Trouble> {
    let it = text.as_str();
    Ok(Some(match (function, rest) {
        (Function::Contains, [Value::Text(part)]) => Value::Bool(it.contains(part.as_str())),
        (Function::StartsWith, [Value::Text(part)]) => Value::Bool(it.starts_with(part.as_str())),
        (Function::EndsWith, [Value::Text(part)]) => Value::Bool(it.ends_with(part.as_str())),
        (Function::LowerAscii, []) => Value::made(it.to_ascii_lowercase()),
        (Function::UpperAscii, []) => Value::made(it.to_ascii_uppercase()),
        (Function::Trim, []) => piece(text, |it| it.trim()),
        (Function::Replace, [Value::Text(from), Value::Text(to)]) => {
            replace(it, from.as_str(), to.as_str(), -1, fuel)?
        }
        (Function::Replace, [Value::Text(from), Value::Text(to), Value::Int(times)]) => {
            replace(it, from.as_str(), to.as_str(), *times, fuel)?
        }
        (Function::Split, [Value::Text(by)]) => split(text, by.as_str(), -1, fuel)?,
        (Function::Split, [Value::Text(by), Value::Int(most)]) => {
            split(text, by.as_str(), *most, fuel)?
        }
        (Function::Substring, [Value::Int(from)]) => substring(text, *from, None)?,
        (Function::Substring, [Value::Int(from), Value::Int(to)]) => {
            substring(text, *from, Some(*to))?
        }
        (Function::IndexOf, [Value::Text(part)]) => index_of(it, part.as_str()),
        _ => return Ok(None),
    }))
}

/// A part of a text: lent when the text is.
fn piece<'a>(of: &Text<'a>, cut: impl Fn(&str) -> &str) -> Value<'a> {
    match of {
        Text::Lent(it) => Value::Text(Text::Lent(cut(it))),
        Text::Made(it) => Value::made(cut(it)),
    }
}

fn join<'a>(list: &List<'a>, by: &str, fuel: &mut Fuel) -> Result<Value<'a>, Trouble> {
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        let Value::Text(item) = item else {
            return Err(failed(format!(
                "join takes a list of strings, and here is {}",
                item.kind()
            )));
        };
        fuel.bytes(by.len() + item.as_str().len())?;
        if index > 0 {
            joined.push_str(by);
        }
        joined.push_str(item.as_str());
    }
    Ok(Value::made(joined))
}

/// All of them when the count is below zero.
fn count(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn replace<'a>(
    text: &str,
    from: &str,
    to: &str,
    times: i64,
    fuel: &mut Fuel,
) -> Result<Value<'a>, Trouble> {
    let times = count(times).min(text.matches(from).count());
    fuel.bytes(text.len().saturating_add(to.len().saturating_mul(times)))?;
    Ok(Value::made(text.replacen(from, to, times)))
}

fn split<'a>(text: &Text<'a>, by: &str, most: i64, fuel: &mut Fuel) -> Result<Value<'a>, Trouble> {
    let parts = match text {
        Text::Lent(it) => pieces(it, by, count(most), fuel, Text::Lent)?,
        Text::Made(it) => pieces(it, by, count(most), fuel, |it| Text::Made(it.into()))?,
    };
    Ok(Value::List(List::Made(parts.into())))
}

fn pieces<'t, 'a>(
    text: &'t str,
    by: &str,
    most: usize,
    fuel: &mut Fuel,
    keep: impl Fn(&'t str) -> Text<'a>,
) -> Result<Vec<Value<'a>>, Trouble> {
    let mut parts = Vec::new();
    let mut rest = Some(text);
    while let Some(it) = rest.take().filter(|_| parts.len() < most) {
        fuel.step()?;
        let cut = if parts.len() + 1 == most { None } else { cut(it, by) };
        let (part, tail) = cut.map_or((it, None), |(part, tail)| (part, Some(tail)));
        parts.push(Value::Text(keep(part)));
        rest = tail;
    }
    // Without a separator a text falls into its characters, and the empty one into none.
    if by.is_empty() && text.is_empty() {
        parts.clear();
    }
    Ok(parts)
}

/// The text before the separator, and what follows; `None` when there is no more of it.
fn cut<'t>(text: &'t str, by: &str) -> Option<(&'t str, &'t str)> {
    if !by.is_empty() {
        return text.split_once(by);
    }
    let second = text.char_indices().nth(1)?.0;
    text.split_at_checked(second)
}

fn substring<'a>(text: &Text<'a>, from: i64, to: Option<i64>) -> Result<Value<'a>, Trouble> {
    let it = text.as_str();
    let wrong = || failed("substring is out of the bounds of the string");
    let at = |index: i64| {
        let index = usize::try_from(index).ok()?;
        let places = it.char_indices().map(|(at, _)| at).chain([it.len()]);
        places.into_iter().nth(index)
    };
    let start = at(from).ok_or_else(wrong)?;
    let end = to.map_or(Some(it.len()), at).ok_or_else(wrong)?;
    if it.get(start..end).is_none() {
        return Err(wrong());
    }
    Ok(piece(text, |it| it.get(start..end).unwrap_or("")))
}

/// The place of the first find, in characters; -1 when there is none.
fn index_of<'a>(text: &str, part: &str) -> Value<'a> {
    let before = text.find(part).and_then(|it| text.get(..it));
    let index = before.map(|it| i64::try_from(it.chars().count()).unwrap_or(i64::MAX));
    Value::Int(index.unwrap_or(-1))
}
