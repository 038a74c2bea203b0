//! `format=flowed`, RFC 3676: lines that go on.

/// How deep quotes are told apart.
const QUOTES_MAX: usize = 32;

/// The text with its paragraphs on one line each. With `del_sp` the space that says that a line goes
/// on is no space of the text.
pub fn unfold(text: &str, del_sp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // How deep the line that goes on is quoted.
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let quoted = line.bytes().take(QUOTES_MAX).take_while(|it| *it == b'>').count();
        let content = line.get(quoted..).unwrap_or("");
        // Section 4.4: a space that keeps others from reading the line otherwise.
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        if open != Some(quoted) || is_signature {
            if !out.is_empty() {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n('>', quoted));
            if quoted > 0 && !content.is_empty() {
                out.push(' ');
            }
        }
        let goes_on = content.ends_with(' ') && !is_signature;
        out.push_str(if goes_on && del_sp {
            content.strip_suffix(' ').unwrap_or(content)
        } else {
            content
        });
        open = goes_on.then_some(quoted);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_on_are_one() {
        assert_eq!(unfold("one \ntwo\nthree\n", false), "one two\nthree");
        assert_eq!(unfold("one \ntwo", true), "onetwo");
        assert_eq!(unfold("> a \n> b\n>> c \nd", false), "> a b\n>> c \nd");
        assert_eq!(unfold(" From here\n  two", false), "From here\n two");
        assert_eq!(unfold("a \n-- \nme", false), "a \n-- \nme");
    }
}
