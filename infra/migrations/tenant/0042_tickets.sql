-- The number that a ticket was given last. One that was given and not used is not given again.
create table ticket_numbers (
  tenant text not null,
  last integer not null,
  primary key (tenant)
) strict, without rowid;

-- What somebody asks for help with. `ticket` is all of it, as JSON; the columns are what it is
-- found by. `requester` is an address in lower case, or a member's id.
create table tickets (
  tenant text not null,
  id text not null,
  number integer not null,
  state text not null,
  requester text not null,
  customer text,
  assignee text,
  team text,
  ticket text not null,
  updated_at_ms integer not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

create unique index tickets_by_number on tickets (tenant, number);
create index tickets_by_change on tickets (tenant, updated_at_ms, id);
create index tickets_by_state on tickets (tenant, state, updated_at_ms, id);
create index tickets_by_requester on tickets (tenant, requester, updated_at_ms, id);
create index tickets_by_customer on tickets (tenant, customer, updated_at_ms, id)
  where customer is not null;
create index tickets_by_assignee on tickets (tenant, assignee, updated_at_ms, id)
  where assignee is not null;
create index tickets_by_team on tickets (tenant, team, updated_at_ms, id) where team is not null;

-- What was said in a ticket. `message` is JSON; `message_id` is that of a mail, by RFC 5322;
-- `came_from` is the ticket that it was said in first.
create table ticket_messages (
  tenant text not null,
  ticket text not null,
  id text not null,
  message_id text,
  came_from text,
  message text not null,
  primary key (tenant, ticket, id)
) strict, without rowid;

create index ticket_messages_by_message_id on ticket_messages (tenant, message_id)
  where message_id is not null;

-- That tickets have to do with each other; each link is there from both sides.
create table ticket_links (
  tenant text not null,
  ticket text not null,
  kind text not null,
  other text not null,
  primary key (tenant, ticket, kind, other)
) strict, without rowid;

-- How tickets are handled. `settings` is JSON.
create table ticket_settings (
  tenant text not null,
  settings text not null,
  version integer not null,
  primary key (tenant)
) strict, without rowid;

-- Who is at a ticket, until when by the real clock.
create table ticket_presence (
  tenant text not null,
  ticket text not null,
  member text not null,
  doing text not null,
  until_ms integer not null,
  primary key (tenant, ticket, member)
) strict, without rowid;

-- What was heard of a customer or a member: the last of each kind, as entries of the log said it.
create table ticket_facts (
  tenant text not null,
  customer text not null,
  kind text not null,
  sequence integer not null,
  at_ms integer not null,
  fact text not null,
  primary key (tenant, customer, kind, sequence)
) strict, without rowid;
