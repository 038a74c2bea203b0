//! Notifications: who hears of what, by which channel, when, and in which words.
//!
//! The decisions are pure: `preference`, `quiet`, `digest`, `throttle`, `delay`, `template`,
//! `thread`, `inline`, `mail`, `mail_api`, `smtp::talk`, `dkim`, `push`. What is served carries them
//! out: `workflow` says how the notices of a type are sent, `notice` takes one in, `delivery` brings it to one recipient by one channel,
//! `outbox` to a provider, `pushing` to browsers.

pub mod audience;
pub mod batch;
pub mod browser;
pub mod channel;
pub mod delay;
pub mod delivery;
pub mod digest;
pub mod dkim;
pub mod dkim_key;
pub mod eligible;
pub mod fallback;
pub mod feedback;
pub mod files;
pub mod hook;
pub mod inbox;
pub mod inline;
pub mod language;
pub mod letter;
pub mod live;
pub mod mail;
pub mod mail_api;
pub mod mailbox;
pub mod notice;
pub mod outbox;
pub mod plan;
pub mod posting;
pub mod preference;
pub mod provider;
pub mod push;
pub mod pushing;
pub mod quiet;
pub mod recipient;
pub mod rule;
pub mod schema;
pub mod settings;
pub mod sms;
pub mod smtp;
mod store;
pub mod suppression;
pub mod template;
pub mod texting;
pub mod thread;
pub mod throttle;
pub mod topic;
#[cfg(test)]
mod transitions;
mod translation;
pub mod unsubscribe;
pub mod vapid_key;
pub mod wishes;
pub mod workflow;

use shared::{
    domain::{Commit, Entry, Failure, Job},
    function::Function,
    http::Response,
    live::News,
    ports::{Edge, PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

use crate::notice::amend;

shared::serve!(Notify);

/// The capability.
pub struct Notify;

const SEND: Access = Access::Scope("notifications:send");
const READ: Access = Access::Scope("notifications:read");
const WRITE: Access = Access::Scope("notifications:write");
const UNSUBSCRIBE: Access = Access::Scope(unsubscribe::SCOPE);

const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/notifications", "sendNotice", SEND).body(notice::BODY_BYTES_MAX),
    Route::new("DELETE", "/v1/notifications", "cancelNoticeByKey", SEND),
    Route::new("POST", "/v1/notifications/plan", "planNotice", READ),
    Route::new("GET", "/v1/notifications/{id}", "getNotice", READ),
    Route::new("GET", "/v1/notifications/{id}/deliveries", "listDeliveriesOfNotice", READ),
    Route::new("GET", "/v1/notifications/topics/{topic}/subscribers", "listSubscribers", READ),
    Route::new("POST", "/v1/notifications/topics/{topic}/subscribers", "changeSubscribers", WRITE),
    Route::new("DELETE", "/v1/notifications/{id}", "cancelNotice", SEND),
    Route::new("PATCH", "/v1/notifications/{id}", "reviseNotice", SEND)
        .body(notice::BODY_BYTES_MAX),
    Route::new("POST", "/v1/notifications/{id}/withdraw", "withdrawNotice", SEND),
    Route::new("GET", "/v1/notifications/workflows", "listWorkflows", READ),
    Route::new("GET", "/v1/notifications/workflows/{type}", "getWorkflow", READ),
    Route::new("PUT", "/v1/notifications/workflows/{type}", "putWorkflow", WRITE)
        .body(workflow::BODY_BYTES_MAX),
    Route::new("DELETE", "/v1/notifications/workflows/{type}", "deleteWorkflow", WRITE),
    Route::new("GET", "/v1/notifications/settings", "getNoticeSettings", READ),
    Route::new("PUT", "/v1/notifications/settings", "putNoticeSettings", WRITE),
    Route::new("POST", "/v1/notifications/providers", "createNoticeProvider", WRITE),
    Route::new("GET", "/v1/notifications/providers", "listNoticeProviders", READ),
    Route::new("GET", "/v1/notifications/providers/{id}", "getNoticeProvider", READ),
    Route::new("PATCH", "/v1/notifications/providers/{id}", "changeNoticeProvider", WRITE),
    Route::new("DELETE", "/v1/notifications/providers/{id}", "deleteNoticeProvider", WRITE),
    Route::new("POST", "/v1/notifications/dkim/keys", "createDkimKey", WRITE),
    Route::new("GET", "/v1/notifications/dkim/keys", "listDkimKeys", READ),
    Route::new("GET", "/v1/notifications/dkim/keys/{id}", "getDkimKey", READ),
    Route::new("PATCH", "/v1/notifications/dkim/keys/{id}", "changeDkimKey", WRITE),
    Route::new("DELETE", "/v1/notifications/dkim/keys/{id}", "deleteDkimKey", WRITE),
    Route::new("GET", "/v1/notifications/suppressions", "listSuppressions", READ),
    Route::new("GET", "/v1/notifications/suppressions/{address}", "getSuppression", READ),
    Route::new("PUT", "/v1/notifications/suppressions/{address}", "putSuppression", WRITE),
    Route::new("DELETE", "/v1/notifications/suppressions/{address}", "deleteSuppression", WRITE),
    Route::new("GET", "/v1/notifications/push/keys", "listPushKeys", READ),
    Route::new("POST", "/v1/notifications/push/keys", "rotatePushKey", WRITE),
    Route::new("GET", "/v1/notifications/push/subscriptions/{recipient}", "listBrowsers", READ),
    Route::new(
        "POST",
        "/v1/notifications/push/subscriptions/{recipient}",
        "subscribeBrowser",
        WRITE,
    ),
    Route::new(
        "DELETE",
        "/v1/notifications/push/subscriptions/{recipient}/{id}",
        "unsubscribeBrowser",
        WRITE,
    ),
    Route::new("GET", "/v1/notifications/hooks", "listNoticeHooks", READ),
    Route::new("GET", "/v1/notifications/hooks/{name}", "getNoticeHook", READ),
    Route::new("PUT", "/v1/notifications/hooks/{name}", "putNoticeHook", WRITE),
    Route::new("DELETE", "/v1/notifications/hooks/{name}", "deleteNoticeHook", WRITE),
    Route::new("GET", "/v1/notifications/rules", "listNoticeRules", READ),
    Route::new("GET", "/v1/notifications/rules/{name}", "getNoticeRule", READ),
    Route::new("PUT", "/v1/notifications/rules/{name}", "putNoticeRule", WRITE),
    Route::new("DELETE", "/v1/notifications/rules/{name}", "deleteNoticeRule", WRITE),
    Route::new("GET", "/v1/notifications/preferences", "getDefaultPreferences", READ),
    Route::new("PUT", "/v1/notifications/preferences", "putDefaultPreferences", WRITE),
    Route::new("GET", "/v1/notifications/preferences/{recipient}", "getPreferences", READ),
    Route::new("PUT", "/v1/notifications/preferences/{recipient}", "putPreferences", WRITE),
    Route::new("GET", "/v1/notifications/inbox/{member}", "listInbox", READ),
    Route::new("POST", "/v1/notifications/inbox/{member}/marks", "markInbox", WRITE),
    Route::new("POST", "/v1/notifications/inbox/{member}/links", "createInboxLink", WRITE),
    Route::new("GET", "/v1/notifications/inbox/{member}/live", "followInbox", READ),
    Route::new("GET", "/v1/notifications/inbox/{member}/changes", "listInboxChanges", READ),
    Route::new("GET", "/v1/notifications/live.js", "getLiveClient", Access::Public),
    Route::new("OPTIONS", "/v1/notifications/inbox/{path*}", "askInbox", Access::Public),
    Route::new("GET", "/v1/notifications/sms", "getSmsAccount", READ),
    Route::new("PUT", "/v1/notifications/sms", "putSmsAccount", WRITE),
    Route::new("DELETE", "/v1/notifications/sms", "deleteSmsAccount", WRITE),
    Route::new("GET", "/v1/notifications/mailbox", "listMailbox", READ),
    Route::new("GET", "/v1/notifications/mailbox/{id}", "getMail", READ),
    Route::new("GET", "/v1/notifications/unsubscribe/{id}", "askUnsubscribe", UNSUBSCRIBE),
    Route::new("POST", "/v1/notifications/unsubscribe/{id}", "unsubscribe", UNSUBSCRIBE),
];

impl Function for Notify {
    const NAME: &'static str = "notify";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "sendNotice" => notice::send(at, call.json()?).await,
            "cancelNoticeByKey" => notice::cancel_by_key(at, call).await,
            "planNotice" => plan::plan(at, call.json()?).await,
            "listDeliveriesOfNotice" => notice::deliveries(at, call).await,
            "listSubscribers" => topic::list(at, call).await,
            "changeSubscribers" => topic::change(at, call).await,
            "getNotice" => notice::get(at, call).await,
            "cancelNotice" => notice::cancel(at, call).await,
            "reviseNotice" => amend::revise(at, call).await,
            "withdrawNotice" => amend::withdraw(at, call).await,
            "listWorkflows" => workflow::list(at, call).await,
            "getWorkflow" => workflow::get(at, call).await,
            "putWorkflow" => workflow::put(at, call).await,
            "deleteWorkflow" => workflow::delete(at, call).await,
            "getNoticeSettings" => settings::get(at).await,
            "putNoticeSettings" => settings::put(at, call).await,
            "createNoticeProvider" => provider::create(at, call.json()?).await,
            "listNoticeProviders" => provider::list(at).await,
            "getNoticeProvider" => provider::get(at, call).await,
            "changeNoticeProvider" => provider::change(at, call).await,
            "deleteNoticeProvider" => provider::delete(at, call).await,
            "createDkimKey" => dkim_key::create(at, call.json()?).await,
            "listDkimKeys" => dkim_key::list(at).await,
            "getDkimKey" => dkim_key::get(at, call).await,
            "changeDkimKey" => dkim_key::change(at, call).await,
            "deleteDkimKey" => dkim_key::delete(at, call).await,
            "listSuppressions" => suppression::list(at, call).await,
            "getSuppression" => suppression::get(at, call).await,
            "putSuppression" => suppression::put(at, call).await,
            "deleteSuppression" => suppression::delete(at, call).await,
            "listPushKeys" => vapid_key::list(at).await,
            "rotatePushKey" => vapid_key::rotate(at).await,
            "listBrowsers" => browser::list(at, call).await,
            "subscribeBrowser" => browser::subscribe(at, call).await,
            "unsubscribeBrowser" => browser::unsubscribe(at, call).await,
            "listNoticeHooks" => hook::list(at, call).await,
            "getNoticeHook" => hook::get(at, call).await,
            "putNoticeHook" => hook::put(at, call).await,
            "deleteNoticeHook" => hook::delete(at, call).await,
            "listNoticeRules" => rule::list(at, call).await,
            "getNoticeRule" => rule::get(at, call).await,
            "putNoticeRule" => rule::put(at, call).await,
            "deleteNoticeRule" => rule::delete(at, call).await,
            "getDefaultPreferences" => wishes::get(at, wishes::TENANT).await,
            "putDefaultPreferences" => wishes::put(at, call, wishes::TENANT).await,
            "getPreferences" => wishes::get(at, &recipient::key(at, call).await?).await,
            "putPreferences" => wishes::put(at, call, &recipient::key(at, call).await?).await,
            "listInbox" => inbox::list(at, call).await.map(live::readable),
            "markInbox" => inbox::mark(at, call).await.map(live::readable),
            "createInboxLink" => live::link(at, call).await,
            "followInbox" => live::follow(at, call).await.map(live::readable),
            "listInboxChanges" => live::changes(at, call).await.map(live::readable),
            "getSmsAccount" => sms::get(at).await,
            "putSmsAccount" => sms::put(at, call).await,
            "deleteSmsAccount" => sms::delete(at, call).await,
            "listMailbox" => mailbox::list(at, call).await,
            "getMail" => mailbox::get(at, call).await,
            "askUnsubscribe" => unsubscribe::ask(at, call).await,
            "unsubscribe" => unsubscribe::unsubscribe(at, call).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn news(
        at: &impl Tenant,
        call: &Call,
        place: Option<&str>,
    ) -> Result<Option<News>, Problem> {
        match call.operation() {
            "followInbox" => live::news(at, call, place).await,
            _ => Ok(None),
        }
    }

    async fn edge(_: &impl Edge, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "getLiveClient" => Ok(live::client()),
            "askInbox" => Ok(live::allowed()),
            _ => Err(Problem::not_found()),
        }
    }

    async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        match job.kind.as_str() {
            delivery::SEND => delivery::work(at, job).await,
            batch::CLOSE => batch::close(at, job).await,
            audience::FAN => audience::work(at, job).await,
            amend::AMEND => amend::work(at, job).await,
            rule::FIRE => rule::fire(at, job).await,
            outbox::SEND => outbox::work(at, job).await,
            posting::SEND => posting::work(at, job).await,
            pushing::SEND => pushing::work(at, job).await,
            texting::SEND => texting::work(at, job).await,
            suppression::HEAR => suppression::hear(at, job).await,
            other => Err(Failure::dead(format!("notify works no {other}"))),
        }
    }

    async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        match job.kind.as_str() {
            outbox::SEND | posting::SEND | pushing::SEND | texting::SEND => {
                delivery::give_up(at, job).await
            }
            _ => Ok(Commit::new()),
        }
    }

    fn follows(_: &str) -> &'static [&'static str] {
        rule::FOLLOWS
    }

    async fn follow(_: &str, at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        // What providers tell comes by webhooks, which are followed for rules as well.
        Ok(suppression::follow(at, entries).await?.and(rule::follow(at, entries).await?))
    }
}
