//! Events as the providers document them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn said(kind: Kind, body: Value) -> Vec<(String, Reason, Option<String>)> {
    let all = read(kind, body.to_string().as_bytes());
    all.into_iter().map(|it| (it.address.to_string(), it.reason, it.delivery)).collect()
}

fn one(reason: Reason) -> Vec<(String, Reason, Option<String>)> {
    vec![("ada@example.com".to_owned(), reason, Some("dlv_1".to_owned()))]
}

#[test]
fn resend_tells_of_bounces_and_complaints() {
    let event = |kind: &str, how: &str, tags: Value| {
        json!({"type": kind, "data": {"email_id": "e", "to": ["ada@example.com"],
            "tags": tags, "bounce": {"type": how, "message": "550 no such user"}}})
    };
    let tags = json!({"delivery": "dlv_1"});
    let listed = json!([{"name": "delivery", "value": "dlv_1"}]);

    let bounced = event("email.bounced", "Permanent", tags.clone());
    assert_eq!(said(Kind::Resend, bounced), one(Reason::Bounced));
    let complained = event("email.complained", "", listed);
    assert_eq!(said(Kind::Resend, complained), one(Reason::Complained));
    assert_eq!(said(Kind::Resend, event("email.bounced", "Transient", tags.clone())), []);
    assert_eq!(said(Kind::Resend, event("email.delivered", "", tags)), []);
}

#[test]
fn postmark_tells_what_it_no_longer_sends_to() {
    let bounce = |kind: &str, inactive: bool| {
        json!({"RecordType": "Bounce", "Type": kind, "Inactive": inactive, "Description": "gone",
            "Email": "ada@example.com", "Metadata": {"delivery": "dlv_1"}})
    };
    let change = |reason: &str, suppress: bool| {
        json!({"RecordType": "SubscriptionChange", "Recipient": "ada@example.com",
            "SuppressSending": suppress, "SuppressionReason": reason,
            "Metadata": {"delivery": "dlv_1"}})
    };

    assert_eq!(said(Kind::Postmark, bounce("HardBounce", true)), one(Reason::Bounced));
    assert_eq!(said(Kind::Postmark, bounce("SoftBounce", false)), []);
    let manual = change("ManualSuppression", true);
    assert_eq!(said(Kind::Postmark, manual), one(Reason::Unsubscribed));
    assert_eq!(said(Kind::Postmark, change("SpamComplaint", true)), one(Reason::Complained));
    assert_eq!(said(Kind::Postmark, change("", false)), []);
}

#[test]
fn sendgrid_tells_many_at_once() {
    let event = |kind: &str, how: &str, reason: &str| {
        json!({"event": kind, "type": how, "reason": reason, "email": "ada@example.com",
            "delivery": "dlv_1"})
    };
    let all = json!([
        event("bounce", "bounce", "550"),
        event("bounce", "blocked", "spam filter"),
        event("dropped", "", "Spam Reporting Address"),
        event("dropped", "", "Invalid SMTPAPI header"),
        event("group_unsubscribe", "", ""),
        event("open", "", ""),
    ]);

    let reasons: Vec<_> = said(Kind::Sendgrid, all).into_iter().map(|it| it.1).collect();

    assert_eq!(reasons, [Reason::Bounced, Reason::Complained, Reason::Unsubscribed]);
}

#[test]
fn ses_tells_by_sns_or_raw() {
    let bounce = |name: &str, how: &str| {
        json!({name: "Bounce", "mail": {"tags": {"delivery": ["dlv_1"]}},
            "bounce": {"bounceType": how, "bouncedRecipients":
                [{"emailAddress": "ada@example.com", "diagnosticCode": "smtp; 550"}]}})
    };
    let complaint = json!({"eventType": "Complaint", "mail": {"tags": {"delivery": ["dlv_1"]}},
        "complaint": {"complainedRecipients": [{"emailAddress": "ada@example.com"}]}});
    let wrapped = |it: Value| json!({"Type": "Notification", "Message": it.to_string()});

    assert_eq!(said(Kind::Ses, bounce("eventType", "Permanent")), one(Reason::Bounced));
    let by_sns = wrapped(bounce("notificationType", "Permanent"));
    assert_eq!(said(Kind::Ses, by_sns), one(Reason::Bounced));
    assert_eq!(said(Kind::Ses, bounce("eventType", "Transient")), []);
    assert_eq!(said(Kind::Ses, wrapped(complaint)), one(Reason::Complained));
    assert_eq!(said(Kind::Ses, json!({"Type": "SubscriptionConfirmation", "Message": "x"})), []);
    for message in [json!("Successfully validated SNS topic"), json!(null), json!({})] {
        let mut beside = bounce("notificationType", "Permanent");
        beside["Message"] = message;
        assert_eq!(said(Kind::Ses, beside), [], "what is beside the message is not signed");
    }
}

proptest! {
    #[test]
    fn whatever_comes_says_nothing_or_names_an_address(body in ".{0,200}") {
        for kind in Kind::ALL {
            prop_assert!(read(kind, body.as_bytes()).len() <= 1);
        }
    }
}
