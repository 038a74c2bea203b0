//! Answers as programs write them.

use proptest::prelude::*;

use super::*;

fn own(text: &str) -> String {
    split(text, false).own
}

#[test]
fn who_wrote_what_is_known_in_many_languages() {
    for line in [
        "On Mon, Jan 5, 2026 at 9:00 AM Ada <ada@example.com> wrote:",
        "On Mon, Jan 5, 2026 at 9:00 AM Ada Lovelace of the Analytical\nEngines <ada@example.com> wrote:",
        "Am 05.01.2026 um 09:00 schrieb Ada:",
        "Am Mo., 5. Jan. 2026 um 09:00 Uhr schrieb Ada <ada@example.com>:",
        "Le lun. 5 janv. 2026 à 09:00, Ada <ada@example.com> a écrit :",
        "El lun, 5 ene 2026 a las 9:00, Ada (<ada@example.com>) escribió:",
        "Il giorno lun 5 gen 2026 alle ore 09:00 Ada <ada@example.com> ha scritto:",
        "Em seg., 5 de jan. de 2026 às 09:00, Ada <ada@example.com> escreveu:",
        "Op ma 5 jan 2026 om 09:00 schreef Ada <ada@example.com>:",
        "pon., 5 sty 2026 o 09:00 Ada <ada@example.com> napisał(a):",
        "Den mån 5 jan. 2026 kl 09:00 skrev Ada <ada@example.com>:",
        "Den man. 5. jan. 2026 kl. 09.00 skrev Ada <ada@example.com>:",
        "2026年1月5日(月) 9:00 Ada <ada@example.com>:",
        "Ada <ada@example.com> 于2026年1月5日周一 09:00写道：",
        "2026년 1월 5일 (월) 오전 9:00, Ada <ada@example.com>님이 작성:",
        "пн, 5 янв. 2026 г. в 09:00, Ada <ada@example.com> пишет:",
    ] {
        let with_marks = format!("Thanks!\n\n{line}\n\n> old\n> older\n");
        assert_eq!(own(&with_marks), "Thanks!", "{line}");
        let without = format!("Thanks!\n\n{line}\n\nold\nolder\n");
        assert_eq!(own(&without), "Thanks!", "{line}");
    }
}

#[test]
fn headers_in_the_text_are_known_in_many_languages() {
    for header in [
        "From: Ada\nSent: Monday\nTo: Support\nSubject: Re: x",
        "________________________________\nVon: Ada\nGesendet: Montag\nAn: Support\nBetreff: x",
        "De : Ada\nEnvoyé : lundi\nÀ : Support\nObjet : x",
        "*From:* Ada\n*Sent:* Monday\n*To:* Support\n*Subject:* x",
        "De: Ada\nEnviado el: lunes\nPara: Support\nAsunto: x",
        "Da: Ada\nInviato: lunedì\nA: Support\nOggetto: x",
        "差出人: Ada\n送信日時: 2026年1月5日\n宛先: Support\n件名: x",
        "发件人： Ada\n发送时间： 2026年1月5日\n收件人： Support\n主题： x",
        "-----Original Message-----\nwhatever",
        "-----Ursprüngliche Nachricht-----\nVon: Ada",
        "-------- Message d’origine --------\nDe : Ada",
        "##- Please type your reply above this line -##\nx",
    ] {
        assert_eq!(own(&format!("Thanks!\n\n{header}\n\nold\n")), "Thanks!", "{header}");
    }
}

#[test]
fn our_own_line_ends_an_answer() {
    let marker = token::marker("t12.abcdefghijklmnop");
    for text in [
        format!("Thanks!\n\nOn Monday 5 Ada wrote:\n\n{marker}\nold"),
        format!("Thanks!\n\n> {marker}\n> old"),
        format!("Thanks!\n{marker}\nold"),
    ] {
        assert_eq!(own(&text), "Thanks!", "{text}");
    }
}

#[test]
fn an_answer_below_is_found() {
    let text =
        "On Mon, Jan 5, 2026 Ada <a@example.com> wrote:\n> question\n> more\n\nThe answer.\n";

    let split = split(text, false);

    assert_eq!(split.own, "The answer.");
    assert!(split.quoted.starts_with("On Mon") && split.quoted.ends_with("> more"));
}

#[test]
fn answers_in_between_keep_what_they_answer() {
    let text = "Hi,\n\n> one?\nYes.\n\n> two?\nNo.\n\n> the rest\n> of it\n";

    assert_eq!(own(text), "Hi,\n\n> one?\nYes.\n\n> two?\nNo.");
}

#[test]
fn signatures_are_no_words_of_the_answer() {
    assert_eq!(own("Hello\n\n-- \nAda\nExample Ltd."), "Hello");
    assert_eq!(own("Hello\n\nSent from my iPhone\n"), "Hello");
    assert_eq!(own("Hello\n\nVon meinem iPhone gesendet\n\n> Am 5.1. schrieb Ada:\n> x"), "Hello");
    let long = format!("Hello\n--\n{}", "a line\n".repeat(40));
    assert_eq!(own(&long), long.trim());
}

#[test]
fn what_is_somebodys_own_stays() {
    for text in [
        "Bob wrote: it is broken.",
        "This is what he wrote:\nit is broken",
        "From: here to there\nit is far",
        "a > b and b > c",
        "Please see below:\n\n1. One",
        "See the steps:\n- one\n- two",
        "Subject: none\nTo: me",
    ] {
        assert_eq!(own(text), text);
    }
}

#[test]
fn where_nothing_would_be_left_all_is_kept() {
    for text in [
        "> all\n> quoted",
        "On Mon, Jan 5, 2026 Ada <a@example.com> wrote:\n> question",
        "-----Original Message-----\nFrom: Ada",
        "-- \nAda",
        "...\n> quoted",
    ] {
        assert_eq!(own(text), text.trim(), "{text}");
    }
    assert_eq!(own("👍\n> quoted"), "👍");
    assert_eq!(split("", false), Split::default());
}

#[test]
fn what_is_handed_on_stays_whole() {
    for text in [
        "FYI\n\n---------- Forwarded message ---------\nFrom: Ada\nDate: x\nSubject: y\nTo: z\n\nhello",
        "FYI\n\nBegin forwarded message:\n\n> From: Ada\n> hello",
        "Bitte\n\n-------- Weitergeleitete Nachricht --------\nBetreff: x\nDatum: y\nVon: z\nAn: w\n\nhi",
    ] {
        assert_eq!(own(text), text, "{text}");
    }
    let text = "FYI\n\nFrom: Ada\nSent: Monday\nTo: me\nSubject: x\n\nhello";
    assert_eq!(split(text, true).own, text);
    assert_eq!(split(text, false).own, "FYI");
}

#[test]
fn a_text_of_many_lines_takes_no_time() {
    for line in ["On 1 wrote\n", "> a\n", "a:\n", "From: x\n", "> a\nb\n", "\n", "x\n\n"] {
        split(&line.repeat(100_000 / line.len()), false);
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(text in "((> )?(On 5 Ada wrote:|From: a|Sent: b|To: c|-- |hello|)\n){0,20}") {
        let split = split(&text, false);
        let words = |it: &str| { let mut all: Vec<_> = it.split_whitespace().map(ToOwned::to_owned).collect(); all.sort(); all };
        prop_assert_eq!(words(&format!("{}\n{}", split.own, split.quoted)), words(&text));
    }
}
