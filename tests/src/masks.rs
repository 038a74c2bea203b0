//! What differs from run to run, under names that do not.
//!
//! An id, a secret or a token that appears for the first time is given a name, as `{{src_1}}`;
//! requests use the names, and answers are shown with them.

/// Prefixes of ids and secrets. Each is followed by `_`.
const PREFIXES: [&str; 43] = [
    "ten",
    "key",
    "src",
    "msg",
    "mem",
    "run",
    "job",
    "bpk",
    "whsec",
    "lnk",
    "end",
    "evt",
    "wsk",
    "whpk",
    "bat",
    "rep",
    "gte",
    "ck",
    "acme_live",
    "sub",
    "inv",
    "pay",
    "grt",
    "pst",
    "usk",
    "rfd",
    "acc",
    "ntc",
    "tkt",
    "tmg",
    "tat",
    "tmb",
    "frm",
    "tmk",
    "tml",
    "dlv",
    "bdl",
    "itm",
    "npr",
    "psb",
    "psk",
    "dig",
    "dkm",
];
/// Fields that depend on chance or jitter.
const HIDDEN: [&str; 13] = [
    "delivered_at",
    "due_at",
    "ended_at",
    "failing_since",
    "last_failure_at",
    "last_success_at",
    "message_id",
    "open_until",
    "origin",
    "public_key",
    "span_id",
    "trace_id",
    "x",
];
/// The shortest thing after a prefix that is taken for an id or a secret.
const CHARS_MIN: usize = 26;

/// The names given so far.
#[derive(Default)]
pub struct Masks(Vec<(String, String)>);

impl Masks {
    /// Gives a name to something known.
    pub fn name(&mut self, name: &str, real: &str) {
        self.0.push((format!("{{{{{name}}}}}"), real.to_owned()));
    }

    /// The text with what the names stand for.
    pub fn reveal(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, real)| text.replace(name, real))
    }

    /// The text with names, giving new ones to what has none yet.
    pub fn cover(&mut self, text: &str) -> String {
        for cursor in text.split("\"next\":\"").skip(1).filter_map(|it| it.split('"').next()) {
            let number = self.0.iter().filter(|(it, _)| it.starts_with("{{next_")).count() + 1;
            self.name(&format!("next_{number}"), cursor);
        }
        for token in text.split("?link=").skip(1).filter_map(|it| it.split(['"', '>']).next()) {
            if token.len() >= CHARS_MIN && !self.0.iter().any(|(_, real)| real == token) {
                let number = self.0.iter().filter(|(it, _)| it.starts_with("{{link_")).count() + 1;
                self.name(&format!("link_{number}"), token);
            }
        }
        for name in ["token", "receipt"] {
            let field = format!("\"{name}\":\"");
            for found in text.split(&field).skip(1).filter_map(|it| it.split('"').next()) {
                let of_it = |it: &&(String, String)| it.0.starts_with(&format!("{{{{{name}_"));
                let number = self.0.iter().filter(of_it).count() + 1;
                if !self.0.iter().any(|(_, real)| real == found) {
                    self.name(&format!("{name}_{number}"), found);
                }
            }
        }
        for found in words(text) {
            if !self.0.iter().any(|(_, real)| *real == found) {
                let prefix = found.split('_').next().unwrap_or("").to_owned();
                let start = format!("{{{{{prefix}_");
                let number = self.0.iter().filter(|(it, _)| it.starts_with(&start)).count() + 1;
                self.name(&format!("{prefix}_{number}"), &found);
            }
        }
        let mut text = text.to_owned();
        for (name, real) in &self.0 {
            text = text.replace(real.as_str(), name);
        }
        let text = hide(&hide(&hide_times(&text), "leaf"), "prefix");
        let text = hide_after(&hide_after(&text, "v1,"), "v1a,");
        let text = hide_after(&hide_after(&text, "sig1=:"), "sig2=:");
        let text = hide_after(&text, "k=ed25519; p=");
        let text = hide_number(&text, "latency_ms");
        HIDDEN.iter().fold(text, |text, field| hide(&text, field))
    }
}

/// The ids and secrets in a text, in their order.
fn words(text: &str) -> Vec<String> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_+/=".contains(it);
    text.split(|it| !is_part(it))
        .flat_map(|word| PREFIXES.iter().filter_map(move |prefix| starting(word, prefix)))
        .collect()
}

fn starting(word: &str, prefix: &str) -> Option<String> {
    // A path's slash can be part of a word here, as it is of base64.
    let word = if matches!(prefix, "whsec" | "whpk") { word } else { word.rsplit('/').next()? };
    let rest = word.strip_prefix(prefix)?.strip_prefix('_')?;
    (rest.len() >= CHARS_MIN && !rest.contains('_')).then(|| word.to_owned())
}

/// Moments of the real clock, which the tests do not set. Test clocks stand after 2030.
fn hide_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\"20") {
        let (before, found) = rest.split_at(at + 1);
        out.push_str(before);
        let is_time = found.len() > 24
            && found.is_char_boundary(24)
            && found[10..].starts_with('T')
            && found[23..].starts_with("Z\"");
        if is_time && found < "2030" {
            out.push_str("{{real time}}");
            rest = &found[24..];
        } else {
            rest = found;
        }
    }
    out + rest
}

/// What follows a mark and is longer than any word: a signature.
fn hide_after(text: &str, mark: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        let (before, found) = rest.split_at(at + mark.len());
        out.push_str(before);
        let end = found.find(|it: char| !(it.is_ascii_alphanumeric() || "-_.+/=".contains(it)));
        let (token, after) = found.split_at(end.unwrap_or(found.len()));
        out.push_str(if token.len() >= 40 { "{{token}}" } else { token });
        rest = after;
    }
    out + rest
}

/// The values of a field that is a number and depends on the machine.
fn hide_number(text: &str, field: &str) -> String {
    let start = format!("\"{field}\":");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&start) {
        let (before, found) = rest.split_at(at + start.len());
        out.push_str(before);
        out.push_str(&format!("{{{{{field}}}}}"));
        rest = found.trim_start_matches(|it: char| it.is_ascii_digit());
    }
    out + rest
}

/// The values of a field that depends on chance: on ids, on a secret, or on jitter.
fn hide(text: &str, field: &str) -> String {
    let start = format!("\"{field}\":\"");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&start) {
        let (before, found) = rest.split_at(at + start.len());
        out.push_str(before);
        out.push_str(&format!("{{{{{field}}}}}"));
        rest = found.split_at(found.find('"').unwrap_or(0)).1;
    }
    out + rest
}
