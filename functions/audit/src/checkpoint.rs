//! Checkpoints of a tenant's log: what its tree is, signed by the tenant's keys. Each goes on from
//! the one before it, or none is signed.

use std::time::Duration;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use serde_json::json;
use shared::{
    domain::{Commit, Failure, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, json as json_response, respond},
    log,
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
    signing::{self, Seed},
};
use utoipa::ToSchema;

use crate::{
    note::{Checkpoint, NoteKey},
    store, tiles,
    tree::Hash,
};

/// Makes the tiles that a long log is still without.
pub const TILE: &str = "audit.tiles";
/// What all names of logs begin with.
const NAME: &str = "backplane";

/// A checkpoint as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// As it was signed.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// A checkpoint that was signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogCheckpoint)]
pub struct Shown {
    /// How many entries.
    pub size: u64,
    /// The root over them, in hex.
    pub root: String,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub at: Timestamp,
}

/// The keys that sign checkpoints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogKeys)]
pub struct LogKeys {
    /// The log's name, which is that of its keys as well.
    pub log: String,
    /// As `name+hash+key`, the newest first: of those that sign, and of those that have.
    pub keys: Vec<String>,
}

/// What the tenant's log is called.
pub fn name(at: &impl Tenant) -> String {
    format!("{NAME}/{}", at.principal().tenant)
}

/// 500: what was signed before is not the beginning of what the log is now.
fn forked(size: u64) -> Problem {
    let kind = "/problems/log/forked";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, kind, "The log is not what it was")
        .detail(format!(
            "its first {size} entries are not those of the checkpoint that was signed then: nothing \
             is signed. Compare an export with an earlier one"
        ))
}

/// The latest checkpoint, of the log as it is now: signed, if none was yet.
///
/// # Errors
/// 503 while tiles are made of a log that is long, and 500 when the log was altered.
pub async fn latest(at: &impl Tenant) -> Result<(Kept, Commit), Problem> {
    let size = head(at).await?;
    let before = store::last_checkpoint(at).await?;
    if let Some(before) = before.as_ref().filter(|it| it.size > size) {
        return Err(forked(before.size));
    }
    ready(at, size).await?;
    if let Some(before) = &before {
        if tiles::root(at, before.size).await? != before.root {
            return Err(forked(before.size));
        }
        if before.size == size {
            return Ok((before.clone(), Commit::new()));
        }
    }
    signed(at, size).await
}

/// Makes what a log of this size is still without: at once, or where it is long by a job.
///
/// # Errors
/// 503 while the job is at it.
pub async fn ready(at: &impl Tenant, size: u64) -> Result<(), Problem> {
    let (made, more) = tiles::missing(at, size).await?;
    let commit = if more {
        let tenant = &at.principal().tenant;
        let job = NewJob::new(TILE, format!("{TILE}:{tenant}"), json!({"id": tenant}));
        made.job(job.sooner())
    } else {
        made
    };
    if !commit.is_empty() {
        at.commit(commit).await.map_err(|err| Problem::unavailable().caused_by(err))?;
    }
    match more {
        true => Err(Problem::unavailable().caused_by("tiles are made")),
        false => Ok(()),
    }
}

async fn signed(at: &impl Tenant, size: u64) -> Result<(Kept, Commit), Problem> {
    let root = tiles::root(at, size).await?;
    let (mut seeds, mut made) = (signing::seeds(at).await?, Commit::new());
    if seeds.is_empty() {
        let (_, seed, commit) = signing::Key::make(at).await?;
        seeds.push(seed);
        made = commit;
    }
    let checkpoint = Checkpoint { origin: name(at), size, root };
    let keys: Vec<_> = seeds.iter().map(|it: &Seed| SigningKey::from_bytes(&it.bytes)).collect();
    let note = checkpoint.signed(&checkpoint.origin, &keys);
    let note = note.ok_or_else(|| Problem::internal().caused_by("the log's name is no key's"))?;
    let kept = Kept { size, root, note, at: at.now() };
    let commit = made.and(store::insert_checkpoint(&kept)?);
    Ok((kept, commit))
}

/// How many entries the log has.
///
/// # Errors
/// When the database fails.
pub async fn head(at: &impl Tenant) -> Result<u64, PortError> {
    Ok(u64::try_from(log::head(at).await?).unwrap_or(0))
}

/// Answers with the latest checkpoint, as a signed note.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    let (kept, commit) = latest(at).await?;
    if !commit.is_empty() {
        at.commit(commit).await.map_err(|err| Problem::unavailable().caused_by(err))?;
    }
    Ok(respond(StatusCode::OK, "text/plain; charset=utf-8", kept.note))
}

/// Lists those that were signed, the latest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = match cursor {
        Some(it) => it.key().parse().map_err(|_| Problem::invalid().detail("no such cursor"))?,
        None => i64::MAX as u64,
    };
    let found = store::list_checkpoints(at, before, limit + 1).await?;
    let shown = |it: Kept| Shown {
        size: it.size,
        root: HEXLOWER.encode(&it.root),
        note: it.note,
        at: it.at,
    };
    let found = found.into_iter().map(shown).collect();
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it: &Shown| it.size.to_string())))
}

/// Answers with the keys by which checkpoints are checked.
pub async fn keys(at: &impl Tenant) -> Result<Response, Problem> {
    let log = name(at);
    let all = signing::list(at, Timestamp::default()).await?;
    let keys = all.iter().filter_map(|it| key(&log, &it.public)).map(|it| it.text()).collect();
    Ok(json_response(StatusCode::OK, &LogKeys { log, keys }))
}

/// A key of the tenant's as one of notes.
fn key(name: &str, public: &str) -> Option<NoteKey> {
    let bytes = public.strip_prefix(signing::PUBLIC_PREFIX)?;
    let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).ok()?;
    NoteKey::new(name, bytes.as_slice().try_into().ok()?)
}

/// Makes some of the tiles that the log is still without.
///
/// # Errors
/// No failure while there are more; else the database's.
pub async fn tile(at: &impl Tenant, _: &Job) -> Result<Commit, Failure> {
    match tiles::missing(at, head(at).await?).await? {
        (commit, true) => Err(Failure::postponed(Duration::ZERO, commit)),
        (commit, false) => Ok(commit),
    }
}
