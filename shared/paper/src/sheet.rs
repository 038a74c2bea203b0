//! Where things stand: texts below and beside each other, on as many pages as they need.

use pdf_writer::types::StructRole;

use crate::{
    Error,
    canvas::{Canvas, HEIGHT, Style, WIDTH},
    tags::{Tag, Tags},
};

/// The margins of left and right.
pub const MARGIN: f32 = 56.0;
/// What is between them.
pub const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where a page begins, and where its foot does.
const TOP: f32 = 56.0;
const FOOT: f32 = HEIGHT - 56.0;
/// From one line to the next, by the size of the letters.
pub const LEADING: f32 = 1.4;
/// How much of that is below the letters.
const DESCENT: f32 = 0.22;
/// Between two columns.
pub const GAP: f32 = 14.0;

/// Titles.
pub const TITLE: Style = Style { is_bold: true, size: 19.0, gray: 0.0 };
/// Names, and what stands above others.
pub const NAME: Style = Style { is_bold: true, size: 10.0, gray: 0.0 };
/// What is read.
pub const BODY: Style = Style { is_bold: false, size: 9.5, gray: 0.0 };
/// What is looked for. The gray is 5.9:1 on white.
pub const SOFT: Style = Style { is_bold: false, size: 8.5, gray: 0.38 };
/// What it comes to.
pub const TOTAL: Style = Style { is_bold: true, size: 11.0, gray: 0.0 };
/// Lines between others: they are decoration.
pub const LINE_GRAY: f32 = 0.75;

/// A name and its value.
pub type Fact = (&'static str, String);

/// The pages, and how far they are written.
pub struct Sheet {
    /// What is drawn.
    pub canvas: Canvas,
    /// The page that is written on.
    pub page: usize,
    /// Down from the top of the page.
    pub y: f32,
}

/// A line of text; without a tag it is not read out.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// What it belongs to.
    pub tag: Option<Tag>,
}

/// Lines below each other.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its left edge.
    pub left: f32,
    /// How wide it is.
    pub width: f32,
    /// Whether its lines end at its right edge.
    pub is_right: bool,
    /// They are as wide as it is at most.
    pub lines: Vec<Line>,
}

impl Sheet {
    /// One empty page.
    ///
    /// # Errors
    /// When a font cannot be used, which is a mistake of ours.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { canvas: Canvas::new()?, page: 0, y: TOP })
    }

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
    pub fn keep(&mut self, height: f32, repeat: &[Cell]) {
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

    /// A paragraph over the whole width.
    pub fn paragraph(&mut self, text: &str, style: Style) {
        let tag = Some(self.tag(StructRole::P));
        let lines = self.lines(text, style, INNER, tag);
        self.row(&[whole(lines)], &[]);
    }

    /// A heading, which is not left alone at the foot of a page.
    pub fn heading(&mut self, text: &str) {
        let tag = Some(self.tag(StructRole::H2));
        let lines = self.lines(text, NAME, INNER, tag);
        self.keep(3.0 * NAME.size * LEADING, &[]);
        self.row(&[whole(lines)], &[]);
    }

    /// The title of all.
    pub fn title(&mut self, text: &str) {
        let tag = Some(self.tag(StructRole::H1));
        let lines = self.lines(text, TITLE, INNER, tag);
        self.row(&[whole(lines)], &[]);
    }

    /// Names on the left, values beside them.
    pub fn list(&mut self, facts: &[Fact], left: f32, width: f32) {
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

    /// What stands at the foot of each page, when it is known how many there are: a text, and what
    /// `number` makes of the page's number and of how many there are.
    pub fn feet(&mut self, left: &str, number: impl Fn(usize, usize) -> String) {
        let of = self.canvas.pages.len();
        let y = FOOT + 22.0;
        for page in 0..of {
            let number = number(page + 1, of);
            let width = self.canvas.font(SOFT).width(&number, SOFT.size);
            let room = INNER - width - GAP;
            let first = self.lines(left, SOFT, room, None).into_iter().next();
            let left = first.map(|it| it.text).unwrap_or_default();
            self.canvas.rule(page, (MARGIN, y - 12.0), INNER, 0.6, LINE_GRAY);
            self.canvas.text(page, None, SOFT, (MARGIN, y), &left);
            self.canvas.text(page, None, SOFT, (MARGIN + INNER - width, y), &number);
        }
    }
}

/// A cell of the whole width.
pub fn whole(lines: Vec<Line>) -> Cell {
    Cell { left: MARGIN, width: INNER, is_right: false, lines }
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
pub fn height(cells: &[Cell]) -> f32 {
    leadings(cells).iter().sum()
}
