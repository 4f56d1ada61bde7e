//! The binary by itself: that it starts, says how it is used, and ends with the right code.
//!
//! That this file is here makes `cargo test --workspace` build the binary, which the flows in the package
//! `mastic-tests` then drive.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn mastic(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let output = command(args).current_dir(folder.path()).output().unwrap();
    let made = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(made, 0, "{args:?} made a file");
    output
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mastic"));
    command.args(args).env_remove("MASTIC_CATALOG");
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_is_data_and_names_every_command() {
    let output = mastic(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let help = text(&output.stdout);
    for word in [
        "crawl",
        "run",
        "runs",
        "bookmark",
        "sql",
        "catalog",
        "demo",
        "completions",
        "Examples:",
        "--catalog",
        "--output",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn every_command_teaches_by_example() {
    for command in [
        "crawl",
        "run",
        "runs",
        "bookmark",
        "sql",
        "catalog",
        "completions",
    ] {
        let output = mastic(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let help = text(&output.stdout);
        assert!(
            help.contains("Example") && help.contains(&format!("  mastic {command}")),
            "{help}"
        );
    }
}

#[test]
fn wrong_use_ends_with_2_and_says_nothing_on_standard_output() {
    for args in [
        &[][..],
        &["crwal"],
        &["crawl"],
        &["crawl", "x", "--sample", "0"],
        &["sql", "SELECT 1", "--output", "xml"],
        &["catalog", "diff"],
        &["completions", "cmd"],
    ] {
        let output = mastic(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn what_fails_ends_with_1() {
    for args in [
        &["sql", "SELECT 1"][..],
        &["catalog", "tables"],
        &["run", "no.yaml"],
        &["demo"],
    ] {
        let output = mastic(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = mastic(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("crawl"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let mut child = command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
