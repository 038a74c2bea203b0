-- Whether a job that works off all there is was told of more while it was at it.
alter table jobs add column told integer not null default 0;
