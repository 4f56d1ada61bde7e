//! The peers: DuckDB, Polars and Splink from PyPI, in a virtual environment of this package.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};

use crate::{
    Outcome,
    measure::{self, Figures},
    setting::{Setting, Who, package_file},
};

/// The environment's Python and the peers' versions. Makes the environment when it is missing or another version is
/// pinned.
pub(crate) fn environment() -> Outcome<(PathBuf, Map<String, Value>)> {
    let (venv, pinned) = (package_file(".venv"), package_file("requirements.txt"));
    let (python, installed) = (venv.join("bin/python"), venv.join("installed.txt"));
    let wanted = fs::read(&pinned)?;
    if !python.exists() || fs::read(&installed).ok().as_ref() != Some(&wanted) {
        eprintln!(
            "installing DuckDB, Polars and Splink into {}",
            venv.display()
        );
        call(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&venv),
        )?;
        call(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(&pinned),
        )?;
        fs::write(&installed, &wanted)?;
    }
    // Also loads each library once, so that the first measured run is not the one that compiles their Python.
    let versions = call(Command::new(&python).arg(package_file("peers/versions.py")))?;
    let Value::Object(versions) = serde_json::from_slice(&versions)? else {
        return Err("peers/versions.py printed no object".into());
    };
    Ok((python, versions))
}

fn call(command: &mut Command) -> Outcome<Vec<u8>> {
    let name = command.get_program().display().to_string();
    let output = command
        .output()
        .map_err(|e| format!("{name}: {e}; the peers need Python 3.10 or newer with venv"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into())
    }
}

/// What a peer's script says of its own run.
pub(crate) struct Said {
    /// What the process took.
    pub(crate) figures: Figures,
    /// Seconds of the work alone, without Python's start and the library's import.
    pub(crate) inside: Option<f64>,
    /// What the task answers, if it does.
    pub(crate) answer: Value,
}

/// Runs a script of `peers/` for a peer.
pub(crate) fn run(setting: &Setting, script: &str, who: Who, args: &[&Path]) -> Outcome<Said> {
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let report = scratch.path().join("report.json");
    let mut all: Vec<OsString> = vec![
        package_file(&format!("peers/{script}.py")).into(),
        who.name().into(),
        "--report".into(),
        report.clone().into(),
        "--memory".into(),
        setting.limits.bytes.to_string().into(),
        "--temp".into(),
        scratch.path().into(),
    ];
    all.extend(args.iter().map(|p| p.into()));
    let mut figures = measure::run(&setting.python, &all, scratch.path(), None, setting.limits)?;
    let said: Value = fs::read(&report)
        .ok()
        .and_then(|b| serde_json::from_slice(&b).ok())
        .unwrap_or_default();
    if let Some(error) = said["error"].as_str() {
        figures.error = Some(measure::shorten(error));
    }
    Ok(Said {
        figures,
        inside: said["seconds"].as_f64(),
        answer: said["answer"].clone(),
    })
}

/// Runs a script of `peers/` that prepares or checks, and gives what it prints.
pub(crate) fn help(setting: &Setting, script: &str, args: &[&Path]) -> Outcome<Value> {
    let output = call(
        Command::new(&setting.python)
            .arg(package_file(&format!("peers/{script}.py")))
            .args(args),
    )?;
    Ok(serde_json::from_slice(&output)?)
}
