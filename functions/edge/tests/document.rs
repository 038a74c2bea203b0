//! The API document is what the routes and types say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::{fs, path::Path};

#[test]
fn the_document_is_what_the_types_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openapi.json");

    let document = edge::document().unwrap_or_else(|err| panic!("{err}"));

    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if option_env!("UPDATE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap();
    assert!(kept == text, "fixtures/openapi.json is stale: UPDATE=1 cargo test -p edge");
}

#[test]
fn every_reference_leads_somewhere() {
    let text = edge::document().unwrap().to_string();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();

    let schemas = &document["components"]["schemas"];
    let marker = "#/components/schemas/";
    for reference in text.split(marker).skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.get(name).is_some(), "no schema is called {name}");
    }
}
