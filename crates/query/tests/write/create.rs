//! `CREATE TABLE … AS`.

use std::collections::BTreeSet;
use std::fs::File;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::{Lake, files, folders};

#[tokio::test]
async fn a_table_with_partitions_is_made_and_read() {
    let lake = Lake::new().await;
    let rows = lake
        .write(
            "CREATE TABLE shop COMMENT 'what is sold' WITH (format = 'PARQUET', partitioned_by = ARRAY['kind', 'day']) AS \
             SELECT * FROM (VALUES (1, 'x', 'a/b', DATE '2024-01-02'), (2, 'y', 'a/b', DATE '2024-01-02'), \
             (3, NULL, NULL, DATE '2024-01-03'), (4, 'z', 'c d=1%', NULL)) AS t (\"Id\", name, kind, day)",
        )
        .await;
    assert_eq!(rows, 4);
    // Escaped as Hive does (FileUtils.escapePathName).
    let folder = lake.folder("shop").await;
    assert_eq!(
        folders(&folder),
        [
            "kind=__HIVE_DEFAULT_PARTITION__/day=2024-01-03",
            "kind=a%2Fb/day=2024-01-02",
            "kind=c d%3D1%25/day=__HIVE_DEFAULT_PARTITION__",
        ]
    );
    assert_eq!(
        lake.rows("SELECT id, name, kind, day FROM shop ORDER BY id")
            .await,
        [
            "1|x|a/b|2024-01-02",
            "2|y|a/b|2024-01-02",
            "3|NULL|NULL|2024-01-03",
            "4|z|c d=1%|NULL",
        ]
    );
    assert_eq!(
        lake.rows("SELECT id FROM shop WHERE kind = 'c d=1%'").await,
        ["4"]
    );
    // The catalog has table and partitions of one change, with their numbers.
    let table = lake.table("shop").await;
    assert_eq!(table.version_id.unwrap().0, 1);
    assert_eq!(table.description.as_deref(), Some("what is sold"));
    assert_eq!(table.parameters["recordCount"], "4");
    let columns: Vec<(&str, &str)> = table
        .columns()
        .iter()
        .map(|c| (c.name.as_str(), c.hive_type()))
        .collect();
    assert_eq!(columns, [("id", "bigint"), ("name", "string")]);
    let partitions = lake.partitions("shop").await;
    let values: Vec<_> = partitions.iter().map(|p| p.values.join(",")).collect();
    assert_eq!(
        values,
        [
            "__HIVE_DEFAULT_PARTITION__,2024-01-03",
            "a/b,2024-01-02",
            "c d=1%,__HIVE_DEFAULT_PARTITION__",
        ]
    );
    assert_eq!(partitions[1].parameters["recordCount"], "2");
    // Another reader finds the same in the files.
    let mut ids = BTreeSet::new();
    for file in files(&folder) {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(folder.join(file)).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            ids.extend(
                batch
                    .unwrap()
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec(),
            );
        }
    }
    assert_eq!(ids, BTreeSet::from([1, 2, 3, 4]));
}

#[tokio::test]
async fn every_format_gives_back_what_went_in() {
    let lake = Lake::new().await;
    let query = "SELECT * FROM (VALUES \
        (CAST(1 AS int), CAST(1.50 AS decimal(6,2)), 0.5, true, DATE '1999-12-31', TIMESTAMP '2024-02-29 12:34:56.789', 'a,b|c\"d'), \
        (CAST(NULL AS int), CAST(NULL AS decimal(6,2)), NULL, NULL, NULL, NULL, NULL), \
        (CAST(-7 AS int), CAST(-0.01 AS decimal(6,2)), 1e300, false, DATE '1969-07-20', TIMESTAMP '1969-07-20 20:17:40', 'größe \\ x\ttab')) \
        AS t (i, d, f, b, day, at, s)";
    let select = "i, d, f, b, day, CAST(at AS varchar) AS at, s";
    let wanted = lake
        .rows(&format!("SELECT {select} FROM ({query}) ORDER BY i"))
        .await;
    for (format, more) in [
        ("PARQUET", ""),
        (
            "PARQUET",
            ", parquet_compression = 'GZIP', compression_level = 9",
        ),
        ("ORC", ", orc_compression = 'ZLIB'"),
        ("AVRO", ", write_compression = 'SNAPPY'"),
        ("JSON", ", write_compression = 'GZIP'"),
        ("TEXTFILE", ""),
        (
            "TEXTFILE",
            ", field_delimiter = ',', write_compression = 'BZIP2'",
        ),
        ("TEXTFILE", ", field_delimiter = '|'"),
        ("CSV", ", field_delimiter = ';'"),
        ("XML", ""),
    ] {
        lake.write(&format!(
            "CREATE TABLE t WITH (format = '{format}'{more}) AS {query}"
        ))
        .await;
        let found = lake
            .rows(&format!("SELECT {select} FROM t ORDER BY i"))
            .await;
        assert_eq!(found, wanted, "{format}{more}");
        // And rows put in later are in files that are read alike.
        lake.write(&format!("INSERT INTO t {query}")).await;
        let found = lake
            .rows(&format!("SELECT {select} FROM t ORDER BY i"))
            .await;
        let twice: Vec<String> = wanted
            .iter()
            .flat_map(|row| [row.clone(), row.clone()])
            .collect();
        assert_eq!(found, twice, "{format}{more}");
        let extensions: BTreeSet<String> = files(&lake.folder("t").await)
            .iter()
            .map(|f| f.split_once('.').unwrap().1.to_owned())
            .collect();
        assert_eq!(extensions.len(), 1, "{extensions:?}");
        drop_table(&lake, "t").await;
    }
}

async fn drop_table(lake: &Lake, name: &str) {
    let change = mastic_catalog::Change::DeleteTable {
        database: "default".into(),
        name: name.into(),
        expected: mastic_catalog::Expected::Any,
    };
    let changes = mastic_catalog::ChangeSet::new("test").with(change);
    lake.catalog.apply(changes).await.unwrap();
}

#[tokio::test]
async fn athenas_textfile_is_hives() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t WITH (format = 'TEXTFILE') AS SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t (i, s)").await;
    let folder = lake.folder("t").await;
    let mut text = String::new();
    for file in files(&folder) {
        text.push_str(&std::fs::read_to_string(folder.join(file)).unwrap());
    }
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    // ^A between fields and \N for NULL: LazySimpleSerDe's defaults.
    assert_eq!(lines, ["1\u{1}a", "2\u{1}\\N"]);
    let descriptor = lake.table("t").await.storage_descriptor.unwrap();
    let serde = descriptor.serde_info.unwrap();
    assert_eq!(
        serde.serialization_library.as_deref(),
        Some("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
    );
    assert_eq!(serde.parameters["field.delim"], "\u{1}");
}

#[tokio::test]
async fn nested_values_survive() {
    let lake = Lake::new().await;
    let query = "SELECT make_array(1, 2) AS list, named_struct('a', 1, 'B', 'x') AS s, map(ARRAY['k'], ARRAY[7]) AS m";
    for format in ["PARQUET", "ORC", "AVRO", "JSON"] {
        lake.write(&format!(
            "CREATE TABLE t WITH (format = '{format}') AS {query}"
        ))
        .await;
        assert_eq!(
            lake.rows("SELECT list[2], s.a, s['B'], m['k'] FROM t")
                .await,
            ["2|1|x|7"],
            "{format}"
        );
        drop_table(&lake, "t").await;
    }
    let told = lake
        .refused(&format!(
            "CREATE TABLE t WITH (format = 'TEXTFILE') AS {query}"
        ))
        .await;
    assert!(
        told.contains("TEXTFILE cannot hold the column 'list'"),
        "{told}"
    );
}

#[tokio::test]
async fn types_that_functions_give_become_athenas() {
    let lake = Lake::new().await;
    lake.write(
        "CREATE TABLE t AS SELECT row_number() OVER (ORDER BY x) AS n, count(*) OVER () AS c, x FROM (VALUES ('a'), ('b')) AS v (x)",
    )
    .await;
    let types: Vec<String> = lake
        .table("t")
        .await
        .columns()
        .iter()
        .map(|c| c.hive_type().to_owned())
        .collect();
    assert_eq!(types, ["bigint", "bigint", "string"]);
    assert_eq!(
        lake.rows("SELECT * FROM t ORDER BY n").await,
        ["1|2|a", "2|2|b"]
    );
}

#[tokio::test]
async fn what_cannot_be_a_table_is_told_before_anything_is_written() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE there AS SELECT 1 AS a").await;
    let before = lake.files();
    for (sql, wanted) in [
        (
            "CREATE TABLE t AS SELECT count(*) FROM there",
            "the column count(*) has no name",
        ),
        (
            "CREATE TABLE t AS SELECT 1 AS a, 2 AS \"A\"",
            "two columns are named",
        ),
        (
            "CREATE TABLE t AS SELECT NULL AS a",
            "'a' is NULL in every row",
        ),
        (
            "CREATE TABLE t AS SELECT TIME '10:00:00' AS a",
            "'a' is a time of day",
        ),
        (
            "CREATE TABLE t (a, b) AS SELECT 1",
            "2 names are given, and the query has 1 columns",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, 2 AS bb",
            "did you mean 'bb'?",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a",
            "no column would be left",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, make_array(1) AS b",
            "no folder can be named by it",
        ),
        (
            "CREATE TABLE t WITH (format = 'AVRO') AS SELECT 1 AS \"a b\"",
            "a b",
        ),
        (
            "CREATE TABLE t WITH (formt = 'AVRO') AS SELECT 1 AS a",
            "did you mean 'format'?",
        ),
        (
            "CREATE TABLE there AS SELECT 1 AS a",
            "there is a table 'default.there' already",
        ),
        (
            "CREATE TABLE nowhere.t AS SELECT 1 AS a",
            "there is no database 'nowhere'",
        ),
        ("CREATE TABLE t AS SELECT a FROM ther", "did you mean"),
        // Found while it runs.
        (
            "CREATE TABLE t AS SELECT CAST(x AS int) AS a FROM (VALUES ('1'), ('x')) AS v (x)",
            "x",
        ),
    ] {
        let told = lake.refused(sql).await;
        assert!(told.contains(wanted), "{sql}: {told}");
        assert!(
            lake.catalog.get_table("default", "t").await.is_err(),
            "{sql}"
        );
        assert_eq!(lake.files(), before, "{sql}");
    }
    // A place in the query is its place in the statement.
    let error = lake
        .session
        .sql("CREATE TABLE t AS\n  SELECT nothing FROM there")
        .await
        .unwrap_err();
    assert_eq!(error.place(), Some((2, 10)));
}

#[tokio::test]
async fn a_place_of_ones_own_must_be_empty() {
    let lake = Lake::new().await;
    let place = lake.url("own/place");
    let sql = format!("CREATE TABLE t WITH (external_location = '{place}/') AS SELECT 1 AS a");
    lake.write(&sql).await;
    assert_eq!(lake.table("t").await.location(), Some(place.as_str()));
    drop_table(&lake, "t").await;
    let told = lake.refused(&sql).await;
    assert!(told.contains("is not empty: it holds"), "{told}");
    assert_eq!(files(&lake.path("own")).len(), 1);
}

#[tokio::test]
async fn tables_without_rows_and_tables_that_are_there() {
    let lake = Lake::new().await;
    assert_eq!(
        lake.write("CREATE TABLE none AS SELECT 1 AS a, 'x' AS b WHERE false")
            .await,
        0
    );
    assert_eq!(lake.write("CREATE TABLE made WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, 'x' AS b WITH NO DATA").await, 0);
    for table in ["none", "made"] {
        assert_eq!(
            lake.rows(&format!("SELECT * FROM {table}")).await,
            Vec::<String>::new()
        );
        assert_eq!(
            lake.write(&format!("INSERT INTO {table} VALUES (5, 'y')"))
                .await,
            1
        );
        assert_eq!(lake.rows(&format!("SELECT * FROM {table}")).await, ["5|y"]);
        let again = format!("CREATE TABLE IF NOT EXISTS {table} AS SELECT 1 AS other");
        assert_eq!(lake.write(&again).await, 0);
        assert_eq!(lake.rows(&format!("SELECT * FROM {table}")).await, ["5|y"]);
    }
}

#[tokio::test]
async fn a_database_says_where_its_tables_go() {
    let lake = Lake::new().await;
    let mut database = mastic_catalog::Database::new("shop");
    database.location_uri = Some(lake.url("shop/"));
    let change = mastic_catalog::Change::CreateDatabase {
        database,
        if_not_exists: false,
    };
    let changes = mastic_catalog::ChangeSet::new("test").with(change);
    lake.catalog.apply(changes).await.unwrap();
    lake.write("CREATE TABLE shop.t AS SELECT 1 AS a").await;
    assert_eq!(files(&lake.path("shop/t")).len(), 1);
    // Without one, beside the catalog.
    lake.write("CREATE TABLE t AS SELECT 1 AS a").await;
    assert!(
        lake.folder("t")
            .await
            .starts_with(lake.path("tables/default"))
    );
}

#[tokio::test]
async fn keys_of_all_types_are_folders_and_values_again() {
    let lake = Lake::new().await;
    let query = "SELECT * FROM (VALUES \
        (1, CAST(-5 AS tinyint), CAST(7 AS smallint), 4294967296, CAST(1.50 AS decimal(6,2)), 2.5e10, true, DATE '1969-12-31', \
         TIMESTAMP '2024-02-29 12:34:56.500', 'a=b/c: %\u{e9}'), \
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS t (n, k1, k2, k3, k4, k5, k6, k7, k8, k9)";
    let select = "n, k1, k2, k3, k4, k5, k6, k7, CAST(k8 AS varchar), k9";
    let wanted = lake
        .rows(&format!("SELECT {select} FROM ({query}) ORDER BY n"))
        .await;
    lake.write(&format!(
        "CREATE TABLE t WITH (partitioned_by = ARRAY['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9']) AS {query}"
    ))
    .await;
    assert_eq!(
        lake.rows(&format!("SELECT {select} FROM t ORDER BY n"))
            .await,
        wanted
    );
    // As Hive and Trino name them: decimals with their scale, doubles as Java prints them.
    assert_eq!(
        folders(&lake.folder("t").await)[0],
        "k1=-5/k2=7/k3=4294967296/k4=1.50/k5=2.5E10/k6=true/k7=1969-12-31/k8=2024-02-29 12%3A34%3A56.5/k9=a%3Db%2Fc%3A %25\u{e9}"
    );
    // Rows put in later find the same partitions.
    lake.write(&format!("INSERT INTO t {query}")).await;
    assert_eq!(lake.partitions("t").await.len(), 2);
    assert_eq!(
        lake.rows("SELECT count(*) FROM t WHERE k7 = DATE '1969-12-31' AND k4 = 1.5")
            .await,
        ["2"]
    );
    assert_eq!(
        lake.rows("SELECT count(*) FROM t WHERE k1 IS NULL AND k8 IS NULL")
            .await,
        ["2"]
    );
}

#[tokio::test]
async fn buckets_are_hives() {
    let lake = Lake::new().await;
    lake.write(
        "CREATE TABLE t WITH (bucketed_by = ARRAY['name'], bucket_count = 3, partitioned_by = ARRAY['k']) AS \
         SELECT 'name' || CAST(n AS varchar) AS name, n, n % 2 AS k FROM UNNEST(sequence(1, 500)) AS u (n)",
    )
    .await;
    let folder = lake.folder("t").await;
    let names = files(&folder);
    let begin: Vec<String> = names
        .iter()
        .map(|f| f.split('_').take(2).collect::<Vec<_>>().join("_"))
        .collect();
    assert_eq!(
        begin,
        [
            "k=0/000000_0",
            "k=0/000001_0",
            "k=0/000002_0",
            "k=1/000000_0",
            "k=1/000001_0",
            "k=1/000002_0"
        ]
    );
    // Java's String.hashCode over ASCII, of which Hive takes the remainder.
    let bucket = |text: &str| {
        let hash = text
            .bytes()
            .fold(0i32, |h, b| h.wrapping_mul(31).wrapping_add(i32::from(b)));
        (hash & i32::MAX) % 3
    };
    let mut rows = 0;
    for name in &names {
        let own: i32 = name[4..10].parse().unwrap();
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(folder.join(name)).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let texts =
                arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
            for text in texts.as_string::<i32>().iter().flatten() {
                assert_eq!(bucket(text), own, "{text} in {name}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 500);
    let descriptor = lake.table("t").await.storage_descriptor.unwrap();
    assert_eq!(descriptor.number_of_buckets, Some(3));
    assert_eq!(descriptor.bucket_columns, ["name"]);
    let told = lake
        .refused("CREATE TABLE u WITH (bucketed_by = ARRAY['d'], bucket_count = 2) AS SELECT CAST(1 AS decimal(5,2)) AS d")
        .await;
    assert!(told.contains("buckets are not made by"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_partitions_within_a_memory_limit() {
    let lake = Lake::within(Some("32MB".parse().unwrap())).await;
    let rows = lake
        .write(
            "CREATE TABLE t WITH (partitioned_by = ARRAY['k']) AS \
             SELECT a.n * 1000 + b.n AS id, lpad('x', 20, 'x') AS pad, (a.n * 1000 + b.n) % 1500 AS k \
             FROM UNNEST(sequence(0, 59)) AS a (n) CROSS JOIN UNNEST(sequence(0, 999)) AS b (n)",
        )
        .await;
    assert_eq!(rows, 60_000);
    assert_eq!(lake.partitions("t").await.len(), 1500);
    assert_eq!(
        lake.rows("SELECT count(*), count(DISTINCT k), sum(id) FROM t")
            .await,
        ["60000|1500|1799970000"]
    );
    assert_eq!(
        lake.rows("SELECT count(*) FROM t WHERE k = 1499").await,
        ["40"]
    );
}
