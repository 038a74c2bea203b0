//! The hashes of the log's tree, as they are looked up: of each 256 entries that follow each other
//! one hash is kept, of each 256 of these one again, and so on. What is between is computed, from
//! 256 at most.

use std::{collections::BTreeMap, ops::Range};

use shared::{
    domain::Commit,
    ports::{PortError, Tenant},
};

use crate::{
    store,
    tree::{self, Edge, Hash, Subtree},
};

/// How many levels of the tree are one of tiles.
const HEIGHT: u32 = 8;
/// How many hashes make one.
const WIDTH: u64 = 1 << HEIGHT;
/// As many levels of tiles as the longest log has.
const LEVELS_MAX: u32 = 8;
/// How many tiles are made in one commit.
const MADE_MAX: u64 = 64;

/// The hashes of these ranges of leaves, whose tiles are made.
///
/// # Errors
/// When the log has no such entries, or the database fails.
pub async fn hashes(at: &impl Tenant, ranges: &[Range<u64>]) -> Result<Vec<Hash>, PortError> {
    let mut all = Vec::new();
    for range in ranges {
        let mut parts = Vec::new();
        for part in tree::parts(range.clone()) {
            parts.push(subtree(at, part).await?);
        }
        all.push(tree::joined(&parts).unwrap_or_else(tree::empty));
    }
    Ok(all)
}

/// The root of the tree at this size.
///
/// # Errors
/// As [`hashes`].
pub async fn root(at: &impl Tenant, size: u64) -> Result<Hash, PortError> {
    let all = hashes(at, std::slice::from_ref(&(0..size))).await?;
    Ok(all.into_iter().next().unwrap_or_else(tree::empty))
}

async fn subtree(at: &impl Tenant, it: Subtree) -> Result<Hash, PortError> {
    let (level, above) = (it.level / HEIGHT, it.level % HEIGHT);
    let (from, to) = (it.number << above, (it.number + 1) << above);
    let found = match level {
        0 => store::leaves(at, from, to).await?,
        _ => store::tiles(at, level, from, to).await?,
    };
    let is_whole = u64::try_from(found.len()).is_ok_and(|it| it == to - from);
    let missing =
        || PortError::new("log", format!("{from} to {to} of level {level} are not there"));
    over(&found).filter(|_| is_whole).ok_or_else(missing)
}

/// The root over these.
fn over(hashes: &[Hash]) -> Option<Hash> {
    let mut edge = Edge::default();
    hashes.iter().for_each(|it| edge.push(*it));
    (edge.size() > 0).then(|| edge.root())
}

/// The tiles that are still to be made for a log of this size: some of them, and whether there are
/// more.
///
/// # Errors
/// When the database fails.
pub async fn missing(at: &impl Tenant, size: u64) -> Result<(Commit, bool), PortError> {
    let mut commit = Commit::new();
    let mut made: BTreeMap<(u32, u64), Hash> = BTreeMap::new();
    let mut left = MADE_MAX;
    for level in 1..=LEVELS_MAX {
        let whole = size >> (HEIGHT * level).min(63);
        if whole == 0 {
            break;
        }
        let known = store::count_tiles(at, level).await?;
        for number in known..whole {
            if left == 0 {
                return Ok((commit, true));
            }
            left -= 1;
            let hash = tile(at, level, number, &made).await?;
            commit = commit.and(store::insert_tile(level, number, &hash)?);
            made.insert((level, number), hash);
        }
    }
    Ok((commit, false))
}

async fn tile(
    at: &impl Tenant,
    level: u32,
    number: u64,
    made: &BTreeMap<(u32, u64), Hash>,
) -> Result<Hash, PortError> {
    let (from, to) = (number * WIDTH, (number + 1) * WIDTH);
    let mut found = match level {
        1 => store::leaves(at, from, to).await?,
        _ => store::tiles(at, level - 1, from, to).await?,
    };
    // What this commit makes is not in the database yet.
    found.extend(made.range((level - 1, from)..(level - 1, to)).map(|it| *it.1));
    let is_whole = u64::try_from(found.len()).is_ok_and(|it| it == WIDTH);
    let missing = || PortError::new("log", format!("{from} to {to} under {level} are not there"));
    over(&found).filter(|_| is_whole).ok_or_else(missing)
}
