//! A bank of ours, which stands in for the payment providers.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry},
    function::Function,
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

/// It answers by the method: `ok` pays, `flaky` pays at the third time, `stolen` never does, `slow`
/// pays when it is asked for something else, `fickle` pays and takes all of it back.
pub struct Bank;

thread_local! {
    static TRIES: RefCell<BTreeMap<String, u32>> = RefCell::default();
    static SLOW: RefCell<Vec<Draft>> = RefCell::default();
}

/// Forgets which payments were tried.
pub fn forget() {
    TRIES.take();
    SLOW.take();
}

impl Function for Bank {
    const NAME: &'static str = "bank";

    fn routes() -> impl Iterator<Item = &'static Route> {
        std::iter::empty()
    }

    async fn handle(_: &impl Tenant, _: &Call) -> Result<Response, Problem> {
        Err(Problem::not_found())
    }

    fn follows(_: &str) -> &'static [&'static str] {
        &["payment.requested", "refund.requested"]
    }

    async fn follow(_: &str, _: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        Ok(entries.iter().flat_map(answers).fold(Commit::new(), Commit::entry))
    }
}

fn answers(asked: &Entry) -> Vec<Draft> {
    let mut said = SLOW.take();
    match asked.data["method"].as_str() {
        Some("slow") => SLOW.set(vec![answer(asked)]),
        Some("fickle") => {
            let paid = answer(asked);
            said.extend([paid.clone(), Draft { action: "payment.refunded", ..paid }]);
        }
        _ => said.push(answer(asked)),
    }
    said
}

fn answer(asked: &Entry) -> Draft {
    let data = &asked.data;
    let said = |action, subject: &str, more: Value| {
        let mut all = json!({
            "payment": data["payment"], "account": data["account"], "amount": data["amount"],
            "currency": data["currency"], "reference": format!("pi_{}", data["payment"]),
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Draft { action, subject: subject.to_owned(), data: all }
    };
    if asked.action == "refund.requested" {
        return said("payment.refunded", &asked.subject, json!({"refund": data["refund"]}));
    }
    let tries = TRIES.with_borrow_mut(|all| {
        let tries = all.entry(data["invoice"].to_string()).or_default();
        *tries += 1;
        *tries
    });
    match data["method"].as_str() {
        Some("flaky") if tries < 3 => said(
            "payment.failed",
            &asked.subject,
            json!({"code": "insufficient_funds", "provider": "stripe"}),
        ),
        Some("stolen") => said(
            "payment.failed",
            &asked.subject,
            json!({"code": "stolen_card", "provider": "stripe"}),
        ),
        _ => said("payment.succeeded", &asked.subject, json!({"fee": 30})),
    }
}
