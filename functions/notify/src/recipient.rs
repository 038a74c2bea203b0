//! Recipients: members of the tenant, and contacts outside.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared::{
    domain::{Address, Id, Phone, WORD, Zone, is_word},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    hook,
    language::{TAG, is_tag},
    mail::Mailbox,
    store,
};

/// How many roles, and how many languages, a query of members names.
const QUERY_WORDS_MAX: usize = 20;

/// Who is to hear of something.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeRecipient)]
pub enum NewRecipient {
    /// A member, by id.
    Member(String),
    /// Somebody outside.
    Contact(Contact),
    /// All subscribers of a topic.
    Topic(String),
    /// All members of whom this holds when they are reached.
    Members(MemberQuery),
    /// A hook, by its name.
    Hook(String),
}

/// Which members. All of them when nothing is said.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NoticeMemberQuery)]
pub struct MemberQuery {
    /// Those who have one of these roles, as `admin`: up to 20.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// Those who read one of these languages, as `de`, which `de-AT` is as well: up to 20.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub languages: BTreeSet<String>,
}

impl MemberQuery {
    /// Whether it can be asked.
    ///
    /// # Errors
    /// The 422 of what is no role or no language. `path` is where it was named.
    pub fn check(&self, path: &str) -> Result<(), Problem> {
        let lists = [
            ("roles", &self.roles, WORD, is_word as fn(&str) -> bool),
            ("languages", &self.languages, TAG, is_tag),
        ];
        for (name, list, what, fits) in lists {
            let path = format!("{path}.{name}");
            if list.len() > QUERY_WORDS_MAX {
                return Err(Problem::unfitting(&path, format!("at most {QUERY_WORDS_MAX}")));
            }
            if !list.iter().all(|it| fits(it)) {
                return Err(Problem::unfitting(&path, what));
            }
        }
        Ok(())
    }
}

/// Somebody outside of the tenant, who is known by the address, or else by the number.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(as = NoticeContact)]
pub struct Contact {
    /// Where mail reaches them. One of this and `phone` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Address>,
    /// Where short messages reach them, as +4930123456.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<Phone>,
    /// What they are called.
    #[serde(default)]
    pub name: String,
    /// Their IANA time zone; UTC when left out.
    #[serde(default)]
    #[schema(value_type = String)]
    pub zone: Zone,
    /// Their language, as `de`: templates are given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl Contact {
    /// Somebody of whom nothing is known but the address.
    pub fn at(email: Address) -> Self {
        let (email, phone) = (Some(email), None);
        Self { email, phone, name: String::new(), zone: Zone::default(), locale: None }
    }

    /// What they are known by: the address in lower case, else the number.
    pub fn key(&self) -> String {
        let phone = || self.phone.as_ref().map(Phone::to_string).unwrap_or_default();
        self.email.as_ref().map_or_else(phone, Address::key)
    }
}

impl<'de> Deserialize<'de> for Contact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let it = Self::deserialize(deserializer)?;
        match it.email.is_some() || it.phone.is_some() {
            true => Ok(it),
            false => Err(de::Error::custom("a contact has an email or a phone")),
        }
    }
}

impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Somebody who can be told something.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// What preferences and the inbox know them by: the id of a member, the address in lower case,
    /// or the number.
    pub key: String,
    /// What is kept of a contact; `None` of a member, who is read again when it is sent.
    pub contact: Option<Contact>,
    /// Where mail reaches them, if the address is one.
    pub mailbox: Option<Mailbox>,
    /// Where short messages reach them.
    pub phone: Option<Phone>,
    /// What they are called.
    pub name: String,
    /// Where their clock hangs.
    pub zone: Zone,
    /// Their language, if it is known.
    pub locale: Option<String>,
    /// Whether it is a hook, which takes posts and nothing else.
    pub is_hook: bool,
}

impl From<Contact> for Recipient {
    fn from(it: Contact) -> Self {
        let name = it.name.clone();
        let mailbox = it.email.clone().map(|address| {
            let name = Some(name.clone()).filter(|it| !it.is_empty());
            Mailbox { name, address }
        });
        let (key, zone, locale, phone) = (it.key(), it.zone, it.locale.clone(), it.phone.clone());
        Self { key, contact: Some(it), mailbox, phone, name, zone, locale, is_hook: false }
    }
}

/// Finds who is meant. `None` when no member has the id, or many are meant.
///
/// # Errors
/// When the database fails.
pub async fn find(at: &impl Tenant, new: NewRecipient) -> Result<Option<Recipient>, PortError> {
    match new {
        NewRecipient::Contact(it) => Ok(Some(it.into())),
        NewRecipient::Member(id) => member(at, &id).await,
        NewRecipient::Topic(_) | NewRecipient::Members(_) => Ok(None),
        NewRecipient::Hook(name) => hook(at, &name).await,
    }
}

/// Finds who is meant; a member who is not there has a name all the same, so that it can be said
/// what became of the notice. `None` when many are meant.
///
/// # Errors
/// When the database fails.
pub async fn find_or_name(
    at: &impl Tenant,
    new: NewRecipient,
) -> Result<Option<Recipient>, PortError> {
    let NewRecipient::Member(id) = &new else { return find(at, new).await };
    let found = member(at, id).await?;
    let gone = || Recipient {
        key: id.clone(),
        contact: None,
        mailbox: None,
        phone: None,
        name: String::new(),
        zone: Zone::default(),
        locale: None,
        is_hook: false,
    };
    Ok(Some(found.unwrap_or_else(gone)))
}

/// Finds whom a delivery is for, as they are now. `None` when the member is gone.
///
/// # Errors
/// When the database fails.
pub async fn of(
    at: &impl Tenant,
    key: &str,
    contact: Option<Contact>,
) -> Result<Option<Recipient>, PortError> {
    match contact {
        Some(it) => Ok(Some(it.into())),
        None => match key.strip_prefix(hook::KEY) {
            Some(name) => hook(at, name).await,
            None => member(at, key).await,
        },
    }
}

async fn hook(at: &impl Tenant, name: &str) -> Result<Option<Recipient>, PortError> {
    let found = store::find_hook(at, name).await?;
    Ok(found.map(|it| Recipient {
        key: format!("{}{}", hook::KEY, it.name),
        contact: None,
        mailbox: None,
        phone: None,
        name: it.name,
        zone: Zone::default(),
        locale: None,
        is_hook: true,
    }))
}

async fn member(at: &impl Tenant, id: &str) -> Result<Option<Recipient>, PortError> {
    let Some(found) = store::find_member(at, id).await? else { return Ok(None) };
    let store::Member { email, phone, name, zone, locale } = found;
    let mailbox = Address::parse(&email).ok().map(|address| {
        let name = Some(name.clone()).filter(|it| !it.is_empty());
        Mailbox { name, address }
    });
    // A member's zone was checked when it was written; an unknown one is UTC.
    let zone = zone.parse().unwrap_or_default();
    let phone = phone.and_then(|it| Phone::parse(&it).ok());
    let (key, contact, is_hook) = (id.to_owned(), None, false);
    Ok(Some(Recipient { key, contact, mailbox, phone, name, zone, locale: Some(locale), is_hook }))
}

/// Whom the path means: a member's id, an address, or a number.
///
/// # Errors
/// The 404 of what nobody can be known by, and of a member who is not there.
pub async fn key(at: &impl Tenant, call: &Call) -> Result<String, Problem> {
    let Some(id) = Id::parse("mem", call.param()) else {
        let address = Address::parse(call.param()).map(|it| it.key()).ok();
        let number = || Phone::parse(call.param()).map(|it| it.to_string()).ok();
        return address.or_else(number).ok_or_else(Problem::not_found);
    };
    let found = store::find_member(at, id.as_str()).await?;
    found.map(|_| id.to_string()).ok_or_else(Problem::not_found)
}
