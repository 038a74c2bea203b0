-- Which entries of the log become which notices. `rule` is JSON.
create table notify_rules (
  tenant text not null,
  name text not null,
  rule text not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;
