-- What the limiter has counted and nobody has taken in yet, where it has no object of its own.
create table tallies (
  tenant text not null,
  function text not null,
  label text not null,
  field text not null,
  n integer not null,
  primary key (tenant, function, label, field)
) strict, without rowid;
