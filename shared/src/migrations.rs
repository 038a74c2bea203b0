//! The schema, and how a database brings itself up to it.
//!
//! Forward only. Each file is one step and one batch: all of it or nothing, together with the
//! number that says it was taken. Statements end with `;` at the end of a line.

use crate::ports::{PortError, Sql, SqlError, Statement, Value};

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The name of its file.
    pub name: &'static str,
    /// What it runs.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($path:literal),* $(,)?) => {
        &[$(Migration { name: $path, sql: include_str!(concat!("../../infra/migrations/", $path)) }),*]
    };
}

/// The directory's schema. On Workers it is applied when the app is deployed.
pub const DIRECTORY: &[Migration] = migrations![
    "directory/0001_directory.sql",
    "directory/0002_wakes_taken.sql",
    "directory/0003_limits.sql",
    "directory/0004_documents.sql",
    "directory/0005_customer_keys.sql",
];

/// The schema of a tenant's database. On Spin all tenants share it.
pub const TENANT: &[Migration] = migrations![
    "tenant/0001_spine.sql",
    "tenant/0002_tenants.sql",
    "tenant/0003_webhooks.sql",
    "tenant/0004_selftest.sql",
    "tenant/0005_stores.sql",
    "tenant/0006_told.sql",
    "tenant/0007_sender.sql",
    "tenant/0008_receiver.sql",
    "tenant/0009_handshake.sql",
    "tenant/0010_usage.sql",
    "tenant/0011_tallies.sql",
    "tenant/0012_quotas.sql",
    "tenant/0013_policies.sql",
    "tenant/0014_live.sql",
    "tenant/0015_attempts.sql",
    "tenant/0016_traces.sql",
    "tenant/0017_retention.sql",
    "tenant/0018_apps.sql",
    "tenant/0019_customer_keys.sql",
    "tenant/0020_shown.sql",
    "tenant/0021_billing.sql",
    "tenant/0022_payments.sql",
    "tenant/0023_entitled.sql",
    "tenant/0024_notify.sql",
    "tenant/0025_notify_more.sql",
    "tenant/0026_notify_many.sql",
    "tenant/0027_notify_digests.sql",
    "tenant/0028_notify_rules.sql",
    "tenant/0029_notify_hooks.sql",
    "tenant/0032_bill_deliveries.sql",
    "tenant/0033_notify_files.sql",
    "tenant/0034_billing_readings.sql",
    "tenant/0035_billing_seats_of.sql",
    "tenant/0036_notify_revisions.sql",
    "tenant/0037_billing_looks.sql",
    "tenant/0038_clearing.sql",
    "tenant/0039_notify_dkim.sql",
    "tenant/0040_notify_sms.sql",
    "tenant/0041_notify_actors.sql",
    "tenant/0042_tickets.sql",
    "tenant/0043_ticket_mail.sql",
    "tenant/0044_ticket_slas.sql",
    "tenant/0045_ticket_desk.sql",
    "tenant/0046_notify_threads.sql",
    "tenant/0047_audit.sql",
];

/// What is over both where they are one database, as on Spin.
pub const SPIN: &[Migration] = migrations!["spin/0001_decisions.sql"];

const CREATE_VERSIONS: &str = "
    create table if not exists schema_versions (
      part text not null primary key,
      version integer not null
    ) strict";

const VERSION: &str = "select version from schema_versions where part = ?1";

const VERSIONS: &str = "select part, version from schema_versions";

const STEP: &str = "
    insert into schema_versions (part, version) values (?1, ?2)
    on conflict (part) do update set version = excluded.version";

macro_rules! erasing {
    ($($table:literal),* $(,)?) => {
        &[$(concat!("delete from ", $table, " where tenant = ?1")),*]
    };
}

/// Removes one tenant from each table of [`TENANT`]. A test holds the list to the schema.
pub const ERASE: &[&str] = erasing![
    "log",
    "jobs",
    "cursors",
    "idempotency",
    "clocks",
    "tenants",
    "keys",
    "members",
    "addresses",
    "webhook_sources",
    "webhook_messages",
    "webhook_dedupe",
    "webhook_refusals",
    "selftest_rows",
    "blobs",
    "blob_chunks",
    "queue",
    "webhook_endpoints",
    "webhook_events",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_event_types",
    "webhook_signing_keys",
    "webhook_tokens",
    "webhook_pollers",
    "usage_state",
    "usage_meters",
    "usage_events",
    "usage_counters",
    "usage_uniques",
    "usage_statuses",
    "usage_latencies",
    "tallies",
    "gate_plans",
    "gate_subjects",
    "gate_subject_changes",
    "gate_quota_marks",
    "gate_quota_windows",
    "gate_reports",
    "gate_report_lines",
    "gate_report_schedules",
    "gate_policies",
    "live_leases",
    "webhook_settings",
    "gate_apps",
    "gate_shown",
    "billing_entities",
    "billing_numbers",
    "billing_plans",
    "billing_coupons",
    "billing_customers",
    "billing_subscriptions",
    "billing_seats",
    "billing_invoices",
    "billing_payments",
    "billing_grants",
    "billing_postings",
    "billing_balances",
    "billing_sums",
    "billing_deferrals",
    "payment_accounts",
    "payment_events",
    "payment_objects",
    "payment_customers",
    "payment_refusals",
    "payment_reconciles",
    "payment_drift",
    "notify_settings",
    "notify_workflows",
    "notify_preferences",
    "notify_notices",
    "notify_deliveries",
    "notify_inbox",
    "notify_mailbox",
    "notify_providers",
    "notify_outbox",
    "notify_suppressions",
    "notify_push_keys",
    "notify_push_subscriptions",
    "notify_audiences",
    "notify_topics",
    "notify_subscribers",
    "notify_batches",
    "notify_rules",
    "notify_hooks",
    "billing_deliveries",
    "billing_notices",
    "billing_readings",
    "billing_looks",
    "payment_statements",
    "billing_movements",
    "billing_claims",
    "billing_statements",
    "billing_statement_parts",
    "notify_dkim_keys",
    "notify_sms",
    "ticket_numbers",
    "tickets",
    "ticket_messages",
    "ticket_links",
    "ticket_settings",
    "ticket_presence",
    "ticket_facts",
    "ticket_mailboxes",
    "ticket_mails",
    "ticket_attachments",
    "ticket_promises",
    "ticket_promise_changes",
    "ticket_slas",
    "ticket_tools",
    "ticket_view_changes",
    "ticket_views",
    "ticket_form_posts",
    "ticket_view_rows",
    "audit_tiles",
    "audit_checkpoints",
    "audit_witnesses",
];

/// Removes a tenant from a database that it shares with others.
///
/// # Errors
/// When the database fails; nothing is removed then.
pub async fn erase(sql: &impl Sql, tenant: &str) -> Result<(), PortError> {
    let batch = ERASE.iter().map(|text| Statement::new(text, [tenant.into()])).collect();
    sql.batch(batch).await.map(drop).map_err(PortError::from)
}

/// Whether all steps of these parts were taken: one look, which any later start begins with.
pub async fn are_taken(sql: &impl Sql, parts: &[(&'static str, &[Migration])]) -> bool {
    // A database without the table is one that nothing was done with.
    let Ok(rows) = sql.query(Statement::new(VERSIONS, [])).await else { return false };
    let taken = |(part, steps): &(&'static str, &[Migration])| {
        let (part, version) = (Value::from(*part), i64::try_from(steps.len()).unwrap_or(i64::MAX));
        rows.iter().any(|it| it.0 == [part.clone(), Value::from(version)])
    };
    parts.iter().all(taken)
}

/// Takes the steps that `part` of this database has not taken yet.
///
/// # Errors
/// When a step fails: the database is at the step before it, and the error names both.
pub async fn bring_up(
    sql: &impl Sql,
    part: &'static str,
    steps: &[Migration],
) -> Result<(), PortError> {
    sql.query(Statement::new(CREATE_VERSIONS, [])).await?;
    let taken = version(sql, part).await?;
    for (number, step) in (1..).zip(steps).skip(taken) {
        if let Err(err) = take(sql, part, number, step).await {
            // Another instance may have taken it at the same time.
            let reached = version(sql, part).await?;
            if reached < usize::try_from(number).unwrap_or(usize::MAX) {
                return Err(PortError::new("migrations", describe(step, reached, &err)));
            }
        }
    }
    Ok(())
}

fn describe(step: &Migration, reached: usize, err: &SqlError) -> String {
    format!("{} failed, the schema stays at step {reached}: {err}", step.name)
}

async fn version(sql: &impl Sql, part: &'static str) -> Result<usize, PortError> {
    let rows = sql.query(Statement::new(VERSION, [part.into()])).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(0) };
    let [version] = row.columns()?;
    usize::try_from(version.integer()?).map_err(|err| PortError::new("migrations", err))
}

async fn take(
    sql: &impl Sql,
    part: &'static str,
    number: i64,
    step: &Migration,
) -> Result<(), SqlError> {
    let mut batch: Vec<_> = statements(step.sql).map(|it| Statement::new(it, [])).collect();
    batch.push(Statement::new(STEP, [Value::from(part), number.into()]));
    sql.batch(batch).await.map(drop)
}

/// The statements of a migration.
pub fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n").map(without_comments).filter(|it| !it.is_empty())
}

/// The statement without the comment lines before it, which some runtimes take for a statement.
fn without_comments(mut text: &'static str) -> &'static str {
    loop {
        text = text.trim();
        match text.strip_prefix("--") {
            Some(comment) => text = comment.split_once('\n').map_or("", |(_, rest)| rest),
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::memory::MemorySql;

    const GOOD: Migration =
        Migration { name: "1.sql", sql: "create table a (x integer) strict;\n" };
    const HALF: Migration = Migration {
        name: "2.sql",
        sql: "-- A good start.\ncreate table b (x integer) strict;\ncreate table a (x integer) strict;\n",
    };

    #[test]
    fn a_failing_step_leaves_the_schema_before_it() {
        let sql = MemorySql::empty();

        let err = block_on(bring_up(&sql, "t", &[GOOD, HALF])).unwrap_err().to_string();

        assert!(err.contains("2.sql failed, the schema stays at step 1"), "{err}");
        assert!(block_on(sql.query(Statement::new("select x from a", []))).is_ok());
        assert!(block_on(sql.query(Statement::new("select x from b", []))).is_err());
    }

    #[test]
    fn erasing_forgets_no_table() {
        let created: Vec<_> = TENANT
            .iter()
            .flat_map(|it| statements(it.sql))
            .filter_map(|it| it.strip_prefix("create table ")?.split(' ').next())
            .filter(|it| *it != "guard")
            .collect();
        let erased: Vec<_> = ERASE.iter().filter_map(|it| it.split(' ').nth(2)).collect();

        assert_eq!(created, erased);
    }

    #[test]
    fn steps_are_taken_once() {
        let sql = MemorySql::empty();

        assert!(!block_on(are_taken(&sql, &[("t", &[GOOD])])));
        block_on(bring_up(&sql, "t", &[GOOD])).unwrap();
        assert!(block_on(are_taken(&sql, &[("t", &[GOOD])])));
        assert!(!block_on(are_taken(&sql, &[("t", &[GOOD, HALF])])));
        block_on(bring_up(&sql, "t", &[GOOD])).unwrap();
        block_on(bring_up(&sql, "other", TENANT)).unwrap();
    }
}
