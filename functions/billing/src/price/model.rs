//! The models of prices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Charge, Error, Part, PartKind, Quantity, TIERS_MAX, UnitAmount, number::EXACT_ONE};
use crate::money::{AMOUNT_MAX, divided};

/// The most that a percentage is, in hundredths of a percent.
const HUNDREDTHS_MAX: u32 = 10_000;

/// How a quantity becomes an amount.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PriceModel)]
pub enum Model {
    /// The same amount whatever the quantity is, also when that is zero.
    Flat {
        /// Minor units.
        amount: i64,
    },
    /// So much for each unit.
    PerUnit {
        /// Minor units.
        unit_amount: UnitAmount,
    },
    /// Each unit by the tier that it is in.
    Graduated {
        /// Rising.
        tiers: Vec<Tier>,
    },
    /// All units by the tier that the last one is in.
    Volume {
        /// Rising.
        tiers: Vec<Tier>,
    },
    /// So much for each package that is begun, after some that are free.
    Package {
        /// Units in a package.
        size: u64,
        /// Minor units for each.
        amount: i64,
        /// How many units are free.
        #[serde(default)]
        free: u64,
    },
    /// A part of the quantity, which is an amount in minor units; and something for each period.
    Percentage {
        /// 250 is 2.5 %.
        hundredths: u32,
        /// Beside it, where there is any quantity, in minor units.
        #[serde(default)]
        fixed: i64,
        /// How much of the quantity is free.
        #[serde(default)]
        free: u64,
    },
    /// A part of the quantity, each unit by the tier that it is in.
    GraduatedPercentage {
        /// Rising.
        tiers: Vec<PercentTier>,
    },
}

/// A tier: what units cost up to a quantity.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTier)]
pub struct Tier {
    /// The last whole unit that is in it. The last tier has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    /// Minor units for each.
    #[serde(default = "nothing")]
    pub unit_amount: UnitAmount,
    /// Minor units once, where any unit is in the tier.
    #[serde(default)]
    pub flat_amount: i64,
}

/// A tier of percentages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentTier {
    /// The last whole unit that is in it. The last tier has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    /// 250 is 2.5 %.
    pub hundredths: u32,
    /// Minor units once, where any unit is in the tier.
    #[serde(default)]
    pub flat_amount: i64,
}

fn nothing() -> UnitAmount {
    UnitAmount::ZERO
}

/// A part before it is rounded: its amount in units of 10^-16 of a minor unit.
struct Exact {
    part: Part,
    value: i128,
}

impl Model {
    /// The model, if it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        let amount = |it: i64| match (0..=AMOUNT_MAX).contains(&it) {
            true => Ok(()),
            false => Err(Error::BadAmount),
        };
        let percent = |it: u32| match it <= HUNDREDTHS_MAX {
            true => Ok(()),
            false => Err(Error::BadPercentage),
        };
        match &self {
            Self::Flat { amount: it } => amount(*it)?,
            Self::PerUnit { .. } => {}
            Self::Graduated { tiers } | Self::Volume { tiers } => {
                rising(tiers.iter().map(|it| it.up_to))?;
                tiers.iter().try_for_each(|it| amount(it.flat_amount))?;
            }
            Self::Package { size: 0, .. } => return Err(Error::BadPackage),
            Self::Package { amount: it, .. } => amount(*it)?,
            Self::Percentage { hundredths, fixed, .. } => {
                percent(*hundredths)?;
                amount(*fixed)?;
            }
            Self::GraduatedPercentage { tiers } => {
                rising(tiers.iter().map(|it| it.up_to))?;
                tiers.iter().try_for_each(|it| amount(it.flat_amount))?;
                tiers.iter().try_for_each(|it| percent(it.hundredths))?;
            }
        }
        Ok(self)
    }

    /// What `quantity` costs.
    ///
    /// # Errors
    /// When it is too large.
    pub fn charge(&self, quantity: Quantity) -> Result<Charge, Error> {
        let exact = match self {
            Self::Flat { amount } => vec![flat(*amount)],
            Self::PerUnit { unit_amount } => vec![units(quantity, *unit_amount, 0)],
            Self::Graduated { tiers } => graduated(quantity, tiers),
            Self::Volume { tiers } => volume(quantity, tiers),
            Self::Package { size, amount, free } => {
                packages(quantity.less(whole(*free)), *size, *amount)?
            }
            Self::Percentage { hundredths, fixed, free } => {
                let charged = quantity.less(whole(*free));
                let fixed = if quantity > Quantity::ZERO { *fixed } else { 0 };
                vec![percentage(charged, *hundredths, fixed)]
            }
            Self::GraduatedPercentage { tiers } => {
                let bounds = tiers.iter().map(|it| it.up_to);
                let parts = slices(quantity, bounds).zip(tiers);
                let parts = parts.filter(|(it, _)| *it > Quantity::ZERO);
                parts.map(|(it, tier)| percentage(it, tier.hundredths, tier.flat_amount)).collect()
            }
        };
        rounded(exact)
    }
}

fn rising(bounds: impl ExactSizeIterator<Item = Option<u64>>) -> Result<(), Error> {
    let count = bounds.len();
    if !(1..=TIERS_MAX).contains(&count) {
        return Err(Error::BadTiers);
    }
    let mut before = 0;
    for (at, bound) in bounds.enumerate() {
        match bound {
            None if at + 1 == count => {}
            Some(it) if at + 1 < count && it > before => before = it,
            _ => return Err(Error::BadTiers),
        }
    }
    Ok(())
}

fn whole(units: u64) -> Quantity {
    Quantity::of(i64::try_from(units).unwrap_or(i64::MAX))
}

/// How much of the quantity is in each tier.
fn slices(
    quantity: Quantity,
    bounds: impl Iterator<Item = Option<u64>>,
) -> impl Iterator<Item = Quantity> {
    bounds.scan(Quantity::ZERO, move |before, bound| {
        let end = bound.map_or(quantity, whole).min(quantity);
        let slice = end.less(*before);
        *before = end.max(*before);
        Some(slice)
    })
}

fn units(quantity: Quantity, unit_amount: UnitAmount, flat: i64) -> Exact {
    let value = unit_amount.by(quantity) + i128::from(flat) * EXACT_ONE;
    Exact { part: Part { quantity, unit_amount, flat, ..Part::default() }, value }
}

fn flat(amount: i64) -> Exact {
    let part = Part { flat: amount, ..Part::default() };
    Exact { part, value: i128::from(amount) * EXACT_ONE }
}

fn graduated(quantity: Quantity, tiers: &[Tier]) -> Vec<Exact> {
    let slices = slices(quantity, tiers.iter().map(|it| it.up_to)).zip(tiers);
    let used = slices.filter(|(it, _)| *it > Quantity::ZERO);
    used.map(|(it, tier)| units(it, tier.unit_amount, tier.flat_amount)).collect()
}

fn volume(quantity: Quantity, tiers: &[Tier]) -> Vec<Exact> {
    let last = tiers.iter().find(|it| it.up_to.is_none_or(|end| quantity <= whole(end)));
    let used = last.filter(|_| quantity > Quantity::ZERO);
    used.map(|tier| units(quantity, tier.unit_amount, tier.flat_amount)).into_iter().collect()
}

fn packages(quantity: Quantity, size: u64, amount: i64) -> Result<Vec<Exact>, Error> {
    let size = i128::from(size) * i128::from(Quantity::ONE);
    let begun = (i128::from(quantity.millionths()) + size - 1) / size.max(1);
    let count = i64::try_from(begun).map_err(|_| Error::TooLarge)?;
    // A million times a million of them is beyond what the exact product holds.
    let all = begun.checked_mul(i128::from(amount)).filter(|it| *it <= i128::from(AMOUNT_MAX));
    let value = all.ok_or(Error::TooLarge)? * EXACT_ONE;
    let part = Part { kind: PartKind::Packages, quantity: Quantity::of(count), ..Part::default() };
    Ok(if count == 0 { Vec::new() } else { vec![Exact { part, value }] })
}

fn percentage(quantity: Quantity, hundredths: u32, flat: i64) -> Exact {
    // A unit of the quantity is a minor unit; a hundredth of a percent of it is 10^-4.
    let of_it = i128::from(quantity.millionths()) * i128::from(hundredths);
    let value =
        of_it * (EXACT_ONE / 10_000 / i128::from(Quantity::ONE)) + i128::from(flat) * EXACT_ONE;
    let kind = PartKind::Percentage(hundredths);
    Exact { part: Part { kind, quantity, flat, ..Part::default() }, value }
}

/// Rounds the sum once, and the parts so that they add up to it: down first, and what is left goes
/// to the largest remainders.
fn rounded(exact: Vec<Exact>) -> Result<Charge, Error> {
    let sum = exact.iter().try_fold(0i128, |sum, it| sum.checked_add(it.value));
    let amount = divided(sum.ok_or(Error::TooLarge)?, EXACT_ONE);
    let amount = i64::try_from(amount).ok().filter(|it| *it <= AMOUNT_MAX);
    let amount = amount.ok_or(Error::TooLarge)?;
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(exact.get(*at).map_or(0, |it| it.value % EXACT_ONE)));
    let mut parts = Vec::new();
    for it in exact {
        let down = i64::try_from(it.value / EXACT_ONE).map_err(|_| Error::TooLarge)?;
        parts.push(Part { amount: down, ..it.part });
    }
    let mut left = amount - parts.iter().map(|it| it.amount).sum::<i64>();
    for at in order {
        if let Some(part) = parts.get_mut(at).filter(|_| left > 0) {
            part.amount += 1;
            left -= 1;
        }
    }
    Ok(Charge { amount, parts })
}
