-- What is written here was decided by states as they had been read: it is written if they still
-- are so, together with what is counted of it, and otherwise nothing is.
create view decisions as select '' as keys, '' as counts, 0 as now_ms where false;

create trigger decisions_written instead of insert on decisions begin
  select raise(abort, 'guard_holds') where exists (
    select 1 from json_each(new.keys) as asked
    left join limits on limits.key = asked.value ->> 0
    where coalesce(limits.version, 0) <> asked.value ->> 1); -- Somebody was faster.
  -- Versions go up also when a row was forgotten in between: they start at the time.
  insert into limits (key, version, state, until_ms)
  select value ->> 0, max((value ->> 1) + 1, new.now_ms), value ->> 2, value ->> 3
  from json_each(new.keys) where true
  on conflict (key) do update set
    version = excluded.version, state = excluded.state, until_ms = excluded.until_ms; -- All fit.
  insert into tallies (tenant, function, label, field, n)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
  from json_each(new.counts) where true
  on conflict (tenant, function, label, field) do update set n = n + excluded.n; -- In any case.
end;

-- In which tenants something was counted that its function has not taken in yet.
create view tallied as select distinct tenant, function from tallies;
