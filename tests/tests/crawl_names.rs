//! What tables, columns and partition keys are called: names never collide, and folders of dates have keys.

use mastic_tests::Lake;

#[track_caller]
fn rows(lake: &Lake, table: &str) -> String {
    lake.sql(&format!("SELECT count(*) AS n FROM t.\"{table}\""))
        .replace("n\n", "")
        .trim()
        .to_owned()
}

#[test]
fn one_name_in_two_formats() {
    let lake = Lake::with([
        ("l/orders.csv", "id,v\n1,1\n"),
        ("l/orders.json", "{\"id\":2,\"v\":1}\n"),
        (
            "l/orders.xml",
            "<orders><o><id>3</id></o><o><id>4</id></o></orders>",
        ),
    ]);
    lake.report(["l"]);
    assert_eq!(lake.tables(), ["t.orders", "t.orders_json", "t.orders_xml"]);
    assert_eq!(lake.sql("SELECT id FROM t.orders"), "id\n1\n");
    assert_eq!(lake.sql("SELECT id FROM t.orders_json"), "id\n2\n");
    assert_eq!(
        lake.sql("SELECT id FROM t.orders_xml ORDER BY id"),
        "id\n3\n4\n"
    );
    let again = lake.report(["l"]);
    assert_eq!(
        again.outcomes(),
        [
            "orders unchanged",
            "orders_json unchanged",
            "orders_xml unchanged"
        ]
    );
}

#[test]
fn names_never_collide() {
    let lake = Lake::with([
        ("l/a-b/x.csv", "id,v\n1,1\n"),
        ("l/a_b/x.json", "{\"k\":2}\n"),
        ("l/A B/x.xml", "<r><e><n>3</n></e><e><n>4</n></e></r>"),
        ("l/a.b/deep/a-b/x.csv", "u;v;w\nx;1;2\ny;3;4\n"),
    ]);
    let report = lake.report(["l"]);
    let tables = report.json["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 4, "{}", report.output);
    let mut names: Vec<&str> = tables.iter().map(|t| t["name"].as_str().unwrap()).collect();
    names.dedup();
    assert_eq!(names.len(), 4, "{names:?}");
    for table in tables {
        let name = table["name"].as_str().unwrap();
        assert_eq!(rows(&lake, name), table["records"].to_string(), "{name}");
    }
    // Each keeps its name, whichever others there are.
    let again = lake.report(["l"]);
    assert!(
        again.outcomes().iter().all(|o| o.ends_with(" unchanged")),
        "{}",
        again.output
    );
    std::fs::remove_dir_all(lake.join("l/a_b")).unwrap();
    let names = |report: &mastic_tests::report::Report| -> Vec<(String, String)> {
        let all = report.json["tables"].as_array().unwrap().iter();
        all.filter(|t| t["outcome"] == "unchanged")
            .map(|t| (t["name"].to_string(), t["location"].to_string()))
            .collect()
    };
    let fewer = lake.report(["l"]);
    assert_eq!(names(&fewer).len(), 3);
    assert!(
        names(&fewer).iter().all(|n| names(&again).contains(n)),
        "{}",
        fewer.output
    );
}

#[test]
fn tables_of_two_targets_with_one_name() {
    let lake = Lake::with([
        ("one/orders/a.csv", "id,v\n1,1\n"),
        ("two/orders/a.json", "{\"k\":2}\n"),
    ]);
    lake.report(["one/orders", "two/orders"]);
    assert_eq!(lake.tables(), ["t.orders", "t.two_orders"]);
    assert_eq!(lake.sql("SELECT k FROM t.two_orders"), "k\n2\n");
    let again = lake.report(["two/orders"]);
    assert_eq!(again.outcomes(), ["two_orders unchanged"]);
}

#[test]
fn names_of_other_alphabets() {
    let lake = Lake::with([
        ("l/données/a.csv", "id,prénom\n1,Zoé\n"),
        ("l/表/a.json", "{\"値\":2}\n"),
        ("l/ÜBER/a.xml", "<r><e><n>3</n></e><e><n>4</n></e></r>"),
        ("l/emoji 🦀/a.csv", "a;b;c\n1;2;3\n4;5;6\n"),
    ]);
    let report = lake.report(["l"]);
    let tables = report.json["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 4, "{}", report.output);
    for table in tables {
        let name = table["name"].as_str().unwrap();
        assert_eq!(name, name.to_lowercase());
        assert_eq!(rows(&lake, name), table["records"].to_string(), "{name}");
    }
    assert_eq!(lake.sql("SELECT \"値\" FROM t.\"表\""), "値\n2\n");
    assert_eq!(
        lake.sql("SELECT \"prénom\" FROM t.\"données\""),
        "prénom\nZoé\n"
    );
}

#[test]
fn long_names_are_cut_and_told_apart() {
    // With the prefix the names are of 300 characters; Glue's are of 128 at most.
    let (a, b) = (
        format!("{}a", "x".repeat(239)),
        format!("{}b", "x".repeat(239)),
    );
    let prefix = "p".repeat(60);
    let lake = Lake::new();
    lake.file(&format!("l/{a}/a.csv"), "id,v\n1,1\n");
    lake.file(&format!("l/{b}/a.json"), "{\"k\":1}\n");
    let report = lake.report(["l", "--prefix", &prefix]);
    let tables = report.json["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 2, "{}", report.output);
    let names: Vec<&str> = tables.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_ne!(names[0], names[1]);
    for name in &names {
        assert!(name.len() <= 128 && name.starts_with(&prefix), "{name}");
        assert_eq!(rows(&lake, name), "1");
    }
    let again = lake.report(["l", "--prefix", &prefix]);
    assert!(
        again.outcomes().iter().all(|o| o.ends_with(" unchanged")),
        "{}",
        again.output
    );
}

#[test]
fn columns_never_collide() {
    let lake = Lake::with([
        ("csv/a.csv", "ID,id,Id \n1,2,3\n4,5,6\n"),
        ("json/a.json", "{\"Name\":\"x\",\"name\":\"y\"}\n"),
    ]);
    for table in ["csv", "json"] {
        lake.report([table]);
        let columns = lake.columns(&format!("t.{table}"));
        let mut names: Vec<&str> = columns
            .iter()
            .map(|c| c.split(' ').next().unwrap())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), columns.len(), "{table}: {columns:?}");
        lake.sql(&format!("SELECT * FROM t.{table}"));
    }
    let columns = lake.columns("t.csv");
    assert_eq!(columns.len(), 3, "{columns:?}");
    let row = lake.sql("SELECT * FROM t.csv");
    assert_eq!(row.lines().nth(1), Some("1,2,3"), "{row}");
}

#[test]
fn dates_as_bare_folders_down_to_the_hour() {
    let lake = Lake::with([
        ("l/2024/01/31/22/a.json", "{\"m\":\"x\"}\n"),
        ("l/2024/01/31/23/a.json", "{\"m\":\"y\"}\n"),
        ("l/2024/02/01/00/a.json", "{\"m\":\"z\"}\n"),
    ]);
    lake.report(["l"]);
    assert_eq!(
        lake.columns("t.l"),
        [
            "m string",
            "[year int]",
            "[month int]",
            "[day int]",
            "[hour int]"
        ]
    );
    assert_eq!(
        lake.sql("SELECT m, month, day, hour FROM t.l WHERE hour < 23 ORDER BY hour"),
        "m,month,day,hour\nz,2,1,0\nx,1,31,22\n"
    );
}

#[test]
fn one_bare_date_is_enough() {
    let lake = Lake::with([("logs/2024/01/31/a.json", "{\"m\":\"x\"}\n")]);
    lake.report(["logs"]);
    assert_eq!(
        lake.columns("t.logs"),
        ["m string", "[year int]", "[month int]", "[day int]"]
    );
}

#[test]
fn folders_named_as_whole_dates() {
    let lake = Lake::with([
        ("l/2024-01-31/a.csv", "id,v\n1,1\n"),
        ("l/2024-02-01/a.csv", "id,v\n2,1\n"),
    ]);
    lake.report(["l"]);
    assert_eq!(
        lake.columns("t.l"),
        ["id bigint", "v bigint", "[partition_0 date]"]
    );
    assert_eq!(
        lake.sql("SELECT id FROM t.l WHERE partition_0 = DATE '2024-02-01'"),
        "id\n2\n"
    );
}

#[test]
fn keys_have_types() {
    let lake = Lake::with([
        ("l/dt=2024-01-31/n=1/s=01/a.json", "{\"v\":1}\n"),
        ("l/dt=2024-02-01/n=10/s=02/a.json", "{\"v\":2}\n"),
    ]);
    lake.report(["l"]);
    assert_eq!(
        lake.columns("t.l"),
        ["v bigint", "[dt date]", "[n bigint]", "[s string]"]
    );
    assert_eq!(
        lake.sql("SELECT v FROM t.l WHERE dt > DATE '2024-01-31' AND n > 9 AND s = '02'"),
        "v\n2\n"
    );
}
