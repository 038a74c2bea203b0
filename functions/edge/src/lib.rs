//! All functions as one. On Workers this is the module; elsewhere it is what the tests play.

shared::mount! {
    /// The whole of Backplane.
    Backplane:
        tenants::Tenants,
        webhooks::Webhooks,
        audit::Audit,
        tick::Tick,
        selftest::Selftest,
        docs::Docs,
}

shared::serve_worker!(Backplane);
