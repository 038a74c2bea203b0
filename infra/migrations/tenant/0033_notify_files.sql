-- What a mail of the notice carries: names of blobs, as JSON. `null` is nothing.
alter table notify_notices add column files text;
