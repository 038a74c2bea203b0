//! Workflows: how the notices of a type are sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    channel::Channel,
    delay::Delay,
    digest::Digest,
    fallback::{self, Fallback},
    language::{TAG, is_tag, lookup},
    preference::Matter,
    push::TTL_SECONDS_MAX,
    pushing::PushText,
    store,
    template::{self, Rendered, Template},
    throttle::Throttle,
};

/// How many types a tenant has at most.
pub const WORKFLOWS_MAX: u32 = 500;
/// In how many languages a type has words, besides those of the template.
pub const TRANSLATIONS_MAX: usize = 20;
/// The largest workflow, in bytes: its template, and room for its escapes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// How the notices of a type are sent.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeWorkflowText)]
pub struct WorkflowText {
    /// What preferences call it, when it is another's workflow as well; the type when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What kind of thing it is to its readers, as `comments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// By which channels: `in_app`, `email`, `push`; and `hook` for recipients that are hooks.
    pub channels: BTreeSet<Channel>,
    /// By which channels it goes on when nobody has read it after a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Fallback>,
    /// Whether it is sent whatever anybody says, and at once.
    #[serde(default)]
    pub critical: bool,
    /// Whether it is sent only to who asked for it.
    #[serde(default)]
    pub opt_in: bool,
    /// How long it is held; whether it is still wanted is asked after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// When what comes together for a recipient by a channel goes out together. The template is
    /// given `digest.count`, and `digest.notices`, the data of the latest 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How many of the type one recipient gets by one channel; more are withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    /// How it is pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushText>,
    /// Its words.
    pub template: Template,
    /// Its words in other languages, each by its tag, as `de` or `pt-BR`: up to 20. Who reads
    /// Austrian German has those of `de-AT`, else of `de`, else the template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub translations: BTreeMap<String, Template>,
}

/// A workflow of a type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NoticeWorkflow)]
pub struct Workflow {
    /// The type, as `comment.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How its notices are sent.
    #[serde(flatten)]
    pub text: WorkflowText,
    /// When it was last put.
    pub updated_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

impl WorkflowText {
    fn checked(self) -> Result<Self, Problem> {
        for (path, name) in [("workflow", &self.workflow), ("category", &self.category)] {
            if name.as_ref().is_some_and(|it| !is_word(it)) {
                return Err(Problem::unfitting(path, WORD));
            }
        }
        if self.channels.is_empty() {
            return Err(Problem::unfitting("channels", "name one at least"));
        }
        if !self.push.as_ref().is_none_or(PushText::fits) {
            let why = format!("at most {TTL_SECONDS_MAX}, which is 28 days");
            return Err(Problem::unfitting("push.ttl_seconds", why));
        }
        if self.critical && self.opt_in {
            let why = "what is critical is sent to everybody: leave out one of the two";
            return Err(Problem::unfitting("opt_in", why));
        }
        let unfit = |path, why: String| Problem::unfitting(path, why);
        fallback::check(&self.fallback, &self.channels)
            .map_err(|it| unfit("fallback", it.to_string()))?;
        self.delay.map(Delay::checked).transpose().map_err(|it| unfit("delay", it.to_string()))?;
        if self.critical && self.digest.is_some() {
            let why = "what is critical is sent at once: leave out one of the two";
            return Err(Problem::unfitting("digest", why));
        }
        let digest = self.digest.map(Digest::checked).transpose();
        let digest = digest.map_err(|it| unfit("digest", it.to_string()))?;
        let throttle = self.throttle.map(Throttle::checked).transpose();
        throttle.map_err(|it| unfit("throttle", it.to_string()))?;
        let template = self.template.checked();
        let template = template.map_err(|it| unfit("template", it.to_string()))?;
        let translations = translated(self.translations)?;
        Ok(Self { template, translations, digest, ..self })
    }
}

/// Each translation, if it is in a language, and all of it in that of templates.
fn translated(all: BTreeMap<String, Template>) -> Result<BTreeMap<String, Template>, Problem> {
    if all.len() > TRANSLATIONS_MAX {
        return Err(Problem::unfitting("translations", format!("at most {TRANSLATIONS_MAX}")));
    }
    let checked = |(tag, template): (String, Template)| {
        let path = format!("translations.{tag}");
        if !is_tag(&tag) {
            return Err(Problem::unfitting(&path, TAG));
        }
        let template = template.checked();
        Ok((tag, template.map_err(|it| Problem::unfitting(&path, it.to_string()))?))
    };
    all.into_iter().map(checked).collect()
}

impl Workflow {
    /// What a reader of this language reads with this data, an object.
    ///
    /// # Errors
    /// The first mistake of the words that there are for it.
    pub fn render(
        &self,
        language: Option<&str>,
        data: &Value,
    ) -> Result<Rendered, template::Error> {
        match language.and_then(|it| lookup(&self.text.translations, it)) {
            Some((tag, it)) => Ok(Rendered { language: Some(tag.to_owned()), ..it.render(data)? }),
            None => self.text.template.render(data),
        }
    }

    /// Whether its notices leave the product.
    pub fn leaves(&self) -> bool {
        let fallback = self.text.fallback.iter().map(|it| &it.channel);
        self.text
            .channels
            .iter()
            .chain(fallback)
            .any(|it| matches!(it, Channel::Email | Channel::Push))
    }

    /// What a notice of the type is to whoever decides whether it is wanted.
    pub fn matter<'a>(&'a self, about: Option<&'a str>) -> Matter<'a> {
        Matter {
            kind: &self.kind,
            workflow: self.text.workflow.as_ref().unwrap_or(&self.kind),
            category: self.text.category.as_deref(),
            about,
            critical: self.text.critical,
            opt_in: self.text.opt_in,
        }
    }
}

/// Lists the workflows, by type.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_workflows(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.kind.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&find(at, call).await?))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Workflow, Problem> {
    store::find_workflow(at, call.param()).await?.ok_or_else(Problem::not_found)
}

fn answer(it: &Workflow) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Puts one, or replaces it: what is not sent yet is sent by the new one.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let kind = call.param().to_owned();
    if !is_word(&kind) {
        return Err(Problem::unfitting("type", WORD));
    }
    let text = call.json::<WorkflowText>()?.checked()?;
    let before = store::find_workflow(at, &kind).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    if before.is_none() && store::count_workflows(at).await? >= i64::from(WORKFLOWS_MAX) {
        return Err(Problem::full_list(WORKFLOWS_MAX, "types", "delete one that is not sent"));
    }
    let version = before.map_or(1, |it| it + 1);
    let workflow = Workflow { kind, text, updated_at: at.now(), version };
    let entry = Draft::new("workflow.put", &Id::trusted(workflow.kind.clone()))
        .with(json!({"version": version}));
    let commit = store::put_workflow(&workflow, before).entry(entry);
    at.answer(commit, answer(&workflow), Problem::changed_meanwhile).await
}

/// Deletes one: what of it is not sent yet is withheld.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != found.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("workflow.deleted", &Id::trusted(found.kind.clone()));
    let commit: Commit = store::delete_workflow(&found).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
