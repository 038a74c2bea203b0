-- Who follows something live: a tenant has so many connections at a time.
create table live_leases (
  tenant text not null,
  id text not null,
  until_ms integer not null,
  primary key (tenant, id)
) strict;
