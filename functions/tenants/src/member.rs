//! Members: the people in a tenant.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Phone, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

/// How many members a tenant has.
pub const MEMBERS_MAX: u32 = 1_000;
/// The longest e-mail address, in characters (RFC 5321, section 4.5.3.1).
pub const EMAIL_CHARS_MAX: usize = 254;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 120;

/// A person in a tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    /// `mem_…`
    pub id: Id,
    /// Where mail reaches them; unique in the tenant, in lower case.
    pub email: String,
    /// Where short messages reach them, as +4930123456.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<Phone>,
    /// What they are called.
    pub name: String,
    /// Their language, as a BCP 47 tag.
    pub locale: String,
    /// Their time zone, as the IANA names it.
    pub zone: String,
    /// What they are in the tenant.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
    /// Counts the changes; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What a member is in the tenant.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the contract.
    Owner,
    /// Looks after the tenant.
    Admin,
    /// Uses it.
    #[default]
    Member,
}

/// What a new member is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Where mail reaches them.
    pub email: String,
    /// Where short messages reach them: a plus sign, the country and the rest, as +4930123456.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub phone: Option<Phone>,
    /// What they are called.
    #[serde(default)]
    pub name: String,
    /// Their language, as a BCP 47 tag; `en` when left out.
    #[serde(default)]
    pub locale: Option<String>,
    /// Their time zone, as the IANA names it; `UTC` when left out.
    #[serde(default)]
    pub zone: Option<String>,
    /// What they are in the tenant; a member when left out.
    #[serde(default)]
    pub role: Role,
}

/// What can be changed; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// Where short messages reach them; nowhere when it is empty.
    #[serde(default)]
    pub phone: Option<String>,
    /// What they are called.
    #[serde(default)]
    pub name: Option<String>,
    /// Their language.
    #[serde(default)]
    pub locale: Option<String>,
    /// Their time zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// What they are in the tenant.
    #[serde(default)]
    pub role: Option<Role>,
}

impl Role {
    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Reads [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Member].into_iter().find(|it| it.as_str() == text)
    }
}

impl Member {
    /// The same member, when every field fits.
    fn checked(self) -> Result<Self, Problem> {
        if !is_email(&self.email) {
            return Err(Problem::unfitting("email", "write it as somebody@example.com"));
        }
        if self.name.chars().count() > NAME_CHARS_MAX || self.name.chars().any(char::is_control) {
            return Err(Problem::unfitting("name", format!("at most {NAME_CHARS_MAX} characters")));
        }
        if !is_tag(&self.locale, '-', 35) {
            return Err(Problem::unfitting("locale", "write a BCP 47 tag, as pt-BR"));
        }
        if !self.zone.split('/').all(|it| is_tag(it, '_', 40)) || self.zone.len() > 60 {
            return Err(Problem::unfitting("zone", "write an IANA name, as Europe/Berlin"));
        }
        Ok(self)
    }
}

/// Whether mail could go there: one `@`, something on both sides, a dot in the domain, no space.
/// Whether it arrives, only a mail can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = text.chars().all(|it| !it.is_whitespace() && !it.is_control());
    let dotted = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    plain && dotted && !local.is_empty() && !local.contains('@') && text.len() <= EMAIL_CHARS_MAX
}

fn is_tag(text: &str, mark: char, chars_max: usize) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == mark || it == '+' || it == '-';
    !text.is_empty() && text.len() <= chars_max && text.chars().all(fits)
}

fn answer(status: StatusCode, member: &Member) -> Response {
    with_header(json_response(status, member), header::ETAG, &etag(member.version))
}

fn taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/members/taken",
        "A member with this e-mail address is there already",
    )
    .detail("change that member instead")
}

/// Adds a member.
pub async fn create(at: &impl ports::Tenant, new: NewMember) -> Result<Response, Problem> {
    let member = Member {
        id: at.new_id("mem")?,
        email: new.email.trim().to_lowercase(),
        phone: new.phone,
        name: new.name.trim().to_owned(),
        locale: new.locale.unwrap_or_else(|| "en".to_owned()),
        zone: new.zone.unwrap_or_else(|| "UTC".to_owned()),
        role: new.role,
        created_at: at.now(),
        version: 1,
    }
    .checked()?;
    let commit = store::insert_member(&member)
        .entry(Draft::new("member.created", &member.id).with(json!({"role": member.role})));
    let answer = at.answer(commit, answer(StatusCode::CREATED, &member), taken).await;
    if answer.is_err() && store::count_members(at).await? >= MEMBERS_MAX.into() {
        return Err(Problem::full_list(MEMBERS_MAX, "members", "delete one who has left"));
    }
    answer
}

/// Lists the members, oldest first.
pub async fn list(at: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let members = store::list_members(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(members, limit, |it| it.id.to_string())))
}

async fn find(at: &impl ports::Tenant, id: &Id) -> Result<Member, Problem> {
    store::find_member(at, id).await?.ok_or_else(Problem::not_found)
}

/// Reads one.
pub async fn get(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    find(at, id).await.map(|it| answer(StatusCode::OK, &it))
}

/// Changes one.
pub async fn update(at: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
    let member = find(at, &call.id("mem")?).await?;
    let change: MemberChange = call.json()?;
    let read = member.version;
    if call.if_match()?.is_some_and(|it| it != read) {
        return Err(Problem::changed_meanwhile());
    }
    let phone = match change.phone.as_deref() {
        None => member.phone,
        Some("") => None,
        Some(it) => Some(Phone::parse(it).map_err(|err| Problem::unfitting("phone", err))?),
    };
    let changed = Member {
        phone,
        name: change.name.map_or(member.name, |it| it.trim().to_owned()),
        locale: change.locale.unwrap_or(member.locale),
        zone: change.zone.unwrap_or(member.zone),
        role: change.role.unwrap_or(member.role),
        version: read + 1,
        ..member
    }
    .checked()?;
    let commit = store::update_member(&changed, read)
        .entry(Draft::new("member.updated", &changed.id).with(json!({"role": changed.role})));
    at.answer(commit, answer(StatusCode::OK, &changed), Problem::changed_meanwhile).await
}

/// Removes one.
pub async fn delete(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    find(at, id).await?;
    let commit = store::delete_member(id).entry(Draft::new("member.deleted", id));
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn an_address_has_two_sides() {
        assert!(is_email("ada@example.com") && is_email("a+b@sub.example.org"));
        for bad in ["", "@", "a@", "@b.c", "a@b", "a b@c.d", "a@b@c.d", "a@.d", "a@b."] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
