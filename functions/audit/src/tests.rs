//! A log of some length: what is signed and proven of it, and what becomes of that when somebody
//! alters the database.

use data_encoding::HEXLOWER;
use futures_util::StreamExt as _;
use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id},
    http::{Body, Response},
    memory::{Memory, MemorySql},
    open::Open,
    ports::{Sql as _, Statement, Tenant},
};

use crate::{
    Audit,
    bundle::{Check, Verified},
    note::{Checkpoint, NoteKey},
    tree::{self, Hash},
};

const TENANT: &str = "ten_00000000000000000000000000";

struct Place(Memory);

impl Place {
    fn new() -> Self {
        let memory = Memory::default();
        memory.add_tenant(TENANT);
        Self(memory)
    }

    fn tenant(&self) -> Open<Memory, MemorySql> {
        block_on(Open::system(&self.0, &self.0.store(TENANT), TENANT, false)).unwrap()
    }

    /// Writes as many entries.
    fn write(&self, count: usize) {
        let at = self.tenant();
        for number in 0..count {
            let entry = Draft::new("thing.done", &Id::trusted("thing".to_owned()));
            let commit =
                Commit::new().entry(entry.with(json!({"number": number, "é": "\u{1F600}"})));
            block_on(at.commit(commit)).unwrap();
        }
    }

    fn ask(&self, path: &str) -> Response {
        let method = if path.starts_with("/v1/log/export") { "POST" } else { "GET" };
        self.0.ask::<Audit>(TENANT, method, path, &Value::Null)
    }

    fn text(&self, path: &str) -> (u16, String) {
        let response = self.ask(path);
        let status = response.status().as_u16();
        let bytes = match response.into_body() {
            Body::Full(it) => it.to_vec(),
            Body::Stream(it) => {
                let chunks: Vec<_> = block_on(it.collect());
                chunks.into_iter().flat_map(|it| it.unwrap().to_vec()).collect()
            }
        };
        (status, String::from_utf8(bytes).unwrap())
    }

    fn json(&self, path: &str) -> Value {
        let (status, text) = self.text(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn key(&self) -> NoteKey {
        NoteKey::parse(self.json("/v1/log/keys")["keys"][0].as_str().unwrap()).unwrap()
    }

    fn checkpoint(&self) -> Checkpoint {
        let (status, note) = self.text("/v1/log/checkpoint");
        assert_eq!(status, 200, "{note}");
        Checkpoint::read(&note, &self.key()).unwrap()
    }

    fn check(&self, query: &str, earlier: &[Checkpoint]) -> Verified {
        let (status, text) = self.text(&format!("/v1/log/export{query}"));
        assert_eq!(status, 200, "{text}");
        let mut lines = text.lines();
        let mut check = Check::begin(lines.next().unwrap(), &self.key(), earlier).unwrap();
        lines.for_each(|it| check.line(it).unwrap());
        check.end().unwrap()
    }

    /// What nobody may do.
    fn alter(&self, text: &'static str) {
        block_on(self.0.store(TENANT).query(Statement::new(text, [TENANT.into()]))).unwrap();
    }
}

fn hash(it: &Value) -> Hash {
    HEXLOWER.decode(it.as_str().unwrap().as_bytes()).unwrap().try_into().unwrap()
}

fn hashes(it: &Value) -> Vec<Hash> {
    it.as_array().unwrap().iter().map(hash).collect()
}

#[test]
fn what_is_proven_is_checked_by_what_is_signed() {
    let place = Place::new();
    let (mut sizes, mut kept) = (Vec::new(), Vec::new());
    // The first checkpoint makes a key, and nobody here shows that: the third entry tells.
    for more in [1, 1, 252, 1, 1, 300, 43] {
        place.write(more);
        let it = place.checkpoint();
        sizes.push(it.size);
        kept.push(it);
    }
    assert_eq!(sizes, [1, 3, 255, 256, 257, 557, 600]);

    let newest = kept.last().unwrap();
    for sequence in [1, 2, 128, 255, 256, 257, 512, 513, 599, 600] {
        let path = format!("/v1/log/proofs/inclusion?sequence={sequence}&size=600");
        let it = place.json(&path);
        let proof = hashes(&it["proof"]);
        assert!(tree::includes(&hash(&it["leaf"]), sequence - 1, 600, &proof, &newest.root));
    }
    for before in &kept {
        let path = format!("/v1/log/proofs/consistency?from={}&to=600", before.size);
        let proof = hashes(&place.json(&path)["proof"]);
        assert!(tree::goes_on(before.size, &before.root, 600, &newest.root, &proof));
    }
    assert_eq!(place.check("", &kept).to, 600);
    // That it was exported is in the log as well.
    assert_eq!(place.checkpoint().size, 601);
    assert_eq!(place.check("?after=300&to=557", &[]).after, 300);
    for bad in [
        "inclusion?sequence=0",
        "inclusion?sequence=9999",
        "consistency?from=0",
        "consistency?from=9&to=8",
        "inclusion?sequence=x",
    ] {
        assert_eq!(place.text(&format!("/v1/log/proofs/{bad}")).0, 422, "{bad}");
    }
    assert_eq!(place.text("/v1/log/export?after=9&to=3").0, 422);
}

#[test]
fn nothing_is_signed_of_a_log_that_is_not_what_it_was() {
    for alteration in [
        "update log set leaf = replace(leaf, substr(leaf, 1, 1), 'f') where tenant = ?1 and sequence = 3",
        "delete from log where tenant = ?1 and sequence > 5",
    ] {
        let place = Place::new();
        place.write(9);
        place.checkpoint();
        place.alter(alteration);

        let (status, text) = place.text("/v1/log/checkpoint");

        assert_eq!(status, 500, "{alteration}: {text}");
        assert!(text.contains("/problems/log/forked"), "{text}");
    }
}

#[test]
fn a_log_that_is_long_has_its_tiles_made_by_a_job() {
    let place = Place::new();
    place.write(1);
    // More than are made for one answer.
    place.alter(
        "
        with recursive numbers (n) as (select 2 union all select n + 1 from numbers where n < 70000)
        insert into log (tenant, sequence, at_ms, actor, action, subject, entry, leaf)
        select ?1, n, at_ms, actor, action, subject, entry, leaf from numbers, log
        where log.tenant = ?1 and sequence = 1",
    );
    assert_eq!(place.text("/v1/log/checkpoint").0, 503);

    place.0.settle::<Audit>();

    assert_eq!(place.checkpoint().size, 70_000);
    let path = "/v1/log/proofs/inclusion?sequence=65537";
    let it = place.json(path);
    let (leaf, proof) = (hash(&it["leaf"]), hashes(&it["proof"]));
    assert!(tree::includes(&leaf, 65_536, 70_000, &proof, &hash(&it["root"])));
}
