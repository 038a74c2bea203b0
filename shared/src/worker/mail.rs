//! Mail that Cloudflare's Email Routing hands over: the same request as by a client, with what the
//! runtime knows of the envelope sealed into it.

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use worker::{Context, Env};

use super::{Worker, module};
use crate::{
    directory, function::Function, http::header, mail_event::MailEvent, ports::Edge as _,
    problem::Problem, serve,
};

/// The kind of inbound address that a mailbox has in the directory.
const MAILBOX: &str = "mailbox";
/// Nobody here has this address (RFC 5321, RFC 3463).
const UNKNOWN: &str = "550 5.1.1 There is no such mailbox";

/// Takes a mail in. Gives why it is refused for ever, or nothing when it is kept.
///
/// # Errors
/// Why it cannot be kept now: whoever sent it is to try again.
pub async fn mail<F: Function>(
    raw: Vec<u8>,
    from: &str,
    to: &str,
    env: Env,
    context: Context,
) -> Result<Option<String>, String> {
    let edge = Worker::within(env, context);
    match keep::<F>(&edge, raw.into(), from, to).await {
        Ok(it) => Ok(it),
        Err(problem) => {
            let words = problem.cause().map_or_else(|| problem.words(), ToOwned::to_owned);
            edge.note(&format!("a mail was not taken: {words}"));
            refused(problem.status(), &problem.words()).map(Some).ok_or(words)
        }
    }
}

/// The words for what no other try mends.
fn refused(status: StatusCode, words: &str) -> Option<String> {
    let passes = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT];
    let is_final = status.is_client_error() && !passes.contains(&status);
    is_final.then(|| match status {
        StatusCode::NOT_FOUND => UNKNOWN.to_owned(),
        _ => format!("554 5.7.1 {words}"),
    })
}

async fn keep<F: Function>(
    edge: &Worker,
    raw: Bytes,
    from: &str,
    to: &str,
) -> Result<Option<String>, Problem> {
    let address = without_extension(to);
    let uri: Result<Uri, _> = format!("http://mail/v1/mail/{address}/raw").parse();
    let (Ok(uri), Some(tenant)) = (uri, directory::address(edge, MAILBOX, &address).await?) else {
        return Ok(Some(UNKNOWN.to_owned()));
    };
    let event = MailEvent::sealed(edge, &tenant, from, to, &raw).await?;
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, "message/rfc822")
        .header(crate::mail_event::HEADER, event)
        .body(())
        .map_err(|err| Problem::internal().caused_by(err))?;
    let (parts, ()) = request.into_parts();
    module::refuse_undeployed::<F>(edge, &parts).await?;
    let admitted = serve::admit::<F>(edge, &parts.method, &parts.uri, &parts.headers).await?;
    let principal = admitted.principal.ok_or_else(Problem::not_found)?;
    let mut response = module::at_object(edge, &principal, parts, raw).await?;
    let status = StatusCode::from_u16(response.status_code()).unwrap_or_default();
    if status.is_success() {
        return Ok(None);
    }
    let words = response.text().await.unwrap_or_default();
    match refused(status, "It is not taken") {
        Some(it) => Ok(Some(it)),
        None => Err(Problem::unavailable().caused_by(words)),
    }
}

/// The address without its extension (RFC 5233), in lower case.
fn without_extension(address: &str) -> String {
    let lower = address.trim().trim_matches(['<', '>']).to_lowercase();
    let (local, domain) = lower.rsplit_once('@').unwrap_or((&lower, ""));
    let base = local.split('+').next().unwrap_or(local);
    format!("{base}@{domain}")
}
