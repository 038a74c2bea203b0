-- Keys by which a sending domain signs mail that goes out by SMTP. `key` is JSON; `sealed` is the
-- private half. Of a domain and an algorithm one is active.
create table notify_dkim_keys (
  tenant text not null,
  id text not null,
  domain text not null,
  selector text not null,
  algorithm text not null,
  active integer not null,
  key text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant, id),
  unique (tenant, domain, selector)
) strict, without rowid;
