//! Batches: several deliveries of an endpoint in one request.
//!
//! What was sent together and failed waits until the same moment, after as many attempts; so what
//! is tried again is the same set, under the same id, and a receiver can tell.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::{domain::Id, problem::Problem};
use utoipa::ToSchema;

use super::{
    courier::Due,
    event::EVENT_BYTES_MAX,
    settings::{Order, Settings},
};

/// How many deliveries a batch has at most.
pub const BATCH_MAX: u32 = 100;
/// How much of the hash an id has, in characters: 130 bits.
const ID_CHARS: usize = 26;

/// That an endpoint takes several deliveries at once.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Up to this many, 1 to 100.
    pub most: u32,
}

/// Several deliveries as one.
pub struct Bundle {
    /// `bat_…`: the same for the same events.
    pub id: Id,
    /// Their numbers.
    pub sequences: Vec<i64>,
    /// Their payloads.
    pub body: Value,
}

/// Refuses a batch of none or too many, and one whose order would be lost.
///
/// # Errors
/// 422 with what it has to be.
pub fn check(settings: &Settings) -> Result<(), Problem> {
    let Some(batch) = settings.batch else { return Ok(()) };
    if settings.order != Order::Fifo {
        return Err(Problem::unfitting("batch", "only where the order is fifo"));
    }
    if !(1..=BATCH_MAX).contains(&batch.most) {
        return Err(Problem::unfitting("batch.most", format!("1 to {BATCH_MAX}")));
    }
    Ok(())
}

/// Those of the first that go together: as often tried as the first, and due when it is.
pub fn together(due: &mut Vec<Due>) {
    let Some(first) = due.first().map(|it| (it.attempts, it.at)) else { return };
    let fits = |it: &Due| it.attempts == first.0 && (it.attempts == 0 || it.at == first.1);
    let count = due.iter().take_while(|it| fits(it)).count();
    due.truncate(count);
}

/// As many of these as fit into one body; the first always does. The rest have their turn next.
pub fn bundle(ready: Vec<(i64, &Id, Value)>) -> Bundle {
    let (mut hash, mut sequences, mut payloads) = (Sha256::new(), Vec::new(), Vec::new());
    let mut bytes = "[]".len();
    for (sequence, event, payload) in ready {
        bytes += payload.to_string().len() + ",".len();
        if bytes > EVENT_BYTES_MAX && !payloads.is_empty() {
            break;
        }
        hash.update(event.as_str());
        hash.update([0]);
        sequences.push(sequence);
        payloads.push(payload);
    }
    let hash = BASE32_NOPAD.encode(&hash.finalize()).to_ascii_lowercase();
    let id = format!("bat_{}", hash.get(..ID_CHARS).unwrap_or_default());
    Bundle { id: Id::trusted(id), sequences, body: Value::Array(payloads) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::domain::Timestamp;

    use super::*;

    fn due(sequence: i64, attempts: u32, at: i64) -> Due {
        Due { sequence, attempts, at: Timestamp(at), event: None }
    }

    fn taken(mut all: Vec<Due>) -> Vec<i64> {
        together(&mut all);
        all.iter().map(|it| it.sequence).collect()
    }

    #[test]
    fn what_is_tried_again_is_what_was_tried_before() {
        assert_eq!(taken(vec![due(1, 0, 5), due(2, 0, 6), due(3, 0, 7)]), [1, 2, 3]);
        assert_eq!(taken(vec![due(1, 2, 5), due(2, 2, 5), due(3, 0, 4)]), [1, 2]);
        assert_eq!(taken(vec![due(1, 2, 5), due(2, 2, 6)]), [1]);
        assert_eq!(taken(vec![due(1, 0, 5), due(2, 1, 5)]), [1]);
        assert_eq!(taken(Vec::new()), [0; 0]);
    }

    #[test]
    fn the_same_events_have_the_same_id() {
        let ids = ["evt_1", "evt_2"].map(|it| Id::trusted(it.to_owned()));
        let ready = |count: usize| ids.iter().take(count).map(|it| (1, it, json!({}))).collect();

        assert_eq!(bundle(ready(2)).id, bundle(ready(2)).id);
        assert_ne!(bundle(ready(2)).id, bundle(ready(1)).id);
        assert_eq!(bundle(ready(2)).id.as_str().len(), "bat_".len() + ID_CHARS);
    }

    #[test]
    fn a_body_is_no_larger_than_that_of_one_event_may_be() {
        let id = Id::trusted("evt_1".to_owned());
        let half = json!("a".repeat(EVENT_BYTES_MAX / 2 - 10));
        let whole = json!("a".repeat(EVENT_BYTES_MAX));

        let three = (1..=3).map(|it| (it, &id, half.clone())).collect();
        assert_eq!(bundle(three).sequences, [1, 2]);
        let large = vec![(1, &id, whole), (2, &id, half)];
        assert_eq!(bundle(large).sequences, [1]);
    }

    #[test]
    fn only_what_is_in_order_comes_in_batches() {
        for (bad, field) in [
            (json!({"batch": {"most": 2}}), "batch"),
            (json!({"order": "fifo", "batch": {"most": 0}}), "batch.most"),
            (json!({"order": "fifo", "batch": {"most": 101}}), "batch.most"),
        ] {
            let settings = serde_json::from_value::<Settings>(bad).unwrap();
            let problem = settings.checked().unwrap_err();
            assert!(format!("{problem:?}").contains(field), "{problem:?}");
        }
    }
}
