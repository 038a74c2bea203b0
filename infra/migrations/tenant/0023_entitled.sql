-- Whether a customer has its plan from an entitlement in the log, and not by hand.
alter table gate_subjects add column entitled integer not null default 0;
