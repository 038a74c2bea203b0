//! Pages, and what is drawn on them. Lengths are points, measured from the top left corner.

use pdf_writer::{Content, Name, Rect, Str};

use super::{
    font::{Font, Fonts},
    tags::{Tag, Tags},
};
use crate::document::{Error, epc::Code};

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
    pub is_bold: bool,
    /// Points.
    pub size: f32,
    /// 0 is black, 1 is white.
    pub gray: f32,
}

/// All pages.
pub struct Canvas {
    pub fonts: Fonts,
    pub tags: Tags,
    pub pages: Vec<Page>,
}

/// One of them.
pub struct Page {
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

    /// A QR code, its quiet zone within `side`.
    pub fn code(&mut self, page: usize, tag: Tag, at: (f32, f32), side: f32, code: &Code) {
        let module = side / code.side as f32;
        self.marked(page, Some(tag), |content| {
            content.set_fill_gray(0.0);
            for (x, y, run) in &code.dark {
                let top = HEIGHT - at.1 - (*y as f32 + 1.0) * module;
                content.rect(at.0 + *x as f32 * module, top, *run as f32 * module, module);
            }
            content.fill_nonzero();
        });
    }

    /// Where a square of this side is on its page, as PDF counts.
    pub fn square(at: (f32, f32), side: f32) -> Rect {
        Rect::new(at.0, HEIGHT - at.1 - side, at.0 + side, HEIGHT - at.1)
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
