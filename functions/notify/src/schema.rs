//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::{
    browser::{Browser, NewBrowser},
    delivery::Delivery,
    dkim_key::{DkimKey, DkimKeyChange, NewDkimKey},
    hook::{Hook, HookText},
    inbox::{Inbox, InboxMark},
    live::{InboxChanges, InboxLink, NewInboxLink},
    mailbox::CaughtMail,
    notice::{NewNotice, NoticeReport, amend::NoticeRevision},
    plan::NoticePlan,
    provider::{NewProvider, Provider, ProviderChange},
    rule::{Rule, RuleText},
    settings::Settings,
    sms::{SmsProvider, SmsText},
    suppression::{NewSuppression, Suppression},
    topic::{Change, Changed, Subscriber},
    vapid_key::VapidKey,
    wishes::Wishes,
    workflow::{Workflow, WorkflowText},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = sending();
    all.extend(providing());
    all.extend(signing());
    all.extend(suppressing());
    all.extend(ruling());
    all.extend(pushing());
    all.extend(wanting());
    all.extend(reading());
    all
}

fn sending() -> Vec<Operation> {
    vec![
        operation(
            "sendNotice",
            "Tell up to 10,000 of something, each by the channels of its type.",
        )
        .takes::<NewNotice>()
        .gives::<NoticeReport>(202),
        operation("cancelNoticeByKey", "Call off what of the notice with a key is not sent yet.")
            .query("key", "The key that it was sent with.")
            .gives::<NoticeReport>(200),
        operation("planNotice", "Say what would become of a notice, and send nothing.")
            .takes::<NewNotice>()
            .gives::<NoticePlan>(200),
        operation("getNotice", "Read a notice: what became of it, and why.")
            .gives::<NoticeReport>(200),
        operation("listDeliveriesOfNotice", "List what became of a notice, to each recipient.")
            .query(
                "recipient",
                "A member's id, or an address in lower case: what became of it there.",
            )
            .gives_page::<Delivery>(),
        operation("listSubscribers", "List who is subscribed to a topic.")
            .gives_page::<Subscriber>(),
        operation("changeSubscribers", "Subscribe some to a topic, and others no longer.")
            .takes::<Change>()
            .gives::<Changed>(200),
        operation("cancelNotice", "Call off what of a notice is not sent yet.")
            .gives::<NoticeReport>(200),
        operation(
            "reviseNotice",
            "Say something else by a notice, also where it was sent already.",
        )
        .takes::<NoticeRevision>()
        .gives::<NoticeReport>(202),
        operation("withdrawNotice", "Take a notice back wherever it can be reached.")
            .gives::<NoticeReport>(202),
        operation("listWorkflows", "List how notices are sent, by type.").gives_page::<Workflow>(),
        operation("getWorkflow", "Read how the notices of a type are sent.").gives::<Workflow>(200),
        operation("putWorkflow", "Say how the notices of a type are sent.")
            .takes::<WorkflowText>()
            .conditional()
            .gives::<Workflow>(200),
        operation("deleteWorkflow", "Send no more notices of a type.")
            .conditional()
            .gives_nothing(),
        operation("getNoticeSettings", "Read who sends the mail.").gives::<Settings>(200),
        operation("putNoticeSettings", "Say who sends the mail.")
            .takes::<Settings>()
            .conditional()
            .gives::<Settings>(200),
    ]
}

fn providing() -> Vec<Operation> {
    vec![
        operation("createNoticeProvider", "Connect a provider that carries mail.")
            .takes::<NewProvider>()
            .gives::<Provider>(201),
        operation("listNoticeProviders", "List the providers, in the order they are asked.")
            .gives_page::<Provider>(),
        operation("getNoticeProvider", "Read a provider, without its key.").gives::<Provider>(200),
        operation("changeNoticeProvider", "Change a provider.")
            .takes::<ProviderChange>()
            .conditional()
            .gives::<Provider>(200),
        operation("deleteNoticeProvider", "Disconnect a provider. After the last, mail is caught.")
            .conditional()
            .gives_nothing(),
    ]
}

fn ruling() -> Vec<Operation> {
    vec![
        operation("listNoticeHooks", "List the rooms and webhooks that notices are posted to.")
            .gives_page::<Hook>(),
        operation("getNoticeHook", "Read a hook, without its address.").gives::<Hook>(200),
        operation("putNoticeHook", "Say where notices are posted: Slack, Teams, or a webhook.")
            .takes::<HookText>()
            .conditional()
            .gives::<Hook>(200),
        operation("deleteNoticeHook", "Post no more notices to a hook.")
            .conditional()
            .gives_nothing(),
        operation("listNoticeRules", "List which entries of the log become notices, by name.")
            .gives_page::<Rule>(),
        operation("getNoticeRule", "Read a rule.").gives::<Rule>(200),
        operation("putNoticeRule", "Say which entries of the log become a notice, and of whom.")
            .takes::<RuleText>()
            .conditional()
            .gives::<Rule>(200),
        operation("deleteNoticeRule", "Make no more notices by a rule.")
            .conditional()
            .gives_nothing(),
    ]
}

fn suppressing() -> Vec<Operation> {
    vec![
        operation("listSuppressions", "List the addresses that are sent no mail.")
            .gives_page::<Suppression>(),
        operation("getSuppression", "Read why an address is sent no mail.")
            .gives::<Suppression>(200),
        operation("putSuppression", "Send an address no more mail.")
            .takes::<NewSuppression>()
            .gives::<Suppression>(200),
        operation("deleteSuppression", "Send an address mail again.").gives_nothing(),
    ]
}

fn signing() -> Vec<Operation> {
    vec![
        operation(
            "createDkimKey",
            "Make a key by which a domain signs mail that goes out by SMTP.",
        )
        .takes::<NewDkimKey>()
        .gives::<DkimKey>(201),
        operation("listDkimKeys", "List the keys by which domains sign, with their records.")
            .gives_page::<DkimKey>(),
        operation("getDkimKey", "Read a key, without its private half.").gives::<DkimKey>(200),
        operation("changeDkimKey", "Have a key sign whose record is in the DNS, or no longer.")
            .takes::<DkimKeyChange>()
            .conditional()
            .gives::<DkimKey>(200),
        operation("deleteDkimKey", "Delete a key.").conditional().gives_nothing(),
    ]
}

fn pushing() -> Vec<Operation> {
    vec![
        operation("listPushKeys", "List the keys that browsers subscribe under, the latest first.")
            .gives_page::<VapidKey>(),
        operation("rotatePushKey", "Make the key that browsers subscribe under from now on.")
            .gives::<VapidKey>(201),
        operation("listBrowsers", "List the browsers of a recipient that take messages.")
            .gives_page::<Browser>(),
        operation("subscribeBrowser", "Have a browser take messages.")
            .takes::<NewBrowser>()
            .gives::<Browser>(201),
        operation("unsubscribeBrowser", "Send a browser no more messages.").gives_nothing(),
    ]
}

fn wanting() -> Vec<Operation> {
    vec![
        operation("getDefaultPreferences", "Read what is presumed of everybody.")
            .gives::<Wishes>(200),
        operation("putDefaultPreferences", "Say what is presumed of everybody.")
            .takes::<Wishes>()
            .conditional()
            .gives::<Wishes>(200),
        operation("getPreferences", "Read what a member or an address wants to hear of.")
            .gives::<Wishes>(200),
        operation("putPreferences", "Say what a member or an address wants to hear of.")
            .takes::<Wishes>()
            .conditional()
            .gives::<Wishes>(200),
        operation("askUnsubscribe", "Where the link in a mail leads: asks, and changes nothing.")
            .gives_other("text/html"),
        operation("unsubscribe", "End mail of a type by one click (RFC 8058).")
            .gives_other("text/html"),
    ]
}

fn reading() -> Vec<Operation> {
    vec![
        operation("listInbox", "List what somebody has in the product, the latest first.")
            .query("state", "active, which is the default, unread, archived, snoozed or all.")
            .query("category", "Only items of this category.")
            .query("language", "The language of the words, as de; the member's own when left out.")
            .gives::<Inbox>(200),
        operation("markInbox", "Mark items as seen, read, unread, archived, snoozed or active.")
            .takes::<InboxMark>()
            .gives_nothing(),
        operation("createInboxLink", "Let a browser list, mark and follow one inbox, for a while.")
            .takes::<NewInboxLink>()
            .gives::<InboxLink>(201),
        operation("followInbox", "Follow an inbox as server-sent events, from Last-Event-ID.")
            .query("after", "Start after this sequence; from now on when left out.")
            .gives_other("text/event-stream"),
        operation("listInboxChanges", "List what changed in an inbox, or wait for it.")
            .query("after", "After this sequence; from now on when left out.")
            .query("wait_seconds", "How long to wait for a change: 0 to 25.")
            .gives::<InboxChanges>(200),
        operation("askInbox", "What a page of another origin may send; browsers ask it.")
            .gives_nothing(),
        operation("getLiveClient", "The client for browsers that follows an inbox.")
            .gives_other("text/javascript"),
        operation("getSmsAccount", "Read by which account short messages go.")
            .gives::<SmsProvider>(200),
        operation("putSmsAccount", "Say by which account short messages go.")
            .takes::<SmsText>()
            .gives::<SmsProvider>(200),
        operation("deleteSmsAccount", "Send no short messages any more.").gives_nothing(),
        operation("listMailbox", "List mail that was caught and not sent, the latest first.")
            .gives_page::<CaughtMail>(),
        operation("getMail", "Read a mail that was caught, as MIME.").gives_other("message/rfc822"),
    ]
}
