//! What was refused: counted by source, reason and hour, with one sample of each.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Timestamp},
    http::{Request, Response, StatusCode, json as json_response},
    ports::{Admission, CommitError, Rate, Tenant},
    problem::Problem,
};
use utoipa::ToSchema;

use crate::{
    message::Headers,
    signature::Refusal,
    source::{self, Source},
    store,
};

/// How much of a refused body is kept as a sample.
pub const SAMPLE_BYTES_MAX: usize = 1024;
/// How many headers of a refused request are kept.
pub const SAMPLE_HEADERS_MAX: usize = 20;
/// How much of each header is kept, in characters.
pub const SAMPLE_HEADER_CHARS_MAX: usize = 200;
/// How many lines are listed.
pub const LIST_MAX: u32 = 200;
/// How long refusals are kept, in milliseconds: three days.
pub const KEPT_MS: i64 = 72 * HOUR_MS;

/// How many refusals of a source are counted: the rest is answered, and no more.
const COUNTED: Rate = Rate { limit: 60, period: Duration::from_secs(60) };
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Refusals of one source, for one reason, in one hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceError {
    /// The reason, as `bad-signature`.
    pub code: String,
    /// The reason in words, of the last one.
    pub detail: String,
    /// The hour, by its start.
    pub hour: Timestamp,
    /// How many there were; at most 60 a minute are counted.
    pub count: i64,
    /// When the last one came.
    pub last_at: Timestamp,
    /// The headers of the first one, shortened.
    #[schema(value_type = Vec<Vec<String>>)]
    pub sample_headers: Headers,
    /// The start of the first one's body, as far as it is text.
    pub sample_body: String,
}

/// The refusals of a source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceErrors {
    /// The newest hour first.
    pub items: Vec<SourceError>,
}

/// Counts a refusal, and gives the problem to answer with.
pub async fn count(
    at: &impl Tenant,
    source: &Source,
    refusal: &Refusal,
    request: &Request,
) -> Problem {
    let mut headers = Headers::of(request.headers()).without(source.recipe.secret_header());
    headers.0.truncate(SAMPLE_HEADERS_MAX);
    for (_, value) in &mut headers.0 {
        *value = value.chars().take(SAMPLE_HEADER_CHARS_MAX).collect();
    }
    let body: Vec<u8> = request.body().iter().take(SAMPLE_BYTES_MAX).copied().collect();
    let error = SourceError {
        code: refusal.code().to_owned(),
        detail: refusal.to_string(),
        hour: Timestamp(at.now().0.div_euclid(HOUR_MS) * HOUR_MS),
        count: 1,
        last_at: at.now(),
        sample_headers: headers,
        sample_body: String::from_utf8_lossy(&body).into_owned(),
    };
    let kept = Timestamp(at.now().0 - KEPT_MS);
    let problem = refused(refusal);
    match at.admit(&format!("refusals:{}", source.id), COUNTED).await {
        Ok(Admission::Admitted) => {}
        // A stranger who floods us does not get to write each time.
        Ok(Admission::Refused(_)) => return problem,
        Err(err) => return problem.caused_by(err),
    }
    let counted = store::count_refusal(&source.id, &error, &body, kept);
    match at.commit(counted.and(alert(at, source, refusal))).await {
        Ok(()) => problem,
        Err(CommitError::Conflict) => problem.caused_by("the refusal was not counted"),
        Err(CommitError::Port(err)) => problem.caused_by(err),
    }
}

/// Tells that webhooks of a source are refused, once an hour until one is accepted again.
fn alert(at: &impl Tenant, source: &Source, refusal: &Refusal) -> Commit {
    let hour = Duration::from_secs(60 * 60);
    if source.alerted_at.is_some_and(|it| at.now().since(it) < hour) {
        return Commit::new();
    }
    let data = json!({"code": refusal.code(), "detail": refusal.to_string()});
    store::alert_source(&source.id, Some(at.now()))
        .entry(Draft::new("source.refusing", &source.id).with(data))
}

/// Tells that a webhook of a source was accepted, after somebody was told that some were not.
pub fn recovered(source: &Source) -> Commit {
    match source.alerted_at {
        None => Commit::new(),
        Some(since) => store::alert_source(&source.id, None).entry(
            Draft::new("source.recovered", &source.id).with(json!({"refusing_since": since})),
        ),
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let status = match refusal {
        Refusal::WrongContentType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::KeyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let kind = "/problems/webhooks/refused";
    Problem::new(status, kind, "The webhook was refused").detail(refusal)
}

/// Lists the refusals of a source.
pub async fn list(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    source::find(at, id).await?;
    let items = store::list_refusals(at, id, LIST_MAX).await?;
    Ok(json_response(StatusCode::OK, &SourceErrors { items }))
}
