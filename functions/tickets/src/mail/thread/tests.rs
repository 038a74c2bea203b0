//! Which mail joins which conversation.

use super::{super::*, *};

const MAILBOX: &str = "tmb_1";

fn secret() -> Secret {
    Secret::new(&[7; token::SECRET_BYTES]).unwrap()
}

fn mail(header: &str, text: &str) -> Incoming {
    let raw = format!("From: ada@example.com\n{header}\n\n{text}");
    read(raw.as_bytes(), &Envelope::default(), &[]).unwrap()
}

/// A ticket called "Broken printer", as each clue would lead to it.
fn found(incoming: &Incoming, is_known: bool) -> Vec<Candidate<i64>> {
    let clues = clues(incoming, MAILBOX, &secret());
    clues
        .into_iter()
        .filter_map(|(clue, lead)| {
            let ticket = match lead {
                Lead::Number(it) => it,
                Lead::Message(it) if it == "known@example.com" => 12,
                Lead::Message(_) => return None,
            };
            let subject = "Broken printer".to_owned();
            Some(Candidate { ticket, clue, subject, is_closed: false, is_known })
        })
        .collect()
}

fn decided(incoming: &Incoming) -> Decision<i64> {
    decide(incoming, &found(incoming, true), OnNewSubject::Keep, false)
}

#[test]
fn a_token_leads_to_its_ticket_wherever_it_stands() {
    let token = secret().token(MAILBOX, 12);
    for (header, text, clue) in [
        (format!("To: support+{token}@example.com"), String::new(), Clue::Address),
        (
            format!("Delivered-To: Support+{}@example.com", token.to_uppercase()),
            String::new(),
            Clue::Address,
        ),
        (format!("In-Reply-To: <x@y> <{token}.tmg_1@example.com>"), String::new(), Clue::MessageId),
        (format!("References: <{token}.tmg_1@example.com> <x@y>"), String::new(), Clue::MessageId),
        (String::new(), format!("Yes.\n\n> {}\n> old", token::marker(&token)), Clue::Text),
    ] {
        assert_eq!(decided(&mail(&header, &text)), Decision::Join(12, clue), "{header} {text}");
    }
}

#[test]
fn the_surest_clue_is_believed() {
    let address = secret().token(MAILBOX, 1);
    let id = secret().token(MAILBOX, 2);
    let header = format!(
        "To: support+{address}@example.com\nIn-Reply-To: <{id}.x@example.com> <known@example.com>"
    );

    assert_eq!(decided(&mail(&header, "a")), Decision::Join(1, Clue::Address));
}

#[test]
fn tokens_of_others_lead_nowhere() {
    let foreign = Secret::new(&[8; token::SECRET_BYTES]).unwrap().token(MAILBOX, 12);
    let other = secret().token("tmb_2", 12);
    for token in [foreign, other, "t12.aaaaaaaaaaaaaaaa".to_owned()] {
        let header = format!("To: support+{token}@example.com\nIn-Reply-To: <{token}.x@y>");
        let incoming = mail(&header, &token::marker(&token));

        assert_eq!(decided(&incoming), Decision::Open(None), "{token}");
    }
}

#[test]
fn what_answers_a_known_mail_joins_and_what_names_one_needs_its_subject() {
    let in_reply = mail("In-Reply-To: <x@y> <known@example.com>\nSubject: Something else", "a");
    assert_eq!(decided(&in_reply), Decision::Join(12, Clue::InReplyTo));

    let same = mail("References: <known@example.com> <x@y>\nSubject: AW: Broken  Printer", "a");
    assert_eq!(decided(&same), Decision::Join(12, Clue::References));

    let other = mail("References: <known@example.com>\nSubject: Something else", "a");
    assert_eq!(decided(&other), Decision::Open(None));

    let none = mail("References: <known@example.com>", "a");
    assert_eq!(decided(&none), Decision::Open(None));
}

#[test]
fn a_stranger_never_joins() {
    let token = secret().token(MAILBOX, 12);
    for header in
        [format!("To: support+{token}@example.com"), "In-Reply-To: <known@example.com>".to_owned()]
    {
        let incoming = mail(&header, "a");
        let decision = decide(&incoming, &found(&incoming, false), OnNewSubject::Keep, false);
        assert_eq!(decision, Decision::Open(Some((12, Apart::Stranger))), "{header}");
    }
}

#[test]
fn another_subject_splits_where_the_mailbox_says_so() {
    let incoming = mail("In-Reply-To: <known@example.com>\nSubject: Something else", "a");
    let decision = decide(&incoming, &found(&incoming, true), OnNewSubject::Split, false);
    assert_eq!(decision, Decision::Open(Some((12, Apart::NewSubject))));

    for subject in ["Subject: Re: Broken printer", "Subject:", "X: y"] {
        let same = mail(&format!("In-Reply-To: <known@example.com>\n{subject}"), "a");
        let decision = decide(&same, &found(&same, true), OnNewSubject::Split, false);
        assert_eq!(decision, Decision::Join(12, Clue::InReplyTo), "{subject}");
    }
}

#[test]
fn a_closed_ticket_is_followed_by_another() {
    let incoming = mail("In-Reply-To: <known@example.com>", "a");
    let mut found = found(&incoming, true);
    found[0].is_closed = true;

    let decision = decide(&incoming, &found, OnNewSubject::Keep, false);

    assert_eq!(decision, Decision::Open(Some((12, Apart::Closed))));
}

#[test]
fn a_forged_sender_joins_by_what_we_signed_alone() {
    let token = secret().token(MAILBOX, 12);
    for (header, joins) in [
        (format!("To: support+{token}@example.com"), true),
        ("In-Reply-To: <known@example.com>".to_owned(), false),
    ] {
        let raw = format!(
            "Authentication-Results: mx.example.com; dmarc=fail\nFrom: ada@example.com\n{header}\n\na"
        );
        let incoming =
            read(raw.as_bytes(), &Envelope::default(), &["mx.example.com".to_owned()]).unwrap();
        let expected = match joins {
            true => Decision::Join(12, Clue::Address),
            false => Decision::Open(Some((12, Apart::Forged))),
        };
        assert_eq!(decided(&incoming), expected, "{header}");
    }
}

#[test]
fn programs_open_tickets_but_their_answers_do_not() {
    let generated = mail("Auto-Submitted: auto-generated\nSubject: Disk full", "a");
    assert_eq!(decided(&generated), Decision::Open(None));

    let replied = mail("Auto-Submitted: auto-replied\nSubject: Automatic reply: x", "a");
    assert_eq!(decided(&replied), Decision::Ignore(Ignored::AutomaticAnswer));

    // In the conversation it tells the agent that nobody will answer until Monday.
    let known = mail(
        "Auto-Submitted: auto-replied\nIn-Reply-To: <known@example.com>\nSubject: Automatic reply: x",
        "a",
    );
    let decision = decide(&known, &found(&known, true), OnNewSubject::Split, false);
    assert_eq!(decision, Decision::Join(12, Clue::InReplyTo));
    let decision = decide(&known, &found(&known, false), OnNewSubject::Split, false);
    assert_eq!(decision, Decision::Ignore(Ignored::AutomaticAnswer));
}

#[test]
fn what_we_sent_ourselves_is_ignored() {
    let incoming = mail("Subject: a", "a");
    assert_eq!(
        decide::<i64>(&incoming, &[], OnNewSubject::Keep, true),
        Decision::Ignore(Ignored::Ours)
    );
}

#[test]
fn a_bounce_belongs_to_what_bounced() {
    let token = secret().token(MAILBOX, 12);
    let bounce = |id: &str, action: &str| {
        let raw = format!(
            "From: MAILER-DAEMON@mx.example.com\nReturn-Path: <>\nSubject: Undelivered\n\
            Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
            --b\n\nIt did not arrive.\n--b\nContent-Type: message/delivery-status\n\n\
            Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; Ada@example.com\n\
            Action: {action}\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n\
            --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{id}>\nSubject: x\n--b--\n"
        );
        read(raw.as_bytes(), &Envelope::default(), &[]).unwrap()
    };

    let ours = bounce(&format!("{token}.tmg_1@example.com"), "failed");
    assert_eq!(decided(&ours), Decision::Bounced(12));
    let it = ours.bounce.unwrap();
    assert_eq!((it.fate, it.recipient.unwrap().as_str()), (Fate::Failed, "ada@example.com"));
    assert_eq!((it.status.unwrap().as_str(), it.why.as_str()), ("5.1.1", "550 no such user"));

    assert_eq!(decided(&bounce("known@example.com", "delayed")), Decision::Bounced(12));
    let nothing = Decision::Ignore(Ignored::BounceOfNothing);
    assert_eq!(decided(&bounce("x@y", "failed")), nothing);
    let arrived = bounce("known@example.com", "delivered");
    assert_eq!(decided(&arrived), Decision::Ignore(Ignored::Receipt));
}
