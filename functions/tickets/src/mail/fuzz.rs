//! Mails that nobody writes: those of the corpus, spoiled at random. Each is read, decided, and its
//! files decoded; none may panic, take long, or grow.
//!
//! It is the same run after run: chance is a counter. `FUZZ_MAILS` says how many. What is found here
//! is kept in `fixtures/tickets/mails/found`.

use std::time::{Duration, Instant};

use super::{corpus, thread::OnNewSubject, *};

/// How many mails are made when nobody says.
const MAILS: u64 = 6_000;
/// The longest that one may take, built without optimising.
const LONG: Duration = Duration::from_secs(5);
/// Pieces that mean something somewhere.
const PIECES: &[&[u8]] = &[
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"--b1",
    b"--b1--\n",
    b"=?utf-8?q?",
    b"?=",
    b"<",
    b">",
    b"@",
    b"\"",
    b"Content-Type: multipart/mixed; boundary=b1\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Type: text/html\n",
    b"\xff\xfe",
    b"\xc3",
    b"In-Reply-To: <known@example.com>\n",
    b"Auto-Submitted: auto-replied\n",
    b"\x1b$B",
    b"&#x110000;",
    b"filename*0*=utf-8''%",
    b"<blockquote>",
    b"</div>",
    b"> ",
    b"On 5 Ada wrote:\n",
    b"-- \n",
];

/// Numbers that look like chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

fn spoil(raw: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.below(6) {
        let at = chance.below(raw.len());
        match chance.below(8) {
            0 if !raw.is_empty() => raw[at] ^= 1 << chance.below(8),
            1 => raw.truncate(at),
            2 => drop(raw.drain(at..raw.len().min(at + chance.below(64)))),
            3 => {
                let from = chance.below(other.len());
                let piece = &other[from..other.len().min(from + chance.below(512))];
                raw.splice(at..at, piece.iter().copied());
            }
            4 => {
                let to = raw.len().min(at + chance.below(512));
                let piece = raw[at..to].to_vec();
                let times = 1 + chance.below(20);
                raw.splice(at..at, piece.repeat(times));
            }
            5 => raw
                .splice(at..at, PIECES[chance.below(PIECES.len())].iter().copied())
                .for_each(drop),
            6 => {
                let line = raw.split(|it| *it == b'\n').nth(chance.below(8)).unwrap_or_default();
                let line = [line, b"\n"].concat();
                raw.splice(0..0, line);
            }
            _ => raw.iter_mut().skip(at).take(4).for_each(|it| *it = b'\n'),
        }
        raw.truncate(256 * 1024);
    }
}

fn try_one(raw: &[u8]) {
    let Ok(incoming) = read(raw, &Envelope::default(), &["mx.example.com".to_owned()]) else {
        return;
    };
    for it in &incoming.attachments {
        assert_eq!(it.bytes(raw).len(), it.size);
        assert_eq!(safe_name(&it.name), it.name);
    }
    assert!(incoming.text.len() <= body::TEXT_BYTES_MAX);
    assert!(incoming.attachments.len() <= ATTACHMENTS_MAX);
    assert!(!incoming.subject.chars().any(char::is_control));
    corpus::decided(&incoming, OnNewSubject::Split);
    message_id(raw);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what is tested is how long it takes, and how many is said from outside"
)]
fn no_mail_panics_or_takes_long() {
    let all = corpus::all();
    let mails = std::env::var("FUZZ_MAILS").ok().and_then(|it| it.parse().ok()).unwrap_or(MAILS);
    let mut chance = Chance(20_260_105);
    for number in 0..mails {
        let mut raw = all[chance.below(all.len())].raw.clone();
        let other = &all[chance.below(all.len())].raw;
        spoil(&mut raw, other, &mut chance);
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| try_one(&raw));
        if result.is_err() || start.elapsed() > LONG {
            let kept = std::env::temp_dir().join(format!("mail-{number}.eml"));
            std::fs::write(&kept, &raw).unwrap();
            panic!("mail {number} is bad: see {}", kept.display());
        }
    }
}
