use mastic_dynamic_frame::{FrameError, Unbox, UnboxFormat};

use crate::{frame, rows, run};

const EVENTS: &str = r#"SELECT * FROM (VALUES
    (1, '{"user": {"id": 7}, "tags": ["a"], "n": 1}', 'a;1'),
    (2, '{"user": {"id": 8}, "n": 2.5}', 'b;"2"'),
    (3, NULL, ''),
    (4, '{"user": "root"}', 'c;x'),
    (5, 'not json', 'c')) AS e(id, body, line)"#;

// By hand from the texts.
#[tokio::test]
async fn json_texts_become_records() {
    let events = frame(EVENTS).await.drop_fields(&["line"]).unwrap();
    let unbox = Unbox::of("body", UnboxFormat::Json).schema("struct<user:struct<id:int>,n:double>");
    let (good, errors, _) = run(events.clone().unbox(&unbox).unwrap()).await;
    assert_eq!(
        good,
        "id|body\n1|{user: {id: 7}, n: 1.0}\n2|{user: {id: 8}, n: 2.5}\n3|"
    );
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(
        errors.contains("unbox|'not json' is no JSON of struct<user:struct<id:int>,n:double>: "),
        "{errors}"
    );
    assert!(
        errors.contains(r#"|{"id":5,"body":"not json"}"#),
        "{errors}"
    );
    assert!(
        errors.contains(r#"'{"user": "root"}' is no JSON"#),
        "{errors}"
    );
    // Without anybody to take the bad records, the run fails and says why.
    let error = events
        .unbox(&unbox)
        .unwrap()
        .into_dataframe()
        .collect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is no JSON"), "{error}");
}

#[tokio::test]
async fn the_type_is_found_from_a_sample() {
    let events = frame(EVENTS).await;
    let unbox = Unbox::of("body", UnboxFormat::Json);
    let found = events.infer_unbox(&unbox, 2).await.unwrap();
    assert_eq!(
        found,
        "struct<user:struct<id:bigint>,tags:array<string>,n:double>"
    );
    let (good, _, _) = run(events
        .clone()
        .drop_fields(&["line"])
        .unwrap()
        .unbox(&unbox.schema(found))
        .unwrap())
    .await;
    assert!(
        good.contains("1|{user: {id: 7}, tags: [a], n: 1.0}"),
        "{good}"
    );
    let mut lines = Unbox::of("line", UnboxFormat::Csv);
    lines.separator = Some(';');
    lines.output = Some("fields".to_owned());
    let found = events.infer_unbox(&lines, 1).await.unwrap();
    assert_eq!(found, "struct<col0:string,col1:bigint>");
    let (good, errors, _) = run(events
        .clone()
        .drop_fields(&["body"])
        .unwrap()
        .unbox(&lines.schema(found))
        .unwrap())
    .await;
    assert_eq!(
        good,
        "id|line|fields\n1|a;1|{col0: a, col1: 1}\n2|b;\"2\"|{col0: b, col1: 2}\n3||"
    );
    assert!(
        errors.contains("'x' in field col1 is no bigint"),
        "{errors}"
    );
    assert!(
        errors.contains("'c' has 1 fields where 2 are expected"),
        "{errors}"
    );
    let empty = events.filter("id = 3").unwrap();
    let error = empty
        .infer_unbox(&Unbox::of("body", UnboxFormat::Json), 10)
        .await
        .unwrap_err();
    assert!(matches!(error, FrameError::NoSchema { .. }), "{error}");
}

// {a: 27, b: "foo"} is the example of the Avro specification, section "Records".
#[tokio::test]
async fn avro_in_base64() {
    let schema = r#"{"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}"#;
    let data = frame("SELECT 'NgZmb28=' AS x").await;
    let unboxed = data
        .clone()
        .unbox(&Unbox::of("x", UnboxFormat::Avro).schema(schema))
        .unwrap();
    assert_eq!(rows(unboxed).await, "x\n{a: 27, b: foo}");
    let error = data
        .clone()
        .unbox(&Unbox::of("x", UnboxFormat::Avro))
        .unwrap_err();
    assert!(error.hint().unwrap().contains("Avro schema"));
    let error = data
        .unbox(&Unbox::of("x", UnboxFormat::Json).schema("strct<a:int>"))
        .unwrap_err();
    assert!(matches!(error, FrameError::BadType { .. }), "{error}");
}
