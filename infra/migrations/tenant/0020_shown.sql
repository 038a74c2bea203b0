-- What the edge is shown of a customer: how often it changed, and which quotas are used up.
create table gate_shown (
  tenant text not null,
  subject text not null,
  version integer not null,
  used_up text not null default '[]',
  primary key (tenant, subject)
) strict, without rowid;
