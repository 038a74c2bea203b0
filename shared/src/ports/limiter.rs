//! Limits that are exact.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PortError;
use crate::{
    domain::Timestamp,
    limit::{Act, Algorithm, Limit, Standing},
};

/// The most questions that are decided together.
pub const QUESTIONS_MAX: usize = 100;

/// Takes of limits, and counts.
///
/// Questions of one group are decided together and one after the other with all others of the
/// group: no two askers get the same unit, on any number of instances.
pub trait Limiter {
    /// Decides all questions at once: what is asked is taken when all of it fits, and none of it
    /// otherwise. With it `tallies` are counted, if the decision is.
    ///
    /// Of a group, all keys are in one place. `now` is the tenant's time.
    ///
    /// # Errors
    /// When the limiter cannot be asked, or so many ask for the same key that it gives up.
    async fn decide(
        &self,
        group: &str,
        questions: &[Question],
        tallies: &[Tally],
        now: Timestamp,
    ) -> Result<Vec<Standing>, PortError>;

    /// Admits one by a rate, or says after how long the next one would be. A refusal costs
    /// nothing.
    ///
    /// # Errors
    /// As of [`Limiter::decide`].
    async fn admit(&self, key: &str, rate: Rate, now: Timestamp) -> Result<Admission, PortError> {
        let question = Question { key: key.to_owned(), limit: rate.limit()?, act: Act::Take(1) };
        let standings = self.decide(key, &[question], &[], now).await?;
        let wait = standings.first().filter(|it| !it.admitted).and_then(|it| it.retry_ms);
        Ok(match wait {
            Some(it) => {
                Admission::Refused(Duration::from_millis(u64::try_from(it).unwrap_or_default()))
            }
            None => Admission::Admitted,
        })
    }
}

/// What is asked of one key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Question {
    /// Which key, of all tenants'.
    pub key: String,
    /// By which limit.
    pub limit: Limit,
    /// What.
    pub act: Act,
}

/// What to count, however it is decided. It arrives as an item of the ingest queue, together with
/// others of the same label, within a minute; exactly once where the queue keeps ids apart.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tally {
    /// Whose.
    pub tenant: String,
    /// The function that takes it in.
    pub function: String,
    /// What the counts are of: what has the same label is added up.
    pub label: String,
    /// What is counted by these names when all was admitted …
    pub admitted: Vec<(String, i64)>,
    /// … and when something was refused.
    pub refused: Vec<(String, i64)>,
}

/// So many in a period, evenly, with a burst of as many.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub limit: u32,
    /// In which period.
    pub period: Duration,
}

/// The answer of a rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It may go on.
    Admitted,
    /// It may not; the next one may after this long.
    Refused(Duration),
}

impl Rate {
    fn limit(self) -> Result<Limit, PortError> {
        let period = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
        Limit::new(Algorithm::Gcra, self.limit.into(), period, None)
            .map_err(|err| PortError::new("limiter", err))
    }
}
