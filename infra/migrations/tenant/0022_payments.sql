-- Accounts at payment providers. `sealed` is their secrets.
create table payment_accounts (
  tenant text not null,
  id text not null,
  body text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

-- What a provider sent, as it was. The key by which an event is taken once.
create table payment_events (
  tenant text not null,
  account text not null,
  id text not null,
  sequence text not null,
  kind text not null,
  object text,
  state text not null check (state in ('stored', 'quarantined', 'other_mode')),
  created_ms integer not null,
  received_ms integer not null,
  api_version text,
  connect text,
  body text not null,
  primary key (tenant, account, id)
) strict, without rowid;

create unique index payment_events_by_sequence on payment_events (tenant, account, sequence);
create index payment_events_by_time on payment_events (tenant, account, created_ms, id);

-- The mirror: what is known of an object at the provider. `version` counts its changes.
create table payment_objects (
  tenant text not null,
  account text not null,
  id text not null,
  kind text not null,
  body text not null,
  version integer not null,
  fetched_ms integer not null,
  primary key (tenant, account, id)
) strict, without rowid;

-- Which of the provider's customers is which of the tenant's.
create table payment_customers (
  tenant text not null,
  account text not null,
  customer text not null,
  reference text not null,
  primary key (tenant, account, customer)
) strict, without rowid;

-- Refusals of an account's webhooks for a reason in an hour.
create table payment_refusals (
  tenant text not null,
  account text not null,
  hour_ms integer not null,
  reason text not null,
  count integer not null,
  primary key (tenant, account, hour_ms, reason)
) strict, without rowid;

-- A reconciliation: how far it is, and what it found.
create table payment_reconciles (
  tenant text not null,
  account text not null,
  body text not null,
  version integer not null,
  primary key (tenant, account)
) strict, without rowid;

create table payment_drift (
  tenant text not null,
  account text not null,
  object text not null,
  kind text not null,
  ours text,
  theirs text not null,
  found_ms integer not null,
  primary key (tenant, account, object)
) strict, without rowid;
