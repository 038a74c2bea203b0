-- Plans: what there is of each meter. `quotas` is JSON.
create table gate_plans (
  tenant text not null,
  name text not null,
  quotas text not null,
  version integer not null,
  updated_at_ms integer not null,
  primary key (tenant, name)
) strict, without rowid;

-- Which plan a customer of the tenant has, and from when its billing counts.
create table gate_subjects (
  tenant text not null,
  name text not null,
  plan text not null,
  anchor_ms integer not null,
  zone text not null,
  on_change text not null check (on_change in ('reset', 'keep', 'prorate')),
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;

create index gate_subjects_by_plan on gate_subjects (tenant, plan);

-- What changed when. `before` is the quotas that held until then; null for the first plan.
create table gate_subject_changes (
  tenant text not null,
  subject text not null,
  version integer not null,
  at_ms integer not null,
  plan text not null,
  on_change text not null,
  before text,
  primary key (tenant, subject, version)
) strict, without rowid;

-- What was told of a window. The row decides that it is told once.
create table gate_quota_marks (
  tenant text not null,
  subject text not null,
  quota text not null,
  from_ms integer not null,
  mark text not null,
  at_ms integer not null,
  primary key (tenant, subject, quota, from_ms, mark)
) strict, without rowid;

-- What the last look found in the window of a quota: what it began with, and what was used.
create table gate_quota_windows (
  tenant text not null,
  subject text not null,
  quota text not null,
  from_ms integer not null,
  carried integer not null,
  used integer not null,
  primary key (tenant, subject, quota)
) strict, without rowid;

create table gate_reports (
  tenant text not null,
  id text not null,
  asked text not null,
  state text not null check (state in ('waiting', 'done', 'failed')),
  lines integer not null,
  lines_done integer not null,
  differing integer not null,
  sha256 text,
  bytes integer,
  created_at_ms integer not null,
  ended_at_ms integer,
  primary key (tenant, id)
) strict, without rowid;

-- The lines of a report that is being made.
create table gate_report_lines (
  tenant text not null,
  report text not null,
  number integer not null,
  line text not null,
  primary key (tenant, report, number)
) strict, without rowid;

create table gate_report_schedules (
  tenant text not null,
  name text not null,
  settings text not null,
  from_ms integer not null,
  next_at_ms integer not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;
