-- Short messages: the account at a provider that carries them, and the telephones of members.
create table notify_sms (
  tenant text not null,
  account text not null,
  sealed text not null,
  version integer not null,
  primary key (tenant)
) strict, without rowid;

alter table members add column phone text;
