//! Suggesting: what may answer a question before anybody has to.

use serde::{Deserialize, Serialize};
use shared::{
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::ticket::open::text;

/// How many suggestions there are.
const SUGGESTIONS_MAX: usize = 5;

/// What knows answers: the port that a help centre fills.
pub trait Suggest {
    /// At most `limit` answers to what is asked in `text`, the best first.
    async fn suggest(&self, text: &str, limit: usize) -> Result<Vec<Suggestion>, PortError>;
}

/// Nobody knows answers yet.
pub struct Nobody;

impl Suggest for Nobody {
    async fn suggest(&self, _: &str, _: usize) -> Result<Vec<Suggestion>, PortError> {
        Ok(Vec::new())
    }
}

/// What somebody is about to ask.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketQuestion {
    /// As far as it is written: up to 65,536 bytes.
    pub text: String,
}

/// Something that may answer it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TicketSuggestion)]
pub struct Suggestion {
    /// What it is called.
    pub title: String,
    /// Where it is read.
    pub url: String,
    /// The part that answers.
    pub excerpt: String,
}

/// What may answer a question.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TicketSuggestions)]
pub struct Suggestions {
    /// The best first. None while there is no help centre.
    pub items: Vec<Suggestion>,
}

/// Suggests what may answer a question.
pub async fn suggest(_: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let asked = text("text", &call.json::<TicketQuestion>()?.text)?;
    let items = Nobody.suggest(&asked, SUGGESTIONS_MAX).await?;
    Ok(json_response(StatusCode::OK, &Suggestions { items }))
}
