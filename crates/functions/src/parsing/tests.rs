use arrow::array::{Array, AsArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

async fn run(sql: &str) -> Result<String, String> {
    let mut ctx = SessionContext::new();
    crate::register_all(&mut ctx).unwrap();
    let frame = ctx.sql(sql).await.map_err(|e| e.to_string())?;
    let rows = frame.collect().await.map_err(|e| e.to_string())?;
    let table = pretty_format_batches(&rows).unwrap().to_string();
    let lines = table.lines().filter(|l| l.starts_with('|')).skip(1);
    let lines: Vec<String> = lines
        .map(|l| {
            l.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    Ok(lines.join("\n"))
}

const TYPE: &str = "struct<a:bigint,b:string,c:array<double>>";

// The values are by hand, from the JSON texts.
#[tokio::test]
async fn json_to_values_and_reasons() {
    let texts = [
        r#"{"a": 1, "b": "x", "c": [1, 2.5]}"#,
        r#"{"b": 7, "z": {}}"#,
        r#"{"a": "12"}"#,
        "",
        r#"{"a": "twelve"}"#,
        r#"{"a": 1} {"a": 2}"#,
        r#"{"a": 1"#,
        r#"}"#,
        "null",
        "[1]",
        r#"{"a": 3}"#,
    ];
    let rows: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(n, t)| format!("({n}, '{t}')"))
        .collect();
    let sql = format!(
        "SELECT u.value, u.reason FROM (SELECT n, unbox_json(t, '{TYPE}') AS u FROM (VALUES {}, (99, NULL)) AS v(n, t)) ORDER BY n",
        rows.join(", ")
    );
    let answer = run(&sql).await.unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines[0], "{a: 1, b: x, c: [1.0, 2.5]}|");
    assert_eq!(lines[1], "{a: , b: 7, c: }|");
    assert_eq!(lines[2], "{a: 12, b: , c: }|");
    assert_eq!(lines[3], "|");
    for (row, text) in [
        (4, "twelve"),
        (5, "} {"),
        (6, r#"'{"a": 1'"#),
        (7, "'}'"),
        (9, "'[1]'"),
    ] {
        assert!(lines[row].starts_with("|'"), "{row}: {}", lines[row]);
        assert!(lines[row].contains(text), "{row}: {}", lines[row]);
        assert!(
            lines[row].contains("is no JSON of struct<a:bigint"),
            "{}",
            lines[row]
        );
    }
    assert_eq!(lines[8], "|");
    assert_eq!(lines[10], "{a: 3, b: , c: }|");
    assert_eq!(lines[11], "|");
    let value =
        run("SELECT from_json('{\"a\": 1', 'struct<a:int>'), from_json('[1,2]', 'array<int>')")
            .await;
    assert_eq!(value.unwrap(), "|[1, 2]");
}

#[tokio::test]
async fn csv_to_values_and_reasons() {
    let of = |text: &str, options: &str| {
        format!(
            "SELECT u.value, u.reason FROM (SELECT unbox_csv('{text}', 'struct<id:int,name:string,day:date>', '{options}') AS u)"
        )
    };
    let cases = [
        ("1,x,2024-02-29", "{}", "{id: 1, name: x, day: 2024-02-29}|"),
        (
            "1,\"a, \"\"b\"\"\",",
            "{}",
            "{id: 1, name: a, \"b\", day: }|",
        ),
        (
            "1;\"a;b\";",
            r#"{"separator": ";", "quote": ""}"#,
            "|'1;\"a;b\";' has 4 fields where 3 are expected",
        ),
        (
            "1,\"a\\\"b\",",
            r#"{"escaper": "\\"}"#,
            "{id: 1, name: a\"b, day: }|",
        ),
        (
            "x,y,z\n 2 ,y,",
            r#"{"skipFirst": true}"#,
            "{id: 2, name: y, day: }|",
        ),
        (
            "NAME,id,more\nn,3,m",
            r#"{"withHeader": true}"#,
            "{id: 3, name: n, day: }|",
        ),
        ("one,x,", "{}", "|'one' in field id is no int"),
        (
            "1,x,2024-02-30",
            "{}",
            "|'2024-02-30' in field day is no date",
        ),
        ("1,x,\n2,y,", "{}", "holds more than one record"),
        ("1,x", "{}", "|'1,x' has 2 fields where 3 are expected"),
    ];
    for (text, options, expected) in cases {
        let answer = run(&of(text, options)).await.unwrap();
        assert!(answer.contains(expected), "{text} with {options}: {answer}");
    }
    let error = run(&of("1", r#"{"seperator": ";"}"#)).await.unwrap_err();
    assert!(error.contains("unknown field `seperator`"), "{error}");
}

// Encoded by hand after the specification: a long is a zigzag varint, a string its length and bytes,
// a union the branch's index and its value. {a: 27, b: "foo"} is the specification's own example.
#[tokio::test]
async fn avro_to_values_and_reasons() {
    let schema = r#"{"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"]}]}"#;
    let sql = format!(
        "SELECT u.value, u.reason FROM (SELECT n, unbox_avro(t, '{schema}') AS u FROM (VALUES
           (0, X'360206666f6f'), (1, X'0100'), (2, X'3602066f'), (3, X'360206666f6f00'), (4, NULL), (5, X'0200')) AS v(n, t)) ORDER BY n"
    );
    let answer = run(&sql).await.unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines[0], "{a: 27, b: foo}|");
    assert_eq!(lines[1], "{a: -1, b: }|");
    assert!(
        lines[2].starts_with("|4 bytes are no Avro datum"),
        "{answer}"
    );
    assert!(lines[3].contains("7 bytes"), "{answer}");
    assert_eq!(lines[4], "|");
    assert_eq!(lines[5], "{a: 1, b: }|");
    let text = format!("SELECT from_avro('NgIGZm9v', '{schema}'), from_avro('%%', '{schema}')");
    assert_eq!(run(&text).await.unwrap(), "{a: 27, b: foo}|");
    let hostile = r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#;
    let error = run(&format!("SELECT from_avro(X'00', '{hostile}')"))
        .await
        .unwrap_err();
    assert!(error.contains("no bytes"), "{error}");
}

// The datum was written by fastavro 1.13.1 (`schemaless_writer`) from {"tags": ["a", None], "m": {"x": 1.5}, "kind": "blue",
// "at": 2024-02-29 12:00:00.000005 UTC, "day": 1999-12-31, "price": -12.34, "inner": {"ok": True}}.
#[tokio::test]
async fn avro_of_every_kind() {
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"tags","type":{"type":"array","items":["null","string"]}},
        {"name":"m","type":{"type":"map","values":"double"}},
        {"name":"kind","type":{"type":"enum","name":"k","symbols":["red","blue"]}},
        {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
        {"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
        {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
        {"name":"inner","type":{"type":"record","name":"i","fields":[{"name":"ok","type":"boolean"}]}}]}"#;
    let datum = "BAICYQAAAgJ4AAAAAAAA+D8AAorA//r/oIkGApirAQT7LgE=";
    let schema = schema.replace('\n', "");
    let answer = run(&format!("SELECT from_avro('{datum}', '{schema}')")).await;
    assert_eq!(
        answer.unwrap(),
        "{tags: [a, ], m: {x: 1.5}, kind: blue, at: 2024-02-29T12:00:00.000005Z, day: 1999-12-31, price: -12.34, inner: {ok: true}}"
    );
}

#[tokio::test]
async fn mistakes_are_found_when_planning() {
    for (sql, said) in [
        (
            "SELECT from_json(t, t) FROM (VALUES ('x')) AS v(t)",
            "as a constant text",
        ),
        ("SELECT from_json('1', 'strct<a:int>')", "strct"),
        ("SELECT from_json('1', 'choice<bigint,string>')", "choice"),
        (
            "SELECT from_json(1, 'bigint')",
            "must be varchar, not Int64",
        ),
        ("SELECT from_csv('1', 'bigint')", "is a struct, not bigint"),
        (
            "SELECT from_csv('1', 'struct<a:array<int>>')",
            "CSV cannot hold 'a'",
        ),
        ("SELECT from_avro('x', 'record')", "no Avro schema"),
    ] {
        let error = run(sql).await.unwrap_err();
        assert!(error.contains(said), "{sql}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever else is in a batch, a good text gives its value, and a bad one a reason.
    #[test]
    fn neighbours_do_not_matter(texts in prop::collection::vec(
        prop::sample::select(vec![r#"{"a":1}"#, r#"{"a":"x"}"#, "{", "}", "{}{}", "[", "", "7", "\"", "{\"a\":{}}", "{\"a\":1}\n"]), 1..40))
    {
        let array = arrow::array::StringArray::from(texts.clone());
        let data_type = mastic_schema::hive::parse_type("struct<a:bigint>").unwrap();
        let parsed = super::json::parse(&crate::args::Text::Utf8(&array), texts.len(), &data_type).unwrap();
        for (row, text) in texts.iter().enumerate() {
            let good = text.trim() == r#"{"a":1}"#;
            prop_assert_eq!(parsed.values.is_valid(row), good, "{}", text);
            prop_assert_eq!(parsed.reasons.contains_key(&row), !good && !text.is_empty(), "{}", text);
            if good {
                let a = parsed.values.as_struct().column(0).clone();
                prop_assert_eq!(a.as_primitive::<arrow::datatypes::Int64Type>().value(row), 1);
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "(?s).{0,40}") {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let schema = r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array","items":["null","string"]}},{"name":"m","type":{"type":"map","values":"bytes"}}]}"#;
        let text = text.replace('\'', "''");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sql = format!("SELECT unbox_avro(X'{hex}', '{schema}'), unbox_csv('{text}', 'struct<a:int,b:string>'), unbox_json('{text}', 'struct<a:map<string,int>>')");
        prop_assert!(runtime.block_on(run(&sql)).is_ok());
    }
}
