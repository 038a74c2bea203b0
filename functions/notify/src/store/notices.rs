//! Notices in SQL.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{notice::Notice, translation::Told};

const FIND: &str = "
    select id, kind, key, about, url, urgent, data, created_at_ms, recipients, files,
      revised_at_ms, withdrawn_at_ms, revision, actor, expires_at_ms, mail
    from notify_notices
    where tenant = ?1 and id = ?2";
const FIND_BY_KEY: &str = "
    select id, kind, key, about, url, urgent, data, created_at_ms, recipients, files,
      revised_at_ms, withdrawn_at_ms, revision, actor, expires_at_ms, mail
    from notify_notices
    where tenant = ?1 and key = ?2";
const AMEND: &str = "
    update notify_notices set data = ?3, url = ?4, revised_at_ms = ?5, withdrawn_at_ms = ?6,
      revision = ?7
    where tenant = ?1 and id = ?2 and revision = ?7 - 1";
const SAME: &str = "
    update notify_notices set revision = revision where tenant = ?1 and id = ?2 and revision = ?3";
const TOLD: &str = "
    select n.id, n.kind, n.key, n.about, n.url, n.urgent, n.data, n.created_at_ms, n.recipients,
      n.files, n.revised_at_ms, n.withdrawn_at_ms, n.revision, n.actor, n.expires_at_ms,
      n.mail, d.contact
    from notify_notices n join notify_deliveries d
      on d.tenant = ?1 and d.notice = n.id and d.recipient = ?2 and d.channel = 'in_app'
    where n.tenant = ?1 and n.id in (select value from json_each(?3)) and d.batch is null";
const INSERT: &str = "
    insert into notify_notices (tenant, id, kind, key, about, url, urgent, data, created_at_ms,
      recipients, files, actor, expires_at_ms, mail)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) on conflict do nothing";

pub async fn find_notice(at: &impl Tenant, id: &Id) -> Result<Option<Notice>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn find_notice_by_key(at: &impl Tenant, key: &str) -> Result<Option<Notice>, PortError> {
    at.query(FIND_BY_KEY, [key.into()]).await?.into_iter().next().map(read).transpose()
}

/// Writes what it is now, if nobody else amended it meanwhile.
pub fn amend_notice(it: &Notice) -> Commit {
    let params: [Value; 6] = [
        (&it.id).into(),
        (&Json::Object(it.data.clone())).into(),
        it.url.clone().into(),
        it.revised_at.into(),
        it.withdrawn_at.into(),
        it.revision.into(),
    ];
    Commit::new().write_one(AMEND, params)
}

/// Writes nothing, and what is committed with it only if the notice is still what it was.
pub fn same_notice(it: &Notice) -> Commit {
    Commit::new().write_one(SAME, [Value::from(&it.id), it.revision.into()])
}

/// Those of these that the recipient was told of in the product, each by itself: by their ids.
pub async fn notices_told(
    at: &impl Tenant,
    recipient: &str,
    ids: &[&Id],
) -> Result<BTreeMap<String, Told>, PortError> {
    let rows = at.query(TOLD, [recipient.into(), (&json!(ids)).into()]).await?;
    let told = |mut row: Row| {
        let contact = row.0.pop().unwrap_or(Value::Null).optional_text()?;
        let contact = contact.as_deref().map(serde_json::from_str).transpose();
        let contact = contact.map_err(|it| PortError::new("sql", it))?;
        let notice = read(row)?;
        Ok((notice.id.to_string(), (notice, contact)))
    };
    rows.into_iter().map(told).collect()
}

/// Writes it, unless another has its key.
pub fn insert_notice(it: &Notice) -> Commit {
    let params: [Value; 13] = [
        (&it.id).into(),
        (&it.kind).into(),
        it.key.clone().into(),
        it.about.clone().into(),
        it.url.clone().into(),
        it.urgent.into(),
        (&Json::Object(it.data.clone())).into(),
        it.created_at.into(),
        it.recipients.into(),
        match it.files.is_empty() {
            true => Value::Null,
            false => (&json!(it.files)).into(),
        },
        it.actor.as_ref().map_or(Value::Null, |it| (&json!(it)).into()),
        it.expires_at.into(),
        it.mail.as_ref().map_or(Value::Null, |it| (&json!(it)).into()),
    ];
    Commit::new().write_one(INSERT, params)
}

pub(super) fn read(row: Row) -> Result<Notice, PortError> {
    let [
        id,
        kind,
        key,
        about,
        url,
        urgent,
        data,
        created_at,
        recipients,
        files,
        revised_at,
        withdrawn_at,
        revision,
        actor,
        expires_at,
        mail,
    ] = row.columns()?;
    Ok(Notice {
        id: Id::trusted(id.text()?),
        kind: kind.text()?,
        key: key.optional_text()?,
        about: about.optional_text()?,
        url: url.optional_text()?,
        urgent: urgent.integer()? != 0,
        data: data.json()?,
        created_at: created_at.timestamp()?,
        recipients: match recipients {
            Value::Null => None,
            it => Some(it.integer()?),
        },
        files: match files {
            Value::Null => Vec::new(),
            it => it.json()?,
        },
        revised_at: revised_at.optional_timestamp()?,
        withdrawn_at: withdrawn_at.optional_timestamp()?,
        revision: revision.integer()?,
        actor: match actor {
            Value::Null => None,
            it => Some(it.json()?),
        },
        expires_at: expires_at.optional_timestamp()?,
        mail: match mail {
            Value::Null => None,
            it => Some(it.json()?),
        },
    })
}
