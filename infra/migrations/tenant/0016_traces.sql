-- To which trace an event belongs; one of before has a trace that follows from its id.
alter table webhook_events add column trace text;
-- As which span an attempt was sent, and to which server. An attempt that sent nothing has none.
alter table webhook_attempts add column trace_id text;
alter table webhook_attempts add column span_id text;
alter table webhook_attempts add column server text;
