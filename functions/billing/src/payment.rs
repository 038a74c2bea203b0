//! Payments: what was asked of a provider, and what came of it.

pub mod dun;
pub mod fact;

use serde::{Deserialize, Serialize};
use shared::{
    domain::Timestamp,
    ports::{PortError, Tenant},
};
use utoipa::ToSchema;

use crate::{bill::Bill, money::Currency};

/// How many payments of an invoice are read.
pub const PAYMENTS_MAX: u32 = 100;

/// A payment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Payment {
    /// `pay_…`
    pub id: String,
    /// Of which invoice.
    pub invoice: String,
    /// Who pays.
    pub customer: String,
    /// The account at the provider. Without it, somebody told of the payment by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How, at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How much, in minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// Where it stands.
    pub state: PaymentState,
    /// What the provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why it failed, in the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where the customer confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What the provider kept of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<i64>,
    /// How much of it was paid back.
    pub refunded: i64,
    /// How much of it is disputed, or lost.
    pub disputed: i64,
    /// Where a dispute of it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was known what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Payment {
    /// One that is asked for, of a bill.
    ///
    /// # Errors
    /// When there is no id to be had.
    pub fn of(at: &impl Tenant, bill: &Bill, amount: i64) -> Result<Self, PortError> {
        Ok(Self {
            id: at.new_id("pay")?.to_string(),
            invoice: bill.id.clone(),
            customer: bill.customer.clone(),
            account: None,
            method: None,
            amount,
            currency: bill.currency,
            state: PaymentState::Requested,
            reference: None,
            code: None,
            url: None,
            fee: None,
            refunded: 0,
            disputed: 0,
            dispute: None,
            requested_at: at.now(),
            ended_at: None,
        })
    }
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The provider was asked.
    Requested,
    /// The customer has to confirm it.
    ActionRequired,
    /// The money is there.
    Succeeded,
    /// It was refused.
    Failed,
}

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentDispute)]
pub enum Dispute {
    /// The money is gone for now.
    Opened,
    /// It is back.
    Won,
    /// It is gone.
    Lost,
}

impl PaymentState {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::ActionRequired => "action_required",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::ActionRequired)
    }
}
