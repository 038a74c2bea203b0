//! What a delivery makes of what it hears.

use serde_json::json;

use super::*;

fn requested() -> Delivery {
    let (email, name, locale) = ("Billing@acme.example".into(), "Acme".into(), "de".into());
    Delivery {
        id: "bdl_1".to_owned(),
        invoice: "inv_1".to_owned(),
        to: Addressee { email, name, locale },
        state: DeliveryState::Requested,
        why: None,
        sha256: None,
        asked_at: Timestamp(0),
        sent_at: None,
        changed_at: Timestamp(0),
    }
}

fn mail(why: Option<&str>) -> Value {
    json!({"recipient": "billing@acme.example", "channel": "email", "why": why})
}

#[test]
fn a_mail_is_sent_and_may_come_back() {
    let mut it = requested();

    assert!(it.hears("notice.sent", &mail(None), Timestamp(1)));
    assert_eq!((it.state, it.sent_at), (DeliveryState::Sent, Some(Timestamp(1))));
    assert!(it.hears("notice.bounced", &mail(Some("no such user")), Timestamp(2)));

    assert_eq!((it.state, it.why.as_deref()), (DeliveryState::Bounced, Some("no such user")));
    assert_eq!((it.sent_at, it.changed_at), (Some(Timestamp(1)), Timestamp(2)));
}

#[test]
fn what_failed_may_get_through_by_another_notice_and_not_the_other_way_round() {
    let mut it = requested();

    assert!(it.hears("notice.failed", &mail(Some("resend: 422")), Timestamp(1)));
    assert_eq!(it.why.as_deref(), Some("resend: 422"));
    assert!(it.hears("notice.sent", &mail(None), Timestamp(2)));
    assert!(!it.hears("notice.failed", &mail(Some("late")), Timestamp(3)));
    assert!(!it.hears("notice.sent", &mail(None), Timestamp(4)));

    assert_eq!((it.state, it.why, it.changed_at), (DeliveryState::Sent, None, Timestamp(2)));
}

#[test]
fn only_the_mail_to_its_own_address_counts() {
    let mut it = requested();
    let other = json!({"recipient": "boss@acme.example", "channel": "email"});
    let inbox = json!({"recipient": "billing@acme.example", "channel": "in_app"});

    assert!(!it.hears("notice.sent", &other, Timestamp(1)));
    assert!(!it.hears("notice.sent", &inbox, Timestamp(1)));
    assert!(!it.hears("notice.created", &mail(None), Timestamp(1)));

    assert_eq!(it, requested());
}

#[test]
fn a_notice_that_cannot_be_or_is_called_off_says_so() {
    let mut it = requested();
    assert!(it.hears("notice.refused", &json!({"why": "type: put the workflow"}), Timestamp(1)));
    assert_eq!(
        (it.state, it.why.as_deref()),
        (DeliveryState::Failed, Some("type: put the workflow"))
    );

    let mut it = requested();
    assert!(it.hears("notice.cancelled", &json!({}), Timestamp(1)));
    assert_eq!(it.state, DeliveryState::Withheld);
    assert!(it.why.is_some());
}
