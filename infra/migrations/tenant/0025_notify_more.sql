-- Accounts at providers by which notices leave. `provider` is JSON; `sealed` has its secrets.
create table notify_providers (
  tenant text not null,
  id text not null,
  provider text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

-- What is decided and no provider has taken yet. `letter` is JSON: each try is the same.
-- `asked` is the provider that did not answer when it was last asked, which may have it.
create table notify_outbox (
  tenant text not null,
  delivery text not null,
  letter text not null,
  asked text,
  primary key (tenant, delivery)
) strict, without rowid;

-- Who took it, and what it is called there.
alter table notify_deliveries add column provider text;
alter table notify_deliveries add column reference text;
