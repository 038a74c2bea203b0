//! The rules of a recipe that its types cannot hold.

use http::HeaderName;

use super::{
    Challenge, DEDUPE_SECONDS_MAX, DEDUPE_SECONDS_MIN, Error, Form, PLACES_MAX, Part, Place,
    Recipe, SignedAt, TOLERANCE_SECONDS_MAX,
};

const TITLE_CHARS_MAX: usize = 80;
const DOCS_CHARS_MAX: usize = 500;
const EQUALS_CHARS_MAX: usize = 80;
const HEADER_CHARS_MAX: usize = 64;
const LABEL_CHARS_MAX: usize = 32;
const POINTER_CHARS_MAX: usize = 256;

impl Recipe {
    /// Says which rule the recipe breaks first, if any.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_text("title", &self.title, TITLE_CHARS_MAX)?;
        check_text("docs", &self.docs, DOCS_CHARS_MAX)?;
        check_header(&self.signature.header)?;
        self.signature.form.check()?;
        if let Some(prefix) = &self.secret.prefix {
            check_prefix(prefix)?;
        }
        if let Some(challenge) = &self.challenge {
            challenge.check()?;
        }
        self.check_places()?;
        self.check_signed_id()?;
        self.check_timestamp()?;
        self.check_dedupe()
    }

    fn check_places(&self) -> Result<(), Error> {
        if self.id.len() > PLACES_MAX || self.event_type.len() > PLACES_MAX {
            return Err(Error::TooManyPlaces);
        }
        let timestamp = self.timestamp.as_ref().map(|it| &it.at);
        self.id
            .iter()
            .chain(&self.event_type)
            .chain(timestamp)
            .try_for_each(|place| place.check(&self.signature.form))
    }

    fn check_signed_id(&self) -> Result<(), Error> {
        match self.id.as_slice() {
            _ if !self.signature.signed.mentions(&Part::Id) => Ok(()),
            [Place::Header(_)] => Ok(()),
            _ => Err(Error::SignedIdNotAHeader),
        }
    }

    fn check_timestamp(&self) -> Result<(), Error> {
        let is_in_string = self.signature.signed.mentions(&Part::Timestamp);
        match &self.timestamp {
            None if is_in_string => Err(Error::SignedTimestampMissing),
            None => Ok(()),
            // The body is signed, and with it what it says. Its number is not sent as a text of
            // its own, though, so it cannot be a part of the string.
            Some(SignedAt { at: Place::Pointer(_), .. }) if is_in_string => {
                Err(Error::SignedTimestampMissing)
            }
            Some(SignedAt { at: Place::Header(_) | Place::SignatureKey(_), .. })
                if !is_in_string =>
            {
                Err(Error::TimestampNotSigned)
            }
            Some(it) if !(1..=TOLERANCE_SECONDS_MAX).contains(&it.tolerance_seconds) => {
                Err(Error::BadTolerance)
            }
            Some(_) => Ok(()),
        }
    }

    fn check_dedupe(&self) -> Result<(), Error> {
        if !(DEDUPE_SECONDS_MIN..=DEDUPE_SECONDS_MAX).contains(&self.dedupe_seconds) {
            return Err(Error::BadDedupe);
        }
        // A request is good from one tolerance before its timestamp to one after it.
        let replayable_seconds = self.timestamp.as_ref().map_or(0, |it| it.tolerance_seconds * 2);
        if self.dedupe_seconds < replayable_seconds {
            return Err(Error::DedupeTooShort);
        }
        Ok(())
    }
}

impl Form {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Whole => Ok(()),
            Self::Prefix(prefix) => check_prefix(prefix),
            Self::Pairs(label) | Self::Labelled(label) => check_label(label),
        }
    }
}

impl Place {
    fn check(&self, form: &Form) -> Result<(), Error> {
        match (self, form) {
            (Self::Header(name), _) => check_header(name),
            (Self::Pointer(pointer), _) => check_pointer(pointer),
            (Self::SignatureKey(key), Form::Pairs(label)) if key != label => check_label(key),
            (Self::SignatureKey(_), _) => Err(Error::KeyWithoutPairs),
        }
    }
}

impl Challenge {
    fn check(&self) -> Result<(), Error> {
        check_pointer(&self.when)?;
        check_text("challenge.equals", &self.equals, EQUALS_CHARS_MAX)?;
        check_pointer(&self.answer)
    }
}

fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), Error> {
    match (1..=max).contains(&text.chars().count()) && !text.contains(char::is_control) {
        true => Ok(()),
        false => Err(Error::BadText { field, max }),
    }
}

fn check_header(name: &str) -> Result<(), Error> {
    match name.len() <= HEADER_CHARS_MAX && HeaderName::from_bytes(name.as_bytes()).is_ok() {
        true => Ok(()),
        false => Err(Error::BadHeader(name.to_owned())),
    }
}

/// Text in front of a signature or a secret, which may end in `=` or `,`.
fn check_prefix(prefix: &str) -> Result<(), Error> {
    let is_printable = prefix.bytes().all(|it| it.is_ascii_graphic());
    match (1..=LABEL_CHARS_MAX).contains(&prefix.len()) && is_printable {
        true => Ok(()),
        false => Err(Error::BadLabel(prefix.to_owned())),
    }
}

fn check_label(label: &str) -> Result<(), Error> {
    check_prefix(label)?;
    match label.contains([',', '=']) {
        true => Err(Error::BadLabel(label.to_owned())),
        false => Ok(()),
    }
}

/// RFC 6901, section 3: every token starts with `/`, and `~` is followed by `0` or `1`.
fn check_pointer(pointer: &str) -> Result<(), Error> {
    let has_good_escapes =
        pointer.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
    let is_short = pointer.len() <= POINTER_CHARS_MAX;
    match pointer.starts_with('/') && is_short && has_good_escapes {
        true => Ok(()),
        false => Err(Error::BadPointer(pointer.to_owned())),
    }
}
