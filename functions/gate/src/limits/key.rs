//! What is counted separately: the key that a template makes of a request.

use std::net::IpAddr;

use shared::problem::Problem;

use super::asked::Asked;

/// The longest template, and the longest key of one, in characters.
pub const KEY_CHARS_MAX: usize = 512;

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    Field(&'a str),
}

/// Whether a template can be filled in.
///
/// # Errors
/// What it names that there is not.
pub fn check(template: &str) -> Result<(), Problem> {
    if template.is_empty() || template.len() > KEY_CHARS_MAX {
        return Err(Problem::unfitting("key", format!("1 to {KEY_CHARS_MAX} characters")));
    }
    for part in parts(template) {
        match part {
            Ok(
                Part::Field(
                    "api_key" | "user" | "customer" | "member" | "app" | "ip" | "asn" | "route"
                    | "method",
                )
                | Part::Text(_),
            ) => {}
            Ok(Part::Field(it))
                if it.strip_prefix("header:").or(it.strip_prefix("attribute:")).is_some_and(
                    |it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic()),
                ) => {}
            Ok(Part::Field(it)) => {
                return Err(Problem::unfitting(
                    "key",
                    format!(
                        "there is no {{{it}}}; there are {{api_key}}, {{user}}, {{customer}}, {{member}}, \
                         {{app}}, {{ip}}, {{asn}}, {{route}}, {{method}}, {{header:name}} and {{attribute:name}}"
                    ),
                ));
            }
            Err(()) => return Err(Problem::unfitting("key", "a { has no }")),
        }
    }
    Ok(())
}

/// The key of a request; `None` when it lacks what the template names.
pub fn fill(template: &str, asked: &Asked) -> Option<String> {
    let mut key = String::new();
    for part in parts(template) {
        match part.ok()? {
            Part::Text(it) => key.push_str(it),
            Part::Field("ip") => key.push_str(&network(asked.ip.as_deref()?)),
            Part::Field("api_key") => key.push_str(asked.api_key.as_deref()?),
            Part::Field("user") => key.push_str(asked.user.as_deref()?),
            Part::Field("customer") => key.push_str(asked.customer.as_deref()?),
            Part::Field("member") => key.push_str(asked.member.as_deref()?),
            Part::Field("asn") => key.push_str(&asked.asn?.to_string()),
            Part::Field("app") => key.push_str(&asked.app),
            Part::Field("route") => key.push_str(asked.route.as_deref()?),
            Part::Field("method") => key.push_str(asked.method.as_deref()?),
            Part::Field(it) => {
                let (kind, name) = it.split_once(':')?;
                let from = if kind == "header" { &asked.headers } else { &asked.attributes };
                let value = from.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?.1;
                match value {
                    serde_json::Value::String(it) => key.push_str(it),
                    other => key.push_str(&other.to_string()),
                }
            }
        }
    }
    Some(key)
}

/// An address as far as one customer has it: IPv4 whole, and of IPv6 the /64 network.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(it)) => match it.to_ipv4_mapped() {
            Some(it) => it.to_string(),
            None => {
                let [a, b, c, d, ..] = it.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(it) => it.to_string(),
        Err(_) => address.to_owned(),
    }
}

fn parts(template: &str) -> impl Iterator<Item = Result<Part<'_>, ()>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(inside) = rest.strip_prefix('{') else {
            let end = rest.find('{').unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            rest = after;
            return Some(Ok(Part::Text(text)));
        };
        let Some((field, after)) = inside.split_once('}') else {
            rest = "";
            return Some(Err(()));
        };
        rest = after;
        Some(Ok(Part::Field(field)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> Asked {
        serde_json::from_value(json!({
            "api_key": "key_1", "user": "u", "ip": "2001:db8:1:2:3::4", "route": "/v1/x",
            "customer": "acme", "member": "m1", "asn": 64_500,
            "headers": {"X-Plan": "pro"}, "attributes": {"seats": 3},
        }))
        .unwrap()
    }

    #[test]
    fn a_template_is_filled_in() {
        let fill = |template| fill(template, &asked()).unwrap();
        assert_eq!(fill("{app}/{api_key}:{user}"), "default/key_1:u");
        assert_eq!(fill("{ip}"), "2001:db8:1:2::/64");
        assert_eq!(fill("{header:x-plan}-{attribute:seats}"), "pro-3");
        assert_eq!(fill("{customer}/{member}@{asn}"), "acme/m1@64500");
        assert_eq!(fill("all"), "all");
    }

    #[test]
    fn without_what_it_names_there_is_no_key() {
        assert_eq!(fill("{header:x-none}", &asked()), None);
        assert_eq!(fill("{method}", &asked()), None);
        assert_eq!(fill("{ip}/{asn}", &Asked { asn: None, ..asked() }), None);
    }

    #[test]
    fn an_address_is_one_customers() {
        assert_eq!(network("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    }

    #[test]
    fn a_template_that_cannot_be_filled_in_is_refused() {
        for bad in ["", "{", "a{b", "{secret}", "{header:}", "{header:a b}"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check("tenant-wide").is_ok() && check("{attribute:seats}").is_ok());
    }
}
