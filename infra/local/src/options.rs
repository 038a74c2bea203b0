//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// What `--help` prints.
pub const HELP: &str = "\
Runs the components of a spin.toml. For development and tests; production is Spin.

Usage: backplane-local [--from spin.toml] [options]

  --from FILE             the manifest (default spin.toml)
  --runtime-config FILE   Spin's runtime configuration, such as infra/spin/development.toml
  --listen ADDRESS        where to listen (default 127.0.0.1:3000; port 0 picks a free one)
  --state-dir FOLDER      databases, key-value and logs (default .backplane)
  --variable NAME=VALUE   an application variable; also SPIN_VARIABLE_NAME in the environment
  --tick-seconds N        seconds between two posts to /tick (default 1; 0 is off)
  --quiet                 no logs of components on stderr
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// The manifest.
    pub from: PathBuf,
    /// Spin's runtime configuration, if any.
    pub runtime_config: Option<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where databases, key-value and logs are kept.
    pub state_dir: PathBuf,
    /// Application variables, by name; a later one wins.
    pub variables: Vec<(String, String)>,
    /// How long to wait between two ticks; `None` is never.
    pub tick: Option<Duration>,
    /// Whether the logs of components stay out of stderr.
    pub quiet: bool,
}

/// The command line is not understood.
#[derive(Debug)]
pub struct Misuse(String);

impl std::error::Error for Misuse {}

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; see --help", self.0)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            from: "spin.toml".into(),
            runtime_config: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            state_dir: ".backplane".into(),
            variables: vec![],
            tick: Some(Duration::from_secs(1)),
            quiet: false,
        }
    }
}

impl Options {
    /// Reads the arguments; `None` when they ask for help.
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Option<Self>, Misuse> {
        let mut options = Self::default();
        let mut args = args;
        while let Some(name) = args.next() {
            if matches!(name.as_str(), "--help" | "-h") {
                return Ok(None);
            }
            if name == "--quiet" {
                options.quiet = true;
                continue;
            }
            options.set(&name, &mut args)?;
        }
        Ok(Some(options))
    }

    fn set(&mut self, name: &str, args: &mut impl Iterator<Item = String>) -> Result<(), Misuse> {
        let mut value = || args.next().ok_or_else(|| Misuse(format!("{name} needs a value")));
        match name {
            "--from" | "-f" => self.from = value()?.into(),
            "--runtime-config" => self.runtime_config = Some(value()?.into()),
            "--listen" => self.listen = address(&value()?)?,
            "--state-dir" => self.state_dir = value()?.into(),
            "--variable" => self.variables.push(variable(&value()?)?),
            "--tick-seconds" => self.tick = tick(&value()?)?,
            _ => return Err(Misuse(format!("{name} is not an option"))),
        }
        Ok(())
    }
}

fn address(text: &str) -> Result<SocketAddr, Misuse> {
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| Misuse(format!("--listen {text} is not like 127.0.0.1:3000")))
}

fn variable(text: &str) -> Result<(String, String), Misuse> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| Misuse("--variable is NAME=VALUE".into()))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn tick(text: &str) -> Result<Option<Duration>, Misuse> {
    let seconds: u64 =
        text.parse().map_err(|_| Misuse("--tick-seconds is a whole number".into()))?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, Misuse> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn no_arguments_are_the_defaults() {
        assert_eq!(parse("").unwrap(), Some(Options::default()));
    }

    #[test]
    fn each_option_is_read() {
        let line = "--from a.toml --runtime-config r.toml --listen localhost:0 --state-dir s \
                    --variable a=b=c --tick-seconds 0 --quiet";

        let options = parse(line).unwrap().unwrap();

        assert_eq!(options.listen.to_string(), "127.0.0.1:0");
        assert_eq!(options.variables, [("a".to_owned(), "b=c".to_owned())]);
        assert_eq!(options.tick, None);
        assert!(options.quiet);
    }

    #[test]
    fn a_mistake_is_refused() {
        for line in ["--frm a", "--listen", "--listen 3000", "--variable a", "--tick-seconds x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
