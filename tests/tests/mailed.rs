//! Invoices are mailed: what a reader gets is the PDF, to the byte, and what became of each mail is
//! kept beside the invoice.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test mailed`

use bytes::Bytes;
use serde_json::{Value, json};
use shared::ports::{Blobs as _, Edge as _};
use tests::{
    desk::Desk,
    fake_mail::{FakeMail, Fault, UNWANTED, attached},
    host::{Host, request},
};

const KINDS: [&str; 4] = ["resend", "postmark", "sendgrid", "ses"];
const ACME: &str = "billing@acme.example";
const PDF: &str = "application/pdf";

/// A tenant that mails its bills, by a rule; its customer `acme` has this address.
fn office<'a>(host: &'a Host, email: &str) -> Desk<'a> {
    let desk = Desk::open(host, &["email"]);
    let template = json!({
        "subject": "{{ entry.data.words.title }}",
        "markdown": "{% if recipient.locale == 'de' %}Guten Tag{% else %}Hello{% endif %} \
            {{ recipient.name }}, {{ entry.data.words.gross }}.",
    });
    let workflow = json!({"channels": ["email"], "critical": true, "template": template});
    desk.send("PUT", "/v1/notifications/workflows/bill", workflow);
    for name in ["invoice", "credit_note"] {
        let rule = json!({"action": format!("{name}.delivery_requested"), "type": "bill",
            "to_found": ["/data/to"], "files_found": "/data/files"});
        desk.send("PUT", &format!("/v1/notifications/rules/{name}"), rule);
    }
    let entity = json!({"party": {"name": "Tea GmbH", "street": "Teeweg 1", "city": "Berlin",
        "postcode": "10115", "country": "DE", "vat_id": "DE123456789"},
        "invoice_number": "T/{year}/{counter:4}", "mails_bills": true});
    desk.send("PUT", "/v1/billing/entities/default", entity);
    let customer = json!({"party": {"name": "Äcme AG", "street": "Amboss 2", "city": "Hamburg",
        "postcode": "20095", "country": "DE"},
        "email": email, "locale": "de", "collection": "send_invoice"});
    desk.send("PUT", "/v1/billing/customers/acme", customer);
    desk
}

/// Makes an invoice; gives where it is read.
fn invoice(desk: &Desk) -> String {
    let new = json!({"customer": "acme", "currency": "EUR", "finalise": true,
        "lines": [{"name": "Consulting", "unit_amount": 10_000}]});
    let made = desk.send("POST", "/v1/billing/invoices", new);
    format!("/v1/billing/invoices/{}", made["id"].as_str().unwrap())
}

/// Waits until the latest of so many deliveries is in this state, and gives it.
fn until(desk: &Desk, invoice: &str, number: usize, state: &str) -> Value {
    let path = format!("{invoice}/deliveries");
    let found = desk.until(&path, |it| it["items"][number - 1]["state"] == state);
    assert_eq!(found["items"].as_array().unwrap().len(), number);
    found["items"][number - 1].clone()
}

fn pdf(desk: &Desk, invoice: &str) -> Vec<u8> {
    let answer = desk.ask("GET", &format!("{invoice}/file?format=pdf"), Value::Null);
    assert_eq!(answer.status, 200);
    answer.body.to_vec()
}

fn each_provider_gets_the_pdf(host: &Host) {
    for kind in KINDS {
        let (desk, fake) = (office(host, ACME), FakeMail::start());
        desk.connect(&fake, kind, 1, json!({}));

        let invoice = invoice(&desk);
        let sent = until(&desk, &invoice, 1, "sent");

        let taken = fake.taken();
        assert_eq!(taken.len(), 1, "{kind}");
        assert!(taken[0].to.contains(ACME), "{:?}", taken[0].to);
        let bytes = pdf(&desk, &invoice);
        assert!(bytes.starts_with(b"%PDF-"));
        let year = sent["asked_at"].as_str().unwrap()[..4].to_owned();
        let file = (format!("T-{year}-0001.pdf"), PDF.to_owned(), bytes);
        assert!(taken[0].files == [file], "{kind}: the file is another");
        assert_eq!(sent["to"], json!({"email": ACME, "name": "Äcme AG", "locale": "de"}));
    }
}

fn the_mailbox_keeps_the_pdf_and_the_words_of_its_reader(host: &Host) {
    let desk = office(host, ACME);

    let invoice = invoice(&desk);
    until(&desk, &invoice, 1, "sent");

    let caught = desk.get("/v1/notifications/mailbox");
    let id = caught["items"][0]["id"].as_str().unwrap();
    let subject = caught["items"][0]["subject"].as_str().unwrap();
    assert!(subject.starts_with("Rechnung T/"), "{subject}");
    let mime = desk.ask("GET", &format!("/v1/notifications/mailbox/{id}"), Value::Null).body;
    let files = attached(&mime);
    assert_eq!(files.len(), 1);
    assert!(files[0].2 == pdf(&desk, &invoice), "to the byte");
    let text = String::from_utf8_lossy(&mime);
    assert!(text.contains("Guten Tag"), "{text}");
    // A note of it is mailed alike.
    desk.send("POST", &format!("{invoice}/credit"), json!({}));
    let both = desk.until("/v1/notifications/mailbox", |it| it["items"][1].is_object());
    let subject = both["items"][0]["subject"].as_str().unwrap();
    assert!(subject.contains("CN-"), "{subject}");
}

/// Each try carries the same file, also when the invoice was paid meanwhile.
fn a_try_again_is_the_same_mail(host: &Host) {
    let (desk, fake) = (office(host, ACME), FakeMail::start());
    desk.connect(&fake, "postmark", 1, json!({}));
    fake.fail("postmark", &[Fault::Lost]);
    let invoice = invoice(&desk);
    let before = pdf(&desk, &invoice);
    desk.until("/v1/whoami", |_| fake.calls("postmark") == 1);

    desk.send("POST", &format!("{invoice}/payments"), json!({}));
    until(&desk, &invoice, 1, "sent");

    let taken = fake.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken[0] == taken[1], "to the byte");
    assert!(taken[1].files[0].2 == before);
    assert!(pdf(&desk, &invoice) != before, "it says that it is paid");
}

fn what_a_provider_refuses_is_read_and_sent_again(host: &Host) {
    let (desk, fake) = (office(host, UNWANTED), FakeMail::start());
    desk.connect(&fake, "resend", 1, json!({}));

    let invoice = invoice(&desk);
    let failed = until(&desk, &invoice, 1, "failed");
    let why = failed["why"].as_str().unwrap();
    assert!(why.contains("resend: 422") && why.contains("unwanted"), "{why}");
    let path = format!("{invoice}/send");
    let again = desk.send("POST", &path, json!({"email": "other@acme.example", "name": "Bo"}));
    assert_eq!(again["state"], "queued");
    until(&desk, &invoice, 2, "sent");

    let taken = fake.taken();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].to.contains("other@acme.example"), "{:?}", taken[0].to);
    assert!(taken[0].files[0].2 == pdf(&desk, &invoice));
}

fn what_comes_back_is_read(host: &Host) {
    let (desk, fake) = (office(host, ACME), FakeMail::start());
    let source = json!({"name": "s", "recipe": "basic", "secret": "user:password"});
    let source = desk.send("POST", "/v1/webhooks/sources", source);
    desk.connect(&fake, "sendgrid", 1, json!({"source": source["id"]}));
    let invoice = invoice(&desk);
    until(&desk, &invoice, 1, "sent");

    let event = json!([{"event": "bounce", "type": "bounce", "email": ACME,
        "reason": "550 no such user", "delivery": fake.taken()[0].delivery}]);
    let headers = [("authorization", "Basic dXNlcjpwYXNzd29yZA==")];
    let path = source["path"].as_str().unwrap();
    assert_eq!(host.call(request("POST", path, &headers, &event)).status, 200);

    let bounced = until(&desk, &invoice, 1, "bounced");
    assert_eq!(bounced["why"], "550 no such user");
    assert!(bounced["sent_at"].is_string());
    // The address is on the list now.
    desk.send("POST", &format!("{invoice}/send"), Value::Null);
    let withheld = until(&desk, &invoice, 2, "withheld");
    assert!(withheld["why"].as_str().unwrap().contains("suppressed"), "{withheld}");
}

fn what_makes_no_notice_says_why(host: &Host) {
    let desk = office(host, ACME);
    desk.send("DELETE", "/v1/notifications/workflows/bill", Value::Null);
    let first = invoice(&desk);
    let failed = until(&desk, &first, 1, "failed");
    assert!(failed["why"].as_str().unwrap().contains("workflows/bill"), "{failed}");

    // Billing takes what looks like an address; mail is more exact.
    desk.send("POST", &format!("{first}/send"), json!({"email": "a@b@c.example"}));
    let failed = until(&desk, &first, 2, "failed");
    assert!(failed["why"].as_str().unwrap().contains("somebody@example.com"), "{failed}");

    desk.send("DELETE", "/v1/notifications/rules/invoice", Value::Null);
    let second = invoice(&desk);
    let waits = until(&desk, &second, 1, "requested");
    assert!(waits["sha256"].is_string());
}

/// What waits for a provider carries the file that it was written with, or is not sent.
fn a_file_that_is_gone_or_another_fails_in_words(bytes: Option<&'static [u8]>, expected: &str) {
    let host = Host::memory();
    let (desk, fake) = (office(&host, ACME), FakeMail::start());
    desk.connect(&fake, "resend", 1, json!({}));
    fake.fail("resend", &[Fault::Status(503)]);
    let invoice = invoice(&desk);
    desk.until("/v1/whoami", |_| fake.calls("resend") == 1);
    let log = desk.get("/v1/log?limit=100");
    let all = log["items"].as_array().unwrap();
    let asked = all.iter().find(|it| it["action"] == "invoice.delivery_requested").unwrap();
    let blob = asked["data"]["files"][0]["blob"].as_str().unwrap();

    let Host::Memory(memory) = &host else { panic!("this one has its blobs at hand") };
    let whoami = desk.get("/v1/whoami");
    let blobs = memory.blobs(whoami["tenant"].as_str().unwrap());
    let stored = match bytes {
        Some(it) => {
            let chunks = futures_util::stream::iter([Ok(Bytes::from_static(it))]);
            pollster::block_on(blobs.put(blob, chunks)).map(|_| ())
        }
        None => pollster::block_on(blobs.delete(blob)),
    };
    stored.unwrap();

    let failed = until(&desk, &invoice, 1, "failed");
    let why = failed["why"].as_str().unwrap();
    assert!(why.starts_with("its file T-") && why.ends_with(expected), "{why}");
    assert_eq!(fake.taken(), []);
}

fn a_customer_sends_its_own_and_not_too_often(host: &Host) {
    let desk = office(host, ACME);
    let other = json!({"party": {"name": "Bolt", "country": "DE"}, "email": "b@bolt.example"});
    desk.send("PUT", "/v1/billing/customers/bolt", other);
    let invoice = invoice(&desk);
    let link = |customer: &str, read_only: bool| {
        let new = json!({"customer": customer, "read_only": read_only});
        desk.send("POST", "/v1/billing/links", new)["token"].as_str().unwrap().to_owned()
    };
    let ask = |token: &str, method: &str, path: &str| {
        host.ask(method, &format!("{invoice}/{path}"), token, &Value::Null).status
    };
    let (own, foreign, looks) = (link("acme", false), link("bolt", false), link("acme", true));

    assert_eq!(ask(&foreign, "POST", "send"), 404);
    assert_eq!(ask(&foreign, "GET", "deliveries"), 404);
    assert_eq!(ask(&looks, "POST", "send"), 403);
    assert_eq!(ask(&looks, "GET", "deliveries"), 200);
    for _ in 0..5 {
        assert_eq!(ask(&own, "POST", "send"), 202);
    }
    assert_eq!(ask(&own, "POST", "send"), 429);
}

fn who_says_nothing_is_mailed_nothing(host: &Host) {
    let desk = office(host, ACME);
    let customer = json!({"party": {"name": "Acme", "country": "DE"}, "email": ACME,
        "collection": "send_invoice", "mails_bills": false});
    desk.send("PUT", "/v1/billing/customers/acme", customer);
    let invoice = invoice(&desk);
    desk.until("/v1/jobs", |it| {
        let all = it["items"].as_array().unwrap();
        all.iter().all(|it| it["kind"] != "billing.deliver")
    });

    assert_eq!(desk.get(&format!("{invoice}/deliveries")), json!({"items": []}));
}

#[test]
fn providers() {
    Host::everywhere("providers", &[], each_provider_gets_the_pdf);
}

#[test]
fn the_mailbox() {
    Host::everywhere("mailbox", &[], the_mailbox_keeps_the_pdf_and_the_words_of_its_reader);
}

#[test]
fn a_try_again() {
    Host::everywhere("again", &[], a_try_again_is_the_same_mail);
}

#[test]
fn refused_and_sent_again() {
    Host::everywhere("refused", &[], what_a_provider_refuses_is_read_and_sent_again);
}

#[test]
fn bounced() {
    Host::everywhere("bounced", &[], what_comes_back_is_read);
}

#[test]
fn no_notice() {
    Host::everywhere("no notice", &[], what_makes_no_notice_says_why);
}

#[test]
fn gone() {
    a_file_that_is_gone_or_another_fails_in_words(None, ".pdf is gone");
    a_file_that_is_gone_or_another_fails_in_words(Some(b"%PDF"), ".pdf is another by now");
}

#[test]
fn portal() {
    Host::everywhere("portal", &[], a_customer_sends_its_own_and_not_too_often);
}

#[test]
fn off() {
    who_says_nothing_is_mailed_nothing(&Host::memory());
}
