-- When people work, and what is promised of tickets: each put is a version, which applies from a
-- moment on. `kind` is `calendar` or `policy`; `text` is JSON, and null where it ends.
create table ticket_promises (
  tenant text not null,
  kind text not null,
  name text not null,
  number integer not null,
  applies_from_ms integer not null,
  text text,
  primary key (tenant, kind, name, number)
) strict, without rowid;

-- Counts their changes. Without a row nothing was ever promised.
create table ticket_promise_changes (
  tenant text not null,
  changes integer not null,
  primary key (tenant)
) strict, without rowid;

-- How what was promised of a ticket stands, as the log says it: a projection. `due_at_ms` is when
-- the soonest of what is not done is or was due; `standing` is JSON.
create table ticket_slas (
  tenant text not null,
  ticket text not null,
  due_at_ms integer,
  standing text not null,
  primary key (tenant, ticket)
) strict, without rowid;

create index ticket_slas_by_due on ticket_slas (tenant, due_at_ms, ticket)
  where due_at_ms is not null;
