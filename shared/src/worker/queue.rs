//! The ingest queue: Cloudflare Queues, and the way from there to the tenants' objects.

use std::collections::BTreeMap;

use js_sys::Promise;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    Env, Queue,
    wasm_bindgen_futures::future_to_promise,
    worker_sys::{Message as Raw, MessageBatch},
};

use super::{INGEST, Worker, object};
use crate::{
    directory,
    ingest::Batch,
    ports::{Edge, ITEMS_MAX, Item, PortError},
};

/// How many bytes are sent at once. Queues takes 256 kB.
const SEND_BYTES_MAX: usize = 240_000;

/// An item on its way, as the text of a message.
#[derive(Deserialize, Serialize)]
struct Message {
    tenant: String,
    function: String,
    item: Item,
}

/// Sends items, in as few requests as they fit in.
pub(super) async fn send(
    env: &Env,
    tenant: &str,
    function: &str,
    items: Vec<Item>,
) -> Result<(), PortError> {
    let queue = env.queue(INGEST).map_err(failed)?;
    let (mut group, mut bytes) = (Vec::new(), 0);
    for item in items {
        let message = Message { tenant: tenant.to_owned(), function: function.to_owned(), item };
        // Text: a map would arrive empty.
        let text = serde_json::to_string(&message).map_err(failed)?;
        if !group.is_empty() && (group.len() == ITEMS_MAX || bytes + text.len() > SEND_BYTES_MAX) {
            post(&queue, std::mem::take(&mut group)).await?;
            bytes = 0;
        }
        bytes += text.len();
        group.push(text);
    }
    if group.is_empty() { Ok(()) } else { post(&queue, group).await }
}

async fn post(queue: &Queue, group: Vec<String>) -> Result<(), PortError> {
    queue.send_batch(group).await.map_err(failed)
}

/// The module's event: a promise that is rejected when the batch has to come again. It is written
/// by hand, as `event(queue)` of the `worker` crate panics on an error.
#[wasm_bindgen(js_name = queue)]
pub fn queue(batch: MessageBatch, env: Env) -> Promise {
    future_to_promise(async move { consume(batch, env).await.map(|()| JsValue::UNDEFINED) })
}

/// Hands a batch of the queue to the objects. What an object could not take comes again.
async fn consume(batch: MessageBatch, env: Env) -> Result<(), JsValue> {
    let edge = Worker::new(env);
    let mut groups: BTreeMap<(String, String), Vec<(Item, Raw)>> = BTreeMap::new();
    for message in batch.messages()?.iter() {
        let raw: Raw = message.unchecked_into();
        let text = raw.body()?.as_string().unwrap_or_default();
        match serde_json::from_str::<Message>(&text) {
            Ok(it) => {
                groups.entry((it.tenant, it.function)).or_default().push((it.item, raw));
            }
            Err(err) => {
                // Nobody will ever be able to read it.
                edge.note(&format!("queue: a message that is none: {err}"));
                raw.ack()?;
            }
        }
    }
    for ((tenant, function), group) in groups {
        let (items, raws): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcome = hand_over(&edge, Batch { tenant, function, items }).await;
        if let Err(err) = &outcome {
            edge.note(&format!("queue: {err}"));
        }
        for raw in raws {
            match outcome {
                Ok(()) => raw.ack()?,
                Err(_) => raw.retry(JsValue::UNDEFINED)?,
            }
        }
    }
    Ok(())
}

async fn hand_over(edge: &Worker, batch: Batch) -> Result<(), PortError> {
    if directory::tenant(edge, &batch.tenant).await?.is_none() {
        return Ok(()); // Erased meanwhile. Asking its object would make it anew.
    }
    object::ingest(&edge.0, &batch).await
}

fn failed(err: impl std::fmt::Display) -> PortError {
    PortError::new("queue", err)
}
