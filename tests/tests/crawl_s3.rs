//! Crawls of S3-compatible storage: what they remember, events, new folders, levels and exclusions.

use mastic_tests::s3::S3;
use mastic_tests::{Lake, Running};

/// A server with the bucket `lake`, and a working folder whose commands find it.
fn start() -> (S3, Lake) {
    let s3 = S3::start(&["lake"]);
    let mut lake = Lake::new();
    s3.enter(&mut lake);
    (s3, lake)
}

#[test]
fn unchanged_objects_are_not_opened_again() {
    let (s3, lake) = start();
    for p in 1..=3 {
        s3.put(
            "lake",
            &format!("raw/p={p}/a.csv"),
            format!("id,v\n{p},1\n"),
        );
    }
    assert_eq!(lake.report(["s3://lake/raw"]).files(), (3, 3, 0));
    assert_eq!(lake.report(["s3://lake/raw"]).files(), (3, 0, 3));
    // Another object of the same size.
    s3.put("lake", "raw/p=2/a.csv", "id,v\n2,x\n");
    assert_eq!(lake.report(["s3://lake/raw"]).files(), (3, 1, 2));
    assert_eq!(
        lake.columns("t.raw"),
        ["id bigint", "v string", "[p bigint]"]
    );
    s3.put("lake", "raw/p=4/a.csv", "id,v\n4,1\n");
    std::fs::remove_file(s3.bucket("lake").join("raw/p=1/a.csv")).unwrap();
    assert_eq!(lake.report(["s3://lake/raw"]).files(), (3, 1, 2));
    assert_eq!(
        lake.sql("SELECT id FROM t.raw ORDER BY id"),
        "id\n2\n3\n4\n"
    );
}

#[test]
fn only_new_folders_of_a_bucket() {
    let (s3, lake) = start();
    s3.put("lake", "raw/p=1/a.csv", "id,v\n1,1\n");
    lake.report(["s3://lake/raw"]);
    s3.put("lake", "raw/p=1/late.csv", "id,v\n9,1\n");
    s3.put("lake", "raw/p=2/a.csv", "id,v\n2,1\n");
    let report = lake.report(["s3://lake/raw", "--new-folders-only"]);
    assert_eq!((report.number("opened"), report.number("skipped")), (1, 1));
    assert_eq!(
        lake.sql("SELECT p FROM t.raw GROUP BY p ORDER BY p"),
        "p\n1\n2\n"
    );
}

/// What S3 sends when an object was made ("Event message structure", Amazon S3 user guide).
fn event(key: &str) -> String {
    serde_json::json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2024-01-31T10:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "testConfigRule",
            "bucket": {"name": "lake", "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::lake"},
            "object": {"key": key, "size": 9, "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": "0055AED6DCD90281E5"}
        }
    }]})
    .to_string()
}

#[test]
fn events_name_what_is_looked_at() {
    let (s3, lake) = start();
    for p in ["a b", "c", "d"] {
        s3.put("lake", &format!("raw/k={p}/a.csv"), "id,v\n1,1\n");
    }
    for catalog in ["some.db", "all.db"] {
        lake.ok(["crawl", "s3://lake/raw", "-d", "t", "--catalog", catalog]);
    }
    s3.put("lake", "raw/k=a b/new+file.csv", "id,v\n2,1\n");
    s3.put("lake", "raw/k=é/a.csv", "id,v\n3,1\n");
    s3.put("lake", "raw/k=e/a.csv", "id,v\n4,1\n");
    // Stores have no folders that are empty.
    std::fs::remove_dir_all(s3.bucket("lake").join("raw/k=c")).unwrap();
    // S3 encodes keys as forms do. One event comes through a queue, and one as EventBridge sends it.
    let queue = serde_json::json!({"Messages": [{"MessageId": "1", "Body": event("raw/k%3D%C3%A9/a.csv")}]});
    let bridge = serde_json::json!({"version": "0", "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "lake"}, "object": {"key": "raw/k=e/a.csv"}}});
    let events = [
        event("raw/k%3Da+b/new%2Bfile.csv"),
        queue.to_string(),
        bridge.to_string(),
        event("raw/k%3Dc/a.csv"),
    ];
    lake.file("events.json", events.join("\n"));
    let output = lake.ok([
        "crawl",
        "s3://lake/raw",
        "-d",
        "t",
        "-o",
        "json",
        "--catalog",
        "some.db",
        "--events",
        "events.json",
    ]);
    let report = mastic_tests::report::Report::of(output);
    assert_eq!(report.files(), (4, 3, 1), "{}", report.output);
    assert_eq!(report.notes(), "");
    lake.ok(["crawl", "s3://lake/raw", "-d", "t", "--catalog", "all.db"]);
    assert_eq!(lake.content("some.db"), lake.content("all.db"));
    let rows = lake.ok([
        "sql",
        "SELECT id, k FROM t.raw ORDER BY id, k",
        "-o",
        "csv",
        "--catalog",
        "some.db",
    ]);
    assert_eq!(rows.stdout, "id,k\n1,a b\n1,d\n2,a b\n3,é\n4,e\n");
}

#[test]
fn a_changed_prefix_is_all_that_is_looked_at() {
    let (s3, lake) = start();
    for i in 0..1200 {
        s3.put(
            "lake",
            &format!("raw/p={i}/a.csv"),
            format!("id,v\n{i},1\n"),
        );
    }
    lake.report(["s3://lake/raw"]);
    s3.put("lake", "raw/p=1200/a.csv", "id,v\n1200,1\n");
    let report = lake.report(["s3://lake/raw", "--changed", "s3://lake/raw/p=1200/"]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.raw"), "n\n1201\n");
    assert_eq!(lake.report(["s3://lake/raw"]).files(), (1201, 0, 1201));
}

#[test]
fn levels_count_from_the_bucket() {
    let (s3, lake) = start();
    for (i, folder) in ["x", "y"].iter().enumerate() {
        s3.put(
            "lake",
            &format!("raw/shop/{folder}/a.json"),
            format!("{{\"id\":{i}}}\n"),
        );
    }
    // As in Glue, the bucket is on level 1: its page has a table at mydataset/year/month on level 3.
    let report = lake.report(["s3://lake/raw", "--table-level", "4"]);
    assert_eq!(report.outcomes(), ["x created", "y created"]);
    let output = lake.ok([
        "crawl",
        "s3://lake/raw",
        "-d",
        "other",
        "--table-level",
        "3",
    ]);
    assert!(lake.tables().contains(&"other.shop".to_owned()), "{output}");
}

#[test]
fn excluded_objects_are_not_read() {
    let (s3, lake) = start();
    s3.put("lake", "raw/p=1/a.csv", "id,v\n1,1\n");
    s3.put("lake", "raw/p=1/b.tmp", "id,v\n2,1\n");
    s3.put("lake", "raw/_old/p=1/a.csv", "id,v\n3,1\n");
    s3.put("lake", "raw/tmp/p=1/a.csv", "id,v\n4,1\n");
    let report = lake.report([
        "s3://lake/raw",
        "--exclude",
        "**.tmp",
        "--exclude",
        "tmp/**",
    ]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(lake.sql("SELECT id FROM t.raw"), "id\n1\n");
}

#[test]
fn objects_that_turned_bad_leave_their_table() {
    let (s3, lake) = start();
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    let path = s3.put("lake", "raw/b.csv", "id,v\n2,1\n");
    lake.report(["s3://lake/raw"]);
    s3.put("lake", "raw/c.csv", b"\x1f\x8b\x08\x00junk");
    std::fs::write(path, b"\x00\x01\xff\xfe\x00junk").unwrap();
    let report = lake.report(["s3://lake/raw"]);
    assert_eq!(report.files(), (3, 2, 1));
    assert_eq!(report.problems().len(), 2);
    assert!(
        report.problems()[0].contains("s3://lake/raw/b.csv"),
        "{}",
        report.output
    );
    assert_eq!(lake.sql("SELECT id FROM t.raw"), "id\n1\n");
}

#[test]
fn an_object_that_may_not_be_read_stops_no_other() {
    let (s3, lake) = start();
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    s3.put("lake", "raw/b.csv", "id,v\n2,1\n");
    s3.deny("raw/b.csv", true);
    let output = lake.fails(
        ["crawl", "s3://lake/raw", "-d", "t", "--strict"],
        "s3://lake/raw/b.csv",
    );
    assert!(!output.stderr.contains("<?xml"), "{output}");
    assert_eq!(lake.tables(), Vec::<String>::new());
    let report = lake.report(["s3://lake/raw"]);
    assert_eq!(report.problems().len(), 1, "{}", report.output);
    assert!(
        report.problems()[0].contains("s3://lake/raw/b.csv"),
        "{}",
        report.output
    );
    assert_eq!(lake.sql("SELECT id FROM t.raw"), "id\n1\n");
    // It is the same object still, and may be read now: what was refused is asked for again.
    s3.deny("raw/b.csv", false);
    let report = lake.report(["s3://lake/raw"]);
    assert_eq!(report.files(), (2, 1, 1));
    assert_eq!(lake.sql("SELECT id FROM t.raw ORDER BY id"), "id\n1\n2\n");
}

#[test]
fn ctrl_c_cancels_a_crawl_and_the_history_says_so() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.report(["d"]);
    let before = lake.catalog();
    // A store that takes a request and never answers it.
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", server.local_addr().unwrap());
    let mut command = lake.command(["crawl", "s3://lake/raw", "-d", "t"]);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let mut running = Running::start(&mut command);
    // Once it has asked it is in the middle of the crawl.
    let (socket, _) = server.accept().unwrap();
    assert_eq!(socket.peek(&mut [0; 1]).unwrap(), 1);
    assert!(!running.ended());
    running.signal("INT");
    let output = running.finish();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("interrupted"), "{output}");
    assert_eq!(lake.catalog(), before);
    let history = lake.ok(["crawler", "history", "-o", "csv"]).stdout;
    let newest = history.lines().nth(1).unwrap();
    assert!(newest.starts_with("2,,t,CANCELLED,"), "{history}");
}
