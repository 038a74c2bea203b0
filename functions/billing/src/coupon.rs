//! Coupons: what is taken off, and for how long. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::{self, AMOUNT_MAX, Currency};

/// What a coupon takes off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = CouponTerms)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// How much.
    pub off: Off,
    /// For how long.
    pub duration: Duration,
    /// Of which plans; of all when it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
}

/// How much is taken off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = CouponOff)]
pub enum Off {
    /// A part of what is left.
    Percent {
        /// 2500 is 25 %: 1 to 10000.
        hundredths: u32,
    },
    /// An amount of each invoice.
    Amount {
        /// Minor units.
        amount: i64,
        /// Of this currency only.
        currency: Currency,
    },
}

/// For how long a coupon is applied.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = CouponDuration)]
pub enum Duration {
    /// To the first period that is charged.
    Once,
    /// To the first few.
    Repeating {
        /// 1 to 1000.
        periods: u32,
    },
    /// To all.
    Forever,
}

/// A coupon that is on an invoice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = AppliedCoupon)]
pub struct Applied {
    /// Its code.
    pub code: String,
    /// What it takes off.
    pub coupon: Coupon,
    /// How much of a fixed amount it has taken off already, in minor units.
    pub used: i64,
}

/// Why a coupon makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// More than all, or nothing.
    #[error("a percentage is 1 to 10000 hundredths of a percent")]
    BadPercentage,
    /// Nothing, or too much.
    #[error("an amount is 1 to 999999999999 minor units")]
    BadAmount,
    /// No periods, or too many.
    #[error("it repeats for 1 to 1000 periods")]
    BadPeriods,
    /// Too many plans.
    #[error("it is for up to 100 plans")]
    TooManyPlans,
}

impl Coupon {
    /// The coupon, if it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        match &self.off {
            Off::Percent { hundredths } if !(1..=10_000).contains(hundredths) => {
                return Err(Error::BadPercentage);
            }
            Off::Amount { amount, .. } if !(1..=AMOUNT_MAX).contains(amount) => {
                return Err(Error::BadAmount);
            }
            _ => {}
        }
        match self.duration {
            Duration::Repeating { periods } if !(1..=1_000).contains(&periods) => {
                Err(Error::BadPeriods)
            }
            _ if self.plans.len() > 100 => Err(Error::TooManyPlans),
            _ => Ok(self),
        }
    }

    /// Whether it is applied once more after so many periods.
    pub fn lasts(&self, periods: u32) -> bool {
        match self.duration {
            Duration::Once => periods == 0,
            Duration::Repeating { periods: most } => periods < most,
            Duration::Forever => true,
        }
    }

    /// Whether it is for this plan.
    pub fn is_for(&self, plan: &str) -> bool {
        self.plans.is_empty() || self.plans.iter().any(|it| it == plan)
    }
}

impl Applied {
    /// A coupon that has taken nothing off yet.
    pub fn new(code: String, coupon: Coupon) -> Self {
        Self { code, coupon, used: 0 }
    }
}

/// What coupons take off lines that cost these amounts, of plans with these names: in the order of
/// the coupons, each of what is left, and a line never comes to less than nothing. It is counted
/// on the coupons.
///
/// # Errors
/// When the amounts are too large.
pub fn take(coupons: &mut [Applied], lines: &[(&str, i64)]) -> Result<Vec<i64>, money::Error> {
    let mut left: Vec<i64> = lines.iter().map(|it| it.1.max(0)).collect();
    for it in coupons {
        let fits = |plan: &str| it.coupon.is_for(plan);
        let base: Vec<i64> = lines
            .iter()
            .zip(&left)
            .map(|((plan, _), left)| if fits(plan) { *left } else { 0 })
            .collect();
        let sum = base.iter().try_fold(0i64, |sum, it| sum.checked_add(*it));
        let sum = sum.ok_or(money::Error::TooLarge)?;
        if sum == 0 {
            continue;
        }
        let off = match &it.coupon.off {
            Off::Percent { hundredths } => money::share(sum, i64::from(*hundredths), 10_000)?,
            Off::Amount { amount, .. } => sum.min(amount - it.used).max(0),
        };
        it.used = it.used.saturating_add(off);
        for (left, part) in left.iter_mut().zip(money::split(off, &base)?) {
            *left -= part;
        }
    }
    Ok(lines.iter().zip(left).map(|(line, left)| line.1.max(0) - left).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent(hundredths: u32) -> Applied {
        let (duration, plans) = (Duration::Forever, Vec::new());
        Applied::new("P".to_owned(), Coupon { off: Off::Percent { hundredths }, duration, plans })
    }

    fn amount(amount: i64) -> Applied {
        let off = Off::Amount { amount, currency: Currency::EUR };
        let (duration, plans) = (Duration::Once, vec!["pro".to_owned()]);
        Applied::new("A".to_owned(), Coupon { off, duration, plans })
    }

    #[test]
    fn one_after_the_other_takes_of_what_is_left() {
        let mut coupons = [amount(500), percent(1_000)];

        let off = take(&mut coupons, &[("pro", 1000), ("pro", 1000), ("other", 1000)]).unwrap();

        assert_eq!(off, [325, 325, 100]);
        assert_eq!(coupons.map(|it| it.used), [500, 250]);
    }

    #[test]
    fn an_amount_is_taken_off_once_however_often_there_are_lines() {
        let mut coupons = [amount(500)];

        let first = take(&mut coupons, &[("pro", 300)]).unwrap();
        let second = take(&mut coupons, &[("pro", 300)]).unwrap();
        let third = take(&mut coupons, &[("pro", 300)]).unwrap();

        assert_eq!([first, second, third], [vec![300], vec![200], vec![0]]);
    }

    #[test]
    fn it_lasts_as_long_as_it_says() {
        let with = |duration| Coupon { duration, ..percent(1).coupon };

        let lasts = |it: &Coupon| [0, 1, 2, 3].map(|periods| it.lasts(periods));

        assert_eq!(lasts(&with(Duration::Once)), [true, false, false, false]);
        let repeating = with(Duration::Repeating { periods: 2 });
        assert_eq!(lasts(&repeating), [true, true, false, false]);
        assert_eq!(lasts(&with(Duration::Forever)), [true; 4]);
    }

    proptest! {
        #[test]
        fn no_line_comes_to_less_than_nothing(
            lines in prop::collection::vec(0i64..AMOUNT_MAX, 1..10),
            parts in prop::collection::vec(1u32..=10_000, 0..5),
            fixed in 1i64..AMOUNT_MAX,
        ) {
            let mut coupons: Vec<_> = parts.into_iter().map(percent).collect();
            coupons.push(amount(fixed));
            let named: Vec<_> = lines.iter().map(|it| ("pro", *it)).collect();

            let off = take(&mut coupons, &named).unwrap();

            for (off, line) in off.iter().zip(&lines) {
                prop_assert!((0..=*line).contains(off));
            }
            prop_assert_eq!(off.iter().sum::<i64>(), coupons.iter().map(|it| it.used).sum::<i64>());
        }

        #[test]
        fn a_percentage_is_of_the_sum_and_an_amount_is_never_taken_twice(
            invoices in prop::collection::vec(prop::collection::vec(0i64..1_000_000, 1..5), 1..5),
            hundredths in 1u32..=10_000, fixed in 1i64..5_000_000,
        ) {
            let (mut of_sum, mut of_all) = ([percent(hundredths)], [amount(fixed)]);
            let (mut charged, mut taken) = (0, 0);
            for lines in &invoices {
                let named: Vec<_> = lines.iter().map(|it| ("pro", *it)).collect();
                let sum: i64 = lines.iter().sum();

                let part: i64 = take(&mut of_sum, &named).unwrap().iter().sum();
                taken += take(&mut of_all, &named).unwrap().iter().sum::<i64>();
                charged += sum;

                prop_assert_eq!(part, money::share(sum, hundredths.into(), 10_000).unwrap());
            }
            prop_assert_eq!(taken, fixed.min(charged));
        }

        #[test]
        fn what_is_of_another_plan_is_left_alone_and_nothing_is_given_for_credits(
            pro in -1_000i64..1_000_000, other in 0i64..1_000_000, fixed in 1i64..2_000_000,
        ) {
            let off = take(&mut [amount(fixed)], &[("pro", pro), ("other", other)]).unwrap();

            prop_assert_eq!(off, [fixed.min(pro.max(0)), 0]);
        }
    }
}
