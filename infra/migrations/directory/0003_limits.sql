-- Limits of every algorithm: their states, and when each is as good as none.
drop table limits;

create table limits (
  key text not null primary key,
  version integer not null,
  state text not null,
  until_ms integer not null
) strict;

create index limits_by_end on limits (until_ms);
