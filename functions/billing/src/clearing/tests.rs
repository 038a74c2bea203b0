//! What a statement tells comes twice, at once, or in another order.

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Job, Timestamp},
    memory::{Memory, MemorySql},
    open::Open,
    ports::{CommitError, Tenant},
};

use super::{booking, compare};
use crate::store;

fn open(memory: &Memory) -> Open<Memory, MemorySql> {
    block_on(Open::system(memory, &memory.store("ten_1"), "ten_1", false)).unwrap()
}

fn job(kind: &str, body: Value) -> Job {
    Job { id: "j".to_owned(), kind: kind.to_owned(), body, due: Timestamp(0), attempts: 1 }
}

/// A part of the first statement, with a charge of nobody's for each of these amounts.
fn part(at: &impl Tenant, number: i64, amounts: &[i64]) -> Job {
    let movement = |amount: &i64| {
        json!({"id": format!("txn_{amount}"), "kind": "charges", "category": "charge",
            "currency": "EUR", "fee": 3, "net": amount - 3, "created": 5,
            "reference": format!("pi_{amount}"), "paid_currency": "EUR", "paid": amount})
    };
    let movements: Vec<Value> = amounts.iter().map(movement).collect();
    let body = json!({"account": "acc_1", "statement": 1, "part": number, "to": 10_005,
        "started_at": at.now(), "movements": movements});
    job(booking::BOOK, body)
}

fn end(at: &impl Tenant, parts: i64, balance: i64) -> Job {
    let body = json!({"account": "acc_1", "provider": "stripe", "statement": 1, "parts": parts,
        "started_at": at.now(), "balances": {"EUR": balance}, "from": 0, "to": 9, "seen": 1});
    job(compare::STATED, body)
}

fn clearing(at: &impl Tenant) -> i64 {
    let all = block_on(compare::clearing(at, "acc_1")).unwrap();
    all.get("EUR").copied().unwrap_or(0)
}

fn work(at: &impl Tenant, job: &Job) -> Commit {
    match job.kind.as_str() {
        booking::BOOK => block_on(booking::work(at, job)).unwrap(),
        _ => block_on(compare::stated(at, job)).unwrap(),
    }
}

#[test]
fn a_part_that_is_worked_twice_is_booked_once() {
    let memory = Memory::default();
    let at = open(&memory);
    let job = part(&at, 1, &[100, 200]);

    for _ in 0..2 {
        block_on(at.commit(work(&at, &job))).unwrap();
    }

    assert_eq!(clearing(&at), 97 + 197);
    assert_eq!(block_on(store::list_postings(&at, None, "", 10)).unwrap().len(), 2);
}

#[test]
fn of_two_that_book_at_once_one_has_to_look_again() {
    let memory = Memory::default();
    let at = open(&memory);
    let job = part(&at, 1, &[100]);
    let (first, second) = (work(&at, &job), work(&at, &job));

    block_on(at.commit(first)).unwrap();

    assert!(matches!(block_on(at.commit(second)), Err(CommitError::Conflict)));
    assert_eq!(clearing(&at), 97);
}

#[test]
fn the_end_of_a_statement_waits_for_its_parts() {
    let memory = Memory::default();
    let at = open(&memory);
    block_on(at.commit(work(&at, &part(&at, 2, &[200])))).unwrap();

    let early = block_on(compare::stated(&at, &end(&at, 2, 294)));
    assert!(early.is_err(), "one of two parts is booked");
    block_on(at.commit(work(&at, &part(&at, 1, &[100])))).unwrap();
    let done = work(&at, &end(&at, 2, 294));
    block_on(at.commit(done)).unwrap();

    let kept = block_on(store::statements(&at, "", 10)).unwrap();
    assert_eq!((kept.len(), &kept[0]["statement"]), (1, &json!(1)));
    assert!(work(&at, &end(&at, 2, 294)).is_empty(), "it is compared once");
}

#[test]
fn what_was_there_before_opens_the_books_once() {
    let memory = Memory::default();
    let at = open(&memory);
    block_on(at.commit(work(&at, &part(&at, 1, &[100])))).unwrap();

    block_on(at.commit(work(&at, &end(&at, 1, 1_097)))).unwrap();

    assert_eq!(clearing(&at), 1_097);
    let opened = block_on(store::list_postings(&at, Some("acc_1"), "", 10)).unwrap();
    assert_eq!((opened.len(), opened[0].event.as_str()), (1, "clearing.opened"));
}

#[test]
fn claims_that_differ_are_told_once_each_page_by_page() {
    let memory = Memory::default();
    let at = open(&memory);
    let amounts: Vec<i64> = (101..=160).collect();
    for (number, some) in (1..).zip(amounts.chunks(booking::MOVED_MAX)) {
        block_on(at.commit(work(&at, &part(&at, number, some)))).unwrap();
    }
    let mut next = work(&at, &end(&at, 3, clearing(&at)));
    let mut told = 0;
    for _ in 0..2 {
        // The second time all is told already.
        while let Some(job) = next.jobs.first() {
            let job = self::job(compare::COMPARE, job.body.clone());
            block_on(at.commit(Commit { jobs: Vec::new(), ..next })).unwrap();
            next = block_on(compare::work(&at, &job)).unwrap();
            told += next.entries.len();
        }
        let place = json!({"account": "acc_1", "statement": 1, "started_at": at.now(),
            "after": ["", "", ""]});
        next = next.job(shared::domain::NewJob::new(compare::COMPARE, "again", place));
    }

    assert_eq!(told, amounts.len());
    let drifted = block_on(store::drifted_claims(&at, "acc_1", ["acc_1", "", "", ""], 200));
    assert_eq!(drifted.unwrap().len(), amounts.len());
}
