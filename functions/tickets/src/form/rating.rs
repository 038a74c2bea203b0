//! Ratings: how it was, as the requester says by a link that they are sent when a ticket is
//! resolved.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Draft, Scopes},
    door::Link,
    http::{Response, StatusCode, header},
    ports::Tenant,
    problem::Problem,
    route::{Access, Call},
};

use super::{
    page::{self, Rated},
    post::{Post, charset},
    words::Language,
};
use crate::{
    settings::Settings,
    state::State,
    ticket::{Ticket, change::merged, find, write},
};

/// What the link may be used for.
const SCOPE: &str = "tickets:rate";
/// Who rates: whoever has the link.
pub const ACCESS: Access = Access::Scope(SCOPE);
/// For how long it works, by the real clock.
const LINK_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest comment, in characters.
const COMMENT_CHARS_MAX: usize = 2_000;

/// What asks the requester how it was, when a ticket is resolved that nobody has rated yet.
///
/// # Errors
/// When the deployment has no sealing key.
pub async fn asked(
    at: &impl Tenant,
    settings: &Settings,
    before: &Ticket,
    after: &Ticket,
) -> Result<Option<Draft>, Problem> {
    let is_resolved = before.state != State::Resolved && after.state == State::Resolved;
    let (Some(email), Some(base)) = (&after.requester.email, &settings.base) else {
        return Ok(None);
    };
    if !is_resolved || !settings.asks_rating || after.rating.is_some() {
        return Ok(None);
    }
    let path = format!("/v1/tickets/{}/rating", after.id);
    let link = Link {
        tenant: at.principal().tenant.clone(),
        by: at.principal().actor.to_string(),
        path: path.clone(),
        scopes: Scopes([SCOPE.to_owned()].into_iter().collect()),
        expires_at: at.real_now() + LINK_LIFE,
        customer: None,
    };
    let token = at.sign_link(&link).await?;
    let to = json!({"email": email, "name": after.requester.name});
    let data = json!({"to": to, "url": format!("{base}{path}?link={token}"),
        "number": after.number, "subject": after.subject});
    Ok(Some(Draft::new("ticket.rating_asked", &after.id).with(data)))
}

/// The language that somebody reads: the first that their browser names and we have.
fn language(call: &Call) -> Language {
    let all = call.request.headers().get(header::ACCEPT_LANGUAGE);
    let all = all.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let known = |it: &str| {
        let tag = it.split(['-', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        serde_json::from_value(tag.into()).ok()
    };
    all.split(',').take(20).find_map(known).unwrap_or_default()
}

fn blank<'a>(call: &Call, ticket: &'a Ticket) -> Rated<'a> {
    Rated {
        words: language(call).words(),
        number: ticket.number,
        subject: &ticket.subject,
        rating: ticket.rating,
        comment: "",
        wrong: None,
        comment_max: COMMENT_CHARS_MAX,
        is_done: false,
    }
}

/// Asks how it was.
pub async fn ask(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?;
    page::rating(StatusCode::OK, &blank(call, &ticket))
}

/// Takes the answer. As long as the link works it can be changed.
pub async fn rate(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = find(at, call).await?;
    if before.state == State::Merged {
        return Err(merged(&before));
    }
    let kind = call.request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let post = Post::parse(call.request.body(), charset(kind));
    let (blank, comment) = (blank(call, &before), post.text("comment"));
    let problems = &blank.words.problems;
    let rating = post.text("rating").parse::<u8>().ok().filter(|it| (1..=5).contains(it));
    let long = problems.long.replace("{}", &COMMENT_CHARS_MAX.to_string());
    let wrong = match rating {
        _ if !post.is_utf8 => Some(problems.encoding),
        _ if comment.chars().count() > COMMENT_CHARS_MAX => Some(long.as_str()),
        None => Some(problems.choice),
        Some(_) => None,
    };
    if wrong.is_some() {
        let it = Rated { rating, comment, wrong, ..blank };
        return page::rating(StatusCode::UNPROCESSABLE_ENTITY, &it);
    }
    let comment = Some(comment).filter(|it| !it.is_empty());
    let entry = Draft::new("ticket.rated", &before.id).with(json!({
        "rating": rating, "comment": comment, "before": before.rating, "number": before.number,
        "assignee": before.assignee, "team": before.team,
    }));
    let (_, commit) = write::touched(at, &before, Ticket { rating, ..before.clone() }).await?;
    let response = page::rating(StatusCode::OK, &Rated { rating, is_done: true, ..blank })?;
    at.answer(commit.entry(entry), response, Problem::changed_meanwhile).await
}
