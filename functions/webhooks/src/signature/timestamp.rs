//! When a request was signed, and whether that is too long ago.

use shared::domain::Timestamp;

use super::{Refusal, incoming::Lookup};
use crate::recipe::{SignedAt, TimeFormat};

/// When the request was signed, in seconds since 1970, unless that is too far from now.
pub fn check(signed_at: &SignedAt, lookup: &Lookup, now_seconds: i64) -> Result<i64, Refusal> {
    let text = lookup.find(&signed_at.at).ok_or(Refusal::TimestampMissing)?;
    let seconds = read(signed_at.format, &text)
        .ok_or(Refusal::TimestampMalformed { format: signed_at.format })?;
    let age_seconds = now_seconds.saturating_sub(seconds);
    let tolerance_seconds = i64::from(signed_at.tolerance_seconds);
    if age_seconds > tolerance_seconds {
        Err(Refusal::TooOld { seconds: age_seconds })
    } else if age_seconds < -tolerance_seconds {
        Err(Refusal::TooNew { seconds: age_seconds.saturating_neg() })
    } else {
        Ok(seconds)
    }
}

fn read(format: TimeFormat, text: &str) -> Option<i64> {
    match format {
        TimeFormat::Seconds => whole(text),
        TimeFormat::Milliseconds => whole(text).map(|it| Timestamp(it).seconds()),
        TimeFormat::Rfc3339 => Timestamp::parse(text).map(Timestamp::seconds),
    }
}

/// Digits only: `parse` would take a sign too, and no provider sends one.
fn whole(text: &str) -> Option<i64> {
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A moment as the provider writes it.
pub fn write(format: TimeFormat, seconds: i64) -> String {
    match format {
        TimeFormat::Seconds => seconds.to_string(),
        TimeFormat::Milliseconds => seconds.saturating_mul(1000).to_string(),
        TimeFormat::Rfc3339 => Timestamp(seconds.saturating_mul(1000)).to_string(),
    }
}
