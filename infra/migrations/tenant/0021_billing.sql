-- Who sells: `body` is JSON, as in all tables of billing.
create table billing_entities (
  tenant text not null,
  name text not null,
  body text not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;

-- The last number of each series: of an entity, a kind of document and a year.
create table billing_numbers (
  tenant text not null,
  entity text not null,
  kind text not null check (kind in ('invoice', 'credit_note')),
  year integer not null,
  counter integer not null,
  primary key (tenant, entity, kind, year)
) strict, without rowid;

-- Plans in all their versions. The last one counts for new subscriptions, unless it is retired.
create table billing_plans (
  tenant text not null,
  name text not null,
  version integer not null,
  body text not null,
  retired integer not null default 0,
  primary key (tenant, name, version)
) strict, without rowid;

create table billing_coupons (
  tenant text not null,
  code text not null,
  body text not null,
  redeemed integer not null default 0,
  version integer not null,
  primary key (tenant, code)
) strict, without rowid;

create table billing_customers (
  tenant text not null,
  id text not null,
  body text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

-- `state` and `plan` stand in the body as well; they are here to be searched.
create table billing_subscriptions (
  tenant text not null,
  id text not null,
  customer text not null,
  state text not null,
  plan text not null,
  body text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

create index billing_subscriptions_by_customer on billing_subscriptions (tenant, customer, id);

-- Who sits on a seat.
create table billing_seats (
  tenant text not null,
  subscription text not null,
  member text not null,
  state text not null check (state in ('pending', 'claimed')),
  assigned_at_ms integer not null,
  claimed_at_ms integer,
  primary key (tenant, subscription, member)
) strict, without rowid;

-- Invoices and credit notes. A draft has no number; what has one never changes but in `state`,
-- `paid` and `credited`.
create table billing_invoices (
  tenant text not null,
  id text not null,
  customer text not null,
  subscription text,
  entity text not null,
  kind text not null check (kind in ('invoice', 'credit_note')),
  number text,
  state text not null,
  body text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

create index billing_invoices_by_customer on billing_invoices (tenant, customer, id);
create index billing_invoices_by_subscription on billing_invoices (tenant, subscription, id);
create unique index billing_invoices_by_number on billing_invoices (tenant, entity, kind, number);

-- A payment that was asked of a provider, or told by hand.
create table billing_payments (
  tenant text not null,
  id text not null,
  invoice text not null,
  state text not null check (state in ('requested', 'action_required', 'succeeded', 'failed')),
  body text not null,
  primary key (tenant, id)
) strict, without rowid;

create index billing_payments_by_invoice on billing_payments (tenant, invoice, id);

-- Prepaid credit, in the order in which it was given.
create table billing_grants (
  tenant text not null,
  customer text not null,
  id text not null,
  currency text not null,
  body text not null,
  version integer not null,
  primary key (tenant, customer, id)
) strict, without rowid;

-- Double entry: postings, and what they add up to.
create table billing_postings (
  tenant text not null,
  id text not null,
  at_ms integer not null,
  event text not null,
  about text not null,
  entries text not null,
  primary key (tenant, id)
) strict, without rowid;

create index billing_postings_about on billing_postings (tenant, about, id);

create table billing_balances (
  tenant text not null,
  currency text not null,
  account text not null,
  amount integer not null,
  primary key (tenant, currency, account)
) strict, without rowid;

-- How often the sum of a currency was found to be zero: each posting counts it on, or is undone.
create table billing_sums (
  tenant text not null,
  currency text not null,
  checked integer not null,
  primary key (tenant, currency)
) strict, without rowid;

-- What was invoiced in advance and is not earned yet.
create table billing_deferrals (
  tenant text not null,
  invoice text not null,
  subscription text not null,
  currency text not null,
  amount integer not null,
  earned_at_ms integer not null,
  primary key (tenant, invoice)
) strict, without rowid;

create index billing_deferrals_by_subscription
  on billing_deferrals (tenant, subscription, earned_at_ms);
