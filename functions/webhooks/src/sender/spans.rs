//! The spans of an event, as OTLP/JSON: its publishing, and each request that delivered it. Names
//! of attributes are those of OpenTelemetry's semantic conventions for HTTP and messaging.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::{
    domain::{Id, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use url::Url;

use super::{attempt::Attempt, event::Event, store, trace::Trace};

/// How many attempts are told of at once.
pub const ATTEMPTS_MAX: u32 = 1_000;
const CLIENT: u8 = 3;
const PRODUCER: u8 = 4;
const ERROR: u8 = 2;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// Reads the spans of an event: its publishing, and each attempt that is kept and was sent. When
/// there are more attempts than are told of, an attribute of the publishing says so.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let id = call.id("evt")?;
    let event = store::find_event(at, &id).await?.ok_or_else(Problem::not_found)?;
    let published = store::published_at(at, &id).await?.ok_or_else(Problem::not_found)?;
    let mut attempts = store::attempts_of_event(at, &id, ATTEMPTS_MAX + 1).await?;
    let most = usize::try_from(ATTEMPTS_MAX).unwrap_or(usize::MAX);
    let cut = attempts.len() > most;
    attempts.truncate(most);
    Ok(json_response(StatusCode::OK, &document(&event, published, &attempts, cut)))
}

/// The request of OTLP that would export these spans.
fn document(event: &Event, published: Timestamp, attempts: &[(Id, Attempt)], cut: bool) -> Value {
    // A batch can hold an event twice, and was one request all the same.
    let mut seen = BTreeSet::new();
    let once = attempts.iter().filter(|(_, it)| seen.insert((&it.trace_id, &it.span_id)));
    let delivered = once.filter_map(|(endpoint, it)| delivery(event, endpoint, it));
    let first = publishing(event, published, cut);
    let spans: Vec<_> = std::iter::once(first).chain(delivered).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "backplane")]},
        "scopeSpans": [{
            "scope": {"name": "backplane.webhooks", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans,
        }],
    }]})
}

fn publishing(event: &Event, at: Timestamp, cut: bool) -> Value {
    let trace = &event.trace;
    let mut span = json!({
        "traceId": trace.id,
        "spanId": trace.span,
        "flags": trace.flags,
        "name": format!("publish {}", event.kind),
        "kind": PRODUCER,
        "startTimeUnixNano": nanos(at, 0),
        "endTimeUnixNano": nanos(at, 0),
        "attributes": [
            text("messaging.system", "backplane"),
            text("messaging.operation.name", "publish"),
            text("messaging.operation.type", "send"),
            text("messaging.destination.name", &event.kind),
            text("messaging.message.id", event.id.as_str()),
            {"key": "backplane.attempts.cut", "value": {"boolValue": cut}},
        ],
    });
    put(&mut span, "parentSpanId", trace.parent.as_deref());
    put(&mut span, "traceState", trace.state.as_deref());
    span
}

/// The span of an attempt; `None` when nothing was sent.
fn delivery(event: &Event, endpoint: &Id, attempt: &Attempt) -> Option<Value> {
    let (trace_id, span_id) = (attempt.trace_id.as_ref()?, attempt.span_id.as_ref()?);
    let server = attempt.server.as_ref()?;
    let trace = &event.trace;
    let mut span = json!({
        "traceId": trace_id,
        "spanId": span_id,
        "name": "POST",
        "kind": CLIENT,
        "startTimeUnixNano": nanos(attempt.at, 0),
        "endTimeUnixNano": nanos(attempt.at, attempt.latency_ms),
        "attributes": attributes(event, endpoint, attempt, server),
    });
    if *trace_id == trace.id {
        if let Some(span) = span.as_object_mut() {
            span.insert("flags".to_owned(), json!(trace.flags));
        }
        put(&mut span, "parentSpanId", Some(&trace.span));
        put(&mut span, "traceState", trace.state.as_deref());
    } else if let Some(span) = span.as_object_mut() {
        // It went with a batch, which belongs to the trace of its first event: the flags of that
        // trace are not known here.
        span.insert("links".to_owned(), json!([link(trace)]));
    }
    if let (Some(why), Some(span)) = (&attempt.error, span.as_object_mut()) {
        span.insert("status".to_owned(), json!({"code": ERROR, "message": why}));
    }
    Some(span)
}

fn link(trace: &Trace) -> Value {
    json!({"traceId": trace.id, "spanId": trace.span, "flags": trace.flags})
}

/// `url.full` is left out: what is behind the host can be a secret of the endpoint.
fn attributes(event: &Event, endpoint: &Id, attempt: &Attempt, server: &str) -> Vec<Value> {
    let mut all = vec![text("http.request.method", "POST")];
    if let Ok(url) = Url::parse(server) {
        all.extend(url.host_str().map(|it| text("server.address", it)));
        all.extend(url.port_or_known_default().map(|it| integer("server.port", it.into())));
        all.push(text("url.scheme", url.scheme()));
    }
    all.extend(attempt.status.map(|it| integer("http.response.status_code", it.into())));
    let status = attempt.status.map(|it| it.to_string());
    all.extend(attempt.error.as_ref().map(|it| text("error.type", status.as_ref().unwrap_or(it))));
    let resent = attempt.number.saturating_sub(1);
    all.extend((resent > 0).then(|| integer("http.request.resend_count", resent)));
    all.push(text("messaging.message.id", event.id.as_str()));
    all.push(text("backplane.endpoint", endpoint.as_str()));
    all
}

fn put(span: &mut Value, name: &str, value: Option<&str>) {
    if let (Some(value), Some(span)) = (value, span.as_object_mut()) {
        span.insert(name.to_owned(), json!(value));
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// Protobuf's mapping to JSON writes integers of 64 bits as strings.
fn integer(key: &str, value: u32) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// A moment and so many milliseconds later, in nanoseconds since 1970.
fn nanos(at: Timestamp, millis: i64) -> String {
    ((i128::from(at.0) + i128::from(millis)).max(0) * NANOS_PER_MILLI).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Headers;

    fn event() -> Event {
        let id = Id::trusted("evt_1".to_owned());
        let trace = Trace {
            parent: Some("b7ad6b7169203331".to_owned()),
            state: Some("a=1".to_owned()),
            ..Trace::of_event(&id)
        };
        let (kind, timestamp) = ("a.b".to_owned(), Timestamp(5));
        let (customer, version, channels, data) = (None, None, Vec::new(), json!({}));
        Event { id, kind, customer, channels, version, data, timestamp, trace }
    }

    fn attempt(number: u32, status: Option<u16>, trace: &str) -> (Id, Attempt) {
        let attempt = Attempt {
            number,
            at: Timestamp(1_893_456_000_001),
            latency_ms: 20,
            status,
            error: (status != Some(200)).then(|| "timeout".to_owned()),
            headers: Headers::default(),
            body: String::new(),
            body_cut: false,
            trace_id: Some(trace.to_owned()),
            span_id: Some("00f067aa0ba902b7".to_owned()),
            server: Some("https://a.example".to_owned()),
        };
        (Id::trusted("end_1".to_owned()), attempt)
    }

    #[test]
    fn the_spans_are_those_of_otlp_in_json() {
        let event = event();
        let (endpoint, unsent) = attempt(3, None, "");
        let attempts = [
            attempt(1, None, &event.trace.id),
            attempt(2, Some(200), "4bf92f3577b34da6a3ce929d0e0e4736"),
            (endpoint, Attempt { trace_id: None, span_id: None, server: None, ..unsent }),
            attempt(1, None, &event.trace.id),
        ];

        let document = document(&event, Timestamp(1_893_456_000_000), &attempts, true);

        let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(spans.as_array().unwrap().len(), 3, "{spans}");
        let published = &spans[0];
        assert_eq!(published["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(published["traceState"], "a=1");
        assert_eq!(published["startTimeUnixNano"], "1893456000000000000");
        let cut = json!({"key": "backplane.attempts.cut", "value": {"boolValue": true}});
        assert!(published["attributes"].as_array().unwrap().contains(&cut), "{published}");
        let failed = &spans[1];
        assert_eq!(failed["parentSpanId"], published["spanId"]);
        assert_eq!(failed["flags"], 1);
        assert_eq!(failed["startTimeUnixNano"], "1893456000001000000");
        assert_eq!(failed["endTimeUnixNano"], "1893456000021000000");
        assert_eq!(failed["status"], json!({"code": 2, "message": "timeout"}));
        let error = json!({"key": "error.type", "value": {"stringValue": "timeout"}});
        assert!(failed["attributes"].as_array().unwrap().contains(&error), "{failed}");
        let batched = &spans[2];
        assert_eq!(batched["links"], json!([link(&event.trace)]));
        assert_eq!((&batched["parentSpanId"], &batched["status"]), (&Value::Null, &Value::Null));
        for expected in [
            json!({"key": "server.port", "value": {"intValue": "443"}}),
            json!({"key": "http.response.status_code", "value": {"intValue": "200"}}),
            json!({"key": "http.request.resend_count", "value": {"intValue": "1"}}),
        ] {
            assert!(batched["attributes"].as_array().unwrap().contains(&expected), "{batched}");
        }
    }
}
