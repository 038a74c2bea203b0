//! The page: one HTML document without scripts, and the policy that it keeps.

use askama::Template;
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use super::{
    Error,
    content::{Address, Content},
};

const STYLE: &str = include_str!("../../templates/invoice.css");

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    it: &'a Content,
    style: &'static str,
    parties: [(&'static str, &'a Address); 2],
}

/// Writes the page.
pub fn write(content: &Content) -> Result<String, Error> {
    let (words, it) = (content.words, content);
    let parties = [(words.seller, &it.seller), (words.buyer, &it.buyer)];
    let page = Page { it, style: STYLE, parties };
    page.render().map_err(|err| Error::Template(err.to_string()))
}

/// The Content-Security-Policy for the page: its own style, told by its hash, and nothing else.
pub fn policy() -> String {
    let hash = BASE64.encode(&Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}
