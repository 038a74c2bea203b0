//! HTML of strangers: what is left of it, and what it says.

use proptest::prelude::*;

use super::*;

fn said(html: &str) -> String {
    text(html, 10_000)
}

#[test]
fn what_is_dangerous_or_tells_somebody_is_gone() {
    for (html, cleaned) in [
        ("<p onclick=x()>a<script>b</script></p>", "<p>a</p>"),
        ("<img src='https://t.example/p.gif' alt=x>", "<img alt=\"x\">"),
        ("<img src='cid:a@b'>", "<img src=\"cid:a@b\">"),
        ("<img src='data:image/png;base64,AA'>", "<img>"),
        ("<a href='javascript:x'>a</a>", "<a rel=\"nofollow noopener noreferrer\">a</a>"),
        ("<div style='background:url(https://t.example)'>a</div>", "<div>a</div>"),
        ("<form action=x><input name=p>a</form>", "a"),
        ("<title>t</title><style>s</style>a<!-- c -->", "a"),
        ("<iframe src=x>a</iframe>", ""),
        ("<svg><script>x</script></svg>b", "b"),
        (
            "<table background=https://t.example><tr><td>a</table>",
            "<table><tbody><tr><td>a</td></tr></tbody></table>",
        ),
    ] {
        assert_eq!(clean(html).unwrap(), cleaned, "{html}");
    }
}

#[test]
fn what_is_made_to_be_slow_is_not_shown() {
    assert_eq!(clean(&"<div>".repeat(100_000)), None);
    assert_eq!(clean(&"<b id=x>".repeat(50_000)), None);
    let bold: String = (0..200).map(|it| format!("<b id={it}>")).collect();
    assert_eq!(clean(&format!("<p>{bold}</p>{}", "<p>x</p>".repeat(5_000))), None);
    assert_eq!(clean(&"x".repeat(HTML_BYTES_MAX + 1)), None);
    // A long letter by a program that closes nothing is nothing special.
    assert!(clean(&"<p>line<br>\n".repeat(10_000)).is_some());
    assert!(clean(&"<tr><td>a<td>b".repeat(2_000)).is_some());
}

#[test]
fn html_says_what_a_person_reads() {
    for (html, text) in [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("a &amp; b&nbsp;&lt;c&gt; &#8364; &bogus; &", "a & b <c> € &bogus; &"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<head><title>t</title><style>p{}</style></head>a", "a"),
        ("1 < 2 and <b>3</b>", "1 < 2 and 3"),
        ("<img alt='A logo' src=x>", "[A logo]"),
        ("a<!-- b -->c<!-- d", "ac"),
        ("a<b title='>'>c", "ac"),
        ("a&#0;b&#x07;", "ab"),
    ] {
        assert_eq!(said(html), text, "{html}");
    }
}

#[test]
fn what_is_quoted_is_marked_in_any_language() {
    for html in [
        "<div>Hi</div><div class=\"gmail_quote\"><div class=gmail_attr>Am Mo schrieb X:</div>\
            <blockquote class=gmail_quote>old</blockquote></div>",
        "<div>Hi</div><blockquote type=cite>old</blockquote>",
        "<div>Hi</div><div id=\"divRplyFwdMsg\"><b>Von:</b> X</div><div>old</div>",
        "<div>Hi</div><div id=\"yahoo_quoted_1\" class=\"yahoo_quoted\"><div>old</div></div>",
    ] {
        let text = said(html);
        let (own, quoted): (Vec<_>, Vec<_>) = text.lines().partition(|it| !it.starts_with('>'));
        assert_eq!(own.join("").trim(), "Hi", "{text}");
        assert!(quoted.iter().any(|it| it.ends_with("old")), "{text}");
    }
    let after = said("<div>a</div><blockquote><div>b</div></blockquote><div>c</div>");
    assert_eq!(after, "a\n> b\nc");
}

#[test]
fn what_is_handed_on_is_no_quote() {
    let html = "<div>Please see</div><div class=gmail_quote>---------- Weitergeleitet ---------<br>a</div>";

    assert_eq!(said(html), "Please see\n---------- Weitergeleitet ---------\na");
}

proptest! {
    #[test]
    fn no_html_panics(html in "(<|>|/|!--|-->|=|\"|'|&|;|#|p|div|br|blockquote|script|class| |é|a){0,60}") {
        text(&html, 1_000);
        clean(&html);
    }

    #[test]
    fn no_attribute_panics(text in "[a-c=\"' /é]{0,30}") {
        scan::attribute(&text, "a");
    }
}
