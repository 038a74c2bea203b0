//! Mail as it comes in: RFC 5322 and MIME, read into what a ticket needs. Pure.
