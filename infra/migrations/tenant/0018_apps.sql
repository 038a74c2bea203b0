-- Apps behind the gate: data of the tenant's.
create table gate_apps (
  tenant text not null,
  name text not null,
  version integer not null,
  body text not null,
  primary key (tenant, name)
) strict, without rowid;
