//! Throughput and latency by wrk, as ratios to a function that does nothing.

use std::{fmt::Write as _, fs, path::Path, process::Command};

/// How long a round is, in seconds.
const SECONDS: u32 = 6;
/// How many connections ask at once.
const CONNECTIONS: u32 = 16;

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers came within this.
    pub p50_ms: f64,
    /// And nearly all of them within this.
    pub p99_ms: f64,
    /// Answers that were not 2xx.
    pub failed: u64,
}

/// Prints a line of the table.
///
/// # Panics
/// When an answer was not 2xx.
pub fn print(runtime: &str, what: &str, it: Measured, idle: Measured) {
    println!(
        "| {runtime} | {what} | {:.0} | {:.2} | {:.2} | {:.3} |",
        it.per_second,
        it.p50_ms,
        it.p99_ms,
        it.per_second / idle.per_second
    );
    assert_eq!(it.failed, 0, "every answer is 2xx");
}

/// Whether wrk is installed.
pub fn is_installed() -> bool {
    Command::new("wrk").arg("--version").output().is_ok()
}

/// Asks this address, or as this script says, for some seconds.
///
/// # Panics
/// When wrk does not start.
pub fn ask(url: &str, script: Option<&str>) -> Measured {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "--latency"])
        .arg(format!("-c{CONNECTIONS}"))
        .arg(format!("-d{SECONDS}s"))
        .args(script.iter().flat_map(|it| ["-s", it]))
        .arg(url);
    let out = command.output().expect("wrk starts, as it did before");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let figure = |name: &str| {
        let line = text.lines().find(|it| it.trim_start().starts_with(name));
        line.and_then(|it| it.split_whitespace().nth(1)).unwrap_or("0").to_owned()
    };
    let failed = text.lines().find_map(|it| it.trim().strip_prefix("Non-2xx or 3xx responses: "));
    Measured {
        per_second: figure("Requests/sec:").parse().unwrap_or(0.0),
        p50_ms: millis(&figure("50%")),
        p99_ms: millis(&figure("99%")),
        failed: failed.and_then(|it| it.parse().ok()).unwrap_or(0),
    }
}

/// A script that posts these to `path`, one after the other: of each the values of `headers`, and
/// then its body. None of them has a tab or a line's end in it.
///
/// # Panics
/// When there is no room for it in `folder`.
pub fn posts(
    folder: &Path,
    name: &str,
    path: &str,
    headers: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut lines = String::new();
    for row in rows {
        let _ = writeln!(lines, "{}", row.join("\t"));
    }
    let events = folder.join(format!("{name}.tsv"));
    fs::write(&events, lines).expect("there is room for what is posted");
    let script = format!(
        r#"
local names, lines, next = {{ "{}" }}, {{}}, 0
for line in io.lines("{}") do lines[#lines + 1] = line end
function request()
  next = next % #lines + 1
  local headers, field = {{ ["content-type"] = "application/json" }}, 0
  local body
  for value in lines[next]:gmatch("[^\t]+") do
    field = field + 1
    if names[field] then headers[names[field]] = value else body = value end
  end
  return wrk.format("POST", "{path}", headers, body)
end
"#,
        headers.join("\", \""),
        events.display()
    );
    let file = folder.join(format!("{name}.lua"));
    fs::write(&file, script).expect("there is room for the script");
    file.display().to_string()
}

/// Reads wrk's `930.00us`, `1.20ms` or `1.01s`.
fn millis(text: &str) -> f64 {
    let (number, factor) = match text {
        it if it.ends_with("us") => (it.trim_end_matches("us"), 0.001),
        it if it.ends_with("ms") => (it.trim_end_matches("ms"), 1.0),
        it => (it.trim_end_matches('s'), 1000.0),
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}

/// The median of each figure.
///
/// # Panics
/// When there is none.
pub fn median(of: &[Measured]) -> Measured {
    let middle = |figure: fn(&Measured) -> f64| {
        let mut all: Vec<_> = of.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Measured {
        per_second: middle(|it| it.per_second),
        p50_ms: middle(|it| it.p50_ms),
        p99_ms: middle(|it| it.p99_ms),
        failed: of.iter().map(|it| it.failed).sum(),
    }
}
