//! Classifiers of one's own, by name and by file.

use mastic_tests::{Lake, snapshot};

const LOG: &str = "\
2024-01-31 10:00:00 INFO started in 12 ms
2024-01-31 10:00:01 WARN slow in 1200 ms
2024-01-31 10:00:02 ERROR stopped in 3 ms
";
const PATTERN: &str =
    "%{TIMESTAMP_ISO8601:at} %{LOGLEVEL:level} %{WORD:what} in %{NUMBER:took:int} ms";

#[test]
fn grok() {
    let lake = Lake::with([("logs/a.log", LOG)]);
    lake.ok([
        "classifier",
        "create-grok",
        "app-log",
        "--classification",
        "app",
        "--pattern",
        PATTERN,
    ]);
    let report = lake.report(["logs", "--classifier", "app-log", "--strict"]);
    assert_eq!(report.table("logs")["classification"], "app");
    assert_eq!(
        lake.columns("t.logs"),
        ["at timestamp", "level string", "what string", "took int"]
    );
    assert_eq!(
        lake.sql("SELECT at, level, took FROM t.logs WHERE took > 10 ORDER BY took"),
        "at,level,took\n2024-01-31 10:00:00,INFO,12\n2024-01-31 10:00:01,WARN,1200\n"
    );
}

#[test]
fn grok_with_patterns_of_its_own() {
    let lake = Lake::with([("logs/a.log", "<7> x=1\n<8> x=2\n")]);
    lake.ok([
        "classifier",
        "create-grok",
        "own",
        "--classification",
        "own",
        "--pattern",
        "%{LEVEL:level} x=%{NUMBER:x:double}",
        "--custom-patterns",
        "LEVEL <%{NUM}>\nNUM [0-9]+",
    ]);
    lake.report(["logs", "--classifier", "own", "--strict"]);
    assert_eq!(
        lake.sql("SELECT level, x FROM t.logs ORDER BY x"),
        "level,x\n<7>,1.0\n<8>,2.0\n"
    );
}

#[test]
fn records_at_a_json_path() {
    let lake = Lake::with([(
        "j/a.json",
        "{\"Count\":2,\"Records\":[{\"id\":1,\"s\":{\"k\":\"x\"}},{\"id\":2,\"s\":{\"k\":\"y\"}}]}",
    )]);
    lake.ok([
        "classifier",
        "create-json",
        "records",
        "--path",
        "$.Records[*]",
    ]);
    lake.report(["j", "--classifier", "records", "--strict"]);
    assert_eq!(lake.columns("t.j"), ["id bigint", "s struct<k:string>"]);
    assert_eq!(
        lake.sql("SELECT id, t.s['k'] AS k FROM t.j t ORDER BY id"),
        "id,k\n1,x\n2,y\n"
    );
}

#[test]
fn records_of_an_xml_element() {
    let lake = Lake::with([(
        "x/a.xml",
        "<shop><head><v>1</v></head><books><book id=\"7\"><title>A</title></book><book id=\"8\"><title>B</title></book></books><cds><cd><title>C</title></cd><cd><title>D</title></cd><cd><title>E</title></cd></cds></shop>",
    )]);
    lake.ok(["classifier", "create-xml", "books", "--row-tag", "book"]);
    lake.report(["x", "--classifier", "books", "--strict"]);
    assert_eq!(
        lake.sql("SELECT title FROM t.x ORDER BY title"),
        "title\nA\nB\n"
    );
}

#[test]
fn a_csv_dialect() {
    let lake = Lake::with([("c/a.txt", "1|'a|b'|2024\n2|c|2025\n")]);
    lake.ok([
        "classifier",
        "create-csv",
        "pipes",
        "--delimiter",
        "|",
        "--quote",
        "'",
        "--header",
        "absent",
        "--names",
        "id,name,year",
    ]);
    lake.report(["c", "--classifier", "pipes", "--strict"]);
    assert_eq!(
        lake.sql("SELECT id, name, year FROM t.c ORDER BY id"),
        "id,name,year\n1,a|b,2024\n2,c,2025\n"
    );
}

#[test]
fn a_csv_header_that_is_there_or_not() {
    for (header, answer) in [
        ("present", "x,y\nb,c\nd,e\n"),
        ("absent", "col0,col1\nb,c\nd,e\nx,y\n"),
    ] {
        let lake = Lake::with([("c/a.csv", "x,y\nb,c\nd,e\n")]);
        lake.ok([
            "classifier",
            "create-csv",
            "h",
            "--delimiter",
            ",",
            "--header",
            header,
        ]);
        lake.report(["c", "--classifier", "h", "--strict"]);
        assert_eq!(lake.sql("SELECT * FROM t.c ORDER BY 1"), answer, "{header}");
    }
}

#[test]
fn csv_types_that_were_said() {
    let lake = Lake::with([(
        "c/a.csv",
        "id,zip,at\n1,10115,2024-01-31\n2,90210,2024-02-01\n",
    )]);
    lake.ok([
        "classifier",
        "create-csv",
        "typed",
        "--delimiter",
        ",",
        "--header",
        "present",
        "--types",
        "STRING,STRING,DATE",
    ]);
    lake.report(["c", "--classifier", "typed", "--strict"]);
    assert_eq!(lake.columns("t.c"), ["id string", "zip string", "at date"]);
}

#[test]
fn a_csv_of_one_column() {
    let lake = Lake::with([("c/a.csv", "word\nalpha\nbeta\n")]);
    lake.ok([
        "classifier",
        "create-csv",
        "single",
        "--delimiter",
        ",",
        "--header",
        "present",
        "--allow-single-column",
    ]);
    lake.report(["c", "--classifier", "single", "--strict"]);
    assert_eq!(
        lake.sql("SELECT word FROM t.c ORDER BY word"),
        "word\nalpha\nbeta\n"
    );
}

#[test]
fn what_a_classifier_does_not_recognise_is_for_the_built_in_ones() {
    let lake = Lake::with([
        ("l/logs/a.log", LOG),
        ("l/orders/a.csv", "id,v\n1,2\n"),
        ("l/people/a.json", "{\"name\":\"Ann\"}\n"),
    ]);
    lake.ok([
        "classifier",
        "create-grok",
        "app-log",
        "--classification",
        "app",
        "--pattern",
        PATTERN,
    ]);
    let report = lake.report(["l", "--classifier", "app-log", "--strict"]);
    assert_eq!(report.table("logs")["classification"], "app");
    assert_eq!(report.table("orders")["classification"], "csv");
    assert_eq!(report.table("people")["classification"], "json");
}

#[test]
fn classifiers_of_a_file_come_first() {
    let lake = Lake::with([("c/a.txt", "1|a;b\n2|c;d\n")]);
    lake.ok([
        "classifier",
        "create-csv",
        "semicolons",
        "--delimiter",
        ";",
        "--header",
        "absent",
        "--names",
        "x,y",
    ]);
    // As `aws glue get-classifiers` prints them.
    lake.file(
        "mine.json",
        r#"{"Classifiers": [{"CsvClassifier": {"Name": "pipes", "Delimiter": "|", "ContainsHeader": "ABSENT", "Header": ["id", "text"]}}]}"#,
    );
    lake.report([
        "c",
        "--classifier",
        "semicolons",
        "--classifiers-file",
        "mine.json",
    ]);
    assert_eq!(
        lake.sql("SELECT * FROM t.c ORDER BY 1"),
        "id,text\n1,a;b\n2,c;d\n"
    );
    // They are of this crawl alone.
    let listed = lake.ok(["classifier", "list", "-o", "csv"]).stdout;
    assert!(!listed.contains("pipes"), "{listed}");
    // One alone, and an array, are good, too.
    for text in [
        r#"{"CsvClassifier": {"Name": "p", "Delimiter": "|", "ContainsHeader": "ABSENT", "Header": ["id", "text"]}}"#,
        r#"[{"CsvClassifier": {"Name": "p", "Delimiter": "|", "ContainsHeader": "ABSENT", "Header": ["id", "text"]}}]"#,
    ] {
        lake.file("one.json", text);
        let report = lake.report(["c", "--classifiers-file", "one.json", "--dry-run"]);
        assert_eq!(report.table("c")["columns"][0], "id bigint");
    }
}

#[test]
fn classifiers_are_imported_listed_shown_replaced_and_deleted() {
    let lake = Lake::new();
    lake.file(
        "all.json",
        serde_json::json!({"Classifiers": [
            {"GrokClassifier": {"Name": "g", "Classification": "app", "GrokPattern": PATTERN, "Version": 4,
                "CreationTime": 1683000000.5, "LastUpdated": "2023-05-02T04:00:00+00:00"}},
            {"XMLClassifier": {"Name": "x", "Classification": "xml", "RowTag": "book"}},
            {"JsonClassifier": {"Name": "j", "JsonPath": "$.Records[*]"}},
            {"CsvClassifier": {"Name": "c", "Delimiter": "|", "QuoteSymbol": "'", "ContainsHeader": "UNKNOWN"}}
        ]})
        .to_string(),
    );
    snapshot!(
        lake,
        "imported",
        lake.ok(["classifier", "import", "all.json"])
    );
    snapshot!(lake, "listed", lake.ok(["classifier", "list", "-o", "csv"]));
    let shown = lake.ok(["classifier", "show", "g"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["GrokClassifier"]["GrokPattern"], PATTERN);
    // Twice is refused, but to change them.
    lake.fails(["classifier", "import", "all.json"], "already exists");
    let again = lake.ok(["classifier", "import", "all.json", "--replace"]);
    assert_eq!(again.stderr.matches("unchanged").count(), 4, "{again}");
    lake.ok([
        "classifier",
        "create-json",
        "j",
        "--path",
        "$[*]",
        "--replace",
    ]);
    lake.ok(["classifier", "delete", "x"]);
    let listed = lake.ok(["classifier", "list", "-o", "csv"]).stdout;
    assert!(
        listed.contains("j,JsonClassifier,$[*],2") && !listed.contains("\nx,"),
        "{listed}"
    );
}

#[test]
fn a_classifier_that_a_crawler_uses_is_not_deleted() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.ok(["classifier", "create-json", "j", "--path", "$[*]"]);
    lake.ok(["crawler", "create", "c", "d", "--classifier", "j"]);
    snapshot!(lake, lake.fails(["classifier", "delete", "j"], "crawler"));
    lake.ok(["crawler", "delete", "c"]);
    lake.ok(["classifier", "delete", "j"]);
}

#[test]
fn names_that_are_no_classifiers_are_answered_with_the_nearest() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.ok(["classifier", "create-json", "records", "--path", "$[*]"]);
    for args in [
        &["classifier", "show", "record"][..],
        &["classifier", "delete", "recods"],
        &["crawl", "d", "--classifier", "record"],
        &["crawler", "create", "c", "d", "--classifier", "record"],
    ] {
        let output = lake.fails(args, "does not exist");
        assert!(output.stderr.contains("did you mean records?"), "{output}");
    }
}

#[test]
fn mistakes_in_classifiers_are_told_when_they_are_made() {
    let lake = Lake::new();
    for (args, told) in [
        (
            &[
                "create-grok",
                "g",
                "--classification",
                "x",
                "--pattern",
                "%{NOSUCH:a}",
            ][..],
            "NOSUCH",
        ),
        (
            &[
                "create-grok",
                "g",
                "--classification",
                "x",
                "--pattern",
                "(%{WORD:a}",
            ],
            "unclosed group",
        ),
        (
            &[
                "create-grok",
                "g",
                "--classification",
                "x",
                "--pattern",
                "%{WORD:a:colour}",
            ],
            "colour",
        ),
        (&["create-json", "j", "--path", "Records"], "Records"),
        (
            &["create-json", "j", "--path", "$..[?(@.x)]"],
            "$..[?(@.x)]",
        ),
        (&["create-csv", "c", "--delimiter", "é"], "é"),
        (
            &["create-csv", "c", "--delimiter", ",", "--types", "COLOUR"],
            "COLOUR",
        ),
        (&["import", "nowhere.json"], "nowhere.json"),
    ] {
        let args = ["classifier"].iter().chain(args);
        lake.fails(args, told);
    }
    lake.file("bad.json", "{\"CsvClassifier\": {\"Delimiter\": \"|\"}}");
    lake.fails(["classifier", "import", "bad.json"], "ame");
    lake.file("bad.json", "{\"ColourClassifier\": {}}");
    lake.fails(["classifier", "import", "bad.json"], "bad.json");
    let listed = lake.mastic(["classifier", "list", "-o", "json"]);
    assert_eq!(listed.stdout, "", "{listed}");
}
