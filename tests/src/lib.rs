//! The harness of the tests that drive the real `mastic` binary.
//!
//! A [`Lake`] is a temporary folder that is the binary's working folder: its data lies there, and
//! its catalog in `.mastic`. What a command did is an [`Output`], which a snapshot shows whole:
//!
//! ```no_run
//! let lake = mastic_tests::Lake::new();
//! lake.file("shop/orders.csv", "id,amount\n1,2.50\n");
//! lake.ok(["crawl", "shop", "--database", "shop"]);
//! assert_eq!(lake.sql("SELECT sum(amount) AS total FROM shop.orders"), "total\n2.5\n");
//! ```
//!
//! The binary is `$MASTIC_BIN`, else the `mastic` of the same target folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness of tests fails by panicking"
)]

pub mod pack;
pub mod persons;
pub mod report;
pub mod s3;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use tempfile::TempDir;

/// A command that has not ended by then hangs, and is ended.
const PATIENCE: Duration = Duration::from_secs(240);

/// The binary that is tested.
pub fn binary() -> PathBuf {
    let path = match std::env::var_os("MASTIC_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let here = std::env::current_exe().expect("a test has a path");
            let target = here.parent().and_then(Path::parent).expect("target/debug");
            target.join(format!("mastic{}", std::env::consts::EXE_SUFFIX))
        }
    };
    assert!(
        path.is_file(),
        "{} is not there: `cargo test --workspace` builds it, as does `cargo build`; or name it in MASTIC_BIN",
        path.display()
    );
    path
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// A file of `tests/fixtures`; its README says how each was made.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What a command did.
pub struct Output {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// As in a snapshot.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// A temporary folder with a lake in it, the working folder of the commands.
pub struct Lake {
    dir: PathBuf,
    /// Removes it.
    _temporary: Option<TempDir>,
    env: BTreeMap<String, String>,
}

impl Default for Lake {
    fn default() -> Self {
        Self::new()
    }
}

impl Lake {
    /// An empty one.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("mastic-")
            .tempdir()
            .expect("a temporary folder");
        Lake {
            dir: dir.path().to_owned(),
            _temporary: Some(dir),
            env: BTreeMap::new(),
        }
    }

    /// An empty one at a place of its own, where it stays until it is made again. For what all tests of a binary share.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        std::fs::create_dir_all(&dir).unwrap();
        Lake {
            dir,
            _temporary: None,
            env: BTreeMap::new(),
        }
    }

    /// With these files.
    pub fn with<const N: usize>(files: [(&str, &str); N]) -> Self {
        let lake = Lake::new();
        for (path, text) in files {
            lake.file(path, text);
        }
        lake
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The path of a file or folder in it.
    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// Sets a variable of the commands' environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Writes a file, with the folders above it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        let path = self.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.join(path)).unwrap();
    }

    /// All files below a folder with what they hold, hidden ones too.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let root = self.join(folder);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    found.insert(name.to_owned(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// The names of all files below a folder, hidden ones too.
    pub fn names(&self, folder: &str) -> Vec<String> {
        self.files(folder).into_keys().collect()
    }

    /// A program of any kind in this folder, with an environment that says nothing of stores and
    /// catalogs but what [`Lake::set`] says.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let theirs = ["AWS_", "MASTIC_", "RUST_", "CLICOLOR"];
            if theirs.iter().any(|t| text.starts_with(t)) || text == "COLUMNS" || text == "LINES" {
                command.env_remove(&name);
            }
        }
        command
            // No proxy stands before a server on 127.0.0.1.
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .envs(&self.env)
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// The binary, in this folder.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.program(binary());
        command.args(args);
        command
    }

    /// Runs the binary.
    pub fn mastic<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        finish(&mut self.command(args), b"")
    }

    /// Runs the binary with something to read on standard input.
    pub fn mastic_fed<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Output {
        finish(&mut self.command(args), input)
    }

    /// Runs the binary, which must succeed.
    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        let output = self.mastic(args);
        assert_eq!(output.code, 0, "{output}");
        output
    }

    /// Runs the binary, which must fail with code 1 and an error that has this in it.
    #[track_caller]
    pub fn fails<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, error: &str) -> Output {
        let output = self.mastic(args);
        assert_eq!(output.code, 1, "{output}");
        assert!(
            output.stderr.contains(error) && output.stderr.contains("error: "),
            "no '{error}' in\n{output}"
        );
        output
    }

    /// Crawls into the database `t`.
    #[track_caller]
    pub fn crawl(&self, url: &str) -> Output {
        self.ok(["crawl", url, "--database", "t", "--output", "csv"])
    }

    /// The answer as CSV.
    #[track_caller]
    pub fn sql(&self, query: &str) -> String {
        self.ok(["sql", query, "--output", "csv"]).stdout
    }

    /// The columns of a table as `name type` lines, partition keys in brackets.
    #[track_caller]
    pub fn columns(&self, table: &str) -> Vec<String> {
        let shown = self
            .ok(["catalog", "show", table, "--output", "json"])
            .stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let table = &shown["Table"];
        let text = |c: &serde_json::Value| {
            format!(
                "{} {}",
                c["Name"].as_str().unwrap(),
                c["Type"].as_str().unwrap()
            )
        };
        let columns = table["StorageDescriptor"]["Columns"].as_array().unwrap();
        let keys = table["PartitionKeys"].as_array();
        let keys = keys.into_iter().flatten().map(|k| format!("[{}]", text(k)));
        columns.iter().map(text).chain(keys).collect()
    }

    /// The tables of the catalog, as `database.table`.
    #[track_caller]
    pub fn tables(&self) -> Vec<String> {
        let listed = self.ok(["catalog", "tables", "--output", "json"]).stdout;
        let name = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["table"].as_str().unwrap().to_owned()
        };
        listed.lines().map(name).collect()
    }

    /// How many versions a table has.
    #[track_caller]
    pub fn versions(&self, table: &str) -> usize {
        let listed = self
            .ok(["catalog", "versions", table, "--output", "json"])
            .stdout;
        listed.lines().count()
    }

    /// All of the catalog, to be compared with itself later.
    #[track_caller]
    pub fn catalog(&self) -> String {
        self.ok(["catalog", "export"]).stdout
    }
}

/// Changes a lake's catalog behind Mastic's back.
pub fn tamper(lake: &Lake, statement: &'static str) {
    let url = format!("sqlite:{}", lake.join(".mastic/catalog.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// Runs a command to its end.
pub fn finish(command: &mut Command, input: &[u8]) -> Output {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut running = Running::start(command);
    if let Some(mut stdin) = running.child.stdin.take() {
        // A command that does not read is told by its code, not here.
        let _ = stdin.write_all(input);
    }
    running.finish()
}

/// A command that runs.
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    shown: String,
}

/// What a command has written so far.
struct Stream {
    bytes: Arc<(Mutex<Vec<u8>>, Condvar)>,
    thread: std::thread::JoinHandle<()>,
}

impl Stream {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let shared = bytes.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = from.read(&mut buffer).unwrap();
                shared.0.lock().unwrap().extend_from_slice(&buffer[..read]);
                shared.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Stream { bytes, thread }
    }

    fn finish(self) -> String {
        self.thread.join().unwrap();
        let bytes = std::mem::take(&mut *self.bytes.0.lock().unwrap());
        String::from_utf8(bytes).expect("output is UTF-8")
    }
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdout = Stream::of(child.stdout.take().unwrap());
        let stderr = Stream::of(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
            shown: format!("{command:?}"),
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, where that was piped.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input is piped")
    }

    /// Waits until standard output has this in it.
    pub fn wait_for(&self, text: &str) {
        let (bytes, grown) = &*self.stdout.bytes;
        let seen = |bytes: &mut Vec<u8>| String::from_utf8_lossy(bytes).contains(text);
        let (bytes, _) = grown
            .wait_timeout_while(bytes.lock().unwrap(), PATIENCE, |bytes| !seen(bytes))
            .unwrap();
        let text_now = String::from_utf8_lossy(&bytes);
        assert!(
            text_now.contains(text),
            "{}: no '{text}' in\n{text_now}",
            self.shown
        );
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.id().to_string())
            .status()
            .unwrap();
        assert!(done.success(), "{} has ended already", self.shown);
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Output {
        let (sender, ended) = mpsc::channel();
        let id = self.child.id().to_string();
        let waiter = std::thread::spawn(move || {
            let status = self.child.wait().unwrap();
            let _ = sender.send(());
            status
        });
        let hung = ended.recv_timeout(PATIENCE).is_err();
        if hung {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
        let status = waiter.join().unwrap();
        let output = Output {
            code: status.code().unwrap_or(-1),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        };
        assert!(!hung, "{} hangs\n{output}", self.shown);
        output
    }
}

/// Settings for snapshots of what a command said: folders, times and dates are taken out.
pub fn snapshots(lake: &Lake) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(true);
    settings.set_omit_expression(true);
    settings.add_filter(&escape(lake.path().to_str().unwrap()), "[LAKE]");
    settings.add_filter(&escape(repository().to_str().unwrap()), "[REPOSITORY]");
    settings.add_filter(r"\b\d+ min \d+ s\b", "[TIME]");
    settings.add_filter(r"\b\d+(\.\d+)? m?s\b", "[TIME]");
    settings.add_filter(r"\b\d+(\.\d+)?(ns|µs|ms|s)\b", "[TIME]");
    settings.add_filter(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "[DATE]");
    settings.add_filter(
        r#"("mastic\.fingerprint": )"[0-9a-f]{16}""#,
        "$1\"[FINGERPRINT]\"",
    );
    settings.add_filter(r"(mastic\.fingerprint = )[0-9a-f]{16}", "$1[FINGERPRINT]");
    settings.add_filter(
        r"(mastic\.fingerprint,)[0-9a-f]{16},[0-9a-f]{16}",
        "$1[FINGERPRINT],[FINGERPRINT]",
    );
    settings.add_filter(r#"("(From|To)": )"[0-9a-f]{16}""#, "$1\"[FINGERPRINT]\"");
    settings.add_filter(r"([a-z]+=[^/\s]*/)*part-[0-9a-f]{32}-\d{5}-\d{5}", "[PART]");
    settings.add_filter(r"_mastic/[0-9a-f]{32}/", "_mastic/[RUN]/");
    settings.add_filter(r"\.mastic-[A-Za-z0-9]{6}\b", ".mastic-[RANDOM]");
    // Where in its source a PostgreSQL server found the mistake.
    settings.add_filter(r" at line \d{3,}", "");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
    settings
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && c != '/' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Compares what a command did with a stored snapshot, under the name of the test or a given one.
#[macro_export]
macro_rules! snapshot {
    ($lake:expr, $name:literal, $output:expr) => {
        $crate::snapshots(&$lake).bind(|| insta::assert_snapshot!($name, $output.to_string()))
    };
    ($lake:expr, $output:expr) => {
        $crate::snapshots(&$lake).bind(|| insta::assert_snapshot!($output.to_string()))
    };
}
