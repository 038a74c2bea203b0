//! A tenant with an account at a fake PayPal.

use pollster::block_on;
use serde_json::Value;
use shared::{
    memory::{Memory, MemorySql},
    open::Open,
    ports::Tenant,
};
use stripe::{
    account::{Account, Mode, Provider, Secrets},
    mirror::{Fact, Object, Payment, news},
    paypal::{PayPal, read},
    provider::{CallError, Charge, PaymentProvider, Unbelieved},
};
use tests::fake_paypal::{CLIENT, FakePayPal, ROOT, WEBHOOK_ID};

/// A tenant, its PayPal, and the fake behind it.
pub struct Desk {
    pub fake: FakePayPal,
    pub at: Open<Memory, MemorySql>,
    pub memory: Memory,
}

impl Desk {
    pub fn open() -> Self {
        // The clock of the host in memory, which is PayPal's as well.
        let now = Memory::default();
        let now = block_on(Open::system(&now, &now.store("ten_1"), "ten_1", false)).unwrap();
        let fake = FakePayPal::start(now.real_now().seconds());
        let memory = Memory::with_network(fake.network());
        let at = block_on(Open::system(&memory, &memory.store("ten_1"), "ten_1", false)).unwrap();
        Self { fake, at, memory }
    }

    pub fn paypal(&self) -> PayPal {
        self.paypal_of(CLIENT.1)
    }

    pub fn paypal_of(&self, secret: &str) -> PayPal {
        let account = Account {
            id: "acc_1".to_owned(),
            name: "PayPal".to_owned(),
            provider: Provider::PayPal,
            path: "/webhooks/paypal/acc_1".to_owned(),
            livemode: false,
            mode: Mode::Engine,
            tolerance_seconds: 300,
            api_version: None,
            connect: None,
            client_id: Some(CLIENT.0.to_owned()),
            webhook_id: Some(WEBHOOK_ID.to_owned()),
            base_url: Some(self.fake.url().to_owned()),
            roots: Some(ROOT.to_owned()),
            created_at: self.at.now(),
            version: 1,
            sealed: String::new(),
        };
        let secrets = Secrets { api_key: secret.to_owned(), webhook: Vec::new() };
        PayPal::new(&account, secrets)
    }

    pub fn charge(&self, payment: &str, method: Option<&str>) -> Result<Value, CallError> {
        block_on(self.paypal().charge(&self.at, &charge(payment, method)))
    }

    pub fn fetch(&self, kind: &str, id: &str) -> Value {
        block_on(self.paypal().fetch(&self.at, kind, id)).unwrap()
    }

    pub fn believe(&self, body: &[u8], webhook: &str) -> Result<(), Unbelieved> {
        let headers = self.fake.signed(body, webhook, self.at.real_now());
        block_on(self.paypal().believe(&self.at, &headers, body))
    }
}

pub fn charge(payment: &str, method: Option<&str>) -> Charge {
    Charge {
        payment: payment.to_owned(),
        amount: 1190,
        currency: "EUR".to_owned(),
        customer: "acme".to_owned(),
        reference: None,
        method: method.map(str::to_owned),
        description: "2030-0001".to_owned(),
    }
}

pub fn payment(it: &Value) -> (String, Payment) {
    match read(it) {
        Some((id, Object::Payment(it))) => (id, it),
        other => panic!("no payment: {other:?}"),
    }
}

pub fn told(it: &Value) -> Vec<Fact> {
    let (id, object) = read(it).unwrap();
    news(&id, None, object).map(|it| it.1).unwrap_or_default()
}
