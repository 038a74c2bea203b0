//! Conversations, one line of the server after the other.

use super::*;

const PLAIN: &str = "AUTH PLAIN AGFkYQBzM2NyZXQ=\r\n";

fn wish(security: Security) -> Wish<'static> {
    Wish {
        name: "example.com",
        security,
        login: Some(("ada", "s3cret")),
        from: "news@example.com",
        to: "ada@example.org",
        bytes: 1000,
        is_ascii: true,
    }
}

/// What is done after each of these; a line that begins with `~` says that TLS has begun.
fn play(wish: Wish<'_>, server: &[&str]) -> Vec<Next> {
    let mut talk = Talk::new(wish);
    let mut done = vec![];
    for said in server {
        done.push(match *said {
            "~" => talk.upgraded(),
            said => {
                let lines: Vec<_> = said.lines().collect();
                let code = lines[0][..3].parse().unwrap();
                let lines = lines.iter().map(|it| it.get(4..).unwrap_or_default().to_owned());
                talk.heard(&Reply { code, lines: lines.collect() })
            }
        });
    }
    done
}

fn say(words: &str) -> Next {
    Next::Say(format!("{words}\r\n"))
}

fn last(wish: Wish<'_>, server: &[&str]) -> Sent {
    match play(wish, server).pop() {
        Some(Next::Over(sent)) => sent,
        other => panic!("{other:?}"),
    }
}

const GREETED: &str = "250-relay\n250-8BITMIME\n250-SIZE 35651584\n250 AUTH LOGIN PLAIN";
const TO_DATA: [&str; 6] = ["220 hi", GREETED, "235 ok", "250 ok", "250 ok", "354 go"];

#[test]
fn a_whole_conversation_by_starttls() {
    let server = [
        "220 relay ESMTP",
        "250-relay\n250-PIPELINING\n250 STARTTLS",
        "220 go",
        "~",
        GREETED,
        "235 2.7.0 ok",
        "250 2.1.0 ok",
        "250 2.1.5 ok",
        "354 go",
        "250 2.0.0 queued as X1",
    ];

    let done = play(wish(Security::Starttls), &server);

    assert_eq!(
        done,
        [
            say("EHLO example.com"),
            say("STARTTLS"),
            Next::Upgrade,
            say("EHLO example.com"),
            Next::Say(PLAIN.to_owned()),
            say("MAIL FROM:<news@example.com> SIZE=1000"),
            say("RCPT TO:<ada@example.org>"),
            say("DATA"),
            Next::Content,
            Next::Over(Sent::Taken(Some("2.0.0 queued as X1".to_owned()))),
        ]
    );
}

#[test]
fn a_server_without_starttls_is_told_nothing() {
    // What it offers may have been cut out on the way.
    let server = ["220 hi", "250-relay\n250 AUTH PLAIN LOGIN"];

    let done = play(wish(Security::Starttls), &server);

    assert!(matches!(&done[1], Next::Over(Sent::Later(why, _)) if why.contains("STARTTLS")));
    assert!(!format!("{done:?}").contains("AUTH PLAIN "), "{done:?}");
    let refused = ["220 hi", "250-relay\n250 STARTTLS", "454 not now"];
    assert!(matches!(last(wish(Security::Starttls), &refused), Sent::Later(..)));
}

#[test]
fn what_was_offered_before_tls_does_not_count() {
    let server = ["220 hi", "250-relay\n250-STARTTLS\n250 AUTH PLAIN", "220 go", "~", "250 relay"];

    let sent = last(wish(Security::Starttls), &server);

    assert!(matches!(&sent, Sent::Later(why, _) if why.contains("login")), "{sent:?}");
}

#[test]
fn login_is_what_is_left_without_plain() {
    let server =
        ["220 hi", "250-relay\n250 AUTH CRAM-MD5 LOGIN", "334 VXNlcg==", "334 UGFzcw==", "235 ok"];

    let done = play(wish(Security::Tls), &server);

    let expected = ["AUTH LOGIN", "YWRh", "czNjcmV0", "MAIL FROM:<news@example.com>"];
    assert_eq!(done[1..], expected.map(say));
}

#[test]
fn nobody_logs_in_who_needs_not() {
    let wish = Wish { login: None, ..wish(Security::None) };

    assert_eq!(play(wish, &["220 hi", GREETED])[1], say("MAIL FROM:<news@example.com> SIZE=1000"));
}

#[test]
fn a_mail_that_is_too_long_is_not_begun() {
    let server = ["220 hi", "250-relay\n250-SIZE 999\n250 AUTH PLAIN", "235 ok"];

    let sent = last(wish(Security::Tls), &server);

    assert!(matches!(&sent, Sent::Refused(why) if why.contains("999")), "{sent:?}");
    let any = ["220 hi", "250-relay\n250-SIZE 0\n250 AUTH PLAIN", "235 ok"];
    assert_eq!(
        play(wish(Security::Tls), &any)[2],
        say("MAIL FROM:<news@example.com> SIZE=1000"),
        "0 is any"
    );
}

#[test]
fn eight_bits_go_to_whoever_takes_them() {
    let wide = Wish { is_ascii: false, ..wish(Security::Tls) };

    let taken = play(wide, &["220 hi", GREETED, "235 ok"]);
    let refused = last(wide, &["220 hi", "250-relay\n250 AUTH PLAIN", "235 ok"]);

    assert_eq!(taken[2], say("MAIL FROM:<news@example.com> SIZE=1000 BODY=8BITMIME"));
    assert!(matches!(refused, Sent::Refused(_)));
}

#[test]
fn each_no_has_its_meaning() {
    #[derive(Debug, PartialEq)]
    enum Kind {
        Later,
        Refused,
        NoAnswer,
    }
    let kind = |sent: &Sent| match sent {
        Sent::Later(..) => Kind::Later,
        Sent::Refused(_) => Kind::Refused,
        Sent::NoAnswer(_) => Kind::NoAnswer,
        Sent::Taken(_) => panic!("{sent:?}"),
    };
    for (heard, no, expected) in [
        (0, "554 go away", Kind::Later),
        (0, "421 busy", Kind::Later),
        (1, "502 what", Kind::Later),
        (2, "535 5.7.8 wrong", Kind::Later),
        (2, "334 go on", Kind::Later),
        (3, "530 5.7.0 log in first", Kind::Later),
        (3, "550 5.7.8 wrong", Kind::Later),
        (3, "553 5.1.7 no such sender", Kind::Refused),
        (3, "451 4.3.0 later", Kind::Later),
        (4, "550 5.1.1 no such user", Kind::Refused),
        (4, "450 4.2.1 greylisted", Kind::Later),
        (4, "421 4.7.0 too many", Kind::Later),
        (5, "554 no", Kind::Refused),
        (6, "550 5.7.1 spam", Kind::Refused),
        (6, "452 4.3.1 full", Kind::Later),
        (6, "354 go on", Kind::NoAnswer),
    ] {
        let server: Vec<_> = TO_DATA[..heard].iter().copied().chain([no]).collect();
        let sent = last(wish(Security::Tls), &server);
        assert_eq!(kind(&sent), expected, "{no}: {sent:?}");
    }
}
