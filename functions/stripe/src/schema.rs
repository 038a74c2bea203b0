//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::{
    account::{Account, AccountChange, NewAccount},
    incoming::{StoredEvent, Taken},
    reconcile::{Drift, Look},
    replay::Replay,
    setup::{MadeSetup, NewSetup},
    statement::Statement,
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("createPaymentAccount", "Connect an account at a payment provider.")
            .takes::<NewAccount>()
            .gives::<Account>(201),
        operation("listPaymentAccounts", "List the accounts, oldest first.")
            .gives_page::<Account>(),
        operation("getPaymentAccount", "Read an account, without its secrets.")
            .gives::<Account>(200),
        operation("changePaymentAccount", "Change an account; an old secret works a day more.")
            .takes::<AccountChange>()
            .conditional()
            .gives::<Account>(200),
        operation("deletePaymentAccount", "Disconnect an account.").gives_nothing(),
        operation("createPaymentSetup", "Make a page on which a customer tells how it pays.")
            .takes::<NewSetup>()
            .gives::<MadeSetup>(201),
        operation("completePaymentSetup", "Fetch at once what a customer told on its page.")
            .gives_other("application/json"),
        operation("getPaymentBalance", "Read what the account has, as the provider says it.")
            .gives_other("application/json"),
        operation("receiveStripeEvent", "Take an event that Stripe has signed.")
            .gives::<Taken>(200),
        operation("receivePayPalEvent", "Take an event that PayPal has signed.")
            .gives::<Taken>(200),
        operation("listPaymentEvents", "List events in the order in which they came.")
            .query("state", "Only `stored`, `quarantined` or `other_mode`.")
            .gives_page::<StoredEvent>(),
        operation("getPaymentEvent", "Read an event as it came.").gives::<StoredEvent>(200),
        operation("replayPaymentEvents", "Put the events of a time to work again.")
            .takes::<Replay>()
            .gives_other("application/json"),
        operation("reconcilePayments", "Compare all there is at the provider, and mend it.")
            .gives::<Look>(202),
        operation("getReconciliation", "Read how far the last reconciliation is.")
            .gives::<Look>(200),
        operation("listPaymentDrift", "List what differed; as text with `Accept: text/plain`.")
            .gives_page::<Drift>(),
        operation("statePayments", "Read what moved since the last statement, and tell billing.")
            .gives::<Statement>(202),
        operation("getPaymentStatement", "Read how far the last statement is: sums and balances.")
            .gives::<Statement>(200),
    ]
}
