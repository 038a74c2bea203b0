//! No statement reaches a tenant's table without the tenant.
//!
//! Every SQL text in the sources is parsed. One that names a tenant's table must bind it to `?1`:
//! each table of it, in each part of it. Tables of the directory belong to `shared` alone.

use std::{
    collections::BTreeSet,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use sqlparser::{
    ast::{
        BinaryOperator, Delete, Expr, FromTable, Insert, ObjectName, Query, Select, SelectItem,
        SetExpr, Statement, TableFactor, TableObject, Update, Value, Visit, Visitor,
    },
    dialect::SQLiteDialect,
    parser::Parser,
};
use syn::visit::Visit as _;

const DIRECTORY: [&str; 5] =
    ["directory_tenants", "directory_keys", "directory_addresses", "wakes", "limits"];

#[test]
fn every_statement_names_its_tenant() {
    let tables = tenant_tables();
    let mut seen = 0;
    for file in sources() {
        for text in statements_in(&file) {
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
fn a_statement_that_names_it_passes() {
    let tables = tenant_tables();
    for good in [
        "select id from jobs where tenant = ?1 and (id = ?2 or id = ?3)",
        "select a.id from jobs a join log b on b.tenant = ?1 where a.tenant = ?1",
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

fn check(text: &str, tables: &BTreeSet<String>) -> Result<(), String> {
    let parsed = Parser::parse_sql(&SQLiteDialect {}, text).map_err(|err| err.to_string())?;
    let mut checker = Checker { tables };
    for statement in &parsed {
        checker.statement(statement)?;
        if let ControlFlow::Break(why) = statement.visit(&mut checker) {
            return Err(why);
        }
    }
    Ok(())
}

struct Checker<'a> {
    tables: &'a BTreeSet<String>,
}

impl Checker<'_> {
    /// The parts of a statement that are not queries of their own.
    fn statement(&self, statement: &Statement) -> Result<(), String> {
        match statement {
            Statement::Query(_) => Ok(()),
            Statement::Insert(it) => self.insert(it),
            Statement::Update(it) => self.update(it),
            Statement::Delete(it) => self.delete(it),
            other => Err(format!("a statement of another kind: {other}")),
        }
    }

    fn insert(&self, it: &Insert) -> Result<(), String> {
        let TableObject::TableName(name) = &it.table else { return Err("no table".into()) };
        if !self.is_ours(name) {
            return Ok(());
        }
        if it.columns.first().map(ToString::to_string).as_deref() != Some("tenant") {
            return Err("the first column of an insert is the tenant".into());
        }
        let source = it.source.as_ref().ok_or("an insert has a source")?;
        let first_is_tenant = match source.body.as_ref() {
            SetExpr::Values(rows) => {
                rows.rows.iter().all(|row| row.content.first().is_some_and(is_first_parameter))
            }
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(it)) => is_first_parameter(it),
                _ => false,
            },
            _ => false,
        };
        if first_is_tenant { Ok(()) } else { Err("an insert puts ?1 into tenant".into()) }
    }

    fn update(&self, it: &Update) -> Result<(), String> {
        let TableFactor::Table { name, .. } = &it.table.relation else {
            return Err("an update names its table".into());
        };
        let moves = it.assignments.iter().any(|it| it.target.to_string() == "tenant");
        if self.is_ours(name) && moves {
            return Err("nothing moves to another tenant".into());
        }
        self.bound(&[&it.table.relation], &[it.selection.as_ref()])
    }

    fn delete(&self, it: &Delete) -> Result<(), String> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &it.from;
        let tables: Vec<_> = from.iter().map(|it| &it.relation).collect();
        self.bound(&tables, &[it.selection.as_ref()])
    }

    fn select(&self, it: &Select) -> Result<(), String> {
        let joins = it.from.iter().flat_map(|it| &it.joins);
        let tables: Vec<_> = it
            .from
            .iter()
            .map(|it| &it.relation)
            .chain(joins.clone().map(|it| &it.relation))
            .collect();
        let mut conditions = vec![it.selection.as_ref()];
        conditions.extend(joins.map(|it| on(&it.join_operator)));
        self.bound(&tables, &conditions)
    }

    /// Whether each of these tables that is a tenant's is bound to `?1` by one of the conditions.
    fn bound(&self, tables: &[&TableFactor], conditions: &[Option<&Expr>]) -> Result<(), String> {
        let terms: Vec<_> = conditions.iter().flatten().flat_map(|it| conjuncts(it)).collect();
        let alone = tables.len() == 1;
        for table in tables {
            let TableFactor::Table { name, alias, .. } = table else { continue };
            if !self.is_ours(name) {
                continue;
            }
            let called = alias.as_ref().map_or_else(|| name.to_string(), |it| it.name.to_string());
            let qualified = format!("{called}.tenant");
            let binds = |term: &&Expr| is_binding(term, &qualified, alone);
            if !terms.iter().any(binds) {
                return Err(format!("{called} is not bound to its tenant"));
            }
        }
        Ok(())
    }

    fn is_ours(&self, name: &ObjectName) -> bool {
        self.tables.contains(&name.to_string().to_ascii_lowercase())
    }

    fn body(&self, body: &SetExpr) -> Result<(), String> {
        match body {
            SetExpr::Select(it) => self.select(it),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left)?;
                self.body(right)
            }
            _ => Ok(()),
        }
    }
}

impl Visitor for Checker<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        match self.body(&query.body) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => ControlFlow::Break(why),
        }
    }
}

fn on(operator: &sqlparser::ast::JoinOperator) -> Option<&Expr> {
    use sqlparser::ast::{JoinConstraint::On, JoinOperator};
    match operator {
        JoinOperator::Join(On(it)) | JoinOperator::Inner(On(it)) => Some(it),
        // An outer join keeps rows that its condition does not hold for.
        _ => None,
    }
}

/// What must hold for all rows: the terms between the outermost `and`s.
fn conjuncts(it: &Expr) -> Vec<&Expr> {
    match it {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        Expr::Nested(it) => conjuncts(it),
        other => vec![other],
    }
}

fn is_binding(term: &Expr, qualified: &str, alone: bool) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = term else { return false };
    let column = left.to_string();
    (column == qualified || alone && column == "tenant") && is_first_parameter(right)
}

fn is_first_parameter(it: &Expr) -> bool {
    matches!(it, Expr::Value(value) if matches!(&value.value, Value::Placeholder(it) if it == "?1"))
}

/// Whether a text is a statement, and no sentence that begins like one.
fn is_sql(text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    text.starts_with("select ")
        || text.starts_with("insert ")
        || text.starts_with("delete from")
        || text.starts_with("replace into")
        || text.starts_with("update ") && text.contains(" set ")
        || text.starts_with("with ") && text.contains(" as (")
}

/// The SQL texts in a file, tests left out.
fn statements_in(file: &Path) -> Vec<String> {
    struct Literals(Vec<String>);
    impl<'ast> syn::visit::Visit<'ast> for Literals {
        fn visit_lit_str(&mut self, it: &'ast syn::LitStr) {
            let text = it.value().trim().to_owned();
            if is_sql(&text) {
                self.0.push(text);
            }
        }

        fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
            if it.ident != "tests" {
                syn::visit::visit_item_mod(self, it);
            }
        }
    }
    let text = fs::read_to_string(file).unwrap();
    let mut literals = Literals(Vec::new());
    literals.visit_file(&syn::parse_file(&text).unwrap());
    literals.0
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
