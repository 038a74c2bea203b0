-- The few wakes that somebody is at, among the many that wait.
create index wakes_by_taking on wakes (taken_until_ms) where taken_until_ms > 0;
