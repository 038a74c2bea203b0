//! Addresses of names, where the runtime does not resolve them: messages of the DNS (RFC 1035), as
//! they are exchanged over HTTPS (RFC 8484). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4096;
/// Most addresses that are taken from an answer.
pub const ADDRESSES_MAX: usize = 4;
/// The type of a message of the DNS over HTTPS.
pub const MEDIA_TYPE: &str = "application/dns-message";
/// The longest label (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// The longest name as it is written in a message (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// What every message begins with.
const HEAD_BYTES: usize = 12;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `A`.
    V4,
    /// `AAAA`.
    V6,
}

impl Family {
    fn code(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }
}

/// The question for the addresses of a name; nothing when it is no name. Its id is 0, as RFC 8484
/// asks, so that answers can be cached.
pub fn question(name: &str, family: Family) -> Option<Vec<u8>> {
    // No flags but "recursion desired", and one question.
    let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok()?;
        if !(1..=LABEL_BYTES_MAX).contains(&label.len()) || !label.is_ascii() {
            return None;
        }
        message.push(length);
        message.extend(label.bytes());
    }
    message.push(0);
    if message.len() > HEAD_BYTES + NAME_BYTES_MAX {
        return None;
    }
    message.extend(family.code().to_be_bytes());
    message.extend([0, 1]);
    Some(message)
}

/// The addresses of this family in an answer, at most [`ADDRESSES_MAX`]; nothing when it is none.
/// Where a name is another's alias, the addresses are that one's.
pub fn addresses(message: &[u8], family: Family) -> Option<Vec<IpAddr>> {
    let mut at = Reader(message);
    let [_, flags, questions, answers, _, _] = at.head()?;
    // An answer, and no error.
    if flags & 0x8000 == 0 || flags & 0xf != 0 {
        return None;
    }
    for _ in 0..questions {
        at.name()?;
        at.take(4)?;
    }
    let mut found = vec![];
    for _ in 0..answers {
        at.name()?;
        let (kind, class) = (at.number()?, at.number()?);
        at.take(4)?;
        let length = at.number()?;
        let data = at.take(length.into())?;
        if (kind, class) == (family.code(), 1) {
            found.push(match family {
                Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
                Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
            });
        }
    }
    found.truncate(ADDRESSES_MAX);
    Some(found)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn head(&mut self) -> Option<[u16; 6]> {
        let mut head = [0; 6];
        for it in &mut head {
            *it = self.number()?;
        }
        Some(head)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// Passes a name over: labels until an empty one, or a pointer to the rest of them.
    fn name(&mut self) -> Option<()> {
        loop {
            match *self.take(1)? {
                [0] => return Some(()),
                [it] if it & 0xc0 == 0xc0 => return self.take(1).map(drop),
                [it] if it & 0xc0 == 0 => drop(self.take(it.into())?),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `www.example.com` is an alias of `example.com`, which has two addresses.
    fn answer() -> Vec<u8> {
        let mut message = question("www.example.com", Family::V4).unwrap();
        message[2..4].copy_from_slice(&[0x81, 0x80]);
        message[7] = 3;
        // An alias: its own name by a pointer, CNAME, IN, a minute, a pointer to "example.com".
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 16]);
        for last in [1, 2] {
            message.extend([0xc0, 16, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
        }
        message
    }

    #[test]
    fn a_question_is_written_as_rfc_8484_writes_it() {
        let expected = data_encoding::BASE64URL_NOPAD
            .decode(b"AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB")
            .unwrap();

        assert_eq!(question("www.example.com", Family::V4), Some(expected));
        for bad in ["", ".", "a..b", "é.example", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(question(bad, Family::V4), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_has_the_addresses_of_the_alias() {
        let found = addresses(&answer(), Family::V4).unwrap();

        assert_eq!(found, ["192.0.2.1", "192.0.2.2"].map(|it| it.parse::<IpAddr>().unwrap()));
        assert_eq!(addresses(&answer(), Family::V6), Some(vec![]));
    }

    #[test]
    fn an_error_and_a_question_are_no_answers() {
        let mut missing = answer();
        missing[3] = 0x83;

        assert_eq!(addresses(&missing, Family::V4), None);
        assert_eq!(addresses(&question("a.example", Family::V4).unwrap(), Family::V4), None);
        assert_eq!(addresses(&answer()[..answer().len() - 1], Family::V4), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = addresses(&bytes, Family::V6);
        }
    }
}
