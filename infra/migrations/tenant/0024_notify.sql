-- Who sends the tenant's mail. `settings` is JSON.
create table notify_settings (
  tenant text not null,
  settings text not null,
  version integer not null,
  primary key (tenant)
) strict, without rowid;

-- How the notices of a type are sent. `workflow` is JSON.
create table notify_workflows (
  tenant text not null,
  kind text not null,
  workflow text not null,
  version integer not null,
  updated_at_ms integer not null,
  primary key (tenant, kind)
) strict, without rowid;

-- What somebody wants to hear of: a member's id, an address in lower case, or '' for what the
-- tenant presumes. `wishes` is JSON.
create table notify_preferences (
  tenant text not null,
  recipient text not null,
  wishes text not null,
  version integer not null,
  primary key (tenant, recipient)
) strict, without rowid;

create table notify_notices (
  tenant text not null,
  id text not null,
  kind text not null,
  key text,
  about text,
  url text,
  urgent integer not null,
  data text not null,
  created_at_ms integer not null,
  primary key (tenant, id)
) strict, without rowid;

create unique index notify_notices_by_key on notify_notices (tenant, key) where key is not null;

-- A notice on its way to one recipient by one channel, and what became of it. `because` is JSON.
create table notify_deliveries (
  tenant text not null,
  id text not null,
  notice text not null,
  kind text not null,
  recipient text not null,
  contact text,
  channel text not null,
  state text not null check (state in ('waiting', 'sent', 'withheld', 'failed', 'cancelled')),
  because text,
  why text,
  due_at_ms integer not null,
  done_at_ms integer,
  primary key (tenant, id)
) strict, without rowid;

create index notify_deliveries_by_notice on notify_deliveries (tenant, notice);
-- What a throttle counts.
create index notify_deliveries_sent on notify_deliveries (tenant, recipient, kind, channel, done_at_ms)
  where state = 'sent';

-- What a recipient has in the product. `words` is JSON.
create table notify_inbox (
  tenant text not null,
  recipient text not null,
  id text not null,
  notice text not null,
  words text not null,
  at_ms integer not null,
  seen_at_ms integer,
  read_at_ms integer,
  archived_at_ms integer,
  snoozed_until_ms integer,
  primary key (tenant, recipient, id)
) strict, without rowid;

-- Mail that was caught and not sent, as MIME.
create table notify_mailbox (
  tenant text not null,
  id text not null,
  recipient text not null,
  subject text not null,
  mime blob not null,
  at_ms integer not null,
  primary key (tenant, id)
) strict, without rowid;
