//! Text, patterns, JSON, conditions, numbers, arrays and maps. «docs» marks examples of the Trino
//! documentation; the rest was computed by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{check, refuse};

#[tokio::test]
async fn strings() {
    check(&[
        ("split('a,b,,c', ',')", "[a, b, , c]"),
        ("split('a,b,c', ',', 2)", "[a, b,c]"),
        ("split('a', ',')", "[a]"),
        ("split('', ',')", "[]"),
        ("cardinality(split('', ','))", "1"),
        ("split(NULL, ',')", "NULL"),
        (
            "split(s, d) FROM (VALUES ('a-b', '-'), (NULL, '-'), ('a+b', '+')) AS t(s, d)",
            "[a, b] ; NULL ; [a, b]",
        ),
        ("split(arrow_cast('a,b', 'Utf8View'), ',')", "[a, b]"),
        ("split_part('a,b', ',', 2)", "b"),
        ("split_part('a,b', ',', 3)", "NULL"), // docs, in words
        ("split_part('a,,b', ',', 2)", ""),
        ("split_part('aéb', '', 2)", "é"),
        ("split_part(NULL, ',', 1)", "NULL"),
        ("codepoint('é')", "233"),
        ("codepoint(NULL)", "NULL"),
        ("hamming_distance('karolin', 'kathrin')", "3"),
        ("hamming_distance('', '')", "0"),
        ("hamming_distance('é', 'e')", "1"),
        ("hamming_distance(NULL, 'a')", "NULL"),
        ("levenshtein_distance('kitten', 'sitting')", "3"),
        ("levenshtein('kitten', 'sitting')", "3"),
        ("strpos('high', 'g')", "3"),
    ])
    .await;
    refuse(&[
        ("split('abc', '')", &["split", "'abc'", "empty"]),
        ("split('abc', ',', 0)", &["split", "0"]),
        ("split(1, ',')", &["split", "varchar", "Int64"]),
        ("split_part('a,b', ',', 0)", &["split_part", "0"]),
        ("split_part('a,b', ',', -1)", &["split_part", "-1"]),
        ("codepoint('ab')", &["codepoint", "'ab'"]),
        ("codepoint('')", &["codepoint", "''"]),
        ("hamming_distance('a', 'ab')", &["hamming_distance", "'ab'"]),
    ])
    .await;
}

#[tokio::test]
async fn patterns() {
    check(&[
        (r"regexp_extract('1a 2b 14m', '\d+')", "1"),                       // docs
        (r"regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', 2)", "a"),          // docs
        (r"regexp_extract_all('1a 2b 14m', '\d+')", "[1, 2, 14]"),          // docs
        (r"regexp_extract_all('1a 2b 14m', '(\d+)([a-z]+)', 2)", "[a, b, m]"), // docs
        (r"regexp_split('1a 2b 14m', '\s*[a-z]+\s*')", "[1, 2, 14, ]"),     // docs
        (r"regexp_replace('1a 2b 14m', '\d+[ab] ')", "14m"),                // docs
        (r"regexp_replace('1a 2b 14m', '(\d+)([ab]) ', '3c$2 ')", "3ca 3cb 14m"), // docs
        (r"regexp_like('1a 2b 14m', '\d+b')", "true"),                      // docs
        ("regexp_extract('abc', 'x')", "NULL"),
        ("regexp_extract('abc', '(x)?abc', 1)", "NULL"),
        ("regexp_extract_all('ab', '(x)?[ab]', 1)", "[NULL, NULL]"),
        ("regexp_extract_all('abc', 'x')", "[]"),
        ("regexp_extract(NULL, 'x')", "NULL"),
        ("regexp_extract('x', NULL)", "NULL"),
        ("regexp_extract('x', 'x', NULL)", "NULL"),
        ("regexp_split('abc', ',')", "[abc]"),
        ("regexp_split(NULL, ',')", "NULL"),
        ("regexp_extract(s, p) FROM (VALUES ('a1', '[a-z]'), ('a1', '[0-9]'), (NULL, 'x')) AS t(s, p)", "a ; 1 ; NULL"),
        // Numbered groups are as long as there are groups; $ and backslash can be written.
        ("regexp_replace('ab', '(a)(b)', '$2$10')", "ba0"),
        ("regexp_replace('ab', '(?<first>a)', '${first}x')", "axb"),
        (r"regexp_replace('ab', 'a', '\$1')", "$1b"),
        ("regexp_replace('aaa', 'a', NULL)", "NULL"),
        // With flags it is DataFusion's: the first match only, unless g.
        ("regexp_replace('aAa', 'A', 'x', 'i')", "xAa"),
        ("regexp_replace('aAa', 'A', 'x', 'gi')", "xxx"),
        ("regexp_replace(arrow_cast('aAa', 'Utf8View'), 'A', 'x', 'gi')", "xxx"),
    ])
    .await;
    refuse(&[
        ("regexp_extract('a', '(')", &["regexp_extract", "'('"]),
        (
            "regexp_extract('a', '(?=a)')",
            &["regexp_extract", "look-around"],
        ),
        (
            "regexp_extract('a', 'a', 1)",
            &["regexp_extract", "0 group(s)", "no group 1"],
        ),
        ("regexp_extract('a', 'a', -1)", &["regexp_extract", "-1"]),
        (
            "regexp_replace('a', 'a', '$1')",
            &["regexp_replace", "no group 1", "'$1'"],
        ),
        (
            "regexp_replace('a', 'a', '${x}')",
            &["regexp_replace", "'x'"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn json() {
    check(&[
        ("json_extract_scalar('[1, 2, 3]', '$[2]')", "3"), // docs
        ("json_extract_scalar('{\"store\": {\"book\": [{\"price\": 8.950}]}}', '$.store.book[0].price')", "8.950"),
        ("json_extract_scalar('{\"a b\": {\"c\": \"\\u00e9\\n\"}}', '$[\"a b\"][''c'']')", "é\n"),
        ("json_extract_scalar('{\"a\": true}', '$.a')", "true"),
        ("json_extract_scalar('{\"a\": null}', '$.a')", "NULL"),
        ("json_extract_scalar('{\"a\": {}}', '$.a')", "NULL"),
        ("json_extract_scalar('{\"a\": [1]}', '$.a')", "NULL"),
        ("json_extract_scalar('{\"a\": 1}', '$.b')", "NULL"),
        ("json_extract_scalar('{\"a\": 1}', '$.a.b')", "NULL"),
        ("json_extract_scalar('not json', '$.a')", "NULL"),
        ("json_extract_scalar('', '$.a')", "NULL"),
        ("json_extract_scalar(NULL, '$.a')", "NULL"),
        ("json_extract_scalar('{}', NULL)", "NULL"),
        ("json_extract_scalar('\"x\"', '$')", "x"),
        ("json_extract_scalar('{\"0\": \"member\"}', '$[0]')", "member"),
        ("json_extract_scalar(j, p) FROM (VALUES ('{\"a\":1}', '$.a'), (NULL, '$.a'), ('[7]', '$[0]')) AS t(j, p)", "1 ; NULL ; 7"),
        ("json_extract_scalar(arrow_cast('{\"a\":1}', 'LargeUtf8'), '$.a')", "1"),
        ("json_extract('{ \"a\": [ 1, \" x \\\" \" , null ] }', '$.a')", "[1,\" x \\\" \",null]"),
        ("json_extract('{\"a\": null}', '$.a')", "null"),
        ("json_extract('{\"a\": 12345678901234567890.10}', '$.a')", "12345678901234567890.10"),
        ("json_array_length('[1, 2, 3]')", "3"), // docs
        ("json_array_length('{}')", "NULL"),
        ("json_array_length('[1,')", "NULL"),
        ("json_array_length(NULL)", "NULL"),
        ("json_size('{\"x\": {\"a\": 1, \"b\": 2}}', '$.x')", "2"), // docs
        ("json_size('{\"x\": [1, 2, 3]}', '$.x')", "3"), // docs
        ("json_size('{\"x\": {\"a\": 1, \"b\": 2}}', '$.x.a')", "0"), // docs
        ("json_format(json_parse('[1, 2, 3]'))", "[1,2,3]"), // docs
        ("json_parse('\"abc\"')", "\"abc\""), // docs, as text
        ("json_parse(NULL)", "NULL"),
    ])
    .await;
    refuse(&[
        ("json_parse('{a}')", &["json_parse", "'{a}'"]),
        ("json_format('[1] 2')", &["json_format", "'[1] 2'"]),
        ("json_extract('{}', '$..a')", &["json_extract", "'$..a'"]),
        (
            "json_extract_scalar('{}', 'a')",
            &["json_extract_scalar", "'a'", "'$'"],
        ),
        (
            "json_extract_scalar('{}', '$[*]')",
            &["json_extract_scalar", "'$[*]'"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn conditions_and_numbers() {
    check(&[
        ("if(true, 1, 2)", "1"),
        ("if(false, 1, 2)", "2"),
        ("if(false, 1)", "NULL"),
        ("if(NULL, 'a', 'b')", "b"),
        (
            "if(x > 1, 2.5, x) FROM (VALUES (1), (2), (NULL)) AS t(x)",
            "1.0 ; 2.5 ; NULL",
        ),
        // The branch not taken is not computed.
        (
            "if(x = 0, 0, 10 / x) FROM (VALUES (0), (5)) AS t(x)",
            "0 ; 2",
        ),
        (
            "if(x = 0, 1, mod(5, x)) FROM (VALUES (0), (3)) AS t(x)",
            "1 ; 2",
        ),
        ("mod(7, 3)", "1"),
        ("mod(-7, 3)", "-1"),
        ("mod(7.5, 2)", "1.5"),
        ("mod(NULL, 2)", "NULL"),
        ("mod(x, 2) FROM (VALUES (3), (NULL)) AS t(x)", "1 ; NULL"),
        ("truncate(-1.7)", "-1.0"),
        ("truncate(1.29, 1)", "1.2"),
        ("ceiling(1.2)", "2.0"),
        ("sign(-3.5)", "-1.0"),
        ("is_nan(nan())", "true"),
        ("is_nan(1.0)", "false"),
        ("is_finite(infinity())", "false"),
        ("is_finite(1)", "true"),
        ("is_infinite(-infinity())", "true"),
        ("is_finite(NULL)", "NULL"),
        (
            "is_finite(x) FROM (VALUES (1e0), (NULL)) AS t(x)",
            "true ; NULL",
        ),
    ])
    .await;
    refuse(&[
        ("if(1, 2, 3)", &["if", "boolean"]),
        ("mod(1, 0)", &["ivide by zero"]),
        ("mod('a', 2)", &["mod", "numbers"]),
        ("is_finite('a')", &["is_finite", "number"]),
    ])
    .await;
}

#[tokio::test]
async fn arrays_and_maps() {
    check(&[
        ("element_at(ARRAY[10, 20, 30], 1)", "10"),
        ("element_at(ARRAY[10, 20, 30], -1)", "30"),
        ("element_at(ARRAY[10, 20, 30], 4)", "NULL"),
        ("element_at(ARRAY[10, 20, 30], -4)", "NULL"),
        ("element_at(ARRAY[10, NULL], 2)", "NULL"),
        ("element_at(ARRAY[10], NULL)", "NULL"),
        (
            "element_at(a, i) FROM (VALUES (ARRAY[1, 2], 2), (NULL, 1), (ARRAY[3], 1)) AS t(a, i)",
            "2 ; NULL ; 3",
        ),
        (
            "element_at(arrow_cast(ARRAY[1, 2], 'LargeList(Int64)'), 2)",
            "2",
        ),
        (
            "element_at(arrow_cast(ARRAY[1, 2], 'FixedSizeList(2, Int64)'), -1)",
            "2",
        ),
        ("element_at(split('a/b', '/'), -1)", "b"),
        (
            "element_at(MAP(ARRAY['key1', 'key2'], ARRAY['v1', 'v2']), 'key2')",
            "v2",
        ), // docs, as []
        ("element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", "NULL"), // docs, in words
        ("element_at(MAP(ARRAY[1, 3], ARRAY[2, 4]), 3)", "4"),
        ("element_at(MAP(ARRAY['a'], ARRAY[1]), NULL)", "NULL"),
        ("cardinality(ARRAY[1, 2, 3])", "3"),
        ("cardinality(ARRAY[ARRAY[1], ARRAY[2, 3]])", "2"),
        ("cardinality(ARRAY[]) - 1", "-1"),
        ("cardinality(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))", "2"),
        ("cardinality(NULL)", "NULL"),
        ("contains(ARRAY[1, 2], 2)", "true"),
        ("contains(ARRAY[1, 2], 3)", "false"),
        ("contains(ARRAY[1, NULL], 1)", "true"),
        ("contains(ARRAY[1, NULL], 3)", "NULL"),
        ("contains(ARRAY[1], NULL)", "NULL"),
        ("contains(ARRAY[1, 2], 2.0)", "true"),
        ("contains(ARRAY['a', 'b'], 'b')", "true"),
        (
            "contains(a, 2) FROM (VALUES (ARRAY[1, 2]), (NULL), (ARRAY[3])) AS t(a)",
            "true ; NULL ; false",
        ),
        // DataFusion's own meaning.
        ("contains('abc', 'bc')", "true"),
        (
            "contains(s, 'b') FROM (VALUES ('abc'), ('x'), (NULL)) AS t(s)",
            "true ; false ; NULL",
        ),
        (
            "contains(arrow_cast('abc', 'Utf8View'), s) FROM (VALUES ('b'), ('x'), (NULL)) AS t(s)",
            "true ; false ; NULL",
        ),
    ])
    .await;
    refuse(&[
        ("element_at(ARRAY[1], 0)", &["element_at", "start at 1"]),
        ("element_at('abc', 1)", &["element_at", "array or a map"]),
        ("cardinality('abc')", &["cardinality", "array or a map"]),
        (
            "contains(ARRAY[1], DATE '2020-01-01')",
            &["contains", "array of Int64", "Date32"],
        ),
        ("contains(ARRAY[1], '1')", &["contains"]),
        (
            "element_at(MAP(ARRAY['a'], ARRAY[1]), 1)",
            &["element_at", "a key is Utf8"],
        ),
    ])
    .await;
}
