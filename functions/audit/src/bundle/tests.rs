//! Bundles of a small log, and what becomes of them when somebody alters them.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tree::parts;

const LOG: &str = "backplane/ten_1";

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn key() -> NoteKey {
    NoteKey::new(LOG, signer().verifying_key()).unwrap()
}

fn texts(count: u64) -> Vec<String> {
    (1..=count)
        .map(|it| shared::domain::canonical(&json!({"action": "a.b", "data": {"n": it}})).unwrap())
        .collect()
}

fn root(texts: &[String]) -> Hash {
    let mut edge = Edge::default();
    texts.iter().for_each(|it| edge.push(leaf(it)));
    edge.root()
}

fn of(texts: &[String], range: std::ops::Range<u64>) -> Vec<String> {
    let all = parts(range).into_iter().map(|it| {
        let (start, size) = ((it.number << it.level) as usize, 1 << it.level);
        HEXLOWER.encode(&root(&texts[start..start + size]))
    });
    all.collect()
}

fn checkpoint(texts: &[String]) -> Checkpoint {
    Checkpoint { origin: LOG.to_owned(), size: texts.len() as u64, root: root(texts) }
}

/// The lines of a bundle of the log.
fn bundle(texts: &[String], after: u64, to: u64) -> Vec<String> {
    let size = texts.len() as u64;
    let ranges = if to == 0 { Vec::new() } else { tree::consistency(to, size).unwrap() };
    let joined = |it: &std::ops::Range<u64>| {
        HEXLOWER.encode(&root(&texts[it.start as usize..it.end as usize]))
    };
    let head = Head {
        log: LOG.to_owned(),
        after,
        to,
        edge: of(texts, 0..after),
        consistency: ranges.iter().map(joined).collect(),
        checkpoint: checkpoint(texts).signed(LOG, &[signer()]).unwrap(),
    };
    let lines = (after + 1..=to)
        .map(|it| json!(Line { sequence: it, entry: texts[it as usize - 1].clone() }).to_string());
    std::iter::once(json!(head).to_string()).chain(lines).collect()
}

fn check(lines: &[String], earlier: &[Checkpoint]) -> Result<Verified, Refused> {
    let mut check = Check::begin(&lines[0], &key(), earlier)?;
    lines[1..].iter().try_for_each(|it| check.line(it))?;
    check.end()
}

#[test]
fn a_log_and_each_part_of_it_is_taken() {
    let all = texts(21);
    for after in 0..=21 {
        for to in after..=21 {
            let it = check(&bundle(&all, after, to), &[]).unwrap();
            assert_eq!((it.after, it.to, it.checkpoint.size), (after, to, 21));
        }
    }
}

#[test]
fn an_edit_a_deletion_a_cut_and_a_swap_are_found() {
    let all = texts(20);
    let lines = bundle(&all, 3, 18);
    let seen = |lines: &[String]| check(lines, &[]).unwrap_err();

    for at in 1..lines.len() {
        let mut edited = lines.clone();
        edited[at] = edited[at].replacen("a.b", "a.c", 1);
        assert_eq!(seen(&edited), Refused::Changed, "entry {at}");
        let mut deleted = lines.clone();
        deleted.remove(at);
        let is_last = at == lines.len() - 1;
        assert!(matches!(seen(&deleted), Refused::Gap(..)) != is_last, "entry {at}");
        let mut renumbered = deleted.clone();
        for (number, it) in renumbered.iter_mut().enumerate().skip(1) {
            let mut line: Line = serde_json::from_str(it).unwrap();
            line.sequence = 3 + number as u64;
            *it = json!(line).to_string();
        }
        assert_eq!(seen(&renumbered), Refused::Cut(17, 18), "entry {at}");
    }
    assert_eq!(seen(&lines[..10]), Refused::Cut(12, 18));
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    assert!(matches!(seen(&swapped), Refused::Gap(6, 8)));
    let mut reordered = lines.clone();
    let (a, b) = (lines[4].clone(), lines[5].clone());
    reordered[4] = b.replace("\"sequence\":8", "\"sequence\":7");
    reordered[5] = a.replace("\"sequence\":7", "\"sequence\":8");
    assert_eq!(seen(&reordered), Refused::Changed);
    let mut spaced = lines.clone();
    spaced[2] = spaced[2].replace("{\\\"action", "{ \\\"action");
    assert_eq!(seen(&spaced), Refused::NotCanonical(5));
}

#[test]
fn a_fork_is_found_by_whoever_has_kept_a_checkpoint() {
    let all = texts(20);
    let mut other = all.clone();
    other[4] = other[4].replace("a.b", "x.y");
    let forked = bundle(&other, 0, 20);
    assert!(check(&forked, &[]).is_ok(), "by itself it is a log as any other");

    assert_eq!(check(&forked, &[checkpoint(&all[..9])]), Err(Refused::Forked(9)));
    assert!(check(&forked, &[checkpoint(&all[..4])]).is_ok(), "until there they are the same");
    let shorter = bundle(&all[..8], 0, 8);
    assert_eq!(check(&shorter, &[checkpoint(&all[..9])]), Err(Refused::Forked(9)), "it was cut");
    let kept = [checkpoint(&all[..9]), checkpoint(&all[..3]), checkpoint(&all)];
    assert!(check(&bundle(&all, 0, 20), &kept).is_ok());
    let late = check(&bundle(&all, 10, 20), &kept[..1]);
    assert_eq!(late, Err(Refused::Incomparable(9, 10)));
}

#[test]
fn another_key_and_another_log_are_refused() {
    let lines = bundle(&texts(5), 0, 5);
    let other = NoteKey::new(LOG, SigningKey::from_bytes(&[4; 32]).verifying_key()).unwrap();
    let by_other = Check::begin(&lines[0], &other, &[]).err();
    assert_eq!(by_other, Some(Refused::Note(NoteError::Unsigned)));
    let mut head: Head = serde_json::from_str(&lines[0]).unwrap();
    head.log = "backplane/ten_2".to_owned();
    let renamed = Check::begin(&json!(head).to_string(), &key(), &[]).err();
    assert_eq!(renamed, Some(Refused::OtherLog(LOG.to_owned())));
}

proptest! {
    #[test]
    fn no_flipped_bit_is_taken(size in 1u64..12, bit in any::<usize>()) {
        let lines = bundle(&texts(size), 0, size);
        let mut bytes = lines.join("\n").into_bytes();
        let at = bit % (bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let changed: Vec<_> = text.split('\n').map(str::to_owned).collect();

        let same = |a: &[String]| -> Vec<Value> {
            a.iter().map(|it| serde_json::from_str(it).unwrap_or(Value::Null)).collect()
        };
        // A flip within an escape may write the same value in another way.
        prop_assume!(same(&changed) != same(&lines));
        let taken = check(&changed, &[]);
        // The proof of consistency is not needed when the whole log is there.
        prop_assert!(taken.is_err() || taken.unwrap().checkpoint == checkpoint(&texts(size)));
    }
}
