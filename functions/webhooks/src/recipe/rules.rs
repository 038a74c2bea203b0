//! The rules of a recipe that its types cannot hold.

use shared::{hosts::example, x509::are_roots};

use super::{
    Algorithm, CONTENT_TYPES_MAX, DEDUPE_SECONDS_MAX, DEDUPE_SECONDS_MIN, Error, Form, PLACES_MAX,
    Part, Place, Recipe, Secret, SecretEncoding, Signature, SignedAt, TOLERANCE_SECONDS_MAX,
    words::{
        check_header, check_host, check_hosts, check_label, check_pointer, check_prefix,
        check_public_url, check_query, check_text,
    },
};

const TITLE_CHARS_MAX: usize = 80;
const DOCS_CHARS_MAX: usize = 700;
const HOSTS_MAX: usize = 4;
const NAMES_MAX: usize = 8;
const VERSION_CHARS_MAX: usize = 32;
const ADVICE_CHARS_MAX: usize = 120;

impl Recipe {
    /// Says which rule the recipe breaks first, if any.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_text("title", &self.title, TITLE_CHARS_MAX)?;
        check_text("docs", &self.docs, DOCS_CHARS_MAX)?;
        self.signature.check(&self.secret)?;
        if let Some(prefix) = &self.secret.prefix {
            check_prefix(prefix)?;
        }
        if let Some(challenge) = &self.challenge {
            challenge.check(&self.signature)?;
        }
        if let Some(url) = &self.public_url {
            check_public_url(url)?;
        }
        self.check_content_types()?;
        self.check_places()?;
        self.check_fields()?;
        self.check_signed_id()?;
        self.check_timestamp()?;
        self.check_dedupe()
    }

    fn check_content_types(&self) -> Result<(), Error> {
        let is_type = |it: &String| {
            let word = |it: &str| {
                !it.is_empty()
                    && it
                        .bytes()
                        .all(|it| it.is_ascii_lowercase() || b"-+.0123456789".contains(&it))
            };
            it.len() <= 80
                && it.split_once('/').is_some_and(|(one, other)| word(one) && word(other))
        };
        match self.content_types.len() <= CONTENT_TYPES_MAX
            && self.content_types.iter().all(is_type)
        {
            true => Ok(()),
            false => Err(Error::BadContentType),
        }
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
            _ if !self.signature.signs(&Part::Id) && !self.signature.signs(&Part::Fields) => Ok(()),
            [Place::Header(_) | Place::Pointer(_)] => Ok(()),
            _ => Err(Error::SignedIdUnclear),
        }
    }

    fn check_timestamp(&self) -> Result<(), Error> {
        let is_in_string = self.signature.signs(&Part::Timestamp);
        let body_is_signed =
            self.signature.signs(&Part::Body) || self.signature.signs(&Part::Fields);
        match &self.timestamp {
            None if is_in_string => Err(Error::SignedTimestampMissing),
            None => Ok(()),
            // The body is signed, and with it what it says.
            Some(SignedAt { at, .. }) if at.is_in_body() && body_is_signed => {
                self.check_tolerance()
            }
            Some(_) if !is_in_string => Err(Error::TimestampNotSigned),
            Some(_) => self.check_tolerance(),
        }
    }

    fn check_tolerance(&self) -> Result<(), Error> {
        let seconds = self.timestamp.as_ref().map_or(1, |it| it.tolerance_seconds);
        match (1..=TOLERANCE_SECONDS_MAX).contains(&seconds) {
            true => Ok(()),
            false => Err(Error::BadTolerance),
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

impl Signature {
    fn check(&self, secret: &Secret) -> Result<(), Error> {
        match (&self.header, &self.pointer) {
            (None, None) if self.algorithm == Algorithm::None => {}
            (Some(_), _) | (_, Some(_)) if self.algorithm == Algorithm::None => {
                return Err(Error::NothingSigned);
            }
            (Some(header), None) => check_header(header)?,
            (None, Some(pointer)) => check_pointer(pointer)?,
            _ => return Err(Error::SignaturePlace),
        }
        self.form.check()?;
        self.check_separator()?;
        if self.algorithm.signs() { self.check_signed() } else { self.check_unsigned(secret) }
    }

    fn check_separator(&self) -> Result<(), Error> {
        match (self.separator, &self.form) {
            (None, _) | (Some(',' | ';' | '&'), Form::Pairs(_)) => Ok(()),
            _ => Err(Error::BadSeparator),
        }
    }

    fn check_signed(&self) -> Result<(), Error> {
        if self.encoding.is_none() || self.signed.is_none() {
            return Err(Error::SignatureUndescribed);
        }
        if let Some(name) = &self.body_sha256_query
            && (check_query(name).is_err() || !self.signs(&Part::Url))
        {
            return Err(Error::BadBodyQuery);
        }
        if let Some(version) = &self.version {
            version.at.check(&Form::Whole)?;
            check_text("signature.version.is", &version.is, VERSION_CHARS_MAX)?;
            check_text("signature.version.otherwise", &version.otherwise, ADVICE_CHARS_MAX)?;
        }
        self.check_key_url()?;
        if self.signs(&Part::Secret) && self.key_url.is_none() {
            return Err(Error::SecretSigned);
        }
        let by_form =
            self.signs(&Part::Url) && self.signs(&Part::Params) && self.body_sha256_query.is_some();
        let covering = [Part::Body, Part::BodyCrc32, Part::Fields];
        let is_covered = by_form || covering.iter().any(|it| self.signs(it));
        let counts_once = self.signs(&Part::Id) && self.signs(&Part::Timestamp);
        match (self.unsigned_body, is_covered, counts_once) {
            (false, true, _) | (true, _, true) => Ok(()),
            (false, false, _) => Err(Error::BodyNotSigned),
            (true, _, false) => Err(Error::UnsignedBodyWithoutId),
        }
    }

    /// Nothing is said of a signature where there is none.
    fn check_unsigned(&self, secret: &Secret) -> Result<(), Error> {
        let is_bare = self.encoding.is_none()
            && self.signed.is_none()
            && !self.unsigned_body
            && self.body_sha256_query.is_none()
            && self.key_url.is_none()
            && self.version.is_none()
            && self.pointer.is_none()
            && secret.encoding == SecretEncoding::Utf8;
        let is_plain = self.algorithm == Algorithm::Token || self.form == Form::Whole;
        if is_bare && is_plain { Ok(()) } else { Err(Error::NothingSigned) }
    }

    fn check_key_url(&self) -> Result<(), Error> {
        let Some(url) = &self.key_url else { return Ok(()) };
        match (&url.header, &url.pointer) {
            (Some(header), None) => check_header(header)?,
            (None, Some(pointer)) => check_pointer(pointer)?,
            _ => return Err(Error::BadKeyUrl),
        }
        let fits = matches!(self.algorithm, Algorithm::RsaSha256 | Algorithm::EcdsaP256Sha256);
        let have_regions = url.hosts.iter().all(|it| it.contains('*'));
        let is_name = |it: &String| {
            (have_regions || !it.contains('*')) && example(it).is_some_and(|it| check_host(&it))
        };
        let named = url.names.len() <= NAMES_MAX && url.names.iter().all(is_name);
        match fits && named && check_hosts(&url.hosts, HOSTS_MAX) {
            true if url.roots.as_deref().is_none_or(are_roots) => Ok(()),
            true => Err(Error::BadRoots),
            false => Err(Error::BadKeyUrl),
        }
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
    /// Whether it is somewhere in the body.
    pub fn is_in_body(&self) -> bool {
        matches!(self, Self::Pointer(_) | Self::Inside(_))
    }

    pub(super) fn check(&self, form: &Form) -> Result<(), Error> {
        match (self, form) {
            (Self::Header(name), _) => check_header(name),
            (Self::Pointer(pointer), _) => check_pointer(pointer),
            (Self::Inside(it), _) => {
                check_pointer(&it.text).and_then(|()| check_pointer(&it.pointer))
            }
            (Self::Query(name), _) => check_query(name),
            (Self::SignatureKey(key), Form::Pairs(label)) if key != label => check_label(key),
            (Self::SignatureKey(_), _) => Err(Error::KeyWithoutPairs),
        }
    }
}
