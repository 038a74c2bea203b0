//! The stories of `fixtures`, and isolation, on the host in memory.
//!
//! `UPDATE=1 cargo test -p tests` writes down the answers that came.

use std::fs;

use tests::{host::Host, isolation, player};

#[test]
fn every_story_plays_as_written() {
    let mut differing = Vec::new();
    for file in player::stories() {
        let expected = fs::read_to_string(&file).unwrap();
        let actual = player::play(&Host::memory(), &expected);
        if std::env::var("UPDATE").is_ok() {
            fs::write(&file, &actual).unwrap();
        } else if actual != expected {
            differing.push(format!("{}:\n{actual}", file.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
fn no_tenant_sees_another() {
    isolation::check(&Host::memory());
}

#[test]
fn every_route_answers() {
    isolation::every_route_answers(&Host::memory());
}
