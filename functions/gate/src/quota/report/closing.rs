//! What a report on paper has beside its lines: whose it is, and what each meter comes to.

use serde::{Deserialize, Serialize};
use shared::ports::{PortError, Tenant};

use super::UsageReport;
use crate::{
    quota::{counted, file::Line},
    usage::{
        amount::Amount,
        counter,
        meter::{Aggregation, Meter},
    },
};

/// What it closes with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Closing {
    /// What the tenant is called.
    pub tenant: String,
    /// The same.
    pub tenant_id: String,
    /// One for each meter of the report, in its order.
    pub totals: Vec<Total>,
}

/// What a meter comes to in all of the report's time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Total {
    /// The meter.
    pub meter: String,
    /// How its events add up.
    pub aggregation: Aggregation,
    /// What one of it is called; nothing when nobody said so.
    pub unit: String,
    /// How much it is by the counters: a decimal.
    pub total: String,
    /// How much it is by the raw events, if there are any still.
    pub recount: Option<String>,
}

impl Closing {
    /// What a report with these lines closes with.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn of(
        at: &impl Tenant,
        report: &UsageReport,
        lines: &[Line],
    ) -> Result<Self, PortError> {
        let each = (lines.len() / report.about.meters.len().max(1)).max(1);
        let mut totals = Vec::new();
        for (meter, own) in report.about.meters.iter().zip(lines.chunks(each)) {
            let found = counter::find(at, meter).await?;
            let meter = found.ok_or_else(|| PortError::new("usage", "no such meter"))?;
            totals.push(match added(&meter, own) {
                Some(it) => it,
                None => counted_anew(at, report, &meter).await?,
            });
        }
        let tenant_id = at.principal().tenant.clone();
        let record = at.projection().record().await?;
        let tenant = record.map_or_else(|| tenant_id.clone(), |it| it.name);
        Ok(Self { tenant, tenant_id, totals })
    }
}

/// What the lines of a meter come to: so they add up on paper, whatever is counted meanwhile. Of
/// several that count different values nobody can tell.
fn added(meter: &Meter, lines: &[Line]) -> Option<Total> {
    let all = |amounts: Vec<i128>| match meter.aggregation {
        Aggregation::Sum | Aggregation::Count => {
            Some(amounts.into_iter().fold(0, i128::saturating_add))
        }
        Aggregation::Max => amounts.into_iter().max(),
        Aggregation::Unique => amounts.first().copied().filter(|_| amounts.len() == 1),
    };
    let read = |text: &str| Amount::parse(text).map(|it| it.0);
    let totals = lines.iter().map(|it| read(&it.total)).collect::<Option<Vec<_>>>()?;
    let recounts: Option<Vec<_>> = lines.iter().map(|it| read(it.recount.as_deref()?)).collect();
    Some(total(meter, all(totals)?, recounts.and_then(all)))
}

async fn counted_anew(
    at: &impl Tenant,
    report: &UsageReport,
    meter: &Meter,
) -> Result<Total, PortError> {
    let about = &report.about;
    let (name, subject) = (&meter.name, about.subject.as_deref());
    let sum = counted::total(at, name, subject, None, about.from, about.to).await?;
    let recount = counted::recount(at, name, subject, about.from, about.to).await?;
    Ok(total(meter, sum, recount))
}

fn total(meter: &Meter, total: i128, recount: Option<i128>) -> Total {
    Total {
        meter: meter.name.clone(),
        aggregation: meter.aggregation,
        unit: meter.unit.clone(),
        total: Amount(total).to_string(),
        recount: recount.map(|it| Amount(it).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::Timestamp;

    use super::*;

    fn line(total: &str, recount: Option<&str>) -> Line {
        Line {
            meter: "calls".to_owned(),
            subject: None,
            from: Timestamp(0),
            to: Timestamp(1),
            total: total.to_owned(),
            recount: recount.map(str::to_owned),
        }
    }

    fn come_to(aggregation: Aggregation, lines: &[Line]) -> Option<(String, Option<String>)> {
        let meter = Meter {
            name: "calls".to_owned(),
            aggregation,
            dimension: String::new(),
            unit: String::new(),
            description: String::new(),
            version: 1,
            deleted: false,
        };
        added(&meter, lines).map(|it| (it.total, it.recount))
    }

    #[test]
    fn lines_come_to_what_their_meter_makes_of_them() {
        let lines = [line("0.1", Some("0.1")), line("-2", Some("0.2"))];
        let both = |one: &str, other: &str| Some((one.to_owned(), Some(other.to_owned())));

        assert_eq!(come_to(Aggregation::Sum, &lines), both("-1.9", "0.3"));
        assert_eq!(come_to(Aggregation::Max, &lines), both("0.1", "0.2"));
        assert_eq!(come_to(Aggregation::Unique, &lines), None);
        assert_eq!(come_to(Aggregation::Unique, &lines[1..]), both("-2", "0.2"));
    }

    #[test]
    fn without_the_events_of_a_line_there_is_no_recount_of_all() {
        let lines = [line("1", Some("1")), line("2", None)];

        assert_eq!(come_to(Aggregation::Count, &lines), Some(("3".to_owned(), None)));
    }
}
