//! The policies of a tenant as the edge has them, read for use.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use shared::{
    directory,
    domain::{Principal, Timestamp},
    expression::Expression,
    ports::{Edge, PortError},
};

use super::policy::{DOCUMENT, Policy};

/// For how long an instance knows a tenant's policies …
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// … and of how many tenants.
const KNOWN_MAX: usize = 1_000;

/// A policy with its condition read.
pub struct Rule {
    /// As it was written.
    pub policy: Policy,
    /// Its condition; `None` without one.
    pub when: Option<Expression>,
}

/// The rules of a tenant, by name.
pub type Set = Rc<Vec<Rule>>;

thread_local! {
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, Set)>> = RefCell::default();
}

/// The policies of the principal's tenant. Of a sandbox as they are, and otherwise as they were at
/// most a second ago, beside what the directory's cache lags.
///
/// # Errors
/// When the directory cannot be read.
pub async fn load(edge: &impl Edge, principal: &Principal) -> Result<Set, PortError> {
    let (tenant, now) = (&principal.tenant, edge.now());
    if !principal.sandbox {
        let known = KNOWN.with_borrow(|it| it.get(tenant).filter(|it| now < it.0).cloned());
        if let Some((_, set)) = known {
            return Ok(set);
        }
    }
    let document = directory::document(edge, tenant, DOCUMENT).await?;
    let policies: Vec<Policy> = match document {
        Some((_, it)) => {
            serde_json::from_value(it).map_err(|err| PortError::new("policies", err))?
        }
        None => vec![],
    };
    let rule = |policy: Policy| {
        // It was read before it was stored: one that cannot be read now never holds.
        let when = policy.when.as_deref().and_then(|it| Expression::parse(it).ok());
        Rule { policy, when }
    };
    let set: Set = Rc::new(policies.into_iter().map(rule).collect());
    KNOWN.with_borrow_mut(|it| {
        if it.len() >= KNOWN_MAX {
            it.clear();
        }
        it.insert(tenant.clone(), (now + KNOWN_FOR, Rc::clone(&set)));
    });
    Ok(set)
}
