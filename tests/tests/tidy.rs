//! What holds for every function and every file, checked like any other test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const LINES_MAX: usize = 400;
/// What is of this machine and of nobody else's.
const PRIVATE: [&str; 4] = ["/root/", "/home/", "registry.npmjs.org", "index.crates.io"];

/// Functions of which only the calculators are there: nothing of them is served yet.
const UNSERVED: [&str; 0] = [];

#[test]
fn every_function_is_deployed_mounted_and_told_of() {
    for name in UNSERVED {
        let text = read(format!("functions/{name}/src/lib.rs"));
        assert!(!text.contains("Function for"), "{name} has routes: it is served like all others");
    }
    let spin: toml::Value = toml::from_str(&read("spin.toml")).unwrap();
    let edge = read("functions/edge/src/lib.rs");
    let worlds = read("wit/worlds.wit");
    for name in functions() {
        assert!(spin["component"].get(&name).is_some(), "spin.toml has no component {name}");
        assert!(edge.contains(&format!("{name}::")), "functions/edge does not mount {name}");
        assert!(edge.contains(&format!("{name}::schema::")), "the document leaves out {name}");
        assert!(root().join("fixtures").join(&name).is_dir(), "fixtures/{name} is missing");
        assert!(worlds.contains(&format!("world {name} ")), "wit has no world {name}");
    }
}

#[test]
fn every_follower_is_woken_on_spin() {
    let spin: toml::Value = toml::from_str(&read("spin.toml")).unwrap();
    let woken = spin["component"]["tick"]["variables"]["followers"].as_str().unwrap();
    let woken: Vec<_> = woken.split(',').collect();
    for name in functions() {
        let follows = read(format!("functions/{name}/src/lib.rs")).contains("fn follows(");
        assert_eq!(follows, woken.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_route_leads_to_its_component() {
    use shared::function::Function;
    let spin: toml::Value = toml::from_str(&read("spin.toml")).unwrap();
    let triggers = spin["trigger"]["http"].as_array().unwrap();
    for (name, routes) in edge::Backplane::owners() {
        for route in routes {
            let best = triggers
                .iter()
                .filter(|it| leads(it["route"].as_str().unwrap(), route.path))
                .max_by_key(|it| it["route"].as_str().unwrap().len())
                .unwrap();
            assert_eq!(best["component"].as_str().unwrap(), name, "{}", route.path);
        }
    }
}

fn leads(trigger: &str, path: &str) -> bool {
    match trigger.strip_suffix("/...") {
        Some(prefix) => path == prefix || path.starts_with(&format!("{prefix}/")),
        None => trigger == path,
    }
}

#[test]
fn no_function_depends_on_another() {
    let names = functions();
    for name in &names {
        let manifest: toml::Value =
            toml::from_str(&read(format!("functions/{name}/Cargo.toml"))).unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let other = names.iter().find(|it| dependencies.contains_key(*it));
        assert!(other.is_none(), "functions/{name} depends on {other:?}");
    }
}

#[test]
fn only_adapters_name_a_runtime() {
    for file in tracked().iter().filter(|it| it.starts_with("functions/") && it.ends_with(".rs")) {
        let text = read(file);
        for word in ["spin_sdk", "worker::", "target_os", "target_arch"] {
            assert!(!text.contains(word), "{file} names a runtime: {word}");
        }
    }
}

#[test]
fn every_source_opens_with_its_purpose_and_fits_a_sitting() {
    for file in tracked().iter().filter(|it| it.ends_with(".rs")) {
        let text = read(file);
        assert!(text.starts_with("//! "), "{file} does not say what it is");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{file} has {lines} lines");
    }
}

#[test]
fn nothing_of_one_machine_is_in_the_repository() {
    let is_text = |it: &&String| !it.ends_with(".png") && !it.ends_with("tidy.rs");
    for file in tracked().iter().filter(is_text) {
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        // The lock of cargo names its registry by design.
        let words = PRIVATE.iter().filter(|_| file != "Cargo.lock");
        for word in words {
            assert!(!text.contains(word), "{file} names {word}");
        }
    }
}

#[test]
fn every_migration_is_taken() {
    for (folder, steps) in
        [("directory", shared::migrations::DIRECTORY), ("tenant", shared::migrations::TENANT)]
    {
        let files: BTreeSet<_> = fs::read_dir(root().join("infra/migrations").join(folder))
            .unwrap()
            .map(|it| format!("{folder}/{}", it.unwrap().file_name().to_string_lossy()))
            .collect();
        let taken: BTreeSet<_> = steps.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(files, taken);
        for step in steps {
            assert!(!step.sql.contains("create trigger"), "{} cannot be split", step.name);
        }
    }
}

fn functions() -> Vec<String> {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let names = folders.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|it| it != "edge" && !UNSERVED.contains(&it.as_str())).collect()
}

/// The files that git knows of, or would.
fn tracked() -> Vec<String> {
    let out = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("the repository is one of git's");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|it| root().join(it).is_file()).map(str::to_owned).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
