//! A notice to many reaches each once, in parts, and is called off as a whole; many to one become
//! one.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test fan_out`

use serde_json::{Value, json};
use tests::{desk::Desk, host::Host};

/// As many as a notice has.
const MOST: usize = 10_000;

fn contacts(count: usize) -> Vec<Value> {
    (0..count).map(|it| json!({"contact": {"email": format!("a{it}@example.com")}})).collect()
}

fn workflow(desk: &Desk, more: Value) {
    let mut workflow = json!({"channels": ["in_app"],
        "template": {"subject": "Hello", "markdown": "You."}});
    for (name, value) in more.as_object().unwrap() {
        workflow[name] = value.clone();
    }
    desk.send("PUT", "/v1/notifications/workflows/hello", workflow);
}

fn ten_thousand_wait_and_are_called_off(host: &Host) {
    let desk = Desk::open(host, &["in_app"]);
    workflow(&desk, json!({"delay": {"seconds": 86_400}}));

    let notice = json!({"type": "hello", "to": contacts(MOST)});
    let made = desk.send("POST", "/v1/notifications", notice);
    assert_eq!((&made["deliveries"], &made["counts"]["more"]), (&json!([]), &json!(true)));
    let path = format!("/v1/notifications/{}", made["id"].as_str().unwrap());
    let all = desk.until(&path, |it| it["counts"]["more"] == false);
    assert_eq!((&all["recipients"], &all["counts"]["waiting"]), (&json!(MOST), &json!(MOST)));

    let page = desk.get(&format!("{path}/deliveries?limit=200"));
    let next = page["next"].as_str().unwrap();
    let second = desk.get(&format!("{path}/deliveries?limit=200&cursor={next}"));
    let last = |page: &Value| page["items"][199]["recipient"].as_str().unwrap().to_owned();
    assert!(last(&page) < last(&second));

    let off = desk.send("DELETE", &path, Value::Null);
    assert_eq!(off["counts"]["cancelled"], json!(MOST));
    assert_eq!(desk.get(&path)["counts"]["cancelled"], json!(MOST));
}

fn one_too_many_is_refused(host: &Host) {
    let desk = Desk::open(host, &["in_app"]);

    let notice = json!({"type": "hello", "to": contacts(MOST + 1)});
    let refused = desk.ask("POST", "/v1/notifications", notice);

    assert_eq!((refused.status.as_u16(), refused.text("/path")), (422, "to".to_owned()));
    let nobody = desk.ask("POST", "/v1/notifications", json!({"type": "hello", "to": []}));
    assert_eq!(nobody.status, 422);
}

/// More than a page of a topic, half of them named as well, and one member who is gone.
fn who_is_named_twice_is_told_once(host: &Host) {
    let desk = Desk::open(host, &["in_app"]);
    workflow(&desk, json!({}));
    let all = contacts(120);
    for some in all.chunks(60) {
        desk.send("POST", "/v1/notifications/topics/news/subscribers", json!({"add": some}));
    }

    let mut to = all[..110].to_vec();
    to.push(json!({"topic": "news"}));
    to.push(json!({"member": "mem_00000000000000000000000000"}));
    let made = desk.send("POST", "/v1/notifications", json!({"type": "hello", "to": to}));
    let path = format!("/v1/notifications/{}", made["id"].as_str().unwrap());
    let over =
        desk.until(&path, |it| it["counts"]["more"] == false && it["counts"]["waiting"] == 0);

    assert_eq!((&over["counts"]["sent"], &over["counts"]["withheld"]), (&json!(120), &json!(1)));
    let inbox = desk.get("/v1/notifications/inbox/a7@example.com");
    assert_eq!(inbox["items"].as_array().unwrap().len(), 1);
    let gone = format!("{path}/deliveries?recipient=mem_00000000000000000000000000");
    assert_eq!(desk.get(&gone)["items"][0]["why"], "the member is gone");
}

/// A hundred and twenty of a type to one recipient, sixty of them at a time, are one mail: all of
/// them count, and the latest hundred are given to the template.
fn many_become_one(host: &Host) {
    let desk = Desk::open(host, &["email"]);
    let template = json!({"subject": "{{ digest.count }} and {{ digest.notices | length }}",
        "markdown": "From {{ digest.notices[0].n }} to {{ n }}."});
    let sliding = json!({"kind": "sliding", "seconds": 600, "max_seconds": 3600});
    let workflow = json!({"channels": ["email"], "digest": sliding, "template": template});
    desk.send("PUT", "/v1/notifications/workflows/hello", workflow);

    let to = json!([{"contact": {"email": "ada@example.com"}}]);
    let sent: Vec<_> = (0..120)
        .map(|it| json!({"type": "hello", "to": to, "data": {"n": it}}))
        .map(|it| desk.send("POST", "/v1/notifications", it)["id"].clone())
        .collect();
    let path = |it: &Value| format!("/v1/notifications/{}", it.as_str().unwrap());
    let last = desk.until_state(&path(&sent[119]), "sent");

    let caught = desk.get("/v1/notifications/mailbox")["items"].clone();
    assert_eq!(caught.as_array().unwrap().len(), 1, "{caught}");
    assert_eq!(caught[0]["subject"], "120 and 100");
    let carrier = desk.until_state(&path(&sent[0]), "sent");
    assert_eq!((&last["within"], &last["digest"]), (&carrier["id"], &carrier["digest"]));
}

#[test]
fn ten_thousand() {
    Host::everywhere("ten thousand", &[], ten_thousand_wait_and_are_called_off);
}

#[test]
fn one_too_many() {
    Host::everywhere("one too many", &[], one_too_many_is_refused);
}

#[test]
fn digest() {
    many_become_one(&Host::memory());
}

#[test]
fn twice() {
    Host::everywhere("twice", &[], who_is_named_twice_is_told_once);
}
