//! What the API document says of these routes.

use shared::{
    domain::Entry,
    openapi::{Operation, operation},
};

use crate::{
    checkpoint::{LogKeys, Shown},
    proof::{ConsistencyProof, InclusionProof},
    witness::{NewWitness, Witness},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("listLog", "List the log, oldest first.")
            .gives_page::<Entry>()
            .query("after", "Only entries after this sequence.")
            .query("subject", "Only entries of this subject."),
        operation("followLog", "Follow the log as server-sent events, from Last-Event-ID.")
            .gives_other("text/event-stream")
            .query("after", "Start after this sequence; from now on when left out."),
        operation("listLogKeys", "List the keys by which checkpoints of the log are checked.")
            .gives::<LogKeys>(200),
        operation(
            "getLogCheckpoint",
            "Sign what the log is now: a checkpoint, as a signed note of C2SP.",
        )
        .gives_other("text/plain"),
        operation("listLogCheckpoints", "List the checkpoints that were signed, the latest first.")
            .gives_page::<Shown>(),
        operation("proveLogInclusion", "Prove that an entry is in the log.")
            .query("sequence", "The entry's; that of the last one when left out.")
            .query("size", "In the log of so many entries; of now when left out.")
            .gives::<InclusionProof>(200),
        operation("proveLogConsistency", "Prove that the log goes on from what it was.")
            .query("from", "How many entries it had; 1 when left out.")
            .query("to", "How many it has; as now when left out.")
            .gives::<ConsistencyProof>(200),
        operation("exportLog", "Take entries with what proves them, to be checked offline.")
            .query("after", "Only entries after this sequence.")
            .query("to", "Only entries up to this sequence.")
            .gives_other("application/jsonl"),
        operation("listLogWitnesses", "List who is told of checkpoints.").gives_page::<Witness>(),
        operation("getLogWitness", "Read who is told of checkpoints.").gives::<Witness>(200),
        operation("putLogWitness", "Say to whom checkpoints are posted, and how often.")
            .takes::<NewWitness>()
            .conditional()
            .gives::<Witness>(200),
        operation("deleteLogWitness", "Post no more checkpoints there.")
            .conditional()
            .gives_nothing(),
    ]
}
