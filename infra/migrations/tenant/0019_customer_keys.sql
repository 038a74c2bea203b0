-- Keys of the tenant's own customers, beside its own: whose each is, and how its secrets begin.
alter table keys add column customer text;
alter table keys add column member text;
alter table keys add column app text;
alter table keys add column word text;

create index keys_by_customer on keys (tenant, customer, id);
create index keys_by_hash on keys (tenant, hash);
