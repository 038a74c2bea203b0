-- How a mail of the notice stands among others, as JSON. `null` is a mail by itself.
alter table notify_notices add column mail text;
