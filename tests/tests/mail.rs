//! Mail goes out by a provider: whichever takes it, once, and the next when one does not.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test mail`

use serde_json::{Value, json};
use tests::{
    desk::Desk,
    fake_mail::{FakeMail, Fault, UNWANTED},
    host::{Host, request},
};

const KINDS: [&str; 4] = ["resend", "postmark", "sendgrid", "ses"];
const ADA: &str = "ada@example.com";

fn each_provider_gets_the_whole_mail(host: &Host) {
    for kind in KINDS {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
        let id = desk.connect(&fake, kind, 1, json!({}));

        let notice = desk.hello(ADA);
        let sent = desk.until_state(&notice, "sent");

        let taken = fake.taken();
        assert_eq!(taken.len(), 1, "{kind}");
        let it = &taken[0];
        assert_eq!((it.by.as_str(), &json!(it.delivery)), (kind, &sent["id"]));
        assert_eq!(
            (&sent["provider"], &sent["reference"]),
            (&json!(id), &json!(format!("{kind}-1")))
        );
        assert!(it.from.contains("news@example.com"), "{it:?}");
        assert!(it.to.contains(ADA), "{it:?}");
        assert_eq!(it.subject, "Hello Ada");
        assert!(it.text.contains("Hello you."), "{it:?}");
        assert!(it.html.contains("Hello <strong>you</strong>."), "{it:?}");
        let header = |name: &str| it.headers.get(name).cloned().unwrap_or_default();
        assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click", "{it:?}");
        assert!(header("List-Unsubscribe").contains(&it.delivery), "{it:?}");
        assert_eq!(header("Auto-Submitted"), "auto-generated");
        assert_eq!(header("Message-ID"), format!("<{}@example.com>", it.delivery));
        let caught = desk.get("/v1/notifications/mailbox");
        assert_eq!(caught["items"], json!([]), "what a provider has is not caught");
    }
}

fn the_next_takes_what_one_does_not(host: &Host) {
    for status in [401, 404, 422, 429, 500, 503] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
        desk.connect(&fake, "postmark", 2, json!({}));
        desk.connect(&fake, "resend", 1, json!({}));
        fake.fail("resend", &[Fault::Status(status)]);

        let notice = desk.hello(ADA);
        desk.until_state(&notice, "sent");

        let by: Vec<_> = fake.taken().into_iter().map(|it| it.by).collect();
        assert_eq!(by, ["postmark"], "{status}");
        assert_eq!((fake.calls("resend"), fake.calls("postmark")), (1, 1), "{status}");
    }
}

/// A provider that takes a mail and never answers is asked again by the same key.
fn a_lost_answer_sends_nothing_twice_where_keys_are_known(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    desk.connect(&fake, "resend", 1, json!({}));
    desk.connect(&fake, "sendgrid", 2, json!({}));
    fake.fail("resend", &[Fault::Lost]);

    let notice = desk.hello(ADA);
    let sent = desk.until_state(&notice, "sent");

    assert_eq!((fake.calls("resend"), fake.calls("sendgrid")), (2, 0));
    assert_eq!(fake.taken().len(), 1, "the second call had its effect already");
    assert_eq!(sent["reference"], "resend-1");
}

/// Others know no keys: then a reader may get it twice, as one and the same mail.
fn a_lost_answer_of_another_repeats_the_same_mail(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    desk.connect(&fake, "postmark", 1, json!({}));
    desk.connect(&fake, "resend", 2, json!({}));
    fake.fail("postmark", &[Fault::Lost, Fault::Lost]);

    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    let taken = fake.taken();
    let by: Vec<_> = taken.iter().map(|it| it.by.as_str()).collect();
    assert_eq!(
        by,
        ["postmark", "postmark", "resend"],
        "after two that are lost it is the next one's"
    );
    assert_eq!(taken[0], taken[1], "to the byte");
    assert_eq!(taken[0].headers["Message-ID"], taken[2].headers["Message-ID"]);
}

fn a_rate_hands_over_to_the_next_and_then_waits(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    let rate = json!({"rate": {"count": 1, "seconds": 60}});
    desk.connect(&fake, "resend", 1, rate.clone());
    desk.connect(&fake, "postmark", 2, rate);

    let notices: Vec<_> = (0..3).map(|it| desk.hello(&format!("a{it}@example.com"))).collect();
    for notice in &notices {
        desk.until_state(notice, "sent");
    }

    let mut by: Vec<_> = fake.taken().into_iter().map(|it| it.by).collect();
    assert_eq!(by.len(), 3);
    by.truncate(2);
    by.sort();
    assert_eq!(by, ["postmark", "resend"]);
}

fn what_nobody_takes_has_failed_and_says_why(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    desk.connect(&fake, "resend", 1, json!({}));
    desk.connect(&fake, "sendgrid", 2, json!({}));

    let notice = desk.hello(UNWANTED);
    let failed = desk.until_state(&notice, "failed");

    let why = failed["why"].as_str().unwrap();
    assert!(why.contains("resend: 422") && why.contains("sendgrid: 422"), "{why}");
    assert!(why.contains("unwanted"), "{why}");
}

fn a_wrong_key_is_mended(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    let id = desk.connect(&fake, "resend", 1, json!({"key": "key_wrong_000000"}));
    let notice = desk.hello(ADA);
    desk.until("/v1/whoami", |_| fake.calls("resend") == 1);
    assert_eq!(desk.get(&notice)["deliveries"][0]["state"], "waiting");

    let path = format!("/v1/notifications/providers/{id}");
    desk.send("PATCH", &path, json!({"key": tests::fake_mail::KEY}));

    desk.until_state(&notice, "sent");
    assert_eq!(fake.taken().len(), 1);
}

fn what_is_called_off_is_not_handed_over(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    desk.connect(&fake, "resend", 1, json!({}));
    fake.fail("resend", &[Fault::Status(503)]);
    let notice = desk.hello(ADA);
    desk.until("/v1/whoami", |_| fake.calls("resend") == 1);

    desk.send("DELETE", &notice, Value::Null);

    desk.until("/v1/jobs", |it| it["items"] == json!([]));
    desk.until_state(&notice, "cancelled");
    assert_eq!(fake.taken(), []);
}

fn providers_have_a_number(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    for _ in 0..10 {
        desk.connect(&fake, "resend", 1, json!({}));
    }

    let new = json!({"name": "x", "kind": "resend", "key": "key_test_12345678"});
    let refused = desk.ask("POST", "/v1/notifications/providers", new);

    assert_eq!(refused.status, 409);
    assert!(refused.text("/detail").contains("delete"), "{}", refused.json());
}

/// What became known of an address while its mail waited for a provider counts; and a webhook that
/// tells of many is taken in by slices.
fn what_waits_is_withheld_when_its_address_is_suppressed(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeMail::start());
    let source = json!({"name": "s", "recipe": "basic", "secret": "user:password"});
    let source = desk.send("POST", "/v1/webhooks/sources", source);
    desk.connect(&fake, "sendgrid", 1, json!({"source": source["id"]}));
    fake.fail("sendgrid", &[Fault::Status(503)]);
    let notice = desk.hello("a119@example.com");
    desk.until("/v1/whoami", |_| fake.calls("sendgrid") == 1);

    let events: Vec<_> = (0..120)
        .map(|it| json!({"event": "spamreport", "email": format!("a{it}@example.com")}))
        .collect();
    let headers = [("authorization", "Basic dXNlcjpwYXNzd29yZA==")];
    let path = source["path"].as_str().unwrap();
    let taken = host.call(request("POST", path, &headers, &json!(events)));
    assert_eq!(taken.status, 200);

    let withheld = desk.until_state(&notice, "withheld");
    let why = withheld["why"].as_str().unwrap();
    assert!(why.contains("suppressed") && why.contains("complained"), "{why}");
    let all = desk.until("/v1/notifications/suppressions?limit=200", |it| {
        it["items"].as_array().unwrap().len() == 120
    });
    assert_eq!(all["items"][0]["reason"], "complained");
    assert_eq!(fake.taken(), []);
}

#[test]
fn whole_mails() {
    Host::everywhere("whole", &[], each_provider_gets_the_whole_mail);
}

#[test]
fn fail_over() {
    Host::everywhere("fail-over", &[], the_next_takes_what_one_does_not);
}

#[test]
fn a_lost_answer_with_keys() {
    Host::everywhere("lost", &[], a_lost_answer_sends_nothing_twice_where_keys_are_known);
}

#[test]
fn a_lost_answer_without_keys() {
    Host::everywhere("lost twice", &[], a_lost_answer_of_another_repeats_the_same_mail);
}

#[test]
fn rates() {
    a_rate_hands_over_to_the_next_and_then_waits(&Host::memory());
}

#[test]
fn nobody_takes_it() {
    Host::everywhere("nobody", &[], what_nobody_takes_has_failed_and_says_why);
}

#[test]
fn a_wrong_key() {
    a_wrong_key_is_mended(&Host::memory());
}

#[test]
fn called_off() {
    what_is_called_off_is_not_handed_over(&Host::memory());
}

#[test]
fn suppressed_meanwhile() {
    Host::everywhere("suppressed", &[], what_waits_is_withheld_when_its_address_is_suppressed);
}

#[test]
fn a_full_list_of_providers() {
    providers_have_a_number(&Host::memory());
}
