//! Which files are among the words.

use proptest::prelude::*;

use super::*;
use crate::template::markdown;

fn file(name: &str) -> File {
    File { name: name.to_owned(), kind: "image/png".to_owned(), bytes: vec![1] }
}

fn place(page: &str, names: &[&str]) -> Placed {
    let files: Vec<_> = names.iter().map(|it| file(it)).collect();
    placed(page, &files, &Id::trusted("dlv_1".to_owned()))
}

#[test]
fn what_the_page_refers_to_is_inline_and_the_rest_is_not() {
    let page = "<img src=\"cid:logo.png\"><img src='CID:logo.png'>";

    let it = place(page, &["a.pdf", "logo.png"]);

    assert_eq!(it.ids, [None, Some("1.dlv_1@inline.invalid".to_owned())]);
    let expected = "<img src=\"cid:1.dlv_1@inline.invalid\"><img src='CID:1.dlv_1@inline.invalid'>";
    assert_eq!(it.page, expected);
}

#[test]
fn a_name_is_found_however_it_is_written() {
    for (page, name) in [
        ("<img src=\"cid:a%20b.png\">", "a b.png"),
        ("<img src=\"cid:a b.png\">", "a b.png"),
        ("<img src=\"cid:Gr%C3%BC%C3%9Fe.png\">", "Grüße.png"),
        ("<img src=\"cid:a&amp;b.png\">", "a&b.png"),
        ("<img src=\"cid:a&#x27;b.png\">", "a'b.png"),
        ("<img src=cid:a.png>", "a.png"),
        ("<p style=\"background: url(cid:a.png)\">", "a.png"),
    ] {
        assert!(place(page, &[name]).ids[0].is_some(), "{page}");
    }
}

#[test]
fn words_and_names_of_nothing_stay_as_they_are() {
    for page in ["write cid:a.png here", "<img src=\"cid:b.png\">", "\"cid:a.png", "cid:", "=cid:"]
    {
        let it = place(page, &["a.png"]);
        assert_eq!((it.page.as_str(), &it.ids[0]), (page, &None), "{page}");
    }
}

#[test]
fn markdown_can_show_a_file() {
    let html = markdown::to_html("![Our logo](cid:logo.png) ![](<cid:a b.png>)");

    let it = place(&html, &["logo.png", "a b.png"]);

    assert!(it.ids.iter().all(Option::is_some), "{html}");
}

proptest! {
    #[test]
    fn nothing_is_lost_of_a_page(page in "([a-z\"'=( >]|cid:|é|a\\.png){0,60}") {
        let it = place(&page, &["a.png"]);

        let back = it.page.replace("0.dlv_1@inline.invalid", "a.png");
        prop_assert_eq!(back, page);
    }
}
