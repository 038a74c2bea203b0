-- What the edge has to know of a tenant without opening it, as its functions show it.
create table directory_documents (
  tenant text not null,
  name text not null,
  version integer not null,
  body text not null,
  primary key (tenant, name)
) strict, without rowid;
