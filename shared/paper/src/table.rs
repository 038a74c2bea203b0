//! Rows below each other, as a table whose head is repeated on each page.

use pdf_writer::types::{StructRole, TableHeaderScope};

use crate::{
    canvas::Style,
    sheet::{Cell, GAP, INNER, Line, MARGIN, SOFT, Sheet},
    tags::Tag,
};

/// What a column but the first has at most; what is longer is broken.
const WIDTH_MAX: f32 = 84.0;
const HEAD: Style = Style { is_bold: true, size: 8.5, gray: 0.0 };

/// Left edge and width of each column.
type Columns<const N: usize> = [(f32, f32); N];

/// A row: what it is, then what there is to say of it, which ends at the right of its column.
pub struct Row<'a, const N: usize> {
    /// One for each column.
    pub cells: [&'a str; N],
    /// What stands small below the first.
    pub details: &'a [String],
    /// How it looks.
    pub style: Style,
}

/// Draws a table.
pub fn draw<const N: usize>(sheet: &mut Sheet, heads: [&str; N], rows: &[Row<'_, N>]) {
    let columns = columns(sheet, heads, rows);
    let table = sheet.tag(StructRole::Table);
    let row = sheet.canvas.tags.add(table, StructRole::TR);
    let tags: Vec<Tag> =
        heads.iter().map(|_| sheet.canvas.tags.add_head(row, TableHeaderScope::Column)).collect();
    let head = cells(sheet, &columns, heads, HEAD, &tags);
    sheet.row(&head, &[]);
    sheet.rule();
    // On the next pages it is there for the eye only.
    let repeat: Vec<Cell> = head.into_iter().map(silent).collect();
    for it in rows {
        let row = sheet.canvas.tags.add(table, StructRole::TR);
        let cells = row_cells(sheet, &columns, it, row);
        sheet.row(&cells, &repeat);
        sheet.rule();
    }
}

/// All but the first have what the longest text in them needs, and the first has the rest.
fn columns<const N: usize>(sheet: &Sheet, heads: [&str; N], rows: &[Row<'_, N>]) -> Columns<N> {
    let mut widths = heads.map(|it| sheet.canvas.font(HEAD).width(it, HEAD.size));
    for row in rows {
        let font = sheet.canvas.font(row.style);
        for (width, text) in widths.iter_mut().zip(row.cells) {
            *width = width.max(font.width(text, row.style.size));
        }
    }
    let mut right = MARGIN + INNER;
    let mut columns = [(MARGIN, 0.0); N];
    for (column, width) in columns.iter_mut().zip(widths).skip(1).rev() {
        let width = width.min(WIDTH_MAX);
        *column = (right - width, width);
        right -= width + GAP;
    }
    if let Some(first) = columns.first_mut() {
        *first = (MARGIN, right - MARGIN);
    }
    columns
}

fn row_cells<const N: usize>(
    sheet: &mut Sheet,
    columns: &Columns<N>,
    it: &Row<'_, N>,
    row: Tag,
) -> Vec<Cell> {
    let tags = &mut sheet.canvas.tags;
    let mut all = vec![tags.add_head(row, TableHeaderScope::Row)];
    all.extend((1..N).map(|_| tags.add(row, StructRole::TD)));
    let mut cells = cells(sheet, columns, it.cells, it.style, &all);
    if let Some(first) = cells.first_mut() {
        for detail in it.details {
            first.lines.extend(sheet.lines(detail, SOFT, first.width, all.first().copied()));
        }
    }
    cells
}

fn cells<const N: usize>(
    sheet: &Sheet,
    columns: &Columns<N>,
    texts: [&str; N],
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
