//! What the API document says of these routes.

use shared::{
    openapi::{Operation, operation},
    portal::PortalLink,
};

use crate::{
    bill::{
        Bill,
        credit::NewNote,
        deliver::{Deliveries, NewDelivery},
        delivery::Delivery,
        handle::{NewInvoice, NewPayment, Payments},
    },
    books::{Balances, PostingRow},
    catalogue::{CatalogueCoupon, CouponText, Listed},
    clearing::{booking::Booked, report::Report},
    customer::{Customer, CustomerText},
    entitlement::Entitlement,
    entity::{Entity, EntityText},
    payment::Payment,
    plan::{Plan, PlanText},
    portal::NewBillingLink,
    subscription::{
        Subscription,
        cancel::NewCancellation,
        change::SubscriptionChange,
        create::NewSubscription,
        planned::ChangePreview,
        seat::{NewSeat, Seat},
    },
    wallet::{GrantRow, NewGrant, ShownWallet},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let all = [catalogue(), customers(), subscriptions(), seats(), invoices(), money()];
    all.into_iter().flatten().collect()
}

fn catalogue() -> Vec<Operation> {
    vec![
        operation("listBillingEntities", "List the legal entities that sell.")
            .gives_page::<Entity>(),
        operation("getBillingEntity", "Read a legal entity.").gives::<Entity>(200),
        operation("putBillingEntity", "Put a legal entity: its VAT, numbers, terms and rules.")
            .takes::<EntityText>()
            .conditional()
            .gives::<Entity>(200),
        operation("listPlans", "List the plans, by name.").gives_page::<Listed>(),
        operation("getPlan", "Read the latest version of a plan.").gives::<Listed>(200),
        operation("getPlanVersion", "Read a version of a plan.").gives::<Plan>(200),
        operation("putPlan", "Put a plan, or a new version of it; who has it keeps the old one.")
            .takes::<PlanText>()
            .conditional()
            .gives::<Plan>(200),
        operation("retirePlan", "Retire a plan: nobody can subscribe to it any more.")
            .gives_nothing(),
        operation("listCoupons", "List the coupons, by code.").gives_page::<CatalogueCoupon>(),
        operation("getCoupon", "Read a coupon.").gives::<CatalogueCoupon>(200),
        operation("putCoupon", "Put a coupon.")
            .takes::<CouponText>()
            .conditional()
            .gives::<CatalogueCoupon>(200),
        operation("retireCoupon", "Retire a coupon: nobody can redeem it any more.")
            .gives_nothing(),
    ]
}

fn customers() -> Vec<Operation> {
    vec![
        operation("listBillingCustomers", "List who is billed.").gives_page::<Customer>(),
        operation("getBillingCustomer", "Read a customer.").gives::<Customer>(200),
        operation("putBillingCustomer", "Put a customer under your own name for it.")
            .takes::<CustomerText>()
            .conditional()
            .gives::<Customer>(200),
        operation("deleteBillingCustomer", "Delete a customer that was never billed.")
            .gives_nothing(),
        operation("getCredits", "Read a customer's prepaid credit.").gives::<ShownWallet>(200),
        operation("grantCredit", "Grant prepaid credit.")
            .takes::<NewGrant>()
            .gives::<GrantRow>(201),
        operation("getEntitlements", "Read what a customer may do because of what it pays.")
            .gives::<Entitlement>(200),
        operation("createBillingLink", "Make a short-lived link for one customer's portal.")
            .takes::<NewBillingLink>()
            .gives::<PortalLink>(201),
    ]
}

fn subscriptions() -> Vec<Operation> {
    vec![
        operation("createSubscription", "Subscribe a customer to a plan.")
            .takes::<NewSubscription>()
            .gives::<Subscription>(201),
        operation("listSubscriptions", "List subscriptions, oldest first.")
            .query("customer", "Only those of this customer.")
            .gives_page::<Subscription>(),
        operation("getSubscription", "Read a subscription.").gives::<Subscription>(200),
        operation("previewChange", "Say what another plan or other seats would come to.")
            .takes::<SubscriptionChange>()
            .gives::<ChangePreview>(200),
        operation("changeSubscription", "Change the plan or the seats, as previewed.")
            .takes::<SubscriptionChange>()
            .conditional()
            .gives::<Subscription>(200),
        operation("forgetChange", "Forget a change that is planned for the next period.")
            .gives::<Subscription>(200),
        operation("cancelSubscription", "Cancel now, with the period, or at a moment.")
            .takes::<NewCancellation>()
            .conditional()
            .gives::<Subscription>(200),
        operation("keepSubscription", "Take back a cancellation that has not come yet.")
            .gives::<Subscription>(200),
        operation("pauseSubscription", "Let it rest: nothing is charged or granted.")
            .gives::<Subscription>(200),
        operation("resumeSubscription", "Let it go on.").gives::<Subscription>(200),
    ]
}

fn seats() -> Vec<Operation> {
    vec![
        operation("listSeats", "List the seats that are taken.").gives_page::<Seat>(),
        operation("assignSeat", "Give a member a seat; 409 when none is left.")
            .takes::<NewSeat>()
            .gives::<Seat>(201),
        operation("claimSeat", "Note that a member has taken its seat.").gives::<Seat>(200),
        operation("revokeSeat", "Free a seat.").gives_nothing(),
    ]
}

fn invoices() -> Vec<Operation> {
    vec![
        operation("createInvoice", "Make an invoice that is for no subscription.")
            .takes::<NewInvoice>()
            .gives::<Bill>(201),
        operation("listInvoices", "List invoices and credit notes, oldest first.")
            .query("customer", "Only those of this customer.")
            .query("subscription", "Only those of this subscription.")
            .gives_page::<Bill>(),
        operation("getInvoice", "Read an invoice or a credit note.").gives::<Bill>(200),
        operation("getInvoiceFile", "Read it as a document.")
            .query("format", "`html` (when left out), `pdf` (with Factur-X), `cii` or `ubl`.")
            .query("profile", "`en16931` (when left out), `xrechnung` or `peppol`.")
            .gives_other("text/html"),
        operation("listInvoicePayments", "List its payments.").gives::<Payments>(200),
        operation("recordPayment", "Note a payment that came by another way.")
            .takes::<NewPayment>()
            .gives::<Payment>(201),
        operation("finaliseInvoice", "Finalise a draft now; 202 when its meters are asked first.")
            .query("without_usage", "`true` leaves out what the meters were not asked yet.")
            .gives::<Bill>(200),
        operation("collectInvoice", "Ask the provider for what is left, now.").gives::<Bill>(200),
        operation("sendInvoice", "Mail it again, to the customer or to another address.")
            .may_take::<NewDelivery>()
            .gives::<Delivery>(202),
        operation("listInvoiceDeliveries", "List its deliveries by mail: how far each came.")
            .gives::<Deliveries>(200),
        operation("creditInvoice", "Take an invoice back, or a part of it, by a credit note.")
            .takes::<NewNote>()
            .gives::<Bill>(201),
        operation("dropInvoice", "Drop a draft.").gives::<Bill>(200),
    ]
}

fn money() -> Vec<Operation> {
    vec![
        operation("listPostings", "List the postings of the ledger, oldest first.")
            .query("about", "Only those about this invoice, grant, payment or movement.")
            .gives_page::<PostingRow>(),
        operation("getBalances", "Read what the accounts come to.").gives::<Balances>(200),
        operation("getLedgerDrift", "Read what differs from the provider; also as `text/plain`.")
            .query("account", "Only of this payment account; its sums of each day as well.")
            .gives::<Report>(200),
        operation("listLedgerMovements", "List what moved at the provider, by its id.")
            .query("account", "Only of this payment account.")
            .query(
                "about",
                "Only of this payment, or of the key of a difference; beside `account`.",
            )
            .gives_page::<Booked>(),
    ]
}
