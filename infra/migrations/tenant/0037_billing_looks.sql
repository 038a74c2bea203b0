-- What was asked of the meters of a subscription whose usage may be billed before its period ends,
-- and what they have said so far. One row for each; the next look takes its place.
create table billing_looks (
  tenant text not null,
  subscription text not null,
  body text not null,
  version integer not null,
  primary key (tenant, subscription)
) strict, without rowid;
