-- The spine of a tenant: its log, jobs, cursors, idempotency records and clock.
create table log (
  tenant text not null,
  sequence integer not null check (sequence > 0),
  at_ms integer not null,
  actor text not null,
  action text not null,
  subject text not null,
  entry text not null,
  leaf text not null,
  primary key (tenant, sequence)
) strict, without rowid;

create index log_by_subject on log (tenant, subject, sequence);

create table jobs (
  tenant text not null,
  id text not null,
  function text not null,
  kind text not null,
  body text not null,
  due_at_ms integer not null,
  attempts integer not null default 0,
  lease text,
  leased_until_ms integer not null default 0,
  state text not null default 'waiting' check (state in ('waiting', 'dead')),
  reason text,
  created_at_ms integer not null,
  primary key (tenant, id)
) strict;

create index jobs_by_due on jobs (tenant, state, function, due_at_ms);

create table cursors (
  tenant text not null,
  follower text not null,
  sequence integer not null,
  primary key (tenant, follower)
) strict;

create table idempotency (
  tenant text not null,
  key text not null,
  fingerprint text not null,
  answer text not null,
  at_ms integer not null,
  primary key (tenant, key)
) strict;

create index idempotency_by_time on idempotency (tenant, at_ms);

-- The test clock of a sandbox: where it stands, and where it is moving to.
create table clocks (
  tenant text not null primary key,
  now_ms integer not null,
  target_ms integer not null
) strict;

-- A batch writes `changes()` here after a statement that must change exactly one row, and
-- empties it at its end: anything but 1 undoes the whole batch.
create table guard (
  holds integer not null constraint guard_holds check (holds = 1)
) strict;
