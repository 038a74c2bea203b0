//! The rules of the words in a recipe: names, labels, pointers and addresses.

use http::HeaderName;
use shared::hosts::{example, has_whole_region};
use url::Url;

use super::Error;

const HEADER_CHARS_MAX: usize = 64;
const LABEL_CHARS_MAX: usize = 32;
const POINTER_CHARS_MAX: usize = 256;
const QUERY_CHARS_MAX: usize = 64;
const URL_CHARS_MAX: usize = 256;

pub(super) fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), Error> {
    match (1..=max).contains(&text.chars().count()) && !text.contains(char::is_control) {
        true => Ok(()),
        false => Err(Error::BadText { field, max }),
    }
}

pub(super) fn check_header(name: &str) -> Result<(), Error> {
    match name.len() <= HEADER_CHARS_MAX && HeaderName::from_bytes(name.as_bytes()).is_ok() {
        true => Ok(()),
        false => Err(Error::BadHeader(name.to_owned())),
    }
}

/// Text in front of a signature or a secret, which may end in `=`, `,` or, as `Bearer `, in a
/// space.
pub(super) fn check_prefix(prefix: &str) -> Result<(), Error> {
    let is_printable = prefix.bytes().all(|it| it.is_ascii_graphic() || it == b' ');
    let is_short = (1..=LABEL_CHARS_MAX).contains(&prefix.len());
    match is_short && is_printable && !prefix.starts_with(' ') {
        true => Ok(()),
        false => Err(Error::BadLabel(prefix.to_owned())),
    }
}

pub(super) fn check_label(label: &str) -> Result<(), Error> {
    check_prefix(label)?;
    match label.contains([',', ';', '&', '=', ' ']) {
        true => Err(Error::BadLabel(label.to_owned())),
        false => Ok(()),
    }
}

/// RFC 6901, section 3: every token starts with `/`, and `~` is followed by `0` or `1`.
pub(super) fn check_pointer(pointer: &str) -> Result<(), Error> {
    let has_good_escapes =
        pointer.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
    let is_short = pointer.len() <= POINTER_CHARS_MAX;
    match pointer.starts_with('/') && is_short && has_good_escapes {
        true => Ok(()),
        false => Err(Error::BadPointer(pointer.to_owned())),
    }
}

pub(super) fn check_query(name: &str) -> Result<(), Error> {
    let is_plain = name.bytes().all(|it| it.is_ascii_alphanumeric() || b".-_".contains(&it));
    match (1..=QUERY_CHARS_MAX).contains(&name.len()) && is_plain {
        true => Ok(()),
        false => Err(Error::BadQuery(name.to_owned())),
    }
}

/// Whether this is the name of a host on the internet, as a URL has it.
pub(super) fn check_host(host: &str) -> bool {
    let parsed = Url::parse(&format!("https://{host}/")).ok();
    let is_same = parsed.as_ref().and_then(Url::domain) == Some(host);
    let is_plain = host.bytes().all(|it| it.is_ascii_alphanumeric() || b".-".contains(&it));
    is_same && is_plain && host.contains('.') && host.len() <= URL_CHARS_MAX
}

/// Whether these are one to `max` hosts, in which a label that is `*` stands for a region.
pub(super) fn check_hosts(hosts: &[String], max: usize) -> bool {
    let is_host = |it: &String| {
        let is_whole = !it.contains('*') || has_whole_region(it);
        is_whole && example(it).is_some_and(|it| check_host(&it))
    };
    (1..=max).contains(&hosts.len()) && hosts.iter().all(is_host)
}

pub(super) fn check_public_url(text: &str) -> Result<(), Error> {
    let url = Url::parse(text).map_err(|_| Error::BadPublicUrl)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    // What the provider signs is letter for letter what it was given, so nothing is put in order
    // for whoever writes it in another way.
    let is_plain = text.bytes().all(|it| it.is_ascii_graphic())
        && !text.ends_with('/')
        && url.as_str().trim_end_matches('/') == text;
    match is_web && is_bare && is_plain && text.len() <= URL_CHARS_MAX {
        true => Ok(()),
        false => Err(Error::BadPublicUrl),
    }
}
