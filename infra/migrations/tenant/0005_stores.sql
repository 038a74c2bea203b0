-- What a tenant keeps that is too large for a row, where the runtime has no store for it: each
-- blob is the chunks of one upload.
create table blobs (
  tenant text not null,
  name text not null,
  upload text not null,
  size integer not null,
  primary key (tenant, name)
) strict;

create table blob_chunks (
  tenant text not null,
  upload text not null,
  number integer not null,
  body blob not null,
  at_ms integer not null,
  primary key (tenant, upload, number)
) strict;

-- What waits to be taken in, where the runtime has no queue.
create table queue (
  tenant text not null,
  function text not null,
  id text not null,
  body text not null,
  primary key (tenant, function, id)
) strict;
