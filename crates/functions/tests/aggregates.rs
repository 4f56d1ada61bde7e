//! Aggregates, and what registering keeps and replaces. Expected values were computed by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::HashSet;

use common::{check, query, refuse, session, value};
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};

#[tokio::test]
async fn by() {
    check(&[
        ("max_by(x, y) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)", "b"),
        ("min_by(x, y) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)", "a"),
        // A row without y does not count; one without x does.
        ("max_by(x, y) FROM (VALUES ('a', NULL), (NULL, 3), ('c', 2)) AS t(x, y)", "NULL"),
        ("min_by(x, y) FROM (VALUES ('a', NULL), (NULL, 3), ('c', 2)) AS t(x, y)", "c"),
        ("max_by(x, y) FROM (VALUES ('a', CAST(NULL AS INT))) AS t(x, y)", "NULL"),
        ("max_by(x, y) FROM (VALUES ('a', 1)) AS t(x, y) WHERE false", "NULL"),
        ("max_by(x, y) FILTER (WHERE x <> 'b') FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)", "c"),
        ("max_by(x, y) FROM (VALUES (ARRAY[1, 2], 1)) AS t(x, y)", "[1, 2]"),
        ("max_by(x, y) OVER (ORDER BY x) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y) ORDER BY x", "a ; b ; b"),
        ("min_by(x, y) OVER (ORDER BY x) FROM (VALUES ('a', 2), ('b', NULL), ('c', 1)) AS t(x, y) ORDER BY x", "a ; a ; c"),
        ("max_by(x, y) + 1 FROM (VALUES (1, ARRAY[1, 2]), (2, ARRAY[1, 3])) AS t(x, y)", "3"),
    ])
    .await;
    refuse(&[("max_by(1)", &["max_by"])]).await;
}

#[tokio::test]
async fn counts_and_maps() {
    check(&[
        ("count_if(x > 1) FROM (VALUES (1), (2), (3), (NULL)) AS t(x)", "2"),
        ("count_if(x > 1) FROM (VALUES (1)) AS t(x) WHERE false", "0"),
        ("count_if(x > 1) FILTER (WHERE x < 3) FROM (VALUES (1), (2), (3)) AS t(x)", "1"),
        ("count_if(x > 1) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES (1), (2), (3)) AS t(x) ORDER BY x", "0 ; 1 ; 2"),
        ("map_agg(k, v) FROM (VALUES ('a', 1), ('b', NULL), (NULL, 3)) AS t(k, v)", "{a: 1, b: NULL}"),
        ("map_agg(k, v) FROM (VALUES ('a', 1)) AS t(k, v) WHERE false", "NULL"),
        ("element_at(map_agg(k, v), 'b') FROM (VALUES ('a', 1), ('b', 2)) AS t(k, v)", "2"),
        ("map_agg(k, v) FROM (VALUES ('a', ARRAY[1, 2]), ('b', ARRAY[3])) AS t(k, v)", "{a: [1, 2], b: [3]}"),
        ("histogram(x) FROM (VALUES ('a'), ('b'), ('a'), (NULL)) AS t(x)", "{a: 2, b: 1}"),
        ("arbitrary(x) FROM (VALUES (NULL), (5)) AS t(x)", "5"),
        ("every(x) FROM (VALUES (true), (false)) AS t(x)", "false"),
        ("variance(x) FROM (VALUES (1), (2), (3)) AS t(x)", "1.0"),
    ])
    .await;
    refuse(&[("count_if(1.5) FROM (VALUES (1)) AS t(x)", &["count_if"])]).await;
}

/// Groups over several partitions, so that partial states are merged.
#[tokio::test]
async fn merging() {
    let config = SessionConfig::new()
        .with_target_partitions(4)
        .with_batch_size(64);
    let mut session = SessionContext::new_with_config(config);
    mastic_functions::register_all(&mut session).unwrap();
    query(
        &session,
        "CREATE TABLE t AS SELECT value AS v, value % 3 AS g FROM generate_series(0, 5000)",
    )
    .await
    .unwrap();
    let sql = "SELECT CAST(g AS varchar) || ':' || CAST(max_by(v, -v) AS varchar) || ':' \
               || CAST(min_by(v, -v) AS varchar) || ':' || CAST(count_if(v % 2 = 0) AS varchar) || ':' \
               || CAST(cardinality(map_agg(v, g)) AS varchar) || ':' \
               || CAST(element_at(histogram(v % 6), g) AS varchar) \
               FROM (SELECT * FROM t) GROUP BY g ORDER BY g";
    assert_eq!(
        value(&session, sql).await.unwrap(),
        // 5001 numbers: 1667 in each class, every other one even.
        "0:0:4998:834:1667:834 ; 1:1:4999:833:1667:834 ; 2:2:5000:834:1667:834"
    );
}

#[test]
fn registering_adds_and_replaces_only_what_is_documented() {
    let before = SessionContext::new();
    let mut after = SessionContext::new();
    mastic_functions::register_all(&mut after).unwrap();
    let (udfs, udafs) = (after.udfs(), after.udafs());
    mastic_functions::register_all(&mut after).unwrap();
    assert_eq!((after.udfs(), after.udafs()), (udfs.clone(), udafs.clone()));

    assert!(before.udfs().is_subset(&udfs) && before.udafs().is_subset(&udafs));
    let state = (before.state(), after.state());
    let replaced: HashSet<&str> = state
        .0
        .scalar_functions()
        .iter()
        .filter(|(name, before)| {
            let after = &state.1.scalar_functions()[*name];
            // An alias wraps the function it is of, and so has its name and signature.
            (after.name(), after.signature()) != (before.name(), before.signature())
        })
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        replaced,
        HashSet::from([
            "array_distinct",
            "array_except",
            "array_intersect",
            "array_max",
            "array_min",
            "array_position",
            "array_remove",
            "array_sort",
            "array_union",
            "arrays_overlap",
            "cardinality",
            "ceil",
            "contains",
            "date_format",
            "date_trunc",
            "datetrunc",
            "dot_product",
            "element_at",
            "flatten",
            "floor",
            "from_unixtime",
            "length",
            "md5",
            "rand",
            "random",
            "regexp_replace",
            "repeat",
            "replace",
            "reverse",
            "sha256",
            "sha512",
            "split_part",
            "strpos",
            "substr",
            "substring",
            "to_hex",
            "to_unixtime",
        ])
    );
    // Those that DataFusion has under another name stay under it.
    for name in ["to_char", "map_extract"] {
        assert_eq!(state.1.scalar_functions()[name].name(), name);
    }
}

/// Rewriting a call while optimizing does not rename its column.
#[tokio::test]
async fn columns_keep_their_names() {
    let batches = query(&session(), "SELECT if(g = 1, 1, 2), count_if(g = 1), max_by(g, g) FROM (VALUES (1)) AS t(g) GROUP BY g").await.unwrap();
    let schema = batches[0].schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert!(names[0].starts_with("if("), "{names:?}");
    assert!(names[1].starts_with("count_if("), "{names:?}");
    assert!(names[2].starts_with("max_by("), "{names:?}");
}
