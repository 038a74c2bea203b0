-- The hash of a subtree of the log's Merkle tree that is whole: of 256^level entries, the one with
-- this number of its level, from 0. The leaves themselves are in the log.
create table audit_tiles (
  tenant text not null,
  level integer not null,
  number integer not null,
  hash text not null,
  primary key (tenant, level, number)
) strict, without rowid;

-- What the tree was said to be at a size, as it was signed.
create table audit_checkpoints (
  tenant text not null,
  size integer not null,
  root text not null,
  note text not null,
  at_ms integer not null,
  primary key (tenant, size)
) strict, without rowid;

-- Who is told of checkpoints, so that somebody outside holds them. `witness` is JSON; `sealed` has
-- the address; `size` is that of the last checkpoint that was taken there.
create table audit_witnesses (
  tenant text not null,
  name text not null,
  witness text not null,
  sealed text not null,
  size integer not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;
