//! To which trace an event belongs: W3C Trace Context, level 1 with the keys of level 2. Pure but
//! for the chance that makes ids.
//!
//! An event has a span of its own, its publishing, which is a child of the caller's span if one
//! came along. Each attempt to deliver is a child of that.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::{
    domain::Id,
    http::HeaderMap,
    ports::{PortError, Tenant},
};

/// The header that names a trace and a span in it.
pub const TRACEPARENT: &str = "traceparent";
/// The header in which each tracing system keeps what is its own.
pub const TRACESTATE: &str = "tracestate";
/// How much of `tracestate` is kept, in characters: what the recommendation asks for at least.
pub const STATE_CHARS_MAX: usize = 512;
/// How many members a `tracestate` has (section 3.3.1.1).
pub const STATE_MEMBERS_MAX: usize = 32;

/// The length of a `traceparent` of version 00.
const PARENT_CHARS: usize = 55;
const ID_CHARS: usize = 32;
const SPAN_CHARS: usize = 16;
/// The longest key and value in `tracestate`, in characters.
const WORD_CHARS: usize = 256;
const SAMPLED: u8 = 1;
/// The flags that have a meaning, sampled and random; the others are to be sent as zero.
const FLAGS: u8 = 3;

/// The trace of an event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trace {
    /// The trace: 32 hexadecimal digits.
    pub id: String,
    /// The span of its publishing: 16 hexadecimal digits.
    pub span: String,
    /// The caller's span, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Bit 0: sampled; bit 1: the id was made by chance.
    pub flags: u8,
    /// The caller's `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// As which span an attempt was sent.
#[derive(Clone, Debug)]
pub struct AttemptSpan {
    /// The trace: that of the event, or of the first event of a batch. 32 hexadecimal digits.
    pub trace_id: String,
    /// The span, which the endpoint saw as the parent: 16 hexadecimal digits.
    pub span_id: String,
    /// Where it was sent: scheme, host and port of the address.
    pub server: String,
}

/// What came with a request.
#[derive(Debug, Eq, PartialEq)]
pub struct Caller {
    id: String,
    span: String,
    flags: u8,
    state: Option<String>,
}

impl Trace {
    /// The trace that these headers name, or a new one.
    ///
    /// # Errors
    /// When there is no chance to make ids of.
    pub fn of(at: &impl Tenant, headers: &HeaderMap) -> Result<Self, PortError> {
        let Some(caller) = Caller::of(headers) else { return Self::new(at) };
        let Caller { id, span: parent, flags, state } = caller;
        Ok(Self { id, span: span_id(at)?, parent: Some(parent), flags, state })
    }

    /// A new trace. It is sampled, as all attempts are kept.
    ///
    /// # Errors
    /// When there is no chance to make ids of.
    pub fn new(at: &impl Tenant) -> Result<Self, PortError> {
        let mut id = [0; ID_CHARS / 2];
        at.random(&mut id)?;
        let (id, span) = (HEXLOWER.encode(&id), span_id(at)?);
        Ok(Self { id, span, parent: None, flags: SAMPLED, state: None })
    }

    /// The trace of an event from before traces were kept: the same each time.
    pub fn of_event(event: &Id) -> Self {
        let hash = HEXLOWER.encode(&Sha256::digest(event.as_str()));
        let (id, rest) = hash.split_at(ID_CHARS);
        let span = rest.chars().take(SPAN_CHARS).collect();
        Self { id: id.to_owned(), span, parent: None, flags: SAMPLED, state: None }
    }

    /// The `traceparent` of a request that is this span of the trace.
    pub fn traceparent(&self, span: &str) -> String {
        format!("00-{}-{span}-{:02x}", self.id, self.flags)
    }
}

/// A new id of a span: 16 hexadecimal digits.
///
/// # Errors
/// When there is no chance to make it of.
pub fn span_id(at: &impl Tenant) -> Result<String, PortError> {
    let mut id = [0; SPAN_CHARS / 2];
    at.random(&mut id)?;
    Ok(HEXLOWER.encode(&id))
}

impl Caller {
    /// What came with a request, if it makes sense. What does not is no error: the trace begins
    /// anew (section 4.3), and a `tracestate` that does not make sense is left out.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (all.next(), all.next()) else { return None };
        let caller = Self::parse(parent.to_str().ok()?)?;
        let states: Result<Vec<_>, _> =
            headers.get_all(TRACESTATE).iter().map(|it| it.to_str()).collect();
        Some(Self { state: states.ok().and_then(|it| state(&it.join(","))), ..caller })
    }

    /// Reads a `traceparent`, section 3.2.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let (version, id) = (parts.next()?, parts.next()?);
        let (span, flags, rest) = (parts.next()?, parts.next()?, parts.next());
        let known = match version {
            "ff" => false,
            // A later version may say more behind another dash.
            "00" => text.len() == PARENT_CHARS && rest.is_none(),
            _ => true,
        };
        let is_id = |it: &str, chars| is_hex(it, chars) && it.bytes().any(|it| it != b'0');
        let fits = is_hex(version, 2) && is_id(id, ID_CHARS) && is_id(span, SPAN_CHARS);
        if !known || !fits || !is_hex(flags, 2) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()? & FLAGS;
        Some(Self { id: id.to_owned(), span: span.to_owned(), flags, state: None })
    }
}

fn is_hex(text: &str, chars: usize) -> bool {
    text.len() == chars && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// Reads a `tracestate`, section 3.3; without empty members.
fn state(text: &str) -> Option<String> {
    let members = text.split(',').map(|it| it.trim_matches([' ', '\t']));
    let members: Vec<_> = members.filter(|it| !it.is_empty()).collect();
    let keys: Option<BTreeSet<_>> = members.iter().map(|it| key(it)).collect();
    let fits = keys?.len() == members.len() && (1..=STATE_MEMBERS_MAX).contains(&members.len());
    Some(members.join(",")).filter(|it| fits && it.len() <= STATE_CHARS_MAX)
}

/// The key of a member, if both its key and its value are ones.
fn key(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let starts = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_key = key.bytes().next().is_some_and(starts)
        && key.bytes().all(|it| starts(it) || b"_-*/@".contains(&it));
    let is_value =
        !value.is_empty() && value.bytes().all(|it| matches!(it, b' '..=b'~') && it != b'=');
    let fits = key.len() <= WORD_CHARS && value.len() <= WORD_CHARS;
    (is_key && is_value && fits).then_some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::http::{HeaderName, HeaderValue};

    use super::*;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn came(headers: &[(&'static str, &str)]) -> Option<Caller> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        Caller::of(&map)
    }

    #[test]
    fn the_examples_of_the_recommendation_are_read() {
        for (text, id, span, flags) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00f067aa0ba902b7",
                1,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00f067aa0ba902b7",
                0,
            ),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ID, SPAN, 1),
            // Of a later version, with more behind it, and with flags that have no meaning yet.
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-is-this", ID, SPAN, 1),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ID, SPAN, 1),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", ID, SPAN, 3),
        ] {
            let (id, span) = (id.to_owned(), span.to_owned());
            let expected = Caller { id, span, flags, state: None };
            assert_eq!(came(&[(TRACEPARENT, text)]), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_left_alone() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        ] {
            assert_eq!(came(&[(TRACEPARENT, text)]), None, "{text}");
        }
        let one = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(came(&[(TRACEPARENT, one), (TRACEPARENT, one)]), None);
        assert_eq!(came(&[(TRACESTATE, "a=1")]), None);
    }

    #[test]
    fn a_tracestate_is_kept_as_it_came_or_not_at_all() {
        let many = (0..=STATE_MEMBERS_MAX).map(|it| format!("a{it}=1"));
        for (text, expected) in [
            ("congo=t61rcWkgMzE", Some("congo=t61rcWkgMzE")),
            (
                "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
                Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            ),
            ("fw529a3039@dt=FfAAAA , ,rojo=a b", Some("fw529a3039@dt=FfAAAA,rojo=a b")),
            ("", None),
            ("rojo", None),
            ("rojo=", None),
            ("Rojo=1", None),
            ("rojo=1=2", None),
            ("rojo=1,rojo=2", None),
            (&many.collect::<Vec<_>>().join(","), None),
            (&format!("a={}", "1".repeat(257)), None),
            (&format!("a={0},b={0},c=1", "1".repeat(256)), None),
        ] {
            assert_eq!(state(text).as_deref(), expected, "{text}");
        }
        let one = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let both = came(&[(TRACEPARENT, one), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]);
        assert_eq!(both.unwrap().state.as_deref(), Some("a=1,b=2"));
        let bad = came(&[(TRACEPARENT, one), (TRACESTATE, "nonsense")]).unwrap();
        assert_eq!((bad.id.as_str(), bad.state), (ID, None));
    }

    #[test]
    fn an_event_of_before_has_one_trace() {
        let it = Trace::of_event(&Id::trusted("evt_1".to_owned()));

        let sent = it.traceparent(&it.span);
        assert_eq!(came(&[(TRACEPARENT, &sent)]).unwrap().id, it.id);
        assert_eq!(it, Trace::of_event(&Id::trusted("evt_1".to_owned())));
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_parsing(text in any::<String>(), states in any::<String>()) {
            let _ = Caller::parse(&text);
            if let Some(kept) = state(&states) {
                prop_assert!(HeaderValue::from_str(&kept).is_ok());
                prop_assert_eq!(state(&kept), Some(kept));
            }
        }

        #[test]
        fn what_we_send_is_read_again(id in "[0-9a-f]{31}[1-9a-f]", span in "[0-9a-f]{15}[1-9a-f]", flags in 0u8..4) {
            let trace = Trace { id, span: span.clone(), parent: None, flags, state: None };

            let read = Caller::parse(&trace.traceparent(&span)).unwrap();

            prop_assert_eq!((read.id, read.span, read.flags), (trace.id, span, flags));
        }
    }
}
