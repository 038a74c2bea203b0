//! What is kept of the log's tree, in SQL.

use data_encoding::HEXLOWER;
use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{checkpoint::Kept, tree::Hash, witness::Witness};

const LEAVES: &str = "
    select leaf from log where tenant = ?1 and sequence > ?2 and sequence <= ?3 order by sequence";
const ENTRIES: &str = "
    select sequence, entry from log where tenant = ?1 and sequence > ?2 and sequence <= ?3
    order by sequence";
const TILES: &str = "
    select hash from audit_tiles where tenant = ?1 and level = ?2 and number >= ?3 and number < ?4
    order by number";
const LAST_TILE: &str = "
    select coalesce(max(number) + 1, 0) from audit_tiles where tenant = ?1 and level = ?2";
// The same tile is the same hash, whoever was faster.
const INSERT_TILE: &str = "
    insert into audit_tiles (tenant, level, number, hash) values (?1, ?2, ?3, ?4)
    on conflict do nothing";
const INSERT_CHECKPOINT: &str = "
    insert into audit_checkpoints (tenant, size, root, note, at_ms) values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, size) do nothing";
const LAST_CHECKPOINT: &str = "
    select size, root, note, at_ms from audit_checkpoints where tenant = ?1
    order by size desc limit 1";
const CHECKPOINTS: &str = "
    select size, root, note, at_ms from audit_checkpoints where tenant = ?1 and size < ?2
    order by size desc limit ?3";

const FIND_WITNESS: &str = "
    select witness, sealed, version from audit_witnesses where tenant = ?1 and name = ?2";
const LIST_WITNESSES: &str = "
    select witness, sealed, version from audit_witnesses where tenant = ?1 order by name limit ?2";
const INSERT_WITNESS: &str = "
    insert into audit_witnesses (tenant, name, witness, sealed, size, version)
    values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing";
const UPDATE_WITNESS: &str = "
    update audit_witnesses set witness = ?3, sealed = ?4, size = ?5, version = ?6
    where tenant = ?1 and name = ?2 and version = ?6 - 1";
const KEEP_WITNESS: &str = "
    update audit_witnesses set witness = ?3, size = ?4
    where tenant = ?1 and name = ?2 and version = ?5";
const DELETE_WITNESS: &str = "
    delete from audit_witnesses where tenant = ?1 and name = ?2 and version = ?3";

/// The hashes of the entries after `after`, up to and with `to`.
pub async fn leaves(at: &impl Tenant, after: u64, to: u64) -> Result<Vec<Hash>, PortError> {
    let params = [number(after)?, number(to)?];
    at.query(LEAVES, params).await?.into_iter().map(hash).collect()
}

/// The canonical texts of the same entries, each with its sequence.
pub async fn entries(
    at: &impl Tenant,
    after: u64,
    to: u64,
) -> Result<Vec<(i64, String)>, PortError> {
    let rows = at.query(ENTRIES, [number(after)?, number(to)?]).await?;
    let read = |[sequence, entry]: [Value; 2]| Ok((sequence.integer()?, entry.text()?));
    rows.into_iter().map(|row| row.columns().and_then(read)).collect()
}

/// The hashes of some tiles of a level that follow each other.
pub async fn tiles(
    at: &impl Tenant,
    level: u32,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, PortError> {
    let params = [level.into(), number(from)?, number(to)?];
    at.query(TILES, params).await?.into_iter().map(hash).collect()
}

/// How many tiles of a level there are.
pub async fn count_tiles(at: &impl Tenant, level: u32) -> Result<u64, PortError> {
    let Some(row) = at.query(LAST_TILE, [level.into()]).await?.into_iter().next() else {
        return Ok(0);
    };
    let [count] = row.columns()?;
    Ok(u64::try_from(count.integer()?).unwrap_or(0))
}

pub fn insert_tile(level: u32, tile: u64, hash: &Hash) -> Result<Commit, PortError> {
    let hash = HEXLOWER.encode(hash);
    let params: [Value; 3] = [level.into(), number(tile)?, hash.into()];
    Ok(Commit::new().write(INSERT_TILE, params))
}

pub fn insert_checkpoint(it: &Kept) -> Result<Commit, PortError> {
    let root = HEXLOWER.encode(&it.root);
    let params: [Value; 4] = [number(it.size)?, root.into(), it.note.as_str().into(), it.at.into()];
    Ok(Commit::new().write(INSERT_CHECKPOINT, params))
}

pub async fn last_checkpoint(at: &impl Tenant) -> Result<Option<Kept>, PortError> {
    at.query(LAST_CHECKPOINT, []).await?.into_iter().next().map(kept).transpose()
}

/// Those of less than this size, the largest first.
pub async fn list_checkpoints(
    at: &impl Tenant,
    before: u64,
    limit: u32,
) -> Result<Vec<Kept>, PortError> {
    let params = [number(before)?, limit.into()];
    at.query(CHECKPOINTS, params).await?.into_iter().map(kept).collect()
}

fn kept(row: Row) -> Result<Kept, PortError> {
    let [size, root, note, at] = row.columns()?;
    let (size, at): (i64, Timestamp) = (size.integer()?, at.timestamp()?);
    let root = parse(&root.text()?)?;
    Ok(Kept { size: u64::try_from(size).unwrap_or(0), root, note: note.text()?, at })
}

fn hash(row: Row) -> Result<Hash, PortError> {
    let [hash] = row.columns()?;
    parse(&hash.text()?)
}

fn parse(text: &str) -> Result<Hash, PortError> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|it| it.try_into().ok());
    bytes.ok_or_else(|| PortError::new("log", "a hash in the database is none"))
}

fn number(it: u64) -> Result<Value, PortError> {
    let it = i64::try_from(it).map_err(|_| PortError::new("log", "no log is that long"))?;
    Ok(it.into())
}

pub async fn find_witness(at: &impl Tenant, name: &str) -> Result<Option<Witness>, PortError> {
    at.query(FIND_WITNESS, [name.into()]).await?.into_iter().next().map(witness).transpose()
}

pub async fn list_witnesses(at: &impl Tenant, limit: u32) -> Result<Vec<Witness>, PortError> {
    at.query(LIST_WITNESSES, [limit.into()]).await?.into_iter().map(witness).collect()
}

/// Writes it, unless what is there is no longer the version before this.
pub fn put_witness(it: &Witness) -> Result<Commit, PortError> {
    let params: [Value; 5] = [
        it.name.as_str().into(),
        (&json!(it)).into(),
        it.sealed.as_str().into(),
        number(it.size)?,
        it.version.into(),
    ];
    let text = if it.version == 1 { INSERT_WITNESS } else { UPDATE_WITNESS };
    Ok(Commit::new().write_one(text, params))
}

/// Writes how far it was told. One that was put anew since is left as it is.
pub fn keep_witness(it: &Witness) -> Result<Commit, PortError> {
    let params: [Value; 4] =
        [it.name.as_str().into(), (&json!(it)).into(), number(it.size)?, it.version.into()];
    Ok(Commit::new().write(KEEP_WITNESS, params))
}

pub fn delete_witness(it: &Witness) -> Commit {
    Commit::new().write_one(DELETE_WITNESS, [Value::from(it.name.as_str()), it.version.into()])
}

fn witness(row: Row) -> Result<Witness, PortError> {
    let [witness, sealed, version] = row.columns()?;
    let (sealed, version) = (sealed.text()?, version.integer()?);
    Ok(Witness { sealed, version, ..witness.json()? })
}
