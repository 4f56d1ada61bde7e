//! Running a program and writing down what it took: time, processor time, peak memory.
//!
//! Peak memory is what the kernel says of a process after it has ended, and it says it only to the process's parent,
//! as the largest of all its children. So each program gets a parent of its own: this binary, called once more with
//! [`COMMAND`], which is small, starts one child, watches its limits and writes the figures to a file.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        signal::{Signal, kill},
        time::{TimeVal, TimeValLike},
    },
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::Outcome;

/// The hidden command of this binary that measures one child.
pub(crate) const COMMAND: &str = "measure-one";

/// What the hidden command is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the figures go.
    #[arg(long)]
    report: PathBuf,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    bytes: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// What a program may take before it is ended and counts as failed.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Wall time.
    pub(crate) time: Duration,
    /// Resident memory.
    pub(crate) bytes: u64,
}

/// What one run took.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// From start to end of the process.
    pub(crate) wall: f64,
    /// User and system time of all threads.
    pub(crate) cpu: f64,
    /// Largest resident memory.
    pub(crate) peak_bytes: u64,
    /// Why it counts as failed, if it does.
    pub(crate) error: Option<String>,
}

const RUNNING: u8 = 0;
const ENDED: u8 = 1;
const TOO_LONG: u8 = 2;
const TOO_LARGE: u8 = 3;

/// Runs a program, its standard output going to `stdout` if given.
pub(crate) fn run(
    program: &Path,
    args: &[OsString],
    dir: &Path,
    stdout: Option<&Path>,
    limits: Limits,
) -> Outcome<Figures> {
    let scratch = tempfile::tempdir()?;
    let (report, stderr) = (
        scratch.path().join("report.json"),
        scratch.path().join("stderr"),
    );
    let status = Command::new(env::current_exe()?)
        .arg(COMMAND)
        .arg("--report")
        .arg(&report)
        .args([
            "--seconds",
            &limits.time.as_secs_f64().to_string(),
            "--bytes",
            &limits.bytes.to_string(),
            "--",
        ])
        .arg(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(match stdout {
            Some(path) => Stdio::from(File::create(path)?),
            None => Stdio::null(),
        })
        .stderr(File::create(&stderr)?)
        .status()?;
    let said = fs::read(&stderr)
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .unwrap_or_default();
    if !status.success() {
        return Err(format!("cannot run {}: {}", program.display(), said.trim()).into());
    }
    let figures: Value = serde_json::from_slice(&fs::read(&report)?)?;
    let number = |key: &str| {
        figures[key]
            .as_f64()
            .ok_or(format!("the figures of {} lack {key}", program.display()))
    };
    let error = figures["error"]
        .as_str()
        .map(|why| match said.trim().lines().next_back() {
            Some(last) if why.starts_with("exit") => format!("{why}: {}", shorten(last)),
            _ => why.to_owned(),
        });
    Ok(Figures {
        wall: number("wall")?,
        cpu: number("cpu")?,
        peak_bytes: number("peak_bytes")? as u64,
        error,
    })
}

/// The hidden command: runs one child and writes its figures.
pub(crate) fn measure(args: &Args) -> Outcome<()> {
    let (program, rest) = args.command.split_first().ok_or("no program")?;
    let start = Instant::now();
    let mut child = Command::new(program).args(rest).spawn()?;
    let state = Arc::new(AtomicU8::new(RUNNING));
    let pid = i32::try_from(child.id())?;
    let watch = {
        let (state, seconds, bytes) = (Arc::clone(&state), args.seconds, args.bytes);
        move || {
            while state.load(Ordering::Acquire) == RUNNING {
                let over = if start.elapsed().as_secs_f64() > seconds {
                    TOO_LONG
                } else if resident(pid) > bytes {
                    TOO_LARGE
                } else {
                    thread::sleep(Duration::from_millis(20));
                    continue;
                };
                if state
                    .compare_exchange(RUNNING, over, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
                {
                    // It may have ended in this moment; then there is nothing left to end.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
    };
    thread::spawn(watch);
    let status = child.wait()?;
    let wall = start.elapsed().as_secs_f64();
    let _ = state.compare_exchange(RUNNING, ENDED, Ordering::AcqRel, Ordering::Acquire);

    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |t: TimeVal| t.num_microseconds() as f64 / 1e6;
    let error = match state.load(Ordering::Acquire) {
        TOO_LONG => Some(format!("timeout after {} s", args.seconds)),
        TOO_LARGE => Some(format!(
            "out of memory: over {:.1} GiB",
            args.bytes as f64 / f64::from(1 << 30)
        )),
        _ if status.success() => None,
        _ => Some(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        }),
    };
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let figures = json!({
        "wall": wall,
        "cpu": seconds(usage.user_time()) + seconds(usage.system_time()),
        "peak_bytes": usage.max_rss().unsigned_abs() * unit,
        "error": error,
    });
    fs::write(&args.report, figures.to_string())?;
    Ok(())
}

/// Resident bytes of a process now; 0 where that cannot be asked.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|l| {
        l.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    kib.unwrap_or(0) * 1024
}

/// An error message short enough for a table's cell.
pub(crate) fn shorten(text: &str) -> String {
    let text = text.replace(['|', '\n'], " ");
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
