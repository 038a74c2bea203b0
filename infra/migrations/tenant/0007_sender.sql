-- Webhooks that go out: to whom, what happened, and what became of each delivery.
create table webhook_endpoints (
  tenant text not null,
  id text not null,
  -- Of which of the tenant's own customers; empty for the tenant's own.
  customer text not null,
  state text not null check (state in ('active', 'paused', 'disabled')),
  settings text not null,
  secrets text not null,
  private text not null,
  auth text not null,
  headers text not null,
  -- The last number that a delivery to it was given.
  sequence integer not null default 0,
  health text not null,
  created_at_ms integer not null,
  version integer not null,
  primary key (tenant, id)
) strict;

create index webhook_endpoints_by_customer on webhook_endpoints (tenant, customer, id);

create table webhook_events (
  tenant text not null,
  id text not null,
  type text not null,
  customer text not null,
  channels text not null,
  version text,
  data text not null,
  happened_at_ms integer not null,
  at_ms integer not null,
  primary key (tenant, id)
) strict;

create index webhook_events_by_time on webhook_events (tenant, at_ms);

-- `polled` is one that its receiver comes for.
create table webhook_deliveries (
  tenant text not null,
  endpoint text not null,
  sequence integer not null,
  event text not null,
  state text not null
    check (state in ('waiting', 'delivered', 'failed', 'held', 'polled', 'skipped')),
  attempts integer not null default 0,
  due_at_ms integer not null,
  last_status integer,
  last_error text,
  created_at_ms integer not null,
  ended_at_ms integer,
  primary key (tenant, endpoint, sequence)
) strict;

create index webhook_deliveries_by_due
  on webhook_deliveries (tenant, endpoint, due_at_ms, sequence) where state = 'waiting';
create index webhook_deliveries_in_order
  on webhook_deliveries (tenant, endpoint, sequence) where state = 'waiting';
create index webhook_deliveries_lost
  on webhook_deliveries (tenant, endpoint, created_at_ms) where state in ('failed', 'held');
create index webhook_deliveries_by_event on webhook_deliveries (tenant, event, endpoint);

create table webhook_attempts (
  tenant text not null,
  endpoint text not null,
  sequence integer not null,
  number integer not null,
  at_ms integer not null,
  latency_ms integer not null,
  status integer,
  error text,
  headers text not null,
  body text not null,
  primary key (tenant, endpoint, sequence, number)
) strict;

create index webhook_attempts_by_time on webhook_attempts (tenant, at_ms);

create table webhook_event_types (
  tenant text not null,
  name text not null,
  description text not null,
  sample text not null,
  version integer not null,
  primary key (tenant, name)
) strict;

-- The keys of v1a signatures: the newest signs, the others sign as well until their end.
create table webhook_signing_keys (
  tenant text not null,
  id text not null,
  sealed text not null,
  public text not null,
  created_at_ms integer not null,
  until_ms integer,
  primary key (tenant, id)
) strict;

-- Access tokens of endpoints that ask for OAuth 2.
create table webhook_tokens (
  tenant text not null,
  endpoint text not null,
  sealed text not null,
  until_ms integer not null,
  primary key (tenant, endpoint)
) strict;

-- How far whoever polls has come.
create table webhook_pollers (
  tenant text not null,
  endpoint text not null,
  consumer text not null,
  sequence integer not null,
  primary key (tenant, endpoint, consumer)
) strict;

create index webhook_messages_by_time on webhook_messages (tenant, received_at_ms);
