//! What a run is given: which programs, how often, within which limits, and where its data lies.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::{Outcome, measure::Limits, python};

/// The options that every benchmark takes.
#[derive(Args)]
pub(crate) struct Options {
    /// The `mastic` to measure [default: target/release/mastic].
    #[arg(long, global = true, env = "MASTIC_BIN", value_name = "PATH")]
    mastic: Option<PathBuf>,
    /// How often each program does each task.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Measure only these [default: all that take part].
    #[arg(long, global = true, value_delimiter = ',', value_name = "LIST")]
    who: Vec<Who>,
    /// Also write every measurement to this file, as JSON lines.
    #[arg(long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where generated data is kept from run to run [default: target/benches].
    #[arg(long, global = true, value_name = "DIR")]
    work: Option<PathBuf>,
    /// A program that takes longer has failed.
    #[arg(long, global = true, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
    /// A program that takes more memory has failed.
    #[arg(long, global = true, default_value_t = 6.0, value_name = "GIB")]
    memory: f64,
}

/// The programs that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Who {
    /// Ours.
    Mastic,
    /// DuckDB, in a Python process.
    #[value(name = "duckdb")]
    DuckDb,
    /// Polars, in a Python process.
    Polars,
    /// Splink over DuckDB, in a Python process.
    Splink,
}

impl Who {
    /// The name that reports and the peers' scripts use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mastic => "mastic",
            Self::DuckDb => "duckdb",
            Self::Polars => "polars",
            Self::Splink => "splink",
        }
    }
}

/// The options, looked up and checked.
pub(crate) struct Setting {
    /// The `mastic` binary; checked to be there if Mastic takes part.
    pub(crate) mastic: PathBuf,
    /// The virtual environment's Python.
    pub(crate) python: PathBuf,
    /// Who takes part.
    pub(crate) who: Vec<Who>,
    /// Runs of each task.
    pub(crate) runs: u32,
    /// The file for JSON lines.
    pub(crate) out: Option<PathBuf>,
    /// The folder of generated data.
    pub(crate) work: PathBuf,
    /// What a program may take.
    pub(crate) limits: Limits,
    /// Names and versions of those who take part, and the machine.
    pub(crate) facts: serde_json::Map<String, serde_json::Value>,
}

impl Setting {
    /// Looks the programs up, and installs the peers if they are not there. Only those in `part` can take part.
    pub(crate) fn new(options: &Options, part: &[Who]) -> Outcome<Self> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let chosen = |who: &Who| options.who.is_empty() || options.who.contains(who);
        let who: Vec<Who> = part.iter().copied().filter(chosen).collect();
        if who.is_empty() {
            let names: Vec<&str> = part.iter().map(|who| who.name()).collect();
            return Err(format!(
                "--who: none of them takes part here; {} can",
                names.join(", ")
            )
            .into());
        }
        let mastic = options
            .mastic
            .clone()
            .unwrap_or_else(|| target.join("release/mastic"));
        let mut facts = machine();
        if who.contains(&Who::Mastic) {
            if !mastic.is_file() {
                return Err(format!(
                    "no mastic at {}: make one with `cargo build --release`, or name one with --mastic PATH or MASTIC_BIN",
                    mastic.display()
                )
                .into());
            }
            let version = first_line(Command::new(&mastic).arg("--version"))?;
            facts.insert(
                "mastic".into(),
                version.trim_start_matches("mastic ").into(),
            );
        }
        let (python, versions) = python::environment()?;
        facts.extend(versions);
        let work = options
            .work
            .clone()
            .unwrap_or_else(|| target.join("benches"));
        fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
        Ok(Self {
            mastic: mastic.canonicalize().unwrap_or(mastic),
            python,
            who,
            runs: options.runs,
            out: options.out.clone(),
            work: work.canonicalize()?,
            limits: Limits {
                time: Duration::from_secs(options.timeout),
                bytes: (options.memory * f64::from(1 << 30)) as u64,
            },
            facts,
        })
    }

    /// A folder of generated data: made by `make` unless an earlier run did. Never half of it: it gets its name when
    /// it is complete.
    pub(crate) fn data(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Outcome<()>,
    ) -> Outcome<PathBuf> {
        let path = self.work.join(name);
        if !path.is_dir() {
            eprintln!("making {}", path.display());
            let part = tempfile::Builder::new()
                .prefix(&format!("{name}."))
                .tempdir_in(&self.work)?;
            let inner = part.path().join("data");
            make(&inner)?;
            fs::rename(&inner, &path)?;
        }
        Ok(path)
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A file of this package.
pub(crate) fn package_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The first line that a command prints.
fn first_line(command: &mut Command) -> Outcome<String> {
    let output = command
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn machine() -> serde_json::Map<String, serde_json::Value> {
    let mut facts = serde_json::Map::new();
    facts.insert(
        "cores".into(),
        std::thread::available_parallelism()
            .map_or(0, usize::from)
            .into(),
    );
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    facts.insert(
        "memory_gib".into(),
        memory.map(|kib| kib / (1 << 20)).into(),
    );
    let load = fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|t| t.split(' ').next()?.parse::<f64>().ok());
    facts.insert("load_before".into(), load.into());
    facts
}
