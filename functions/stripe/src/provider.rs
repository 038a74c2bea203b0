//! Payment providers: what each of them can do for us.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::{
    http::HeaderMap,
    ports::{PortError, Tenant},
};

use crate::{
    account::{Account, Provider},
    mirror::Object,
    movement::Movement,
    paypal::PayPal,
    stripe::Stripe,
};

/// What an event says of itself, before it is believed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hint {
    /// The event's id.
    pub id: String,
    /// As `invoice.paid`.
    pub kind: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Whether it is of live mode, where events say so.
    pub livemode: Option<bool>,
    /// The version of the API that it was written in.
    pub api_version: Option<String>,
    /// The connected account that it is of.
    pub connect: Option<String>,
    /// Kind and id of the object that may have changed, if it is one that is fetched.
    pub object: Option<(String, String)>,
}

/// Why an event is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unbelieved {
    /// It is not the provider's, or not for this account.
    #[error("{why}")]
    Refused {
        /// A stable word for counts.
        word: &'static str,
        /// In a sentence, for whoever set it up.
        why: String,
    },
    /// Neither could it be checked nor the provider be asked: it is to send it again.
    #[error("{0}")]
    Unknown(CallError),
}

/// What is to be charged.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Our id of the payment, by which the provider knows it again.
    pub payment: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// The tenant's own name for the customer.
    pub customer: String,
    /// The provider's id of the customer, as it was when the charge was asked for.
    pub reference: Option<String>,
    /// The provider's id of the method.
    pub method: Option<String>,
    /// What stands on the customer's statement or receipt.
    pub description: String,
}

/// What is to be paid back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// Our id of the refund.
    pub refund: String,
    /// The provider's id of the payment.
    pub reference: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217, of the payment.
    pub currency: String,
}

/// Where a customer tells how it pays.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The provider's id of this asking. It is fetched as a `setup`.
    pub id: String,
    /// The provider's id of the customer.
    pub reference: String,
    /// The page.
    pub url: String,
}

/// A page of a list at the provider.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// What is on it.
    pub items: Vec<Value>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// What can be listed at a provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// What happened, newest first.
    Events,
    /// Payments.
    Payments,
    /// Disputes.
    Disputes,
    /// Subscriptions in all states.
    Subscriptions,
    /// Customers.
    Customers,
    /// What moved the account's balance, newest first.
    Movements,
}

/// Why a call has no result.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// We hold back ourselves, for so long: nothing was sent.
    #[error("too many calls at once")]
    Held(std::time::Duration),
    /// Not now: it may be tried again, after so many seconds if the provider says so.
    #[error("the provider cannot be reached now: {why}")]
    Later {
        /// What it said.
        why: String,
        /// After how many seconds.
        after: Option<u64>,
    },
    /// It refuses the payment: the customer's bank, or the card.
    #[error("the provider refuses: {code}")]
    Declined {
        /// The provider's word for it.
        code: String,
        /// In a sentence.
        detail: String,
        /// The payment there, as far as there is one.
        object: Option<Value>,
    },
    /// It does not take the call at all: a key, or an id that it does not know.
    #[error("the provider does not take the call: {0}")]
    Refused(String),
}

/// A payment provider. A call that is repeated with the same id of ours has its effect once.
pub trait PaymentProvider {
    /// Whether the provider sent this event to the account, as it came.
    async fn believe(
        &self,
        at: &impl Tenant,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Unbelieved>;

    /// Reads an event. `None` when it is none.
    fn hint(&self, event: &Value) -> Option<Hint>;

    /// Whether an object of this kind can be fetched, and this can be its id.
    fn can_fetch(&self, kind: &str, id: &str) -> bool;

    /// Charges, and says how the payment stands.
    async fn charge(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError>;

    /// The payment that an earlier try of a charge has left there, by our id, if there is one. A
    /// provider forgets the key of a call after a day, and a charge is tried for three.
    async fn charged(&self, at: &impl Tenant, payment: &str) -> Result<Option<Value>, CallError>;

    /// Pays back, and says how the payment stands.
    async fn refund(&self, at: &impl Tenant, it: &Refund) -> Result<Value, CallError>;

    /// How the payment stands if an earlier try has paid this back already.
    async fn refunded(&self, at: &impl Tenant, it: &Refund) -> Result<Option<Value>, CallError>;

    /// Fetches an object by the kind and id that an event named. A `setup` is what [`Self::set_up`]
    /// began: what is fetched is its customer, with the method that it has told by now.
    async fn fetch(&self, at: &impl Tenant, kind: &str, id: &str) -> Result<Value, CallError>;

    /// A page of a list: what is newer than `since` (seconds), from `after` on.
    async fn list(
        &self,
        at: &impl Tenant,
        what: List,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError>;

    /// Makes the customer there if it is not known, and a page on which it tells how it pays.
    async fn set_up(
        &self,
        at: &impl Tenant,
        customer: &str,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<Setup, CallError>;

    /// What the account has, by currency, in minor units.
    async fn balance(&self, at: &impl Tenant) -> Result<Value, CallError>;

    /// What an item of [`List::Movements`] says. Nothing where there are no statements.
    fn movement(&self, _item: &Value) -> Option<Movement> {
        None
    }

    /// What a balance comes to, by currency in minor units: available and pending.
    fn holdings(&self, _balance: &Value) -> BTreeMap<String, i64> {
        BTreeMap::new()
    }

    /// What an object says to us, and its id.
    fn read(&self, object: &Value) -> Option<(String, Object)>;
}

/// The provider of an account.
///
/// # Errors
/// When its secrets cannot be opened.
pub async fn of(at: &impl Tenant, account: &Account) -> Result<AnyProvider, PortError> {
    let secrets = account.secrets(at).await?;
    Ok(match account.provider {
        Provider::Stripe => AnyProvider::Stripe(Stripe::new(account, secrets)),
        Provider::PayPal => AnyProvider::PayPal(PayPal::new(account, secrets)),
    })
}

/// One of those that there are.
pub enum AnyProvider {
    /// Stripe.
    Stripe(Stripe),
    /// PayPal.
    PayPal(PayPal),
}

/// The same, of whichever it is.
macro_rules! whichever {
    ($of:ident, $it:ident => $does:expr) => {
        match $of {
            AnyProvider::Stripe($it) => $does,
            AnyProvider::PayPal($it) => $does,
        }
    };
}

impl PaymentProvider for AnyProvider {
    async fn believe(
        &self,
        at: &impl Tenant,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Unbelieved> {
        whichever!(self, it => it.believe(at, headers, body).await)
    }

    fn hint(&self, event: &Value) -> Option<Hint> {
        whichever!(self, it => it.hint(event))
    }

    fn can_fetch(&self, kind: &str, id: &str) -> bool {
        whichever!(self, it => it.can_fetch(kind, id))
    }

    async fn charge(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        whichever!(self, of => of.charge(at, it).await)
    }

    async fn charged(&self, at: &impl Tenant, payment: &str) -> Result<Option<Value>, CallError> {
        whichever!(self, it => it.charged(at, payment).await)
    }

    async fn refund(&self, at: &impl Tenant, it: &Refund) -> Result<Value, CallError> {
        whichever!(self, of => of.refund(at, it).await)
    }

    async fn refunded(&self, at: &impl Tenant, it: &Refund) -> Result<Option<Value>, CallError> {
        whichever!(self, of => of.refunded(at, it).await)
    }

    async fn fetch(&self, at: &impl Tenant, kind: &str, id: &str) -> Result<Value, CallError> {
        whichever!(self, it => it.fetch(at, kind, id).await)
    }

    async fn list(
        &self,
        at: &impl Tenant,
        what: List,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        whichever!(self, it => it.list(at, what, since, after).await)
    }

    async fn set_up(
        &self,
        at: &impl Tenant,
        customer: &str,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<Setup, CallError> {
        whichever!(self, it => it.set_up(at, customer, reference, return_url).await)
    }

    async fn balance(&self, at: &impl Tenant) -> Result<Value, CallError> {
        whichever!(self, it => it.balance(at).await)
    }

    fn movement(&self, item: &Value) -> Option<Movement> {
        whichever!(self, it => it.movement(item))
    }

    fn holdings(&self, balance: &Value) -> BTreeMap<String, i64> {
        whichever!(self, it => it.holdings(balance))
    }

    fn read(&self, object: &Value) -> Option<(String, Object)> {
        whichever!(self, it => it.read(object))
    }
}
