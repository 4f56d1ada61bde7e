//! Statements that nobody means well with.

use proptest::prelude::*;

use super::super::parse::parse;
use super::*;

#[tokio::test]
async fn names_are_names_whatever_they_hold() {
    let lake = Lake::new().await;
    lake.file("t/a.csv", "1\n");
    for name in [
        "a;b",
        "it's",
        "q\"q",
        "back`tick",
        "ünï 😀",
        "drop table",
        "../x",
        "%s",
    ] {
        let hive = format!("`{}`", name.replace('`', "``"));
        let sql = format!("\"{}\"", name.replace('"', "\"\""));
        lake.ok(&format!(
            "CREATE EXTERNAL TABLE d.{hive} ({hive} int) LOCATION '{{dir}}/t'"
        ))
        .await;
        assert_eq!(
            lake.rows(&format!("SELECT {sql} FROM d.{sql}")).await,
            ["1"],
            "{name}"
        );
        assert_eq!(
            lake.rows(&format!("SHOW COLUMNS IN d.{hive}")).await,
            [format!("{name}|int||NULL")]
        );
        lake.ok(&format!("DROP TABLE d.{hive}")).await;
    }
}

#[tokio::test]
async fn statements_that_there_are_not() {
    let lake = Lake::new().await;
    for (statement, wanted) in [
        ("MERGE INTO t USING u ON a = b", "MERGE"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("GRANT SELECT ON t TO u", "GRANT"),
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK", "OPTIMIZE"),
        ("VACUUM t", "VACUUM"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE UNIQUE INDEX i ON t (a)", "CREATE UNIQUE"),
        (
            "CREATE FUNCTION f() RETURNS int RETURN 1",
            "CREATE FUNCTION",
        ),
        ("CREATE ROLE r", "CREATE ROLE"),
        ("START TRANSACTION", "transactions"),
        ("COMMIT", "transactions"),
        ("CALL p()", "stored procedures"),
        ("TRUNCATE TABLE t", "TRUNCATE"),
        ("SET x = 1", "SET"),
        ("ALTER VIEW v AS SELECT 1", "ALTER VIEW"),
        ("SHOW GRANTS", "SHOW GRANTS"),
    ] {
        let (message, _) = lake.refused(statement).await;
        assert!(
            message.contains(wanted) && message.contains("not built"),
            "{statement}: {message}"
        );
    }
    for (statement, wanted) in [
        ("SELCT 1", "did you mean SELECT?"),
        ("CREAT TABLE t", "did you mean CREATE?"),
        ("SHOW TABELS", "did you mean TABLES?"),
        ("DESCRBE t", "did you mean DESCRIBE?"),
        ("DROP TABEL t", "did you mean TABLE?"),
        ("ALTER TABLE t ADD COLUMS (a int)", "did you mean COLUMNS?"),
        ("MSCK REPIAR TABLE t", "did you mean REPAIR?"),
        ("CREATE EXTERNL TABLE t (a int)", "did you mean EXTERNAL?"),
        ("USE d", "--database"),
    ] {
        let (message, hint) = lake.refused(statement).await;
        assert!(
            hint.clone().unwrap_or_default().contains(wanted),
            "{statement}: {message} {hint:?}"
        );
    }
    let (message, _) = lake.refused("DROP TABLE a; DROP TABLE b").await;
    assert!(message.contains("several statements"), "{message}");
}

#[tokio::test]
async fn deep_and_long_texts_are_errors() {
    let lake = Lake::new().await;
    let deep = 10_000;
    for statement in [
        format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("SELECT {}1", "- ".repeat(deep)),
        format!("SELECT {}true", "NOT ".repeat(deep)),
        format!(
            "SELECT {}1{}",
            "CASE WHEN true THEN ".repeat(deep),
            " END".repeat(deep)
        ),
        format!("SELECT {}1{}", "abs(".repeat(deep), ")".repeat(deep)),
        format!("SELECT {}1{}", "ARRAY[".repeat(deep), "]".repeat(deep)),
        format!(
            "{}SELECT 1{}",
            "SELECT * FROM (".repeat(deep),
            ")".repeat(deep)
        ),
        format!(
            "CREATE EXTERNAL TABLE d.t (a {}int{}) LOCATION '/x'",
            "array<".repeat(deep),
            ">".repeat(deep)
        ),
        format!("EXPLAIN {}SELECT 1", "EXPLAIN ".repeat(deep)),
        format!("SELECT {}1", "1 + ".repeat(200_000)),
        format!("SELECT {}", "x".repeat(1 << 20)),
        format!("SELECT '{}", "x".repeat(1 << 20)),
        format!("SELECT {}", "(".repeat(1 << 20)),
    ] {
        let (message, _) = lake.refused(&statement).await;
        let start: String = statement.chars().take(40).collect();
        assert!(message.len() < 5_000, "{start}: {}", message.len());
    }
    let long = "x".repeat(1 << 20);
    assert_eq!(
        lake.rows(&format!("SELECT length('{long}') AS n")).await,
        [(1 << 20).to_string()]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No text makes the parser of statements panic or hang.
    #[test]
    fn any_words_are_read(words in proptest::collection::vec(prop_oneof![
        Just("CREATE"), Just("EXTERNAL"), Just("TABLE"), Just("VIEW"), Just("DATABASE"), Just("ALTER"), Just("DROP"),
        Just("IF"), Just("NOT"), Just("EXISTS"), Just("PARTITION"), Just("("), Just(")"), Just(","), Just("a"),
        Just("int"), Just("'x'"), Just("="), Just("SHOW"), Just("COLUMNS"), Just("IN"), Just("LIKE"), Just("ADD"),
        Just("struct<"), Just("array<"), Just(":"), Just(">"), Just("EXPLAIN"), Just("PREPARE"), Just("FROM"),
        Just("EXECUTE"), Just("USING"), Just("`"), Just("'"), Just("\""), Just("/*"), Just("--"), Just(";"), Just("."),
        Just("ROW"), Just("FORMAT"), Just("SERDE"), Just("LOCATION"), Just("TBLPROPERTIES"), Just("AS"), Just("SELECT"),
    ], 0..25)) {
        let _ = parse(&words.join(" "));
    }
}
