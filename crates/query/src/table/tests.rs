//! Right answers on messy tables: what a lake looks like after some years. Where Athena fails with
//! HIVE_PARTITION_SCHEMA_MISMATCH, or HIVE_BAD_DATA for a type that was widened, the answer is what the files say. Answers
//! over Parquet that DuckDB can read (`union_by_name`, `hive_partitioning`) are those that it gives.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::Field;

use crate::testing::Lake;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn int(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn long(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn double(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A table `d.t` by the key `k` whose partitions are the folders `t/k=VALUE`.
async fn by_key(lake: &Lake, format: &str, columns: &[(&str, &str)], values: &[&str]) {
    let table = lake.table("t", format, columns, &[("k", "int")]);
    let partitions = values
        .iter()
        .map(|v| lake.partition(v, &format!("t/k={v}"), None))
        .collect();
    lake.put(table, partitions).await;
}

#[tokio::test]
async fn older_partitions_have_fewer_columns_in_another_order_and_case() {
    let lake = Lake::new().await;
    lake.parquet("t/k=1/a.parquet", &batch(vec![("id", int(&[1]))]));
    lake.parquet(
        "t/k=2/a.parquet",
        &batch(vec![("Name", text(&["b"])), ("ID", int(&[2]))]),
    );
    lake.parquet(
        "t/k=3/a.parquet",
        &batch(vec![
            ("id", int(&[3])),
            ("extra", int(&[9])),
            ("name", text(&["c"])),
        ]),
    );
    by_key(
        &lake,
        "parquet",
        &[("id", "int"), ("name", "string")],
        &["1", "2", "3"],
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM t ORDER BY id").await,
        ["1,NULL,1", "2,b,2", "3,c,3"]
    );
    assert_eq!(lake.rows("SELECT k FROM t WHERE name = 'b'").await, ["2"]);
    assert_eq!(
        lake.rows("SELECT id FROM t WHERE name IS NULL").await,
        ["1"]
    );
    // The same of JSON, where records differ within a file too.
    lake.write(
        "j/a.json",
        "{\"id\":1}\n{\"NAME\":\"b\",\"Id\":2}\n{\"extra\":[],\"name\":\"c\",\"id\":3}\n",
    );
    let table = lake.table("j", "json", &[("id", "int"), ("name", "string")], &[]);
    lake.put(table, vec![]).await;
    assert_eq!(
        lake.rows("SELECT * FROM j ORDER BY id").await,
        ["1,NULL", "2,b", "3,c"]
    );
}

#[tokio::test]
async fn partitions_have_formats_of_their_own() {
    let lake = Lake::new().await;
    lake.parquet(
        "t/k=1/a",
        &batch(vec![("id", int(&[1])), ("name", text(&["a"]))]),
    );
    lake.write("t/k=2/a", "2,b\n");
    lake.write("t/k=3/a", "{\"name\":\"c\",\"id\":3}\n");
    for of_table in ["parquet", "csv", "json"] {
        let table = lake.table(
            "t",
            of_table,
            &[("id", "int"), ("name", "string")],
            &[("k", "int")],
        );
        let partitions = [("1", "parquet"), ("2", "csv"), ("3", "json")]
            .map(|(value, format)| lake.partition(value, &format!("t/k={value}"), Some(format)));
        lake.put(table, partitions.to_vec()).await;
        assert_eq!(
            lake.rows("SELECT * FROM t ORDER BY id").await,
            ["1,a,1", "2,b,2", "3,c,3"],
            "{of_table}"
        );
        assert_eq!(
            lake.rows(r#"SELECT name FROM t WHERE "$partition" = 'k=3'"#)
                .await,
            ["c"]
        );
        assert_eq!(lake.rows("SELECT count(*), sum(id) FROM t").await, ["3,6"]);
    }
}

#[tokio::test]
async fn types_that_were_widened_read_what_was_narrower() {
    let lake = Lake::new().await;
    lake.parquet("t/k=1/a.parquet", &batch(vec![("v", int(&[1, -7]))]));
    lake.parquet(
        "t/k=2/a.parquet",
        &batch(vec![("v", long(&[5_000_000_000]))]),
    );
    by_key(&lake, "parquet", &[("v", "bigint")], &["1", "2"]).await;
    assert_eq!(
        lake.rows("SELECT v FROM t ORDER BY v").await,
        ["-7", "1", "5000000000"]
    );
    lake.parquet("t/k=3/a.parquet", &batch(vec![("v", double(&[0.5]))]));
    by_key(&lake, "parquet", &[("v", "double")], &["1", "2", "3"]).await;
    assert_eq!(
        lake.rows("SELECT v FROM t WHERE v < 2 ORDER BY v").await,
        ["-7.0", "0.5", "1.0"]
    );
    lake.parquet("t/k=4/a.parquet", &batch(vec![("v", text(&["x"]))]));
    by_key(&lake, "parquet", &[("v", "string")], &["1", "2", "3", "4"]).await;
    assert_eq!(
        lake.rows("SELECT v, k FROM t ORDER BY k, v").await,
        ["-7,1", "1,1", "5000000000,2", "0.5,3", "x,4"]
    );
    assert_eq!(
        lake.rows("SELECT k FROM t WHERE v = '5000000000'").await,
        ["2"]
    );
    // Text is of no type, so that what was an integer once is read as what the table says.
    lake.write("c/1.csv", "1\n");
    lake.write("c/2.csv", "2.5\n");
    for (of, expected) in [("double", ["1.0", "2.5"]), ("string", ["1", "2.5"])] {
        lake.put(lake.table("c", "csv", &[("v", of)], &[]), vec![])
            .await;
        assert_eq!(lake.rows("SELECT v FROM c ORDER BY v").await, expected);
    }
    // Narrower than what is there would lose something: it is said.
    lake.put(lake.table("c", "csv", &[("v", "int")], &[]), vec![])
        .await;
    let (message, _) = lake.error("SELECT v FROM c").await;
    assert!(
        message.contains("2.csv") && message.contains("'v'"),
        "{message}"
    );
    by_key(&lake, "parquet", &[("v", "int")], &["1", "2"]).await;
    let (message, _) = lake.error("SELECT v FROM t").await;
    // Whichever file is opened first.
    assert!(
        message.contains("column 'v' is ") && message.contains("in a file and int in the table"),
        "{message}"
    );
}

#[tokio::test]
async fn fields_of_structs_are_added_reordered_and_written_in_another_case() {
    let lake = Lake::new().await;
    let of = |fields: Vec<(&str, ArrayRef)>| -> ArrayRef {
        Arc::new(StructArray::from(
            fields
                .into_iter()
                .map(|(name, values)| {
                    let field = Field::new(name, values.data_type().clone(), true);
                    (Arc::new(field), values)
                })
                .collect::<Vec<_>>(),
        ))
    };
    lake.parquet(
        "t/k=1/a.parquet",
        &batch(vec![("s", of(vec![("a", int(&[1]))]))]),
    );
    lake.parquet(
        "t/k=2/a.parquet",
        &batch(vec![("s", of(vec![("b", text(&["x"])), ("a", int(&[2]))]))]),
    );
    lake.parquet(
        "t/k=3/a.parquet",
        &batch(vec![(
            "S",
            of(vec![("A", long(&[3])), ("B", text(&["y"]))]),
        )]),
    );
    by_key(
        &lake,
        "parquet",
        &[("s", "struct<a:bigint,b:string>")],
        &["1", "2", "3"],
    )
    .await;
    assert_eq!(
        lake.rows("SELECT s.a, s.b, k FROM t ORDER BY k").await,
        ["1,NULL,1", "2,x,2", "3,y,3"]
    );
    assert_eq!(lake.rows("SELECT k FROM t WHERE s.b = 'y'").await, ["3"]);
    assert_eq!(
        lake.rows("SELECT s FROM t ORDER BY k").await,
        ["{a: 1, b: NULL}", "{a: 2, b: x}", "{a: 3, b: y}"]
    );
    lake.write(
        "j/a.json",
        "{\"s\":{\"a\":1}}\n{\"s\":{\"B\":\"x\",\"A\":2}}\n",
    );
    let table = lake.table("j", "json", &[("s", "struct<a:bigint,b:string>")], &[]);
    lake.put(table, vec![]).await;
    assert_eq!(
        lake.rows("SELECT s.a, s.b FROM j ORDER BY 1").await,
        ["1,NULL", "2,x"]
    );
}

#[tokio::test]
async fn a_query_reads_the_files_that_were_there_when_it_was_planned() {
    let lake = Lake::new().await;
    lake.write("t/k=1/a.csv", "1\n");
    lake.write("t/k=1/b.csv", "2\n");
    by_key(&lake, "csv", &[("n", "int")], &["1"]).await;
    let planned = async || {
        let frame = lake.session.sql("SELECT n FROM t").await.unwrap();
        let context = frame.task_ctx();
        (
            frame.create_physical_plan().await.unwrap(),
            Arc::new(context),
        )
    };
    let (plan, context) = planned().await;
    lake.write("t/k=1/c.csv", "3\n");
    let rows = datafusion::physical_plan::collect(plan, context)
        .await
        .unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, ["3"]);
    // One that is gone is missed.
    let (plan, context) = planned().await;
    std::fs::remove_file(lake.path("t/k=1/b.csv")).unwrap();
    let error = datafusion::physical_plan::collect(plan, context)
        .await
        .unwrap_err();
    let error = crate::QueryError::from(error).to_string();
    assert!(error.contains("t/k=1/b.csv"), "{error}");
    // So it is with Parquet, which another reader reads.
    lake.parquet("p/a.parquet", &batch(vec![("n", int(&[1]))]));
    lake.put(lake.table("p", "parquet", &[("n", "int")], &[]), vec![])
        .await;
    let frame = lake.session.sql("SELECT n FROM p").await.unwrap();
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.unwrap();
    std::fs::remove_file(lake.path("p/a.parquet")).unwrap();
    let error = datafusion::physical_plan::collect(plan, context)
        .await
        .unwrap_err();
    let error = crate::QueryError::from(error).to_string();
    assert!(error.contains("p/a.parquet"), "{error}");
}

#[tokio::test]
async fn a_partition_of_null_is_null_everywhere() {
    let lake = Lake::new().await;
    for (value, n) in [("1", 1), ("2", 2), ("__HIVE_DEFAULT_PARTITION__", 3)] {
        lake.write(&format!("t/k={value}/a.csv"), format!("{n}\n"));
        lake.write(&format!("s/k={value}/a.csv"), format!("{n}\n"));
    }
    let values = ["1", "2", "__HIVE_DEFAULT_PARTITION__"];
    by_key(&lake, "csv", &[("n", "int")], &values).await;
    let table = lake.table("s", "csv", &[("n", "int")], &[("k", "string")]);
    let partitions = values.map(|v| lake.partition(v, &format!("s/k={v}"), None));
    lake.put(table, partitions.to_vec()).await;
    for (table, one) in [("t", "1"), ("s", "'1'")] {
        let cases = [
            ("k IS NULL", vec!["3"]),
            ("k IS NOT NULL", vec!["1", "2"]),
            ("NOT (k IN (ONE))", vec!["2"]),
            ("k <> ONE OR k IS NULL", vec!["2", "3"]),
            ("coalesce(CAST(k AS varchar), '7') = '7'", vec!["3"]),
            ("k IS DISTINCT FROM ONE", vec!["2", "3"]),
        ];
        for (condition, expected) in cases {
            let condition = condition.replace("ONE", one);
            let sql = format!("SELECT n FROM {table} WHERE {condition} ORDER BY n");
            assert_eq!(lake.rows(&sql).await, expected, "{sql}");
        }
        // NULL comes last, whichever way rows are ordered (Athena).
        for (sql, expected) in [
            ("SELECT n FROM x ORDER BY k, n", vec!["1", "2", "3"]),
            ("SELECT n FROM x ORDER BY k DESC", vec!["2", "1", "3"]),
            (
                "SELECT k, count(*) FROM x GROUP BY k ORDER BY k",
                vec!["1,1", "2,1", "NULL,1"],
            ),
            ("SELECT count(*) FROM x a JOIN x b ON a.k = b.k", vec!["2"]),
            (
                "SELECT count(*), count(k), count(DISTINCT k) FROM x",
                vec!["3,2,2"],
            ),
        ] {
            let sql = sql.replace(" x", &format!(" {table}"));
            assert_eq!(lake.rows(&sql).await, expected, "{sql}");
        }
    }
    // A text that says so is not NULL, but for Hive: its default partition is that text.
    assert_eq!(
        lake.rows("SELECT n FROM s WHERE k = '__HIVE_DEFAULT_PARTITION__'")
            .await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn keys_of_other_types_are_pruned_and_compared_as_what_they_are() {
    let lake = Lake::new().await;
    for (folder, n) in [("a", 1), ("b", 2), ("c", 3)] {
        lake.write(&format!("t/{folder}/a.csv"), format!("{n}\n"));
    }
    let keys = [
        ("at", "timestamp"),
        ("price", "decimal(5,2)"),
        ("name", "varchar(5)"),
    ];
    let table = lake.table("t", "csv", &[("n", "int")], &keys);
    let partitions = [
        ("2024-01-31 00:00:00", "1.50", "ab", "t/a"),
        ("2024-01-31 12:30:00.5", "10", "a_c", "t/b"),
        ("2024-02-01", "-3", "zz", "t/c"),
    ]
    .map(|(at, price, name, folder)| {
        let mut partition = lake.partition(at, folder, None);
        partition.values.extend([price.to_owned(), name.to_owned()]);
        partition
    });
    lake.put(table, partitions.to_vec()).await;
    for (condition, expected) in [
        ("at >= TIMESTAMP '2024-01-31 12:30:00.500'", vec!["2", "3"]),
        ("at = TIMESTAMP '2024-01-31 00:00:00'", vec!["1"]),
        ("CAST(at AS date) = DATE '2024-01-31'", vec!["1", "2"]),
        ("price > 1.5", vec!["2"]),
        ("price = 1.5", vec!["1"]),
        ("price IN (-3.00, 10)", vec!["2", "3"]),
        ("name LIKE 'a%'", vec!["1", "2"]),
        ("name LIKE 'a\\_%' ESCAPE '\\'", vec!["2"]),
        ("name NOT LIKE 'a_'", vec!["2", "3"]),
        (
            "name < 'b' AND at < TIMESTAMP '2024-01-31 12:00:00'",
            vec!["1"],
        ),
    ] {
        let sql = format!("SELECT n FROM t WHERE {condition} ORDER BY n");
        assert_eq!(lake.rows(&sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_lies_about_in_folders_is_no_data() {
    let lake = Lake::new().await;
    lake.write("t/k=1/a.csv", "1\n");
    for junk in [
        "_SUCCESS",
        "k=1/_temporary/0/part-0.csv",
        "k=1/.a.csv.crc",
        "k=1/_committed_123",
        ".DS_Store",
    ] {
        lake.write(&format!("t/{junk}"), "junk,junk\n");
    }
    lake.write("t/k=1/empty.csv", "");
    lake.write("t/k=2/empty.csv", "");
    std::fs::create_dir_all(lake.path("t/k=3")).unwrap();
    // No partition is registered for it; and one is for a folder that is gone, which Athena finds no rows in.
    lake.write("t/k=5/a.csv", "5\n");
    by_key(&lake, "csv", &[("n", "int")], &["1", "2", "3", "4"]).await;
    assert_eq!(lake.rows("SELECT n, k FROM t").await, ["1,1"]);
    assert_eq!(lake.rows("SELECT count(*) FROM t WHERE k = 4").await, ["0"]);
    // A table whose place is gone altogether is another thing.
    std::fs::remove_dir_all(lake.path("t")).unwrap();
    let (message, hint) = lake.error("SELECT * FROM t").await;
    assert!(message.contains("the files of d.t are gone"), "{message}");
    assert!(hint.contains("crawl"), "{hint}");
}

#[tokio::test]
async fn partitions_lie_where_they_say_and_may_share_a_place() {
    let lake = Lake::new().await;
    lake.write("t/k=1/a.csv", "1\n");
    lake.write("elsewhere/x/a.csv", "2\n");
    let table = lake.table("t", "csv", &[("n", "int")], &[("k", "int")]);
    let mut twice = lake.partition("4", "t/k=1", None);
    twice.parameters.insert(
        "mastic.more_locations".into(),
        format!(
            "[\"{}\", \"{}\"]",
            lake.path("t/k=1"),
            lake.path("elsewhere/x")
        ),
    );
    let partitions = vec![
        lake.partition("1", "t/k=1", None),
        lake.partition("2", "elsewhere/x", None),
        // The same place for two partitions: its rows are in both. For one partition twice: once.
        lake.partition("3", "t/k=1", None),
        twice,
        // A place may be a file.
        lake.partition("5", "elsewhere/x/a.csv", None),
    ];
    lake.put(table.clone(), partitions.clone()).await;
    let expected = ["1,1", "2,2", "1,3", "1,4", "2,4", "2,5"];
    assert_eq!(
        lake.rows("SELECT n, k FROM t ORDER BY k, n").await,
        expected
    );
    // However many there are.
    let many = (100..200).map(|k| lake.partition(&k.to_string(), &format!("t/k={k}"), None));
    lake.write("t/k=150/a.csv", "150\n");
    lake.put(table, partitions.into_iter().chain(many).collect())
        .await;
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.push("150,150".to_owned());
    assert_eq!(
        lake.rows("SELECT n, k FROM t ORDER BY k, n").await,
        expected
    );
}

#[tokio::test]
async fn a_key_that_files_have_too_is_what_the_folder_says() {
    let lake = Lake::new().await;
    lake.parquet(
        "t/k=1/a.parquet",
        &batch(vec![("n", int(&[1])), ("k", int(&[99]))]),
    );
    by_key(&lake, "parquet", &[("n", "int")], &["1"]).await;
    assert_eq!(lake.rows("SELECT n, k FROM t WHERE k = 1").await, ["1,1"]);
    // Even where the catalog says that files have it.
    by_key(&lake, "parquet", &[("n", "int"), ("K", "int")], &["1"]).await;
    assert_eq!(lake.rows("SELECT * FROM t").await, ["1,1"]);
    assert_eq!(
        lake.rows("SELECT count(*) FROM t WHERE k = 99").await,
        ["0"]
    );
}

#[tokio::test]
async fn escaped_values_are_what_they_stand_for() {
    let lake = Lake::new().await;
    lake.write("t/k=a%2Fb%25c/a.csv", "1\n");
    lake.write("t/k=x y=é/a.csv", "2\n");
    let table = lake.table("t", "csv", &[("n", "int")], &[("k", "string")]);
    let partitions = vec![
        lake.partition("a/b%c", "t/k=a%2Fb%25c", None),
        lake.partition("x y=é", "t/k=x y=é", None),
    ];
    lake.put(table, partitions).await;
    assert_eq!(
        lake.rows("SELECT n, k FROM t ORDER BY n").await,
        ["1,a/b%c", "2,x y=é"]
    );
    assert_eq!(lake.rows("SELECT n FROM t WHERE k = 'a/b%c'").await, ["1"]);
    assert_eq!(
        lake.rows(r#"SELECT "$path", "$partition" FROM t WHERE n = 1"#)
            .await,
        [format!("{},k=a%2Fb%25c", lake.path("t/k=a%2Fb%25c/a.csv"))]
    );
}

#[tokio::test]
async fn headers_that_some_files_lack() {
    let lake = Lake::new().await;
    lake.write("t/a.csv", "id,name\n1,one\n");
    lake.write("t/b.csv", "2,two\n3,three\n");
    lake.write("t/c.csv", "name,id\nfour,4\n");
    lake.write("t/d.csv", "id,name\n");
    lake.write("t/e.csv", "5,five\n");
    let mut table = lake.table("t", "csv", &[("id", "int"), ("name", "string")], &[]);
    let skip = "skip.header.line.count".to_owned();
    table.parameters.insert(skip.clone(), "1".into());
    lake.put(table, vec![]).await;
    let rows = ["1,one", "2,two", "3,three", "4,four", "5,five"];
    assert_eq!(lake.rows("SELECT * FROM t ORDER BY id").await, rows);
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, ["5"]);
    assert_eq!(lake.rows("SELECT name FROM t WHERE id = 2").await, ["two"]);
    // As a crawl says it, where each file's layout is found by itself.
    let mut table = lake.table("t", "csv", &[("id", "int"), ("name", "string")], &[]);
    for (name, value) in [("mastic.layout", "file"), ("skip.header.line.count", "1")] {
        table.parameters.insert(name.into(), value.into());
    }
    lake.put(table, vec![]).await;
    assert_eq!(lake.rows("SELECT * FROM t ORDER BY id").await, rows);
    // A header of other columns is another table's.
    lake.write("t/f.csv", "x,y\n6,six\n");
    let (message, _) = lake.error("SELECT * FROM t").await;
    assert!(
        message.contains("f.csv") && message.contains("none of the table's columns"),
        "{message}"
    );
    // Where all columns are text, nothing tells a row from a header of other names.
    lake.write("s/a.csv", "a,b\n1,one\n");
    lake.write("s/b.csv", "2,two\n");
    let mut table = lake.table("s", "csv", &[("a", "string"), ("b", "string")], &[]);
    table.parameters.insert(skip, "1".into());
    lake.put(table, vec![]).await;
    let (message, _) = lake.error("SELECT * FROM s").await;
    assert!(message.contains("b.csv"), "{message}");
}

#[tokio::test]
async fn a_bad_value_is_told_with_its_file_line_and_column() {
    let lake = Lake::new().await;
    lake.write("t/k=1/a.csv", "1,x\n");
    lake.write("t/k=2/b.csv", "1,x\noops,y\n");
    by_key(&lake, "csv", &[("n", "int"), ("s", "string")], &["1", "2"]).await;
    let (message, _) = lake.error("SELECT sum(n) FROM t").await;
    for part in ["t/k=2/b.csv", "line 2", "'n'", "oops"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(
        lake.rows("SELECT s FROM t ORDER BY s").await,
        ["x", "x", "y"]
    );
    assert_eq!(lake.rows("SELECT sum(n) FROM t WHERE k = 1").await, ["1"]);
    let partition = lake.partition("none", "t/k=1", None);
    let table = lake.catalog.get_table("d", "t").await.unwrap();
    lake.put(table, vec![partition]).await;
    let (message, _) = lake.error("SELECT * FROM t").await;
    assert!(message.contains("'none', which is no int"), "{message}");
}

#[tokio::test]
async fn projected_partitions_are_read_where_they_lie() {
    let lake = Lake::new().await;
    lake.write("logs/2024/01/31/eu/a.csv", "1\n");
    lake.write("logs/2024/02/01/us/a.csv", "2\n");
    lake.write("logs/2030/01/01/us/a.csv", "3\n");
    let mut table = lake.table(
        "t",
        "csv",
        &[("n", "int")],
        &[("day", "date"), ("region", "string")],
    );
    let template = format!("{}/${{day}}/${{region}}", lake.path("logs"));
    for (name, value) in [
        ("projection.enabled", "true"),
        ("projection.day.type", "date"),
        ("projection.day.format", "yyyy/MM/dd"),
        ("projection.day.range", "2020/01/01,2024/12/31"),
        ("projection.region.type", "injected"),
        ("storage.location.template", &template),
    ] {
        table.parameters.insert(name.into(), value.into());
    }
    // What is registered is not looked at.
    let mut registered = lake.partition("2030-01-01", "logs/2030/01/01/us", None);
    registered.values.push("us".into());
    lake.put(table.clone(), vec![registered]).await;
    let of = "region IN ('eu', 'us')";
    for (condition, expected) in [
        (of.to_owned(), vec!["1,2024-01-31,eu", "2,2024-02-01,us"]),
        (
            format!("{of} AND day > DATE '2024-01-31'"),
            vec!["2,2024-02-01,us"],
        ),
        (format!("{of} AND month(day) = 1"), vec!["1,2024-01-31,eu"]),
        (format!("{of} AND day = DATE '2030-01-01'"), vec![]),
        (
            "region = 'us' AND n > 1".to_owned(),
            vec!["2,2024-02-01,us"],
        ),
        ("region = 'nowhere'".to_owned(), vec![]),
    ] {
        let sql = format!("SELECT * FROM t WHERE {condition} ORDER BY n");
        assert_eq!(lake.rows(&sql).await, expected, "{sql}");
    }
    let (message, hint) = lake
        .error("SELECT * FROM t WHERE day > DATE '2024-01-01'")
        .await;
    assert!(message.contains("'region' of d.t is injected"), "{message}");
    assert!(hint.contains("WHERE region ="), "{hint}");
    // Nor does a mistake in one table hide the others.
    table
        .parameters
        .insert("projection.day.type".into(), "dates".into());
    lake.put(table, vec![]).await;
    let (message, hint) = lake.error("SELECT * FROM t WHERE region = 'eu'").await;
    assert!(
        message.contains("projection.day.type of d.t is 'dates'"),
        "{message}"
    );
    assert!(hint.contains("did you mean 'date'?"), "{hint}");
    assert_eq!(
        lake.rows("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'")
            .await,
        ["3"]
    );
}
