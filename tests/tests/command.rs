//! The command line: help, exit codes, where output goes, settings.

use mastic_tests::{Lake, Running, snapshot};

#[test]
fn help() {
    let lake = Lake::new();
    snapshot!(lake, "help", lake.ok(["--help"]));
    for command in [
        "crawl",
        "run",
        "match",
        "sql",
        "catalog",
        "demo",
        "completions",
    ] {
        let output = lake.ok([command, "--help"]);
        mastic_tests::snapshots(&lake)
            .bind(|| insta::assert_snapshot!(format!("help_{command}"), output.to_string()));
    }
}

#[test]
fn every_example_of_the_help_parses() {
    // An example with a mistake in it would be answered with code 2.
    let lake = Lake::new();
    let mut examples = 0;
    for page in [
        &["--help"][..],
        &["crawl", "--help"],
        &["run", "--help"],
        &["match", "--help"],
        &["sql", "--help"],
        &["catalog", "--help"],
    ] {
        let help = lake.ok(page).stdout;
        for line in help.lines().skip_while(|l| *l != "Examples:") {
            let Some(example) = line.trim().strip_prefix("mastic ") else {
                continue;
            };
            // The words after two spaces say what it does.
            let example = example.split("  ").next().unwrap();
            let script = format!("exec \"$0\" {}", example.replace('…', ""));
            let mut shell = lake.program("sh");
            shell.arg("-c").arg(script).arg(mastic_tests::binary());
            let output = mastic_tests::finish(&mut shell, b"");
            assert_ne!(output.code, 2, "mastic {example}\n{output}");
            examples += 1;
        }
    }
    assert!(examples > 15, "{examples} examples found");
}

#[test]
fn wrong_use_is_told_with_code_2() {
    let lake = Lake::new();
    for (name, args) in [
        ("nothing", &[][..]),
        ("unknown_command", &["crwal", "data"]),
        ("unknown_option", &["crawl", "data", "--databse", "x"]),
        ("missing_argument", &["crawl"]),
        ("unknown_output", &["catalog", "tables", "--output", "xml"]),
        ("query_and_file", &["sql", "SELECT 1", "--file", "a.sql"]),
        (
            "check_and_explain",
            &["run", "a.yaml", "--check", "--explain"],
        ),
        (
            "a_version_that_is_no_number",
            &["catalog", "restore", "a.b", "x"],
        ),
    ] {
        let output = lake.mastic(args);
        assert_eq!(output.code, 2, "{name}\n{output}");
        assert_eq!(output.stdout, "", "{name}");
        mastic_tests::snapshots(&lake)
            .bind(|| insta::assert_snapshot!(format!("wrong_{name}"), output.to_string()));
    }
    // And nothing was made.
    assert!(lake.names("").is_empty());
}

#[test]
fn version() {
    let lake = Lake::new();
    let output = lake.ok(["--version"]);
    assert!(output.stdout.starts_with("mastic 0."), "{output}");
}

#[test]
fn completions_name_every_command() {
    let lake = Lake::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = lake.ok(["completions", shell]);
        assert_eq!(output.stderr, "");
        for command in ["crawl", "run", "sql", "catalog", "demo"] {
            assert!(output.stdout.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(lake.mastic(["completions", "cmd"]).code, 2);
    let bash = lake.file("c.bash", lake.ok(["completions", "bash"]).stdout);
    let mut syntax = lake.program("bash");
    syntax.arg("-n").arg(bash);
    let output = mastic_tests::finish(&mut syntax, b"");
    assert_eq!(output.code, 0, "{output}");
}

#[test]
fn data_goes_to_standard_output_and_everything_else_to_standard_error() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    let output = lake.ok(["crawl", "d", "-d", "t", "-o", "csv"]);
    assert_eq!(output.stdout.lines().count(), 2, "{output}");
    assert!(output.stderr.contains("next: "), "{output}");
    let output = lake.ok(["sql", "SELECT * FROM t.d"]);
    assert!(output.stderr.contains("1 row"), "{output}");
    snapshot!(lake, "a_table_for_people", output);
    let output = lake.ok(["sql", "SELECT * FROM t.d", "-o", "json"]);
    assert_eq!(output.stdout, "{\"id\":1,\"v\":1}\n");
    assert_eq!(output.stderr, "");
    let output = lake.ok(["sql", "SELECT * FROM t.d WHERE id > 5", "-o", "csv"]);
    assert_eq!(output.stdout, "id,v\n");
}

#[test]
fn no_colour_and_no_progress_where_there_is_no_terminal() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    for args in [
        &["crawl", "d", "-d", "t", "--explain"][..],
        &["sql", "SELECT * FROM t.d"],
        &["sql", "SELECT x FROM t.d"],
        &["catalog", "show", "t.d"],
    ] {
        let mut command = lake.command(args);
        command.env_remove("NO_COLOR");
        let output = mastic_tests::finish(&mut command, b"");
        assert!(!output.stdout.contains('\u{1b}'), "{output}");
        assert!(!output.stderr.contains('\u{1b}'), "{output}");
        assert!(!output.stderr.contains('\r'), "{output}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let lake = Lake::new();
    let rows: String = (0..200_000).map(|i| format!("{i},{i}\n")).collect();
    lake.file("d/a.csv", format!("id,v\n{rows}"));
    lake.crawl("d");
    let script = "set -o pipefail; \"$0\" sql 'SELECT * FROM t.d' -o csv | head -n 1";
    let mut shell = lake.program("bash");
    shell.arg("-c").arg(script).arg(mastic_tests::binary());
    let output = mastic_tests::finish(&mut shell, b"");
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (0, "id,v\n", "")
    );
}

#[test]
fn the_catalog_is_named_by_option_over_environment_over_file() {
    let mut lake = Lake::with([
        ("d/a.csv", "id,v\n1,1\n"),
        ("mastic.toml", "catalog = \"file.db\"\n"),
    ]);
    lake.crawl("d");
    assert!(lake.join("file.db").is_file());
    lake.set("MASTIC_CATALOG", "env.db");
    lake.crawl("d");
    assert!(lake.join("env.db").is_file());
    lake.ok(["--catalog", "option.db", "crawl", "d"]);
    assert!(lake.join("option.db").is_file());
    assert!(!lake.join(".mastic").exists());
}

#[test]
fn the_next_command_finds_the_same_catalog() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    let output = lake.ok(["crawl", "d", "-d", "t", "--catalog", "my catalog.db"]);
    let next = output
        .stderr
        .lines()
        .find_map(|l| l.strip_prefix("next: mastic "));
    let next = next.expect("it says what to type next").to_owned();
    let mut shell = lake.program("sh");
    shell
        .arg("-c")
        .arg(format!("exec \"$0\" {next}"))
        .arg(mastic_tests::binary());
    let output = mastic_tests::finish(&mut shell, b"");
    assert_eq!(output.code, 0, "{next}\n{output}");
}

#[test]
fn a_mistake_in_the_settings_is_told_with_its_line() {
    let lake = Lake::with([("mastic.toml", "catalog = \"x.db\"\n[s4]\nregion = \"x\"\n")]);
    snapshot!(
        lake,
        "settings_section",
        lake.fails(["catalog", "tables"], "mastic.toml")
    );
    lake.file("mastic.toml", "[s3]\nregoin = \"x\"\n");
    snapshot!(
        lake,
        "settings_name",
        lake.fails(["catalog", "tables"], "regoin")
    );
    lake.file("mastic.toml", "[s3\n");
    snapshot!(
        lake,
        "settings_syntax",
        lake.fails(["catalog", "tables"], "mastic.toml")
    );
}

#[test]
fn results_go_to_files_of_four_formats() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,x\n2,\n")]);
    lake.crawl("d");
    for name in ["out.csv", "out.json", "out.parquet", "out.arrow"] {
        let output = lake.ok(["sql", "SELECT * FROM t.d ORDER BY id", "--to", name]);
        assert!(output.stderr.contains("2 rows"), "{output}");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(lake.read("out.csv"), "id,v\n1,x\n2,\n");
    let json = lake.read("out.json");
    assert_eq!(json.lines().next(), Some("{\"id\":1,\"v\":\"x\"}"));
    lake.crawl("out.parquet");
    let table = lake.tables().into_iter().find(|t| t != "t.d").unwrap();
    assert_eq!(
        lake.sql(&format!("SELECT * FROM {table} ORDER BY id")),
        "id,v\n1,x\n2,\n"
    );
    assert!(lake.files("")["out.arrow"].starts_with(b"ARROW1"));

    let output = lake.mastic(["sql", "SELECT 1", "--to", "out"]);
    assert_eq!(output.code, 2, "{output}");
    snapshot!(lake, "to_a_file_without_ending", output);
    snapshot!(
        lake,
        "to_an_unknown_format",
        lake.mastic(["sql", "SELECT 1", "--to", "out.xlsx"])
    );
    snapshot!(
        lake,
        "to_a_missing_folder",
        lake.fails(["sql", "SELECT 1", "--to", "no/out.csv"], "no/out.csv")
    );
    // A query that fails leaves the file that was there.
    lake.fails(
        ["sql", "SELECT 1/(id-1) FROM t.d", "--to", "out.csv"],
        "error",
    );
    assert_eq!(lake.read("out.csv"), "id,v\n1,x\n2,\n");
    let left: Vec<String> = lake
        .names("")
        .into_iter()
        .filter(|n| n.starts_with(".mastic-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_prompt_reads_statements_from_a_pipe() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,x\n2,y\n")]);
    lake.crawl("d");
    let output = lake.mastic_fed(
        ["sql", "-o", "csv"],
        b"SELECT id\nFROM t.d\nORDER BY id;\nSELECT nope FROM t.d;\nSELECT 1 AS one;\nquit\n",
    );
    // The prompt goes on after a mistake, and a script is told of it in the end.
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(output.stdout, "id\n1\n2\none\n1\n", "{output}");
    assert!(output.stderr.contains("nope"), "{output}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_query() {
    let lake = Lake::new();
    let rows: String = (0..20_000).map(|i| format!("{i}\n")).collect();
    lake.file("d/a.csv", format!("id\n{rows}"));
    lake.crawl("d");
    // 4·10⁸ pairs: it does not end by itself soon.
    let query = "SELECT count(*) FROM t.d a JOIN t.d b ON a.id + b.id <> 0 JOIN t.d c ON c.id <> a.id + b.id";
    let mut running = Running::start(&mut lake.command(["sql", query]));
    until_it_listens(&running);
    assert!(!running.ended());
    running.signal("INT");
    let output = running.finish();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("interrupted"), "{output}");
}

#[cfg(target_os = "linux")]
/// Waits until a process has taken over Ctrl-C, which it does as its query starts; Linux shows that in /proc.
fn until_it_listens(running: &Running) {
    let status = format!("/proc/{}/status", running.id());
    for _ in 0..2000 {
        let caught = std::fs::read_to_string(&status).unwrap_or_default();
        let mask = caught
            .lines()
            .find_map(|l| l.strip_prefix("SigCgt:"))
            .and_then(|m| u64::from_str_radix(m.trim(), 16).ok())
            .unwrap_or(0);
        if mask & 0b10 != 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the process never took over Ctrl-C");
}
