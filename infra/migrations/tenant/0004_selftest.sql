-- Scratch tables by which a deployment checks its own promises.
create table selftest_rows (
  tenant text not null,
  name text not null,
  number integer not null,
  body blob,
  primary key (tenant, name)
) strict;
