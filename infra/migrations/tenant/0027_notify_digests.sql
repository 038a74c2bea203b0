-- The digest that is open, or was, for a recipient, a type and a channel. `batch` is JSON.
create table notify_batches (
  tenant text not null,
  recipient text not null,
  kind text not null,
  channel text not null,
  id text not null,
  batch text,
  last_at_ms integer not null,
  version integer not null,
  primary key (tenant, recipient, kind, channel)
) strict, without rowid;

-- The digest that a delivery is in, and the delivery that carries it.
alter table notify_deliveries add column batch text;
alter table notify_deliveries add column within text;
create index notify_deliveries_by_batch on notify_deliveries (tenant, batch, id)
  where batch is not null and state = 'waiting';
