//! `mastic runs` and `mastic bookmark` over a catalog in which runs have left something.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use chrono::DateTime;
use mastic_catalog::{
    CatalogStore, NewRun, OpenMode, PlannedBookmark, RunOutcome, RunProcess, RunScript, RunState,
    RunStep, RunSummary, RunTotals, RunVolume, SourceObject, open,
};
use serde_json::{Value, json};

struct Shop {
    folder: tempfile::TempDir,
    /// Runs of the job `clean`: one that succeeded, one that failed, one that was killed; in this order.
    runs: Vec<String>,
}

fn object(name: &str, second: i64) -> SourceObject {
    let time = DateTime::from_timestamp(1_714_521_600 + second, 0).unwrap();
    SourceObject::new(format!("s3://lake/raw/{name}"), 10, time, None)
}

async fn fill(store: Arc<dyn CatalogStore>) -> Vec<String> {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let mut run = NewRun::new("clean");
        run.arguments.insert("day".into(), "2024-05-01".into());
        run.script = Some(RunScript {
            path: "clean.yaml".into(),
            digest: "sha256:abc".into(),
        });
        if runs.len() == 2 {
            // Its heartbeat is of another machine, and long ago.
            run.process = Some(RunProcess {
                host: "far".into(),
                process_id: 7,
                ..RunProcess::default()
            });
            run.started_on = DateTime::from_timestamp(1_714_521_600, 0);
        }
        runs.push(store.start_run(run).await.unwrap().id);
    }
    for (index, objects) in [
        vec![object("a.csv", 1), object("b.csv", 2)],
        vec![object("c.csv", 3)],
    ]
    .into_iter()
    .enumerate()
    {
        let bookmark = PlannedBookmark {
            source_name: "orders".into(),
            expected_version: index as i64,
            objects,
        };
        let run = &runs[index];
        store
            .commit_bookmark("clean", run, 1, bookmark)
            .await
            .unwrap();
    }
    let volume = |name: &str, rows| RunVolume {
        name: name.into(),
        rows,
        files: 2,
        bytes: 2_500_000,
    };
    let summary = RunSummary {
        sources: vec![volume("orders", 12_345)],
        steps: vec![RunStep {
            name: "filter".into(),
            rows_in: 12_345,
            rows_out: 12_000,
            dropped: 340,
            errors: 5,
            ..RunStep::default()
        }],
        // The error records are written, too, and are none of what the job is for.
        sinks: vec![
            volume("s3://lake/clean", 12_000),
            volume("s3://lake/errors", 5),
        ],
        totals: Some(RunTotals {
            read: 12_345,
            written: 12_000,
            dropped: 340,
            errors: 5,
        }),
    };
    let done = RunOutcome {
        summary: Some(summary.to_value()),
        bookmarks_before: Some(json!({"orders": {"Version": 0, "Objects": 0}})),
        bookmarks_after: Some(json!({"orders": {"Version": 1, "Objects": 2}})),
        ..RunOutcome::new(RunState::Succeeded)
    };
    store.finish_run(&runs[0], done).await.unwrap();
    let failed = RunOutcome {
        error_message: Some("no such column: dya\nline 3".into()),
        ..RunOutcome::new(RunState::Failed)
    };
    store.finish_run(&runs[1], failed).await.unwrap();
    runs
}

fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join(".mastic/catalog.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let runs = runtime.block_on(async {
        let url = catalog.display().to_string();
        fill(open(&url, OpenMode::CreateIfMissing).await.unwrap()).await
    });
    Shop { folder, runs }
}

fn mastic(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mastic"))
        .args(args)
        .current_dir(folder)
        .env_remove("MASTIC_CATALOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read it may be gone already.
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

impl Shop {
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        self.ok_with(args, "")
    }

    #[track_caller]
    fn ok_with(&self, args: &[&str], input: &str) -> String {
        let output = mastic(self.folder.path(), args, input);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = mastic(self.folder.path(), args, "");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        let text = self.ok(&args);
        let values = serde_json::Deserializer::from_str(&text).into_iter();
        values.map(Result::unwrap).collect()
    }

    /// Objects that are seen, by name.
    #[track_caller]
    fn seen(&self) -> Vec<String> {
        let seen = self.json(&["bookmark", "show", "clean", "orders", "--objects"]);
        let name = |object: &Value| {
            let path = object["Path"].as_str().unwrap();
            path.trim_start_matches("s3://lake/raw/").to_owned()
        };
        seen.iter().map(name).collect()
    }
}

#[test]
fn runs_are_listed_and_shown() {
    let shop = shop();
    let listed = shop.json(&["runs"]);
    let told: Vec<_> = listed
        .iter()
        .map(|run| {
            (
                run["Id"].as_str().unwrap(),
                run["JobRunState"].as_str().unwrap(),
            )
        })
        .collect();
    let ids: Vec<&str> = shop.runs.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            (ids[2], "FAILED"),
            (ids[1], "FAILED"),
            (ids[0], "SUCCEEDED")
        ]
    );
    assert_eq!(shop.json(&["runs", "clean", "--limit", "2"]).len(), 2);
    let csv = shop.ok(&["runs", "clean", "-o", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "run,job,attempt,state,began,took,read,written,set aside,error"
    );
    assert!(
        lines[1].ends_with(",,,,the process ended without saying so"),
        "{csv}"
    );
    assert!(lines[2].ends_with(",,,,no such column: dya"), "{csv}");
    assert!(lines[3].ends_with(",12345,12000,5,"), "{csv}");
    let table = shop.ok(&["runs"]);
    assert!(
        table.contains("12,345") && table.contains("SUCCEEDED"),
        "{table}"
    );

    // By the beginning of its id, without what all begin with.
    let shown = shop.ok(&["runs", "show", &ids[0][3..20]]);
    for words in [
        "job            clean",
        "state          SUCCEEDED",
        "script         clean.yaml (sha256:abc)",
        "argument       day=2024-05-01",
        "12,345",
        "2.5 MB",
        "filter",
        "340",
        "objects after",
    ] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    let shown = shop.json(&["runs", "show", ids[0]]);
    assert_eq!(shown[0]["Summary"]["Steps"][0]["Errors"], 5);
    let shown = shop.ok(&["runs", "show", ids[1]]);
    assert!(
        shown.contains("error          no such column: dya\n               line 3"),
        "{shown}"
    );
    let shown = shop.ok(&["runs", "show", ids[2]]);
    assert!(shown.contains("7 on far"), "{shown}");

    let error = shop.fails(1, &["runs", "claen"]);
    assert!(error.contains("job claen does not exist"), "{error}");
    assert!(error.contains("hint: did you mean clean?"), "{error}");
    let error = shop.fails(1, &["runs", "show", "jr_"]);
    assert!(
        error.contains("several runs begin with jr_") && error.contains(ids[0]),
        "{error}"
    );
    let error = shop.fails(1, &["runs", "show", "nothing"]);
    assert!(error.contains("the history has no run nothing"), "{error}");
}

#[test]
fn bookmarks_are_shown_and_moved() {
    let shop = shop();
    let show = || shop.json(&["bookmark", "show", "clean"]).remove(0);
    let bookmark = show();
    assert_eq!(bookmark["Objects"], 3);
    assert_eq!(bookmark["RunId"], shop.runs[1].as_str());
    assert_eq!(shop.json(&["bookmark", "show"]), [bookmark]);
    assert_eq!(shop.seen(), ["a.csv", "b.csv", "c.csv"]);
    let with_prefix = ["bookmark", "show", "clean", "orders", "--objects"];
    let csv = shop.ok(&[
        &with_prefix[..],
        &["--prefix", "s3://lake/raw/b", "-o", "csv"],
    ]
    .concat());
    assert_eq!(
        csv,
        "path,size,modified,etag\ns3://lake/raw/b.csv,10,2024-05-01T00:00:02+00:00,\n"
    );
    let shown = shop.ok(&["bookmark", "show", "clean", "orders"]);
    assert!(
        shown.contains("added") && shown.contains(&shop.runs[0]),
        "{shown}"
    );

    let run = &shop.runs[0][..20];
    shop.ok(&["bookmark", "rewind", "clean", "orders", "--to-run", run]);
    assert_eq!(shop.seen(), ["a.csv", "b.csv"]);
    shop.ok(&["bookmark", "pause", "clean"]);
    assert_eq!(show()["Paused"], true);
    let resumed = shop.ok(&["bookmark", "resume", "clean", "orders", "-o", "csv"]);
    assert!(resumed.contains(",active,2,"), "{resumed}");
    shop.ok(&["bookmark", "rewind", "clean", "--to-time", "2024-05-01"]);
    assert_eq!(shop.seen(), [""; 0]);

    // What is shown can be set, and so can a list of paths and a time.
    let line = "{\"Path\":\"s3://lake/raw/x.csv\",\"Size\":1}\n";
    let set = ["bookmark", "set", "clean", "orders", "--from", "-"];
    shop.ok_with(&set, line);
    assert_eq!(shop.seen(), ["x.csv"]);
    let set = [
        &set[..],
        &["--prefix", "s3://lake/raw/", "--up-to", "2024-05-01 12:00"],
    ]
    .concat();
    shop.ok_with(&set, "y.csv\nz.csv\n");
    assert_eq!(shop.seen(), ["y.csv", "z.csv"]);
    assert_eq!(show()["UpTo"], "2024-05-01T12:00:00Z");
    shop.ok(&["bookmark", "reset", "clean", "orders"]);
    assert_eq!(shop.seen(), [""; 0]);
    // A job that nobody has heard of can be set, and is told.
    let set = ["bookmark", "set", "new", "s", "--up-to", "2024-05-01"];
    let output = mastic(shop.folder.path(), &set, "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing is known of a job new yet"), "{said}");
}

#[test]
fn bookmarks_that_are_not_there_are_told_with_the_nearest() {
    let shop = shop();
    for verb in ["show", "reset", "pause", "resume"] {
        let error = shop.fails(1, &["bookmark", verb, "claen"]);
        assert!(error.contains("did you mean clean?"), "{error}");
        let error = shop.fails(1, &["bookmark", verb, "clean", "order"]);
        assert!(
            error.contains("job clean has no bookmark for a source order"),
            "{error}"
        );
        assert!(error.contains("did you mean orders?"), "{error}");
    }
    let rewind = ["bookmark", "rewind", "clean"];
    let to = |args: [&'static str; 2]| [&rewind[..], &args].concat();
    let error = shop.fails(1, &to(["--to-run", "jr_zz"]));
    assert!(error.contains("no commit by run jr_zz"), "{error}");
    let error = shop.fails(2, &to(["--to-time", "yesterday"]));
    assert!(error.contains("wants a time such as"), "{error}");
    shop.fails(2, &rewind);
    shop.fails(2, &["bookmark", "set", "clean", "orders"]);
    shop.fails(2, &["bookmark", "show", "clean", "--objects"]);
}
