//! The QR code of a credit transfer in euro, by EPC069-12 of the European Payments Council.

use qrcode::{Color, EcLevel, QrCode};

/// What may be transferred, in cents: 0.01 to 999 999 999.99 euro.
const CENTS: std::ops::RangeInclusive<i64> = 1..=99_999_999_999;
/// The name of the beneficiary, in characters.
const NAME_CHARS_MAX: usize = 70;
/// The text for the beneficiary, in characters.
const TEXT_CHARS_MAX: usize = 140;
/// The modules that stay light on each side (ISO/IEC 18004).
const QUIET: usize = 4;

/// A square of dark and light modules, with its quiet zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Code {
    /// Modules on each side.
    pub side: usize,
    /// The dark modules: column and row of the first, and how many follow each other in its row.
    pub dark: Vec<(usize, usize, usize)>,
}

/// A transfer.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Who is paid.
    pub name: &'a str,
    /// Where to; spaces are left out.
    pub iban: &'a str,
    /// How many cents.
    pub cents: i64,
    /// What the payee is to read: the number of the invoice.
    pub text: &'a str,
}

impl Transfer<'_> {
    /// The code. `None` where the rules admit none: an IBAN that is not one, an amount beyond
    /// what may be transferred, no name.
    pub fn code(&self) -> Option<Code> {
        // The level and the largest version (13, 331 bytes) are those of EPC069-12.
        let code = QrCode::with_error_correction_level(self.payload()?, EcLevel::M).ok()?;
        let width = code.width();
        let colors = code.into_colors();
        let rows = colors.chunks(width).enumerate();
        let dark = rows.flat_map(|(y, row)| runs(row).map(move |(x, n)| (x + QUIET, y + QUIET, n)));
        Some(Code { side: width + 2 * QUIET, dark: dark.collect() })
    }

    fn payload(&self) -> Option<String> {
        let iban: String = self.iban.chars().filter(|it| !it.is_whitespace()).collect();
        let name = clip(self.name, NAME_CHARS_MAX);
        if !is_iban(&iban) || !CENTS.contains(&self.cents) || name.is_empty() {
            return None;
        }
        let (euro, cents) = (self.cents / 100, self.cents % 100);
        let text = clip(self.text, TEXT_CHARS_MAX);
        // Version 002, UTF-8, no BIC, no purpose, no structured reference.
        Some(format!("BCD\n002\n1\nSCT\n\n{name}\n{iban}\nEUR{euro}.{cents:02}\n\n\n{text}"))
    }
}

/// A line of at most `max` characters: a line break would end the field.
fn clip(text: &str, max: usize) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    line.trim().chars().take(max).collect()
}

/// The form and the check digits of ISO 13616.
fn is_iban(text: &str) -> bool {
    let is_formed = text.bytes().enumerate().all(|(index, it)| match index {
        0 | 1 => it.is_ascii_uppercase(),
        2 | 3 => it.is_ascii_digit(),
        _ => it.is_ascii_uppercase() || it.is_ascii_digit(),
    });
    let (Some(head), Some(rest)) = (text.get(..4), text.get(4..)) else { return false };
    // ISO 7064, MOD 97-10: a letter is two digits, A is 10.
    let rest = rest.chars().chain(head.chars()).fold(0, |sum, it| {
        let value = it.to_digit(36).unwrap_or_default();
        (sum * if value > 9 { 100 } else { 10 } + value) % 97
    });
    is_formed && (15..=34).contains(&text.len()) && rest == 1
}

/// Where dark modules begin in a row, and how many they are.
fn runs(row: &[Color]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    row.chunk_by(|one, other| one == other).filter_map(move |run| {
        let begin = at;
        at += run.len();
        (run.first() == Some(&Color::Dark)).then_some((begin, run.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Transfer<'_> = Transfer {
        name: "Acme GmbH",
        iban: "DE75 5121 0800 1245 1261 99",
        cents: 123_405,
        text: "ACME-2026-000042",
    };

    #[test]
    fn the_payload_is_that_of_the_guideline() {
        let expected = "BCD\n002\n1\nSCT\n\nAcme GmbH\nDE75512108001245126199\nEUR1234.05\n\n\n\
                        ACME-2026-000042";
        assert_eq!(GOOD.payload().unwrap(), expected);
    }

    #[test]
    fn a_line_break_cannot_add_a_field() {
        let bad = Transfer { name: "Acme\nDE89370400440532013000", ..GOOD };
        assert_eq!(bad.payload().unwrap().lines().nth(5), Some("Acme DE89370400440532013000"));
    }

    #[test]
    fn what_cannot_be_transferred_has_no_code() {
        assert!(GOOD.code().is_some());
        for bad in [
            Transfer { iban: "DE75512108001245126198", ..GOOD },
            Transfer { iban: "Dé", ..GOOD },
            Transfer { cents: 0, ..GOOD },
            Transfer { cents: 100_000_000_000, ..GOOD },
            Transfer { name: " ", ..GOOD },
        ] {
            assert_eq!(bad.code(), None, "{bad:?}");
        }
    }

    #[test]
    fn the_finder_patterns_stand_in_three_corners() {
        let code = GOOD.code().unwrap();
        let first: Vec<_> = code.dark.iter().filter(|(_, y, _)| *y == QUIET).collect();

        assert_eq!(first.first(), Some(&&(QUIET, QUIET, 7)));
        assert_eq!(first.last(), Some(&&(code.side - QUIET - 7, QUIET, 7)));
        assert!(code.dark.contains(&(QUIET, code.side - QUIET - 1, 7)));
    }
}
