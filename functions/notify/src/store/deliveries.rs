//! Deliveries in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    channel::Channel,
    delivery::{Delivery, State},
};

const FIND: &str = "
    select id, notice, kind, recipient, contact, channel, state, because, why, due_at_ms, done_at_ms,
      provider, reference, fallback, heard, batch, within
    from notify_deliveries where tenant = ?1 and id = ?2";
// A notice has as many as its recipients times the channels, which are bounded.
const LIST: &str = "
    select id, notice, kind, recipient, contact, channel, state, because, why, due_at_ms, done_at_ms,
      provider, reference, fallback, heard, batch, within
    from notify_deliveries where tenant = ?1 and notice = ?2
    order by recipient, channel";
const PAGE: &str = "
    select id, notice, kind, recipient, contact, channel, state, because, why, due_at_ms, done_at_ms,
      provider, reference, fallback, heard, batch, within
    from notify_deliveries
    where tenant = ?1 and notice = ?2 and (?5 is null or recipient = ?5)
      and (recipient > ?3 or recipient = ?3 and channel > ?4)
    order by recipient, channel limit ?6";
const COUNT: &str = "
    select state, count(*) from notify_deliveries where tenant = ?1 and notice = ?2 group by state";
const SENT: &str = "
    select done_at_ms from notify_deliveries
    where tenant = ?1 and recipient = ?2 and kind = ?3 and channel = ?4 and state = 'sent'
      and done_at_ms > ?5 order by done_at_ms desc limit ?6";
const INSERT: &str = "
    insert into notify_deliveries (tenant, id, notice, kind, recipient, contact, channel, state,
      due_at_ms, fallback)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    on conflict (tenant, notice, recipient, channel) do nothing";
// What was cancelled meanwhile stays so: the commit is a conflict, and the next try sees it.
const UPDATE: &str = "
    update notify_deliveries
    set state = ?3, because = ?4, why = ?5, due_at_ms = ?6, done_at_ms = ?7, provider = ?8,
      reference = ?9, batch = ?10
    where tenant = ?1 and id = ?2 and state = 'waiting'";
const CANCEL: &str = "
    update notify_deliveries set state = 'cancelled', done_at_ms = ?3
    where tenant = ?1 and notice = ?2 and state = 'waiting'";

pub async fn find_delivery(at: &impl Tenant, id: &Id) -> Result<Option<Delivery>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn deliveries_of(at: &impl Tenant, notice: &Id) -> Result<Vec<Delivery>, PortError> {
    at.query(LIST, [notice.into()]).await?.into_iter().map(read).collect()
}

/// The deliveries of a notice after that to a recipient by a channel; of one recipient, if one is
/// named.
pub async fn page_of_deliveries(
    at: &impl Tenant,
    notice: &Id,
    after: (&str, &str),
    recipient: Option<&str>,
    limit: u32,
) -> Result<Vec<Delivery>, PortError> {
    let recipient = recipient.map(str::to_owned);
    let params: [Value; 5] =
        [notice.into(), after.0.into(), after.1.into(), recipient.into(), limit.into()];
    at.query(PAGE, params).await?.into_iter().map(read).collect()
}

/// How many deliveries of a notice are in each state.
pub async fn count_deliveries(
    at: &impl Tenant,
    notice: &Id,
) -> Result<Vec<(State, i64)>, PortError> {
    let rows = at.query(COUNT, [notice.into()]).await?;
    let counted = |row: Row| {
        let [state, count] = row.columns()?;
        let state = state.text()?;
        let unknown = || PortError::new("sql", format!("a delivery has the unknown word {state}"));
        Ok((State::parse(&state).ok_or_else(unknown)?, count.integer()?))
    };
    rows.into_iter().map(counted).collect()
}

/// When the latest of its type were sent to its recipient by its channel, after `since`.
pub async fn sent_since(
    at: &impl Tenant,
    it: &Delivery,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Timestamp>, PortError> {
    let channel = it.channel.word();
    let params: [Value; 5] =
        [(&it.recipient).into(), (&it.kind).into(), channel.into(), since.into(), limit.into()];
    let rows = at.query(SENT, params).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[it]| it.timestamp())).collect()
}

pub fn insert_delivery(it: &Delivery) -> Commit {
    Commit::new().write_one(INSERT, params(it))
}

/// Writes it, unless the notice has one to its recipient by its channel already.
pub fn offer_delivery(it: &Delivery) -> Commit {
    Commit::new().write(INSERT, params(it))
}

fn params(it: &Delivery) -> [Value; 9] {
    [
        (&it.id).into(),
        (&it.notice).into(),
        (&it.kind).into(),
        (&it.recipient).into(),
        it.contact.as_ref().map(|it| json!(it).to_string()).into(),
        it.channel.word().into(),
        it.state.word().into(),
        it.send_at.into(),
        it.fallback.into(),
    ]
}

/// Writes how far it is, if it still waits.
pub fn update_delivery(it: &Delivery) -> Commit {
    let params: [Value; 9] = [
        (&it.id).into(),
        it.state.word().into(),
        it.because.as_ref().map(|it| json!(it).to_string()).into(),
        it.why.clone().into(),
        it.send_at.into(),
        it.done_at.into(),
        it.provider.clone().into(),
        it.reference.clone().into(),
        it.batch.as_ref().map(ToString::to_string).into(),
    ];
    Commit::new().write_one(UPDATE, params)
}

/// Calls off what of the notice waits.
pub fn cancel_deliveries(notice: &Id, now: Timestamp) -> Commit {
    Commit::new().write(CANCEL, [notice.into(), now.into()])
}

pub(super) fn read(row: Row) -> Result<Delivery, PortError> {
    let [
        id,
        notice,
        kind,
        recipient,
        contact,
        channel,
        state,
        because,
        why,
        send_at,
        done_at,
        provider,
        reference,
        fallback,
        heard,
        batch,
        within,
    ] = row.columns()?;
    let (channel, state) = (channel.text()?, state.text()?);
    let unknown = |it: &str| PortError::new("sql", format!("a delivery has the unknown word {it}"));
    Ok(Delivery {
        id: Id::trusted(id.text()?),
        notice: Id::trusted(notice.text()?),
        kind: kind.text()?,
        recipient: recipient.text()?,
        contact: optional(contact)?,
        channel: Channel::parse(&channel).ok_or_else(|| unknown(&channel))?,
        state: State::parse(&state).ok_or_else(|| unknown(&state))?,
        because: optional(because)?,
        why: why.optional_text()?,
        send_at: send_at.timestamp()?,
        done_at: done_at.optional_timestamp()?,
        provider: provider.optional_text()?,
        reference: reference.optional_text()?,
        fallback: fallback.integer()? != 0,
        heard: heard.optional_text()?,
        batch: batch.optional_text()?.map(Id::trusted),
        within: within.optional_text()?.map(Id::trusted),
    })
}

fn optional<T: serde::de::DeserializeOwned>(value: Value) -> Result<Option<T>, PortError> {
    match value {
        Value::Null => Ok(None),
        it => it.json().map(Some),
    }
}
