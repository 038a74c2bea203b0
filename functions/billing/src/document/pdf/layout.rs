//! Where everything stands: from the top of the first page down to the notes.

use pdf_writer::types::{StructRole, TableHeaderScope};

use super::{
    canvas::{Canvas, HEIGHT, Style, WIDTH},
    table,
    tags::{Tag, Tags},
};
use crate::document::{
    Error,
    content::{Address, Content, Fact, Sum},
    format::fill,
};

/// The margins of left and right.
pub const MARGIN: f32 = 56.0;
/// What is between them.
pub const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where a page begins, and where its foot does.
const TOP: f32 = 56.0;
const FOOT: f32 = HEIGHT - 56.0;
/// From one line to the next, by the size of the letters.
const LEADING: f32 = 1.4;
/// How much of that is below the letters.
const DESCENT: f32 = 0.22;
/// Between two columns.
pub const GAP: f32 = 14.0;
/// A QR code: 3.5 cm, which is read from a sheet on a desk.
const CODE_SIDE: f32 = 99.0;

/// Titles.
const TITLE: Style = Style { is_bold: true, size: 19.0, gray: 0.0 };
const NAME: Style = Style { is_bold: true, size: 10.0, gray: 0.0 };
/// What is read.
pub const BODY: Style = Style { is_bold: false, size: 9.5, gray: 0.0 };
/// What is looked for. The gray is 5.9:1 on white.
pub const SOFT: Style = Style { is_bold: false, size: 8.5, gray: 0.38 };
const TOTAL: Style = Style { is_bold: true, size: 11.0, gray: 0.0 };
pub const LINE_GRAY: f32 = 0.75;

/// The pages, and how far they are written.
pub struct Sheet {
    pub canvas: Canvas,
    page: usize,
    /// Down from the top of the page.
    pub y: f32,
}

/// A line of text; without a tag it is not read out.
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    pub style: Style,
    pub tag: Option<Tag>,
}

/// Lines below each other.
#[derive(Clone, Debug)]
pub struct Cell {
    pub left: f32,
    pub width: f32,
    pub is_right: bool,
    pub lines: Vec<Line>,
}

/// Draws all of it.
pub fn draw(content: &Content) -> Result<Canvas, Error> {
    let mut sheet = Sheet { canvas: Canvas::new()?, page: 0, y: TOP };
    sheet.head(content);
    sheet.parties(content);
    sheet.facts(&content.facts);
    table::draw(&mut sheet, content);
    sheet.sums(content);
    for text in &content.legal {
        sheet.paragraph(text, BODY);
    }
    sheet.payment(content);
    if let Some(note) = &content.note {
        sheet.y += GAP;
        sheet.heading(content.words.notes);
        sheet.paragraph(note, BODY);
    }
    sheet.feet(content);
    Ok(sheet.canvas)
}

impl Sheet {
    /// A new element below the document.
    pub fn tag(&mut self, role: StructRole) -> Tag {
        self.canvas.tags.add(Tags::ROOT, role)
    }

    /// `text` as lines of one style and element.
    pub fn lines(&self, text: &str, style: Style, width: f32, tag: Option<Tag>) -> Vec<Line> {
        let lines = self.canvas.font(style).wrap(text, style.size, width);
        lines.into_iter().map(|text| Line { text, style, tag }).collect()
    }

    /// Draws cells beside each other, their first lines at one height. At the foot of a page they
    /// go on on the next one, which begins with `repeat`.
    pub fn row(&mut self, cells: &[Cell], repeat: &[Cell]) {
        self.keep(height(cells), repeat);
        let mut leadings = leadings(cells);
        let mut from = 0;
        while let Some(first) = leadings.first() {
            self.keep(*first, repeat);
            let mut y = self.y;
            // One line at least, or it would never end.
            let fit = leadings.iter().skip(1).take_while(|it| {
                y += **it;
                y + first <= FOOT
            });
            let rest = leadings.split_off(fit.count() + 1);
            self.piece(cells, from, &leadings);
            from += leadings.len();
            leadings = rest;
        }
    }

    /// Draws the lines from `from` on, cell by cell: so they are read, and copied.
    fn piece(&mut self, cells: &[Cell], from: usize, leadings: &[f32]) {
        for cell in cells {
            let mut y = self.y;
            for (line, leading) in cell.lines.iter().skip(from).zip(leadings) {
                y += leading;
                // Letters of all sizes stand on one line, with room for what is below it.
                self.line(cell, line, y - leading * DESCENT);
            }
        }
        self.y += leadings.iter().sum::<f32>();
    }

    /// Turns the page if less than this is left on it. What fits on no page turns none, and is
    /// broken where the page ends.
    fn keep(&mut self, height: f32, repeat: &[Cell]) {
        let fits_on_a_page = height < FOOT - TOP - self::height(repeat);
        if self.y + height <= FOOT || !fits_on_a_page {
            return;
        }
        self.canvas.turn();
        self.page += 1;
        self.y = TOP;
        if !repeat.is_empty() {
            self.row(repeat, &[]);
            self.rule();
        }
    }

    fn line(&mut self, cell: &Cell, line: &Line, y: f32) {
        let width = self.canvas.font(line.style).width(&line.text, line.style.size);
        let left = if cell.is_right { cell.left + cell.width - width } else { cell.left };
        self.canvas.text(self.page, line.tag, line.style, (left, y), &line.text);
    }

    /// A line over the whole width.
    pub fn rule(&mut self) {
        self.y += 3.0;
        self.canvas.rule(self.page, (MARGIN, self.y), INNER, 0.6, LINE_GRAY);
        self.y += 3.0;
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        let tag = Some(self.tag(StructRole::P));
        let lines = self.lines(text, style, INNER, tag);
        self.row(&[whole(lines)], &[]);
    }

    fn heading(&mut self, text: &str) {
        let tag = Some(self.tag(StructRole::H2));
        let lines = self.lines(text, NAME, INNER, tag);
        // Not alone at the foot of a page.
        self.keep(3.0 * NAME.size * LEADING, &[]);
        self.row(&[whole(lines)], &[]);
    }

    fn head(&mut self, content: &Content) {
        let tag = Some(self.tag(StructRole::H1));
        let lines = self.lines(&content.title, TITLE, INNER, tag);
        self.row(&[whole(lines)], &[]);
        if let Some(status) = &content.status {
            self.paragraph(status, NAME);
        }
        self.y += GAP;
    }

    fn parties(&mut self, content: &Content) {
        let width = (INNER - 2.0 * GAP) / 2.0;
        let words = content.words;
        let buyer = self.party(words.buyer, &content.buyer, MARGIN, width);
        let seller = self.party(words.seller, &content.seller, MARGIN + width + 2.0 * GAP, width);
        self.row(&[buyer, seller], &[]);
        self.y += GAP;
        self.rule();
    }

    fn party(&mut self, name: &str, it: &Address, left: f32, width: f32) -> Cell {
        let head = Some(self.tag(StructRole::H2));
        let mut lines = self.lines(name, SOFT, width, head);
        let tag = Some(self.tag(StructRole::P));
        lines.extend(self.lines(&it.name, NAME, width, tag));
        for line in &it.lines {
            lines.extend(self.lines(line, BODY, width, tag));
        }
        for (name, value) in &it.facts {
            let tag = Some(self.tag(StructRole::P));
            lines.extend(self.lines(&format!("{name}: {value}"), SOFT, width, tag));
        }
        Cell { left, width, is_right: false, lines }
    }

    fn facts(&mut self, facts: &[Fact]) {
        self.list(facts, MARGIN, INNER);
        self.y += GAP;
    }

    /// Names on the left, values beside them.
    fn list(&mut self, facts: &[Fact], left: f32, width: f32) {
        let names = facts.iter().map(|(name, _)| self.canvas.font(SOFT).width(name, SOFT.size));
        let indent = names.fold(0.0, f32::max).min(width / 2.0);
        let list = self.tag(StructRole::L);
        for (name, value) in facts {
            let item = self.canvas.tags.add(list, StructRole::LI);
            let label = Some(self.canvas.tags.add(item, StructRole::Lbl));
            let body = Some(self.canvas.tags.add(item, StructRole::LBody));
            let lines = self.lines(name, SOFT, indent, label);
            let name = Cell { left, width: indent, is_right: false, lines };
            let (left, width) = (left + indent + GAP, width - indent - GAP);
            let lines = self.lines(value, BODY, width, body);
            self.row(&[name, Cell { left, width, is_right: false, lines }], &[]);
        }
    }

    fn sums(&mut self, content: &Content) {
        self.y += GAP / 2.0;
        let left = MARGIN + INNER * 0.4;
        let widths = content.sums.iter().map(|it| {
            let style = style(it);
            self.canvas.font(style).width(&it.amount, style.size)
        });
        let width = widths.fold(0.0, f32::max).min(INNER * 0.35);
        // What adds up stands on one page.
        self.keep(content.sums.len() as f32 * TOTAL.size * LEADING + GAP, &[]);
        let table = self.tag(StructRole::Table);
        for sum in &content.sums {
            let row = self.canvas.tags.add(table, StructRole::TR);
            let head = Some(self.canvas.tags.add_head(row, TableHeaderScope::Row));
            let body = Some(self.canvas.tags.add(row, StructRole::TD));
            let style = style(sum);
            let label_width = MARGIN + INNER - left - width - GAP;
            let lines = self.lines(&sum.label, style, label_width, head);
            let label = Cell { left, width: label_width, is_right: false, lines };
            let lines = self.lines(&sum.amount, style, width, body);
            let amount = Cell { left: MARGIN + INNER - width, width, is_right: true, lines };
            let cells = [label, amount];
            if sum.is_total {
                self.keep(height(&cells) + GAP, &[]);
                let from = (left, self.y + 3.0);
                self.canvas.rule(self.page, from, MARGIN + INNER - left, 0.8, 0.0);
                self.y += 5.0;
            }
            self.row(&cells, &[]);
        }
        self.y += GAP;
    }

    fn payment(&mut self, content: &Content) {
        if content.payment.is_empty() {
            return;
        }
        self.y += GAP;
        let room = if content.code.is_some() { CODE_SIDE + 4.0 * SOFT.size } else { 0.0 };
        self.keep(room + NAME.size * LEADING, &[]);
        self.heading(content.words.payment);
        let (page, top) = (self.page, self.y);
        let width = INNER - CODE_SIDE - 2.0 * GAP;
        self.list(&content.payment, MARGIN, width);
        let Some((code, text)) = &content.code else { return };
        let end = (self.page, self.y);
        // Beside the list if it is still on that page.
        if end.0 == page {
            self.y = top;
        }
        let at = (MARGIN + INNER - CODE_SIDE, self.y);
        let place = Canvas::square(at, CODE_SIDE);
        let figure = self.canvas.tags.add_figure(Tags::ROOT, text, place);
        self.canvas.code(self.page, figure, at, CODE_SIDE, code);
        self.y += CODE_SIDE;
        // The code's own text says it already.
        let lines = self.lines(text, SOFT, CODE_SIDE, None);
        self.row(&[Cell { left: at.0, width: CODE_SIDE, is_right: false, lines }], &[]);
        if end.0 == self.page {
            self.y = self.y.max(end.1);
        }
    }

    /// What stands at the foot of each page, when it is known how many there are.
    fn feet(&mut self, content: &Content) {
        let of = self.canvas.pages.len().to_string();
        let left = format!("{} · {}", content.title, content.seller.name);
        let y = FOOT + 22.0;
        for page in 0..self.canvas.pages.len() {
            let number = (page + 1).to_string();
            let number = fill(content.words.page, &[("{n}", &number), ("{of}", &of)]);
            let width = self.canvas.font(SOFT).width(&number, SOFT.size);
            let room = INNER - width - GAP;
            let first = self.lines(&left, SOFT, room, None).into_iter().next();
            let left = first.map(|it| it.text).unwrap_or_default();
            self.canvas.rule(page, (MARGIN, y - 12.0), INNER, 0.6, LINE_GRAY);
            self.canvas.text(page, None, SOFT, (MARGIN, y), &left);
            self.canvas.text(page, None, SOFT, (MARGIN + INNER - width, y), &number);
        }
    }
}

/// A cell of the whole width.
fn whole(lines: Vec<Line>) -> Cell {
    Cell { left: MARGIN, width: INNER, is_right: false, lines }
}

fn style(sum: &Sum) -> Style {
    if sum.is_total { TOTAL } else { BODY }
}

/// How high each line is: as its highest cell wants it.
fn leadings(cells: &[Cell]) -> Vec<f32> {
    let count = cells.iter().map(|it| it.lines.len()).max().unwrap_or_default();
    let highest = |index: usize| {
        let lines = cells.iter().filter_map(|it| it.lines.get(index));
        lines.map(|it| it.style.size).fold(0.0, f32::max)
    };
    (0..count).map(|index| highest(index) * LEADING).collect()
}

/// How high cells beside each other are.
fn height(cells: &[Cell]) -> f32 {
    leadings(cells).iter().sum()
}
