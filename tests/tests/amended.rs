//! Notices that are revised and withdrawn after they were sent: in the product, on a screen, and
//! where somebody takes posts.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test amended`

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    desk::Desk,
    fake_push::{Browser, FakePush},
    host::Host,
    sink::Sink,
};

const ADA: &str = "ada@example.com";
const INBOX: &str = "/v1/notifications/inbox/ada@example.com";
/// What lets a push service and a hook be on loopback.
const HOSTS: (&str, &str) = ("push_hosts", "https://*:*,http://127.0.0.1:*");
const PATIENCE: Duration = Duration::from_secs(30);

fn workflow(desk: &Desk, channels: &[&str]) {
    let template = json!({"subject": "{{ name }} failed", "markdown": "It says {{ why }}."});
    let workflow = json!({"channels": channels, "template": template});
    desk.send("PUT", "/v1/notifications/workflows/build", workflow);
}

fn send(desk: &Desk, to: Value) -> String {
    let data = json!({"name": "main", "why": "red"});
    let made =
        desk.send("POST", "/v1/notifications", json!({"type": "build", "to": to, "data": data}));
    format!("/v1/notifications/{}", made["id"].as_str().unwrap())
}

fn revise(desk: &Desk, notice: &str, why: &str) {
    desk.send("PATCH", notice, json!({"data": {"name": "main", "why": why}}));
}

/// Looks until there is what is looked for.
fn eventually<T>(desk: &Desk, what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
        if let Host::Memory(memory) = desk.host {
            memory.advance(Duration::from_millis(50));
        }
    }
}

/// How the walk over those who have it ended.
fn amended(desk: &Desk, notice: &str, revision: i64) -> Value {
    let id = notice.rsplit('/').next().unwrap();
    let path = format!("/v1/log?limit=200&subject={id}");
    let ended = |it: &Value| {
        let ended = it["items"]
            .as_array()?
            .iter()
            .find(|it| it["action"] == "notice.amended" && it["data"]["revision"] == revision);
        ended.map(|it| it["data"].clone())
    };
    let log = desk.until(&path, |it| ended(it).is_some());
    ended(&log).unwrap()
}

fn changes(desk: &Desk) -> Vec<Value> {
    let all = desk.get(&format!("{INBOX}/changes?after=1"));
    all["items"].as_array().unwrap().clone()
}

fn who_follows_an_inbox_is_told(host: &Host) {
    let desk = Desk::open(host, &["in_app"]);
    workflow(&desk, &["in_app", "email"]);
    let notice = send(&desk, json!([{"contact": {"email": ADA}}]));
    desk.until(&notice, |it| {
        it["deliveries"].as_array().unwrap().iter().all(|it| it["state"] == "sent")
    });

    revise(&desk, &notice, "green");
    let ended = amended(&desk, &notice, 1);
    assert_eq!((&ended["reached"], &ended["beyond"]), (&json!(1), &json!(1)), "{ended}");
    let told = changes(&desk);
    assert_eq!(told[1]["change"], "revised");
    assert_eq!(told[1]["item"]["text"], "It says green.");
    assert_eq!(told[1]["after"], told[0]["sequence"], "none is missing between");

    desk.send("POST", &format!("{notice}/withdraw"), Value::Null);
    amended(&desk, &notice, 2);
    let told = changes(&desk);
    assert_eq!(told[2]["change"], "withdrawn");
    assert_eq!(told[2]["id"].as_str().map(|it| it.starts_with("itm_")), Some(true));
    let inbox = desk.get(&format!("{INBOX}?state=all"));
    assert_eq!((&inbox["items"], &inbox["unseen"]), (&json!([]), &json!(0)));
}

fn a_screen_says_something_else_and_nothing(host: &Host) {
    let desk = Desk::open(host, &["push"]);
    desk.send("POST", "/v1/notifications/push/keys", Value::Null);
    let service = FakePush::start();
    let browser = service.browser(1);
    let path = format!("/v1/notifications/push/subscriptions/{ADA}");
    desk.send("POST", &path, json!({"subscription": browser.subscription()}));
    workflow(&desk, &["push"]);
    let notice = send(&desk, json!([{"contact": {"email": ADA}}]));
    desk.until_state(&notice, "sent");

    revise(&desk, &notice, "green");
    let told = pushed(&desk, &browser, 2);
    assert_eq!((&told["body"], &told["silent"]), (&json!("It says green."), &json!(true)));

    desk.send("POST", &format!("{notice}/withdraw"), Value::Null);
    let told = pushed(&desk, &browser, 3);
    assert_eq!((&told["body"], &told["data"]["change"]), (&json!(""), &json!("withdrawn")));
    let topics: Vec<_> =
        browser.read().iter().map(|it| it.request.header("topic").map(str::to_owned)).collect();
    assert!(topics.iter().all(|it| *it == topics[0]), "each takes the place of the one before");
    assert_eq!(desk.get(&notice)["deliveries"][0]["state"], "sent");
}

/// What a browser was told last, of so many.
fn pushed(desk: &Desk, browser: &Browser, count: usize) -> Value {
    eventually(desk, "a push", || {
        let read = browser.read();
        (read.len() == count).then(|| read[count - 1].json["notification"].clone())
    })
}

fn a_webhook_is_posted_to_again_and_a_room_is_not(host: &Host) {
    let (desk, sink) = (Desk::open(host, &["hook"]), Sink::start());
    for (name, kind) in [("machine", "webhook"), ("room", "slack")] {
        let hook = json!({"kind": kind, "url": format!("{}/{name}", sink.url())});
        desk.send("PUT", &format!("/v1/notifications/hooks/{name}"), hook);
    }
    workflow(&desk, &["hook"]);
    let notice = send(&desk, json!([{"hook": "machine"}, {"hook": "room"}]));
    desk.until(&notice, |it| {
        it["deliveries"].as_array().unwrap().iter().all(|it| it["state"] == "sent")
    });

    revise(&desk, &notice, "green");
    let ended = amended(&desk, &notice, 1);
    assert_eq!((&ended["reached"], &ended["beyond"]), (&json!(1), &json!(1)), "{ended}");
    desk.send("POST", &format!("{notice}/withdraw"), Value::Null);

    let posts = eventually(&desk, "three posts", || {
        let mut all = sink.delivered();
        all.retain(|it| it.path == "/machine");
        // The revision may be overtaken by the withdrawal, which says more.
        (all.iter().any(|it| String::from_utf8_lossy(&it.body).contains("withdrawn")))
            .then_some(all)
    });
    let bodies: Vec<Value> =
        posts.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    let mut ids: Vec<_> = posts.iter().map(|it| it.header("webhook-id").unwrap()).collect();
    assert_eq!(bodies[0].get("change"), None);
    assert_eq!(bodies.last().unwrap()["change"], "withdrawn");
    assert!(bodies.iter().all(|it| it["id"] == bodies[0]["id"]), "all are of one delivery");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), posts.len(), "each is a message of its own");
    assert_eq!(sink.delivered().iter().filter(|it| it.path == "/room").count(), 1);
}

/// More than a job reaches, and some who are not told yet.
fn all_of_many_are_reached_and_those_who_wait_hear_the_last_word(host: &Host) {
    let desk = Desk::open(host, &["in_app"]);
    workflow(&desk, &["in_app"]);
    let contact = |it: usize| json!({"contact": {"email": format!("p{it}@example.com")}});
    let notice = send(&desk, json!((0..120).map(contact).collect::<Vec<_>>()));
    revise(&desk, &notice, "green");
    revise(&desk, &notice, "blue");
    let words = |it: usize| {
        let inbox = desk.get(&format!("/v1/notifications/inbox/p{it}@example.com"));
        inbox["items"][0]["text"].as_str().unwrap_or_default().to_owned()
    };
    eventually(&desk, "the last word", || {
        [0, 49, 50, 99, 119].iter().all(|it| words(*it) == "It says blue.").then_some(())
    });

    desk.send("POST", &format!("{notice}/withdraw"), Value::Null);
    eventually(&desk, "silence", || {
        (0..120).step_by(7).all(|it| words(it).is_empty()).then_some(())
    });
}

#[test]
fn in_the_product() {
    Host::everywhere("in the product", &[HOSTS], who_follows_an_inbox_is_told);
}

#[test]
fn on_a_screen() {
    Host::everywhere("on a screen", &[HOSTS], a_screen_says_something_else_and_nothing);
}

#[test]
fn where_posts_are_taken() {
    Host::everywhere(
        "where posts are taken",
        &[HOSTS],
        a_webhook_is_posted_to_again_and_a_room_is_not,
    );
}

#[test]
fn of_many() {
    Host::everywhere(
        "of many",
        &[HOSTS],
        all_of_many_are_reached_and_those_who_wait_hear_the_last_word,
    );
}
