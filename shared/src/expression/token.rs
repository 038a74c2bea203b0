//! The words of an expression, each with its place.

use super::Mistake;

/// Longer signs first, so that `<=` is not `<`.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "?", ":", "+", "-", "*", "/", "%", "(", ")",
    "[", "]", "{", "}", ".", ",",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Without its sign, so that the least int can be written.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    /// A variable, a field, a function or a keyword.
    Name(&'a str),
    Sign(&'static str),
    End,
}

/// A word, and where it starts, in bytes.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) at: usize,
}

/// Reads all words; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Mistake> {
    let mut reader = Reader { text, rest: text };
    let mut all = Vec::new();
    loop {
        reader.skip_blanks();
        let at = reader.at();
        let token = reader.token().map_err(|reason| Mistake::at(text, at, reason))?;
        let is_end = token == Token::End;
        all.push(Placed { token, at });
        if is_end {
            return Ok(all);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|it| !fits(it)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// What was read since the reader stood there.
    fn since(&self, start: &'a str) -> &'a str {
        start.strip_suffix(self.rest).unwrap_or(start)
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|it| matches!(it, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.eat("//") {
                return;
            }
            self.take_while(|it| it != '\n');
        }
    }

    fn token(&mut self) -> Result<Token<'a>, String> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        let second = self.rest.chars().nth(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|it| it.is_ascii_digit()))
        {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.string(false);
        }
        if matches!(first, 'r' | 'R') && matches!(second, Some('"' | '\'')) {
            self.bump();
            return self.string(true);
        }
        if matches!(first, 'b' | 'B') && matches!(second, Some('"' | '\'')) {
            return Err("bytes are not part of this language; use a string".into());
        }
        if is_of_name(first) {
            return Ok(Token::Name(self.take_while(is_of_name)));
        }
        match SIGNS.into_iter().find(|it| self.eat(it)) {
            Some(sign) => Ok(Token::Sign(sign)),
            None => Err(stray(first)),
        }
    }

    fn number(&mut self) -> Result<Token<'a>, String> {
        if self.eat("0x") || self.eat("0X") {
            let digits = self.take_while(|it| it.is_ascii_hexdigit());
            return self.whole(u64::from_str_radix(digits, 16).ok());
        }
        let start = self.rest;
        let digits = self.take_while(|it| it.is_ascii_digit());
        let is_double = self.fraction() | self.exponent()?;
        if !is_double {
            return self.whole(digits.parse().ok());
        }
        let number = self.since(start).parse().ok().filter(|it: &f64| it.is_finite());
        self.end_of_number()?;
        number.map(Token::Double).ok_or_else(|| "the number is too large".into())
    }

    fn fraction(&mut self) -> bool {
        let digits = self.rest.strip_prefix('.').and_then(|it| it.chars().next());
        let has_fraction = digits.is_some_and(|it| it.is_ascii_digit());
        if has_fraction {
            self.bump();
            self.take_while(|it| it.is_ascii_digit());
        }
        has_fraction
    }

    fn exponent(&mut self) -> Result<bool, String> {
        if !self.eat("e") && !self.eat("E") {
            return Ok(false);
        }
        let _ = self.eat("+") || self.eat("-");
        if self.take_while(|it| it.is_ascii_digit()).is_empty() {
            return Err("digits are missing after the e of a number".into());
        }
        Ok(true)
    }

    fn whole(&mut self, number: Option<u64>) -> Result<Token<'a>, String> {
        let is_uint = self.eat("u") || self.eat("U");
        self.end_of_number()?;
        let number = number.ok_or("the number is too large, or has no digits")?;
        Ok(if is_uint { Token::Uint(number) } else { Token::Int(number) })
    }

    fn end_of_number(&self) -> Result<(), String> {
        match self.peek() {
            Some(it) if is_of_name(it) => Err(format!("a number does not go on with {it}")),
            _ => Ok(()),
        }
    }

    fn string(&mut self, is_raw: bool) -> Result<Token<'a>, String> {
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|it| self.eat(it)).unwrap_or("\"");
        let mut text = String::new();
        while !self.eat(quote) {
            match self.bump() {
                None => return Err("the string has no end".into()),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err("the string has a line break; write \\n for one".into());
                }
                Some('\\') if !is_raw => text.push(self.escaped()?),
                Some(it) => text.push(it),
            }
        }
        Ok(Token::Text(text))
    }

    fn escaped(&mut self) -> Result<char, String> {
        let Some(letter) = self.bump() else { return Err("the string has no end".into()) };
        Ok(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' | '?' => letter,
            'x' | 'X' => self.code(0, 2, 16)?,
            'u' => self.code(0, 4, 16)?,
            'U' => self.code(0, 8, 16)?,
            '0'..='3' => self.code(letter.to_digit(8).unwrap_or(0), 2, 8)?,
            _ => return Err(format!("\\{} is no escape", letter.escape_default())),
        })
    }

    fn code(&mut self, first: u32, digits: usize, radix: u32) -> Result<char, String> {
        let mut code = first;
        for _ in 0..digits {
            let digit = self.peek().and_then(|it| it.to_digit(radix));
            let digit = digit.ok_or_else(|| format!("{digits} digits follow this escape"))?;
            self.bump();
            code = code.wrapping_mul(radix).wrapping_add(digit);
        }
        char::from_u32(code).ok_or_else(|| "this escape is no character".into())
    }
}

fn is_of_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_'
}

fn stray(it: char) -> String {
    match it {
        '&' => "write && for and".into(),
        '|' => "write || for or".into(),
        '=' => "write == to compare".into(),
        '`' => "write [\"name\"] for a field with an unusual name".into(),
        _ => format!("{} has no meaning here", it.escape_default()),
    }
}
