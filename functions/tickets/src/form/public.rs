//! The form as anybody sees it: its page, and what is sent by it.
//!
//! What a machine sends is told by three things: it fills in a field that nobody sees, it sends a
//! page that we never showed or showed a moment ago, or it sends too many. The first opens a ticket
//! that is spam; the others are shown their page again, with what was typed. So nothing that a
//! person wrote is lost.

use std::time::Duration;

use shared::{
    domain::Timestamp,
    http::{Response, StatusCode, header, with_header},
    ports::{Admission, CommitError, PortError, Rate, Tenant},
    problem::Problem,
    route::Call,
};

use super::{
    design::Form,
    page::{self, Asked, PAGE, TRAP},
    post::{Post, charset},
};
use crate::{
    store,
    ticket::{
        Channel,
        intake::{self, Incoming},
        message::Person,
    },
};

/// How long nobody is who fills in a form.
const FASTEST: Duration = Duration::from_secs(2);
/// For how long a page can be sent, by the real clock.
const PAGE_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// How many bytes of chance tell a page from others.
const CHANCE_BYTES: usize = 12;

/// A page as it was shown.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Shown {
    at: Timestamp,
    chance: String,
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Form, Problem> {
    store::find_form_at(at, call.param()).await?.ok_or_else(Problem::not_found)
}

/// Shows the page.
pub async fn show(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let form = find(at, call).await?;
    let page = fresh(at, &form).await?;
    page::form(StatusCode::OK, &form, &page, &page::blank(&form), None)
}

/// What a page says of itself: when it is shown, sealed with the form that it is.
async fn fresh(at: &impl Tenant, form: &Form) -> Result<String, Problem> {
    let mut chance = [0; CHANCE_BYTES];
    at.random(&mut chance)?;
    let chance: String = chance.iter().map(|it| format!("{it:02x}")).collect();
    let text = format!("{} {chance} {}", at.real_now().0, form.id);
    Ok(at.seal(text.as_bytes()).await?)
}

/// Reads what [`fresh`] wrote; nothing when it is not ours.
async fn opened(at: &impl Tenant, form: &Form, page: &str) -> Option<Shown> {
    let text = String::from_utf8(at.unseal(page).await.ok()?).ok()?;
    let mut parts = text.splitn(3, ' ');
    let (shown_at, chance) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
    (parts.next()? == form.id).then_some(Shown { at: Timestamp(shown_at), chance })
}

/// Takes what was sent by it.
pub async fn send(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let form = find(at, call).await?;
    let kind = call.request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Problem::unsupported_media_type("application/x-www-form-urlencoded"));
    }
    let post = Post::parse(call.request.body(), charset(kind));
    let settings = store::find_settings(at).await?;
    let (fields, asked) = page::read(&form, &settings, &post);
    let refusal = match (judged(at, &form, &post).await, asked) {
        (Err(refusal), _) => refusal,
        (Ok(_), None) => Refusal::Unfit,
        (Ok(shown), Some(asked)) => {
            if let Some(number) = known(at, &shown).await? {
                return page::sent(&form, number);
            }
            match wait(at, call, &form).await? {
                None => return taken(at, &form, &post, asked, &shown).await,
                Some(wait) => Refusal::Many(wait),
            }
        }
    };
    // It is the same page as long as that can be sent, and what is sent of it is sent once.
    let page = match opened(at, &form, post.text(PAGE)).await {
        Some(it) if !is_late(at, &it) => post.text(PAGE).to_owned(),
        _ => fresh(at, &form).await?,
    };
    let response = page::form(refusal.status(), &form, &page, &fields, refusal.words(&form))?;
    Ok(match refusal {
        Refusal::Many(it) => {
            with_header(response, header::RETRY_AFTER, &(it.as_secs() + 1).to_string())
        }
        _ => response,
    })
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    /// A field does not fit: it is said there.
    Unfit,
    /// Some of it is no UTF-8.
    Garbled,
    /// It was shown a moment ago, or never.
    Fast,
    /// It was shown too long ago.
    Late,
    /// There are too many, for this long.
    Many(Duration),
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Unfit | Self::Fast | Self::Late => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Garbled => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Many(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn words(self, form: &Form) -> Option<&'static str> {
        let problems = &form.locale.words().problems;
        match self {
            Self::Unfit => None,
            Self::Garbled => Some(problems.encoding),
            Self::Fast => Some(problems.fast),
            Self::Late => Some(problems.late),
            Self::Many(_) => Some(problems.many),
        }
    }
}

fn is_late(at: &impl Tenant, it: &Shown) -> bool {
    it.at + PAGE_LIFE < at.real_now()
}

/// The page that somebody sends who may well be a person.
async fn judged(at: &impl Tenant, form: &Form, post: &Post) -> Result<Shown, Refusal> {
    if !post.is_utf8 {
        return Err(Refusal::Garbled);
    }
    match opened(at, form, post.text(PAGE)).await {
        None => Err(Refusal::Fast),
        Some(it) if is_late(at, &it) => Err(Refusal::Late),
        Some(it) if at.real_now() < it.at + FASTEST => Err(Refusal::Fast),
        Some(it) => Ok(it),
    }
}

/// How long it is until this one is taken; nothing when it is now.
async fn wait(at: &impl Tenant, call: &Call, form: &Form) -> Result<Option<Duration>, PortError> {
    let client = at.neighbourhood(call.request.headers());
    for (key, limit) in [
        (format!("form:{}:{client}", form.id), form.per_client),
        (format!("form:{}", form.id), form.per_minute),
    ] {
        if let Admission::Refused(wait) = at.admit(&key, Rate { limit, period: MINUTE }).await? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

/// Opens the ticket. A page that is sent twice is one ticket.
async fn taken(
    at: &impl Tenant,
    form: &Form,
    post: &Post,
    asked: Asked,
    shown: &Shown,
) -> Result<Response, Problem> {
    let incoming = Incoming {
        from: Person { email: Some(asked.email), name: asked.name, member: None },
        subject: asked.subject,
        text: asked.text,
        channel: Channel::Form,
        mailbox: form.mailbox.clone().map(shared::domain::Id::trusted),
        team: form.team.clone(),
        tags: form.tags.clone(),
        fields: asked.fields,
        spam: !post.text(TRAP).is_empty(),
        ..Incoming::default()
    };
    let taken = intake::open(at, incoming, None).await?;
    let forget =
        Timestamp((at.real_now().0 - i64::try_from(PAGE_LIFE.as_millis()).unwrap_or(0)).max(0));
    let once = store::insert_post(shown.at, &shown.chance, &taken.ticket.id, forget);
    match at.commit(taken.commit.and(once)).await {
        Ok(()) => page::sent(form, taken.ticket.number),
        Err(CommitError::Conflict) => match known(at, shown).await? {
            Some(number) => page::sent(form, number),
            None => Err(Problem::changed_meanwhile()),
        },
        Err(CommitError::Port(err)) => Err(err.into()),
    }
}

/// The number of the ticket that a page became.
async fn known(at: &impl Tenant, shown: &Shown) -> Result<Option<i64>, Problem> {
    let Some(id) = store::find_post(at, shown.at, &shown.chance).await? else { return Ok(None) };
    Ok(store::find_ticket(at, &id).await?.map(|it| it.number))
}
