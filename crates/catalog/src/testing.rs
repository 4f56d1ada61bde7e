//! A PostgreSQL server that lives as long as a test.

use std::error::Error;
use std::fs;
use std::io::{Error as IoError, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What goes wrong when it is started.
pub type StartError = Box<dyn Error + Send + Sync>;

/// The user the server runs as where the test runs as root, whom PostgreSQL refuses.
const SERVER_USER: &str = "postgres";

/// A PostgreSQL server of its own, on a free port of 127.0.0.1 and a socket in its folder, from installed binaries.
/// Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct ThrowawayPostgres {
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl ThrowawayPostgres {
    /// Starts one. `None`: no PostgreSQL is installed; it says so on stderr, or panics if
    /// `MASTIC_REQUIRE_POSTGRES=1`.
    #[allow(
        clippy::panic,
        reason = "the tests' contract: where PostgreSQL is required, they do not pass without"
    )]
    pub fn start() -> Result<Option<Self>, StartError> {
        let Some(binaries) = find_binaries() else {
            if std::env::var("MASTIC_REQUIRE_POSTGRES").is_ok_and(|value| value == "1") {
                panic!("MASTIC_REQUIRE_POSTGRES=1, but no initdb and postgres are installed");
            }
            let name = std::thread::current().name().unwrap_or("test").to_owned();
            writeln!(
                std::io::stderr(),
                "skipped: {name} needs PostgreSQL (apt-get install postgresql)"
            )?;
            return Ok(None);
        };
        let owner = if output(Command::new("id").arg("-u"))? == "0" {
            let id = |which: &str| -> Result<u32, StartError> {
                Ok(output(Command::new("id").args([which, SERVER_USER]))?.parse()?)
            };
            Some((id("-u")?, id("-g")?))
        } else {
            None
        };

        let folder = std::env::temp_dir().join(format!(
            "mastic-pg-{}",
            &uuid::Uuid::new_v4().simple().to_string()[..12]
        ));
        fs::create_dir(&folder)?;
        // From here on the folder is removed whatever happens.
        let guard = RemoveFolder(folder.clone());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group))?;
        }
        let command = |program: &str| {
            let program = binaries.join(program);
            let mut command = match owner {
                // It replaces itself with the program, so the child's id is the program's.
                Some((user, group)) => {
                    let mut command = Command::new("setpriv");
                    command
                        .args([format!("--reuid={user}"), format!("--regid={group}")])
                        .arg("--clear-groups")
                        .arg("--")
                        .arg(program);
                    command
                }
                None => Command::new(program),
            };
            command.current_dir(&folder).stdin(Stdio::null());
            command
        };

        let data = folder.join("data");
        let initdb = |locale: &[&str]| {
            let mut initdb = command("initdb");
            initdb.arg("--pgdata").arg(&data).args([
                "--username=mastic",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ]);
            output(initdb.args(locale))
        };
        // Not the order of bytes: what sorts right under that by accident would not elsewhere. Builds without ICU
        // have no other order that is sure to be there.
        let icu = initdb(&[
            "--locale-provider=icu",
            "--icu-locale=en-US",
            "--locale=C.UTF-8",
        ]);
        if icu.is_err() {
            initdb(&["--locale=C"])?;
        }
        // Freed for the server to take; nobody else is likely to in between.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = fs::File::create(folder.join("log"))?;
        let server = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()))
            .args([
                "-c",
                "fsync=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "synchronous_commit=off",
            ])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        std::mem::forget(guard);
        let mut started = Self {
            folder: folder.clone(),
            port,
            server,
        };

        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let ready = command("pg_isready")
                .args([
                    "-q",
                    "-h",
                    "127.0.0.1",
                    "-U",
                    "mastic",
                    "-d",
                    "postgres",
                    "-p",
                    &port.to_string(),
                ])
                .status()?;
            if ready.success() {
                return Ok(Some(started));
            }
            if started.server.try_wait()?.is_some() || Instant::now() > end {
                let log = fs::read_to_string(started.folder.join("log")).unwrap_or_default();
                return Err(format!("the PostgreSQL server did not start:\n{log}").into());
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// A URL for the server's database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://mastic@127.0.0.1:{}/postgres", self.port)
    }

    /// A URL for a catalog of its own: a schema that nobody else has.
    pub fn catalog_url(&self) -> String {
        format!("{}?schema=c{}", self.url(), uuid::Uuid::new_v4().simple())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds the socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for ThrowawayPostgres {
    fn drop(&mut self) {
        // SIGQUIT: at once, without tidying up what is removed anyway.
        let _ = Command::new("kill")
            .arg("-QUIT")
            .arg(self.server.id().to_string())
            .status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.server.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes a folder when dropped.
struct RemoveFolder(PathBuf);

impl Drop for RemoveFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn output(command: &mut Command) -> Result<String, StartError> {
    let done = command
        .output()
        .map_err(|error| IoError::new(error.kind(), format!("{command:?}: {error}")))?;
    if !done.status.success() {
        return Err(format!(
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&done.stderr)
        )
        .into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// The folder that has `initdb`, `postgres` and `pg_isready`: Debian's newest, `pg_config`'s, or one in PATH.
fn find_binaries() -> Option<PathBuf> {
    let mut candidates: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    let version = |path: &PathBuf| -> u32 {
        let name = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    candidates.sort_by_key(|path| std::cmp::Reverse(version(path)));
    if let Ok(folder) = output(Command::new("pg_config").arg("--bindir")) {
        candidates.push(folder.into());
    }
    if let Some(path) = std::env::var_os("PATH") {
        candidates.extend(std::env::split_paths(&path));
    }
    candidates.into_iter().find(|folder| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}
