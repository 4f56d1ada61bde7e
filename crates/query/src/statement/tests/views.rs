//! Views.

use mastic_catalog::{Change, ChangeSet, Column, Expected, PartitionChanges, StorageDescriptor};

use super::*;

async fn lake() -> Lake {
    let lake = Lake::new().await;
    lake.file("t/a.csv", "1,x\n2,y\n3,x\n");
    lake.ok("CREATE EXTERNAL TABLE d.t (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{dir}/t'").await;
    lake.ok("CREATE DATABASE e").await;
    lake
}

#[tokio::test]
async fn views_over_tables_and_views() {
    let lake = lake().await;
    // Names inside are looked up in the view's database.
    assert_eq!(
        lake.ok(
            "CREATE VIEW d.v COMMENT 'some' AS SELECT name, count(*) AS n FROM t GROUP BY name;"
        )
        .await,
        "created the view d.v"
    );
    lake.ok(
        "CREATE VIEW e.w (\"Total\", names) AS SELECT sum(n), array_sort(array_agg(name)) FROM d.v",
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.v ORDER BY name").await,
        ["x|2", "y|1"]
    );
    assert_eq!(
        lake.rows("SELECT total, names FROM e.w").await,
        ["3|[x, y]"]
    );
    assert_eq!(lake.rows("SHOW VIEWS").await, ["d|v", "e|w"]);
    assert_eq!(lake.rows("SHOW VIEWS IN d LIKE 'v*'").await, ["d|v"]);
    assert_eq!(lake.rows("SHOW TABLES IN d").await, ["d|t", "d|v"]);
    assert_eq!(
        lake.rows("DESCRIBE d.v").await,
        ["name|string|NULL", "n|bigint|NULL"]
    );
    let view = lake.table("v").await;
    assert_eq!(view.table_type.as_deref(), Some("VIRTUAL_VIEW"));
    assert_eq!(view.parameters["presto_view"], "true");
    assert!(
        view.view_original_text
            .unwrap()
            .starts_with("/* Presto View: ")
    );
    assert!(
        lake.refused("CREATE VIEW d.v AS SELECT 1 AS a")
            .await
            .0
            .contains("already")
    );
    assert_eq!(
        lake.ok("CREATE OR REPLACE VIEW d.v AS SELECT name, id AS n FROM t")
            .await,
        "replaced the view d.v"
    );
    assert_eq!(lake.rows("SELECT n FROM d.v WHERE name = 'y'").await, ["2"]);
    assert!(
        lake.refused("DROP TABLE d.v")
            .await
            .1
            .unwrap()
            .contains("DROP VIEW")
    );
    assert!(
        lake.refused("ALTER TABLE d.v ADD COLUMNS (a int)")
            .await
            .0
            .contains("is a view")
    );
    lake.ok("DROP VIEW d.v").await;
    let (message, hint) = lake.refused("SELECT * FROM e.w").await;
    assert!(
        message.contains("in the view e.w") && message.contains("'d.v'"),
        "{message} {hint:?}"
    );
}

#[tokio::test]
async fn a_stale_view_says_so() {
    let lake = lake().await;
    lake.ok("CREATE VIEW d.v AS SELECT * FROM t").await;
    lake.ok("ALTER TABLE d.t ADD COLUMNS (more string)").await;
    let (message, hint) = lake.refused("SELECT * FROM d.v").await;
    assert!(message.contains("has 3 columns, and had 2"), "{message}");
    assert!(hint.unwrap().contains("CREATE OR REPLACE VIEW"));
    lake.ok("ALTER TABLE d.t REPLACE COLUMNS (id smallint, name string)")
        .await;
    // A smaller number is made the one that it was.
    assert_eq!(lake.rows("SELECT sum(id) FROM d.v").await, ["6"]);
    lake.ok("ALTER TABLE d.t REPLACE COLUMNS (id string, name string)")
        .await;
    assert!(
        lake.refused("SELECT * FROM d.v")
            .await
            .0
            .contains("is string, and was int")
    );
    lake.ok("ALTER TABLE d.t REPLACE COLUMNS (number int, name string)")
        .await;
    assert!(
        lake.refused("SELECT * FROM d.v")
            .await
            .0
            .contains("'number' where 'id' was")
    );
}

#[tokio::test]
async fn circles_and_towers() {
    let lake = lake().await;
    lake.ok("CREATE VIEW d.a AS SELECT id FROM t").await;
    lake.ok("CREATE VIEW d.b AS SELECT id FROM a").await;
    let (message, _) = lake
        .refused("CREATE OR REPLACE VIEW d.a AS SELECT id FROM b")
        .await;
    assert!(message.contains("d.a → d.b → d.a"), "{message}");
    let mut below = "t".to_owned();
    let mut refused = None;
    for number in 0..40 {
        let name = format!("v{number}");
        let made = lake
            .batches(&format!("CREATE VIEW d.{name} AS SELECT id FROM {below}"))
            .await;
        if let Err(error) = made {
            refused = Some(error.to_string());
            break;
        }
        below = name;
    }
    assert!(refused.unwrap().contains("views lie over each other"));
}

#[tokio::test]
async fn mistakes_in_views_are_told_with_their_place() {
    let lake = lake().await;
    for (statement, wanted, place) in [
        (
            "CREATE VIEW d.v AS\nSELECT nam FROM t",
            "no column 'nam'",
            Some((2, 8)),
        ),
        (
            "CREATE VIEW d.v AS SELECT id + 1 FROM t",
            "column 1 of the view has no name",
            Some((1, 20)),
        ),
        (
            "CREATE VIEW d.v AS SELECT id, name AS ID FROM t",
            "two columns 'id'",
            Some((1, 20)),
        ),
        (
            "CREATE VIEW d.v AS SELECT id FORM t",
            "no SQL",
            Some((1, 35)),
        ),
        (
            "CREATE VIEW d.t AS SELECT 1 AS a",
            "is a table",
            Some((1, 13)),
        ),
        ("CREATE VIEW d.v", "AS was expected", Some((1, 16))),
        (
            "CREATE VIEW nowhere.v AS SELECT 1 AS a",
            "no database 'nowhere'",
            Some((1, 13)),
        ),
        ("CREATE VIEW d.v AS DROP TABLE d.t", "not built", None),
    ] {
        let error = lake.batches(statement).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{statement}: {error}");
        assert_eq!(error.place(), place, "{statement}: {error}");
    }
}

#[tokio::test]
async fn a_view_of_hives_is_read() {
    let lake = lake().await;
    let mut view = Table::new("d", "h");
    view.table_type = Some("VIRTUAL_VIEW".into());
    view.view_original_text = Some("select name from t".into());
    view.view_expanded_text = Some("SELECT `t`.`name` FROM `d`.`t` WHERE `t`.`id` > 1".into());
    view.storage_descriptor = Some(StorageDescriptor {
        columns: vec![Column::new("name", "string")],
        ..StorageDescriptor::default()
    });
    let put = Change::PutTable {
        table: view,
        expected: Expected::Any,
        partitions: PartitionChanges::none(),
    };
    lake.catalog()
        .apply(ChangeSet::new("test").with(put))
        .await
        .unwrap();
    assert_eq!(lake.rows("SELECT * FROM d.h ORDER BY 1").await, ["x", "y"]);
}

#[tokio::test]
async fn columns_of_one_name_and_orders_that_are_hidden() {
    let lake = lake().await;
    // Trino's documentation of SELECT, "ORDER BY": a qualified name is the table's column.
    assert_eq!(
        lake.rows("SELECT id * -1 AS id FROM d.t ORDER BY t.id DESC")
            .await,
        ["-3", "-2", "-1"]
    );
    assert_eq!(
        lake.rows("SELECT id * -1 AS id FROM d.t ORDER BY id").await,
        ["-3", "-2", "-1"]
    );
    assert_eq!(
        lake.rows("SELECT name AS id, id FROM d.t ORDER BY t.id DESC LIMIT 1")
            .await,
        ["x|3"]
    );
    let frame = lake
        .session
        .sql("SELECT id, id, name AS id, 1, 1 FROM d.t")
        .await
        .unwrap();
    let batches = frame.collect().await.unwrap();
    let schema = batches[0].schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["id", "id", "id", "1", "1:1"]);
}
