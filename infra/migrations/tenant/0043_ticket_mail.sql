-- Where mail comes in. `mailbox` is what is shown, as JSON; `sealed` are its secrets; `address` is
-- in lower case.
create table ticket_mailboxes (
  tenant text not null,
  id text not null,
  address text not null,
  mailbox text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant, id)
) strict, without rowid;

create unique index ticket_mailboxes_by_address on ticket_mailboxes (tenant, address);

-- A mail that came in. `known_by` is a hash of its Message-ID, or of all of it where it has none: a
-- mailbox takes each once. `mail` is what became of it, as JSON; the original is a blob.
create table ticket_mails (
  tenant text not null,
  id text not null,
  mailbox text not null,
  known_by text not null,
  state text not null,
  mail text not null,
  primary key (tenant, id)
) strict, without rowid;

create unique index ticket_mails_once on ticket_mails (tenant, mailbox, known_by);
create index ticket_mails_by_state on ticket_mails (tenant, state, id);

-- A file of a ticket. `attachment` is what is shown, as JSON; what is in it is a blob.
create table ticket_attachments (
  tenant text not null,
  id text not null,
  ticket text not null,
  attachment text not null,
  primary key (tenant, id)
) strict, without rowid;

create index ticket_attachments_by_ticket on ticket_attachments (tenant, ticket, id);
