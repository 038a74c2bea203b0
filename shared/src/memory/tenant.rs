//! A tenant of the memory host, and what is asked in its name.

use bytes::Bytes;
use pollster::block_on;
use serde_json::Value;

use super::Memory;
use crate::{
    directory::TenantRecord, domain::OPERATOR, door::TENANT_HEADER, function::Function,
    http::Response, open::Open, ports::Tenant as _,
};

impl Memory {
    /// Makes a tenant known that is active and no sandbox.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn add_tenant(&self, id: &str) {
        let store = self.store(OPERATOR);
        let operator = Open::system(self, &store, OPERATOR, false);
        let record = TenantRecord { name: "T".into(), state: "active".into(), sandbox: false };
        let shown = async { operator.await?.projection().show_tenant(id, &record, 1).await };
        block_on(shown).expect("the directory is in memory");
    }

    /// Asks by the operator's key, in the name of a tenant. Null is no body.
    ///
    /// # Panics
    /// When the method or the path can be none.
    pub fn ask<F: Function>(
        &self,
        tenant: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Response {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", Self::OPERATOR_KEY))
            .header(TENANT_HEADER, tenant)
            .header("content-type", "application/json")
            .body(body);
        self.serve::<F>(request.expect("a request has a method and a path"))
    }
}
