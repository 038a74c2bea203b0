//! No statement reaches a tenant's table without the tenant.
//!
//! Every SQL text in the sources is parsed. One that names a tenant's table must bind it to `?1`:
//! each table of it, in each part of it. Tables of the directory belong to `shared` alone.

mod checker;
mod literals;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::visit::Visit as _;

use crate::{
    checker::check,
    literals::{Literals, statements_in},
};

const DIRECTORY: [&str; 7] = [
    "directory_tenants",
    "directory_keys",
    "directory_addresses",
    "wakes",
    "limits",
    "decisions",
    "tallied",
];

#[test]
fn every_statement_names_its_tenant() {
    let tables = tenant_tables();
    let mut seen = 0;
    for file in sources() {
        for text in statements_in(&file) {
            // Half of one: what becomes of it is checked whole, below.
            if text == "delete from" && file.ends_with("shared/src/migrations.rs") {
                continue;
            }
            seen += 1;
            if let Err(why) = check(&text, &tables) {
                panic!("{}: {why}\n{text}", file.display());
            }
        }
    }
    assert!(seen > 60, "only {seen} statements were found");
}

#[test]
fn the_list_that_erases_a_tenant_names_it() {
    for text in shared::migrations::ERASE {
        check(text, &tenant_tables()).unwrap();
    }
}

#[test]
fn the_directory_is_touched_by_the_spine_alone() {
    for file in sources().iter().filter(|it| it.starts_with(root().join("functions"))) {
        for text in statements_in(file) {
            let words: Vec<_> =
                text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').collect();
            let found = DIRECTORY.iter().find(|it| words.contains(it));
            assert!(found.is_none(), "{} touches {found:?}", file.display());
        }
    }
}

#[test]
fn a_statement_that_forgets_the_tenant_is_refused() {
    let tables = tenant_tables();
    for bad in [
        "select id from jobs",
        "select id from jobs where id = ?1",
        "select id from jobs where tenant = ?2",
        "select id from jobs where tenant = ?1 or id = ?2",
        "select id from jobs where not tenant = ?1",
        "select id from jobs where tenant = 'ten_a'",
        "select a.id from jobs a join log b on a.id = b.subject where a.tenant = ?1",
        "select a.id from jobs a, log b where a.tenant = ?1 and a.id = b.subject",
        "select id from jobs where tenant = ?1 union select id from keys",
        "select (select count(*) from log) from jobs where tenant = ?1",
        "with all_jobs as (select id from jobs) select id from all_jobs",
        "select a.id from jobs a left join log b on a.tenant = ?1 where a.tenant = ?1",
        "select a.id from jobs a left join log b on a.tenant = ?1 and b.tenant = ?1",
        "select a.id from jobs a right join log b on b.tenant = ?1 where a.tenant = ?1",
        "select a.id from jobs a left join log b on tenant = ?1 where a.tenant = ?1",
        "select a.id from (jobs a join log b on a.id = b.subject) where a.tenant = ?1",
        "select id from (select id from jobs)",
        "select id from jobs where exists (select 1 from keys) and tenant = ?1",
        "select id from jobs where tenant = ?1 order by (select max(id) from keys)",
        "update jobs set id = b.id from keys b where jobs.tenant = ?1",
        "insert into jobs (tenant, id) values (?1, ?2) on conflict do update set tenant = ?3",
        "update jobs set state = 'dead' where id = ?2",
        "update jobs set id = (select id from keys) where tenant = ?1 and id = ?2",
        "update jobs set tenant = ?2 where tenant = ?1",
        "delete from jobs",
        "delete from jobs where tenant = ?1 and id in (select id from keys)",
        "insert into jobs (id, tenant) values (?1, ?2)",
        "insert into jobs values (?1, ?2)",
        "insert into jobs (tenant, id) values (?2, ?1)",
        "insert into jobs (tenant, id) values (?1, ?2), (?3, ?2)",
        "insert into jobs (tenant, id) select tenant, id from keys where tenant = ?1",
        "insert into jobs (tenant, id) select ?1, id from keys",
    ] {
        assert!(check(bad, &tables).is_err(), "{bad}");
    }
}

#[test]
fn a_statement_in_a_macro_is_found() {
    let file: syn::File = syn::parse_str(
        "fn f() { let a = vec![Statement::new(\"select id from jobs\", [])]; g!(h { \"x\" }) }",
    )
    .unwrap();

    let mut found = Literals::default();
    found.visit_file(&file);

    assert_eq!(found.0, ["select id from jobs"]);
}

#[test]
fn a_statement_that_names_it_passes() {
    let tables = tenant_tables();
    for good in [
        "select id from jobs where tenant = ?1 and (id = ?2 or id = ?3)",
        "select a.id from jobs a join log b on b.tenant = ?1 where a.tenant = ?1",
        "select a.id from jobs a left join log b on b.tenant = ?1 where a.tenant = ?1",
        "insert into jobs (tenant, id) values (?1, ?2), (?1, ?3)",
        "insert into log (tenant, sequence) select ?1, max(sequence) + 1 from log where tenant = ?1",
        "insert into guard (holds) select changes()",
        "select name from directory_tenants where tenant = ?1",
        "update jobs set state = 'dead' where tenant = ?1 and id in (select id from jobs where tenant = ?1)",
    ] {
        check(good, &tables).unwrap_or_else(|err| panic!("{good}: {err}"));
    }
}

/// The tables that a tenant's migrations create, but for the guard, which holds nobody's data.
fn tenant_tables() -> BTreeSet<String> {
    let statements =
        shared::migrations::TENANT.iter().flat_map(|it| shared::migrations::statements(it.sql));
    let created = statements.filter_map(|it| {
        let name = it.strip_prefix("create table ")?.split_whitespace().next()?;
        let first = it.split_once('(')?.1.trim_start();
        assert!(name == "guard" || first.starts_with("tenant text not null"), "{name}");
        Some(name.to_owned())
    });
    created.filter(|it| it != "guard").collect()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("functions"), root().join("shared/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
