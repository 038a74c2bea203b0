-- A notice can have been caused by somebody, who is shown, and can be of no use after a moment.
alter table notify_notices add column actor text;
alter table notify_notices add column expires_at_ms integer;
alter table notify_inbox add column expires_at_ms integer;
