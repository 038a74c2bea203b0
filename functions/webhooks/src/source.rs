//! Sources: who sends us webhooks, how they sign them, and where they go.

mod secrets;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    outbound,
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

pub use self::secrets::Secret;
pub use self::secrets::secrets;
use self::secrets::{chosen, seal, shown_once};
use crate::{
    recipe::{Error, Overrides, Recipe},
    sender::settings::is_word,
    signature::SECRETS_MAX,
    store,
};

/// The kind of inbound address that a source has in the directory.
pub const ADDRESS: &str = "source";
/// Shows a source's address in the directory, or hides it.
pub const SHOW: &str = "webhooks.source";

/// How many sources a tenant has.
pub const SOURCES_MAX: u32 = 200;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 120;
/// The longest target, in characters.
pub const TARGET_CHARS_MAX: usize = 2048;
/// The longest prefix of the events that a source's webhooks go on as, in characters.
pub const PREFIX_CHARS_MAX: usize = 32;
/// How long old secrets can overlap with a new one.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Somebody who sends us webhooks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Source {
    /// `src_…`
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// Where the provider posts to: put the host in front.
    pub path: String,
    /// How the provider signs.
    pub recipe: Recipe,
    /// What to know before trusting what comes in by this recipe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
    /// Where what was accepted is delivered; nowhere when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// As which events it goes on to endpoints; as none when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// The secrets, sealed.
    #[serde(skip)]
    pub sealed: String,
    /// Since when somebody knows that webhooks of it are refused.
    #[serde(skip)]
    pub alerted_at: Option<Timestamp>,
}

/// As which events a source's webhooks go on to endpoints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// What stands before the provider's own type, as `stripe.`: 1 to 32 of A-Z a-z 0-9 . _ - : /
    pub prefix: String,
    /// For which of your customers; left out, only your own endpoints hear of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// A source with a secret that is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedSource {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// The signing secret, when we made it: give it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How a provider signs: the name of a recipe, or one written out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RecipeChoice {
    /// As `stripe`; see the list of recipes.
    Named(String),
    /// A recipe of one's own.
    #[schema(value_type = Recipe)]
    Own(serde_json::Value),
}

/// What a new source is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// What people call it: 1 to 120 characters.
    pub name: String,
    /// How the provider signs.
    pub recipe: RecipeChoice,
    /// What the sender does otherwise than the recipe says.
    #[serde(default)]
    pub overrides: Option<Overrides>,
    /// The signing secret or the public key that the provider shows. We make a secret when it is
    /// left out, unless the provider has a key of its own.
    #[serde(default)]
    pub secret: Option<String>,
    /// Where to deliver what was accepted: an http or https address.
    #[serde(default)]
    pub target: Option<String>,
    /// As which events it goes on to endpoints.
    #[serde(default)]
    pub publish: Option<Publish>,
}

/// What can be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceChange {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// Where to deliver; empty text for nowhere.
    #[serde(default)]
    pub target: Option<String>,
    /// As which events it goes on to endpoints; with an empty prefix as none.
    #[serde(default)]
    pub publish: Option<Publish>,
}

/// A new secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    /// The secret that the provider shows; we make one when it is left out.
    #[serde(default)]
    pub secret: Option<String>,
    /// How long the secrets before it still count, in seconds: 0 to 2592000.
    #[serde(default)]
    pub overlap_seconds: u64,
}

/// A recipe that can be used by its name.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedRecipe {
    /// What to write as `recipe`.
    pub name: &'static str,
    /// The recipe.
    pub recipe: Recipe,
    /// What to know before trusting what comes in by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
}

/// All recipes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecipeList {
    /// By name.
    pub items: Vec<NamedRecipe>,
}

impl NewSource {
    fn recipe(&mut self) -> Result<Recipe, Problem> {
        let recipe = self.recipe.recipe()?;
        match self.overrides.take() {
            None => Ok(recipe),
            Some(it) => recipe.with(it).map_err(|err| Problem::unfitting("overrides", err)),
        }
    }
}

impl RecipeChoice {
    fn recipe(&self) -> Result<Recipe, Problem> {
        match self {
            Self::Named(name) => Recipe::named(name).ok_or_else(|| {
                let names: Vec<_> = Recipe::names().collect();
                Problem::unfitting("recipe", format!("one of {}", names.join(", ")))
            }),
            Self::Own(value) => Recipe::parse(value.to_string().as_bytes())
                .map_err(|err| Problem::unfitting("recipe", err)),
        }
    }
}

fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX {
        return Ok(name.to_owned());
    }
    Err(Problem::unfitting("name", format!("a name is 1 to {NAME_CHARS_MAX} characters")))
}

/// The address to deliver to that stands in `field`; none when it is empty.
///
/// # Errors
/// 422 when it is no address of the web, or one of our own components.
pub fn target(text: Option<&str>, field: &str) -> Result<Option<String>, Problem> {
    let Some(text) = text.map(str::trim).filter(|it| !it.is_empty()) else { return Ok(None) };
    let unfit = || Problem::unfitting(field, "write an http or https address without a password");
    let url = outbound::elsewhere(text).filter(|_| text.len() <= TARGET_CHARS_MAX);
    url.map(|it| Some(it.into())).ok_or_else(unfit)
}

fn published(given: Option<Publish>) -> Result<Option<Publish>, Problem> {
    let Some(it) = given.filter(|it| !it.prefix.is_empty()) else { return Ok(None) };
    if !is_word(&it.prefix) || it.prefix.len() > PREFIX_CHARS_MAX {
        let why = format!("1 to {PREFIX_CHARS_MAX} of A-Z a-z 0-9 . _ - : /");
        return Err(Problem::unfitting("publish.prefix", why));
    }
    if it.customer.as_deref().is_some_and(|it| !is_word(it)) {
        return Err(Problem::unfitting("publish.customer", "1 to 128 of A-Z a-z 0-9 . _ - : /"));
    }
    Ok(Some(it))
}

/// The path that a provider posts to.
pub fn path(id: &Id) -> String {
    format!("/in/{id}")
}

/// Creates a source.
pub async fn create(at: &impl Tenant, mut new: NewSource) -> Result<Response, Problem> {
    let recipe = new.recipe()?;
    let chosen = chosen(at, &recipe, new.secret)?;
    let secrets: Vec<_> = chosen.iter().map(|(text, _)| Secret::new(text)).collect();
    let id = at.new_id("src")?;
    let source = Source {
        name: name(&new.name)?,
        path: path(&id),
        warnings: recipe.warnings(),
        recipe,
        target: target(new.target.as_deref(), "target")?,
        publish: published(new.publish)?,
        alerted_at: None,
        created_at: at.now(),
        version: 1,
        sealed: seal(at, &secrets).await?,
        id,
    };
    let entry = Draft::new("source.created", &source.id)
        .with(json!({"name": source.name, "recipe": source.recipe.title, "target": source.target}));
    let commit =
        store::insert_source(&source).entry(entry).job(shown(&source.id, "created").eager());
    let created = CreatedSource { source, secret: shown_once(chosen) };
    let response = json_response(StatusCode::CREATED, &created);
    let response = with_header(response, header::ETAG, &etag(created.source.version));
    let answer = at.answer(commit, response, Problem::changed_meanwhile).await;
    if answer.is_err() && store::count_sources(at).await? >= SOURCES_MAX.into() {
        return Err(Problem::full_list(SOURCES_MAX, "sources", "delete one that is not used"));
    }
    answer
}

fn shown(id: &Id, why: &str) -> NewJob {
    NewJob::new(SHOW, format!("{SHOW}:{id}:{why}"), json!({"id": id}))
}

fn answer(source: &Source) -> Response {
    with_header(json_response(StatusCode::OK, source), header::ETAG, &etag(source.version))
}

/// Lists the sources, oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let sources = store::list_sources(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(sources, limit, |it| it.id.to_string())))
}

/// The source, or the 404 that everybody gets.
pub async fn find(at: &impl Tenant, id: &Id) -> Result<Source, Problem> {
    store::find_source(at, id).await?.ok_or_else(Problem::not_found)
}

/// Reads one.
pub async fn get(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    find(at, id).await.map(|it| answer(&it))
}

/// Changes one.
pub async fn update(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let source = find(at, &call.id("src")?).await?;
    let change: SourceChange = call.json()?;
    let read = source.version;
    if call.if_match()?.is_some_and(|it| it != read) {
        return Err(Problem::changed_meanwhile());
    }
    let changed = Source {
        name: change.name.map_or(Ok(source.name), |it| name(&it))?,
        target: change.target.map_or(Ok(source.target), |it| target(Some(&it), "target"))?,
        publish: change.publish.map_or(Ok(source.publish), |it| published(Some(it)))?,
        version: read + 1,
        ..source
    };
    let entry = Draft::new("source.updated", &changed.id)
        .with(json!({"name": changed.name, "target": changed.target}));
    let commit = store::update_source(&changed, read).entry(entry);
    at.answer(commit, answer(&changed), Problem::changed_meanwhile).await
}

/// Deletes one: what it sent stays, what it sends from now on is refused.
pub async fn delete(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    find(at, id).await?;
    let commit = store::delete_source(id)
        .entry(Draft::new("source.deleted", id))
        .job(shown(id, "deleted").eager());
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

/// Puts a new secret in front. The others count on for the overlap.
pub async fn rotate(
    at: &impl Tenant,
    id: &Id,
    rotation: SecretRotation,
) -> Result<Response, Problem> {
    let source = find(at, id).await?;
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > OVERLAP_MAX {
        let why = format!("at most {}", OVERLAP_MAX.as_secs());
        return Err(Problem::unfitting("overlap_seconds", why));
    }
    let chosen = chosen(at, &source.recipe, rotation.secret)?;
    if chosen.is_none() {
        return Err(Problem::unfitting("secret", Error::SecretOfNobody));
    }
    let until = at.now() + overlap;
    let mut rotated: Vec<_> = chosen.iter().map(|(text, _)| Secret::new(text)).collect();
    let before = secrets(at, &source).await?.into_iter().filter(|it| it.counts(at.now()));
    rotated.extend(
        before.map(|it| Secret {
            until: Some(it.until.map_or(until, |other| other.min(until))),
            ..it
        }),
    );
    rotated.truncate(SECRETS_MAX);
    let read = source.version;
    let source = Source { version: read + 1, sealed: seal(at, &rotated).await?, ..source };
    let entry = Draft::new("source.rotated", id).with(json!({"until": until}));
    let commit = store::update_source(&source, read).entry(entry);
    let created = CreatedSource { source, secret: shown_once(chosen) };
    let response = json_response(StatusCode::OK, &created);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Lists the recipes.
pub fn recipes() -> Response {
    let items = Recipe::names()
        .filter_map(|name| Some((name, Recipe::named(name)?)))
        .map(|(name, recipe)| NamedRecipe { name, warnings: recipe.warnings(), recipe })
        .collect();
    json_response(StatusCode::OK, &RecipeList { items })
}

/// Shows the source's address in the directory while it is there, and hides it otherwise.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let directory = at.projection();
    if store::find_source(at, &id).await?.is_none() {
        directory.release_address(ADDRESS, id.as_str()).await?;
    } else if !directory.claim_address(ADDRESS, id.as_str()).await? {
        return Err(Failure::dead("another tenant has a source with this id"));
    }
    Ok(Commit::new())
}
