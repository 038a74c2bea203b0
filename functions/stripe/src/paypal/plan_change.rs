//! Another plan for a subscription that PayPal keeps: what PayPal does for what our engine came
//! to. Pure.
//!
//! PayPal prorates nothing, and a plan that is revised counts from the next period on. So the engine
//! says what is owed now and what is carried to the renewals, as for any provider, and here is how
//! PayPal collects just that: what is owed now by a charge of its own, before anything changes, so
//! that a payment that fails leaves all as it was; what is carried by a plan of this change alone,
//! whose first periods, trials in PayPal's words, cost less or more.

use shared::domain::Timestamp;

use super::money::{self, Unfit};

/// Most periods of a trial.
const PERIODS_MAX: i64 = 999;

/// A change, as the engine has computed it.
#[derive(Clone, Debug)]
pub struct Change {
    /// ISO 4217.
    pub currency: String,
    /// PayPal's id of the plan that the subscription is to be to.
    pub plan: String,
    /// How many of it.
    pub quantity: u32,
    /// What a period of all of them comes to, in minor units.
    pub price: i64,
    /// What is charged at once, in minor units: for an upgrade. Not below zero.
    pub now: i64,
    /// What is carried to the next periods, in minor units: below zero it is a credit, as of a
    /// downgrade; above zero it is owed with the next renewal.
    pub carried: i64,
    /// When the new plan renews first, if its periods begin anew: another interval, or a full
    /// period from now on. PayPal moves no dates, so that this is a new subscription.
    pub restarts: Option<Timestamp>,
}

/// Periods that cost something else than those after them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trial {
    /// Of each, in minor units.
    pub price: i64,
    /// How many.
    pub periods: u32,
}

/// What the periods of a plan cost.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tenures {
    /// The first ones: at most two sorts of them, as PayPal has it.
    pub trials: Vec<Trial>,
    /// Each after that, in minor units.
    pub price: i64,
}

/// The plan of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Plan {
    /// The one of the change, as many times.
    Usual {
        /// PayPal's id of it.
        plan: String,
        /// How many.
        quantity: u32,
    },
    /// One that is made for this change, once: its prices are those of the whole quantity, because
    /// what is carried need not divide by it.
    Made(Tenures),
}

/// What is done at PayPal, one after the other. A step that fails leaves those after it undone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// A payment of its own is charged, in minor units.
    Charge(i64),
    /// The subscription is moved to a plan, from its next period on.
    Revise(Plan),
    /// A new subscription is begun.
    Subscribe {
        /// To what.
        plan: Plan,
        /// When its first period is paid.
        starts_at: Timestamp,
    },
    /// The old subscription ends, once the customer has agreed to the new one: so that it neither
    /// pays twice nor is left with none.
    CancelOld,
}

/// Why PayPal cannot do a change.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Money that goes the other way.
    #[error("what is charged now is not below zero: carry a credit, or refund it")]
    BelowZero,
    /// A credit for what costs nothing.
    #[error(
        "the new plan costs nothing, so that no credit can be taken off it: refund it, or keep it as prepaid credit"
    )]
    NothingToCredit,
    /// A credit for longer than PayPal counts.
    #[error(
        "the credit lasts for more than {PERIODS_MAX} periods: refund it, or keep it as prepaid credit"
    )]
    TooLong,
    /// An amount that PayPal does not take.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// What PayPal does for a change.
///
/// # Errors
/// Why it cannot.
pub fn steps(it: &Change) -> Result<Vec<Step>, Refusal> {
    if it.now < 0 || it.price < 0 {
        return Err(Refusal::BelowZero);
    }
    money::written(it.now, &it.currency)?;
    let plan = plan(it)?;
    let mut steps = Vec::new();
    if it.now > 0 {
        steps.push(Step::Charge(it.now));
    }
    match it.restarts {
        Some(starts_at) => steps.extend([Step::Subscribe { plan, starts_at }, Step::CancelOld]),
        None => steps.push(Step::Revise(plan)),
    }
    Ok(steps)
}

fn plan(it: &Change) -> Result<Plan, Refusal> {
    let tenures = tenures(it.price, it.carried)?;
    let prices = tenures.trials.iter().map(|it| it.price).chain([tenures.price]);
    for price in prices {
        money::written(price, &it.currency)?;
    }
    Ok(match tenures.trials.is_empty() {
        true => Plan::Usual { plan: it.plan.clone(), quantity: it.quantity },
        false => Plan::Made(tenures),
    })
}

/// Periods of this price after those that take up what is carried. A credit makes as many free as
/// it pays for, and the one after them cheaper by what is left of it.
fn tenures(price: i64, carried: i64) -> Result<Tenures, Refusal> {
    let mut trials = Vec::new();
    if carried > 0 {
        let price = price.checked_add(carried).ok_or(Refusal::TooLong)?;
        trials.push(Trial { price, periods: 1 });
    }
    if carried < 0 {
        let credit = carried.checked_neg().ok_or(Refusal::TooLong)?;
        let free = credit.checked_div(price).ok_or(Refusal::NothingToCredit)?;
        let rest = credit % price;
        let fits = u32::try_from(free).ok().filter(|_| free <= PERIODS_MAX);
        let periods = fits.ok_or(Refusal::TooLong)?;
        let all = [Trial { price: 0, periods }, Trial { price: price - rest, periods: 1 }];
        let is_there = [free > 0, rest > 0];
        trials.extend(all.into_iter().zip(is_there).filter(|it| it.1).map(|it| it.0));
    }
    Ok(Tenures { trials, price })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(price: i64, now: i64, carried: i64) -> Change {
        Change {
            currency: "EUR".to_owned(),
            plan: "P-PRO".to_owned(),
            quantity: 3,
            price,
            now,
            carried,
            restarts: None,
        }
    }

    /// What PayPal collects by these steps: at once, and at each renewal.
    fn collected(steps: &[Step], price: i64, renewals: usize) -> (i64, Vec<i64>) {
        let now = steps.iter().map(|it| if let Step::Charge(amount) = it { *amount } else { 0 });
        let plan = steps.iter().find_map(|it| match it {
            Step::Revise(plan) | Step::Subscribe { plan, .. } => Some(plan),
            _ => None,
        });
        let trials = match plan.unwrap() {
            Plan::Made(it) => it.trials.clone(),
            Plan::Usual { .. } => Vec::new(),
        };
        let times = |it: &Trial| std::iter::repeat_n(it.price, it.periods as usize);
        let all = trials.iter().flat_map(times).chain(std::iter::repeat(price));
        (now.sum(), all.take(renewals).collect())
    }

    /// What Stripe collects: an invoice now, and a balance that its invoices take up.
    fn by_stripe(it: &Change, renewals: usize) -> (i64, Vec<i64>) {
        let mut balance = it.carried;
        let renewal = |_| {
            let due = it.price + balance;
            balance = due.min(0);
            due.max(0)
        };
        (it.now, (0..renewals).map(renewal).collect())
    }

    #[test]
    fn an_upgrade_is_charged_before_it_counts() {
        let all = steps(&change(3000, 1234, 0)).unwrap();

        let usual = Plan::Usual { plan: "P-PRO".to_owned(), quantity: 3 };
        assert_eq!(all, [Step::Charge(1234), Step::Revise(usual)]);
    }

    #[test]
    fn a_change_at_renewal_is_a_revision_and_no_more() {
        let all = steps(&change(3000, 0, 0)).unwrap();

        assert!(matches!(all.as_slice(), [Step::Revise(Plan::Usual { .. })]), "{all:?}");
    }

    #[test]
    fn a_credit_makes_periods_free_and_one_cheaper() {
        let all = steps(&change(1000, 0, -2300)).unwrap();

        let trials = vec![Trial { price: 0, periods: 2 }, Trial { price: 700, periods: 1 }];
        assert_eq!(all, [Step::Revise(Plan::Made(Tenures { trials, price: 1000 }))]);
        let whole = steps(&change(1000, 0, -1000)).unwrap();
        let trials = vec![Trial { price: 0, periods: 1 }];
        assert_eq!(whole, [Step::Revise(Plan::Made(Tenures { trials, price: 1000 }))]);
    }

    #[test]
    fn periods_that_begin_anew_are_a_new_subscription_in_place_of_the_old_one() {
        let starts_at = Timestamp(1_900_000_000_000);
        let it = Change { restarts: Some(starts_at), ..change(12_000, 11_000, 0) };

        let all = steps(&it).unwrap();

        let plan = Plan::Usual { plan: "P-PRO".to_owned(), quantity: 3 };
        let subscribe = Step::Subscribe { plan, starts_at };
        assert_eq!(all, [Step::Charge(11_000), subscribe, Step::CancelOld]);
    }

    #[test]
    fn what_paypal_cannot_do_is_refused() {
        let refused = |price, now, carried| steps(&change(price, now, carried)).unwrap_err();
        assert_eq!(refused(1000, -1, 0), Refusal::BelowZero);
        assert_eq!(refused(-1, 0, 0), Refusal::BelowZero);
        assert_eq!(refused(0, 0, -1), Refusal::NothingToCredit);
        assert_eq!(refused(1, 0, -1000), Refusal::TooLong);
        assert_eq!(refused(1, 0, i64::MIN), Refusal::TooLong);
        assert_eq!(refused(1, 0, i64::MAX), Refusal::TooLong);
        let forints = |now| Change { currency: "HUF".to_owned(), ..change(100_000, now, 0) };
        assert!(matches!(steps(&forints(150)), Err(Refusal::Unfit(_))));
        assert!(steps(&forints(200)).is_ok());
        let credit = Change { carried: -150, ..forints(0) };
        assert!(matches!(steps(&credit), Err(Refusal::Unfit(_))));
    }

    proptest! {
        #[test]
        fn paypal_collects_what_stripe_would(
            price in 0_i64..100_000,
            now in 0_i64..1_000_000,
            carried in -1_000_000_i64..1_000_000,
        ) {
            let it = change(price, now, carried);
            let Ok(steps) = steps(&it) else {
                let is_refused = carried < 0 && (price == 0 || -carried / price > PERIODS_MAX);
                prop_assert!(is_refused);
                return Ok(());
            };
            let renewals = 1_010;

            let (ours, theirs) = (collected(&steps, price, renewals), by_stripe(&it, renewals));

            prop_assert_eq!(&ours, &theirs);
            let sum = ours.0 + ours.1.iter().sum::<i64>();
            prop_assert_eq!(sum, now + carried + price * 1_010, "no cent is lost");
        }

        #[test]
        fn no_change_makes_us_panic(price: i64, now: i64, carried: i64) {
            let _ = steps(&change(price, now, carried));
        }
    }
}
