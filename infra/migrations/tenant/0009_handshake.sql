-- How far the handshake with an endpoint is that wants one.
alter table webhook_endpoints add column handshake text;
