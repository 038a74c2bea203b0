//! All checks and tests, in steps. Each of them runs, whatever became of those before it.

mod deny;
mod document;
mod papers;
mod plan;
mod report;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};

use crate::command;

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What needs neither another target nor npm: a minute.
    Quick,
    /// Everything.
    Full,
}

/// What became of a step.
#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    /// What the step needs is not here.
    Skipped(String),
}

/// Something to do, and where it happens.
struct Step {
    name: &'static str,
    place: &'static str,
    work: Work,
}

/// What a step does.
enum Work {
    /// Commands, one after the other.
    Commands(Vec<Command>),
    /// Commands that mostly wait, at the same time.
    Together(Vec<Command>),
    /// Something of our own.
    Own(fn() -> anyhow::Result<()>),
    /// The check of the dependencies, which may lack its tool.
    Deny,
}

/// A step that was done.
struct Done {
    name: &'static str,
    place: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// The tests that ran, as libtest counts them.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs all steps, and says what became of them.
pub fn run(extent: Extent) -> anyhow::Result<ExitCode> {
    let mut counts = Counts::default();
    let mut done = vec![];
    let steps = plan::steps(extent)?;
    let total = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        println!("\n=== {}/{total} {} ({})", index + 1, step.name, step.place);
        let start = Instant::now();
        let outcome = perform(step.work, &mut counts);
        done.push(Done { name: step.name, place: step.place, outcome, took: start.elapsed() });
        if let Some(Done { outcome: Outcome::Failed(why), .. }) = done.last() {
            println!("FAILED: {why}");
        }
    }
    // Where nobody watches, a step that silently does not happen is worth nothing.
    let is_strict = std::env::var("CI").is_ok_and(|it| it == "true");
    Ok(report::print(&done, &counts, is_strict))
}

fn perform(work: Work, counts: &mut Counts) -> Outcome {
    let result = match work {
        Work::Commands(commands) => commands.into_iter().try_for_each(|it| watch(it, counts)),
        Work::Together(commands) => together(commands, counts),
        Work::Own(own) => own(),
        Work::Deny => match deny::tool() {
            Ok(tool) => watch(deny::check(&tool), counts),
            Err(err) => return Outcome::Skipped(format!("{err:#}")),
        },
    };
    match result {
        Ok(()) => Outcome::Passed,
        Err(err) => Outcome::Failed(format!("{err:#}")),
    }
}

/// Runs a command in front of the user, and counts the tests that it reports.
fn watch(mut command: Command, counts: &mut Counts) -> anyhow::Result<()> {
    let line = command::line_of(&command);
    println!("$ {line}");
    let starting = || format!("starting `{line}`");
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(starting)?;
    let out = child.stdout.take().context("no standard output")?;
    for said in BufReader::new(out).split(b'\n') {
        let said = said?;
        let said = String::from_utf8_lossy(&said);
        counts.add(&said);
        println!("{said}");
    }
    std::io::stdout().flush()?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs commands at the same time, and shows what each said when it is done. All of them end, also
/// where one cannot be started.
fn together(commands: Vec<Command>, counts: &mut Counts) -> anyhow::Result<()> {
    let start = |it: Command| (command::line_of(&it), start(it));
    let running: Vec<_> = commands.into_iter().map(start).collect();
    running.iter().for_each(|(line, _)| println!("$ {line} &"));
    let mut failed = vec![];
    for (line, started) in running {
        println!("\n$ {line}");
        match started.and_then(|it| ended(it, counts)) {
            Ok(status) if status.success() => {}
            Ok(status) => failed.push(format!("`{line}` failed ({status})")),
            Err(err) => failed.push(format!("`{line}`: {err:#}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!(failed.join(", ")) }
}

/// A command that runs, and what will be all that it says.
type Running = (Child, JoinHandle<io::Result<String>>);

/// Waits for the end of a command, and shows what it said.
fn ended((mut child, said): Running, counts: &mut Counts) -> anyhow::Result<ExitStatus> {
    let said = said.join().map_err(|_| anyhow!("what it says cannot be read"))??;
    for line in said.lines() {
        counts.add(line);
        println!("{line}");
    }
    Ok(child.wait()?)
}

/// Starts a command whose output is kept, in the order in which it is written.
fn start(mut command: Command) -> anyhow::Result<Running> {
    let (mut reader, writer) = io::pipe()?;
    let child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // With the command go our ends of the pipe that it writes to: it ends with the child.
    drop(command);
    let said = thread::spawn(move || {
        let mut said = vec![];
        reader.read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    });
    Ok((child, said))
}

impl Counts {
    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; …` counts.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else { return };
        for part in result.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_together_is_counted_and_fails_alone() {
        let say = |it: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", it]);
            command
        };
        let mut counts = Counts::default();
        let good = "echo 'test result: ok. 2 passed; 0 failed' >&2";

        let well = together(vec![say(good), say(good)], &mut counts);
        let missing = Command::new("no-such-program");
        let ill = together(vec![missing, say("exit 3"), say(good)], &mut counts);

        assert!(well.is_ok());
        let ill = ill.unwrap_err().to_string();
        assert!(ill.contains("`no-such-program`: ") && ill.contains("exit 3` failed"), "{ill}");
        assert_eq!(counts.passed, 6);
    }

    #[test]
    fn results_add_up() {
        let mut counts = Counts::default();

        counts.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out");
        counts.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; finished in 0.01s");
        counts.add("running 7 tests");

        assert_eq!((counts.passed, counts.failed), (15, 2));
    }
}
