//! The job that reads a mail that came in, and makes of it what it is.

use futures_util::StreamExt as _;
use serde_json::json;
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob},
    ports::{Admission, Blobs, PortError, Rate, Tenant},
    problem::Problem,
};

use super::{
    SCAN,
    mail::{Mail, MailState, blob},
    mailbox::{self, Mailbox},
};
use crate::{
    attachment::{self, Attachment},
    mail::{
        self, Automatic, Envelope, Fate, Incoming, Verdict,
        thread::{self, Candidate, Decision, Ignored, Lead},
        token,
    },
    state::State,
    store,
    ticket::{
        Channel, TEXT_BYTES_MAX, Ticket,
        intake::{self, Taken},
        message::{Bounce, File, Person},
    },
};

/// How many tickets somebody opens by mail in an hour …
const OPENED: Rate = Rate { limit: 30, period: std::time::Duration::from_secs(3600) };
/// … and a program.
const OPENED_BY_PROGRAM: Rate = Rate { limit: 10, period: std::time::Duration::from_secs(3600) };
/// How many mails of one sender join tickets in an hour.
const JOINED: Rate = Rate { limit: 120, period: std::time::Duration::from_secs(3600) };
/// The largest HTML that is kept with a message, in bytes.
const HTML_BYTES_MAX: usize = 256 * 1024;
/// To how many others a mail is written at most whose recipients get the answers as well.
const COPIES_OF_MAX: usize = 20;

/// Reads the mail of a job, and makes of it what it is.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(before) = store::find_mail_by_id(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    if before.state != MailState::Received {
        return Ok(Commit::new());
    }
    let Some(raw) = original(at, &before.id).await? else {
        return Err(Failure::dead("the original of the mail is gone"));
    };
    let by_hand = job.body.get("open").and_then(serde_json::Value::as_bool) == Some(true);
    made(at, before, &raw, by_hand).await.map_err(failure)
}

/// A problem of the core, as a job tells it.
fn failure(it: Problem) -> Failure {
    Failure::again(it.cause().map_or_else(|| it.words(), ToOwned::to_owned))
}

async fn original(at: &impl Tenant, id: &Id) -> Result<Option<Vec<u8>>, PortError> {
    let Some(mut found) = at.blobs().get(&blob(id), None).await? else { return Ok(None) };
    let mut raw = Vec::with_capacity(usize::try_from(found.size).unwrap_or(0));
    while let Some(chunk) = found.chunks.next().await {
        raw.extend_from_slice(&chunk?);
    }
    Ok(Some(raw))
}

async fn made(
    at: &impl Tenant,
    before: Mail,
    raw: &[u8],
    by_hand: bool,
) -> Result<Commit, Problem> {
    let mailbox = store::find_mailbox(at, before.mailbox.as_str()).await?;
    let envelope = Envelope { from: before.envelope_from.clone(), to: before.envelope_to.clone() };
    let trusted = mailbox.as_ref().map(|it| it.trusted.clone()).unwrap_or_default();
    let Ok(mut incoming) = mail::read(raw, &envelope, &trusted) else {
        return unreadable(at, &before).await;
    };
    if incoming.verdict == Verdict::default() {
        incoming.verdict = before.verdict.clone();
    }
    let sender = incoming.from.clone().unwrap_or_default();
    let after = Mail {
        from: Some(sender.email.clone()).filter(|it| !it.is_empty()),
        subject: incoming.subject.clone(),
        ..before.clone()
    };
    let decision = match &mailbox {
        Some(it) if !by_hand => decided(at, it, &incoming).await?,
        _ => Decision::Open(None),
    };
    let decision = if by_hand {
        decision
    } else {
        within_rate(at, &before.mailbox, &incoming, decision).await?
    };
    let (after, commit) = match decision {
        Decision::Ignore(why) => {
            (Mail { state: MailState::Ignored, ignored: Some(why), ..after }, Commit::new())
        }
        Decision::Bounced(ticket) => bounced(at, after, &incoming, &ticket).await?,
        Decision::Join(ticket, clue) => {
            let (it, files) = intake_of(at, &before, mailbox.as_ref(), &incoming, raw).await?;
            let taken = intake::append(at, &ticket, it).await?;
            let joined = taken.ticket.id == ticket.id;
            let state = if joined { MailState::Joined } else { MailState::Opened };
            let after = Mail { state, clue: Some(clue), ..after };
            taken_in(after, taken, files, mailbox.as_ref())
        }
        Decision::Open(follows) => {
            let (mut it, files) = intake_of(at, &before, mailbox.as_ref(), &incoming, raw).await?;
            let apart = follows.as_ref().map(|it| it.1);
            if let (Some(apart), Some(mail)) =
                (apart, it.mail.as_mut().and_then(|it| it.as_object_mut()))
            {
                mail.insert("apart".to_owned(), json!(apart));
            }
            let taken = intake::open(at, it, follows.as_ref().map(|it| &it.0)).await?;
            taken_in(
                Mail { state: MailState::Opened, apart, ..after },
                taken,
                files,
                mailbox.as_ref(),
            )
        }
    };
    Ok(commit.and(store::update_mail(&before, &after)))
}

/// What a mail that was taken in writes beside the ticket: its files, and that they are looked at.
fn taken_in(
    after: Mail,
    taken: Taken,
    files: Vec<Attachment>,
    mailbox: Option<&Mailbox>,
) -> (Mail, Commit) {
    let mut commit = taken.commit;
    let is_scanned = mailbox.is_some_and(|it| it.scan_url.is_some());
    for it in files {
        let it = Attachment { ticket: taken.ticket.id.clone(), ..it };
        commit = commit.and(store::insert_attachment(&it));
        if is_scanned {
            commit =
                commit.job(NewJob::new(SCAN, format!("{SCAN}:{}", it.id), json!({"id": it.id})));
        }
    }
    let after = Mail { ticket: Some(taken.ticket.id), message: Some(taken.message.id), ..after };
    (after, commit)
}

/// What becomes of a mail, by what it leads to.
async fn decided(
    at: &impl Tenant,
    mailbox: &Mailbox,
    incoming: &Incoming,
) -> Result<Decision<Ticket>, Problem> {
    let secrets = mailbox::secrets(at, mailbox).await?;
    let clues = secrets.reply().map(|it| thread::clues(incoming, mailbox.id.as_str(), &it));
    let sender = incoming.from.as_ref().map_or("", |it| it.email.as_str());
    let mut candidates = Vec::new();
    for (clue, lead) in clues.unwrap_or_default() {
        let found = match lead {
            Lead::Number(it) => store::find_numbered(at, it).await?,
            Lead::Message(it) => match store::find_mail(at, &it).await? {
                Some((ticket, _)) => store::find_ticket(at, &ticket).await?,
                None => None,
            },
        };
        let Some(found) = found else { continue };
        let ticket = intake::current(at, found).await?;
        let is_known = is_known(at, &ticket, sender).await?;
        let (subject, is_closed) = (ticket.subject.clone(), ticket.state == State::Closed);
        candidates.push(Candidate { ticket, clue, subject, is_closed, is_known });
        // What follows is less sure; only a reference may not count.
        if clue != thread::Clue::References {
            break;
        }
    }
    let base = token::without_extension(sender);
    let is_ours = !sender.is_empty() && store::find_mailbox_at(at, &base).await?.is_some();
    Ok(thread::decide(incoming, &candidates, mailbox.on_new_subject, is_ours))
}

/// Whether somebody is one of a conversation: who asked, who has copies, who wrote in it, a member.
async fn is_known(at: &impl Tenant, ticket: &Ticket, sender: &str) -> Result<bool, Problem> {
    if sender.is_empty() {
        return Ok(false);
    }
    let asked = ticket.requester.email.as_deref() == Some(sender);
    Ok(asked
        || ticket.copies.iter().any(|it| it == sender)
        || store::find_member_at(at, sender).await?.is_some()
        || store::wrote_in(at, &ticket.id, sender).await?)
}

/// The decision, unless its sender has sent too many.
async fn within_rate(
    at: &impl Tenant,
    mailbox: &Id,
    incoming: &Incoming,
    decision: Decision<Ticket>,
) -> Result<Decision<Ticket>, Problem> {
    let (what, rate) = match &decision {
        Decision::Open(_) if incoming.automatic.is_some() => ("automatic", OPENED_BY_PROGRAM),
        Decision::Open(_) => ("open", OPENED),
        Decision::Join(..) => ("join", JOINED),
        _ => return Ok(decision),
    };
    let sender = incoming.from.as_ref().map_or("", |it| it.email.as_str());
    let key = format!("tickets:mail:{mailbox}:{what}:{sender}");
    match at.admit(&key, rate).await? {
        Admission::Admitted => Ok(decision),
        Admission::Refused(_) => Ok(Decision::Ignore(Ignored::TooMany)),
    }
}

async fn bounced(
    at: &impl Tenant,
    after: Mail,
    incoming: &Incoming,
    ticket: &Ticket,
) -> Result<(Mail, Commit), Problem> {
    let nothing = Ignored::BounceOfNothing;
    let ignored = Mail { state: MailState::Ignored, ignored: Some(nothing), ..after.clone() };
    let Some(it) = &incoming.bounce else { return Ok((ignored, Commit::new())) };
    let named = match &it.of {
        Some(of) => store::find_mail(at, of).await?.filter(|found| found.0 == ticket.id.as_str()),
        None => None,
    };
    let message = match named {
        Some((_, message)) => Some(message),
        None => store::last_reply(at, &ticket.id).await?,
    };
    let Some(message) = message else { return Ok((ignored, Commit::new())) };
    let to = it.recipient.clone().or_else(|| ticket.requester.email.clone()).unwrap_or_default();
    let why = match (&it.status, it.fate) {
        (_, Fate::Complaint) => "the reader calls it spam".to_owned(),
        (Some(status), _) => format!("{status} {}", it.why).trim().to_owned(),
        (None, _) => it.why.clone(),
    };
    let permanent = it.fate != Fate::Delayed;
    let bounce = Bounce { to, permanent, why, at: at.now() };
    let commit = intake::bounced(at, ticket, &message, bounce).await?;
    let ticket = Some(ticket.id.clone());
    Ok((Mail { state: MailState::Bounced, ticket, message: Some(message), ..after }, commit))
}

/// A mail as the core takes it in, and its files, which are kept.
async fn intake_of(
    at: &impl Tenant,
    it: &Mail,
    mailbox: Option<&Mailbox>,
    incoming: &Incoming,
    raw: &[u8],
) -> Result<(intake::Incoming, Vec<Attachment>), Problem> {
    let scanned = mailbox.is_some_and(|it| it.scan_url.is_some());
    let files = attachment::of_mail(at, it, incoming, raw, scanned).await?;
    let (text, text_cut) = cut(&incoming.split.own, TEXT_BYTES_MAX);
    let (quoted, quoted_cut) = cut(&incoming.split.quoted, TEXT_BYTES_MAX);
    let html = incoming.html.clone().filter(|it| it.len() <= HTML_BYTES_MAX);
    let html_cut = incoming.html.is_some() && html.is_none();
    let found = json!({
        "id": it.id, "reply_to": incoming.reply_to, "sent_at": incoming.sent_at,
        "automatic": incoming.automatic, "suppresses": incoming.suppresses,
        "verdict": incoming.verdict, "left_out": incoming.left_out,
        "recipients": incoming.to.count,
    });
    let taken = intake::Incoming {
        from: from(incoming),
        subject: incoming.subject.clone(),
        text: if text.trim().is_empty() { "(no text)".to_owned() } else { text },
        html,
        quoted: Some(quoted).filter(|it| !it.is_empty()),
        message_id: incoming.message_id.clone(),
        cut: text_cut || quoted_cut || html_cut || !incoming.left_out.is_empty(),
        original: Some(blob(&it.id)),
        files: files.iter().map(Attachment::file).collect(),
        copies: copies(incoming, mailbox),
        mail: Some(found),
        channel: Channel::Mail,
        mailbox: Some(it.mailbox.clone()),
        team: mailbox.and_then(|it| it.team.clone()),
        quiet: incoming.automatic.is_some() || incoming.suppresses,
        ..intake::Incoming::default()
    };
    Ok((taken, files))
}

/// Who says it. What a form sends from an address that nobody reads is by whom it names.
fn from(incoming: &Incoming) -> Person {
    let nobody_reads = incoming.automatic == Some(Automatic::Sender);
    let named = incoming.reply_to.clone().filter(|_| nobody_reads);
    let it = named.or_else(|| incoming.from.clone()).unwrap_or_default();
    Person { email: Some(it.email).filter(|it| !it.is_empty()), name: it.name, member: None }
}

/// Who else reads the answers. A mail to very many is a circular.
fn copies(incoming: &Incoming, mailbox: Option<&Mailbox>) -> Vec<String> {
    if incoming.to.count > COPIES_OF_MAX || incoming.automatic.is_some() {
        return Vec::new();
    }
    let is_ours = |it: &str| {
        let base = token::without_extension(it);
        mailbox.is_some_and(|it| it.address == base)
            || incoming.delivered_to.iter().any(|to| to == it)
    };
    let sender = incoming.from.as_ref().map(|it| it.email.as_str());
    let others = incoming.to.people.iter().map(|it| it.email.as_str());
    let others = others.filter(|it| !is_ours(it) && Some(*it) != sender);
    others.map(ToOwned::to_owned).collect()
}

/// The text up to so many bytes, and whether there was more.
fn cut(text: &str, max: usize) -> (String, bool) {
    if text.len() <= max {
        return (text.to_owned(), false);
    }
    let end = text.char_indices().map(|it| it.0).take_while(|it| *it <= max).last();
    (text.get(..end.unwrap_or(0)).unwrap_or("").to_owned(), true)
}

/// A ticket that has the mail as a file, which nobody could read.
async fn unreadable(at: &impl Tenant, before: &Mail) -> Result<Commit, Problem> {
    let file = File {
        id: at.new_id("tat")?.to_string(),
        name: "mail.eml".to_owned(),
        kind: "message/rfc822".to_owned(),
        bytes: before.bytes,
        content_id: None,
    };
    let incoming = intake::Incoming {
        from: Person { email: before.from.clone(), ..Person::default() },
        subject: "A mail that could not be read".to_owned(),
        text: "A mail came in that could not be read. It is attached as it came.".to_owned(),
        original: Some(blob(&before.id)),
        files: vec![file.clone()],
        cut: true,
        channel: Channel::Mail,
        mailbox: Some(before.mailbox.clone()),
        ..intake::Incoming::default()
    };
    let taken = intake::open(at, incoming, None).await?;
    let attached = Attachment::whole(file, &blob(&before.id), &taken.ticket.id, at.now());
    let after = Mail {
        state: MailState::Unreadable,
        ticket: Some(taken.ticket.id.clone()),
        message: Some(taken.message.id.clone()),
        ..before.clone()
    };
    Ok(taken
        .commit
        .and(store::insert_attachment(&attached))
        .and(store::update_mail(before, &after)))
}

/// Writes down that a mail could not be read: each time its worker died with it.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    let Ok(id) = job.subject() else { return Ok(Commit::new()) };
    let found = store::find_mail_by_id(at, id.as_str()).await?;
    let Some(before) = found.filter(|it| it.state == MailState::Received) else {
        return Ok(Commit::new());
    };
    unreadable(at, &before).await.map_err(|err| PortError::new("tickets", err.words()))
}
