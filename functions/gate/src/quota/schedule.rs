//! Schedules: reports that are made by themselves, when a window ends or by cron.

use std::time::Duration;

use chrono::DateTime;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    counted,
    plan::{WORD, is_word},
    report::{self, ReportAbout, ReportFormat},
    store,
    window::{Calendar, QuotaWindow, WindowSpan, WindowUnit, Zone},
};

/// Makes the report that is due, and waits for the next one.
pub const TICK: &str = "gate.quota.schedule";
/// How many schedules a tenant has at most.
const SCHEDULES_MAX: u32 = 50;
/// The longest pattern, in characters.
const CRON_CHARS_MAX: usize = 100;
/// The least time between two reports of a schedule.
const GAP_MIN: Duration = Duration::from_secs(60 * 60);
/// How many times ahead a pattern is looked at to see that it keeps that.
const AHEAD: usize = 24;

/// A schedule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReportSchedule {
    /// As `monthly`.
    pub name: String,
    /// What it makes, and when.
    #[serde(flatten)]
    pub settings: ScheduleSettings,
    /// From when the next report is.
    pub from: Timestamp,
    /// When it is made, and until when it is.
    pub next_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What a schedule makes, and when: at the end of each window, or by cron.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSettings {
    /// The meters: 1 to 20.
    pub meters: Vec<String>,
    /// Of whom; of all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// At the end of each of these, about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<QuotaWindow>,
    /// From when windows by the anchor count; 1970 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// Minute, hour, day, month, day of the week, as `0 6 * * MON`; about the time since the time
    /// before. At most once an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Of what each line is: hour, day, week, month, quarter or year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<WindowUnit>,
    /// An IANA time zone, also of the pattern; UTC when left out.
    #[serde(default)]
    #[schema(value_type = String)]
    pub zone: Zone,
    /// csv when left out.
    #[serde(default)]
    pub format: ReportFormat,
}

impl ScheduleSettings {
    /// The stretch of time that the moment is in: its end is when the report is made.
    fn span_at(&self, moment: Timestamp) -> Result<WindowSpan, Problem> {
        match (&self.cron, self.window) {
            (Some(cron), None) => Pattern::parse(cron, self.zone)?.span_at(moment),
            (None, Some(window)) => {
                let anchor = self.anchor.unwrap_or_default();
                let calendar = Calendar { zone: self.zone, anchor };
                Ok(calendar.window_at(window.checked("window")?, moment))
            }
            _ => Err(Problem::unfitting("cron", "name either cron or window")),
        }
    }

    fn about(&self, name: &str, span: WindowSpan) -> ReportAbout {
        ReportAbout {
            meters: self.meters.clone(),
            subject: self.subject.clone(),
            from: span.from,
            to: span.to,
            by: self.by,
            zone: self.zone,
            format: self.format,
            schedule: Some(name.to_owned()),
        }
    }
}

/// A pattern of cron in its zone.
struct Pattern {
    cron: Cron,
    zone: Zone,
}

impl Pattern {
    fn parse(text: &str, zone: Zone) -> Result<Self, Problem> {
        let unfit = |why: &dyn std::fmt::Display| Problem::unfitting("cron", why);
        if text.len() > CRON_CHARS_MAX {
            return Err(unfit(&format!("at most {CRON_CHARS_MAX} characters")));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        parser.parse(text).map(|cron| Self { cron, zone }).map_err(|why| unfit(&why))
    }

    /// From the last time until the next one.
    fn span_at(&self, moment: Timestamp) -> Result<WindowSpan, Problem> {
        let to = self.after(moment)?;
        let utc = DateTime::from_timestamp_millis(moment.0).unwrap_or_default();
        let before =
            self.cron.find_previous_occurrence(&utc.with_timezone(&self.zone.0), true).ok();
        let from = before.map_or(moment, |it| Timestamp(it.timestamp_millis()));
        Ok(WindowSpan { from, to })
    }

    fn after(&self, moment: Timestamp) -> Result<Timestamp, Problem> {
        let utc = DateTime::from_timestamp_millis(moment.0).unwrap_or_default();
        let next = self.cron.find_next_occurrence(&utc.with_timezone(&self.zone.0), false);
        next.map(|it| Timestamp(it.timestamp_millis()))
            .map_err(|why| Problem::unfitting("cron", why))
    }

    /// Whether its times are far enough apart, as far ahead as is looked.
    fn checked(&self, now: Timestamp) -> Result<(), Problem> {
        let mut last = self.after(now)?;
        for _ in 0..AHEAD {
            let next = self.after(last)?;
            if next.since(last) < GAP_MIN {
                return Err(Problem::unfitting("cron", "at most once an hour"));
            }
            last = next;
        }
        Ok(())
    }
}

/// Lists the schedules, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let schedules = store::list_schedules(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(schedules, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&find(at, call).await?))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<ReportSchedule, Problem> {
    store::find_schedule(at, call.param()).await?.ok_or_else(Problem::not_found)
}

fn answer(it: &ReportSchedule) -> Response {
    let response = json_response(StatusCode::OK, it);
    with_header(response, header::ETAG, &etag(it.version))
}

/// Puts one, or replaces it: what it reports next is the stretch that runs.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, settings): (_, ScheduleSettings) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let span = settings.span_at(at.now())?;
    settings.about(&name, span).checked()?;
    counted::check_meters(at, settings.meters.iter()).await?;
    if let Some(cron) = &settings.cron {
        Pattern::parse(cron, settings.zone)?.checked(at.now())?;
    }
    let before = store::find_schedule(at, &name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    let others = store::list_schedules(at, "", SCHEDULES_MAX).await?.len();
    if before.is_none() && u32::try_from(others).unwrap_or(u32::MAX) >= SCHEDULES_MAX {
        let kind = "/problems/usage/too-many-schedules";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "There are too many schedules")
            .detail(format!("at most {SCHEDULES_MAX}: delete one that is not used")));
    }
    let version = before.map_or(1, |it| it + 1);
    let schedule = ReportSchedule { name, settings, from: span.from, next_at: span.to, version };
    let data = json!({"next_at": schedule.next_at, "version": version});
    let entry = Draft::new("schedule.put", &Id::trusted(schedule.name.clone())).with(data);
    let commit = store::put_schedule(&schedule, before).entry(entry).job(job(&schedule));
    at.answer(commit, answer(&schedule), Problem::changed_meanwhile).await
}

fn job(schedule: &ReportSchedule) -> NewJob {
    let id = format!("{TICK}:{}", schedule.name);
    NewJob::new(TICK, id, json!({"id": schedule.name})).at(schedule.next_at).sooner()
}

/// Deletes one. Its reports stay.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let schedule = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != schedule.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("schedule.deleted", &Id::trusted(schedule.name.clone()));
    let commit = store::delete_schedule(&schedule).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// Begins the report that is due, and waits for the next. What was missed is made up for, one
/// stretch after the other.
pub async fn tick(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.subject()?;
    let Some(schedule) = store::find_schedule(at, name.as_str()).await? else {
        return Ok(Commit::new());
    };
    let now = at.time();
    if schedule.next_at > now {
        let wait = schedule.next_at.since(now);
        return Err(Failure::postponed(wait, Commit::new()));
    }
    let settings = &schedule.settings;
    let due = WindowSpan { from: schedule.from, to: schedule.next_at };
    let about = settings.about(&schedule.name, due);
    // A stretch may be longer than the first one was: then a line is about all of it.
    let whole = ReportAbout { by: None, ..about.clone() };
    let (_, commit) = report::begin(at, about.checked().unwrap_or(whole))?;
    let next = settings.span_at(schedule.next_at).map_err(|_| Failure::dead("no next time"))?;
    let moved = ReportSchedule { from: due.to, next_at: next.to, ..schedule };
    let commit = commit.and(store::move_schedule(&moved, due.to));
    Err(Failure::postponed(moved.next_at.since(now), commit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn pattern(cron: &str, zone: &str) -> Result<Pattern, Problem> {
        Pattern::parse(cron, zone.parse().unwrap())
    }

    #[test]
    fn a_pattern_is_of_its_zone_whatever_the_clock_does() {
        let pattern = pattern("0 6 * * MON", "Europe/Berlin").unwrap();
        let span = pattern.span_at(moment("2030-03-29T00:00:00Z")).unwrap();
        assert_eq!(span.from, moment("2030-03-25T05:00:00Z"));
        assert_eq!(span.to, moment("2030-04-01T04:00:00Z"));
    }

    #[test]
    fn stretches_follow_each_other() {
        for cron in ["30 2 * * *", "0 0 1 * *", "0 0 29 2 *", "0 */6 * * *"] {
            let pattern = pattern(cron, "America/New_York").unwrap();
            let mut span = pattern.span_at(moment("2030-01-15T12:00:00Z")).unwrap();
            for _ in 0..400 {
                let next = pattern.span_at(span.to).unwrap();
                assert_eq!(next.from, span.to, "{cron}");
                assert!(next.to > next.from, "{cron}");
                span = next;
            }
        }
    }

    #[test]
    fn what_never_comes_or_comes_too_often_is_refused() {
        for cron in
            ["* * * * *", "*/30 * * * *", "0 0 30 2 *", "0 0 0 1 1 *", "", "no", "99 * * * *"]
        {
            let checked =
                pattern(cron, "UTC").and_then(|it| it.checked(moment("2030-01-01T00:00:00Z")));
            assert!(checked.is_err(), "{cron}");
        }
        assert!(pattern("0 * * * *", "UTC").unwrap().checked(Timestamp(0)).is_ok());
    }
}
