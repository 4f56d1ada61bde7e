//! `INSERT INTO` and `INSERT OVERWRITE`.

use mastic_catalog::{Change, ChangeSet, Expected, Partition, PartitionChanges, Table};

use crate::support::{Lake, files, folders, rows};

async fn orders(lake: &Lake) {
    lake.write(
        "CREATE TABLE orders WITH (partitioned_by = ARRAY['year', 'place']) AS \
         SELECT CAST(id AS int) AS id, CAST(price AS decimal(8,2)) AS price, CAST(year AS int) AS year, place \
         FROM (VALUES (1, 1.5, 2023, 'Rome'), (2, 2.5, 2024, 'Oslo')) AS t (id, price, year, place)",
    )
    .await;
}

#[tokio::test]
async fn rows_are_added_by_place_and_by_name() {
    let lake = Lake::new().await;
    orders(&lake).await;
    assert_eq!(
        lake.write("INSERT INTO orders VALUES (3, 3, 2024, 'Oslo'), (4, NULL, NULL, NULL)")
            .await,
        2
    );
    assert_eq!(
        lake.write("INSERT INTO orders (place, ID) SELECT 'Bonn', 5")
            .await,
        1
    );
    assert_eq!(
        lake.rows("SELECT * FROM orders ORDER BY id").await,
        [
            "1|1.50|2023|Rome",
            "2|2.50|2024|Oslo",
            "3|3.00|2024|Oslo",
            "4|NULL|NULL|NULL",
            "5|NULL|NULL|Bonn",
        ]
    );
    let values: Vec<String> = lake
        .partitions("orders")
        .await
        .iter()
        .map(|p| p.values.join("/"))
        .collect();
    assert_eq!(
        values,
        [
            "2023/Rome",
            "2024/Oslo",
            "__HIVE_DEFAULT_PARTITION__/Bonn",
            "__HIVE_DEFAULT_PARTITION__/__HIVE_DEFAULT_PARTITION__",
        ]
    );
    let oslo = &lake.partitions("orders").await[1];
    assert_eq!(oslo.parameters["recordCount"], "2");
    assert_eq!(oslo.parameters["objectCount"], "2");
    assert_eq!(lake.table("orders").await.parameters["recordCount"], "5");
}

#[tokio::test]
async fn hives_partition_clause() {
    let lake = Lake::new().await;
    orders(&lake).await;
    lake.write("INSERT INTO orders PARTITION (year = 2024, place = 'Oslo') SELECT 3, 1")
        .await;
    lake.write("INSERT INTO TABLE orders PARTITION (year = '2025', place) VALUES (4, 1, 'Riga'), (5, 1, 'Kyiv')").await;
    lake.write(
        "INSERT INTO orders PARTITION (year = NULL, place) (price, id, place) SELECT 9, 6, 'x'",
    )
    .await;
    assert_eq!(
        lake.rows("SELECT id, year, place FROM orders WHERE id > 2 ORDER BY id")
            .await,
        ["3|2024|Oslo", "4|2025|Riga", "5|2025|Kyiv", "6|NULL|x"]
    );
}

#[tokio::test]
async fn overwriting_replaces_the_partitions_that_are_written() {
    let lake = Lake::new().await;
    orders(&lake).await;
    lake.write("INSERT OVERWRITE TABLE orders SELECT 7, 7, 2024, 'Oslo' UNION ALL SELECT 8, 8, 2030, 'Oslo'").await;
    assert_eq!(
        lake.rows("SELECT id, year FROM orders ORDER BY id").await,
        ["1|2023", "7|2024", "8|2030"]
    );
    let oslo = &lake.partitions("orders").await[1];
    assert_eq!(
        (
            oslo.values.join("/").as_str(),
            oslo.parameters["recordCount"].as_str()
        ),
        ("2024/Oslo", "1")
    );
    // A partition that is named is replaced also by no rows, as in Hive; others are left alone.
    let none = "SELECT 1, 1 WHERE false";
    assert_eq!(
        lake.write(&format!(
            "INSERT OVERWRITE orders PARTITION (year = 2024, place = 'Oslo') {none}"
        ))
        .await,
        0
    );
    lake.write("INSERT OVERWRITE orders SELECT 1, 1, 2023, 'Rome' WHERE false")
        .await;
    assert_eq!(
        lake.rows("SELECT id FROM orders ORDER BY id").await,
        ["1", "8"]
    );
    let folder = lake.folder("orders").await;
    assert_eq!(
        folders(&folder),
        ["year=2023/place=Rome", "year=2030/place=Oslo"]
    );
    assert_eq!(lake.partitions("orders").await.len(), 2);
}

#[tokio::test]
async fn overwriting_a_table_without_partitions_replaces_it() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t AS SELECT 1 AS a").await;
    lake.write("INSERT INTO t VALUES (2)").await;
    // What it reads of itself is what was there.
    assert_eq!(
        lake.write("INSERT OVERWRITE t SELECT a * 10 FROM t").await,
        2
    );
    assert_eq!(lake.rows("SELECT * FROM t ORDER BY a").await, ["10", "20"]);
    assert_eq!(lake.write("INSERT INTO t SELECT a + 1 FROM t").await, 2);
    assert_eq!(
        lake.rows("SELECT * FROM t ORDER BY a").await,
        ["10", "11", "20", "21"]
    );
    assert_eq!(lake.table("t").await.parameters["recordCount"], "4");
    assert_eq!(
        lake.write("INSERT OVERWRITE TABLE t SELECT 1 WHERE false")
            .await,
        0
    );
    assert_eq!(lake.rows("SELECT * FROM t").await, Vec::<String>::new());
    assert_eq!(lake.write("INSERT INTO t SELECT 5").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_changes_nothing() {
    let lake = Lake::new().await;
    orders(&lake).await;
    let (before, version) = (lake.files(), lake.table("orders").await.version_id);
    for (sql, wanted) in [
        (
            "INSERT INTO orders VALUES (1, 2)",
            "the query gives 2 columns, and 4 columns are wanted",
        ),
        (
            "INSERT INTO orders (id) VALUES (1, 2)",
            "the statement names id",
        ),
        ("INSERT INTO orders (idd) VALUES (1)", "did you mean 'id'?"),
        ("INSERT INTO orders (id, ID) VALUES (1, 2)", "given twice"),
        (
            "INSERT INTO orders VALUES ('1', 2, 3, 'x')",
            "column 'id' of default.orders is int, and the query gives string",
        ),
        (
            "INSERT INTO orders VALUES (1.5, 2, 3, 'x')",
            "CAST(… AS int)",
        ),
        (
            "INSERT INTO orders VALUES (3000000000, 2, 3, 'x')",
            "3000000000",
        ),
        ("INSERT INTO orders VALUES (1, 12345678, 3, 'x')", "decimal"),
        (
            "INSERT INTO orders PARTITION (yeer = 1) SELECT 1, 2, 'x'",
            "did you mean 'year'?",
        ),
        (
            "INSERT INTO orders PARTITION (year = 'x', place = 'y') SELECT 1, 2",
            "'year' is int, and 'x' is none",
        ),
        (
            "INSERT INTO orders PARTITION (id = 1) SELECT 2, 3, 'x'",
            "no partition key",
        ),
        ("INSERT INTO order VALUES (1)", "order"),
        ("INSERT INTO orderz VALUES (1)", "did you mean"),
        (
            "INSERT INTO orders SELECT id, price, year, CAST(1 / (id - 1) AS varchar) FROM orders",
            "zero",
        ),
        (
            "INSERT OVERWRITE orders SELECT id, price, year, CAST(1 / (id - 1) AS varchar) FROM orders",
            "zero",
        ),
        ("INSERT OVERWRITE DIRECTORY '/x' SELECT 1", "UNLOAD"),
    ] {
        let told = lake.refused(sql).await;
        assert!(
            told.to_lowercase().contains(&wanted.to_lowercase()),
            "{sql}: {told}"
        );
        assert_eq!(lake.files(), before, "{sql}");
        assert_eq!(lake.table("orders").await.version_id, version, "{sql}");
    }
}

/// Makes a table over files that are there.
async fn put(lake: &Lake, table: Table, partitions: Vec<Partition>) {
    let database = mastic_catalog::Database::new("default");
    let changes = ChangeSet::new("test")
        .with(Change::CreateDatabase {
            database,
            if_not_exists: true,
        })
        .with(Change::PutTable {
            table,
            expected: Expected::Any,
            partitions: PartitionChanges::put(partitions),
        });
    lake.catalog.apply(changes).await.unwrap();
}

/// The table as it is, with its partitions somewhere else.
async fn moved(lake: &Lake, name: &str, to: &[(&str, &str)]) {
    let table = lake.table(name).await;
    let folder = lake.folder(name).await;
    let mut partitions = lake.partitions(name).await;
    for partition in &mut partitions {
        let own = partition.location().unwrap().to_owned();
        let Some((_, place)) = to.iter().find(|(value, _)| partition.values[0] == *value) else {
            continue;
        };
        let place = folder.join(place);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::rename(own, &place).unwrap();
        partition.storage_descriptor.as_mut().unwrap().location = Some(place.display().to_string());
    }
    put(lake, table, partitions).await;
}

#[tokio::test]
async fn partitions_keep_the_folders_that_they_have() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t WITH (partitioned_by = ARRAY['k']) AS SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t (n, k)").await;
    // One below the table's folder, and one in another.
    let outside = lake.path("elsewhere").display().to_string();
    moved(&lake, "t", &[("a", "2024/a"), ("b", &outside)]).await;
    lake.write("INSERT INTO t VALUES (10, 'a'), (20, 'b'), (30, 'c'), (40, 'd')")
        .await;
    assert_eq!(
        lake.rows("SELECT n, k FROM t ORDER BY n").await,
        ["1|a", "2|b", "3|c", "10|a", "20|b", "30|c", "40|d"]
    );
    let folder = lake.folder("t").await;
    assert_eq!(folders(&folder), ["2024/a", "k=b", "k=c", "k=d"]);
    assert_eq!(files(&folder.join("2024/a")).len(), 2);
    lake.write("INSERT OVERWRITE t SELECT 100, 'a'").await;
    assert_eq!(files(&folder.join("2024/a")).len(), 1);
    let told = lake.refused("INSERT OVERWRITE t SELECT 100, 'b'").await;
    assert!(
        told.contains("the partition k=b") && told.contains("DROP PARTITION"),
        "{told}"
    );
    assert_eq!(
        lake.rows("SELECT n FROM t ORDER BY n").await,
        ["2", "3", "20", "30", "40", "100"]
    );
}

#[tokio::test]
async fn a_number_is_the_same_partition_however_it_is_written() {
    let lake = Lake::new().await;
    lake.write(
        "CREATE TABLE t WITH (partitioned_by = ARRAY['m']) AS SELECT 1 AS n, CAST(3 AS int) AS m",
    )
    .await;
    moved(&lake, "t", &[("3", "m=03")]).await;
    let table = lake.table("t").await;
    let mut partition = lake.partitions("t").await.remove(0);
    partition.values = vec!["03".into()];
    let changes = ChangeSet::new("test").with(Change::PutTable {
        table,
        expected: Expected::Any,
        partitions: PartitionChanges::replace_all(vec![partition]),
    });
    lake.catalog.apply(changes).await.unwrap();
    lake.write("INSERT INTO t VALUES (2, 3)").await;
    assert_eq!(
        lake.rows("SELECT n FROM t WHERE m = 3 ORDER BY n").await,
        ["1", "2"]
    );
    assert_eq!(lake.partitions("t").await.len(), 1);
    lake.write("INSERT OVERWRITE t PARTITION (m = 3) SELECT 5")
        .await;
    assert_eq!(lake.rows("SELECT * FROM t").await, ["5|3"]);
}

#[tokio::test]
async fn files_that_no_partition_knows_do_not_become_rows() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t WITH (partitioned_by = ARRAY['k']) AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (n, k)").await;
    let table = lake.table("t").await;
    let changes = ChangeSet::new("test").with(Change::PutTable {
        table,
        expected: Expected::Any,
        partitions: PartitionChanges::delete(vec![vec!["b".into()]]),
    });
    lake.catalog.apply(changes).await.unwrap();
    let before = lake.files();
    let told = lake
        .refused("INSERT INTO t VALUES (3, 'b'), (4, 'c')")
        .await;
    assert!(
        told.contains("k=b holds files already") && told.contains("MSCK REPAIR"),
        "{told}"
    );
    assert_eq!(lake.files(), before);
    assert_eq!(lake.partitions("t").await.len(), 1);
    lake.write("INSERT OVERWRITE t VALUES (3, 'b')").await;
    assert_eq!(lake.rows("SELECT n FROM t ORDER BY n").await, ["1", "3"]);
}

#[tokio::test]
async fn tables_that_nothing_can_be_put_into() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE plain WITH (format = 'JSON') AS SELECT 1 AS a")
        .await;
    let plain = lake.table("plain").await;
    let change = |of: fn(&mut Table, &str)| {
        let mut table = plain.clone();
        "other".clone_into(&mut table.name);
        of(&mut table, plain.location().unwrap());
        table
    };
    for (table, wanted) in [
        (
            change(|t, _| t.table_type = Some("VIRTUAL_VIEW".into())),
            "it is a view",
        ),
        (
            change(|t, _| t.storage_descriptor = None),
            "it has no location",
        ),
        (
            change(|t, _| {
                t.parameters
                    .insert("mastic.include".into(), "[\"a*\"]".into());
            }),
            "other tables' files",
        ),
        (
            change(|t, _| {
                t.parameters.insert("table_type".into(), "ICEBERG".into());
            }),
            "Iceberg tables is not built",
        ),
        (
            change(|t, _| {
                t.parameters
                    .insert("classification".into(), "combined_apache".into());
                t.storage_descriptor.as_mut().unwrap().serde_info = None;
            }),
            "only read",
        ),
        (
            change(|t, place| {
                let file = crate::support::files(std::path::Path::new(place)).remove(0);
                t.storage_descriptor.as_mut().unwrap().location = Some(format!("{place}/{file}"));
            }),
            "its location is one file",
        ),
    ] {
        put(&lake, table, Vec::new()).await;
        let told = lake.refused("INSERT INTO other VALUES (2)").await;
        assert!(told.contains(wanted), "{told}");
    }
    assert_eq!(lake.rows("SELECT * FROM plain").await, ["1"]);
}

#[tokio::test]
async fn partitions_that_are_computed_are_not_kept() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t WITH (partitioned_by = ARRAY['y']) AS SELECT 1 AS n, CAST(2024 AS int) AS y WITH NO DATA").await;
    let mut table = lake.table("t").await;
    table
        .parameters
        .insert("projection.enabled".into(), "true".into());
    table
        .parameters
        .insert("projection.y.type".into(), "integer".into());
    table
        .parameters
        .insert("projection.y.range".into(), "2020,2030".into());
    put(&lake, table.clone(), Vec::new()).await;
    lake.write("INSERT INTO t VALUES (1, 2024), (2, 2025)")
        .await;
    assert_eq!(folders(&lake.folder("t").await), ["y=2024", "y=2025"]);
    assert_eq!(lake.partitions("t").await.len(), 0);
    table
        .parameters
        .insert("projection.y.digits".into(), "6".into());
    put(&lake, table, Vec::new()).await;
    let told = lake.refused("INSERT INTO t VALUES (1, 2024)").await;
    assert!(told.contains("pads numbers"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insertions_at_once_are_all_there_afterwards() {
    let lake = Lake::new().await;
    orders(&lake).await;
    lake.write("CREATE TABLE plain AS SELECT 0 AS a").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let session = lake.other().await;
        tasks.spawn(async move {
            // One partition that is there, one that is new to all, and one for each.
            let sql = format!("INSERT INTO orders VALUES ({n}, 1, 2024, 'Oslo'), ({n}, 1, 2099, 'all'), ({n}, 1, {n}, 'own')");
            let done = rows(&session, &sql).await.map_err(|e| e.to_string());
            assert_eq!(done, Ok(vec!["3".to_owned()]));
            let done = rows(&session, &format!("INSERT INTO plain VALUES ({n})")).await;
            assert_eq!(done.map_err(|e| e.to_string()), Ok(vec!["1".to_owned()]));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(
        lake.rows("SELECT place, count(*) FROM orders GROUP BY place ORDER BY place")
            .await,
        ["Oslo|9", "Rome|1", "all|8", "own|8"]
    );
    assert_eq!(lake.rows("SELECT count(*) FROM plain").await, ["9"]);
    assert_eq!(lake.table("plain").await.parameters["recordCount"], "9");
    // Of tables made at once, one is.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let session = lake.other().await;
        tasks.spawn(async move {
            rows(&session, &format!("CREATE TABLE new AS SELECT {n} AS a"))
                .await
                .is_ok()
        });
    }
    let done = tasks.join_all().await;
    assert_eq!(done.iter().filter(|ok| **ok).count(), 1, "{done:?}");
    assert_eq!(lake.rows("SELECT count(*) FROM new").await, ["1"]);
    let left = lake.files().iter().filter(|f| f.contains("/new-")).count();
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwriting_what_another_changes_is_refused() {
    let lake = Lake::new().await;
    lake.write("CREATE TABLE t AS SELECT 1 AS a").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let session = lake.other().await;
        tasks.spawn(async move {
            let sql = format!("INSERT OVERWRITE t SELECT {n} FROM t");
            rows(&session, &sql)
                .await
                .map(|_| n)
                .map_err(|e| e.to_string())
        });
    }
    let done = tasks.join_all().await;
    for told in done.iter().filter_map(|d| d.as_ref().err()) {
        let why = [
            "changed by another run",
            "does not exist",
            "not found",
            "o such file",
        ];
        assert!(why.iter().any(|why| told.contains(why)), "{told}");
    }
    let won: Vec<String> = done.iter().flatten().map(ToString::to_string).collect();
    let left = lake.rows("SELECT * FROM t").await;
    assert!(
        left.len() == 1 && won.contains(&left[0]),
        "{left:?} of {won:?}"
    );
}
