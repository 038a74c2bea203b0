-- Where notices are posted for many to read: rooms of Slack and Teams, and webhooks. `hook` is JSON;
-- `sealed` has the address, which lets whoever knows it post there.
create table notify_hooks (
  tenant text not null,
  name text not null,
  hook text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;
