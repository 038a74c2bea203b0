-- What tickets are handled with, by kind and name: teams, macros and forms. `tool` is JSON.
create table ticket_tools (
  tenant text not null,
  kind text not null,
  name text not null,
  tool text not null,
  version integer not null,
  primary key (tenant, kind, name)
) strict, without rowid;

-- Counts the changes of views: what is written of a ticket is written by the views of that moment.
create table ticket_view_changes (
  tenant text not null,
  changes integer not null,
  primary key (tenant)
) strict, without rowid;

-- A list of tickets that is kept. `build` is a number that its rows are under, another one whenever
-- it says something else; `after` is the ticket up to which all were looked at for it, and `null`
-- when that was the last. `looked` is how many those were, and `count` how many rows there are.
create table ticket_views (
  tenant text not null,
  name text not null,
  view text not null,
  build integer not null,
  after text,
  looked integer not null,
  count integer not null,
  version integer not null,
  primary key (tenant, name)
) strict, without rowid;

create unique index ticket_views_by_build on ticket_views (tenant, build);

-- What a page of a form was sent as, once: by when the page was shown, by the real clock, and by
-- chance. Those of pages that are no longer taken go.
create table ticket_form_posts (
  tenant text not null,
  shown_at_ms integer not null,
  page text not null,
  ticket text not null,
  primary key (tenant, shown_at_ms, page)
) strict, without rowid;

-- A ticket in a view, in its order.
create table ticket_view_rows (
  tenant text not null,
  build integer not null,
  sort integer not null,
  ticket text not null,
  primary key (tenant, build, sort, ticket)
) strict, without rowid;
