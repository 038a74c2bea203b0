//! Two fetch the same object, and one of them is slow.

use std::{cell::RefCell, rc::Rc};

use pollster::block_on;
use shared::{
    http::{HeaderMap, StatusCode},
    memory::{Memory, MemorySql},
    open::Open,
    ports::{CommitError, HttpResponse},
};

use super::*;
use crate::account::{Provider, Secrets};

/// The method of the customer that the provider shows next, and what happens before it answers.
type Next = Rc<RefCell<(&'static str, Option<Box<dyn FnOnce()>>)>>;

fn network(next: &Next) -> Memory {
    let next = Rc::clone(next);
    Memory::with_network(move |_| {
        let (method, meanwhile) = {
            let mut next = next.borrow_mut();
            (next.0, next.1.take())
        };
        if let Some(it) = meanwhile {
            it();
        }
        let customer = json!({
            "id": "cus_1", "object": "customer", "metadata": {"customer": "acme"},
            "invoice_settings": {"default_payment_method": {"id": method, "type": "card"}},
        });
        Ok(HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: customer.to_string().into(),
            cut: false,
        })
    })
}

fn open(memory: &Memory) -> Open<Memory, MemorySql> {
    block_on(Open::system(memory, &memory.store("ten_1"), "ten_1", false)).unwrap()
}

fn with_account(at: &impl Tenant) {
    let secrets = Secrets { api_key: "sk_test_1".to_owned(), webhook: Vec::new() };
    let sealed = block_on(at.seal(&serde_json::to_vec(&secrets).unwrap())).unwrap();
    let account = Account {
        id: "acc_1".to_owned(),
        name: "S".to_owned(),
        provider: Provider::Stripe,
        path: "/webhooks/stripe/acc_1".to_owned(),
        livemode: false,
        mode: Mode::Engine,
        tolerance_seconds: 300,
        api_version: None,
        connect: None,
        client_id: None,
        webhook_id: None,
        base_url: None,
        roots: None,
        created_at: at.now(),
        version: 1,
        sealed,
    };
    block_on(at.commit(store::insert_account(&account))).unwrap();
}

fn hint() -> Job {
    let it = job("acc_1", "customer", "cus_1", Timestamp(0));
    Job { id: it.id, kind: it.kind.into_owned(), body: it.body, due: Timestamp(0), attempts: 1 }
}

#[test]
fn an_answer_that_is_older_than_the_mirror_is_a_conflict() {
    let next = Next::default();
    let memory = network(&next);
    let at = open(&memory);
    with_account(&at);
    next.borrow_mut().0 = "pm_new";
    let newer = block_on(work(&at, &hint())).unwrap();

    // Whoever is slow is given the old state; before that arrives, the newer one is written.
    let other = open(&memory);
    let meanwhile = move || block_on(other.commit(newer)).unwrap();
    *next.borrow_mut() = ("pm_old", Some(Box::new(meanwhile)));
    let older = block_on(work(&at, &hint())).unwrap();

    assert!(matches!(block_on(at.commit(older)), Err(CommitError::Conflict)));
    let (kept, _) = block_on(store::find_object(&at, "acc_1", "cus_1")).unwrap().unwrap();
    assert!(matches!(kept, Object::Customer(it) if it.method.as_deref() == Some("pm_new")));
}

#[test]
fn what_is_held_back_is_no_try() {
    let wait = Duration::from_secs(1);

    assert_eq!(failure(CallError::Held(wait)).retry, Retry::Postpone(wait));
}

#[test]
fn a_provider_says_when_to_come_again() {
    let later = |after| CallError::Later { why: "busy".to_owned(), after };

    assert_eq!(failure(later(Some(7))).retry, Retry::After(Duration::from_secs(7)));
    assert_eq!(failure(later(None)).retry, Retry::Schedule);
    assert_eq!(failure(CallError::Refused("no".to_owned())).retry, Retry::Never);
}
