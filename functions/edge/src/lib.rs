//! All functions as one. On Workers this is the module; elsewhere it is what the tests play.

shared::mount! {
    /// The whole of Backplane.
    Backplane:
        tenants::Tenants,
        webhooks::Webhooks,
        audit::Audit,
        gate::Gate,
        billing::Billing,
        stripe::Payments,
        notify::Notify,
        tickets::Tickets,
        tick::Tick,
        selftest::Selftest,
        docs::Docs,
}

shared::serve_worker!(Backplane);

/// The API document of all of it.
///
/// # Errors
/// Names what the routes and the functions' `schema.rs` do not agree on.
pub fn document() -> Result<serde_json::Value, String> {
    use shared::function::Function;
    let operations = [
        tenants::schema::operations(),
        webhooks::schema::operations(),
        audit::schema::operations(),
        gate::schema::operations(),
        billing::schema::operations(),
        stripe::schema::operations(),
        notify::schema::operations(),
        tickets::schema::operations(),
        tick::schema::operations(),
        selftest::schema::operations(),
        docs::schema::operations(),
    ];
    shared::openapi::document(Backplane::routes(), operations.into_iter().flatten().collect())
}
