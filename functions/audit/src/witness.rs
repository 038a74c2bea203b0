//! Witnesses: addresses of the tenant's outside of this deployment, to which checkpoints are posted,
//! so that whoever alters the log cannot alter what was said of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp, WORD, is_word},
    http::{
        HeaderMap, HeaderValue, Method, Response, StatusCode, empty, etag, header,
        json as json_response, with_header,
    },
    outbound,
    ports::{HttpRequest, PortError, Tenant},
    problem::Problem,
    route::Call,
};
use url::Url;
use utoipa::ToSchema;

use crate::{checkpoint, store};

/// Posts the latest checkpoint to a witness.
pub const TELL: &str = "audit.witness";
/// How many witnesses a tenant has.
pub const WITNESSES_MAX: u32 = 10;
/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// How often one is told, in hours, at least and at most.
const EVERY_HOURS: std::ops::RangeInclusive<u32> = 1..=168;
/// How long it has for its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of that is read.
const ANSWER_BYTES_MAX: usize = 1024;

/// Who is told of checkpoints.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = LogWitness)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// The host of its address. The rest is a secret.
    pub host: String,
    /// How often it is told, in hours, if the log has grown.
    pub every_hours: u32,
    /// How many entries the log had when it was told last.
    pub size: u64,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// Why it was not told, if that failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its address, sealed.
    #[serde(skip)]
    pub sealed: String,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A witness to put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLogWitness)]
pub struct NewWitness {
    /// Where checkpoints are posted, as `text/plain`: an https address, or an http one. It is shown
    /// never again.
    pub url: String,
    /// How often, in hours: 1 to 168, 24 when left out.
    #[serde(default = "daily")]
    pub every_hours: u32,
}

fn daily() -> u32 {
    24
}

impl NewWitness {
    fn checked(&self) -> Result<Url, Problem> {
        if !EVERY_HOURS.contains(&self.every_hours) {
            let (least, most) = (EVERY_HOURS.start(), EVERY_HOURS.end());
            return Err(Problem::unfitting("every_hours", format!("{least} to {most}")));
        }
        let url = outbound::elsewhere(&self.url);
        url.filter(|_| self.url.len() <= URL_BYTES_MAX).ok_or_else(|| {
            Problem::unfitting("url", "an http or https address, without a password")
        })
    }
}

fn answer(status: StatusCode, it: &Witness) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Witness, Problem> {
    let found = store::find_witness(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    match call.if_match()?.is_some_and(|it| it != found.version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(found),
    }
}

/// Lists them, by name.
pub async fn list(at: &impl Tenant) -> Result<Response, Problem> {
    let items = store::list_witnesses(at, WITNESSES_MAX).await?;
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

/// Puts one, or replaces it. It is told at once.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let new = call.json::<NewWitness>()?;
    let url = new.checked()?;
    let before = store::find_witness(at, &name).await?;
    let version = before.as_ref().map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != version) {
        return Err(Problem::changed_meanwhile());
    }
    let full = store::list_witnesses(at, WITNESSES_MAX).await?.len() >= WITNESSES_MAX as usize;
    if before.is_none() && full {
        return Err(Problem::full_list(WITNESSES_MAX, "witnesses", "delete one"));
    }
    let it = Witness {
        name,
        host: url.host_str().unwrap_or_default().to_owned(),
        every_hours: new.every_hours,
        size: 0,
        told_at: None,
        why: None,
        sealed: at.seal(url.as_str().as_bytes()).await?,
        version: version.unwrap_or(0) + 1,
    };
    let entry = Draft::new("log_witness.put", &Id::trusted(it.name.clone()))
        .with(json!({"host": it.host, "version": it.version}));
    let commit = store::put_witness(&it)?.entry(entry).job(telling(&it, at.now()));
    at.answer(commit, answer(StatusCode::OK, &it), Problem::changed_meanwhile).await
}

/// Deletes one: it is told no more.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = find(at, call).await?;
    let entry = Draft::new("log_witness.deleted", &Id::trusted(found.name.clone()));
    let commit = store::delete_witness(&found).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// What tells it then. Each time is work of its own, with all its tries, and what was put anew is
/// told by what it was put with.
fn telling(it: &Witness, then: Timestamp) -> NewJob {
    let (name, version) = (&it.name, it.version);
    let body = json!({"id": name, "version": version});
    NewJob::new(TELL, format!("{TELL}:{name}:{version}:{}", then.0), body).at(then)
}

/// Posts the latest checkpoint, if the log has grown, and comes again when it is time.
///
/// # Errors
/// Why it was not taken, to be tried again.
pub async fn tell(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.subject()?;
    let version = job.body.get("version").and_then(Value::as_i64);
    let found = store::find_witness(at, name.as_str()).await?;
    let Some(witness) = found.filter(|it| Some(it.version) == version) else {
        return Ok(Commit::new());
    };
    let every = Duration::from_secs(u64::from(witness.every_hours) * 60 * 60);
    let next = Commit::new().job(telling(&witness, at.now() + every));
    let (kept, signed) = match checkpoint::latest(at).await {
        Ok(it) => it,
        Err(why) => return missed(&witness, why.words(), next, job),
    };
    if kept.size == witness.size {
        return Ok(signed.and(next));
    }
    match post(at, &witness, &kept.note).await? {
        Ok(()) => {
            let told_at = Some(at.now());
            let after = Witness { size: kept.size, told_at, why: None, ..witness };
            Ok(signed.and(store::keep_witness(&after)?).and(next))
        }
        Err(why) => missed(&witness, why, next, job).map(|it| signed.and(it)),
    }
}

/// Writes down that it was not told. When that was the last try, the log says so, and it is told
/// again in its time.
fn missed(witness: &Witness, why: String, next: Commit, job: &Job) -> Result<Commit, Failure> {
    let after = Witness { why: Some(why.clone()), ..witness.clone() };
    let kept = store::keep_witness(&after)?;
    if !job.is_last() {
        return Err(Failure::again(why).writing(kept));
    }
    let entry = Draft::new("log_witness.failed", &Id::trusted(witness.name.clone()))
        .with(json!({"host": witness.host, "why": why}));
    Ok(kept.entry(entry).and(next))
}

/// Posts the note. The inner error is why it was not taken.
async fn post(
    at: &impl Tenant,
    witness: &Witness,
    note: &str,
) -> Result<Result<(), String>, PortError> {
    let url = String::from_utf8(at.unseal(&witness.sealed).await?).unwrap_or_default();
    let Ok(url) = url.parse::<Url>() else { return Ok(Err("the address is none".to_owned())) };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: note.to_owned().into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    Ok(match at.fetch(request).await {
        Ok(it) if it.status.is_success() => Ok(()),
        Ok(it) => Err(format!("it answered {}", it.status.as_u16())),
        Err(err) => Err(err.to_string()),
    })
}
