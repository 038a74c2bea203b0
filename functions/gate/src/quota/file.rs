//! The file of a report. Pure.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::{Id, Timestamp};

use super::report::UsageReport;

/// With what a spreadsheet's formula can begin (OWASP, CSV injection), also in full width.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
const HEADINGS: [&str; 7] = ["meter", "subject", "from", "to", "total", "recount", "matches"];

/// One line of a report.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Line {
    /// The meter.
    pub meter: String,
    /// Of whom; of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The first moment that is in it.
    pub from: Timestamp,
    /// The first moment that is not.
    pub to: Timestamp,
    /// How much it is by the counters: a decimal.
    pub total: String,
    /// How much it is by the raw events, if there are any still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recount: Option<String>,
}

/// Under which name a file is kept.
pub fn name(report: &Id) -> String {
    format!("reports/{report}")
}

/// The lines as comma-separated values.
pub fn csv(lines: &[Line]) -> String {
    let mut out = HEADINGS.join(",") + "\r\n";
    for it in lines {
        let matches = match &it.recount {
            None => "",
            Some(other) if *other == it.total => "yes",
            Some(_) => "no",
        };
        let cells = [
            text(&it.meter),
            text(it.subject.as_deref().unwrap_or("")),
            it.from.to_string(),
            it.to.to_string(),
            it.total.clone(),
            it.recount.clone().unwrap_or_default(),
            matches.to_owned(),
        ];
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A cell of text: never a formula, and quoted where it has to be.
fn text(cell: &str) -> String {
    let guarded = match cell.starts_with(FORMULA) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    };
    match guarded.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

/// The lines in JSON, with what the report is about.
pub fn json(report: &UsageReport, lines: &[Line]) -> String {
    let all = json!({
        "id": report.id,
        "about": report.about,
        "differing": report.differing,
        "lines": lines,
    });
    all.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cell_of_text_is_a_formula() {
        assert_eq!(text("-1+cmd"), "'-1+cmd");
        assert_eq!(text("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        assert_eq!(text("calls"), "calls");
    }

    #[test]
    fn a_number_is_a_number_also_below_zero() {
        let (from, to) = (Timestamp(0), Timestamp(1));
        let line = Line {
            meter: "calls".into(),
            subject: None,
            from,
            to,
            total: "-5".into(),
            recount: Some("-5".into()),
        };
        let rows = csv(&[line]);
        assert!(
            rows.ends_with(
                "calls,,1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.001Z,-5,-5,yes\r\n"
            )
        );
    }

    proptest! {
        #[test]
        fn a_cell_is_one_cell_and_begins_no_formula(cell in ".{0,20}") {
            let written = text(&cell);
            let inner = written.strip_prefix('"').unwrap_or(&written);
            prop_assert!(!inner.starts_with(FORMULA));
            let bare = !written.starts_with('"');
            prop_assert!(!bare || !written.contains([',', '\n', '\r']));
        }
    }
}
