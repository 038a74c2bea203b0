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

-- Whether a notice was read.
create index notify_inbox_by_notice on notify_inbox (tenant, notice, recipient);

-- Whether it is sent only if nobody has read the notice by then.
alter table notify_deliveries add column fallback integer not null default 0;

-- What the provider told of it later: that it bounced, or was called spam.
alter table notify_deliveries add column heard text;

-- Addresses, in lower case, that are sent no mail.
create table notify_suppressions (
  tenant text not null,
  address text not null,
  reason text not null,
  detail text,
  provider text,
  at_ms integer not null,
  primary key (tenant, address)
) strict, without rowid;

-- Keys under which browsers subscribe, the private half sealed. The latest is the one for new
-- subscriptions; the others sign for those that were made under them.
create table notify_push_keys (
  tenant text not null,
  id text not null,
  public text not null,
  sealed text not null,
  created_at_ms integer not null,
  primary key (tenant, id)
) strict, without rowid;

-- A browser that takes messages. `input` is JSON, as the browser gave it, sealed: who has it can
-- disturb somebody. `place` is the SHA-256 of its endpoint.
create table notify_push_subscriptions (
  tenant text not null,
  id text not null,
  recipient text not null,
  place text not null,
  host text not null,
  key text not null,
  sealed text not null,
  created_at_ms integer not null,
  primary key (tenant, id)
) strict, without rowid;

create unique index notify_push_subscriptions_by_place on notify_push_subscriptions (tenant, place);
create index notify_push_subscriptions_of on notify_push_subscriptions (tenant, recipient, id);
