-- What was used: the events as they came, and what they add up to in each quarter of an hour.
create table usage_state (
  tenant text not null,
  -- For how long an event may be late.
  late_days integer not null default 35,
  version integer not null default 0,
  -- How many raw events were ever kept.
  events integer not null default 0,
  -- Raw events, and counters, of before these moments are gone.
  events_from_ms integer not null default 0,
  counters_from_ms integer not null default 0,
  primary key (tenant)
) strict;

-- A name is never given to another aggregation: what was counted under it keeps its meaning.
create table usage_meters (
  tenant text not null,
  name text not null,
  aggregation text not null check (aggregation in ('sum', 'count', 'max', 'unique')),
  -- Of which dimension the values are told apart; empty but for `unique`.
  dimension text not null,
  unit text not null,
  description text not null,
  deleted integer not null default 0,
  version integer not null,
  primary key (tenant, name)
) strict;

-- Values are millionths. Only what is `counted` is in the counters.
create table usage_events (
  tenant text not null,
  source text not null,
  id text not null,
  meter text not null,
  subject text not null,
  member text not null,
  key text not null,
  route text not null,
  dimensions text not null,
  -- What a meter of the kind `unique` tells apart.
  word text not null,
  value integer not null,
  time_ms integer not null,
  at_ms integer not null,
  -- Of the event as it was sent, by which a repetition is told from another event.
  hash text not null,
  state text not null check (state in ('counted', 'corrected', 'voided')),
  primary key (tenant, source, id)
) strict;

create index usage_events_by_time on usage_events (tenant, time_ms);

-- Sums are kept in two parts, whole units and millionths, so that neither comes near 2^63.
create table usage_counters (
  tenant text not null,
  meter text not null,
  subject text not null,
  start_ms integer not null,
  member text not null,
  key text not null,
  route text not null,
  whole integer not null,
  micros integer not null,
  count integer not null,
  -- The largest value, in millionths.
  peak integer not null,
  primary key (tenant, meter, subject, start_ms, member, key, route)
) strict;

create index usage_counters_by_meter on usage_counters (tenant, meter, start_ms);
create index usage_counters_by_time on usage_counters (tenant, start_ms);

-- How many events had this word, for meters of the kind `unique`.
create table usage_uniques (
  tenant text not null,
  meter text not null,
  subject text not null,
  start_ms integer not null,
  member text not null,
  key text not null,
  route text not null,
  word text not null,
  count integer not null,
  primary key (tenant, meter, subject, start_ms, member, key, route, word)
) strict;

create index usage_uniques_by_meter on usage_uniques (tenant, meter, start_ms);
create index usage_uniques_by_time on usage_uniques (tenant, start_ms);

create table usage_statuses (
  tenant text not null,
  start_ms integer not null,
  key text not null,
  route text not null,
  subject text not null,
  class text not null,
  count integer not null,
  primary key (tenant, start_ms, key, route, subject, class)
) strict;

-- A sketch: how many requests took as long as this bucket says. Sketches are merged by adding rows.
create table usage_latencies (
  tenant text not null,
  start_ms integer not null,
  key text not null,
  route text not null,
  bucket integer not null,
  count integer not null,
  primary key (tenant, start_ms, key, route, bucket)
) strict;
