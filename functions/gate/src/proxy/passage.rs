//! A request on its way: what it has taken, until it is known what became of it.

use shared::{domain::Principal, ports::Edge};

use crate::limits::receipt::{Settlement, apply, give_back};

/// What a request holds. It settles when it is dropped, whoever drops it and when: after the
/// answer's last byte, or when the client has hung up.
pub struct Passage<E: Edge> {
    edge: E,
    principal: Principal,
    settlement: Settlement,
    /// Whether the origin has answered nothing, and nothing is taken.
    is_void: bool,
}

impl<E: Edge> Passage<E> {
    /// Of a request that was let in, by the receipt of its check.
    pub fn new(edge: &E, principal: &Principal, receipt: String) -> Self {
        let settlement = Settlement { receipt, ..Settlement::default() };
        Self { edge: edge.clone(), principal: principal.clone(), settlement, is_void: false }
    }

    /// The origin has answered with this status, after so many milliseconds.
    pub fn answered(&mut self, status: u16, latency_ms: u64) {
        self.settlement.status = Some(status);
        self.settlement.latency_ms = Some(latency_ms);
    }

    /// The origin has not answered, and we did with this status: nothing is taken.
    pub fn void(mut self, status: u16) {
        self.settlement.status = Some(status);
        self.is_void = true;
    }
}

impl<E: Edge> Drop for Passage<E> {
    fn drop(&mut self) {
        let (edge, principal) = (self.edge.clone(), self.principal.clone());
        let (settlement, is_void) = (std::mem::take(&mut self.settlement), self.is_void);
        self.edge.after(async move {
            let settled = match is_void {
                true => give_back(&edge, &principal, &settlement).await,
                false => apply(&edge, &principal, &settlement).await,
            };
            if let Err(problem) = settled {
                // A lease ends by itself; what is not counted is missing in usage.
                let why = problem.cause().unwrap_or_default();
                edge.note(&format!("gate: not settled: {}: {why}", problem.kind()));
            }
        });
    }
}
