//! Bars: how much of something, one after the other, or of several things below each other.

use crate::{
    canvas::{Canvas, HEIGHT},
    sheet::{Cell, GAP, INNER, LEADING, MARGIN, SOFT, Sheet},
    tags::{Tag, Tags},
};

/// How high the highest bar is, where they stand.
const RISE: f32 = 72.0;
/// How high a bar is, where they lie.
const THICKNESS: f32 = 8.0;
/// What is left between two bars, by what each has.
const BETWEEN: f32 = 0.2;
/// No bar is thinner, so that none is invisible.
const THIN: f32 = 0.4;
/// It is 4.6:1 on white.
const GRAY: f32 = 0.45;

/// Bars that stand beside each other.
pub struct Bars<'a> {
    /// What they say, for whoever does not see them.
    pub text: &'a str,
    /// How high each is; one below zero hangs.
    pub values: &'a [f64],
    /// What stands above them: how much the highest is.
    pub top: &'a str,
    /// What stands below the first, and below the last.
    pub ends: [&'a str; 2],
}

/// A bar that lies, with what it is of and how much that is.
pub struct Bar<'a> {
    /// Of what.
    pub name: &'a str,
    /// How much, as it is written.
    pub amount: &'a str,
    /// How long it is; one below zero has no length.
    pub value: f64,
}

/// Draws bars that stand. When all are zero there is nothing to see, and nothing is drawn.
pub fn standing(sheet: &mut Sheet, bars: &Bars<'_>) {
    let high = bars.values.iter().copied().fold(0.0, f64::max);
    let low = bars.values.iter().copied().fold(0.0, f64::min);
    if high - low <= 0.0 {
        return;
    }
    let line = SOFT.size * LEADING;
    let whole = RISE + 2.0 * line + GAP;
    sheet.keep(whole, &[]);
    let top = sheet.y;
    let figure = figure(sheet, bars.text, whole);
    let share = |it: f64| (it / (high - low)) as f32 * RISE;
    let foot = top + line + RISE;
    let zero = foot + share(low);
    let step = INNER / bars.values.len() as f32;
    let boxes = bars.values.iter().enumerate().filter(|(_, it)| **it != 0.0).map(|(index, it)| {
        let rise = share(it.abs()).max(THIN);
        let lower = if *it > 0.0 { zero } else { zero + rise };
        let left = MARGIN + (index as f32 + BETWEEN / 2.0) * step;
        [left, HEIGHT - lower, step * (1.0 - BETWEEN), rise]
    });
    label(sheet, figure, bars.top, (MARGIN, INNER), false);
    let page = sheet.page;
    sheet.canvas.boxes(page, Some(figure), GRAY, boxes);
    sheet.canvas.rule(page, (MARGIN, zero), INNER, 0.6, 0.0);
    sheet.y = foot;
    let [first, last] = bars.ends;
    label(sheet, figure, first, (MARGIN, INNER / 2.0), false);
    sheet.y = foot;
    label(sheet, figure, last, (MARGIN + INNER / 2.0, INNER / 2.0), true);
    sheet.y = top + whole;
}

/// Draws bars that lie below each other. When none has a length, nothing is drawn.
pub fn lying(sheet: &mut Sheet, text: &str, bars: &[Bar<'_>]) {
    let most = bars.iter().map(|it| it.value).fold(0.0, f64::max);
    if most <= 0.0 {
        return;
    }
    let line = SOFT.size * LEADING;
    let whole = bars.len() as f32 * line + GAP;
    sheet.keep(whole, &[]);
    let top = sheet.y;
    let figure = figure(sheet, text, whole);
    let names = INNER * 0.35;
    let amounts = INNER * 0.25;
    let room = INNER - names - amounts - 2.0 * GAP;
    for bar in bars {
        let y = sheet.y;
        label(sheet, figure, bar.name, (MARGIN, names), false);
        sheet.y = y;
        label(sheet, figure, bar.amount, (MARGIN + INNER - amounts, amounts), true);
        sheet.y = y + line;
        if bar.value > 0.0 {
            let length = ((bar.value / most) as f32 * room).max(THIN);
            let lower = HEIGHT - y - (line + THICKNESS) / 2.0;
            let drawn = [[MARGIN + names + GAP, lower, length, THICKNESS]];
            sheet.canvas.boxes(sheet.page, Some(figure), GRAY, drawn.into_iter());
        }
    }
    sheet.y = top + whole;
}

fn figure(sheet: &mut Sheet, text: &str, height: f32) -> Tag {
    let place = Canvas::place((MARGIN, sheet.y), (INNER, height));
    sheet.canvas.tags.add_figure(Tags::ROOT, text, place)
}

/// The first line of a text, in this much room.
fn label(sheet: &mut Sheet, tag: Tag, text: &str, (left, width): (f32, f32), is_right: bool) {
    let mut lines = sheet.lines(text, SOFT, width, Some(tag));
    lines.truncate(1);
    sheet.row(&[Cell { left, width, is_right, lines }], &[]);
}
