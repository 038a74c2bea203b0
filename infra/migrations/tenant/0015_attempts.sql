-- Whether the body of the answer broke off before its end.
alter table webhook_attempts add column cut integer not null default 0 check (cut in (0, 1));
