//! A report as PDF: for people, with the CSV in it for machines. Pure.

#[cfg(test)]
mod tests;
mod words;

use std::iter;

use chrono::DateTime;
use paper::{
    About, AssociationKind, Attachment, Error,
    canvas::Style,
    chart::{self, Bar, Bars},
    sheet::{BODY, GAP, INNER, MARGIN, NAME, Sheet},
    table::{self, Row},
};
use shared::domain::sha256_hex;

use super::{Closing, Total, UsageReport};
use crate::{
    quota::file::{self, Line},
    usage::{amount::Amount, meter::Aggregation},
};

/// The name of the CSV in it.
const FILE_NAME: &str = "usage.csv";
/// How many bars a chart has at most; of more lines several are one bar.
const BARS_MAX: usize = 120;
const SUM: Style = Style { is_bold: true, ..BODY };

/// Writes it. The moment at which the report was asked for is the one at which the file says it was
/// made, so that equal content makes equal bytes.
///
/// # Errors
/// When the font or the metadata fail, which is a mistake of ours.
pub fn pdf(report: &UsageReport, lines: &[Line], closing: &Closing) -> Result<Vec<u8>, Error> {
    let (csv, tenant) = (file::csv(lines), words::tenant(closing));
    let mut sheet = Sheet::new()?;
    sheet.title(words::TITLE);
    sheet.paragraph(&tenant, NAME);
    sheet.y += GAP;
    sheet.list(&words::facts(report, closing), MARGIN, INNER);
    sheet.y += GAP;
    totals(&mut sheet, report, &closing.totals);
    match report.about.by {
        Some(_) => each(&mut sheet, report, lines, &closing.totals),
        None => compared(&mut sheet, &closing.totals),
    }
    sheet.y += GAP;
    sheet.heading(words::CHECK);
    sheet.list(&words::proofs(report, closing, &sha256_hex(csv.as_bytes())), MARGIN, INNER);
    if !sheet.canvas.fonts.missing().is_empty() {
        sheet.y += GAP;
        sheet.paragraph(words::MISSING, BODY);
    }
    let foot = format!("{} {} · {tenant}", words::TITLE, report.id);
    sheet.feet(&foot, words::page);
    let about = About {
        title: &format!("{}: {tenant}", words::TITLE),
        creator: &tenant,
        lang: words::LANG,
        made: DateTime::from_timestamp_millis(report.created_at.0).unwrap_or_default().naive_utc(),
        attachment: Some(Attachment {
            name: FILE_NAME,
            media: "text/csv",
            description: words::ATTACHED,
            relation: AssociationKind::Data,
            bytes: csv.as_bytes(),
        }),
        descriptions: "",
    };
    paper::write(sheet.canvas, &about)
}

/// What each meter comes to, and how counters and events compare.
fn totals(sheet: &mut Sheet, report: &UsageReport, all: &[Total]) {
    sheet.heading(words::TOTALS);
    let is_one = report.about.by.is_none();
    let texts: Vec<_> = all
        .iter()
        .map(|it| {
            let details: Vec<_> = words::detail(it, is_one).into_iter().collect();
            (figures(&it.total, it.recount.as_deref()), details)
        })
        .collect();
    let rows = all.iter().zip(&texts).map(|(it, ([total, recount, equal], details))| Row {
        cells: [&it.meter, total, recount, equal],
        details,
        style: BODY,
    });
    let heads = [words::METER, words::TOTAL, words::RECOUNT, words::EQUAL];
    table::draw(sheet, heads, &rows.collect::<Vec<_>>());
    sheet.y += GAP / 2.0;
    sheet.paragraph(&words::compared(report), BODY);
}

/// The lines of each meter, with a picture of them.
fn each(sheet: &mut Sheet, report: &UsageReport, lines: &[Line], totals: &[Total]) {
    let each = (lines.len() / totals.len().max(1)).max(1);
    for (total, own) in totals.iter().zip(lines.chunks(each)) {
        sheet.y += GAP;
        sheet.heading(&total.meter);
        picture(sheet, report, own, total);
        let zone = report.about.zone;
        let texts: Vec<_> = own
            .iter()
            .map(|it| {
                let span = words::span(zone, it.from, it.to);
                (span, figures(&it.total, it.recount.as_deref()))
            })
            .chain(iter::once((
                words::all(total).to_owned(),
                figures(&total.total, total.recount.as_deref()),
            )))
            .collect();
        let last = texts.len() - 1;
        let rows = texts.iter().enumerate().map(|(index, (span, [total, recount, equal]))| Row {
            cells: [span, total, recount, equal],
            details: &[],
            style: if index == last { SUM } else { BODY },
        });
        let heads = [words::STRETCH, words::TOTAL, words::RECOUNT, words::EQUAL];
        table::draw(sheet, heads, &rows.collect::<Vec<_>>());
    }
}

/// Bars of the lines of a meter, in the order of time.
fn picture(sheet: &mut Sheet, report: &UsageReport, lines: &[Line], total: &Total) {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
    let together = lines.len().div_ceil(BARS_MAX).max(1);
    let bars: Vec<(&[Line], i128)> =
        lines.chunks(together).map(|it| (it, height(it, total.aggregation))).collect();
    let Some((lines, most)) = bars.iter().copied().max_by_key(|it| it.1) else { return };
    let from = lines.first().map_or(first.from, |it| it.from);
    let highest = words::highest(total, &number(&Amount(most).to_string()));
    let zone = report.about.zone;
    let values: Vec<f64> = bars.iter().map(|it| it.1 as f64).collect();
    let text = words::picture(total, &highest, &words::moment(zone, from), together);
    let bars = Bars {
        text: &text,
        values: &values,
        top: &words::scale(&highest, together, total.aggregation),
        ends: [&words::moment(zone, first.from), &words::moment(zone, last.to)],
    };
    chart::standing(sheet, &bars);
}

/// How high the bar of some lines is.
fn height(lines: &[Line], aggregation: Aggregation) -> i128 {
    let amounts = lines.iter().filter_map(|it| Amount::parse(&it.total)).map(|it| it.0);
    match aggregation {
        Aggregation::Sum | Aggregation::Count => amounts.fold(0, i128::saturating_add),
        Aggregation::Max | Aggregation::Unique => amounts.max().unwrap_or_default(),
    }
}

/// Bars of the meters, if they are of one unit: others cannot be compared.
fn compared(sheet: &mut Sheet, totals: &[Total]) {
    let Some(first) = totals.first().filter(|it| !it.unit.is_empty()) else { return };
    if totals.len() < 2 || totals.iter().any(|it| it.unit != first.unit) {
        return;
    }
    let amounts: Vec<_> = totals.iter().map(|it| number(&it.total)).collect();
    let bars = totals.iter().zip(&amounts).map(|(it, amount)| Bar {
        name: &it.meter,
        amount,
        value: Amount::parse(&it.total).unwrap_or_default().0 as f64,
    });
    sheet.y += GAP;
    chart::lying(sheet, &words::compared_meters(&first.unit), &bars.collect::<Vec<_>>());
}

/// Total, recount and whether they are equal.
fn figures(total: &str, recount: Option<&str>) -> [String; 3] {
    let equal = match recount {
        None => words::NOT_KEPT,
        Some(it) if it == total => words::YES,
        Some(_) => words::NO,
    };
    [number(total), recount.map_or(words::NOT_KEPT.to_owned(), number), equal.to_owned()]
}

/// A decimal in groups of three digits, if it has five before the point or more (ISO 80000-1).
fn number(decimal: &str) -> String {
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |it| ("-", it));
    let (whole, places) = digits
        .split_once('.')
        .map_or((digits, ""), |(it, _)| (it, digits.get(it.len()..).unwrap_or_default()));
    if whole.len() < 5 {
        return decimal.to_owned();
    }
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{places}")
}
