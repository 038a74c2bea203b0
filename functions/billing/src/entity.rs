//! Legal entities: who sells. Each has its series of numbers, its VAT, its terms and its rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

use crate::{
    dunning,
    period::{Precision, Zone},
    proration::Rules,
    tax::{Outside, Seller, TaxClass},
};

/// How many legal entities a tenant has at most.
pub const ENTITIES_MAX: u32 = 20;
/// The entity of whoever names none.
pub const DEFAULT: &str = "default";
/// The longest time to pay, in days.
pub const NET_DAYS_MAX: u16 = 365;
/// The longest time that an invoice waits as a draft, in hours.
pub const DRAFT_HOURS_MAX: u16 = 24 * 14;

/// A legal entity that sells.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingEntity)]
pub struct Entity {
    /// As `default`.
    pub name: String,
    /// What stands on invoices.
    pub party: Party,
    /// How it is taxed.
    pub vat: VatRules,
    /// What is not taxed at the standard rate, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tax_classes: BTreeMap<String, TaxClass>,
    /// The pattern of invoice numbers, as `{year}-{counter:5}`.
    pub invoice_number: String,
    /// The pattern of credit notes' numbers, as `CN-{year}-{counter:5}`.
    pub credit_note_number: String,
    /// When numbers begin anew: the year of this zone.
    #[schema(value_type = String)]
    pub zone: Zone,
    /// How many days there are to pay, unless the customer has its own.
    pub net_days: u16,
    /// For how many hours an invoice of usage is a draft, so that late usage can come.
    pub draft_hours: u16,
    /// Where to transfer money to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iban: Option<String>,
    /// What stands below the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The account at a payment provider that collects, `acc_…`, unless the customer has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What follows a refused payment.
    pub dunning: DunningRules,
    /// When a change of plan is charged, by its direction.
    pub proration: Rules,
    /// Whether parts of a period are told by the second or by the day.
    pub precision: Precision,
    /// What customers may do by themselves.
    pub portal: PortalRules,
    /// Whether invoices and credit notes are mailed when they are finalised, unless the customer
    /// says otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mails_bills: bool,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Somebody on an invoice.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingParty)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The legal name.
    pub name: String,
    /// Street and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// The city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// The postcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The VAT id, as `DE123456789`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_id: Option<String>,
    /// A number of the register of companies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_id: Option<String>,
    /// A national tax number, where there is no VAT id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// Whom to ask: name, telephone, e-mail. XRechnung wants all three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactPerson>,
}

/// Whom to ask.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillingContact)]
pub struct ContactPerson {
    /// The name of a person or a department.
    pub name: String,
    /// A telephone number.
    pub phone: String,
    /// An e-mail address.
    pub mail: String,
}

/// How the entity is taxed: [`Seller`] without its country.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VatRules {
    /// Exempt at home as a small enterprise (Article 284).
    pub is_small: bool,
    /// Consumers in other member states are taxed where they live (Article 58).
    pub taxes_at_destination: bool,
    /// Registered for the One Stop Shop.
    pub has_oss: bool,
    /// Supplies outside of the Union are told as exports (G) rather than as not subject (O).
    pub outside_is_export: bool,
}

/// What follows a refused payment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DunningRules {
    /// On which days after the first failure it is tried again.
    pub retry_days: Vec<u16>,
    /// For how many days what was bought still works.
    pub grace_days: u16,
    /// What becomes of the subscription after the last try.
    pub last: LastResort,
    /// Whether a day that falls on a weekend is moved to Monday, and each to the time of day at
    /// which the customer last paid, by the customer's zone.
    #[serde(default)]
    pub smart: bool,
}

/// What becomes of a subscription that is not paid after the last try.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastResort {
    /// It ends.
    #[default]
    Cancel,
    /// It pauses until it is paid.
    Pause,
    /// It goes on, unpaid and without benefits.
    Unpaid,
}

/// What customers may do by themselves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PortalRules {
    /// To which plans they may change, by the name of the plan that they have; without an entry
    /// to any plan of the same currency.
    pub changes: BTreeMap<String, Vec<String>>,
    /// Whether they may change how many seats they have.
    pub seats: bool,
    /// Whether they may cancel. It is for the end of the period.
    pub cancel: bool,
}

impl Default for PortalRules {
    fn default() -> Self {
        Self { changes: BTreeMap::new(), seats: true, cancel: true }
    }
}

/// What an entity is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillingEntityText)]
pub struct EntityText {
    /// What stands on invoices.
    pub party: Party,
    /// How it is taxed: as a usual business when left out.
    #[serde(default)]
    pub vat: VatRules,
    /// What is not taxed at the standard rate, by a name that prices and lines use: up to 20.
    #[serde(default)]
    pub tax_classes: BTreeMap<String, TaxClass>,
    /// `{year}` and `{counter:W}`, as `{year}-{counter:6}`, which is the default.
    #[serde(default)]
    pub invoice_number: Option<String>,
    /// As `CN-{year}-{counter:6}`, which is the default.
    #[serde(default)]
    pub credit_note_number: Option<String>,
    /// UTC when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub zone: Zone,
    /// 14 when left out; up to 365.
    #[serde(default)]
    pub net_days: Option<u16>,
    /// 1 when left out; up to 336.
    #[serde(default)]
    pub draft_hours: Option<u16>,
    /// Where to transfer money to.
    #[serde(default)]
    pub iban: Option<String>,
    /// What stands below the total, up to 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
    /// The account at a payment provider that collects.
    #[serde(default)]
    pub account: Option<String>,
    /// Days 2, 7, 14 and 21, 7 days of grace, and then it is cancelled, when left out.
    #[serde(default)]
    pub dunning: DunningRules,
    /// When a change of plan is charged.
    #[serde(default)]
    pub proration: Rules,
    /// By the second when left out.
    #[serde(default)]
    pub precision: Precision,
    /// What customers may do by themselves.
    #[serde(default)]
    pub portal: PortalRules,
    /// Whether invoices and credit notes are mailed when they are finalised: a rule of
    /// notifications makes the mail.
    #[serde(default)]
    pub mails_bills: bool,
}

impl Default for DunningRules {
    fn default() -> Self {
        Self {
            retry_days: vec![2, 7, 14, 21],
            grace_days: 7,
            last: LastResort::Cancel,
            smart: false,
        }
    }
}

/// A tax class that the entity lacks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the entity {entity} has no tax class {class}: put it there first")]
pub struct NoClass {
    entity: String,
    class: String,
}

impl Entity {
    /// The tax class of this name; none where none is named.
    ///
    /// # Errors
    /// When there is none of that name: it is never taken for the standard rate.
    pub fn class(&self, name: Option<&str>) -> Result<Option<&TaxClass>, NoClass> {
        let Some(name) = name else { return Ok(None) };
        let none = || NoClass { entity: self.name.clone(), class: name.to_owned() };
        self.tax_classes.get(name).ok_or_else(none).map(Some)
    }

    /// Who sells, for the calculation of VAT.
    pub fn seller(&self) -> Seller {
        let outside = match self.vat.outside_is_export {
            true => Outside::Export,
            false => Outside::NotSubject,
        };
        Seller {
            country: self.party.country.clone(),
            is_small: self.vat.is_small,
            taxes_at_destination: self.vat.taxes_at_destination,
            has_oss: self.vat.has_oss,
            outside,
        }
    }
}

impl DunningRules {
    /// The same as what decides, for a customer in this zone.
    ///
    /// # Errors
    /// When the days do not rise or are too many.
    pub fn policy(&self, zone: Zone) -> Result<dunning::Policy, dunning::Error> {
        let last = match self.last {
            LastResort::Cancel => dunning::Final::Cancel,
            LastResort::Pause => dunning::Final::Pause,
            LastResort::Unpaid => dunning::Final::Unpaid,
        };
        let policy = dunning::Policy::new(self.retry_days.clone(), self.grace_days, last)?;
        Ok(if self.smart { policy.smart(zone) } else { policy })
    }
}
