//! Checks an export of a tenant's log, offline.
//!
//! ```text
//! backplane-verify log.jsonl 'backplane/ten_…+0a1b2c3d+AV…' [checkpoint …]
//! ```
//!
//! The key is one of `GET /v1/log/keys`, kept from when it was trusted. Each further file is a
//! checkpoint that was kept: the log must go on from it. It ends with 0 when all of it holds, with 1
//! and the reason when not, and with 2 when it was asked for something else.

#![expect(clippy::disallowed_macros, reason = "a program for the shell writes to it")]

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::ExitCode,
};

use audit::{
    bundle::{Check, LINE_BYTES_MAX, Verified},
    note::{Checkpoint, NoteKey},
};

const USAGE: &str = "usage: backplane-verify EXPORT KEY [CHECKPOINT ...]";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [export, key, earlier @ ..] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match verify(export, key, earlier) {
        Ok(it) => {
            println!("{}", told(&it, earlier.len()));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("refused: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What was found, and what was not asked.
fn told(it: &Verified, earlier: usize) -> String {
    let Verified { log, after, to, checkpoint } = it;
    let whole = *after == 0 && *to == checkpoint.size;
    let (first, size) = (after + 1, checkpoint.size);
    let which = match whole {
        true => format!("all {size} entries"),
        false => format!("entries {first} to {to} of {size}"),
    };
    let before = match earlier {
        0 => "; compared with no earlier checkpoint".to_owned(),
        _ => format!("; it goes on from {earlier} earlier checkpoints"),
    };
    format!("{log}: {which} are those that were signed{before}")
}

fn verify(export: &str, key: &str, earlier: &[String]) -> Result<Verified, String> {
    let key = NoteKey::parse(key).map_err(|err| err.to_string())?;
    let read = |path: &String| {
        let text = std::fs::read_to_string(path).map_err(|err| format!("{path}: {err}"))?;
        Checkpoint::read(&text, &key).map_err(|err| format!("{path}: {err}"))
    };
    let earlier: Vec<_> = earlier.iter().map(read).collect::<Result<_, _>>()?;
    let file = File::open(export).map_err(|err| format!("{export}: {err}"))?;
    let mut lines = BufReader::new(file);
    let first = line(&mut lines)?.ok_or("it is empty")?;
    let mut check = Check::begin(&first, &key, &earlier).map_err(|err| err.to_string())?;
    while let Some(line) = line(&mut lines)? {
        check.line(&line).map_err(|err| err.to_string())?;
    }
    check.end().map_err(|err| err.to_string())
}

/// The next line, of a bounded length.
fn line(lines: &mut impl BufRead) -> Result<Option<String>, String> {
    let mut text = String::new();
    let most = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    let read = lines.take(most).read_line(&mut text).map_err(|err| err.to_string())?;
    match read {
        0 => Ok(None),
        _ if !text.ends_with('\n') => Err("its last line has no end: it was cut off".to_owned()),
        _ => Ok(Some(text.trim_end_matches('\n').to_owned())),
    }
}
