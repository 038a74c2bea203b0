//! Noto Sans: how wide a text is, which glyphs it needs, and the font with only those.
//!
//! The files in `fonts/` have the Latin, Greek and Cyrillic of Europe; its README says how they
//! were made.

use std::collections::{BTreeMap, BTreeSet};

use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use crate::Error;

static REGULAR: &[u8] = include_bytes!("../fonts/NotoSans-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../fonts/NotoSans-Bold.ttf");
/// What is measured is rounded: a line may be this much wider, in points, and nobody sees it.
const HAIR: f32 = 0.05;
/// Units of an em in a PDF.
const EM: f32 = 1_000.0;

/// The two weights.
pub struct Fonts {
    /// What most is written in.
    pub regular: Font,
    /// What stands out.
    pub bold: Font,
}

/// A font, and what of it was used.
pub struct Font {
    /// Its name in PostScript.
    pub name: &'static str,
    /// Thickness of its stems, in thousandths of an em: what viewers take to imitate it.
    pub stem: f32,
    data: &'static [u8],
    face: Face<'static>,
    /// What the glyphs are numbered in the file.
    remapper: GlyphRemapper,
    /// What each number shows, and how wide it is.
    pub used: BTreeMap<u16, (char, f32)>,
    missing: BTreeSet<char>,
}

impl Fonts {
    /// Both weights, nothing of them used.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            regular: Font::new("NotoSans-Regular", 80.0, REGULAR)?,
            bold: Font::new("NotoSans-Bold", 140.0, BOLD)?,
        })
    }

    /// The characters that were asked for and are in neither.
    pub fn missing(&self) -> BTreeSet<char> {
        self.regular.missing.union(&self.bold.missing).copied().collect()
    }
}

impl Font {
    fn new(name: &'static str, stem: f32, data: &'static [u8]) -> Result<Self, Error> {
        let face = Face::parse(data, 0).map_err(|err| Error::Font(err.to_string()))?;
        let remapper = GlyphRemapper::new();
        let (used, missing) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { name, stem, data, face, remapper, used, missing })
    }

    /// How wide `text` is at `size`, both in points.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        let glyphs = text.chars().filter(|it| !is_ignorable(*it)).map(|it| self.glyph(it).1);
        glyphs.map(|it| self.advance(it)).sum::<f32>() * size / EM
    }

    /// The text in lines of at most `width` points. It is broken at spaces and line breaks, and
    /// within a word that is wider than a line.
    pub fn wrap(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let (space, width) = (self.width(" ", size), width + HAIR);
        let mut lines = vec![];
        for paragraph in text.lines() {
            let (mut line, mut used) = (String::new(), 0.0);
            for word in paragraph.split([' ', '\t']).filter(|it| !it.is_empty()) {
                let needed = self.width(word, size);
                if !line.is_empty() && used + space + needed <= width {
                    line.push(' ');
                    line.push_str(word);
                    used += space + needed;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                }
                for letter in word.chars() {
                    let needed = self.width(letter.encode_utf8(&mut [0; 4]), size);
                    if !line.is_empty() && used + needed > width {
                        lines.push(std::mem::take(&mut line));
                        used = 0.0;
                    }
                    line.push(letter);
                    used += needed;
                }
            }
            lines.push(line);
        }
        lines
    }

    /// The numbers of the glyphs, two bytes each, as a text operator takes them.
    pub fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = vec![];
        for letter in text.chars().filter(|it| !is_ignorable(*it)) {
            let (shown, glyph) = self.glyph(letter);
            if shown != letter {
                self.missing.insert(letter);
            }
            let number = self.remapper.remap(glyph.0);
            let advance = self.advance(glyph);
            // A space and a no-break space are one glyph: the plain one is what is copied.
            let entry = self.used.entry(number).or_insert((shown, advance));
            entry.0 = entry.0.min(shown);
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    /// The font with the glyphs that were used.
    pub fn subset(&self) -> Result<Vec<u8>, Error> {
        subsetter::subset(self.data, 0, &self.remapper).map_err(|err| Error::Font(err.to_string()))
    }

    /// Left, bottom, right, top of all glyphs, in thousandths of an em.
    pub fn bounds(&self) -> [f32; 4] {
        let it = self.face.global_bounding_box();
        [it.x_min, it.y_min, it.x_max, it.y_max].map(|it| self.scaled(it))
    }

    /// Ascent, descent and height of capitals, in thousandths of an em.
    pub fn heights(&self) -> [f32; 3] {
        let capitals = self.face.capital_height().unwrap_or_default();
        [self.face.ascender(), self.face.descender(), capitals].map(|it| self.scaled(it))
    }

    /// The glyph of a character, or that of the replacement character: PDF/A forbids glyph 0.
    fn glyph(&self, letter: char) -> (char, GlyphId) {
        let letter = if letter.is_control() { ' ' } else { letter };
        match self.face.glyph_index(letter) {
            Some(glyph) => (letter, glyph),
            None => {
                let other = char::REPLACEMENT_CHARACTER;
                (other, self.face.glyph_index(other).unwrap_or_default())
            }
        }
    }

    fn advance(&self, glyph: GlyphId) -> f32 {
        let advance = self.face.glyph_hor_advance(glyph).unwrap_or_default();
        f32::from(advance) * EM / f32::from(self.face.units_per_em())
    }

    fn scaled(&self, units: i16) -> f32 {
        f32::from(units) * EM / f32::from(self.face.units_per_em())
    }
}

/// What has no shape of its own: soft hyphens, joiners, marks of direction.
fn is_ignorable(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_where_it_must() {
        let font = Fonts::new().unwrap().regular;
        let width = font.width("two words", 10.0);

        assert_eq!(font.wrap("two words or more", 10.0, width), ["two words", "or more"]);
        assert_eq!(font.wrap("a\n\nb", 10.0, width), ["a", "", "b"]);
        let long = "x".repeat(100);
        let lines = font.wrap(&long, 10.0, width);
        assert_eq!(lines.concat(), long);
        assert!(lines.iter().all(|it| font.width(it, 10.0) <= width + HAIR));
        // Nothing is so narrow that it goes on for ever.
        assert_eq!(font.wrap("ab", 10.0, 0.0), ["a", "b"]);
    }

    #[test]
    fn what_the_font_lacks_is_told_and_shown_as_a_replacement() {
        let mut fonts = Fonts::new().unwrap();

        fonts.regular.encode("Ελλάδα, България, Łódź, Đuro, Țară, ẞ, 100 €\u{a0}\u{202f}–’№");
        assert_eq!(fonts.missing(), BTreeSet::new());
        let bytes = fonts.bold.encode("漢\u{200b}字");
        assert_eq!(fonts.missing(), BTreeSet::from(['漢', '字']));
        assert_eq!(bytes, [0, 1, 0, 1]);
        assert_eq!(fonts.bold.used.values().next().unwrap().0, '\u{fffd}');
    }
}
