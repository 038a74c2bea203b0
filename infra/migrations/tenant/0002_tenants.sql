-- What a tenant is: in the operator's database the tenants, in each tenant's its own keys,
-- members and addresses.
create table tenants (
  tenant text not null,
  id text not null,
  name text not null,
  state text not null check (state in ('active', 'suspended', 'deleting', 'deleted')),
  sandbox integer not null check (sandbox in (0, 1)),
  created_at_ms integer not null,
  erase_at_ms integer,
  version integer not null,
  primary key (tenant, id)
) strict;

create table keys (
  tenant text not null,
  id text not null,
  name text not null,
  prefix text not null,
  hash text not null,
  scopes text not null,
  created_at_ms integer not null,
  expires_at_ms integer,
  revoked_at_ms integer,
  last_used_at_ms integer,
  replaces text,
  primary key (tenant, id)
) strict;

create table members (
  tenant text not null,
  id text not null,
  email text not null,
  name text not null,
  locale text not null,
  zone text not null,
  role text not null,
  created_at_ms integer not null,
  version integer not null,
  primary key (tenant, id)
) strict;

create unique index members_by_email on members (tenant, email);

create table addresses (
  tenant text not null,
  kind text not null check (kind in ('host', 'account')),
  name text not null,
  created_at_ms integer not null,
  primary key (tenant, kind, name)
) strict;
