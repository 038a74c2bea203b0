//! The functions that an expression may call, and the conversions among them.

use super::{
    Trouble, failed,
    fuel::Fuel,
    moments,
    patterns::Patterns,
    texts,
    value::{Text, Value},
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Size,
    Int,
    Uint,
    Double,
    String,
    Bool,
    Dyn,
    Timestamp,
    Duration,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    IndexOf,
    GetFullYear,
    GetMonth,
    GetDayOfYear,
    GetDayOfMonth,
    GetDate,
    GetDayOfWeek,
    GetHours,
    GetMinutes,
    GetSeconds,
    GetMilliseconds,
}

/// How a function is called: `f(a)`, `a.f()`, or either.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Style {
    Global,
    Method,
    Both,
}

/// Each function with its name, its style, and how many arguments it takes at least and at most.
/// What a method is called on is its first argument.
const FUNCTIONS: [(&str, Function, Style, usize, usize); 31] = [
    ("size", Function::Size, Style::Both, 1, 1),
    ("int", Function::Int, Style::Global, 1, 1),
    ("uint", Function::Uint, Style::Global, 1, 1),
    ("double", Function::Double, Style::Global, 1, 1),
    ("string", Function::String, Style::Global, 1, 1),
    ("bool", Function::Bool, Style::Global, 1, 1),
    ("dyn", Function::Dyn, Style::Global, 1, 1),
    ("timestamp", Function::Timestamp, Style::Global, 1, 1),
    ("duration", Function::Duration, Style::Global, 1, 1),
    ("contains", Function::Contains, Style::Method, 2, 2),
    ("startsWith", Function::StartsWith, Style::Method, 2, 2),
    ("endsWith", Function::EndsWith, Style::Method, 2, 2),
    ("matches", Function::Matches, Style::Both, 2, 2),
    ("lowerAscii", Function::LowerAscii, Style::Method, 1, 1),
    ("upperAscii", Function::UpperAscii, Style::Method, 1, 1),
    ("trim", Function::Trim, Style::Method, 1, 1),
    ("replace", Function::Replace, Style::Method, 3, 4),
    ("split", Function::Split, Style::Method, 2, 3),
    ("join", Function::Join, Style::Method, 1, 2),
    ("substring", Function::Substring, Style::Method, 2, 3),
    ("indexOf", Function::IndexOf, Style::Method, 2, 2),
    ("getFullYear", Function::GetFullYear, Style::Method, 1, 1),
    ("getMonth", Function::GetMonth, Style::Method, 1, 1),
    ("getDayOfYear", Function::GetDayOfYear, Style::Method, 1, 1),
    ("getDayOfMonth", Function::GetDayOfMonth, Style::Method, 1, 1),
    ("getDate", Function::GetDate, Style::Method, 1, 1),
    ("getDayOfWeek", Function::GetDayOfWeek, Style::Method, 1, 1),
    ("getHours", Function::GetHours, Style::Method, 1, 1),
    ("getMinutes", Function::GetMinutes, Style::Method, 1, 1),
    ("getSeconds", Function::GetSeconds, Style::Method, 1, 1),
    ("getMilliseconds", Function::GetMilliseconds, Style::Method, 1, 1),
];

impl Function {
    /// The function of this name for this many written arguments, or why there is none.
    pub(super) fn named(name: &str, style: Style, written: usize) -> Result<Self, String> {
        let found = FUNCTIONS.iter().find(|it| it.0 == name);
        let Some((_, function, takes, least, most)) = found else {
            return Err(format!("there is no function {name}"));
        };
        if *takes != style && *takes != Style::Both {
            return Err(match style {
                Style::Method => format!("write {name}(…), not ….{name}()"),
                _ => format!("write ….{name}(…), not {name}(…)"),
            });
        }
        let count = written + usize::from(style == Style::Method);
        match (least..=most).contains(&&count) {
            true => Ok(*function),
            false => Err(format!("{name} does not take {written} arguments")),
        }
    }

    /// Calls it; what a method is called on comes first.
    pub(super) fn call<'a>(
        self,
        arguments: &[Value<'a>],
        patterns: &mut Patterns,
        fuel: &mut Fuel,
    ) -> Result<Value<'a>, Trouble> {
        for argument in arguments {
            if let Value::Text(it) = argument {
                fuel.bytes(it.as_str().len())?;
            }
        }
        match (self, arguments) {
            (Self::Size, [it]) => size(it),
            (Self::Int, [it]) => int(it).map(Value::Int),
            (Self::Uint, [it]) => uint(it).map(Value::Uint),
            (Self::Double, [it]) => double(it).map(Value::Double),
            (Self::String, [it]) => string(it),
            (Self::Bool, [it]) => bool(it).map(Value::Bool),
            (Self::Dyn, [it]) => Ok(it.clone()),
            (Self::Timestamp, [it]) => timestamp(it),
            (Self::Duration, [it]) => duration(it),
            (Self::Matches, [Value::Text(text), Value::Text(pattern)]) => {
                patterns.is_found(pattern.as_str(), text.as_str(), fuel).map(Value::Bool)
            }
            (_, [Value::Timestamp(it)]) => Ok(Value::Int(moments::part(it, self))),
            (_, [Value::Duration(it)]) => {
                moments::whole(it, self).map(Value::Int).ok_or_else(|| self.unfit(arguments))
            }
            (_, [it]) if self.is_of_moments() => Err(self.unfit(std::slice::from_ref(it))),
            _ => texts::call(self, arguments, fuel)?.ok_or_else(|| self.unfit(arguments)),
        }
    }

    fn is_of_moments(self) -> bool {
        self as usize >= Self::GetFullYear as usize
    }

    fn unfit(self, arguments: &[Value]) -> Trouble {
        let name = FUNCTIONS.iter().find(|it| it.1 == self).map_or("", |it| it.0);
        let kinds: Vec<_> = arguments.iter().map(Value::kind).collect();
        failed(format!("{name} does not fit {}", kinds.join(" and ")))
    }
}

fn size<'a>(of: &Value) -> Result<Value<'a>, Trouble> {
    let count = match of {
        Value::Text(it) => it.as_str().chars().count(),
        Value::List(it) => it.len(),
        Value::Map(it) => it.len(),
        _ => return Err(Function::Size.unfit(std::slice::from_ref(of))),
    };
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn int(of: &Value) -> Result<i64, Trouble> {
    match of {
        Value::Int(it) => Ok(*it),
        Value::Uint(it) => i64::try_from(*it).map_err(|_| too_large("an int")),
        // The doubles at the ends of the range are no ints, because they were rounded to there.
        Value::Double(it) if it.abs() < 9_223_372_036_854_775_808.0 => Ok(*it as i64),
        Value::Double(_) => Err(too_large("an int")),
        Value::Text(it) => read(it, "an int"),
        Value::Timestamp(it) => Ok(it.timestamp()),
        _ => Err(Function::Int.unfit(std::slice::from_ref(of))),
    }
}

fn uint(of: &Value) -> Result<u64, Trouble> {
    match of {
        Value::Int(it) => u64::try_from(*it).map_err(|_| failed("a uint is not below zero")),
        Value::Uint(it) => Ok(*it),
        Value::Double(it) if *it > -1.0 && *it < 18_446_744_073_709_551_616.0 => Ok(*it as u64),
        Value::Double(_) => Err(too_large("a uint")),
        Value::Text(it) => read(it, "a uint"),
        _ => Err(Function::Uint.unfit(std::slice::from_ref(of))),
    }
}

fn double(of: &Value) -> Result<f64, Trouble> {
    match of {
        Value::Int(it) => Ok(*it as f64),
        Value::Uint(it) => Ok(*it as f64),
        Value::Double(it) => Ok(*it),
        Value::Text(it) => read(it, "a double"),
        _ => Err(Function::Double.unfit(std::slice::from_ref(of))),
    }
}

fn read<T: std::str::FromStr>(text: &Text, what: &str) -> Result<T, Trouble> {
    text.as_str().parse().map_err(|_| failed(format!("the string is not {what}")))
}

fn too_large(what: &str) -> Trouble {
    failed(format!("the number does not fit {what}"))
}

fn string<'a>(of: &Value<'a>) -> Result<Value<'a>, Trouble> {
    Ok(Value::made(match of {
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Uint(it) => it.to_string(),
        Value::Double(it) => it.to_string(),
        Value::Text(_) => return Ok(of.clone()),
        Value::Timestamp(it) => moments::write_timestamp(it),
        Value::Duration(it) => moments::write_duration(it),
        _ => return Err(Function::String.unfit(std::slice::from_ref(of))),
    }))
}

fn bool(of: &Value) -> Result<bool, Trouble> {
    match of {
        Value::Bool(it) => Ok(*it),
        Value::Text(it) => match it.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(failed("the string is not true or false")),
        },
        _ => Err(Function::Bool.unfit(std::slice::from_ref(of))),
    }
}

fn timestamp<'a>(of: &Value<'a>) -> Result<Value<'a>, Trouble> {
    match of {
        Value::Timestamp(_) => Ok(of.clone()),
        Value::Text(it) => moments::read_timestamp(it.as_str()).map(Value::Timestamp),
        Value::Int(it) => {
            moments::timestamp(chrono::DateTime::from_timestamp(*it, 0)).map(Value::Timestamp)
        }
        _ => Err(Function::Timestamp.unfit(std::slice::from_ref(of))),
    }
}

fn duration<'a>(of: &Value<'a>) -> Result<Value<'a>, Trouble> {
    match of {
        Value::Duration(_) => Ok(of.clone()),
        Value::Text(it) => moments::read_duration(it.as_str()).map(Value::Duration),
        _ => Err(Function::Duration.unfit(std::slice::from_ref(of))),
    }
}
