-- A bill on its way to somebody by mail, and what became of it. `body` is JSON.
create table billing_deliveries (
  tenant text not null,
  id text not null,
  invoice text not null,
  state text not null check (state in
    ('queued', 'requested', 'sent', 'withheld', 'failed', 'bounced', 'complained')),
  body text not null,
  primary key (tenant, id)
) strict, without rowid;

create index billing_deliveries_of on billing_deliveries (tenant, invoice, id);

-- The notices that notifications made of it: what is told of one is told of the delivery.
create table billing_notices (
  tenant text not null,
  notice text not null,
  delivery text not null,
  primary key (tenant, notice)
) strict, without rowid;
