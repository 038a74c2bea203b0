-- How far the reading of what moved at a provider is, and what the last one came to.
create table payment_statements (
  tenant text not null,
  account text not null,
  body text not null,
  version integer not null,
  primary key (tenant, account)
) strict, without rowid;

-- What moved at a provider, by its own id. The key by which a movement is booked once. `claim` is
-- what it is compared by: our payment, or what the provider calls one that we do not know.
create table billing_movements (
  tenant text not null,
  account text not null,
  id text not null,
  claim text not null,
  kind text not null,
  currency text not null,
  amount integer not null,
  fee integer not null,
  net integer not null,
  at_ms integer not null,
  body text not null,
  primary key (tenant, account, id)
) strict, without rowid;

create index billing_movements_by_claim on billing_movements (tenant, account, claim, id);

-- What a provider has, beside what the ledger was told. Amounts that leave are below zero.
create table billing_claims (
  tenant text not null,
  account text not null,
  key text not null,
  kind text not null check (kind in ('charge', 'refund', 'dispute', 'unknown', 'balance')),
  currency text not null,
  found integer not null,
  told integer not null,
  cleared integer not null,
  fee_told integer not null,
  fee_cleared integer not null,
  movements integer not null,
  since_ms integer not null,
  drift text,
  drift_sum integer not null,
  settled integer not null,
  primary key (tenant, account, key, kind, currency)
) strict, without rowid;

create index billing_claims_open
  on billing_claims (tenant, account, key, kind, currency) where settled = 0;
create index billing_claims_drifted
  on billing_claims (tenant, account, key, kind, currency) where drift is not null;

-- The last statement of each account that was compared.
create table billing_statements (
  tenant text not null,
  account text not null,
  number integer not null,
  body text not null,
  primary key (tenant, account)
) strict, without rowid;

-- Which parts of a statement are booked, until it is compared.
create table billing_statement_parts (
  tenant text not null,
  account text not null,
  number integer not null,
  part integer not null,
  primary key (tenant, account, number, part)
) strict, without rowid;
