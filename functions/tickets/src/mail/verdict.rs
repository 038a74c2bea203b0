//! Whether a mail is from whom it says: what a server that we trust found, RFC 8601.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many results of one field are read.
const RESULTS_MAX: usize = 32;

/// What was found of one method.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailResult)]
pub enum Found {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It probably does not.
    SoftFail,
    /// The domain does not say.
    Neutral,
    /// There was nothing to check.
    None,
    /// The domain's policy refuses it.
    Policy,
    /// It could not be checked then.
    TempError,
    /// What the domain publishes makes no sense.
    PermError,
}

/// What a server that we trust found. Empty when none did.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = MailVerdict)]
pub struct Verdict {
    /// Who checked: an authserv-id, or a provider.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// RFC 7489.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dmarc: Option<Found>,
    /// RFC 7208.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spf: Option<Found>,
    /// RFC 6376; of several signatures the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dkim: Option<Found>,
    /// RFC 8617.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arc: Option<Found>,
}

impl Found {
    /// What this word says.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "pass" | "passed" => Self::Pass,
            "fail" | "failed" | "hardfail" => Self::Fail,
            "softfail" => Self::SoftFail,
            "neutral" => Self::Neutral,
            "none" => Self::None,
            "policy" => Self::Policy,
            "temperror" => Self::TempError,
            "permerror" => Self::PermError,
            _ => return None,
        })
    }
}

impl Verdict {
    /// What the first of these fields says that a trusted server wrote. Servers write theirs on top:
    /// one of the same name further down may be by whoever wrote the mail.
    pub fn read<'a>(fields: impl Iterator<Item = &'a str>, trusted: &[String]) -> Self {
        let mut read = fields.map(parse);
        let by_one = |it: &Self| trusted.iter().any(|name| name.eq_ignore_ascii_case(&it.by));
        read.find(by_one).unwrap_or_default()
    }

    /// Whether the domain in `From` says that it did not send this.
    pub fn is_forged(&self) -> bool {
        self.dmarc == Some(Found::Fail)
    }

    /// Adds a result.
    pub fn add(&mut self, method: &str, found: Found) {
        let slot = match method {
            "dmarc" => &mut self.dmarc,
            "spf" => &mut self.spf,
            "dkim" => &mut self.dkim,
            "arc" => &mut self.arc,
            _ => return,
        };
        if *slot != Some(Found::Pass) {
            *slot = Some(found);
        }
    }
}

fn parse(field: &str) -> Verdict {
    let plain = without_comments(field);
    let mut items = plain.split(';');
    let name = items.next().unwrap_or("").split_whitespace().next().unwrap_or("");
    let mut verdict = Verdict { by: name.to_ascii_lowercase(), ..Verdict::default() };
    for item in items.take(RESULTS_MAX) {
        let Some((method, rest)) = item.split_once('=') else { continue };
        // A method may have a version: `dkim/1`.
        let method = method.split('/').next().unwrap_or("").trim().to_ascii_lowercase();
        let word = rest.split_whitespace().next().unwrap_or("");
        if let Some(found) = Found::parse(word) {
            verdict.add(&method, found);
        }
    }
    verdict
}

/// The field without its comments, and without what is in quotes.
fn without_comments(field: &str) -> String {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    let mut out = String::with_capacity(field.len());
    for letter in field.chars() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ if depth == 0 && !is_quoted => out.push(letter),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Verdict {
        Verdict::read(fields.iter().copied(), &["mx.example.com".to_owned()])
    }

    #[test]
    fn results_of_a_trusted_server_are_read() {
        let found = read(&["MX.example.com 1; spf=pass smtp.mailfrom=a@b.example; \
            dkim=fail (no key; dkim=pass) header.d=x; dkim/1=pass header.d=b.example; \
            dmarc=fail (p=REJECT) header.from=\"a;dmarc=pass\"; arc=none; iprev=pass"]);

        assert_eq!(found.by, "mx.example.com");
        assert_eq!(found.spf, Some(Found::Pass));
        assert_eq!(found.dkim, Some(Found::Pass));
        assert_eq!((found.dmarc, found.is_forged()), (Some(Found::Fail), true));
        assert_eq!(found.arc, Some(Found::None));
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(read(&["evil.example; dmarc=pass"]), Verdict::default());
        assert_eq!(read(&["mx.example.com.evil.example; dmarc=pass"]), Verdict::default());
        assert_eq!(read(&[""]), Verdict::default());
        // Whoever wrote the mail put one below.
        let fields = ["mx.example.com; dmarc=fail", "mx.example.com; dmarc=pass"];
        assert_eq!(read(&fields).dmarc, Some(Found::Fail));
    }
}
