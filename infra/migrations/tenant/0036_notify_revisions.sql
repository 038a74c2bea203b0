-- A notice can be revised and withdrawn after it was sent. The revision counts that, so that what is
-- made of an older one is not written.
alter table notify_notices add column revision integer not null default 0;
alter table notify_notices add column revised_at_ms integer;
alter table notify_notices add column withdrawn_at_ms integer;
