//! Tenants, keys, members, addresses and clocks in SQL.

use shared::{
    domain::{Commit, Id, Phone, Scopes, Timestamp},
    ports::{self, PortError, Row, Value},
};

use crate::{
    address::{ADDRESSES_MAX, Address},
    clock::Hands,
    key::{
        KEYS_MAX, Key,
        customer::{self, Owner},
    },
    member::{MEMBERS_MAX, Member, Role},
    tenant::{State, Tenant},
};

const INSERT_TENANT: &str = "
    insert into tenants (tenant, id, name, state, sandbox, created_at_ms, erase_at_ms, version)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const FIND_TENANT: &str = "
    select id, name, state, sandbox, created_at_ms, erase_at_ms, version from tenants
    where tenant = ?1 and id = ?2";
const LIST_TENANTS: &str = "
    select id, name, state, sandbox, created_at_ms, erase_at_ms, version from tenants
    where tenant = ?1 and id > ?2 order by id limit ?3";
const UPDATE_TENANT: &str = "
    update tenants set name = ?3, state = ?4, erase_at_ms = ?5, version = ?6
    where tenant = ?1 and id = ?2 and version = ?7";

// Each of the lists below has its limit in the statement that adds to it: of two at once that both
// want the last place, the second changes no row, and its commit is a conflict.
const INSERT_KEY: &str = "
    insert into keys (tenant, id, name, prefix, hash, scopes, created_at_ms, expires_at_ms, replaces,
      customer, member, app, word)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11, ?12, ?13, ?14
    where (select count(*) from keys where tenant = ?1 and customer is not distinct from ?11
        and revoked_at_ms is null and (expires_at_ms is null or expires_at_ms > ?7)) < ?10
      and not exists (select 1 from keys where tenant = ?1 and hash = ?5)";
const COUNT_KEYS: &str = "
    select count(*) from keys
    where tenant = ?1 and customer is not distinct from ?2 and revoked_at_ms is null
      and (expires_at_ms is null or expires_at_ms > ?3)";
const HAS_HASH: &str = "select id from keys where tenant = ?1 and hash = ?2";
const FIND_KEY: &str = "
    select id, name, prefix, hash, scopes, created_at_ms, expires_at_ms, revoked_at_ms,
      last_used_at_ms, replaces, customer, member, app, word
    from keys where tenant = ?1 and id = ?2";
const LIST_KEYS: &str = "
    select id, name, prefix, hash, scopes, created_at_ms, expires_at_ms, revoked_at_ms,
      last_used_at_ms, replaces, customer, member, app, word
    from keys where tenant = ?1 and id > ?2 order by id limit ?3";
const LIST_KEYS_OF: &str = "
    select id, name, prefix, hash, scopes, created_at_ms, expires_at_ms, revoked_at_ms,
      last_used_at_ms, replaces, customer, member, app, word
    from keys where tenant = ?1 and customer = ?2 and id > ?3 order by id limit ?4";
const REVOKE_KEY: &str = "
    update keys set revoked_at_ms = ?3
    where tenant = ?1 and id = ?2 and revoked_at_ms is null";
const EXPIRE_KEY: &str = "
    update keys set expires_at_ms = ?3
    where tenant = ?1 and id = ?2 and revoked_at_ms is null";

const INSERT_MEMBER: &str = "
    insert into members
      (tenant, id, email, name, locale, zone, role, created_at_ms, version, phone)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11
    where (select count(*) from members where tenant = ?1) < ?10
    on conflict (tenant, email) do nothing";
const COUNT_MEMBERS: &str = "select count(*) from members where tenant = ?1";
const FIND_MEMBER: &str = "
    select id, email, name, locale, zone, role, created_at_ms, version, phone from members
    where tenant = ?1 and id = ?2";
const LIST_MEMBERS: &str = "
    select id, email, name, locale, zone, role, created_at_ms, version, phone from members
    where tenant = ?1 and id > ?2 order by id limit ?3";
const UPDATE_MEMBER: &str = "
    update members set name = ?3, locale = ?4, zone = ?5, role = ?6, version = ?7, phone = ?9
    where tenant = ?1 and id = ?2 and version = ?8";
const DELETE_MEMBER: &str = "delete from members where tenant = ?1 and id = ?2";

const INSERT_ADDRESS: &str = "
    insert into addresses (tenant, kind, name, created_at_ms)
    select ?1, ?2, ?3, ?4
    where (select count(*) from addresses where tenant = ?1 and kind = ?2) < ?5
    on conflict (tenant, kind, name) do nothing";
const COUNT_ADDRESSES: &str = "select count(*) from addresses where tenant = ?1 and kind = ?2";
const HAS_ADDRESS: &str = "
    select name from addresses where tenant = ?1 and kind = ?2 and name = ?3";
const LIST_ADDRESSES: &str = "
    select name, created_at_ms from addresses
    where tenant = ?1 and kind = ?2 and name > ?3 order by name limit ?4";
const DELETE_ADDRESS: &str = "
    delete from addresses where tenant = ?1 and kind = ?2 and name = ?3";

const FIND_CLOCK: &str = "select now_ms, target_ms from clocks where tenant = ?1";
// A clock that has moved since it was read stays where it is.
const PUT_CLOCK: &str = "
    insert into clocks (tenant, now_ms, target_ms) values (?1, ?3, ?4)
    on conflict (tenant) do update set now_ms = excluded.now_ms, target_ms = excluded.target_ms
      where clocks.now_ms = ?2";
const NEXT_DUE: &str = "
    select due_at_ms from jobs where tenant = ?1 and state = 'waiting' order by due_at_ms limit 1";

pub fn insert_tenant(it: &Tenant) -> Commit {
    let params: [Value; 7] = [
        (&it.id).into(),
        (&it.name).into(),
        it.state.as_str().into(),
        it.sandbox.into(),
        it.created_at.into(),
        it.erase_at.into(),
        it.version.into(),
    ];
    Commit::new().write_one(INSERT_TENANT, params)
}

pub async fn find_tenant(at: &impl ports::Tenant, id: &Id) -> Result<Option<Tenant>, PortError> {
    let rows = at.query(FIND_TENANT, [id.into()]).await?;
    rows.into_iter().next().map(read_tenant).transpose()
}

pub async fn list_tenants(
    at: &impl ports::Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Tenant>, PortError> {
    let rows = at.query(LIST_TENANTS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_tenant).collect()
}

/// Writes the tenant, unless it is no longer the version that was `read`.
pub fn update_tenant(it: &Tenant, read: i64) -> Commit {
    let params: [Value; 6] = [
        (&it.id).into(),
        (&it.name).into(),
        it.state.as_str().into(),
        it.erase_at.into(),
        it.version.into(),
        read.into(),
    ];
    Commit::new().write_one(UPDATE_TENANT, params)
}

fn read_tenant(row: Row) -> Result<Tenant, PortError> {
    let [id, name, state, sandbox, created_at, erase_at, version] = row.columns()?;
    Ok(Tenant {
        id: Id::trusted(id.text()?),
        name: name.text()?,
        state: State::parse(&state.text()?).ok_or_else(|| impossible("tenants.state"))?,
        sandbox: sandbox.integer()? == 1,
        created_at: created_at.timestamp()?,
        erase_at: erase_at.optional_timestamp()?,
        version: version.integer()?,
    })
}

pub fn insert_key(it: &Key) -> Commit {
    let scopes = serde_json::json!(it.scopes);
    let most = it.owner.as_ref().map_or(KEYS_MAX, |_| customer::KEYS_MAX);
    let owned = |field: fn(&Owner) -> Option<&str>| Value::from(it.owner.as_ref().and_then(field));
    let params: [Value; 13] = [
        (&it.id).into(),
        (&it.name).into(),
        (&it.prefix).into(),
        (&it.hash).into(),
        (&scopes).into(),
        it.created_at.into(),
        it.expires_at.into(),
        it.replaces.as_ref().map(Id::as_str).into(),
        most.into(),
        it.customer().into(),
        owned(|it| it.member.as_deref()),
        owned(|it| it.app.as_deref()),
        owned(|it| it.word.as_deref()),
    ];
    Commit::new().write_one(INSERT_KEY, params)
}

/// How many keys are in use: of a customer, or of the tenant itself.
pub async fn count_keys(
    at: &impl ports::Tenant,
    customer: Option<&str>,
    now: Timestamp,
) -> Result<i64, PortError> {
    counted(at.query(COUNT_KEYS, [customer.into(), now.into()]).await?)
}

/// Whether there is a key of this secret, also one that is over.
pub async fn has_hash(at: &impl ports::Tenant, hash: &str) -> Result<bool, PortError> {
    Ok(!at.query(HAS_HASH, [hash.into()]).await?.is_empty())
}

fn counted(rows: Vec<Row>) -> Result<i64, PortError> {
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

pub async fn find_key(at: &impl ports::Tenant, id: &Id) -> Result<Option<Key>, PortError> {
    let rows = at.query(FIND_KEY, [id.into()]).await?;
    rows.into_iter().next().map(read_key).transpose()
}

pub async fn list_keys(
    at: &impl ports::Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Key>, PortError> {
    let rows = at.query(LIST_KEYS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_key).collect()
}

pub async fn list_keys_of(
    at: &impl ports::Tenant,
    customer: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Key>, PortError> {
    let rows = at.query(LIST_KEYS_OF, [customer.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(read_key).collect()
}

pub fn revoke_key(it: &Key) -> Commit {
    Commit::new().write_one(REVOKE_KEY, [(&it.id).into(), it.revoked_at.into()])
}

pub fn expire_key(id: &Id, at: Timestamp) -> Commit {
    Commit::new().write_one(EXPIRE_KEY, [id.into(), at.into()])
}

fn read_key(row: Row) -> Result<Key, PortError> {
    let [
        id,
        name,
        prefix,
        hash,
        scopes,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
        replaces,
        customer,
        member,
        app,
        word,
    ] = row.columns()?;
    let (member, app) = (member.optional_text()?, app.optional_text()?);
    let word = word.optional_text()?;
    let owner = customer.optional_text()?;
    Ok(Key {
        id: Id::trusted(id.text()?),
        name: name.text()?,
        prefix: prefix.text()?,
        scopes: scopes.json::<Scopes>()?,
        created_at: created_at.timestamp()?,
        expires_at: expires_at.optional_timestamp()?,
        revoked_at: revoked_at.optional_timestamp()?,
        last_used_at: last_used_at.optional_timestamp()?,
        replaces: replaces.optional_text()?.map(Id::trusted),
        owner: owner.map(|customer| Owner { customer, member, app, word }),
        hash: hash.text()?,
    })
}

pub fn insert_member(it: &Member) -> Commit {
    let params: [Value; 10] = [
        (&it.id).into(),
        (&it.email).into(),
        (&it.name).into(),
        (&it.locale).into(),
        (&it.zone).into(),
        it.role.as_str().into(),
        it.created_at.into(),
        it.version.into(),
        MEMBERS_MAX.into(),
        it.phone.as_ref().map(Phone::as_str).into(),
    ];
    Commit::new().write_one(INSERT_MEMBER, params)
}

pub async fn count_members(at: &impl ports::Tenant) -> Result<i64, PortError> {
    counted(at.query(COUNT_MEMBERS, []).await?)
}

pub async fn find_member(at: &impl ports::Tenant, id: &Id) -> Result<Option<Member>, PortError> {
    let rows = at.query(FIND_MEMBER, [id.into()]).await?;
    rows.into_iter().next().map(read_member).transpose()
}

pub async fn list_members(
    at: &impl ports::Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Member>, PortError> {
    let rows = at.query(LIST_MEMBERS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_member).collect()
}

/// Writes the member, unless it is no longer the version that was `read`.
pub fn update_member(it: &Member, read: i64) -> Commit {
    let params: [Value; 8] = [
        (&it.id).into(),
        (&it.name).into(),
        (&it.locale).into(),
        (&it.zone).into(),
        it.role.as_str().into(),
        it.version.into(),
        read.into(),
        it.phone.as_ref().map(Phone::as_str).into(),
    ];
    Commit::new().write_one(UPDATE_MEMBER, params)
}

pub fn delete_member(id: &Id) -> Commit {
    Commit::new().write_one(DELETE_MEMBER, [id.into()])
}

fn read_member(row: Row) -> Result<Member, PortError> {
    let [id, email, name, locale, zone, role, created_at, version, phone] = row.columns()?;
    Ok(Member {
        id: Id::trusted(id.text()?),
        email: email.text()?,
        phone: phone.optional_text()?.and_then(|it| Phone::parse(&it).ok()),
        name: name.text()?,
        locale: locale.text()?,
        zone: zone.text()?,
        role: Role::parse(&role.text()?).ok_or_else(|| impossible("members.role"))?,
        created_at: created_at.timestamp()?,
        version: version.integer()?,
    })
}

pub fn insert_address(kind: &str, it: &Address) -> Commit {
    let params: [Value; 4] =
        [kind.into(), (&it.name).into(), it.created_at.into(), ADDRESSES_MAX.into()];
    Commit::new().write_one(INSERT_ADDRESS, params)
}

pub async fn count_addresses(at: &impl ports::Tenant, kind: &str) -> Result<i64, PortError> {
    counted(at.query(COUNT_ADDRESSES, [kind.into()]).await?)
}

pub async fn has_address(
    at: &impl ports::Tenant,
    kind: &str,
    name: &str,
) -> Result<bool, PortError> {
    Ok(!at.query(HAS_ADDRESS, [kind.into(), name.into()]).await?.is_empty())
}

pub async fn list_addresses(
    at: &impl ports::Tenant,
    kind: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Address>, PortError> {
    let rows = at.query(LIST_ADDRESSES, [kind.into(), after.into(), limit.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [name, created_at] = row.columns()?;
            Ok(Address { name: name.text()?, created_at: created_at.timestamp()? })
        })
        .collect()
}

pub fn delete_address(kind: &str, name: &str) -> Commit {
    Commit::new().write_one(DELETE_ADDRESS, [kind.into(), name.into()])
}

pub async fn find_clock(at: &impl ports::Tenant) -> Result<Option<Hands>, PortError> {
    let rows = at.query(FIND_CLOCK, []).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [now, target] = row.columns()?;
    Ok(Some(Hands { now: now.timestamp()?, target: target.timestamp()? }))
}

pub fn put_clock(read: Timestamp, now: Timestamp, target: Timestamp) -> Commit {
    Commit::new().write_one(PUT_CLOCK, [read.into(), now.into(), target.into()])
}

pub async fn next_due(at: &impl ports::Tenant) -> Result<Option<Timestamp>, PortError> {
    let rows = at.query(NEXT_DUE, []).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[due]| due.timestamp())).transpose()
}

fn impossible(what: &str) -> PortError {
    PortError::new("sql", format!("{what} holds a word that was never written"))
}
