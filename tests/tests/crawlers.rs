//! Crawlers that are defined in the catalog: how they are made, run, listed and deleted, and their history.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::report::Report;
use mastic_tests::{Lake, snapshot};

fn lake() -> Lake {
    let lake = Lake::with([
        ("raw/orders/p=1/a.csv", "id,v\n1,1\n"),
        ("raw/people/a.json", "{\"name\":\"Ann\"}\n"),
    ]);
    lake.file("raw/people/b.json.tmp", b"\x00\x01\xff\xfe\x00junk");
    lake
}

#[track_caller]
fn run<const N: usize>(lake: &Lake, args: [&str; N]) -> Report {
    let args = ["crawler", "run", "-o", "json"].into_iter().chain(args);
    Report::of(lake.mastic(args))
}

#[track_caller]
fn defined(lake: &Lake, name: &str) -> serde_json::Value {
    let shown = lake.ok(["crawler", "show", name]).stdout;
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn a_crawler_from_its_making_to_its_end() {
    let lake = lake();
    let made = lake.ok([
        "crawler",
        "create",
        "shop",
        "raw",
        "--database",
        "Shop",
        "--prefix",
        "raw_",
        "--exclude",
        "**.tmp",
        "--description",
        "all of it",
    ]);
    snapshot!(lake, "created", made);
    snapshot!(
        lake,
        "listed_before",
        lake.ok(["crawler", "list", "-o", "csv"])
    );
    let report = run(&lake, ["shop", "--strict"]);
    assert_eq!(
        report.outcomes(),
        ["raw_orders created", "raw_people created"]
    );
    assert_eq!(lake.tables(), ["shop.raw_orders", "shop.raw_people"]);
    assert_eq!(run(&lake, ["shop"]).files(), (2, 0, 2));
    lake.file("raw/orders/p=2/a.csv", "id,v\n2,1\n");
    assert_eq!(
        run(&lake, ["shop", "--dry-run"]).outcomes(),
        ["raw_orders updated", "raw_people unchanged"]
    );
    assert_eq!(lake.versions("shop.raw_orders"), 1);
    assert_eq!(
        run(&lake, ["shop", "--changed", "raw/orders/p=2"]).files(),
        (1, 1, 0)
    );
    snapshot!(
        lake,
        "history",
        lake.ok(["crawler", "history", "shop", "-o", "csv"])
    );
    snapshot!(
        lake,
        "listed_after",
        lake.ok(["crawler", "list", "-o", "csv"])
    );

    snapshot!(lake, "deleted", lake.ok(["crawler", "delete", "shop"]));
    assert_eq!(lake.ok(["crawler", "list", "-o", "json"]).stdout, "");
    // Its tables stay, and so does the history.
    assert_eq!(lake.tables(), ["shop.raw_orders", "shop.raw_people"]);
    let history = lake.ok(["crawler", "history", "-o", "json"]).stdout;
    assert_eq!(history.lines().count(), 3, "{history}");
}

#[test]
fn a_definition_has_glues_shape() {
    let lake = lake();
    lake.ok([
        "crawler",
        "create",
        "c",
        "raw/orders",
        "raw/people",
        "-d",
        "shop",
        "--prefix",
        "x_",
        "--exclude",
        "*.tmp",
        "--on-update",
        "log",
        "--on-delete",
        "delete",
        "--recrawl",
        "new-folders",
        "--combine-compatible-schemas",
        "--table-level",
        "2",
        "--table-threshold",
        "9",
        "--inherit-from-table",
        "--description",
        "d",
    ]);
    let shown = defined(&lake, "c");
    // The fields and values are those of Glue's `Crawler` (API reference), those of `Configuration` as on
    // "Setting crawler configuration options".
    assert_eq!(shown["Name"], "c");
    assert_eq!(shown["DatabaseName"], "shop");
    assert_eq!(shown["TablePrefix"], "x_");
    assert_eq!(shown["Description"], "d");
    assert_eq!(shown["Targets"]["S3Targets"].as_array().unwrap().len(), 2);
    assert_eq!(shown["Targets"]["S3Targets"][1]["Exclusions"][0], "*.tmp");
    assert_eq!(shown["SchemaChangePolicy"]["UpdateBehavior"], "LOG");
    assert_eq!(
        shown["SchemaChangePolicy"]["DeleteBehavior"],
        "DELETE_FROM_DATABASE"
    );
    assert_eq!(
        shown["RecrawlPolicy"]["RecrawlBehavior"],
        "CRAWL_NEW_FOLDERS_ONLY"
    );
    let configuration: serde_json::Value =
        serde_json::from_str(shown["Configuration"].as_str().unwrap()).unwrap();
    assert_eq!(
        configuration,
        serde_json::json!({
            "Version": 1.0,
            "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas", "TableLevelConfiguration": 2},
            "CrawlerOutput": {
                "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
                "Tables": {"TableThreshold": 9}
            }
        })
    );
}

#[test]
fn the_policies_of_a_definition_are_followed() {
    let lake = Lake::with([("d/a.csv", "id,v,w\n1,1,x\n")]);
    lake.ok([
        "crawler",
        "create",
        "replaces",
        "d",
        "-d",
        "r",
        "--on-update",
        "replace",
    ]);
    lake.ok(["crawler", "create", "merges", "d", "-d", "m"]);
    lake.ok([
        "crawler",
        "create",
        "logs",
        "d",
        "-d",
        "l",
        "--on-update",
        "log",
    ]);
    let all = ["replaces", "merges", "logs"];
    for name in all {
        run(&lake, [name]);
    }
    lake.file("d/a.csv", "id,v,new\n1,1,x\n");
    for name in all {
        run(&lake, [name]);
    }
    let names = |table: &str| {
        lake.columns(table)
            .join(",")
            .replace(" bigint", "")
            .replace(" string", "")
    };
    assert_eq!(names("r.d"), "id,v,new");
    assert_eq!(names("m.d"), "id,v,w,new");
    assert_eq!(names("l.d"), "id,v,w");
}

#[test]
fn a_crawler_runs_from_any_folder() {
    let lake = lake();
    lake.ok(["crawler", "create", "c", "raw/orders", "-d", "t"]);
    std::fs::create_dir(lake.join("elsewhere")).unwrap();
    let catalog = lake.join(".mastic/catalog.db");
    let mut command = lake.command([
        "crawler",
        "run",
        "c",
        "--catalog",
        catalog.to_str().unwrap(),
    ]);
    let output = mastic_tests::finish(command.current_dir(lake.join("elsewhere")), b"");
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(lake.sql("SELECT id FROM t.orders"), "id\n1\n");
}

#[test]
fn a_crawler_is_not_made_twice_but_replaced() {
    let lake = lake();
    lake.ok(["crawler", "create", "c", "raw/orders", "-d", "t"]);
    let before = lake.catalog();
    lake.fails(
        ["crawler", "create", "c", "raw/people", "-d", "t"],
        "c already exists",
    );
    assert_eq!(lake.catalog(), before);
    let same = lake.ok([
        "crawler",
        "create",
        "c",
        "raw/orders",
        "-d",
        "t",
        "--replace",
    ]);
    assert!(same.stderr.contains("crawler c: unchanged"), "{same}");
    assert_eq!(lake.catalog(), before);
    let other = lake.ok([
        "crawler",
        "create",
        "c",
        "raw/people",
        "-d",
        "t",
        "--replace",
    ]);
    assert!(other.stderr.contains("crawler c: changed"), "{other}");
    let shown = defined(&lake, "c");
    assert_eq!(shown["Version"], 2);
    let path = shown["Targets"]["S3Targets"][0]["Path"].as_str().unwrap();
    assert!(path.ends_with("/raw/people"), "{path}");
}

#[test]
fn names_that_are_no_crawlers_are_answered_with_the_nearest() {
    let lake = lake();
    lake.ok(["crawler", "create", "orders", "raw/orders", "-d", "t"]);
    for args in [
        &["crawler", "run", "order"][..],
        &["crawler", "show", "ordres"],
        &["crawler", "delete", "oders"],
        &["crawler", "history", "order"],
    ] {
        let output = lake.fails(args, "does not exist");
        assert!(output.stderr.contains("did you mean orders?"), "{output}");
    }
    lake.fails(["crawler", "crawl", "7"], "7");
    lake.fails(
        ["crawler", "create", "c", "raw", "--classifier", "none"],
        "none",
    );
}

#[test]
fn a_definition_of_glue_is_imported_and_run() {
    let lake = lake();
    // As `aws glue get-crawlers` prints it.
    let place = lake.join("raw/orders");
    let crawler = serde_json::json!({"Crawlers": [{
        "Name": "from-glue",
        "Role": "AWSGlueServiceRole",
        "Targets": {
            "S3Targets": [{"Path": place.to_str().unwrap(), "Exclusions": ["**.tmp"]}],
            "JdbcTargets": [], "MongoDBTargets": [], "DynamoDBTargets": [], "CatalogTargets": [],
            "DeltaTargets": [], "IcebergTargets": [], "HudiTargets": []
        },
        "DatabaseName": "t",
        "Classifiers": [],
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"},
        "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
        "State": "READY",
        "CrawlElapsedTime": 0,
        "CreationTime": "2023-05-01T10:00:00+00:00",
        "LastUpdated": "2023-05-01T10:00:00+00:00",
        "LastCrawl": {"Status": "SUCCEEDED", "LogGroup": "/aws-glue/crawlers", "LogStream": "from-glue",
            "MessagePrefix": "x", "StartTime": "2023-05-01T10:00:00+00:00"},
        "Version": 3,
        "Configuration": "{\"Version\":1.0,\"CreatePartitionIndex\":true,\"Grouping\":{\"TableGroupingPolicy\":\"CombineCompatibleSchemas\"}}",
        "LakeFormationConfiguration": {"UseLakeFormationCredentials": false, "AccountId": ""}
    }]});
    let output = lake.mastic_fed(["catalog", "import", "-"], crawler.to_string().as_bytes());
    assert_eq!(output.code, 0, "{output}");
    assert!(
        output.stderr.contains("crawler"),
        "it says what it imported\n{output}"
    );
    let report = run(&lake, ["from-glue"]);
    assert_eq!(report.outcomes(), ["orders created"]);
    // UPDATE_IN_DATABASE without MergeNewColumns takes columns away.
    lake.file("raw/orders/p=1/a.csv", "id,w\n1,1\n");
    run(&lake, ["from-glue"]);
    assert_eq!(
        lake.columns("t.orders"),
        ["id bigint", "w bigint", "[p bigint]"]
    );
}

#[test]
fn what_a_definition_says_and_cannot_be_followed_is_told() {
    for (field, value, told) in [
        // As Glue: "CrawlerOutput.Partitions contains unsupported keys".
        (
            "Configuration",
            r#""{\"Version\":1.0,\"CrawlerOutput\":{\"Partitions\":{\"Colour\":\"red\"}}}""#,
            "Colour",
        ),
        (
            "Configuration",
            r#""{\"Version\":1.0,\"Grouping\":{\"TableGroupingPolicy\":\"Everything\"}}""#,
            "Everything",
        ),
        ("Configuration", r#""no json""#, "Configuration"),
        ("Classifiers", r#"["missing"]"#, "missing"),
        ("Targets", r#"{"S3Targets":[]}"#, "S3Targets"),
        (
            "Targets",
            r#"{"S3Targets":[{"Path":"raw","SampleSize":7}]}"#,
            "SampleSize",
        ),
    ] {
        let lake = lake();
        let mut crawler = serde_json::json!({
            "Name": "c", "DatabaseName": "t", "Targets": {"S3Targets": [{"Path": "raw"}]}
        });
        crawler[field] = serde_json::from_str(value).unwrap();
        let text = serde_json::json!({ "Crawlers": [crawler] }).to_string();
        let imported = lake.mastic_fed(["catalog", "import", "-"], text.as_bytes());
        // Now, or when it is run.
        if imported.code == 0 {
            lake.fails(["crawler", "run", "c"], told);
        } else {
            assert!(imported.stderr.contains(told), "{imported}");
        }
        let tables = lake.mastic(["catalog", "tables", "-o", "json"]);
        assert_eq!(tables.stdout, "", "{field} {value}");
    }
}

#[test]
fn a_crawler_of_events_wants_events() {
    let lake = lake();
    lake.ok([
        "crawler",
        "create",
        "e",
        "raw/orders",
        "-d",
        "t",
        "--recrawl",
        "events",
    ]);
    let output = lake.fails(["crawler", "run", "e"], "by events");
    assert!(output.stderr.contains("--changed"), "{output}");
    let first = run(&lake, ["e", "--changed", "raw/orders/p=1"]);
    assert!(
        first.notes().starts_with("everything was crawled"),
        "{}",
        first.notes()
    );
    lake.file("raw/orders/p=2/a.csv", "id,v\n2,1\n");
    lake.file("events", "raw/orders/p=2/a.csv\n");
    assert_eq!(run(&lake, ["e", "--events", "events"]).files(), (1, 1, 0));
    assert_eq!(
        lake.sql("SELECT id FROM t.orders ORDER BY id"),
        "id\n1\n2\n"
    );
}

#[test]
fn a_crawler_of_new_folders() {
    let lake = lake();
    lake.ok([
        "crawler",
        "create",
        "n",
        "raw/orders",
        "-d",
        "t",
        "--recrawl",
        "new-folders",
    ]);
    run(&lake, ["n"]);
    lake.file("raw/orders/p=1/late.csv", "id,v\n9,1\n");
    lake.file("raw/orders/p=2/a.csv", "id,v\n2,1\n");
    let report = run(&lake, ["n"]);
    assert_eq!((report.number("opened"), report.number("skipped")), (1, 1));
    assert_eq!(
        lake.sql("SELECT p FROM t.orders GROUP BY p ORDER BY p"),
        "p\n1\n2\n"
    );
}

#[test]
fn the_history_tells_what_each_crawl_did() {
    let lake = lake();
    lake.ok(["crawler", "create", "c", "raw", "-d", "t"]);
    run(&lake, ["c"]);
    lake.fails(["crawler", "run", "c", "--strict"], "b.json.tmp");
    lake.fails(["crawl", "nowhere", "-d", "t"], "nowhere");
    lake.report(["raw/orders"]);
    let rows = |args: &[&str]| -> Vec<serde_json::Value> {
        let args = ["crawler", "history", "-o", "json"].iter().chain(args);
        let listed = lake.ok(args).stdout;
        listed
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let all = rows(&[]);
    let column = |name: &str| -> Vec<String> {
        all.iter()
            .map(|r| r[name].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(column("crawl"), ["4", "3", "2", "1"]);
    assert_eq!(column("crawler"), ["", "", "c", "c"]);
    assert_eq!(
        column("state"),
        ["SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED"]
    );
    assert_eq!(column("changed")[3], "2");
    assert_eq!(column("skipped")[3], "1");
    assert!(column("error")[1].contains("nowhere"), "{all:?}");
    assert_eq!(rows(&["c"]).len(), 2);
    assert_eq!(rows(&["--limit", "1"]).len(), 1);
    // One crawl, with all that it saw.
    let one = lake.ok(["crawler", "crawl", "1"]).stdout;
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["CrawlerName"], "c");
    assert_eq!(one["State"], "SUCCEEDED");
    assert_eq!(one["Summary"]["files"], 3);
    assert_eq!(one["Summary"]["opened"], 3);
    let problems = one["Summary"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]["url"]
            .as_str()
            .unwrap()
            .ends_with("raw/people/b.json.tmp")
    );
    let tables = one["Summary"]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 2);
    assert_eq!(tables[0]["outcome"], "created");
    assert!(tables[0]["why"].as_array().unwrap().len() > 1);
}

#[test]
fn a_crawler_and_its_classifiers_come_along_in_an_export() {
    let lake = lake();
    lake.ok([
        "classifier",
        "create-csv",
        "bare",
        "--delimiter",
        ",",
        "--header",
        "absent",
    ]);
    lake.ok([
        "crawler",
        "create",
        "c",
        "raw",
        "-d",
        "t",
        "--classifier",
        "bare",
    ]);
    run(&lake, ["c"]);
    lake.file("catalog.json", lake.catalog());
    lake.ok(["catalog", "import", "catalog.json", "--catalog", "other.db"]);
    let listed = lake
        .ok(["crawler", "list", "-o", "csv", "--catalog", "other.db"])
        .stdout;
    assert!(listed.contains("\nc,t,"), "{listed}");
    let output = lake.ok(["crawler", "run", "c", "-o", "json", "--catalog", "other.db"]);
    let report = Report::of(output);
    assert!(
        report.outcomes().iter().all(|o| o.ends_with(" unchanged")),
        "{}",
        report.output
    );
}
