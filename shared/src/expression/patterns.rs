//! Regular expressions in linear time, with a bounded program.

use regex_lite::{Regex, RegexBuilder};

use super::{PATTERN_BYTES_MAX, PATTERN_PROGRAM_BYTES_MAX, Trouble, fuel::Fuel};

/// The smallest program that is tried, in bytes.
const PROGRAM_BYTES_MIN: usize = 256;
/// How deep a pattern is nested; its parser calls itself.
const NESTING_MAX: u32 = 16;
/// What one compilation costs at most, so that even refused patterns are paid for.
const COMPILATION: usize = 1_000;
/// How many patterns one evaluation keeps compiled. Nearly all have one or two.
const KEPT_MAX: usize = 8;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// The room that its program was given, which is at most twice what it needs.
    program_bytes: usize,
}

impl Pattern {
    /// Compiles a pattern, or says in plain words why not.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
        }
        // The crate does not tell how large a program became, so the smallest room that it fits
        // into is searched by doubling.
        let mut program_bytes = PROGRAM_BYTES_MIN;
        loop {
            let mut builder = RegexBuilder::new(pattern);
            let built = builder.size_limit(program_bytes).nest_limit(NESTING_MAX).build();
            match built {
                Ok(regex) => return Ok(Self { regex, program_bytes }),
                Err(_) if program_bytes < PATTERN_PROGRAM_BYTES_MAX => program_bytes *= 2,
                Err(err) => return Err(format!("the pattern is not valid or too large: {err}")),
            }
        }
    }

    /// Whether it is found anywhere in the text. Time is the text's length times the program's.
    fn is_found(&self, text: &str, fuel: &mut Fuel) -> Result<bool, Trouble> {
        fuel.units((text.len() + 1).saturating_mul(self.program_bytes / PROGRAM_BYTES_MIN))?;
        Ok(self.regex.is_match(text))
    }
}

/// The patterns that one evaluation has compiled.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<(String, Pattern)>);

impl Patterns {
    pub(super) fn is_found(
        &mut self,
        pattern: &str,
        text: &str,
        fuel: &mut Fuel,
    ) -> Result<bool, Trouble> {
        if let Some((_, it)) = self.0.iter().find(|(it, _)| it == pattern) {
            return it.is_found(text, fuel);
        }
        fuel.units(COMPILATION)?;
        let compiled = Pattern::compile(pattern).map_err(Trouble::Failed)?;
        let is_found = compiled.is_found(text, fuel)?;
        if self.0.len() < KEPT_MAX {
            self.0.push((pattern.to_owned(), compiled));
        }
        Ok(is_found)
    }
}
