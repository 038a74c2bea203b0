//! Templates with good data, bad data and hostile data.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn markdown(subject: &str, body: &str) -> Template {
    Template { subject: subject.to_owned(), body: Body::Markdown(body.to_owned()) }
}

fn html(body: &str) -> Template {
    Template { subject: "s".to_owned(), body: Body::Html(body.to_owned()) }
}

#[test]
fn one_template_makes_a_subject_a_text_and_a_page() {
    let body = "# Hello {{ name }}\n\n{% for it in lines %}- {{ it }}\n{% endfor %}\n\
        Look [here]({{ url }}), or at <{{ \"https://example.com/\" }}>.\n\n1. one\n2. two\n   - deep";
    let data = json!({"name": "Ada", "lines": ["a", "b"], "url": "https://example.com/x?a=1&b=2"});

    let rendered = markdown("For {{ name }}", body).checked().unwrap().render(&data).unwrap();

    assert_eq!(rendered.subject, "For Ada");
    assert_eq!(
        rendered.text,
        "Hello Ada\n\n- a\n- b\n\nLook here (https://example.com/x?a=1&b=2), or at \
         <https://example.com/>.\n\n1. one\n2. two\n  - deep"
    );
    assert!(rendered.html.contains("<h1>Hello Ada</h1>"), "{}", rendered.html);
    let link = r#"<a href="https://example.com/x?a=1&amp;b=2">here</a>"#;
    assert!(rendered.html.contains(link), "{}", rendered.html);
}

#[test]
fn a_variable_that_is_not_there_is_named_with_its_place() {
    let unknown =
        |template: Template| template.render(&json!({"user": {"name": "Ada"}})).unwrap_err();
    let why = |name: &str| Why::Unknown(name.to_owned());

    let err = unknown(markdown("Hi {{ user.nmae }}", "x"));
    assert_eq!(err, Error { part: "subject", line: 1, column: 7, why: why("user.nmae") });
    let err = unknown(markdown("s", "Grüße\nvon {{ sender }}"));
    assert_eq!(err, Error { part: "markdown", line: 2, column: 8, why: why("sender") });
    assert_eq!(
        err.to_string(),
        "markdown, line 2, column 8: sender is not in the data: send it, or ask with `is defined` \
         before"
    );
    assert_eq!(unknown(html("<p>{% if nobody %}x{% endif %}</p>")).why, why("nobody"));
    assert_eq!(unknown(html("{% for it in nobody %}x{% endfor %}")).why, why("nobody"));
    let asked = markdown("s", "{% if sender is defined %}{{ sender }}{% else %}us{% endif %}");
    assert_eq!(asked.render(&json!({})).unwrap().text, "us");
}

#[test]
fn what_renders_empty_is_refused() {
    let empty = |template: Template| template.render(&json!({"no": false})).unwrap_err();

    assert_eq!(empty(markdown("{% if no %}x{% endif %}", "x")).part, "subject");
    let err = empty(markdown("s", "{% if no %}x{% endif %} \n"));
    assert_eq!((err.part, err.why), ("markdown", Why::Empty));
    assert_eq!(empty(html("<p> </p><br>")).why, Why::Empty);
}

#[test]
fn a_mistake_is_told_where_it_is_when_the_template_is_put() {
    let err = markdown("s", "one\ntwo {{ a b }}").checked().unwrap_err();
    assert_eq!((err.part, err.line), ("markdown", 2));
    assert!(matches!(err.why, Why::Mistake(_)), "{err}");
    let long = markdown("s", &"x".repeat(SOURCE_BYTES_MAX + 1)).checked().unwrap_err();
    assert_eq!(long.why, Why::TooLong(SOURCE_BYTES_MAX));
    // No filter takes the escaping away.
    assert!(html("{{ a|safe }}").render(&json!({"a": "<b>"})).is_err());
}

#[test]
fn what_does_too_much_is_ended() {
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";

    assert_eq!(html(loops).render(&json!({})).unwrap_err().why, Why::TooMuch);
}

#[test]
fn data_never_becomes_markup() {
    let evil = "<img src=x onerror=alert(1)> [a](https://evil.example) **b** `c`\n\n# d\n\n    e";
    let data = json!({"it": evil});

    let rendered = markdown("s", "Said: {{ it }}").render(&data).unwrap();
    for tag in ["<img", "<a ", "<strong", "<code", "<h1", "<pre"] {
        assert!(!rendered.html.contains(tag), "{tag} in {}", rendered.html);
    }
    assert_eq!(
        rendered.text.lines().next(),
        evil.lines().next().map(|it| format!("Said: {it}")).as_deref()
    );
    let page = html("{% autoescape false %}<p title=\"{{ it }}\">{{ it }}</p>{% endautoescape %}");
    assert!(!page.render(&data).unwrap().html.contains("<img"));
}

#[test]
fn a_value_in_code_reads_as_it_is() {
    let rendered =
        markdown("s", "Invoice `{{ it }}`").render(&json!({"it": "2026-0001*"})).unwrap();

    assert_eq!(rendered.html, "<p>Invoice <code>2026-0001*</code></p>\n");
    assert_eq!(rendered.text, "Invoice 2026-0001*");
}

#[test]
fn a_link_to_a_script_leads_nowhere() {
    let data = json!({"it": "JavaScript:alert(1)"});

    let rendered = markdown("s", "[a]({{ it }}) [b](data:text/html,x)").render(&data).unwrap();

    assert_eq!(rendered.html, "<p><a href=\"#\">a</a> <a href=\"#\">b</a></p>\n");
    assert_eq!(rendered.text, "a b");
}

#[test]
fn an_image_can_be_a_file_of_the_mail_and_a_link_cannot() {
    let data = json!({"it": "cid:logo.png"});
    let source = "Tea ![logo](cid:logo.png) ![]({{ it }}) [a](cid:logo.png)";

    let rendered = markdown("s", source).render(&data).unwrap();

    assert_eq!(rendered.html.matches("src=\"cid:logo.png\"").count(), 2, "{}", rendered.html);
    assert!(rendered.html.contains("<a href=\"#\">"), "{}", rendered.html);
    assert_eq!(rendered.text, "Tea logo  a");
}

#[test]
fn a_line_break_in_the_data_makes_no_header() {
    let data = json!({"it": "a\r\nBcc: everybody@example.com"});

    let subject = markdown("{{ it }}", "x").render(&data).unwrap().subject;

    assert_eq!(subject, "a Bcc: everybody@example.com");
}

proptest! {
    #[test]
    fn no_template_and_no_data_make_it_panic(source in "(\\{\\{|\\{%|%\\}|\\}\\}|[ -~]|é|\n){0,60}", it in ".{0,20}") {
        let template = Template { subject: source.clone(), body: Body::Markdown(source.clone()) };
        let _ = template.render(&json!({"it": it}));
        let _ = html(&source).checked();
    }

    #[test]
    fn no_value_opens_a_tag(it in "[ -~\n]{1,60}") {
        let rendered = markdown("s", "x {{ it }}").render(&json!({"it": it})).unwrap();
        let inner = rendered.html.trim().strip_prefix("<p>x ").and_then(|it| it.strip_suffix("</p>"));
        prop_assert!(inner.is_some_and(|it| !it.contains('<')), "{}", rendered.html);
    }
}
