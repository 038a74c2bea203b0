//! A request as it came in, and where things are found in it.

use std::net::IpAddr;

use http::{HeaderMap, header};
use serde_json::Value;
use shared::http::Request;

use super::{
    Refusal,
    header::{self as headers_, SignatureText},
    is_name,
};
use crate::recipe::{Place, Recipe};

const FORM: &str = "application/x-www-form-urlencoded";

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The scheme and host by which the provider called us, if they are known.
    pub base: Option<String>,
    /// The path and the query, as they were sent.
    pub path_and_query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The certificate from the address that the request names, where the recipe asks for one.
    pub certificate: Option<&'a [u8]>,
}

impl<'a> Incoming<'a> {
    /// A POST to nowhere in particular.
    pub fn post(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        let (base, certificate) = (None, None);
        Self { method: "POST", base, path_and_query: "/", headers, body, certificate }
    }

    /// A request that we were sent.
    pub fn of(recipe: &Recipe, request: &'a Request) -> Self {
        let uri = request.uri();
        Self {
            method: request.method().as_str(),
            base: recipe.public_url.clone().or_else(|| base(request)),
            path_and_query: uri.path_and_query().map_or("/", |it| it.as_str()),
            headers: request.headers(),
            body: request.body(),
            certificate: None,
        }
    }

    /// The whole address, if it is known.
    pub fn url(&self) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}{}", self.path_and_query))
    }

    /// The value of a parameter of the query, if it is there once.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path_and_query.split_once('?')?;
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(it, _)| it == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value.into_owned()),
            _ => None,
        }
    }

    /// Whether the body is a form.
    pub fn is_form(&self) -> bool {
        content_type(self.headers) == FORM
    }

    /// The fields of a body that is a form, sorted by name and then by value, each once: every
    /// name, followed by its value.
    pub fn params(&self) -> String {
        if !self.is_form() {
            return String::new();
        }
        let mut fields: Vec<_> = form_urlencoded::parse(self.body).collect();
        fields.sort();
        fields.dedup();
        fields.iter().flat_map(|(name, value)| [&**name, &**value]).collect()
    }
}

/// The type of the body, in lower case and without its parameters.
pub fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The scheme and the host of a request. What is in front of us mostly speaks TLS where we do
/// not, so that only this machine is called in the open.
fn base(request: &Request) -> Option<String> {
    // Spin keeps the header from us, and Workers as well as Spin put the host into the address.
    let named = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    let authority = request.uri().authority().map(|it| it.as_str()).or(named)?;
    let scheme = if is_loopback(authority) { "http" } else { "https" };
    Some(format!("{scheme}://{authority}"))
}

fn is_loopback(authority: &str) -> bool {
    let uri = authority.parse::<http::uri::Authority>().ok();
    let host = uri.as_ref().map_or("", |it| it.host()).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Where things are found in a request.
pub struct Lookup<'a> {
    /// The request.
    pub incoming: &'a Incoming<'a>,
    /// The text of its signature.
    pub text: &'a SignatureText<'a>,
    /// Its body, as far as it was parsed.
    pub json: Option<&'a Value>,
}

impl Lookup<'_> {
    /// The first of `places` that holds a usable name. Numbers count as their digits.
    pub fn name(&self, places: &[Place]) -> Option<String> {
        places.iter().filter_map(|place| self.find(place)).find(|name| is_name(name))
    }

    /// What is at `place`, as text.
    pub fn find(&self, place: &Place) -> Option<String> {
        self.required(place).ok()
    }

    /// What is at `place`, or why the request cannot be believed without it.
    pub fn required(&self, place: &Place) -> Result<String, Refusal> {
        match place {
            Place::Header(name) => headers_::only(self.incoming.headers, name).map(str::to_owned),
            other => self.find_once(other)?.ok_or_else(|| Refusal::NotInRequest {
                place: match other {
                    Place::Query(name) => format!("parameter {name} in its address"),
                    Place::Pointer(it) => format!("text at {it} in its body"),
                    Place::Inside(it) => {
                        format!("text at {} in the JSON at {}", it.pointer, it.text)
                    }
                    Place::SignatureKey(it) | Place::Header(it) => it.clone(),
                },
            }),
        }
    }

    /// What is at `place` of a request, other than in a header.
    pub fn find_once(&self, place: &Place) -> Result<Option<String>, Refusal> {
        match place {
            Place::Header(_) => self.required(place).map(Some),
            Place::SignatureKey(key) => Ok(self.text.only(key)?.map(str::to_owned)),
            Place::Query(name) => Ok(self.incoming.query(name)),
            Place::Pointer(pointer) => Ok(self.json.and_then(|it| text(it, pointer))),
            Place::Inside(it) => {
                let json = self.json.and_then(|json| text(json, &it.text));
                let inside = json.and_then(|it| serde_json::from_str(&it).ok());
                Ok(inside.and_then(|inside| text(&inside, &it.pointer)))
            }
        }
    }
}

/// The text or the number at this pointer.
fn text(json: &Value, pointer: &str) -> Option<String> {
    match json.pointer(pointer) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}
