-- As which events a source's webhooks go on, and since when somebody knows that some are refused.
alter table webhook_sources add column publish text;
alter table webhook_sources add column alerted_at_ms integer;
