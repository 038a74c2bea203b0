//! What a server says: a code of three digits, and lines of text (RFC 5321, 4.2). Pure.

use std::fmt;

/// The longest line, in bytes: twice what RFC 5321, 4.5.3.1.5 allows.
const LINE_BYTES_MAX: usize = 1024;
/// Most lines of a reply.
const LINES_MAX: usize = 100;
/// How much of a reply is told, in characters.
const TOLD_CHARS_MAX: usize = 300;

/// A reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The text of each line, without its end.
    pub lines: Vec<String>,
}

/// The server does not speak SMTP, or says more than anybody listens to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Nonsense {
    /// It has no code, or another one than the line before.
    #[error("the server speaks no SMTP")]
    NoReply,
    /// It goes on and on.
    #[error("the server says more than anybody listens to")]
    TooLong,
}

/// What has come, taken reply by reply.
#[derive(Debug, Default)]
pub struct Replies {
    unread: Vec<u8>,
    begun: Vec<(u16, String)>,
}

impl Reply {
    /// What kind of answer it is: its first digit.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// Its first line as it can be told, if it says anything.
    pub fn said(&self) -> Option<String> {
        self.lines.first().map(|it| told(it)).filter(|it| !it.is_empty())
    }

    /// The enhanced code (RFC 3463), as `5.7.8`, if there is one.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split(' ').next()?;
        let mut parts = word.split('.');
        let is_number = |it: &str, most: usize| {
            (1..=most).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())
        };
        let class = parts.next().filter(|it| matches!(*it, "2" | "4" | "5"))?;
        let rest: Vec<_> = parts.collect();
        let fits = rest.len() == 2 && rest.iter().all(|it| is_number(it, 3));
        // A code of another class than the reply's own is none (RFC 2034, 4).
        (fits && class.parse() == Ok(self.class())).then_some(word)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, told(&self.lines.join(" ")))
    }
}

fn told(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(TOLD_CHARS_MAX).collect()
}

impl Replies {
    /// Takes in what has come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend(bytes);
    }

    /// Whether all that has come was taken.
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.begun.is_empty()
    }

    /// The next whole reply, if it is there.
    ///
    /// # Errors
    /// When what has come is none.
    pub fn take(&mut self) -> Result<Option<Reply>, Nonsense> {
        while let Some(end) = self.unread.iter().position(|it| *it == b'\n') {
            if end > LINE_BYTES_MAX || self.begun.len() >= LINES_MAX {
                return Err(Nonsense::TooLong);
            }
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let (code, is_last, text) = read(line.trim_ascii_end()).ok_or(Nonsense::NoReply)?;
            if self.begun.first().is_some_and(|it| it.0 != code) {
                return Err(Nonsense::NoReply);
            }
            self.begun.push((code, text));
            if is_last {
                let lines = self.begun.drain(..).map(|it| it.1).collect();
                return Ok(Some(Reply { code, lines }));
            }
        }
        match self.unread.len() > LINE_BYTES_MAX {
            true => Err(Nonsense::TooLong),
            false => Ok(None),
        }
    }
}

/// The code of a line, whether it is the last of its reply, and its text.
fn read(line: &[u8]) -> Option<(u16, bool, String)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code: u16 = str::from_utf8(code).ok()?.parse().ok()?;
    let (is_last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return None,
    };
    let text = String::from_utf8_lossy(text).into_owned();
    (200..600).contains(&code).then_some((code, is_last, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Reply>, Nonsense> {
        let mut replies = Replies::default();
        replies.feed(bytes);
        let mut all = vec![];
        while let Some(it) = replies.take()? {
            all.push(it);
        }
        Ok(all)
    }

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|it| (*it).to_owned()).collect() }
    }

    #[test]
    fn replies_are_read_line_by_line() {
        let text = b"250-relay.example\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n354\r\n220 hi\n";

        let read = all(text).unwrap();

        let ehlo = reply(250, &["relay.example", "SIZE 1000", "AUTH PLAIN"]);
        assert_eq!(read, [ehlo, reply(354, &[]).with(""), reply(220, &["hi"])]);
    }

    impl Reply {
        fn with(mut self, line: &str) -> Self {
            self.lines.push(line.to_owned());
            self
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = [b"250 ".to_vec(), vec![b'a'; LINE_BYTES_MAX + 1]].concat();
        let many = "250-a\r\n".repeat(LINES_MAX + 1);
        for (bad, why) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], Nonsense::NoReply),
            (b"250-a\r\n251 b\r\n", Nonsense::NoReply),
            (b"250_a\r\n", Nonsense::NoReply),
            (b"25\r\n", Nonsense::NoReply),
            (b"999 a\r\n", Nonsense::NoReply),
            (b"100 a\r\n", Nonsense::NoReply),
            (b"\r\n", Nonsense::NoReply),
            (&long, Nonsense::TooLong),
            (many.as_bytes(), Nonsense::TooLong),
        ] {
            assert_eq!(all(bad), Err(why), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn an_enhanced_code_is_of_the_class_of_its_reply() {
        for (code, line, expected) in [
            (550, "5.1.1 no such user", Some("5.1.1")),
            (250, "2.0.0", Some("2.0.0")),
            (550, "4.1.1 what", None),
            (550, "5.1", None),
            (550, "5.1.1.1 x", None),
            (550, "5.1234.1 x", None),
            (550, "no", None),
        ] {
            assert_eq!(reply(code, &[line]).enhanced(), expected, "{code} {line}");
        }
    }

    proptest! {
        #[test]
        fn how_it_comes_in_pieces_is_no_matter(cut in 0_usize..60) {
            let text = b"250-relay.example\r\n250 AUTH PLAIN\r\n354 go\r\n";
            let (first, second) = text.split_at(cut.min(text.len()));
            let mut replies = Replies::default();
            let mut read = vec![];
            for part in [first, second] {
                replies.feed(part);
                while let Some(it) = replies.take().unwrap() {
                    read.push(it);
                }
            }

            prop_assert_eq!(read, all(text).unwrap());
            prop_assert!(replies.is_empty());
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&bytes);
        }
    }
}
