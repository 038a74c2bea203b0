//! What becomes of what anybody sends, and what they are shown.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shared::memory::Memory;

use crate::Tickets;

const TENANT: &str = "ten_00000000000000000000000000";
const FORM: &str = "application/x-www-form-urlencoded";
const SECONDS: Duration = Duration::from_secs(3);

/// A tenant with a form.
struct Office {
    memory: Memory,
    path: String,
}

/// What a browser shows.
struct Page {
    status: u16,
    text: String,
}

impl Office {
    fn new(more: Value) -> Self {
        let memory = Memory::default();
        memory.add_tenant(TENANT);
        let mut office = Self { memory, path: String::new() };
        let mut form = json!({"title": "Contact us", "team": "ops", "tags": ["web"], "fields": [
            {"name": "order", "label": "Order <number>", "type": "number", "hint": "See the bill"},
            {"name": "area", "label": "Area", "type": "choice", "choices": ["Bills", "Other"],
                "required": true},
            {"name": "urgent", "label": "It is urgent", "type": "bool"},
        ]});
        for (name, value) in more.as_object().unwrap() {
            form[name] = value.clone();
        }
        let made = office.ask("PUT", "/v1/tickets/forms/contact", &form);
        made["path"].as_str().unwrap().clone_into(&mut office.path);
        office
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.memory.ask::<Tickets>(TENANT, method, path, body);
        let body = response.body().as_full().unwrap();
        assert!(response.status().is_success(), "{method} {path}: {body:?}");
        serde_json::from_slice(body).unwrap_or(Value::Null)
    }

    /// What somebody at this address is shown, who has no key.
    fn browse(&self, path: &str, post: Option<(&str, &[u8])>, client: &str) -> Page {
        let request = http::Request::builder()
            .method(if post.is_some() { "POST" } else { "GET" })
            .uri(path)
            .header("x-client-address", client)
            .header("content-type", post.map_or("", |it| it.0));
        let body = Bytes::copy_from_slice(post.map_or(b"", |it| it.1));
        let response = self.memory.serve::<Tickets>(request.body(body).unwrap());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert!(status < 500, "{:?}", self.memory.notes());
        let text = String::from_utf8(response.body().as_full().unwrap().to_vec()).unwrap();
        if headers["content-type"] == "text/html; charset=utf-8" {
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(!text.contains("<script"), "{text}");
            assert!(text.starts_with("<!doctype html>\n<html lang="), "{text}");
        }
        Page { status, text }
    }

    fn send(&self, fields: &[(&str, &str)]) -> Page {
        self.browse(&self.path, Some((FORM, encoded(fields).as_bytes())), "192.0.2.1")
    }

    /// The page, when somebody has read it.
    fn shown(&self) -> String {
        let page = self.browse(&self.path, None, "192.0.2.1");
        assert_eq!(page.status, 200, "{}", page.text);
        self.memory.advance(SECONDS);
        page.page()
    }

    fn tickets(&self) -> Vec<Value> {
        self.ask("GET", "/v1/tickets", &Value::Null)["items"].as_array().unwrap().clone()
    }
}

impl Page {
    /// What it says of itself.
    fn page(&self) -> String {
        let start = self.text.split("name=\"page\" value=\"").nth(1).unwrap();
        start.split('"').next().unwrap().to_owned()
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |it: &str| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string();
    let pairs = fields.iter().map(|(name, it)| format!("{}={}", escaped(name), escaped(it)));
    pairs.collect::<Vec<_>>().join("&")
}

/// All that is asked, filled in.
fn filled(page: &str) -> Vec<(&str, &str)> {
    vec![
        ("_charset_", "UTF-8"),
        ("page", page),
        ("name", "Ada Ü"),
        ("email", "Ada@Example.com"),
        ("subject", "Where is\nmy tea?"),
        ("text", "Hello,\r\nit is <b>late</b>."),
        ("f_order", "12,5"),
        ("f_area", "Bills"),
        ("f_urgent", "yes"),
        ("website", ""),
    ]
}

fn with<'a>(fields: &[(&'a str, &'a str)], name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|it| if it.0 == name { (it.0, value) } else { *it }).collect()
}

#[test]
fn what_is_sent_is_a_ticket_and_its_number_is_told() {
    let office = Office::new(json!({"thanks": "We answer within a day."}));
    let page = office.shown();

    let sent = office.send(&filled(&page));

    assert_eq!(sent.status, 200, "{}", sent.text);
    assert!(sent.text.contains("#1<"), "{}", sent.text);
    assert!(sent.text.contains("We answer within a day."), "{}", sent.text);
    let ticket = &office.tickets()[0];
    let requester = json!({"email": "ada@example.com", "name": "Ada Ü"});
    assert_eq!(ticket["requester"], requester);
    assert_eq!((&ticket["channel"], &ticket["team"]), (&json!("form"), &json!("ops")));
    assert_eq!((&ticket["tags"], &ticket["state"]), (&json!(["web"]), &json!("open")));
    assert_eq!(ticket["subject"], "Where is my tea?");
    assert_eq!(ticket["fields"], json!({"order": 12.5, "area": "Bills", "urgent": true}));
    let path = format!("/v1/tickets/{}/messages", ticket["id"].as_str().unwrap());
    let said = office.ask("GET", &path, &Value::Null);
    assert_eq!(said["items"][0]["text"], "Hello,\nit is <b>late</b>.");
}

#[test]
fn a_page_that_is_sent_twice_is_one_ticket() {
    let office = Office::new(json!({}));
    let page = office.shown();

    let (first, second) = (office.send(&filled(&page)), office.send(&filled(&page)));

    assert_eq!(first.text, second.text);
    assert_eq!(office.tickets().len(), 1);
    let other = office.shown();
    assert!(office.send(&filled(&other)).text.contains("#2<"));
}

#[test]
fn bad_input_is_told_at_its_field_and_what_was_typed_is_there() {
    let office = Office::new(json!({}));
    let page = office.shown();
    for (name, value, why) in [
        ("email", "nobody", "Please write an address"),
        ("email", "", "Please fill in this field."),
        ("subject", " ", "Please fill in this field."),
        ("text", "", "Please fill in this field."),
        ("f_area", "Elsewhere", "Please choose one of the list."),
        ("f_area", "", "Please fill in this field."),
        ("f_order", "many", "Please write a number."),
        ("name", &"a".repeat(121), "Please write at most 120 characters."),
    ] {
        let shown = office.send(&with(&filled(&page), name, value));

        assert_eq!(shown.status, 422, "{name}: {}", shown.text);
        assert!(shown.text.contains("<title>Error: Contact us</title>"), "{}", shown.text);
        assert!(shown.text.contains(&format!("<a href=\"#{name}\">")), "{}", shown.text);
        let tied = format!("id=\"{name}-wrong\">{why}");
        assert!(shown.text.contains(&tied), "{name}: {}", shown.text);
        assert_eq!(shown.text.matches("aria-invalid=\"true\"").count(), 1, "{}", shown.text);
        if name != "text" {
            assert!(
                shown.text.contains("\nHello,\nit is &#60;b&#62;late&#60;/b&#62;."),
                "{}",
                shown.text
            );
        }
        assert_eq!(shown.page(), page, "it can be sent once more");
    }
    assert!(office.tickets().is_empty());
    assert_eq!(office.send(&filled(&page)).status, 200);
}

#[test]
fn what_was_typed_ends_no_tag() {
    let office = Office::new(json!({"title": "<i>Us</i>", "intro": "\"&<script>"}));
    let page = office.shown();
    let evil = "\"><script>alert(1)</script>";

    let shown = office.send(&with(&with(&filled(&page), "name", evil), "email", evil));

    assert_eq!(shown.status, 422);
    assert!(!shown.text.contains("<i>") && !shown.text.contains("alert(1)</script>"));
}

#[test]
fn a_machine_fills_in_what_nobody_sees_and_nothing_is_lost() {
    let office = Office::new(json!({}));
    let page = office.shown();

    let sent = office.send(&with(&filled(&page), "website", "https://spam.example"));

    assert_eq!(sent.status, 200);
    assert_eq!(office.tickets()[0]["state"], "spam");
}

#[test]
fn who_is_too_fast_or_never_saw_the_page_is_asked_again() {
    let office = Office::new(json!({}));
    let other = office.ask("PUT", "/v1/tickets/forms/other", &json!({"title": "Other"}));
    let seen = office.browse(&office.path, None, "192.0.2.1").page();
    let fast = office.send(&filled(&seen));
    assert_eq!((fast.status, fast.page() == seen), (422, true));
    assert!(fast.text.contains("Please check what you wrote"), "{}", fast.text);

    let foreign = office.browse(other["path"].as_str().unwrap(), None, "192.0.2.1").page();
    office.memory.advance(SECONDS);
    for page in ["", "k1:AAAA", &foreign] {
        let shown = office.send(&filled(page));
        assert_eq!(shown.status, 422);
        assert!(shown.text.contains("value=\"Ada Ü\""), "what was typed is there");
        assert_ne!(shown.page(), page, "it is one of ours");
    }
    assert!(office.tickets().is_empty());

    office.memory.advance(SECONDS);
    assert_eq!(office.send(&filled(&seen)).status, 200);
    let late = office.shown();
    office.memory.advance(Duration::from_secs(25 * 60 * 60));
    let shown = office.send(&filled(&late));
    assert!(shown.text.contains("This page was open for a long time."), "{}", shown.text);
    office.memory.advance(SECONDS);
    assert_eq!(office.send(&filled(&shown.page())).status, 200);
}

#[test]
fn another_encoding_is_told_and_what_can_be_read_is_there() {
    let office = Office::new(json!({}));
    let page = office.shown();
    let latin = encoded(&filled(&page)).replace("%C3%9C", "%DC");
    let utf8 = encoded(&filled(&page));
    for (kind, body) in [
        (FORM, &latin),
        ("application/x-www-form-urlencoded; charset=iso-8859-1", &utf8),
        (FORM, &utf8.replace("UTF%2D8", "windows%2D1252")),
    ] {
        let shown = office.browse(&office.path, Some((kind, body.as_bytes())), "192.0.2.1");

        assert_eq!(shown.status, 415, "{}", shown.text);
        assert!(shown.text.contains("another character encoding than UTF-8"), "{}", shown.text);
        assert!(shown.text.contains("value=\"Ada@Example.com\""), "{}", shown.text);
    }
    let json = office.browse(&office.path, Some(("application/json", b"{}")), "192.0.2.1");
    assert_eq!(json.status, 415);
    assert!(office.tickets().is_empty());
}

#[test]
fn one_client_sends_so_many_and_all_of_them_so_many() {
    let office = Office::new(json!({"per_client": 2, "per_minute": 3}));
    let send = |client: &str| {
        let page = office.browse(&office.path, None, client).page();
        office.memory.advance(SECONDS);
        let body = encoded(&filled(&page));
        office.browse(&office.path, Some((FORM, body.as_bytes())), client)
    };

    let one: Vec<_> = (0..3).map(|_| send("192.0.2.1").status).collect();
    let two: Vec<_> = (0..2).map(|_| send("192.0.2.2").status).collect();

    assert_eq!((one, two), (vec![200, 200, 429], vec![200, 429]));
    let last = send("2001:db8::1");
    assert!(last.text.contains("There are many messages right now."), "{}", last.text);
    assert!(last.text.contains("value=\"Ada@Example.com\""), "what was typed is there");
    office.memory.advance(Duration::from_secs(61));
    assert_eq!(send("192.0.2.1").status, 200);
}

#[test]
fn each_language_has_its_words_and_a_deleted_form_is_gone() {
    for (locale, send) in [("de", "Absenden"), ("fr", "Envoyer"), ("es", "Enviar")] {
        let office = Office::new(json!({"locale": locale}));
        let page = office.browse(&office.path, None, "");
        assert!(page.text.contains(&format!("<html lang=\"{locale}\">")), "{}", page.text);
        assert!(page.text.contains(&format!("<button type=\"submit\">{send}<")), "{}", page.text);
        office.ask("DELETE", "/v1/tickets/forms/contact", &Value::Null);
        assert_eq!(office.browse(&office.path, None, "").status, 404);
    }
}

/// A ticket that is resolved, and where its requester is asked how it was.
fn resolved(office: &Office) -> (String, String) {
    let settings = json!({"asks_rating": true, "base": "https://api.example.com"});
    office.ask("PUT", "/v1/tickets/settings", &settings);
    let new = json!({"subject": "Tea <3", "text": "T", "requester": {"email": "ada@example.com"}});
    let id = office.ask("POST", "/v1/tickets", &new)["id"].as_str().unwrap().to_owned();
    office.ask("PATCH", &format!("/v1/tickets/{id}"), &json!({"state": "resolved"}));
    let log = office.ask("GET", &format!("/v1/tickets/{id}/log"), &Value::Null);
    let asked = log["items"].as_array().unwrap().iter().rev();
    let asked = asked.clone().find(|it| it["action"] == "ticket.rating_asked").unwrap();
    assert_eq!(asked["data"]["to"]["email"], "ada@example.com");
    let url = asked["data"]["url"].as_str().unwrap();
    (id, url.strip_prefix("https://api.example.com").unwrap().to_owned())
}

#[test]
fn who_asked_says_how_it_was() {
    let office = Office::new(json!({}));
    let (id, url) = resolved(&office);
    let page = office.browse(&url, None, "");
    assert_eq!(page.status, 200);
    assert!(page.text.contains("#1: Tea &#60;3"), "{}", page.text);
    for bad in
        ["rating=6", "rating=0", "rating=", "comment=x", "rating=%FF", "rating=1&comment=%E4"]
    {
        let shown = office.browse(&url, Some((FORM, bad.as_bytes())), "");
        assert_eq!(shown.status, 422, "{bad}");
    }

    for (rating, comment) in [("2", "Slow"), ("5", "")] {
        let body = format!("rating={rating}&comment={comment}");
        let shown = office.browse(&url, Some((FORM, body.as_bytes())), "");
        assert!(shown.text.contains("Thank you"), "{}", shown.text);
    }

    let ticket = office.ask("GET", &format!("/v1/tickets/{id}"), &Value::Null);
    assert_eq!((&ticket["rating"], &ticket["state"]), (&json!(5), &json!("resolved")));
    let log = office.ask("GET", &format!("/v1/tickets/{id}/log"), &Value::Null);
    let rated = log["items"].as_array().unwrap().iter().filter(|it| it["action"] == "ticket.rated");
    let rated: Vec<_> = rated.map(|it| (&it["data"]["rating"], &it["data"]["comment"])).collect();
    assert_eq!(rated, [(&json!(2), &json!("Slow")), (&json!(5), &Value::Null)]);
}

#[test]
fn the_link_rates_one_ticket_and_does_nothing_else() {
    let office = Office::new(json!({}));
    let ((first, url), (second, _)) = (resolved(&office), resolved(&office));
    let link = url.split_once('?').unwrap().1;

    for path in
        [format!("/v1/tickets/{second}/rating?{link}"), format!("/v1/tickets/{first}?{link}")]
    {
        assert_eq!(office.browse(&path, None, "").status, 401, "{path}");
    }
    office.memory.advance(Duration::from_secs(31 * 24 * 60 * 60));
    assert_eq!(office.browse(&url, None, "").status, 401);
}
