//! Pages, and what is drawn on them. Lengths are points, measured from the top left corner.

use pdf_writer::{Content, Name, Rect, Str};

use crate::{
    Error,
    font::{Font, Fonts},
    tags::{Tag, Tags},
};

/// A4.
pub const WIDTH: f32 = 595.28;
/// A4.
pub const HEIGHT: f32 = 841.89;
/// The names of the fonts on each page.
pub const REGULAR: Name<'static> = Name(b"R");
/// The bold one.
pub const BOLD: Name<'static> = Name(b"B");

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether its letters are bold.
    pub is_bold: bool,
    /// Points.
    pub size: f32,
    /// 0 is black, 1 is white.
    pub gray: f32,
}

/// All pages.
pub struct Canvas {
    /// What it is written with.
    pub fonts: Fonts,
    /// What it means.
    pub tags: Tags,
    /// One at least.
    pub pages: Vec<Page>,
}

/// One of them.
pub struct Page {
    /// What is drawn on it.
    pub content: Content,
    /// Which element each marked piece belongs to, by its number.
    pub marks: Vec<Tag>,
}

impl Canvas {
    /// One empty page.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { fonts: Fonts::new()?, tags: Tags::new(), pages: vec![Page::new()] })
    }

    /// Goes on on another page.
    pub fn turn(&mut self) {
        self.pages.push(Page::new());
    }

    /// The font of a style.
    pub fn font(&self, style: Style) -> &Font {
        if style.is_bold { &self.fonts.bold } else { &self.fonts.regular }
    }

    /// Writes a line whose letters stand on `y`. Without a tag it is decoration, which no reader
    /// reads out.
    pub fn text(
        &mut self,
        page: usize,
        tag: Option<Tag>,
        style: Style,
        at: (f32, f32),
        text: &str,
    ) {
        let (font, name) = match style.is_bold {
            true => (&mut self.fonts.bold, BOLD),
            false => (&mut self.fonts.regular, REGULAR),
        };
        let glyphs = font.encode(text);
        self.marked(page, tag, |content| {
            content.begin_text().set_fill_gray(style.gray).set_font(name, style.size);
            content.next_line(at.0, HEIGHT - at.1).show(Str(&glyphs)).end_text();
        });
    }

    /// A horizontal line of decoration.
    pub fn rule(&mut self, page: usize, from: (f32, f32), width: f32, thickness: f32, gray: f32) {
        self.marked(page, None, |content| {
            let y = HEIGHT - from.1;
            content.set_stroke_gray(gray).set_line_width(thickness);
            content.move_to(from.0, y).line_to(from.0 + width, y).stroke();
        });
    }

    /// Boxes of one colour: left edge, lower edge, width and height of each, the lower edge
    /// measured from the foot of the page, as PDF counts.
    pub fn boxes(
        &mut self,
        page: usize,
        tag: Option<Tag>,
        gray: f32,
        boxes: impl Iterator<Item = [f32; 4]>,
    ) {
        self.marked(page, tag, |content| {
            content.set_fill_gray(gray);
            for [left, lower, width, height] in boxes {
                content.rect(left, lower, width, height);
            }
            content.fill_nonzero();
        });
    }

    /// Where a box of this width and height is on its page, as PDF counts.
    pub fn place(at: (f32, f32), (width, height): (f32, f32)) -> Rect {
        Rect::new(at.0, HEIGHT - at.1 - height, at.0 + width, HEIGHT - at.1)
    }

    fn marked(&mut self, page: usize, tag: Option<Tag>, draw: impl FnOnce(&mut Content)) {
        let Some(at) = self.pages.get_mut(page) else { return };
        match tag {
            Some(tag) => {
                let mark = i32::try_from(at.marks.len()).unwrap_or(i32::MAX);
                at.marks.push(tag);
                let name = self.tags.name(tag);
                self.tags.mark(tag, page, mark);
                at.content.begin_marked_content_with_properties(name).properties().identify(mark);
            }
            None => {
                at.content.begin_marked_content(Name(b"Artifact"));
            }
        }
        draw(&mut at.content);
        at.content.end_marked_content();
    }
}

impl Page {
    fn new() -> Self {
        Self { content: Content::new(), marks: vec![] }
    }
}
