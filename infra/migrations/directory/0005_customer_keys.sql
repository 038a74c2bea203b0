-- Keys of tenants' own customers: of the tenant that asks alone, so that they open nothing of ours,
-- and no tenant can take a hash from another.
create table directory_customer_keys (
  tenant text not null,
  hash text not null,
  body text not null,
  expires_at_ms integer,
  -- As of directory_keys.
  stage integer not null check (stage in (1, 2, 3)),
  primary key (tenant, hash)
) strict, without rowid;
