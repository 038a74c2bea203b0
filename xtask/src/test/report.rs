//! What became of the steps, as one table.

use std::process::ExitCode;

use super::{Counts, Done, Outcome};

/// Prints the table and the count of tests. The code is zero when all is well.
pub fn print(done: &[Done], counts: &Counts, is_strict: bool) -> ExitCode {
    println!("\n{:<28}{:<26}{:<9}{:>7}", "step", "where", "result", "s");
    let mut is_well = counts.failed == 0;
    for step in done {
        let (result, why) = match &step.outcome {
            Outcome::Passed => ("ok", ""),
            Outcome::Failed(why) => ("FAILED", why.as_str()),
            Outcome::Skipped(why) if is_strict => ("FAILED", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        is_well &= result != "FAILED";
        let seconds = step.took.as_secs_f32();
        println!("{:<28}{:<26}{result:<9}{seconds:>7.1}", step.name, step.place);
        if let Some(first) = why.lines().next() {
            println!("    {first}");
        }
    }
    println!(
        "\nNot covered: advisories on dependencies. Their database is in no package registry;\n\
         with access to github.com: cargo deny check advisories\n"
    );
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
