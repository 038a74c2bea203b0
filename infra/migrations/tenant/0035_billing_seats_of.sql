-- The seats of a member, for when it leaves.
create index billing_seats_of on billing_seats (tenant, member, subscription);
