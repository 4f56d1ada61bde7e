//! Databases, tables and partitions that are made, changed, shown and dropped.

use super::*;

#[tokio::test]
async fn databases() {
    let lake = Lake::new().await;
    assert_eq!(
        lake.ok("CREATE SCHEMA IF NOT EXISTS `Sales` COMMENT 'it\\'s' LOCATION '{dir}' WITH DBPROPERTIES ('k'='v');")
            .await,
        "created the database sales"
    );
    assert_eq!(
        lake.ok("CREATE DATABASE IF NOT EXISTS sales").await,
        "the database sales is there already"
    );
    assert!(
        lake.refused("CREATE DATABASE sales")
            .await
            .0
            .contains("already")
    );
    let made = lake.catalog().get_database("sales").await.unwrap();
    assert_eq!(made.description.as_deref(), Some("it's"));
    assert_eq!(made.location_uri, Some(lake.path().display().to_string()));
    assert_eq!(made.parameters["k"], "v");
    lake.ok("ALTER DATABASE sales SET DBPROPERTIES ('k'='w', 'l'='x')")
        .await;
    assert_eq!(
        lake.catalog()
            .get_database("sales")
            .await
            .unwrap()
            .parameters["k"],
        "w"
    );
    let shown = lake.ok("SHOW CREATE DATABASE sales").await;
    assert_eq!(
        shown,
        lake.text("CREATE DATABASE `sales`\nCOMMENT 'it\\'s'\nLOCATION '{dir}'\nWITH DBPROPERTIES (\n  'k'='w',\n  'l'='x')")
    );
    assert_eq!(lake.rows("SHOW DATABASES").await, ["d", "sales"]);
    assert_eq!(lake.rows("SHOW SCHEMAS LIKE 's*|x'").await, ["sales"]);
    lake.ok("CREATE EXTERNAL TABLE sales.t (a int) LOCATION '{dir}/t'")
        .await;
    let (message, hint) = lake.refused("DROP DATABASE sales").await;
    assert!(message.contains("has 1 table") && hint.unwrap().contains("CASCADE"));
    assert_eq!(
        lake.ok("DROP DATABASE sales CASCADE").await,
        "dropped the database sales and 1 table"
    );
    lake.ok("DROP DATABASE IF EXISTS sales").await;
    let (message, hint) = lake.refused("DROP DATABASE dd").await;
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("there is no database 'dd'", Some("did you mean 'd'?"))
    );
}

async fn partitioned() -> Lake {
    let lake = Lake::new().await;
    for (folder, id) in [
        ("day=2024-01-01/kind=a", 1),
        ("Day=2024-01-02/KIND=b%3Ac", 2),
        ("day=__HIVE_DEFAULT_PARTITION__/kind=", 3),
    ] {
        lake.file(&format!("t/{folder}/x.csv"), format!("{id}\n"));
    }
    lake.file("t/other/x.csv", "9\n");
    lake.ok(
        "CREATE EXTERNAL TABLE d.t (id int) PARTITIONED BY (day date, kind string)
         ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{dir}/t'",
    )
    .await;
    lake
}

#[tokio::test]
async fn repair_finds_what_athenas_misses() {
    let lake = partitioned().await;
    let rows = lake.rows("MSCK REPAIR TABLE d.t").await;
    assert_eq!(
        rows,
        [
            "added|day=2024-01-01/kind=a|{dir}/t/day=2024-01-01/kind=a",
            "added|day=2024-01-02/kind=b:c|{dir}/t/Day=2024-01-02/KIND=b%3Ac",
            "added|day=__HIVE_DEFAULT_PARTITION__/kind=__HIVE_DEFAULT_PARTITION__|{dir}/t/day=__HIVE_DEFAULT_PARTITION__/kind=",
            "no partition|'other' is no folder of the key day|{dir}/t/other",
        ]
        .map(|row| lake.text(row))
    );
    assert_eq!(
        lake.rows("SELECT * FROM d.t ORDER BY id").await,
        ["1|2024-01-01|a", "2|2024-01-02|b:c", "3|NULL|NULL"]
    );
    let again = lake.rows("MSCK REPAIR TABLE d.t").await;
    assert!(again[0].starts_with("no partition"), "{again:?}");
    assert_eq!(
        lake.rows("SHOW PARTITIONS d.t").await,
        [
            "day=2024-01-01/kind=a",
            "day=2024-01-02/kind=b%3Ac",
            "day=__HIVE_DEFAULT_PARTITION__/kind=__HIVE_DEFAULT_PARTITION__"
        ]
    );
    assert_eq!(
        lake.rows("SHOW PARTITIONS d.t PARTITION (kind = 'a')")
            .await,
        ["day=2024-01-01/kind=a"]
    );
    assert_eq!(
        lake.rows("SHOW PARTITIONS d.t WHERE day >= DATE '2024-01-02'")
            .await,
        ["day=2024-01-02/kind=b%3Ac"]
    );
    // A folder that is gone is told by SYNC, and by nothing else.
    std::fs::remove_dir_all(lake.path().join("t/day=2024-01-01")).unwrap();
    lake.ok("MSCK REPAIR TABLE d.t").await;
    assert_eq!(lake.rows("SHOW PARTITIONS d.t").await.len(), 3);
    let rows = lake.rows("MSCK REPAIR TABLE d.t SYNC PARTITIONS").await;
    assert!(
        rows[0].starts_with("dropped|day=2024-01-01/kind=a"),
        "{rows:?}"
    );
    assert_eq!(lake.rows("SHOW PARTITIONS d.t").await.len(), 2);
}

#[tokio::test]
async fn partitions_by_hand() {
    let lake = partitioned().await;
    assert_eq!(
        lake.ok(
            "ALTER TABLE d.t ADD PARTITION (day='2024-01-01', kind='a')
             PARTITION (day='2024-01-02', kind='b:c') LOCATION '{dir}/t/Day=2024-01-02/KIND=b%3Ac/'"
        )
        .await,
        "added 2 partitions to d.t"
    );
    assert_eq!(
        lake.rows("SELECT id, kind FROM d.t ORDER BY id").await,
        ["1|a", "2|b:c"]
    );
    let (message, hint) = lake
        .refused("ALTER TABLE d.t ADD PARTITION (day='2024-01-01', kind='a')")
        .await;
    assert!(message.contains("already") && hint.unwrap().contains("IF NOT EXISTS"));
    assert_eq!(
        lake.ok("ALTER TABLE d.t ADD IF NOT EXISTS PARTITION (kind='a', day='2024-01-01')")
            .await,
        "added 0 partitions to d.t; 1 was there already"
    );
    lake.ok("ALTER TABLE d.t PARTITION (day='2024-01-01', kind='a') RENAME TO PARTITION (day='2024-01-01', kind='z')").await;
    assert_eq!(
        lake.rows("SELECT id, kind FROM d.t ORDER BY id").await,
        ["1|z", "2|b:c"]
    );
    lake.file("moved/x.csv", "7\n");
    lake.ok("ALTER TABLE d.t PARTITION (day='2024-01-01', kind='z') SET LOCATION '{dir}/moved'")
        .await;
    assert_eq!(
        lake.rows("SELECT id, kind FROM d.t ORDER BY id").await,
        ["2|b:c", "7|z"]
    );
    assert_eq!(
        lake.ok("ALTER TABLE d.t DROP PARTITION (kind='z'), PARTITION (kind='b:c')")
            .await,
        "dropped 2 partitions of d.t; no file was deleted"
    );
    lake.ok("ALTER TABLE d.t DROP IF EXISTS PARTITION (kind='z')")
        .await;
    for (statement, wanted) in [
        (
            "ALTER TABLE d.t DROP PARTITION (kind='z')",
            "has no partition (kind = z)",
        ),
        (
            "ALTER TABLE d.t ADD PARTITION (day='x', kind='z')",
            "'x' is no date",
        ),
        (
            "ALTER TABLE d.t ADD PARTITION (kind='z')",
            "no value of the key 'day'",
        ),
        (
            "ALTER TABLE d.t ADD PARTITION (kin='z', day='2024-01-01')",
            "no partition key 'kin'",
        ),
        (
            "ALTER TABLE d.t ADD PARTITION (day='2024-01-01', day='2024-01-01')",
            "there twice",
        ),
        (
            "ALTER TABLE d.t ADD PARTITION (day>'2024-01-01', kind='z')",
            "key = value",
        ),
        (
            "ALTER TABLE d.t ADD PARTITIN (day='2024-01-01')",
            "'PARTITIN' was found",
        ),
        (
            "SHOW PARTITIONS d.t WHERE dya = '2024-01-01'",
            "no partition key 'dya'",
        ),
    ] {
        let (message, _) = lake.refused(statement).await;
        assert!(message.contains(wanted), "{statement}: {message}");
    }
}

#[tokio::test]
async fn columns_and_properties() {
    let lake = Lake::new().await;
    lake.file("t/a.csv", "1,x,2.5\n");
    lake.ok("CREATE EXTERNAL TABLE d.t (a int, b string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{dir}/t'").await;
    lake.ok("ALTER TABLE d.t ADD COLUMNS (c double COMMENT 'third')")
        .await;
    assert_eq!(lake.rows("SELECT * FROM d.t").await, ["1|x|2.5"]);
    lake.ok("ALTER TABLE d.t CHANGE COLUMN b text string AFTER c")
        .await;
    assert_eq!(
        lake.rows("SHOW COLUMNS IN t FROM d").await,
        ["a|int||NULL", "c|double||third", "text|string||NULL"]
    );
    lake.ok("ALTER TABLE d.t CHANGE text b string COMMENT 'second' AFTER a")
        .await;
    assert_eq!(lake.rows("DESCRIBE d.t b").await, ["b|string|second"]);
    lake.ok("ALTER TABLE d.t REPLACE COLUMNS (a bigint, b string, c decimal(3,1))")
        .await;
    assert_eq!(lake.rows("SELECT * FROM d.t").await, ["1|x|2.5"]);
    lake.ok("ALTER TABLE d.t SET TBLPROPERTIES ('k'='v', 'comment'='about')")
        .await;
    assert_eq!(lake.rows("SHOW TBLPROPERTIES d.t ('k')").await, ["k|v"]);
    assert_eq!(lake.table("t").await.description.as_deref(), Some("about"));
    lake.ok("ALTER TABLE d.t UNSET TBLPROPERTIES ('k')").await;
    assert_eq!(
        lake.rows("SHOW TBLPROPERTIES d.t ('k')").await,
        Vec::<String>::new()
    );
    lake.file("u/a.csv", "2;y;3.5\n");
    lake.ok("ALTER TABLE d.t SET LOCATION '{dir}/u'").await;
    lake.ok("ALTER TABLE d.t SET SERDEPROPERTIES ('field.delim'=';')")
        .await;
    assert_eq!(lake.rows("SELECT * FROM d.t").await, ["2|y|3.5"]);
    lake.ok("ALTER TABLE d.t RENAME TO renamed").await;
    assert_eq!(lake.rows("SELECT * FROM d.renamed").await, ["2|y|3.5"]);
    assert!(
        lake.refused("SELECT * FROM d.t")
            .await
            .0
            .contains("there is no table 'd.t'")
    );
    let said = lake.ok("DROP TABLE d.renamed").await;
    assert!(said.contains("files are still in"), "{said}");
    assert!(lake.path().join("u/a.csv").exists());
    lake.ok("DROP TABLE IF EXISTS d.renamed").await;
    assert!(
        lake.refused("DROP TABLE d.renamed")
            .await
            .0
            .contains("there is no table")
    );
}

#[tokio::test]
async fn describe_and_show() {
    let lake = partitioned().await;
    lake.ok("CREATE EXTERNAL TABLE d.n (s struct<a:int,b:array<map<string,date>>> COMMENT 'nested') LOCATION '{dir}/n'").await;
    assert_eq!(
        lake.rows("DESCRIBE d.t").await,
        [
            "id|int|NULL",
            "day|date|NULL",
            "kind|string|NULL",
            "|NULL|NULL",
            "# Partition Information|NULL|NULL",
            "# col_name|data_type|comment",
            "day|date|NULL",
            "kind|string|NULL",
        ]
    );
    assert_eq!(
        lake.rows("DESC d.n s").await,
        ["s|struct<a:int,b:array<map<string,date>>>|nested"]
    );
    assert_eq!(
        lake.rows("DESCRIBE d.n s.b").await,
        ["b|array<map<string,date>>|NULL"]
    );
    assert_eq!(
        lake.rows("DESCRIBE d.n s.b.$elem$.$value$").await,
        ["$value$|date|NULL"]
    );
    let all = lake.ok("DESCRIBE FORMATTED d.t").await;
    for part in [
        "Location:|",
        "SerDe Library:|org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Table Type:|EXTERNAL_TABLE",
        "field.delim|,",
    ] {
        assert!(all.contains(part), "{all}");
    }
    lake.ok("MSCK REPAIR TABLE d.t").await;
    let one = lake
        .ok("DESCRIBE EXTENDED d.t PARTITION (day='2024-01-01', kind='a')")
        .await;
    assert!(one.contains("Partition Value:|2024-01-01/a"), "{one}");
    assert_eq!(lake.rows("SHOW TABLES IN d 't|n*'").await, ["d|n", "d|t"]);
    assert_eq!(lake.rows("SHOW TABLES FROM `D` LIKE 'N'").await, ["d|n"]);
    let (message, hint) = lake.refused("SHOW TABLES IN e").await;
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("there is no database 'e'", Some("did you mean 'd'?"))
    );
    let (message, hint) = lake.refused("DESCRIBE d.n t").await;
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("d.n has no column 't'", Some("did you mean 's'?"))
    );
    assert_eq!(
        lake.rows("SHOW FUNCTIONS LIKE 'array_position'").await,
        ["array_position|scalar"]
    );
}
