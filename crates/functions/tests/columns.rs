//! A function says of a column's rows what it says of each by itself, as a constant: columns may have NULLs, begin
//! behind other rows, and hold arrays and maps of every length.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{session, value};

/// What stands for a call's arguments, row after row.
type Rows = &'static [&'static [&'static str]];

const ARRAYS: Rows = &[
    &["ARRAY[9, 9]", "ARRAY[9]", "1"],
    &["ARRAY[3, 1, NULL, 3, 2]", "ARRAY[3, 4]", "2"],
    &["CAST(NULL AS ARRAY(bigint))", "ARRAY[1]", "1"],
    &["ARRAY[5]", "CAST(NULL AS ARRAY(bigint))", "1"],
    &["ARRAY[7, 8, 9]", "ARRAY[8, 9]", "CAST(NULL AS bigint)"],
    &["CAST(JSON '[]' AS ARRAY(bigint))", "ARRAY[1]", "1"],
    &["ARRAY[4, 4, 6]", "ARRAY[4, 4, 6]", "3"],
];

const MAPS: Rows = &[
    &["MAP(ARRAY['z'], ARRAY[0])", "MAP(ARRAY['z'], ARRAY[1])"],
    &[
        "MAP(ARRAY['a', 'b'], ARRAY[1, NULL])",
        "MAP(ARRAY['b', 'c'], ARRAY[5, 6])",
    ],
    &[
        "try(MAP(ARRAY['q'], ARRAY[1 / 0]))",
        "MAP(ARRAY['a'], ARRAY[1])",
    ],
    &[
        "MAP(ARRAY['x', 'y', 'a'], ARRAY[7, 8, 9])",
        "MAP(ARRAY['a'], ARRAY[3])",
    ],
];

const TEXTS: Rows = &[
    &["'first'", "'i'", "1"],
    &["'Hello, World'", "'o'", "2"],
    &["CAST(NULL AS varchar)", "'o'", "1"],
    &["'\u{e9}t\u{e9} \u{e9}'", "'\u{e9}'", "-1"],
    &["''", "'a'", "1"],
    &["'abcabc'", "'abc'", "CAST(NULL AS bigint)"],
    &["'k=1&l=2'", "'='", "5"],
];

const MOMENTS: Rows = &[
    &["TIMESTAMP '2000-01-01 00:00:00'"],
    &["TIMESTAMP '2024-02-29 23:59:58.123'"],
    &["CAST(NULL AS timestamp)"],
    &["TIMESTAMP '1960-12-31 12:00:00'"],
];

async fn same(functions: &[&str], rows: Rows) {
    let session = session();
    let columns = ["a", "b", "c"];
    let width = rows[0].len();
    let values: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| format!("({i}, {})", row.join(", ")))
        .collect();
    let mut wrong = Vec::new();
    for function in functions {
        let table = format!(
            "(SELECT * FROM (VALUES {}) AS t(i, {}) ORDER BY i OFFSET 1) AS t",
            values.join(", "),
            columns[..width].join(", ")
        );
        let found = value(
            &session,
            &format!("SELECT {function} FROM {table} ORDER BY i"),
        )
        .await
        .unwrap_or_else(|e| format!("error: {e}"));
        let mut expected = Vec::new();
        for row in &rows[1..] {
            let mut call = (*function).to_owned();
            for (column, argument) in columns.iter().zip(*row) {
                call = call.replace(&format!("t.{column}"), argument);
            }
            let one = value(&session, &format!("SELECT {call}")).await;
            expected.push(one.unwrap_or_else(|e| format!("error: {e}")));
        }
        let expected = expected.join(" ; ");
        if found != expected {
            wrong.push(format!(
                "{function}\n    each  {expected}\n    all   {found}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn arrays() {
    same(
        &[
            "array_distinct(t.a)",
            "array_union(t.a, t.b)",
            "array_intersect(t.a, t.b)",
            "array_except(t.a, t.b)",
            "arrays_overlap(t.a, t.b)",
            "contains_sequence(t.a, t.b)",
            "array_remove(t.a, t.c)",
            "array_position(t.a, t.c)",
            "array_histogram(t.a)",
            "array_sort(t.a)",
            "array_min(t.a)",
            "array_max(t.a)",
            "array_first(t.a)",
            "array_last(t.a)",
            "slice(t.a, t.c, 2)",
            "ngrams(t.a, 2)",
            "combinations(t.a, 2)",
            "flatten(ARRAY[t.a, t.b])",
            "repeat(t.a, t.c)",
            "zip(t.a, t.b)",
            "reverse(t.a)",
            "sequence(t.c, 3)",
            "try(t.a[t.c])",
            "element_at(t.a, t.c)",
            "try(dot_product(t.a, t.b))",
            "cardinality(t.a)",
            "contains(t.a, t.c)",
            "CAST(t.a AS JSON)",
            "CAST(t.a AS ARRAY(varchar))",
            "width_bucket(t.c, 0, 4, 4)",
            "greatest(t.c, 2)",
            "transform(t.a, x -> x + t.c)",
            "filter(t.a, x -> x > t.c)",
            "any_match(t.a, x -> x = t.c)",
            "all_match(t.a, x -> x > t.c)",
            "none_match(t.a, x -> x = t.c)",
            "reduce(t.a, t.c, (s, x) -> s * 2 + coalesce(x, 100), s -> s - t.c)",
            "zip_with(t.a, t.b, (x, y) -> coalesce(x, 0) * 10 + coalesce(y, t.c))",
            "array_sort(t.a, (x, y) -> CASE WHEN x IS NULL THEN -1 WHEN y IS NULL THEN 1 WHEN x < y THEN 1 WHEN x = y THEN 0 ELSE -1 END)",
            "try(10 / (t.c - 2))",
        ],
        ARRAYS,
    )
    .await;
}

#[tokio::test]
async fn maps() {
    same(
        &[
            "map_concat(t.a, t.b)",
            "map_filter(t.a, (k, v) -> v > 7)",
            "transform_keys(t.a, (k, v) -> k || 'x')",
            "transform_values(t.a, (k, v) -> v + 1)",
            "map_zip_with(t.a, t.b, (k, x, y) -> coalesce(x, 0) + coalesce(y, 0))",
            "element_at(t.a, 'a')",
            "try(t.a['a'])",
            "cardinality(t.a)",
            "cosine_similarity(t.a, t.b)",
            "CAST(t.a AS JSON)",
            "map_from_entries(map_entries(t.a))",
            "multimap_from_entries(map_entries(t.a))",
        ],
        MAPS,
    )
    .await;
}

#[tokio::test]
async fn texts() {
    same(
        &[
            "substr(t.a, t.c)",
            "substr(t.a, t.c, 2)",
            "strpos(t.a, t.b)",
            "strpos(t.a, t.b, t.c)",
            "replace(t.a, t.b)",
            "replace(t.a, t.b, 'x')",
            "reverse(t.a)",
            "length(t.a)",
            "concat(t.a, t.b)",
            "concat_ws('-', t.a, t.b)",
            "split(t.a, t.b)",
            "title_case(t.a)",
            "to_hex(to_utf8(t.a))",
            "from_utf8(reverse(to_utf8(t.b)))",
            "to_base64(md5(to_utf8(t.a)))",
            "to_base32(to_utf8(t.a))",
            "crc32(to_utf8(t.a))",
            "to_hex(hmac_sha256(to_utf8(t.a), to_utf8(t.b)))",
            "url_encode(t.a)",
            "url_extract_host(t.a)",
            "format('%s|%5d', t.a, t.c)",
            "try(split_to_map(t.a, '&', t.b))",
            "try(split_to_multimap(t.a, '&', t.b))",
            "regexp_replace(t.a, '(\\w)', x -> upper(x[1]) || t.b)",
            "regexp_position(t.a, t.b)",
            "try(json_parse(t.a))",
            "CAST(t.a AS JSON)",
            "CAST(t.a AS varchar(3))",
            "try_cast(t.a AS integer)",
            "to_base(t.c, 2)",
            "bitwise_and(t.c, 3)",
            "typeof(t.a)",
            "char2hexint(t.a)",
        ],
        TEXTS,
    )
    .await;
}

#[tokio::test]
async fn moments() {
    same(
        &[
            "CAST(t.a AS varchar)",
            "to_iso8601(t.a)",
            "format_datetime(t.a, 'yyyy-MM-dd HH:mm:ss.SSS')",
            "to_iso8601(at_timezone(t.a, 'Europe/Berlin'))",
            "to_iso8601(with_timezone(t.a, 'Asia/Kathmandu'))",
            "timezone_hour(at_timezone(t.a, 'Europe/Berlin'))",
            "to_iso8601(from_unixtime(to_unixtime(t.a)))",
            "date_trunc('month', t.a)",
            "date_trunc('month', CAST(t.a AS date))",
            "sequence(CAST(t.a AS date), date_add('month', 2, CAST(t.a AS date)), INTERVAL '1' MONTH)",
            "format('%1$tF', t.a)",
        ],
        MOMENTS,
    )
    .await;
}
