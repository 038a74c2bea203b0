//! Notices in SQL.

use serde_json::{Value as Json, json};
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::notice::Notice;

const FIND: &str = "
    select id, kind, key, about, url, urgent, data, created_at_ms, recipients, files
    from notify_notices
    where tenant = ?1 and id = ?2";
const FIND_BY_KEY: &str = "
    select id, kind, key, about, url, urgent, data, created_at_ms, recipients, files
    from notify_notices
    where tenant = ?1 and key = ?2";
const INSERT: &str = "
    insert into notify_notices (tenant, id, kind, key, about, url, urgent, data, created_at_ms,
      recipients, files)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) on conflict do nothing";

pub async fn find_notice(at: &impl Tenant, id: &Id) -> Result<Option<Notice>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn find_notice_by_key(at: &impl Tenant, key: &str) -> Result<Option<Notice>, PortError> {
    at.query(FIND_BY_KEY, [key.into()]).await?.into_iter().next().map(read).transpose()
}

/// Writes it, unless another has its key.
pub fn insert_notice(it: &Notice) -> Commit {
    let params: [Value; 10] = [
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
    ];
    Commit::new().write_one(INSERT, params)
}

pub(super) fn read(row: Row) -> Result<Notice, PortError> {
    let [id, kind, key, about, url, urgent, data, created_at, recipients, files] = row.columns()?;
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
    })
}
