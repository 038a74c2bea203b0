-- What meters said for an invoice, and what of it was charged, so that they can be asked again. It
-- is closed when they were asked for the last time.
create table billing_readings (
  tenant text not null,
  invoice text not null,
  subscription text not null,
  open integer not null,
  body text not null,
  version integer not null,
  primary key (tenant, invoice)
) strict, without rowid;

create index billing_readings_open
  on billing_readings (tenant, subscription, invoice) where open = 1;
