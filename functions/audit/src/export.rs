//! Handing the log out with its proofs, as a bundle that is checked offline.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    http::{Body, Broken, Response, StatusCode, header, respond, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use crate::{
    bundle::{Head, Line},
    checkpoint, store, tiles, tree,
};

/// How many entries are read at once.
const PAGE: u64 = 200;

/// What is still to be written.
struct Rest<T> {
    tenant: T,
    after: u64,
    to: u64,
}

/// Streams the entries after `after`, up to and with `to`, or all there are, with what proves them.
/// That it was done is an entry as well, which is not among them.
pub async fn export(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (kept, commit) = checkpoint::latest(at).await?;
    let number = |name: &str, default: u64| match call.query(name) {
        None => Ok(default),
        Some(it) => it.parse().ok().filter(|it| *it <= kept.size).ok_or_else(|| {
            Problem::unfitting(name, format!("the sequence of an entry: 0 to {}", kept.size))
        }),
    };
    let (after, to) = (number("after", 0)?, number("to", kept.size)?);
    if to < after {
        return Err(Problem::unfitting("to", "not before after"));
    }
    let hex = |all: &[tree::Hash]| all.iter().map(|it| HEXLOWER.encode(it)).collect::<Vec<_>>();
    let edge: Vec<_> = tree::parts(0..after).iter().map(tree::Subtree::range).collect();
    let ranges = tree::consistency(to, kept.size).unwrap_or_default();
    let head = Head {
        log: checkpoint::name(at),
        after,
        to,
        edge: hex(&tiles::hashes(at, &edge).await?),
        consistency: hex(&tiles::hashes(at, &ranges).await?),
        checkpoint: kept.note,
    };
    let told = json!({"after": after, "to": to, "size": kept.size});
    let entry = Draft::new("log.exported", &Id::trusted(head.log.clone())).with(told);
    let done = at.commit(commit.and(Commit::new().entry(entry))).await;
    done.map_err(|err| Problem::unavailable().caused_by(err))?;
    Ok(streamed(at, &head))
}

fn streamed<T: Tenant>(at: &T, head: &Head) -> Response {
    let first = stream::iter([Ok(Bytes::from(format!("{}\n", json!(head))))]);
    let rest = Rest { tenant: at.clone(), after: head.after, to: head.to };
    let chunks = first.chain(stream::unfold(rest, |it| async { next(it).await }));
    let mut response = respond(StatusCode::OK, "application/jsonl", Bytes::new());
    *response.body_mut() = Body::Stream(Box::pin(chunks));
    let name = "attachment; filename=\"log.jsonl\"";
    with_header(response, header::CONTENT_DISPOSITION, name)
}

async fn next<T: Tenant>(rest: Rest<T>) -> Option<(Result<Bytes, Broken>, Rest<T>)> {
    if rest.after >= rest.to {
        return None;
    }
    let to = rest.to.min(rest.after + PAGE);
    let entries = match store::entries(&rest.tenant, rest.after, to).await {
        Ok(it) => it,
        // The reader finds that it was cut off.
        Err(err) => return Some((Err(Broken(err.to_string())), Rest { after: rest.to, ..rest })),
    };
    let line = |(sequence, entry): (i64, String)| {
        let sequence = u64::try_from(sequence).unwrap_or(0);
        format!("{}\n", json!(Line { sequence, entry }))
    };
    let text: String = entries.into_iter().map(line).collect();
    Some((Ok(text.into()), Rest { after: to, ..rest }))
}
