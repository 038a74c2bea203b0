//! No component imports more than its world in `wit/worlds.wit` allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use wit_component::{DecodedWasm, decode};

/// Whether components were built for this run.
fn is_asked_for() -> bool {
    std::env::var("BACKPLANE_RUNTIMES").is_ok_and(|it| it.split(',').any(|it| it == "local"))
}

#[test]
fn no_component_imports_more_than_its_world() {
    if !is_asked_for() {
        println!("skipped: BACKPLANE_RUNTIMES does not name local");
        return;
    }
    let worlds = worlds(&read("wit/worlds.wit"));
    let manifest: toml::Value = toml::from_str(&read("spin.toml")).unwrap();
    for (name, component) in manifest["component"].as_table().unwrap() {
        let ceiling = worlds.get(name).unwrap_or_else(|| panic!("wit has no world {name}"));

        let imports = imports(component["source"].as_str().unwrap());

        let beyond: Vec<_> = imports.difference(ceiling).collect();
        assert!(beyond.is_empty(), "{name} imports {beyond:?}, which its world does not allow");
    }
}

#[test]
fn a_world_holds_what_it_includes() {
    let text = "world a { import x:y/z@1.0.0; }\nworld b { include a; import q:r/s; export t; }";

    let worlds = worlds(text);

    assert!(worlds["b"].contains("x:y/z@1.0.0") && worlds["b"].contains("q:r/s"));
    assert!(!worlds["a"].contains("q:r/s"), "and an inclusion goes one way only");
}

/// The imports of each world. Ours are made of `include` and `import` lines only.
fn worlds(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let code = text.lines().map(|it| it.split("//").next().unwrap_or("")).collect::<String>();
    let mut worlds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in code.split("world ").skip(1) {
        let (name, rest) = block.split_once('{').unwrap();
        let body = rest.split('}').next().unwrap();
        let mut imports = BTreeSet::new();
        for item in body.split(';').map(str::trim) {
            if let Some(other) = item.strip_prefix("include ") {
                imports.extend(worlds[other.trim()].iter().cloned());
            } else if let Some(interface) = item.strip_prefix("import ") {
                imports.insert(interface.trim().to_owned());
            }
        }
        worlds.insert(name.trim().to_owned(), imports);
    }
    worlds
}

fn imports(source: &str) -> BTreeSet<String> {
    let bytes = fs::read(root().join(source)).unwrap_or_else(|err| panic!("{source}: {err}"));
    let DecodedWasm::Component(resolve, world) = decode(&bytes).unwrap() else {
        panic!("{source} is no component");
    };
    resolve.worlds[world].imports.keys().map(|it| resolve.name_world_key(it)).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
