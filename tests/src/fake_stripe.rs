//! Stripe as far as the tests go: customers, payments, refunds, disputes, subscriptions, events,
//! what moved the balance, on loopback. It remembers idempotency keys, and can fail.
//!
//! Methods decide how a payment goes, those of Stripe's test mode as there: `pm_card_visa` pays,
//! [`DECLINED`] is refused, [`AUTHENTICATION`] as well, since nobody is there to confirm; `pm_redirect`
//! waits for the customer.

mod moves;

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};

use crate::sink::{Delivered, read};

pub use moves::{DISPUTE_FEE, fee};

/// A card without enough money.
pub const DECLINED: &str = "pm_card_visa_chargeDeclinedInsufficientFunds";
/// A card whose holder must confirm each payment.
pub const AUTHENTICATION: &str = "pm_card_authenticationRequired";

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct FakeStripe {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    events: Vec<Value>,
    moves: Vec<Value>,
    keys: BTreeMap<String, (String, Value)>,
    calls: Vec<String>,
    failures: VecDeque<(u16, bool)>,
    made: u32,
    now: i64,
}

impl FakeStripe {
    /// Starts it on a port of its own, with its clock at `now` (seconds since 1970).
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start(now: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(Mutex::new(State { now, ..State::default() }));
        let fake = Self { url: format!("http://{address}"), state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        fake
    }

    /// Moves its clock on to `now`, in seconds since 1970.
    pub fn pass_to(&self, now: i64) {
        let mut state = self.state();
        state.now = state.now.max(now);
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }

    /// Fails the next calls with these statuses. With `true` the call has its effect all the same,
    /// and only its answer is lost.
    pub fn fail(&self, statuses: &[(u16, bool)]) {
        self.state().failures.extend(statuses);
    }

    /// Forgets all idempotency keys, as the provider does after a day.
    pub fn forget_keys(&self) {
        self.state().keys.clear();
    }

    /// How many calls there were whose line begins so.
    pub fn calls(&self, start: &str) -> usize {
        self.state().calls.iter().filter(|it| it.starts_with(start)).count()
    }

    /// All events so far, as they would be sent.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.clone()
    }

    /// An object as it is.
    pub fn object(&self, id: &str) -> Option<Value> {
        self.state().objects.get(id).cloned()
    }

    /// The ids of all payments that succeeded, and their amounts.
    pub fn paid(&self) -> Vec<(String, i64)> {
        let state = self.state();
        let paid = state.objects.values().filter(|it| it["status"] == "succeeded");
        let paid = paid.filter(|it| it["object"] == "payment_intent");
        paid.map(|it| (text(it, "id"), it["amount"].as_i64().unwrap_or(0))).collect()
    }

    /// The customer tells how it pays.
    pub fn attach(&self, customer: &str, method: &str) {
        let mut state = self.state();
        let card = json!({"last4": "4242", "exp_month": 4, "exp_year": 2035});
        let full = json!({"id": method, "object": "payment_method", "type": "card",
            "card": card, "customer": customer});
        if let Some(it) = state.objects.get_mut(customer) {
            it["invoice_settings"] = json!({"default_payment_method": full.clone()});
        }
        state.tell("payment_method.attached", full);
    }

    /// Somebody disputes a payment; `status` is where that stands.
    pub fn dispute(&self, payment: &str, status: &str) {
        let mut state = self.state();
        let amount = state.objects.get(payment).map_or(json!(0), |it| it["amount"].clone());
        let id = format!("du_{payment}");
        let it = json!({"id": id, "object": "dispute", "payment_intent": payment,
            "amount": amount, "currency": "eur", "status": status});
        let before = state.objects.insert(id, it.clone());
        state.disputed(&it, before.as_ref());
        let kind = if matches!(status, "won" | "lost") { "closed" } else { "created" };
        state.tell(&format!("charge.dispute.{kind}"), it);
    }

    /// Puts an object there, and tells it if `kind` is an event's.
    pub fn put(&self, object: Value, kind: Option<&str>) {
        let mut state = self.state();
        state.objects.insert(text(&object, "id"), object.clone());
        if let Some(kind) = kind {
            state.tell(kind, object);
        }
    }

    /// Refunds a payment by hand, as somebody does in the provider's dashboard.
    pub fn refund_by_hand(&self, payment: &str, amount: i64) {
        let mut state = self.state();
        state.refund(payment, amount, &Value::Null);
    }
}

fn text(it: &Value, name: &str) -> String {
    it[name].as_str().unwrap_or_default().to_owned()
}

impl State {
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{:06}", self.made)
    }

    fn tell(&mut self, kind: &str, object: Value) {
        let id = self.id("evt");
        self.now += 1;
        let event = json!({"id": id, "object": "event", "api_version": "2025-03-31.basil",
            "created": self.now, "livemode": false, "type": kind, "data": {"object": object}});
        self.events.push(event);
    }

    fn refund(&mut self, payment: &str, amount: i64, metadata: &Value) -> Value {
        let id = self.id("re");
        let refund = json!({"id": id, "object": "refund", "amount": amount,
            "status": "succeeded", "payment_intent": payment, "metadata": metadata});
        let mut source = refund.clone();
        source["currency"] = json!("eur");
        self.moved("refund", -amount, 0, source);
        if let Some(it) = self.objects.get_mut(payment)
            && let Some(all) = it["latest_charge"]["refunds"]["data"].as_array_mut()
        {
            all.push(refund.clone());
        }
        let charge = json!({"id": "ch", "object": "charge", "payment_intent": payment});
        self.tell("charge.refunded", charge);
        refund
    }

    fn charge(&mut self, form: &BTreeMap<String, String>) -> (u16, Value) {
        let get = |name: &str| form.get(name).cloned().unwrap_or_default();
        let id = self.id("pi");
        let charge = self.id("ch");
        let amount: i64 = get("amount").parse().unwrap_or(0);
        let metadata =
            json!({"payment": get("metadata[payment]"), "customer": get("metadata[customer]")});
        let mut it = json!({"id": id, "object": "payment_intent", "amount": amount,
            "currency": get("currency"), "metadata": metadata, "customer": get("customer")});
        let kind = match get("payment_method").as_str() {
            method @ (DECLINED | AUTHENTICATION) => {
                let why = match method {
                    DECLINED => "insufficient_funds",
                    _ => "authentication_required",
                };
                it["status"] = json!("requires_payment_method");
                it["last_payment_error"] = json!({"type": "card_error", "code": "card_declined",
                    "decline_code": why, "charge": charge});
                "payment_intent.payment_failed"
            }
            "pm_redirect" => {
                it["status"] = json!("requires_action");
                it["next_action"] =
                    json!({"redirect_to_url": {"url": "https://bank.example/confirm"}});
                "payment_intent.requires_action"
            }
            _ => {
                it["status"] = json!("succeeded");
                it["latest_charge"] = json!({"id": charge, "object": "charge",
                    "balance_transaction": {"fee": fee(amount)},
                    "refunds": {"data": []}});
                self.charged(&it);
                "payment_intent.succeeded"
            }
        };
        self.objects.insert(id, it.clone());
        self.tell(kind, it.clone());
        match it["last_payment_error"].is_object() {
            false => (200, it),
            true => {
                let mut error = it["last_payment_error"].clone();
                error["payment_intent"] = it;
                (402, json!({"error": error}))
            }
        }
    }

    fn answer(&mut self, request: &Delivered) -> (u16, Value) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let form = pairs(if request.method == "GET" { query } else { &body });
        let last = path.rsplit('/').next().unwrap_or_default();
        match (request.method.as_str(), path) {
            ("POST", "/v1/payment_intents") => self.charge(&form),
            ("POST", "/v1/customers") => {
                let id = self.id("cus");
                let customer = form.get("metadata[customer]").cloned().unwrap_or_default();
                let it = json!({"id": id, "object": "customer",
                    "metadata": {"customer": customer}, "invoice_settings": {}});
                self.objects.insert(id, it.clone());
                (200, it)
            }
            ("POST", "/v1/checkout/sessions") => {
                let id = self.id("cs");
                let it = json!({"id": id, "object": "checkout.session",
                    "customer": form.get("customer"), "url": "https://checkout.example/cs"});
                self.objects.insert(id, it.clone());
                (200, it)
            }
            ("POST", "/v1/refunds") => {
                let amount = form.get("amount").and_then(|it| it.parse().ok()).unwrap_or(0);
                let metadata = json!({"refund": form.get("metadata[refund]")});
                let payment = form.get("payment_intent").cloned().unwrap_or_default();
                (200, self.refund(&payment, amount, &metadata))
            }
            ("GET", "/v1/payment_intents/search") => {
                let asked = form.get("query").cloned().unwrap_or_default();
                let named = |it: &&Value| {
                    asked == format!("metadata['payment']:'{}'", text(&it["metadata"], "payment"))
                };
                let found: Vec<&Value> = self.objects.values().filter(named).collect();
                (200, json!({"object": "search_result", "data": found, "has_more": false}))
            }
            ("GET", "/v1/refunds") => {
                let payment = form.get("payment_intent").cloned().unwrap_or_default();
                let found = self.objects.get(&payment).map(|it| &it["latest_charge"]["refunds"]);
                (200, json!({"object": "list", "data": found.map(|it| &it["data"])}))
            }
            ("GET", "/v1/balance") => (200, self.balance()),
            ("GET", "/v1/balance_transactions") => (200, self.movements(&form)),
            ("GET", "/v1/events") => (200, self.list(&form, None)),
            ("GET", "/v1/payment_intents") => (200, self.list(&form, Some("payment_intent"))),
            ("GET", "/v1/disputes") => (200, self.list(&form, Some("dispute"))),
            ("GET", "/v1/customers") => (200, self.list(&form, Some("customer"))),
            ("GET", "/v1/subscriptions") => (200, self.list(&form, Some("subscription"))),
            ("GET", _) => match self.objects.get(last) {
                Some(it) => (200, it.clone()),
                None => (404, json!({"error": {"message": format!("no such {last}")}})),
            },
            _ => (404, json!({"error": {"message": "unknown path"}})),
        }
    }

    /// A page of objects of this kind, or of events: newest first, three at a time.
    fn list(&self, form: &BTreeMap<String, String>, kind: Option<&str>) -> Value {
        let since: i64 = form.get("created[gte]").and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut all: Vec<Value> = match kind {
            Some(kind) => {
                self.objects.values().filter(|it| it["object"] == kind).cloned().collect()
            }
            None => self
                .events
                .iter()
                .filter(|it| it["created"].as_i64() >= Some(since))
                .cloned()
                .collect(),
        };
        all.reverse();
        page(&all, form)
    }
}

/// Three of a list, after the one that is named.
fn page(all: &[Value], form: &BTreeMap<String, String>) -> Value {
    let start = form.get("starting_after").map_or(0, |after| {
        all.iter().position(|it| it["id"] == after.as_str()).map_or(all.len(), |at| at + 1)
    });
    let page: Vec<_> = all.iter().skip(start).take(3).cloned().collect();
    let has_more = start + page.len() < all.len();
    json!({"object": "list", "data": page, "has_more": has_more})
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let Ok(mut state) = state.lock() else { return };
        let (status, body) = respond(&mut state, &request);
        drop(state);
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if (&mut &*stream).write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn respond(state: &mut State, request: &Delivered) -> (u16, Value) {
    state.calls.push(format!("{} {}", request.method, request.path));
    if !request.header("authorization").is_some_and(|it| it.starts_with("Bearer sk_test_")) {
        return (401, json!({"error": {"message": "no valid key"}}));
    }
    if request.header("stripe-version").is_none() {
        return (400, json!({"error": {"message": "pin a version"}}));
    }
    let failure = state.failures.pop_front();
    if let Some((status, false)) = failure {
        return (status, json!({"error": {"message": "on purpose"}}));
    }
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let answer = match request.header("idempotency-key").map(str::to_owned) {
        None => state.answer(request),
        Some(key) => match state.keys.get(&key).cloned() {
            Some((known, _)) if known != body => {
                let message = "another call had this key";
                (400, json!({"error": {"type": "idempotency_error", "message": message}}))
            }
            Some((_, answer)) => {
                (answer["status"].as_u64().unwrap_or(200) as u16, answer["body"].clone())
            }
            None => {
                let (status, answer) = state.answer(request);
                state.keys.insert(key, (body, json!({"status": status, "body": answer.clone()})));
                (status, answer)
            }
        },
    };
    match failure {
        Some((status, true)) => (status, json!({"error": {"message": "the answer is lost"}})),
        _ => answer,
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
