//! Teams: members who handle tickets of a kind together.

use serde::{Deserialize, Serialize};
use shared::{ports::Tenant, problem::Problem};
use utoipa::ToSchema;

use super::tool::{Tool, title};
use crate::store;

/// How many members a team has.
const MEMBERS_MAX: usize = 200;

/// Members who handle tickets of a kind together.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketTeam)]
pub struct Team {
    /// Its name: what a ticket's `team` says.
    #[serde(default)]
    pub name: String,
    /// As it is shown, up to 120 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The ids of its members: up to 200, each once.
    pub members: Vec<String>,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Tool for Team {
    const KIND: &'static str = "team";
    const TOLD: [&'static str; 2] = ["ticket_team.put", "ticket_team.deleted"];
    const MAX: u32 = 100;
    const MANY: &'static str = "teams";

    fn label(&self) -> (&str, i64) {
        (&self.name, self.version)
    }

    fn labelled(self, name: String, version: i64) -> Self {
        Self { name, version, ..self }
    }

    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem> {
        title("title", &self.title)?;
        let mut members: Vec<String> = Vec::new();
        for it in self.members {
            if !members.contains(&it) {
                members.push(it);
            }
        }
        if members.len() > MEMBERS_MAX {
            return Err(Problem::unfitting("members", format!("at most {MEMBERS_MAX}")));
        }
        if let Some(it) = store::unknown_member(at, &members).await? {
            return Err(Problem::unfitting("members", format!("no member has the id {it}")));
        }
        Ok(Self { members, ..self })
    }
}
