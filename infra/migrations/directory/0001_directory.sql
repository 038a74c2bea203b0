-- The directory: which credential leads to which tenant. A projection of the tenants' logs.
create table directory_tenants (
  tenant text not null primary key,
  name text not null,
  state text not null check (state in ('active', 'suspended', 'deleting')),
  sandbox integer not null check (sandbox in (0, 1)),
  version integer not null
) strict;

create table directory_keys (
  hash text not null primary key,
  tenant text not null,
  key_id text not null,
  scopes text not null,
  expires_at_ms integer,
  -- 1 as created, 2 with an end, 3 over: it only goes up, so that a late writer changes nothing.
  stage integer not null check (stage in (1, 2, 3))
) strict;

create index directory_keys_by_tenant on directory_keys (tenant, key_id);

create table directory_addresses (
  kind text not null,
  name text not null,
  tenant text not null,
  primary key (kind, name)
) strict;

create index directory_addresses_by_tenant on directory_addresses (tenant, kind);

-- Where tenants do not wake themselves: which function has something to do in which tenant.
create table wakes (
  tenant text not null,
  function text not null,
  at_ms integer not null,
  taken_until_ms integer not null default 0,
  primary key (tenant, function)
) strict;

create index wakes_by_time on wakes (at_ms);

-- Where there is no limiter object: the theoretical arrival time of each key.
create table limits (
  key text not null primary key,
  tat_ms integer not null
) strict;
