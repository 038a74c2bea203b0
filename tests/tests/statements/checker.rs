//! What a statement must say of each tenant's table that it names.

use std::{collections::BTreeSet, ops::ControlFlow};

use sqlparser::{
    ast::{
        Assignment, BinaryOperator, Delete, Expr, FromTable, Insert, Join, ObjectName,
        OnConflictAction, OnInsert, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
        TableObject, Update, Value, Visit, Visitor,
    },
    dialect::SQLiteDialect,
    parser::Parser,
};

/// Refuses a statement that reaches one of these tables without its tenant.
pub fn check(text: &str, tables: &BTreeSet<String>) -> Result<(), String> {
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
        if let Some(OnInsert::OnConflict(it)) = &it.on
            && let OnConflictAction::DoUpdate(it) = &it.action
            && moves(&it.assignments)
        {
            return Err("nothing moves to another tenant".into());
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
        if it.from.is_some() {
            return Err("write it without another table".into());
        }
        if self.is_ours(name) && moves(&it.assignments) {
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
        let joins = || it.from.iter().flat_map(|it| &it.joins);
        // The right side of a left join yields rows that its condition holds for, or nulls.
        let outer = |it: &&Join| left_on(&it.join_operator).is_some();
        for join in joins().filter(outer) {
            let conditions = [left_on(&join.join_operator), it.selection.as_ref()];
            self.all_bound(&[&join.relation], &conditions, false)?;
        }
        let inner = || joins().filter(|it| !outer(it));
        let tables: Vec<_> =
            it.from.iter().map(|it| &it.relation).chain(inner().map(|it| &it.relation)).collect();
        let mut conditions = vec![it.selection.as_ref()];
        conditions.extend(inner().map(|it| on(&it.join_operator)));
        self.all_bound(&tables, &conditions, tables.len() == 1 && joins().next().is_none())
    }

    /// Whether each of these tables that is a tenant's is bound to `?1` by one of the conditions.
    fn bound(&self, tables: &[&TableFactor], conditions: &[Option<&Expr>]) -> Result<(), String> {
        self.all_bound(tables, conditions, tables.len() == 1)
    }

    /// The same; only of one that stands `alone` the column needs no table in front.
    fn all_bound(
        &self,
        tables: &[&TableFactor],
        conditions: &[Option<&Expr>],
        alone: bool,
    ) -> Result<(), String> {
        let terms: Vec<_> = conditions.iter().flatten().flat_map(|it| conjuncts(it)).collect();
        for table in tables {
            let (name, alias) = match table {
                TableFactor::Table { name, alias, .. } => (name, alias),
                // A query of its own, which is checked as one.
                TableFactor::Derived { .. } => continue,
                other => return Err(format!("write it without {other}")),
            };
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

fn moves(assignments: &[Assignment]) -> bool {
    assignments.iter().any(|it| it.target.to_string() == "tenant")
}

fn on(operator: &sqlparser::ast::JoinOperator) -> Option<&Expr> {
    use sqlparser::ast::{JoinConstraint::On, JoinOperator};
    match operator {
        JoinOperator::Join(On(it)) | JoinOperator::Inner(On(it)) => Some(it),
        // Other joins keep rows that their condition does not hold for.
        _ => None,
    }
}

fn left_on(operator: &sqlparser::ast::JoinOperator) -> Option<&Expr> {
    use sqlparser::ast::{JoinConstraint::On, JoinOperator};
    match operator {
        JoinOperator::Left(On(it)) | JoinOperator::LeftOuter(On(it)) => Some(it),
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
