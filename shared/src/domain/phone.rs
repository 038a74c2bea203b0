//! Numbers of telephones: which text can be one. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many digits there are, the country's among them (ITU-T E.164, section 6.2; the shortest
/// that anybody has been given has seven).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A number that can be called from anywhere: a plus sign and its digits, as E.164 has them. What is
/// written between digits for readers is left out.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// The text is no number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write a number with its country, as +4930123456")]
pub struct NoPhone;

impl Phone {
    /// Reads a number.
    ///
    /// # Errors
    /// When the text cannot be one.
    pub fn parse(text: &str) -> Result<Self, NoPhone> {
        let digits = text.trim().strip_prefix('+').ok_or(NoPhone)?;
        let digits: String = digits.chars().filter(|it| !" -.()/".contains(*it)).collect();
        // No country's code begins with 0.
        let fits = DIGITS.contains(&digits.len())
            && digits.bytes().all(|it| it.is_ascii_digit())
            && !digits.starts_with('0');
        fits.then(|| Self(format!("+{digits}"))).ok_or(NoPhone)
    }

    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Phone {
    type Error = NoPhone;

    fn try_from(text: String) -> Result<Self, NoPhone> {
        Self::parse(&text)
    }
}

impl From<Phone> for String {
    fn from(it: Phone) -> Self {
        it.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_country() {
        for (written, number) in [
            ("+4930123456", "+4930123456"),
            (" +49 (30) 123-456 ", "+4930123456"),
            ("+1 415.555.2671", "+14155552671"),
        ] {
            assert_eq!(Phone::parse(written).unwrap().as_str(), number);
        }
    }

    #[test]
    fn what_cannot_be_called_is_none() {
        for bad in [
            "",
            "+",
            "030123456",
            "0049301",
            "+0301234567",
            "+123456",
            "+1234567890123456",
            "+49 30 CALL",
            "tel:+4930123456",
            "++4930123456",
            "+49\r\n30123456",
        ] {
            assert_eq!(Phone::parse(bad), Err(NoPhone), "{bad}");
        }
    }
}
