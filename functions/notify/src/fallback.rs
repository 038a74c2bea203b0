//! Fallback: by which channels a notice goes on when nobody has read it. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::channel::Channel;

/// How many steps a chain has at most.
const STEPS_MAX: usize = 4;
/// The longest that a step waits, in seconds: 31 days.
const SECONDS_MAX: u64 = 31 * 86_400;

/// One step of a chain.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeFallback)]
pub struct Fallback {
    /// By which channel.
    pub channel: Channel,
    /// How long after the first channels it is looked whether the notice was read, in seconds: 1 to
    /// 2,678,400, which is 31 days.
    pub after_seconds: u64,
}

/// Why a chain is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There are too many steps.
    #[error("at most {STEPS_MAX} steps")]
    TooMany,
    /// A wait is out of range.
    #[error("after_seconds is 1 to {SECONDS_MAX}")]
    Wait,
    /// A channel is named twice.
    #[error("each channel once, and none that is in channels")]
    Twice,
    /// Nobody could know whether it was read.
    #[error("channels has in_app: it is the item of the inbox that is read or not")]
    Unknowable,
}

/// Whether the chain makes sense behind these channels.
///
/// # Errors
/// What does not.
pub fn check(chain: &[Fallback], channels: &BTreeSet<Channel>) -> Result<(), Error> {
    if chain.len() > STEPS_MAX {
        return Err(Error::TooMany);
    }
    if chain.iter().any(|it| !(1..=SECONDS_MAX).contains(&it.after_seconds)) {
        return Err(Error::Wait);
    }
    let mut named = channels.clone();
    if !chain.iter().all(|it| named.insert(it.channel)) {
        return Err(Error::Twice);
    }
    match chain.is_empty() || channels.contains(&Channel::InApp) {
        true => Ok(()),
        false => Err(Error::Unknowable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(channel: Channel, after_seconds: u64) -> Fallback {
        Fallback { channel, after_seconds }
    }

    #[test]
    fn a_chain_follows_an_inbox_by_other_channels() {
        let inbox = BTreeSet::from([Channel::InApp]);
        let both = BTreeSet::from([Channel::InApp, Channel::Push]);
        let mail = [step(Channel::Email, 600)];

        assert_eq!(check(&mail, &both), Ok(()));
        assert_eq!(check(&[], &BTreeSet::from([Channel::Email])), Ok(()));
        assert_eq!(check(&[step(Channel::Push, 60), step(Channel::Email, 600)], &inbox), Ok(()));
        assert_eq!(check(&mail, &BTreeSet::from([Channel::Push])), Err(Error::Unknowable));
        assert_eq!(check(&[step(Channel::Push, 60)], &both), Err(Error::Twice));
        assert_eq!(check(&[mail[0], mail[0]], &inbox), Err(Error::Twice));
        assert_eq!(check(&[step(Channel::Email, 0)], &inbox), Err(Error::Wait));
        assert_eq!(check(&[step(Channel::Email, SECONDS_MAX + 1)], &inbox), Err(Error::Wait));
        assert_eq!(check(&[mail[0]; STEPS_MAX + 1], &inbox), Err(Error::TooMany));
    }
}
