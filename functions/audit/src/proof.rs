//! Proofs over a tenant's log: that an entry is in it, and that it goes on from what it was.

use data_encoding::HEXLOWER;
use serde::Serialize;
use shared::{
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    checkpoint::{self, head, ready},
    store, tiles, tree,
};

/// That an entry is in the log (RFC 9162, section 2.1.3).
#[derive(Debug, Serialize, ToSchema)]
pub struct InclusionProof {
    /// Which log it is.
    pub log: String,
    /// The entry's.
    pub sequence: u64,
    /// Its leaf hash, in hex. The entry's number among the leaves is one less than its sequence.
    pub leaf: String,
    /// How many entries the tree has.
    pub size: u64,
    /// Its root, in hex.
    pub root: String,
    /// The hashes on the way from the leaf to the root, in hex.
    pub proof: Vec<String>,
}

/// That the log goes on from what it was (RFC 9162, section 2.1.4).
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyProof {
    /// Which log it is.
    pub log: String,
    /// How many entries it had.
    pub from: u64,
    /// The root of then, in hex.
    pub from_root: String,
    /// How many entries it has.
    pub to: u64,
    /// The root of then, in hex.
    pub to_root: String,
    /// The proof, in hex.
    pub proof: Vec<String>,
}

/// A number of entries in the query, of a log that has as many, and whose tiles are made.
async fn sized(at: &impl Tenant, call: &Call, name: &str) -> Result<u64, Problem> {
    let head = head(at).await?;
    ready(at, head).await?;
    let Some(text) = call.query(name) else { return Ok(head) };
    let it = text.parse().ok().filter(|it| (1..=head).contains(it));
    it.ok_or_else(|| Problem::unfitting(name, format!("1 to {head}, which is how many there are")))
}

fn hex(all: &[tree::Hash]) -> Vec<String> {
    all.iter().map(|it| HEXLOWER.encode(it)).collect()
}

/// Proves that the entry with `sequence` is in the log of `size` entries, or of now.
pub async fn inclusion(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let size = sized(at, call, "size").await?;
    let sequence = match call.query("sequence") {
        None => Some(size),
        Some(it) => it.parse().ok(),
    };
    let sequence: u64 = sequence
        .filter(|it| (1..=size).contains(it))
        .ok_or_else(|| Problem::unfitting("sequence", format!("that of an entry: 1 to {size}")))?;
    let ranges = tree::inclusion(sequence - 1, size).ok_or_else(Problem::not_found)?;
    let leaf = store::leaves(at, sequence - 1, sequence).await?;
    let leaf = leaf.first().ok_or_else(Problem::not_found)?;
    let proof = InclusionProof {
        log: checkpoint::name(at),
        sequence,
        leaf: HEXLOWER.encode(leaf),
        size,
        root: HEXLOWER.encode(&tiles::root(at, size).await?),
        proof: hex(&tiles::hashes(at, &ranges).await?),
    };
    Ok(json_response(StatusCode::OK, &proof))
}

/// Proves that the log of `to` entries, or of now, goes on from that of `from`.
pub async fn consistency(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let to = sized(at, call, "to").await?;
    let from = call.query("from").map_or(Some(1), |it| it.parse().ok());
    let from: u64 = from
        .filter(|it| (1..=to).contains(it))
        .ok_or_else(|| Problem::unfitting("from", format!("how many entries it had: 1 to {to}")))?;
    let ranges = tree::consistency(from, to).ok_or_else(Problem::not_found)?;
    let proof = ConsistencyProof {
        log: checkpoint::name(at),
        from,
        from_root: HEXLOWER.encode(&tiles::root(at, from).await?),
        to,
        to_root: HEXLOWER.encode(&tiles::root(at, to).await?),
        proof: hex(&tiles::hashes(at, &ranges).await?),
    };
    Ok(json_response(StatusCode::OK, &proof))
}
