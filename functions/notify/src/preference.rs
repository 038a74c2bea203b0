//! Preferences: whether somebody wants to hear of something by a channel. Pure.
//!
//! There are two layers of statements: what the tenant presumes of everybody, and what the member
//! says in this tenant. The order is one, and has no exceptions but the three named first:
//!
//! 1. A critical notice is sent, whatever anybody says.
//! 2. What is about a muted resource is not sent.
//! 3. What needs an opt-in is sent only if the member said yes to its type, its workflow or its
//!    category; a yes to a channel or to everything, or one of the tenant's, is none to this.
//! 4. Whatever the member says goes before whatever the tenant says. Within a layer the narrowest
//!    statement counts: of the type, the workflow, the category, the channel, everything; and of
//!    the first three one for the channel goes before one for all channels.
//! 5. When nobody says anything, it is sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::domain::{Timestamp, WORD, is_word};
use utoipa::ToSchema;

use crate::channel::Channel;

/// How many types, how many workflows and how many categories a layer speaks of at most.
pub const NAMED_MAX: usize = 200;
/// How many resources a member mutes at most.
pub const MUTED_MAX: usize = 500;

/// One layer of statements. What is left out is not said.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Preferences {
    /// Of all notices by all channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// Of all notices by one channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Channel, bool>,
    /// Of the notices of a category.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, Choice>,
    /// Of the notices that a workflow sends.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub workflows: BTreeMap<String, Choice>,
    /// Of the notices of a type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, Choice>,
}

/// What is said of one type, workflow or category.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PreferenceChoice)]
pub struct Choice {
    /// By any channel of which nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// By this channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Channel, bool>,
}

/// The resources that a member does not want to hear of, each until when; `null` is for good.
pub type Muted = BTreeMap<String, Option<Timestamp>>;

/// What a notice is, to whoever decides whether it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// As `comment.created`.
    pub kind: &'a str,
    /// The workflow that sends it.
    pub workflow: &'a str,
    /// What kind of thing it is to its readers, as `comments`.
    pub category: Option<&'a str>,
    /// The resource that it is about, as `document:42`.
    pub about: Option<&'a str>,
    /// Whether it is sent whatever anybody says.
    pub critical: bool,
    /// Whether it is sent only to who asked for it.
    pub opt_in: bool,
}

/// Everything that was said, by both.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// What the tenant presumes.
    pub tenant: &'a Preferences,
    /// What the member says.
    pub member: &'a Preferences,
    /// What the member does not want to hear of.
    pub muted: &'a Muted,
}

/// Whether it is sent, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = PreferenceVerdict)]
pub struct Verdict {
    /// Whether it is sent.
    pub wanted: bool,
    /// What decided.
    pub because: Because,
}

/// What decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "rule")]
#[schema(as = PreferenceBecause)]
pub enum Because {
    /// It is critical.
    Critical,
    /// The member muted the resource.
    Muted,
    /// It needs an opt-in, and there is none.
    NotOptedIn,
    /// A statement of the layer, and where in it, as `types/comment.created/email`.
    Stated {
        /// Whose.
        layer: Layer,
        /// Which of its statements.
        statement: String,
    },
    /// Nobody said anything.
    Unsaid,
}

/// Who said something.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PreferenceLayer)]
pub enum Layer {
    /// The tenant, of everybody.
    Tenant,
    /// The member.
    Member,
}

/// A statement that is other than it was: what is to be proven of a consent.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Which statement, as `types/comment.created/email`.
    pub statement: String,
    /// What was said before; `null` is nothing.
    pub before: Option<bool>,
    /// What is said now.
    pub after: Option<bool>,
}

/// Why preferences are not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There are too many names.
    #[error("{0} has more than {NAMED_MAX} names: leave out what is the same as for its category")]
    TooMany(&'static str),
    /// A name is none.
    #[error("{0}/{1}: a name is {WORD}")]
    Name(&'static str, String),
}

impl Wishes<'_> {
    /// Whether the notice is wanted by this channel, now.
    pub fn decide(&self, matter: &Matter<'_>, channel: Channel, now: Timestamp) -> Verdict {
        if matter.critical {
            return Verdict { wanted: true, because: Because::Critical };
        }
        if matter.about.is_some_and(|it| is_muted(self.muted, it, now)) {
            return Verdict { wanted: false, because: Because::Muted };
        }
        let member = self.member.narrowest(matter, channel);
        if matter.opt_in {
            return opted_in(member);
        }
        let tenant = || self.tenant.narrowest(matter, channel).map(|it| it.of(Layer::Tenant));
        let stated = member.map(|it| it.of(Layer::Member)).or_else(tenant);
        stated.unwrap_or(Verdict { wanted: true, because: Because::Unsaid })
    }
}

/// Whether the resource is muted now.
pub fn is_muted(muted: &Muted, about: &str, now: Timestamp) -> bool {
    muted.get(about).is_some_and(|until| until.is_none_or(|it| now < it))
}

/// What the member's narrowest statement comes to for what needs an opt-in: a no is a no however
/// wide it is, a yes must name what it is about.
fn opted_in(member: Option<Statement>) -> Verdict {
    match member {
        Some(it) if it.named || !it.wanted => it.of(Layer::Member),
        _ => Verdict { wanted: false, because: Because::NotOptedIn },
    }
}

/// One statement of a layer.
struct Statement {
    wanted: bool,
    /// Whether it names the type, the workflow or the category.
    named: bool,
    path: String,
}

impl Statement {
    fn of(self, layer: Layer) -> Verdict {
        let because = Because::Stated { layer, statement: self.path };
        Verdict { wanted: self.wanted, because }
    }
}

impl Preferences {
    /// The layer, if its names are names and not too many.
    ///
    /// # Errors
    /// The list that has too many, or the name that is none.
    pub fn checked(self) -> Result<Self, Error> {
        for (list, named) in self.named() {
            if named.len() > NAMED_MAX {
                return Err(Error::TooMany(list));
            }
            if let Some(name) = named.keys().find(|it| !is_word(it)) {
                return Err(Error::Name(list, name.clone()));
            }
        }
        Ok(self)
    }

    /// The lists of what is named, the narrowest first.
    fn named(&self) -> [(&'static str, &BTreeMap<String, Choice>); 3] {
        [("types", &self.types), ("workflows", &self.workflows), ("categories", &self.categories)]
    }

    /// The narrowest statement about it.
    fn narrowest(&self, matter: &Matter<'_>, channel: Channel) -> Option<Statement> {
        let names = [Some(matter.kind), Some(matter.workflow), matter.category];
        let named = self.named().into_iter().zip(names).find_map(|((list, choices), name)| {
            let name = name?;
            let (wanted, by) = choices.get(name)?.for_channel(channel)?;
            Some(Statement { wanted, named: true, path: format!("{list}/{name}/{by}") })
        });
        named.or_else(|| self.widest(channel))
    }

    /// What is said of the channel, or of everything.
    fn widest(&self, channel: Channel) -> Option<Statement> {
        let by_channel = self.channels.get(&channel).map(|wanted| {
            let path = format!("channels/{}", channel.word());
            Statement { wanted: *wanted, named: false, path }
        });
        let everything = self.everything.map(|wanted| Statement {
            wanted,
            named: false,
            path: "everything".to_owned(),
        });
        by_channel.or(everything)
    }

    /// The same, and no to this type by this channel: what a click on "unsubscribe" says.
    pub fn without(mut self, kind: &str, channel: Channel) -> Self {
        self.types.entry(kind.to_owned()).or_default().channels.insert(channel, false);
        self
    }

    /// Each statement by its path.
    pub fn statements(&self) -> BTreeMap<String, bool> {
        let everything = self.everything.map(|it| ("everything".to_owned(), it));
        let channels =
            self.channels.iter().map(|(it, wanted)| (format!("channels/{}", it.word()), *wanted));
        let named = self.named().into_iter().flat_map(|(list, choices)| {
            choices.iter().flat_map(move |(name, choice)| {
                choice.statements().map(move |(by, it)| (format!("{list}/{name}/{by}"), it))
            })
        });
        everything.into_iter().chain(channels).chain(named).collect()
    }

    /// What `after` says otherwise than this, by path.
    pub fn changes(&self, after: &Self) -> Vec<Change> {
        let (before, after) = (self.statements(), after.statements());
        let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
        paths.sort();
        paths.dedup();
        let change = |path: &String| {
            let (before, after) = (before.get(path).copied(), after.get(path).copied());
            (before != after).then(|| Change { statement: path.clone(), before, after })
        };
        paths.into_iter().filter_map(change).collect()
    }
}

impl Choice {
    /// What it says for the channel, and as the word for what.
    fn for_channel(&self, channel: Channel) -> Option<(bool, &'static str)> {
        let by_channel = self.channels.get(&channel).map(|it| (*it, channel.word()));
        by_channel.or(self.all.map(|it| (it, "all")))
    }

    fn statements(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let channels = self.channels.iter().map(|(it, wanted)| (it.word(), *wanted));
        self.all.map(|it| ("all", it)).into_iter().chain(channels)
    }
}
