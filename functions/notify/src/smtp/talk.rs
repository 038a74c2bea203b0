//! What is said to a server, and what its answers mean: one mail to one recipient (RFC 5321). Pure:
//! replies in, commands out.

use std::fmt;

use data_encoding::BASE64;

use super::{relay::Security, reply::Reply};
use crate::mail_api::Sent;

/// Codes that say that the login is wrong or missing (RFC 4954, 6), which can be mended.
const LOGINS: [u16; 4] = [530, 534, 535, 538];
/// The same as enhanced codes: wrong credentials, a way too weak, encryption needed.
const LOGINS_ENHANCED: [&str; 3] = ["5.7.8", "5.7.9", "5.7.11"];

/// What is wanted of the server.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// By which name we come: a domain.
    pub name: &'a str,
    /// How the connection is encrypted.
    pub security: Security,
    /// Who logs in, and the password.
    pub login: Option<(&'a str, &'a str)>,
    /// Who sends.
    pub from: &'a str,
    /// Who reads.
    pub to: &'a str,
    /// How long the mail is.
    pub bytes: usize,
    /// Whether all of it is ASCII.
    pub is_ascii: bool,
}

/// What to do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Say this, and listen.
    Say(String),
    /// Begin TLS, then go on with [`Talk::upgraded`].
    Upgrade,
    /// Send the mail and the final dot, and listen.
    Content,
    /// This became of it.
    Over(Sent),
}

/// A conversation.
pub struct Talk<'a> {
    wish: Wish<'a>,
    step: Step,
    is_encrypted: bool,
    offers: Offers,
}

/// What the server was asked last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Greeting,
    Hello,
    StartTls,
    Plain,
    Login,
    LoginUser,
    LoginPassword,
    From,
    To,
    Data,
    Content,
}

/// What the server can do, as it says to EHLO.
#[derive(Clone, Debug, Default)]
struct Offers {
    start_tls: bool,
    plain: bool,
    login: bool,
    eight_bit: bool,
    /// Whether it wants to know how long a mail is (RFC 1870), and how long it takes; 0 is any.
    size: Option<usize>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "at the beginning",
            Self::Hello => "to EHLO",
            Self::StartTls => "to STARTTLS",
            Self::Plain | Self::Login | Self::LoginUser | Self::LoginPassword => "to the login",
            Self::From => "to the sender",
            Self::To => "to the recipient",
            Self::Data | Self::Content => "to the mail",
        })
    }
}

impl<'a> Talk<'a> {
    /// One that is about to begin. The server speaks first.
    pub fn new(wish: Wish<'a>) -> Self {
        let is_encrypted = wish.security == Security::Tls;
        Self { wish, step: Step::Greeting, is_encrypted, offers: Offers::default() }
    }

    /// Takes in what the server said.
    pub fn heard(&mut self, reply: &Reply) -> Next {
        match (self.step, reply.code) {
            (Step::Greeting, 220) => self.hello(),
            (Step::Hello, 250) => {
                self.offers = Offers::read(reply);
                self.greeted()
            }
            (Step::StartTls, 220) => Next::Upgrade,
            (Step::Login, 334) => {
                let (user, _) = self.wish.login.unwrap_or_default();
                self.say(Step::LoginUser, BASE64.encode(user.as_bytes()))
            }
            (Step::LoginUser, 334) => {
                let (_, password) = self.wish.login.unwrap_or_default();
                self.say(Step::LoginPassword, BASE64.encode(password.as_bytes()))
            }
            (Step::Plain | Step::LoginPassword, 235) => self.from(),
            (Step::From, 250) => self.say(Step::To, format!("RCPT TO:<{}>", self.wish.to)),
            (Step::To, 250..=252) => self.say(Step::Data, "DATA".to_owned()),
            (Step::Data, 354) => {
                self.step = Step::Content;
                Next::Content
            }
            (Step::Content, 250) => Next::Over(Sent::Taken(reply.said())),
            _ => Next::Over(self.missed(reply)),
        }
    }

    /// TLS has begun. What was offered before it is nobody's word (RFC 3207, 4.2).
    pub fn upgraded(&mut self) -> Next {
        self.is_encrypted = true;
        self.offers = Offers::default();
        self.hello()
    }

    fn hello(&mut self) -> Next {
        self.say(Step::Hello, format!("EHLO {}", self.wish.name))
    }

    fn greeted(&mut self) -> Next {
        if self.wish.security == Security::Starttls && !self.is_encrypted {
            return match self.offers.start_tls {
                true => self.say(Step::StartTls, "STARTTLS".to_owned()),
                false => later("the server offers no STARTTLS, and was told nothing"),
            };
        }
        match self.wish.login {
            None => self.from(),
            Some((user, password)) if self.offers.plain => {
                // RFC 4616: nobody else's rights are asked for.
                let words = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
                self.say(Step::Plain, format!("AUTH PLAIN {words}"))
            }
            Some(_) if self.offers.login => self.say(Step::Login, "AUTH LOGIN".to_owned()),
            Some(_) => later("the server takes no login by PLAIN or LOGIN"),
        }
    }

    fn from(&mut self) -> Next {
        let Wish { from, bytes, is_ascii, .. } = self.wish;
        let Offers { size, eight_bit, .. } = self.offers;
        if let Some(most) = size.filter(|it| (1..bytes).contains(it)) {
            let why = format!("smtp: the mail has {bytes} bytes, and the server takes {most}");
            return Next::Over(Sent::Refused(why));
        }
        if !is_ascii && !eight_bit {
            return Next::Over(Sent::Refused("smtp: the server takes ASCII alone".to_owned()));
        }
        let size = size.map(|_| format!(" SIZE={bytes}")).unwrap_or_default();
        let body = if is_ascii { "" } else { " BODY=8BITMIME" };
        self.say(Step::From, format!("MAIL FROM:<{from}>{size}{body}"))
    }

    fn say(&mut self, step: Step, words: String) -> Next {
        self.step = step;
        Next::Say(words + "\r\n")
    }

    /// What it means that the server did not say what would have let us go on.
    fn missed(&self, reply: &Reply) -> Sent {
        let why = format!("smtp: {}: {reply}", self.step);
        let is_login =
            LOGINS.contains(&reply.code) || reply.enhanced().is_some_and(is_login_enhanced);
        match (self.step, reply.class()) {
            (Step::From | Step::To | Step::Data | Step::Content, 5) if !is_login => {
                Sent::Refused(why)
            }
            (_, 4 | 5) => Sent::Later(why, None),
            // Some other kind of yes: nobody knows what becomes of the mail.
            (Step::Content, _) => Sent::NoAnswer(why),
            _ => Sent::Later(why, None),
        }
    }
}

fn is_login_enhanced(code: &str) -> bool {
    LOGINS_ENHANCED.contains(&code)
}

fn later(why: &str) -> Next {
    Next::Over(Sent::Later(format!("smtp: {why}"), None))
}

impl Offers {
    fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        // The first line is the server's name.
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.start_tls = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SIZE") => {
                    offers.size = Some(words.next().and_then(|it| it.parse().ok()).unwrap_or(0));
                }
                Some("AUTH") => {
                    for way in words {
                        offers.plain |= way == "PLAIN";
                        offers.login |= way == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests;
