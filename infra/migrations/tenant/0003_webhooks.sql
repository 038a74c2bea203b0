-- Webhooks that come in: who sends them, what came, and what was refused.
create table webhook_sources (
  tenant text not null,
  id text not null,
  name text not null,
  recipe text not null,
  secrets text not null,
  target text,
  created_at_ms integer not null,
  version integer not null,
  primary key (tenant, id)
) strict;

create table webhook_messages (
  tenant text not null,
  id text not null,
  source text not null,
  dedupe text not null,
  event_type text,
  headers text not null,
  body blob not null,
  received_at_ms integer not null,
  delivery text not null check (delivery in ('none', 'waiting', 'delivered', 'failed')),
  attempts integer not null default 0,
  last_status integer,
  last_error text,
  delivered_at_ms integer,
  primary key (tenant, id)
) strict;

create index webhook_messages_by_source on webhook_messages (tenant, source, id);

create table webhook_dedupe (
  tenant text not null,
  source text not null,
  dedupe text not null,
  message text not null,
  until_ms integer not null,
  primary key (tenant, source, dedupe)
) strict;

create index webhook_dedupe_by_time on webhook_dedupe (tenant, until_ms);

create table webhook_refusals (
  tenant text not null,
  source text not null,
  code text not null,
  hour_ms integer not null,
  count integer not null,
  last_at_ms integer not null,
  detail text not null,
  headers text not null,
  body blob not null,
  primary key (tenant, source, code, hour_ms)
) strict;
