-- Until when an event and a message are kept. Those of before are kept for 30 days, as they were.
alter table webhook_events add column expires_at_ms integer not null default 0;
update webhook_events set expires_at_ms = at_ms + 2592000000;
create index webhook_events_by_expiry on webhook_events (tenant, expires_at_ms);
alter table webhook_messages add column expires_at_ms integer not null default 0;
update webhook_messages set expires_at_ms = received_at_ms + 2592000000;
create index webhook_messages_by_expiry on webhook_messages (tenant, expires_at_ms);
-- Attempts go with their delivery from now on: those that had none left would stay.
delete from webhook_attempts where not exists (
  select 1 from webhook_deliveries d
  where d.tenant = webhook_attempts.tenant and d.endpoint = webhook_attempts.endpoint
    and d.sequence = webhook_attempts.sequence);

-- For how long the tenant's events and messages are kept.
create table webhook_settings (
  tenant text not null,
  retention_days integer not null,
  version integer not null,
  primary key (tenant)
) strict;
