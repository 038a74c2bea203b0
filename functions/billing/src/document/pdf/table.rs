//! The lines of the document, as a table whose head is repeated on each page.

use pdf_writer::types::{StructRole, TableHeaderScope};

use super::{
    canvas::Style,
    layout::{BODY, Cell, GAP, INNER, Line, MARGIN, SOFT, Sheet},
    tags::Tag,
};
use crate::document::content::{Content, Row};

/// What a column of numbers has at most; longer ones are broken.
const NUMBER_WIDTH_MAX: f32 = 84.0;
const HEAD: Style = Style { is_bold: true, size: 8.5, gray: 0.0 };

/// Left edge and width of each column: what it is, then the numbers.
type Columns = [(f32, f32); 5];

/// Draws the table.
pub fn draw(sheet: &mut Sheet, content: &Content) {
    let columns = columns(sheet, content);
    let table = sheet.tag(StructRole::Table);
    let row = sheet.canvas.tags.add(table, StructRole::TR);
    let names = names(content);
    let tags: Vec<Tag> =
        names.iter().map(|_| sheet.canvas.tags.add_head(row, TableHeaderScope::Column)).collect();
    let head = cells(sheet, &columns, names, HEAD, &tags);
    sheet.row(&head, &[]);
    sheet.rule();
    // On the next pages it is there for the eye only.
    let repeat: Vec<Cell> = head.into_iter().map(silent).collect();
    for it in &content.rows {
        let row = sheet.canvas.tags.add(table, StructRole::TR);
        let cells = row_cells(sheet, &columns, it, row);
        sheet.row(&cells, &repeat);
        sheet.rule();
    }
}

fn names(content: &Content) -> [&str; 5] {
    let words = content.words;
    [words.item, words.quantity, words.price, words.vat, words.amount]
}

fn texts(row: &Row) -> [&str; 5] {
    [&row.name, &row.quantity, &row.price, &row.vat, &row.amount]
}

/// The numbers have what the longest of them needs, the rest is for what it is.
fn columns(sheet: &Sheet, content: &Content) -> Columns {
    let (head, body) = (sheet.canvas.font(HEAD), sheet.canvas.font(BODY));
    let mut widths = names(content).map(|it| head.width(it, HEAD.size));
    for row in &content.rows {
        for (width, text) in widths.iter_mut().zip(texts(row)) {
            *width = width.max(body.width(text, BODY.size));
        }
    }
    let mut right = MARGIN + INNER;
    let mut columns = [(MARGIN, 0.0); 5];
    for (column, width) in columns.iter_mut().zip(widths).skip(1).rev() {
        let width = width.min(NUMBER_WIDTH_MAX);
        *column = (right - width, width);
        right -= width + GAP;
    }
    if let Some(first) = columns.first_mut() {
        *first = (MARGIN, right - MARGIN);
    }
    columns
}

fn row_cells(sheet: &mut Sheet, columns: &Columns, it: &Row, row: Tag) -> Vec<Cell> {
    let tags = &mut sheet.canvas.tags;
    let mut all = vec![tags.add_head(row, TableHeaderScope::Row)];
    all.extend((1..columns.len()).map(|_| tags.add(row, StructRole::TD)));
    let mut cells = cells(sheet, columns, texts(it), BODY, &all);
    if let Some(first) = cells.first_mut() {
        for detail in &it.details {
            first.lines.extend(sheet.lines(detail, SOFT, first.width, all.first().copied()));
        }
    }
    cells
}

fn cells(
    sheet: &Sheet,
    columns: &Columns,
    texts: [&str; 5],
    style: Style,
    tags: &[Tag],
) -> Vec<Cell> {
    let all = columns.iter().zip(texts).zip(tags).enumerate();
    all.map(|(index, (((left, width), text), tag))| {
        let lines = sheet.lines(text, style, *width, Some(*tag));
        Cell { left: *left, width: *width, is_right: index > 0, lines }
    })
    .collect()
}

fn silent(cell: Cell) -> Cell {
    let lines = cell.lines.into_iter().map(|it| Line { tag: None, ..it }).collect();
    Cell { lines, ..cell }
}
