//! A tenant that sends notices, for tests.

use serde_json::{Value, json};

use crate::{
    client::Answer,
    fake_mail::{FakeMail, KEY, KEY_ID},
    host::Host,
    shop,
};

/// A tenant that sends notices.
pub struct Desk<'a> {
    /// Where it runs.
    pub host: &'a Host,
    /// The tenant's key.
    pub key: String,
}

impl<'a> Desk<'a> {
    /// A tenant with a sender and the type `hello`, which goes out by these channels.
    pub fn open(host: &'a Host, channels: &[&str]) -> Self {
        let (key, _) = shop::tenant(host);
        let desk = Self { host, key };
        let settings = json!({"from": "news@example.com", "name": "Nëws, \"Inc.\"",
            "reply_to": "help@example.com", "base": "https://api.example.com"});
        desk.send("PUT", "/v1/notifications/settings", settings);
        let template =
            json!({"subject": "Hello {{ recipient.name }}", "markdown": "Hello **you**."});
        let workflow = json!({"channels": channels, "template": template});
        desk.send("PUT", "/v1/notifications/workflows/hello", workflow);
        desk
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Value {
        self.host.ask("GET", path, &self.key, &Value::Null).json()
    }

    /// Asks, whatever the answer.
    pub fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.host.ask(method, path, &self.key, &body)
    }

    /// Changes something.
    ///
    /// # Panics
    /// When that is refused.
    pub fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path, body);
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.json());
        match answer.body.is_empty() {
            true => Value::Null,
            false => answer.json(),
        }
    }

    /// Waits until `claim` holds of what is at `path`.
    pub fn until(&self, path: &str, claim: impl Fn(&Value) -> bool) -> Value {
        shop::until(self.host, &self.key, path, claim)
    }

    /// Connects a provider of the fake, in this place; gives its id.
    pub fn connect(&self, fake: &FakeMail, kind: &str, priority: u32, more: Value) -> String {
        let mut new = json!({"name": kind, "kind": kind, "key": KEY, "priority": priority,
            "base_url": fake.url(), "rate": {"count": 1000, "seconds": 1}});
        if kind == "ses" {
            (new["key_id"], new["region"]) = (json!(KEY_ID), json!("eu-central-1"));
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            new[name] = value.clone();
        }
        let made = self.send("POST", "/v1/notifications/providers", new);
        made["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Says hello to this address; gives where the notice is read.
    pub fn hello(&self, email: &str) -> String {
        let contact = json!({"email": email, "name": "Ada"});
        let notice = json!({"type": "hello", "to": [{"contact": contact}]});
        let made = self.send("POST", "/v1/notifications", notice);
        format!("/v1/notifications/{}", made["id"].as_str().unwrap_or_default())
    }

    /// Waits until the first delivery of a notice is in this state, and gives it.
    pub fn until_state(&self, notice: &str, state: &str) -> Value {
        let found = self.until(notice, |it| it["deliveries"][0]["state"] == state);
        found["deliveries"][0].clone()
    }
}
