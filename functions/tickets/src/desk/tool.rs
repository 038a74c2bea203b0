//! Tools: what a tenant keeps by name to handle tickets with. Teams, macros and forms are some.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Page, WORD, is_word},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use crate::store;

/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;

/// What a tenant keeps by name.
pub trait Tool: Serialize + DeserializeOwned {
    /// What it is, in a word.
    const KIND: &'static str;
    /// What the log says when it is put, and when it is deleted.
    const TOLD: [&'static str; 2];
    /// How many there are at most.
    const MAX: u32;
    /// What many of them are called.
    const MANY: &'static str;

    /// Its name, and the count of its changes.
    fn label(&self) -> (&str, i64);

    /// The same by this name, with this count of changes.
    fn labelled(self, name: String, version: i64) -> Self;

    /// The same, if all of it fits.
    ///
    /// # Errors
    /// 422 with the field that does not.
    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem>;
}

/// The one that a call names.
///
/// # Errors
/// 404 when there is none.
pub async fn named<T: Tool>(at: &impl Tenant, name: &str) -> Result<T, Problem> {
    store::find_tool(at, name).await?.ok_or_else(Problem::not_found)
}

/// Lists them, by name.
pub async fn list<T: Tool>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_tools::<T>(at, after, limit + 1).await?;
    let key = |it: &T| it.label().0.to_owned();
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}

/// Reads one.
pub async fn get<T: Tool>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&named::<T>(at, call.param()).await?))
}

fn answer<T: Tool>(it: &T) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.label().1))
}

/// Puts one, or replaces it.
pub async fn put<T: Tool>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (it, commit) = putting::<T>(at, call, Ok).await?;
    at.answer(commit, answer(&it), Problem::changed_meanwhile).await
}

/// What is put, once `made` has completed it, and what that writes.
///
/// # Errors
/// 409 when there are too many, 412 when it was changed meanwhile, 422 when it does not fit.
pub async fn putting<T: Tool>(
    at: &impl Tenant,
    call: &Call,
    made: impl FnOnce(T) -> Result<T, Problem>,
) -> Result<(T, Commit), Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let text = call.json::<T>()?;
    if !text.label().0.is_empty() && text.label().0 != name {
        return Err(Problem::unfitting("name", "the one in the path, or left out"));
    }
    let text = text.checked(at).await?;
    let before = store::find_tool::<T>(at, &name).await?.map(|it| it.label().1);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    let full = || Problem::full_list(T::MAX, T::MANY, "delete one that is not used");
    if before.is_none() {
        let count = store::list_tools::<T>(at, "", T::MAX).await?.len();
        if count >= usize::try_from(T::MAX).unwrap_or(usize::MAX) {
            return Err(full());
        }
    }
    let it = made(text)?.labelled(name, before.map_or(1, |it| it + 1));
    let commit = store::put_tool(&it).entry(told(&it, T::TOLD[0]));
    Ok((it, commit))
}

fn told<T: Tool>(it: &T, what: &'static str) -> Draft {
    let (name, version) = it.label();
    Draft::new(what, &Id::trusted(name.to_owned())).with(json!({"version": version}))
}

/// Deletes one. Tickets that it was used for stay as they are.
pub async fn delete<T: Tool>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let commit = deleting::<T>(at, call).await?.1;
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// What is deleted, and what that writes.
///
/// # Errors
/// 404 when there is none, 412 when it was changed meanwhile.
pub async fn deleting<T: Tool>(at: &impl Tenant, call: &Call) -> Result<(T, Commit), Problem> {
    let found = named::<T>(at, call.param()).await?;
    if call.if_match()?.is_some_and(|it| it != found.label().1) {
        return Err(Problem::changed_meanwhile());
    }
    let commit = store::delete_tool(&found).entry(told(&found, T::TOLD[1]));
    Ok((found, commit))
}

/// A title: a line, or nothing.
///
/// # Errors
/// 422 when it is none.
pub fn title(path: &str, text: &str) -> Result<(), Problem> {
    let fits = text.chars().count() <= TITLE_CHARS_MAX && !text.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => {
            Err(Problem::unfitting(path, format!("a line of up to {TITLE_CHARS_MAX} characters")))
        }
    }
}
