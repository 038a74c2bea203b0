//! Customers: who is billed, under the name that the tenant has for it.

use serde::{Deserialize, Serialize};
use shared::{domain::Timestamp, ports::Tenant, problem::Problem, route::Call};
use utoipa::ToSchema;

use crate::{entity::Party, period::Zone};

/// A customer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingCustomer)]
pub struct Customer {
    /// The tenant's own name for it.
    pub id: String,
    /// What stands on invoices.
    pub party: Party,
    /// Where invoices are sent.
    pub email: String,
    /// Whether somebody has checked the VAT id with VIES, and when. Only a checked one makes the
    /// buyer a business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_id_checked_at: Option<Timestamp>,
    /// The language of invoices, as `de`.
    pub locale: String,
    /// In which zone its periods begin, as `Europe/Berlin`.
    #[schema(value_type = String)]
    pub zone: Zone,
    /// Who sells to it.
    pub entity: String,
    /// How money comes.
    pub collection: Collection,
    /// How many days there are to pay; the entity's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_days: Option<u16>,
    /// The account at a payment provider that collects; the entity's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How it pays there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// What the buyer wants to read on invoices: a reference, a Leitweg-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_reference: Option<String>,
    /// The number of the buyer's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Where electronic invoices go: scheme and address, as `0204` and a Leitweg-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<(String, String)>,
    /// Whether its invoices and credit notes are mailed when they are finalised; as the entity says
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mails_bills: Option<bool>,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How money comes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Collection {
    /// The provider charges the customer's method.
    #[default]
    ChargeAutomatically,
    /// The customer gets an invoice, and pays until it is due.
    SendInvoice,
}

/// A way to pay, at the provider.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The provider's id of it, as `pm_…`.
    pub reference: String,
    /// As `card`.
    pub kind: String,
    /// The last four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
    /// The month after which it does not work, as `2031-04`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// What a customer is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillingCustomerText)]
pub struct CustomerText {
    /// What stands on invoices.
    pub party: Party,
    /// Where invoices are sent.
    pub email: String,
    /// When somebody has checked the VAT id with VIES; it is asked here when left out.
    #[serde(default)]
    pub vat_id_checked_at: Option<Timestamp>,
    /// `en` when left out.
    #[serde(default)]
    pub locale: Option<String>,
    /// The entity's when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub zone: Option<Zone>,
    /// `default` when left out.
    #[serde(default)]
    pub entity: Option<String>,
    /// The provider charges it when left out.
    #[serde(default)]
    pub collection: Collection,
    /// The entity's when left out.
    #[serde(default)]
    pub net_days: Option<u16>,
    /// The entity's when left out.
    #[serde(default)]
    pub account: Option<String>,
    /// How it pays there. It stays as it is when left out.
    #[serde(default)]
    pub method: Option<Method>,
    /// Up to 100 characters.
    #[serde(default)]
    pub buyer_reference: Option<String>,
    /// Up to 100 characters.
    #[serde(default)]
    pub order: Option<String>,
    /// Scheme and address.
    #[serde(default)]
    pub endpoint: Option<(String, String)>,
    /// Whether its invoices and credit notes are mailed; as the entity says when left out.
    #[serde(default)]
    pub mails_bills: Option<bool>,
}

/// Whether the call may see what is this customer's, and means this version of it.
///
/// # Errors
/// The 404 that everybody gets, when a customer acts and it is another one's; 412 when it was
/// changed meanwhile.
pub fn check(at: &impl Tenant, call: &Call, customer: &str, version: i64) -> Result<(), Problem> {
    if at.principal().customer.as_ref().is_some_and(|it| it != customer) {
        return Err(Problem::not_found());
    }
    match call.if_match()?.is_some_and(|it| it != version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(()),
    }
}
