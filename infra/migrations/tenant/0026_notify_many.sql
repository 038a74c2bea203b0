-- A notice to many: how many it was for. It has one delivery for each recipient and channel.
alter table notify_notices add column recipients integer;
drop index notify_deliveries_by_notice;
create unique index notify_deliveries_by_notice
  on notify_deliveries (tenant, notice, recipient, channel);

-- What of its audience was not reached yet. `who` is JSON.
create table notify_audiences (
  tenant text not null,
  notice text not null,
  part integer not null,
  who text not null,
  primary key (tenant, notice, part)
) strict, without rowid;

-- A name that recipients subscribe to, and how often its number of subscribers was looked at.
create table notify_topics (
  tenant text not null,
  topic text not null,
  checked integer not null,
  primary key (tenant, topic)
) strict, without rowid;

-- Who is subscribed: a member's id, or an address in lower case. `contact` is JSON.
create table notify_subscribers (
  tenant text not null,
  topic text not null,
  recipient text not null,
  contact text,
  at_ms integer not null,
  primary key (tenant, topic, recipient)
) strict, without rowid;
