//! The log of a tenant is proven to whoever holds its key, on the runtimes that
//! `BACKPLANE_RUNTIMES` names: a witness outside is told, an export is checked by the verifier as
//! anybody runs it, and one that was altered is refused.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    feed::PATIENCE,
    host::{Host, Sandbox},
    sink::Sink,
};

/// What the verifier says of these files, and whether it takes them.
fn verify(folder: &Path, export: &str, key: &str, earlier: &[&str]) -> (bool, String) {
    let program = std::env::current_exe().unwrap();
    let program = program.parent().unwrap().parent().unwrap().join("backplane-verify");
    let out = Command::new(program)
        .current_dir(folder)
        .args([export, key])
        .args(earlier)
        .output()
        .expect("the verifier is built with the workspace");
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8(text).unwrap())
}

fn text(host: &Host, at: &Sandbox, path: &str) -> String {
    let method = if path.starts_with("/v1/log/export") { "POST" } else { "GET" };
    let answer = host.ask(method, path, &at.key, &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[test]
fn an_export_is_checked_by_whoever_has_the_key() {
    Host::on_each("proven", |host| {
        let (at, sink) = (host.sandbox(), Sink::start());
        let folder = tempfile::tempdir().unwrap();
        let member = |number: usize| {
            let body = json!({"email": format!("m{number}@example.com")});
            assert_eq!(host.ask("POST", "/v1/members", &at.key, &body).status, 201);
        };
        (0..3).for_each(member);
        let first = text(host, &at, "/v1/log/checkpoint");
        fs::write(folder.path().join("first.txt"), &first).unwrap();
        let key = host.ask("GET", "/v1/log/keys", &at.key, &Value::Null).text("/keys/0");

        // A witness is told at once.
        let witness = json!({"url": format!("{}/witness", sink.url())});
        let put = host.ask("PUT", "/v1/log/witnesses/outside", &at.key, &witness);
        assert_eq!(put.status, 200, "{put:?}");
        let end = Instant::now() + PATIENCE;
        while sink.count() == 0 {
            assert!(Instant::now() < end, "no witness was told");
            std::thread::sleep(Duration::from_millis(50));
        }
        let told = sink.delivered();
        assert_eq!((told[0].path.as_str(), told[0].method.as_str()), ("/witness", "POST"));
        let note = String::from_utf8(told[0].body.clone()).unwrap();
        fs::write(folder.path().join("told.txt"), &note).unwrap();

        // More than are one tile.
        (3..270).for_each(member);
        let export = text(host, &at, "/v1/log/export");
        fs::write(folder.path().join("log.jsonl"), &export).unwrap();
        let (taken, said) = verify(folder.path(), "log.jsonl", &key, &["first.txt", "told.txt"]);
        assert!(taken && said.contains("all "), "{said}");
        let part = text(host, &at, "/v1/log/export?after=100&to=260");
        fs::write(folder.path().join("part.jsonl"), &part).unwrap();
        let (taken, said) = verify(folder.path(), "part.jsonl", &key, &[]);
        assert!(taken && said.contains("entries 101 to 260"), "{said}");

        let lines: Vec<_> = export.lines().collect();
        let without = [&lines[..50], &lines[51..]].concat().join("\n") + "\n";
        let edited = export.replacen("member.created", "member.removed", 1);
        let cut = export[..export.len() / 2].to_owned();
        for (name, bad) in [("without", without), ("edited", edited), ("cut", cut)] {
            fs::write(folder.path().join(name), bad).unwrap();
            let (taken, said) = verify(folder.path(), name, &key, &[]);
            assert!(!taken && said.contains("refused"), "{name}: {said}");
        }
    });
}
