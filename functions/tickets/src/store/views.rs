//! Views in SQL, and the tickets that are in them.
//!
//! How many rows a view has is counted by what a statement has changed, so it is right whatever was
//! there before.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    desk::view::{VIEWS_MAX, View},
    ticket::Ticket,
};

const CHANGES: &str = "
    select coalesce((select changes from ticket_view_changes where tenant = ?1), 0)";
const LIST: &str = "
    select name, view, build, after, looked, count, version from ticket_views
    where tenant = ?1 order by name limit ?2";
// One row without a name where there are none.
const NOW: &str = "
    select coalesce(c.changes, 0), v.name, v.view, v.build, v.after, v.looked, v.count, v.version
    from (select 1) one
      left join ticket_view_changes c on c.tenant = ?1
      left join ticket_views v on v.tenant = ?1
    order by v.name limit ?2";
const FIND: &str = "
    select name, view, build, after, looked, count, version from ticket_views
    where tenant = ?1 and name = ?2";
const FIND_BUILD: &str = "
    select name, view, build, after, looked, count, version from ticket_views
    where tenant = ?1 and build = ?2";
const LAST_NUMBER: &str = "
    select coalesce((select last from ticket_numbers where tenant = ?1), 0)";
const CHANGE: &str = "
    insert into ticket_view_changes (tenant, changes) values (?1, ?2)
    on conflict (tenant) do update set changes = excluded.changes
    where ticket_view_changes.changes = ?2 - 1";
// Nothing is different, and it is one row only as long as the views are those that were read.
const SAME: &str = "
    update tickets set version = version
    where tenant = ?1 and id = ?2
      and coalesce((select changes from ticket_view_changes where tenant = ?1), 0) = ?3";
const INSERT: &str = "
    insert into ticket_views (tenant, name, view, build, after, looked, count, version)
    select ?1, ?2, ?3, ?4, '', 0, 0, 1
    where (select count(*) from ticket_views where tenant = ?1) < ?5
    on conflict (tenant, name) do nothing";
const REBUILD: &str = "
    update ticket_views
    set view = ?3, build = ?4, after = '', looked = 0, count = 0, version = ?5
    where tenant = ?1 and name = ?2 and version = ?5 - 1";
const RENAME: &str = "
    update ticket_views set view = ?3, version = ?4
    where tenant = ?1 and name = ?2 and version = ?4 - 1";
const DELETE: &str = "
    delete from ticket_views where tenant = ?1 and name = ?2 and version = ?3";
const INSERT_ROW: &str = "
    insert into ticket_view_rows (tenant, build, sort, ticket) values (?1, ?2, ?3, ?4)
    on conflict do nothing";
const DELETE_ROW: &str = "
    delete from ticket_view_rows
    where tenant = ?1 and build = ?2 and sort = ?3 and ticket = ?4";
const MOVE_ROW: &str = "
    update ticket_view_rows set sort = ?5
    where tenant = ?1 and build = ?2 and sort = ?3 and ticket = ?4";
const COUNT_MORE: &str = "
    update ticket_views set count = count + changes() where tenant = ?1 and build = ?2";
const COUNT_LESS: &str = "
    update ticket_views set count = count - changes() where tenant = ?1 and build = ?2";
// Who changed a ticket since it was read has written it by views of that moment: it is read again.
const LOOKED: &str = "
    update ticket_views set after = ?4, looked = looked + ?5
    where tenant = ?1 and build = ?2 and after = ?3 and ?5 = (
      select count(*) from json_each(?6) j join tickets t
        on t.tenant = ?1 and t.id = j.value ->> 0 and t.version = j.value ->> 1)";
const INSERT_ROWS: &str = "
    insert into ticket_view_rows (tenant, build, sort, ticket)
    select ?1, ?2, value ->> 1, value ->> 0 from json_each(?3) where true
    on conflict do nothing";
// Where something is that is due is read where it is written: it may have changed since the ticket
// was read. What is not due is after all that is, as long as milliseconds are exact.
const INSERT_DUE_ROW: &str = "
    insert into ticket_view_rows (tenant, build, sort, ticket)
    select ?1, ?2, ?4 * coalesce((
        select due_at_ms from ticket_slas where tenant = ?1 and ticket = ?3), 4503599627370496), ?3
    where true on conflict do nothing";
const DELETE_DUE_ROW: &str = "
    delete from ticket_view_rows
    where tenant = ?1 and build = ?2 and ticket = ?3 and sort = ?4 * coalesce((
      select due_at_ms from ticket_slas where tenant = ?1 and ticket = ?3), 4503599627370496)";
const INSERT_DUE_ROWS: &str = "
    insert into ticket_view_rows (tenant, build, sort, ticket)
    select ?1, ?2, ?4 * coalesce(s.due_at_ms, 4503599627370496), j.value ->> 0
    from json_each(?3) j
      left join ticket_slas s on s.tenant = ?1 and s.ticket = j.value ->> 0
    where true on conflict do nothing";
const SOME_ROWS: &str = "
    select sort, ticket from ticket_view_rows where tenant = ?1 and build = ?2
    order by sort, ticket limit ?3";
const DELETE_UP_TO: &str = "
    delete from ticket_view_rows
    where tenant = ?1 and build = ?2 and (sort, ticket) <= (?3, ?4)";
const PAGE: &str = "
    select r.sort, t.ticket, t.version
    from ticket_view_rows r join tickets t on t.tenant = ?1 and t.id = r.ticket
    where r.tenant = ?1 and r.build = ?2 and (r.sort, r.ticket) > (?3, ?4)
    order by r.sort, r.ticket limit ?5";

/// A ticket in a view: where in its order, and itself.
pub type Placed = (i64, Ticket);

/// How often views were changed.
pub async fn view_changes(at: &impl Tenant) -> Result<i64, PortError> {
    number(at, CHANGES).await
}

/// The number that the latest ticket has: about how many there are.
pub async fn last_number(at: &impl Tenant) -> Result<i64, PortError> {
    number(at, LAST_NUMBER).await
}

async fn number(at: &impl Tenant, text: &'static str) -> Result<i64, PortError> {
    let Some(row) = at.query(text, []).await?.into_iter().next() else { return Ok(0) };
    let [number] = row.columns()?;
    number.integer()
}

/// All views, by name.
pub async fn list_views(at: &impl Tenant) -> Result<Vec<View>, PortError> {
    at.query(LIST, [VIEWS_MAX.into()]).await?.into_iter().map(read).collect()
}

/// How often views were changed, and all of them as they are then.
pub async fn views_now(at: &impl Tenant) -> Result<(i64, Vec<View>), PortError> {
    let (mut changes, mut views) = (0, Vec::new());
    for row in at.query(NOW, [VIEWS_MAX.into()]).await? {
        let [count, view @ ..]: [Value; 8] = row.columns()?;
        let row = Row(view.into());
        changes = count.integer()?;
        if !matches!(row.0.first(), Some(Value::Null)) {
            views.push(read(row)?);
        }
    }
    Ok((changes, views))
}

pub async fn find_view(at: &impl Tenant, name: &str) -> Result<Option<View>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn find_build(at: &impl Tenant, build: i64) -> Result<Option<View>, PortError> {
    at.query(FIND_BUILD, [build.into()]).await?.into_iter().next().map(read).transpose()
}

/// Counts a change of the views, unless another was faster.
pub fn change_views(changes: i64) -> Commit {
    Commit::new().write_one(CHANGE, [changes.into()])
}

/// Writes nothing of the ticket, and what is committed with it only if no view was changed since
/// their changes were counted.
pub fn same_views(ticket: &Id, changes: i64) -> Commit {
    Commit::new().write_one(SAME, [Value::from(ticket), changes.into()])
}

/// Writes a view that has to be built, unless it is no longer the version before this, or there are
/// too many.
pub fn build_view(it: &View) -> Commit {
    let mut params: Vec<Value> =
        vec![it.name.as_str().into(), (&json!(it.text)).into(), it.build.into()];
    if it.version > 1 {
        params.push(it.version.into());
        return Commit::new().write_one(REBUILD, params);
    }
    params.push(VIEWS_MAX.into());
    Commit::new().write_one(INSERT, params)
}

/// Writes a view that has the same rows as before.
pub fn keep_view(it: &View) -> Commit {
    let params = [Value::from(it.name.as_str()), (&json!(it.text)).into(), it.version.into()];
    Commit::new().write_one(RENAME, params)
}

pub fn delete_view(it: &View) -> Commit {
    Commit::new().write_one(DELETE, [Value::from(it.name.as_str()), it.version.into()])
}

/// Puts a ticket into a view. One that is there stays.
pub fn insert_row(build: i64, sort: i64, ticket: &Id) -> Commit {
    let params = [Value::from(build), sort.into(), ticket.into()];
    Commit::new().write(INSERT_ROW, params).write(COUNT_MORE, [build.into()])
}

/// Takes a ticket out of a view. One that is not there is no mistake.
pub fn delete_row(build: i64, sort: i64, ticket: &Id) -> Commit {
    let params = [Value::from(build), sort.into(), ticket.into()];
    Commit::new().write(DELETE_ROW, params).write(COUNT_LESS, [build.into()])
}

/// Puts a ticket where it is by when it is due, at the moment of the commit. `sign` is that of the
/// order.
pub fn insert_due_row(build: i64, sign: i64, ticket: &Id) -> Commit {
    let params = [Value::from(build), ticket.into(), sign.into()];
    Commit::new().write(INSERT_DUE_ROW, params).write(COUNT_MORE, [build.into()])
}

/// Takes a ticket from where it is by when it is due, at the moment of the commit.
pub fn delete_due_row(build: i64, sign: i64, ticket: &Id) -> Commit {
    let params = [Value::from(build), ticket.into(), sign.into()];
    Commit::new().write(DELETE_DUE_ROW, params).write(COUNT_LESS, [build.into()])
}

/// Moves a ticket in a view that is built: it is there.
pub fn move_row(build: i64, from: i64, to: i64, ticket: &Id) -> Commit {
    let params = [Value::from(build), from.into(), ticket.into(), to.into()];
    Commit::new().write(MOVE_ROW, params)
}

/// Writes what was found in some tickets that were looked at for a view: up to which one, and where
/// in its order those are that are in it. It is a conflict if one of them was changed since.
pub fn looked_at(
    view: &View,
    tickets: &[Ticket],
    up_to: Option<&str>,
    rows: &[(i64, &Id)],
) -> Commit {
    let versions: Vec<_> = tickets.iter().map(|it| json!([it.id, it.version])).collect();
    let rows: Vec<_> = rows.iter().map(|(sort, id)| json!([id, sort])).collect();
    let params = [
        Value::from(view.build),
        view.after.as_deref().unwrap_or_default().into(),
        up_to.map(Value::from).into(),
        i64::try_from(tickets.len()).unwrap_or(i64::MAX).into(),
        (&json!(versions)).into(),
    ];
    let rows = [Value::from(view.build), (&json!(rows)).into()];
    let commit = Commit::new().write_one(LOOKED, params);
    let commit = match view.text.due() {
        Some(sign) => {
            let [build, rows] = rows;
            commit.write(INSERT_DUE_ROWS, [build, rows, sign.into()])
        }
        None => commit.write(INSERT_ROWS, rows),
    };
    commit.write(COUNT_MORE, [view.build.into()])
}

/// Removes some rows of a build that is none any more. `None` when there are none left.
pub async fn sweep_rows(
    at: &impl Tenant,
    build: i64,
    limit: u32,
) -> Result<Option<Commit>, PortError> {
    let rows = at.query(SOME_ROWS, [Value::from(build), limit.into()]).await?;
    let Some(row) = rows.into_iter().next_back() else { return Ok(None) };
    let [sort, ticket] = row.columns()?;
    Ok(Some(Commit::new().write(DELETE_UP_TO, [build.into(), sort, ticket])))
}

/// The tickets of a view after a place in its order.
pub async fn list_placed(
    at: &impl Tenant,
    build: i64,
    after: (i64, &str),
    limit: u32,
) -> Result<Vec<Placed>, PortError> {
    let params = [Value::from(build), after.0.into(), after.1.into(), limit.into()];
    let placed = |row: Row| {
        let [sort, ticket, version] = row.columns()?;
        Ok((sort.integer()?, Ticket { version: version.integer()?, ..ticket.json()? }))
    };
    at.query(PAGE, params).await?.into_iter().map(placed).collect()
}

fn read(row: Row) -> Result<View, PortError> {
    let [name, view, build, after, looked, count, version] = row.columns()?;
    Ok(View {
        name: name.text()?,
        text: view.json()?,
        count: count.integer()?,
        building: None,
        build: build.integer()?,
        after: after.optional_text()?,
        looked: looked.integer()?,
        version: version.integer()?,
    })
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use shared::{memory::Memory, open::Open};

    use super::*;

    fn plan(at: &impl Tenant, text: &str) -> String {
        let text: &'static str = Box::leak(format!("explain query plan {text}").into());
        let params = ["1", "1", "1", "1"].map(Value::from);
        let rows = block_on(at.query(text, params)).unwrap();
        let line = |row: Row| row.columns::<4>().unwrap()[3].clone().text().unwrap();
        rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// So it costs the same however many tickets there are.
    #[test]
    fn a_page_of_a_view_is_a_range_of_its_index() {
        let memory = Memory::default();
        let at = block_on(Open::system(&memory, &memory.store("ten_a"), "ten_a", false)).unwrap();

        let page = plan(&at, PAGE);

        assert!(page.contains("SEARCH r USING PRIMARY KEY"), "{page}");
        assert!(page.contains("SEARCH t USING PRIMARY KEY"), "{page}");
        assert!(!page.contains("SCAN") && !page.contains("TEMP"), "{page}");
    }
}
