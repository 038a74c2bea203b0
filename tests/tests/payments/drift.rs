//! What a provider's statement says, beside what the ledger was told.

use std::time::Duration;

use serde_json::{Value, json};
use shared::memory::Memory;
use tests::{
    fake_stripe::{DISPUTE_FEE, fee},
    host::Host,
    shop::Shop,
};

const REPORT: &str = "/v1/billing/ledger/drift";

/// A shop whose customer has paid its first invoice.
fn paid(host: &Host) -> (Shop<'_>, String) {
    let shop = Shop::open(host);
    let it = shop.subscribe("pm_card_visa");
    shop.until_state(&it, "active");
    let payment = shop.fake.paid()[0].0.clone();
    (shop, payment)
}

fn memory(host: &Host) -> &Memory {
    let Host::Memory(it) = host else { unreachable!("played in memory alone") };
    it
}

/// Sends all webhooks, and lets what follows be worked.
fn told(shop: &Shop) {
    for event in shop.fake.events() {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    memory(shop.host).settle::<edge::Backplane>();
}

/// Time passes: what happened so far is old.
fn hours(shop: &Shop, hours: u64) {
    memory(shop.host).advance(Duration::from_secs(hours * 3_600));
    memory(shop.host).settle::<edge::Backplane>();
    shop.fake.pass_to(shop.now());
}

/// Asks for a statement, and waits until billing has compared it.
fn state(shop: &Shop) -> Value {
    let path = format!("/v1/payments/accounts/{}/statement", shop.account);
    let number = shop.send("POST", &path, Value::Null).json()["number"].clone();
    compared(shop, &number)
}

fn compared(shop: &Shop, number: &Value) -> Value {
    shop.until(REPORT, |it| it["accounts"][0]["statement"] == *number);
    memory(shop.host).settle::<edge::Backplane>();
    let report = shop.get(&format!("{REPORT}?account={}", shop.account)).json();
    assert_balanced(shop);
    report
}

/// All accounts of the ledger come to nothing, and the clearing account to what the provider has.
fn assert_balanced(shop: &Shop) {
    let all = shop.get("/v1/billing/ledger/balances").json();
    let sum: i64 =
        all["items"].as_array().unwrap().iter().filter_map(|it| it["amount"].as_i64()).sum();
    assert_eq!(sum, 0, "{all}");
    let clearing = shop.balance(&format!("clearing:{}", shop.account));
    assert_eq!(clearing, shop.fake.has(), "{all}");
}

fn drifts(report: &Value) -> Vec<(&str, i64)> {
    let items = report["items"].as_array().unwrap().iter();
    items.map(|it| (it["drift"].as_str().unwrap(), it["difference"].as_i64().unwrap())).collect()
}

#[test]
fn a_life_leaves_no_difference() {
    let host = Host::memory();
    let (shop, payment) = paid(&host);
    shop.fake.refund_by_hand(&payment, 190);
    shop.fake.dispute(&payment, "needs_response");
    told(&shop);
    hours(&shop, 3);
    assert_eq!(drifts(&state(&shop)), []);

    shop.fake.dispute(&payment, "won");
    shop.fake.pay_out(500);
    shop.fake.keep(20);
    told(&shop);
    hours(&shop, 3);
    let report = state(&shop);

    assert_eq!(drifts(&report), []);
    let has = 1_190 - fee(1_190) - 190 - DISPUTE_FEE - 500 - 20;
    let balances = json!([{"currency": "EUR", "provider": has, "ledger": has}]);
    assert_eq!(report["accounts"][0]["balances"], balances);
    assert_eq!((shop.balance("cash"), shop.balance("suspense")), (0, 0));
    assert_eq!((shop.balance("bank"), shop.balance("disputed")), (500, 0));
    assert_eq!(shop.balance("fees"), fee(1_190) + DISPUTE_FEE + 20);
    assert_eq!(shop.told("ledger.drifted"), 0);
    let kinds: Vec<_> = report["accounts"][0]["sums"].as_array().unwrap().iter().collect();
    assert!(kinds.iter().any(|it| it["kind"] == "payouts" && it["net"] == -500), "{kinds:?}");
    let path = format!("/v1/billing/ledger/movements?account={}", shop.account);
    assert_eq!(shop.get(&path).json()["items"].as_array().unwrap().len(), 6);
    let first = shop.get("/v1/billing/ledger/movements?limit=4").json();
    let rest = format!("/v1/billing/ledger/movements?cursor={}", first["next"].as_str().unwrap());
    assert_eq!(shop.get(&rest).json()["items"].as_array().unwrap().len(), 2);
    let of = shop.get(&format!("{path}&about={}", told_payment(&shop))).json();
    assert_eq!(of["items"].as_array().unwrap().len(), 4, "paid, refunded, disputed, won: {of}");
}

/// Our id of the payment.
fn told_payment(shop: &Shop) -> String {
    let bills = shop.get("/v1/billing/invoices").json();
    let id = bills["items"][0]["id"].as_str().unwrap();
    let all = shop.get(&format!("/v1/billing/invoices/{id}/payments"));
    all.text("/items/0/id")
}

#[test]
fn a_charge_that_we_never_heard_of_is_told_once_and_settled_when_it_is_refunded() {
    let host = Host::memory();
    let (shop, _) = paid(&host);
    let unknown = shop.fake.charge_by_hand(700);
    hours(&shop, 3);

    let report = state(&shop);
    assert_eq!(drifts(&report), [("unknown", 700)]);
    assert_eq!(report["items"][0]["key"], unknown.as_str());
    assert_eq!(shop.balance("suspense"), -700);
    assert_eq!(drifts(&state(&shop)), [("unknown", 700)]);
    assert_eq!((shop.told("ledger.drifted"), shop.told("ledger.settled")), (1, 0));

    shop.fake.refund_by_hand(&unknown, 700);
    hours(&shop, 3);
    assert_eq!(drifts(&state(&shop)), []);

    assert_eq!((shop.told("ledger.drifted"), shop.told("ledger.settled")), (1, 1));
    assert_eq!(shop.balance("suspense"), 0);
}

#[test]
fn a_rule_makes_a_notice_of_it() {
    let host = Host::memory();
    let (shop, _) = paid(&host);
    let words = "{{ entry.data.difference }} {{ entry.data.currency }}";
    let workflow =
        json!({"channels": ["in_app"], "template": {"subject": "Drift", "markdown": words}});
    shop.send("PUT", "/v1/notifications/workflows/drift", workflow);
    let member = json!({"email": "ada@example.com", "name": "Ada"});
    let member = shop.send("POST", "/v1/members", member).text("/id");
    let rule = json!({"action": "ledger.drifted", "type": "drift", "to": [{"member": member}]});
    shop.send("PUT", "/v1/notifications/rules/drift", rule);
    shop.fake.charge_by_hand(700);
    hours(&shop, 3);

    state(&shop);

    let inbox = format!("/v1/notifications/inbox/{member}");
    let found = shop.until(&inbox, |it| it["unread"] == 1);
    assert_eq!(found["items"][0]["text"], "700 EUR");
}

#[test]
fn a_charge_that_the_provider_has_not_got_is_told_once_and_settled_when_it_is_found() {
    let host = Host::memory();
    let (shop, payment) = paid(&host);
    let lost = shop.fake.lose(&payment);
    assert_eq!(lost.len(), 1);
    hours(&shop, 3);

    let report = state(&shop);
    assert_eq!(drifts(&report), [("missing_there", -1_190)]);
    let text = text(&shop);
    assert!(text.contains("missing_there EUR, provider 0, ledger 1190"), "{text}");
    assert!(text.contains("look the payment up there"), "{text}");
    assert_eq!(shop.balance("cash"), 1_190 - fee(1_190), "told, and not found");

    shop.fake.find(lost);
    hours(&shop, 1);
    assert_eq!(drifts(&state(&shop)), []);

    assert_eq!((shop.told("ledger.drifted"), shop.told("ledger.settled")), (1, 1));
    assert_eq!(shop.balance("cash"), 0);
}

fn text(shop: &Shop) -> String {
    let bearer = format!("Bearer {}", shop.key);
    let headers = [("authorization", &*bearer), ("accept", "text/plain")];
    let request = tests::host::request("GET", REPORT, &headers, &Value::Null);
    String::from_utf8(shop.host.call(request).body.to_vec()).unwrap()
}

#[test]
fn another_amount_is_told_with_both() {
    let host = Host::memory();
    let (shop, payment) = paid(&host);
    shop.fake.alter(&payment, -90);
    hours(&shop, 3);

    let report = state(&shop);

    assert_eq!(drifts(&report), [("amount", -90)]);
    let it = &report["items"][0];
    assert_eq!((&it["provider"], &it["ledger"]), (&json!(1_100), &json!(1_190)));
    let log = shop.get("/v1/log?limit=200").json();
    let told = log["items"].as_array().unwrap().iter().find(|it| it["action"] == "ledger.drifted");
    let told = &told.unwrap()["data"];
    assert!(told["invoice"].is_string() && told["reference"] == payment.as_str(), "{told}");
    assert_eq!(shop.balance("suspense"), 90);
}

#[test]
fn a_refund_of_which_no_webhook_came_is_missing_here_until_it_does() {
    let host = Host::memory();
    let (shop, payment) = paid(&host);
    told(&shop);
    shop.fake.refund_by_hand(&payment, 190);
    // Within the grace nobody is alarmed; the hour's look would find it, and is not let.
    memory(&host).advance(Duration::from_secs(90));
    assert_eq!(drifts(&state(&shop)), []);
    assert_eq!(shop.balance("suspense"), 190);

    told(&shop);
    hours(&shop, 3);
    assert_eq!(drifts(&state(&shop)), []);

    assert_eq!((shop.told("ledger.drifted"), shop.balance("suspense")), (0, 0));
}

#[test]
fn a_refund_that_nobody_told_is_missing_here_until_a_reconciliation_finds_it() {
    let host = Host::memory();
    let (shop, payment) = paid(&host);
    told(&shop);
    shop.fake.refund_unheard(&payment, 190);
    hours(&shop, 3);

    let report = state(&shop);
    assert_eq!(drifts(&report), [("missing_here", -190)]);
    assert_eq!((&report["items"][0]["kind"], shop.balance("suspense")), (&json!("refund"), 190));

    let path = format!("/v1/payments/accounts/{}/reconcile", shop.account);
    shop.send("POST", &path, Value::Null);
    shop.until(&path, |it| it["ended_at"].is_string());
    memory(&host).settle::<edge::Backplane>();
    assert_eq!(drifts(&state(&shop)), []);
    assert_eq!((shop.told("ledger.drifted"), shop.told("ledger.settled")), (1, 1));
    assert_eq!((shop.balance("cash"), shop.balance("suspense")), (0, 0));
}

/// Two statements see the same hour: what is in both is booked once.
#[test]
fn what_is_told_twice_is_booked_once() {
    let host = Host::memory();
    let (shop, _) = paid(&host);
    memory(&host).advance(Duration::from_secs(120));
    for _ in 0..3 {
        state(&shop);
        memory(&host).advance(Duration::from_secs(120));
    }

    let moved = shop.told("payment_account.moved");
    let postings = shop.get("/v1/billing/ledger?limit=200").json();
    let found = postings["items"].as_array().unwrap().iter();
    let booked = found.filter(|it| it["event"] == "movement.found").count();
    assert_eq!((moved, booked), (3, 1));
}

#[test]
fn a_statement_goes_on_after_a_page_that_failed() {
    let host = Host::memory();
    let (shop, _) = paid(&host);
    for amount in 1..=8 {
        shop.fake.charge_by_hand(amount * 100);
    }
    hours(&shop, 3);
    let asked = shop.fake.calls("GET /v1/balance_transactions");
    shop.fake.fail(&[(500, false), (429, true)]);

    let report = state(&shop);

    assert_eq!(report["accounts"][0]["seen"], 9, "three pages, each movement once");
    assert_eq!(drifts(&report).len(), 8);
    // Three pages with two tries in vain, and what came later twice.
    assert_eq!(shop.fake.calls("GET /v1/balance_transactions") - asked, 7);
    let postings = shop.get("/v1/billing/ledger?limit=200").json();
    let found = postings["items"].as_array().unwrap().iter();
    assert_eq!(found.filter(|it| it["event"] == "movement.found").count(), 9);
}

#[test]
fn what_was_there_before_the_account_opens_the_books() {
    let host = Host::memory();
    let shop = Shop::open(&host);
    shop.fake.charge_by_hand(10_000);
    shop.fake.pay_out(3_000);
    // All of that was long before.
    shop.fake.age(86_400);
    hours(&shop, 1);

    let report = state(&shop);

    assert_eq!(drifts(&report), []);
    assert_eq!(shop.balance("opening"), -shop.fake.has());
}

#[test]
fn a_movement_that_no_list_shows_is_seen_in_the_balance() {
    let host = Host::memory();
    let (shop, _) = paid(&host);
    hours(&shop, 3);
    assert_eq!(drifts(&state(&shop)), []);
    shop.fake.pay_out(100);
    shop.fake.age(86_400);
    hours(&shop, 1);

    let path = format!("/v1/payments/accounts/{}/statement", shop.account);
    shop.send("POST", &path, Value::Null);
    let report = shop.until(REPORT, |it| it["items"][0].is_object());

    assert_eq!(drifts(&report), [("balance", -100)]);
}

#[test]
fn each_day_has_a_statement_by_itself() {
    let host = Host::memory();
    let (shop, _) = paid(&host);

    for _ in 0..3 * 24 {
        hours(&shop, 1);
    }

    let path = format!("/v1/payments/accounts/{}/statement", shop.account);
    let number = shop.get(&path).json()["number"].as_i64().unwrap();
    assert!((3..=4).contains(&number), "one a day: {number}");
    assert_eq!(shop.told("ledger.drifted"), 0);
    assert_balanced(&shop);
}
