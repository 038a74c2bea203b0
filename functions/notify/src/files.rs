//! Files: what a mail carries beside its words.
//!
//! A notice names blobs that another function left to be handed on. They are read when the mail is
//! written, and again at each try: what has another hash by then is not sent, so that the same mail
//! is the same bytes.

#[cfg(test)]
mod tests;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    domain::sha256_hex,
    ports::{Blobs, HANDED_ON, PortError, Tenant},
};
use utoipa::ToSchema;

/// How many files a mail carries.
pub const FILES_MAX: usize = 10;
/// How many bytes all of them have. Postmark takes 10 MB with the words, as base64, and takes the
/// least of all providers.
pub const FILES_BYTES_MAX: u64 = 6 * 1024 * 1024;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 150;
/// The longest type, in bytes.
const KIND_BYTES_MAX: usize = 100;
/// The longest name of a blob, in bytes.
const BLOB_BYTES_MAX: usize = 300;

/// A file that a notice names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = NoticeFile)]
pub struct NamedFile {
    /// The blob that it is.
    pub blob: String,
    /// What a mail calls it, as `invoice.pdf`.
    pub name: String,
    /// Its media type, as `application/pdf`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The hash of its bytes, in hex; that of what is found when the mail is written, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A file as a mail carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// Its media type.
    pub kind: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why files are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What no other try mends.
    #[error("{0}")]
    Unfit(String),
    /// The blobs could not be read now.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The files that are named there: one, or a list.
///
/// # Errors
/// What is wrong with them, in a line.
pub fn named(found: &Value) -> Result<Vec<NamedFile>, String> {
    let all = match found {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    if all.len() > FILES_MAX {
        return Err(format!("a mail carries at most {FILES_MAX} files"));
    }
    all.into_iter().map(checked).collect()
}

fn checked(it: Value) -> Result<NamedFile, String> {
    let it: NamedFile = serde_json::from_value(it).map_err(|err| format!("a file: {err}"))?;
    if !it.blob.starts_with(HANDED_ON) || it.blob.len() > BLOB_BYTES_MAX {
        return Err(format!("a file: its blob is one whose name begins with {HANDED_ON}"));
    }
    let plain = |it: char| !it.is_control() && !matches!(it, '/' | '\\' | '"');
    if !(1..=NAME_CHARS_MAX).contains(&it.name.chars().count()) || !it.name.chars().all(plain) {
        return Err(format!("a file: its name has 1 to {NAME_CHARS_MAX} characters, and no path"));
    }
    if !is_kind(&it.kind) {
        return Err("a file: its type is one as application/pdf".to_owned());
    }
    Ok(it)
}

/// Two tokens with a slash between them, without parameters.
fn is_kind(text: &str) -> bool {
    let is_token = |it: &str| {
        let plain = |it: u8| it.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&it);
        !it.is_empty() && it.bytes().all(plain)
    };
    let parts = text.split_once('/');
    // What has parts of its own could end ours.
    text.len() <= KIND_BYTES_MAX
        && parts.is_some_and(|(kind, rest)| is_token(kind) && is_token(rest))
        && !["multipart/", "message/"].iter().any(|it| text.to_ascii_lowercase().starts_with(it))
}

/// Reads them all, and says of each which bytes it is from now on.
///
/// # Errors
/// When one is gone, is another by now, or all together are too large.
pub async fn read(at: &impl Tenant, files: &[NamedFile]) -> Result<Vec<(NamedFile, File)>, Error> {
    let (mut all, mut left) = (Vec::new(), FILES_BYTES_MAX);
    for it in files {
        let bytes = bytes(at, it, left).await?;
        left = left.saturating_sub(bytes.len() as u64);
        let sha256 = sha256_hex(&bytes);
        if it.sha256.as_ref().is_some_and(|it| *it != sha256) {
            return Err(Error::Unfit(format!("its file {} is another by now", it.name)));
        }
        let file = File { name: it.name.clone(), kind: it.kind.clone(), bytes };
        all.push((NamedFile { sha256: Some(sha256), ..it.clone() }, file));
    }
    Ok(all)
}

async fn bytes(at: &impl Tenant, it: &NamedFile, most: u64) -> Result<Vec<u8>, Error> {
    let blobs = at.blobs();
    let Some(mut blob) = blobs.get(&it.blob, None).await? else {
        return Err(Error::Unfit(format!("its file {} is gone", it.name)));
    };
    if blob.size > most {
        let why = format!("its files have more than {FILES_BYTES_MAX} bytes together");
        return Err(Error::Unfit(why));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = blob.chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}
