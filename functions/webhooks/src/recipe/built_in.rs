//! The recipes that come with Backplane: a file in `recipes` and a line here each.

/// Names the files, in alphabetical order.
macro_rules! recipes {
    ($($name:literal),* $(,)?) => {
        const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../recipes/", $name, ".json")))),*];
    };
}

recipes![
    "basic",
    "cloudevents",
    "discord",
    "discord-events",
    "generic-ed25519",
    "generic-hmac",
    "github",
    "gitlab",
    "gitlab-token",
    "hubspot",
    "intercom",
    "linear",
    "mailgun",
    "meta",
    "none",
    "paddle",
    "paypal",
    "postmark",
    "sendgrid",
    "shopify",
    "slack",
    "sns",
    "standard-webhooks",
    "standard-webhooks-v1a",
    "stripe",
    "svix",
    "twilio",
    "x",
    "zendesk",
    "zoom",
];

/// The text of the recipe with this name.
pub fn json(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, json)| *json)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}
