//! Where everything stands: from the top of the first page down to the notes.

use paper::{
    StructRole, TableHeaderScope,
    canvas::{Canvas, HEIGHT, Style},
    sheet::{BODY, Cell, GAP, INNER, LEADING, MARGIN, NAME, SOFT, Sheet, TOTAL, height},
    table::{self, Row},
    tags::Tags,
};

use crate::document::{
    Error,
    content::{Address, Content, Sum},
    epc::Code,
    format::fill,
};

/// A QR code: 3.5 cm, which is read from a sheet on a desk.
const CODE_SIDE: f32 = 99.0;

/// Draws all of it.
pub fn draw(content: &Content) -> Result<Canvas, Error> {
    let mut sheet = Sheet::new()?;
    head(&mut sheet, content);
    parties(&mut sheet, content);
    sheet.list(&content.facts, MARGIN, INNER);
    sheet.y += GAP;
    lines(&mut sheet, content);
    sums(&mut sheet, content);
    for text in &content.legal {
        sheet.paragraph(text, BODY);
    }
    payment(&mut sheet, content);
    if let Some(note) = &content.note {
        sheet.y += GAP;
        sheet.heading(content.words.notes);
        sheet.paragraph(note, BODY);
    }
    let left = format!("{} · {}", content.title, content.seller.name);
    sheet.feet(&left, |number, of| {
        let (number, of) = (number.to_string(), of.to_string());
        fill(content.words.page, &[("{n}", &number), ("{of}", &of)])
    });
    Ok(sheet.canvas)
}

fn head(sheet: &mut Sheet, content: &Content) {
    sheet.title(&content.title);
    if let Some(status) = &content.status {
        sheet.paragraph(status, NAME);
    }
    sheet.y += GAP;
}

fn parties(sheet: &mut Sheet, content: &Content) {
    let width = (INNER - 2.0 * GAP) / 2.0;
    let words = content.words;
    let buyer = party(sheet, words.buyer, &content.buyer, MARGIN, width);
    let seller = party(sheet, words.seller, &content.seller, MARGIN + width + 2.0 * GAP, width);
    sheet.row(&[buyer, seller], &[]);
    sheet.y += GAP;
    sheet.rule();
}

fn party(sheet: &mut Sheet, name: &str, it: &Address, left: f32, width: f32) -> Cell {
    let head = Some(sheet.tag(StructRole::H2));
    let mut lines = sheet.lines(name, SOFT, width, head);
    let tag = Some(sheet.tag(StructRole::P));
    lines.extend(sheet.lines(&it.name, NAME, width, tag));
    for line in &it.lines {
        lines.extend(sheet.lines(line, BODY, width, tag));
    }
    for (name, value) in &it.facts {
        let tag = Some(sheet.tag(StructRole::P));
        lines.extend(sheet.lines(&format!("{name}: {value}"), SOFT, width, tag));
    }
    Cell { left, width, is_right: false, lines }
}

fn lines(sheet: &mut Sheet, content: &Content) {
    let words = content.words;
    let heads = [words.item, words.quantity, words.price, words.vat, words.amount];
    let rows = content.rows.iter().map(|it| Row {
        cells: [&it.name, &it.quantity, &it.price, &it.vat, &it.amount].map(String::as_str),
        details: &it.details,
        style: BODY,
    });
    table::draw(sheet, heads, &rows.collect::<Vec<_>>());
}

fn sums(sheet: &mut Sheet, content: &Content) {
    sheet.y += GAP / 2.0;
    let left = MARGIN + INNER * 0.4;
    let widths = content.sums.iter().map(|it| {
        let style = style(it);
        sheet.canvas.font(style).width(&it.amount, style.size)
    });
    let width = widths.fold(0.0, f32::max).min(INNER * 0.35);
    // What adds up stands on one page.
    sheet.keep(content.sums.len() as f32 * TOTAL.size * LEADING + GAP, &[]);
    let table = sheet.tag(StructRole::Table);
    for sum in &content.sums {
        let row = sheet.canvas.tags.add(table, StructRole::TR);
        let head = Some(sheet.canvas.tags.add_head(row, TableHeaderScope::Row));
        let body = Some(sheet.canvas.tags.add(row, StructRole::TD));
        let style = style(sum);
        let label_width = MARGIN + INNER - left - width - GAP;
        let lines = sheet.lines(&sum.label, style, label_width, head);
        let label = Cell { left, width: label_width, is_right: false, lines };
        let lines = sheet.lines(&sum.amount, style, width, body);
        let amount = Cell { left: MARGIN + INNER - width, width, is_right: true, lines };
        let cells = [label, amount];
        if sum.is_total {
            sheet.keep(height(&cells) + GAP, &[]);
            let from = (left, sheet.y + 3.0);
            sheet.canvas.rule(sheet.page, from, MARGIN + INNER - left, 0.8, 0.0);
            sheet.y += 5.0;
        }
        sheet.row(&cells, &[]);
    }
    sheet.y += GAP;
}

fn payment(sheet: &mut Sheet, content: &Content) {
    if content.payment.is_empty() {
        return;
    }
    sheet.y += GAP;
    let room = if content.code.is_some() { CODE_SIDE + 4.0 * SOFT.size } else { 0.0 };
    sheet.keep(room + NAME.size * LEADING, &[]);
    sheet.heading(content.words.payment);
    let (page, top) = (sheet.page, sheet.y);
    let width = INNER - CODE_SIDE - 2.0 * GAP;
    sheet.list(&content.payment, MARGIN, width);
    let Some((code, text)) = &content.code else { return };
    let end = (sheet.page, sheet.y);
    // Beside the list if it is still on that page.
    if end.0 == page {
        sheet.y = top;
    }
    let at = (MARGIN + INNER - CODE_SIDE, sheet.y);
    let place = Canvas::place(at, (CODE_SIDE, CODE_SIDE));
    let figure = sheet.canvas.tags.add_figure(Tags::ROOT, text, place);
    sheet.canvas.boxes(sheet.page, Some(figure), 0.0, modules(code, at));
    sheet.y += CODE_SIDE;
    // The code's own text says it already.
    let lines = sheet.lines(text, SOFT, CODE_SIDE, None);
    sheet.row(&[Cell { left: at.0, width: CODE_SIDE, is_right: false, lines }], &[]);
    if end.0 == sheet.page {
        sheet.y = sheet.y.max(end.1);
    }
}

/// The dark modules of a code, its quiet zone within its side.
fn modules(code: &Code, at: (f32, f32)) -> impl Iterator<Item = [f32; 4]> {
    let module = CODE_SIDE / code.side as f32;
    code.dark.iter().map(move |(x, y, run)| {
        let lower = HEIGHT - at.1 - (*y as f32 + 1.0) * module;
        [at.0 + *x as f32 * module, lower, *run as f32 * module, module]
    })
}

fn style(sum: &Sum) -> Style {
    if sum.is_total { TOTAL } else { BODY }
}
