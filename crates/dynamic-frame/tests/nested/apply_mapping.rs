//! What cannot be cast, and choices, in Glue's ApplyMapping.

use mastic_dynamic_frame::{DynamicFrame, Mapping, OnError};

use crate::support::{json, rows, run};

fn mappings(all: &[&str]) -> Vec<Mapping> {
    all.iter().map(|m| m.parse().unwrap()).collect()
}

fn mixed() -> DynamicFrame {
    json(
        "id:bigint,t:string,c:choice<bigint,string>,s:array<struct<x:string>>",
        r#"{"id": 1, "t": "10", "c": {"long": 7}, "s": [{"x": "1"}, {"x": null}]}
           {"id": 2, "t": "ten", "c": {"string": "8"}, "s": []}
           {"id": 3, "t": null, "c": {"string": "n/a"}, "s": [{"x": "2"}]}
           {"id": 4, "t": "4", "c": null, "s": [{"x": "3"}, {"x": "four"}]}"#,
    )
}

#[tokio::test]
async fn a_record_that_cannot_be_cast_is_set_aside() {
    let all = mappings(&[
        "id -> id",
        "t -> t int",
        "c -> c bigint",
        "s -> s array<struct<x:int>>",
    ]);
    let (left, reasons) = run(mixed().apply_mapping(&all).unwrap()).await;
    assert_eq!(left, "id|t|c|s\n1|10|7|[{x: 1}, {x: }]");
    assert_eq!(
        reasons,
        [
            "'ten' in field t is no int",
            "'n/a' in field c is no bigint",
            "'[{x: 3}, {x: four}]' in field s is no array<struct<x:int>>",
        ]
    );
    let nulls = mixed().apply_mapping_with(&all, OnError::Null).unwrap();
    assert_eq!(
        rows(nulls).await,
        "id|t|c|s\n1|10|7|[{x: 1}, {x: }]\n2||8|[]\n3|||[{x: 2}]\n4|4||[{x: 3}, {x: }]"
    );
}

#[tokio::test]
async fn long_values_are_cut() {
    let long = "x".repeat(200);
    let frame = json("t:string", &format!(r#"{{"t": "{long}"}}"#));
    let (_, reasons) = run(frame.apply_mapping(&mappings(&["t -> t date"])).unwrap()).await;
    assert_eq!(
        reasons,
        [format!("'{}…' in field t is no date", &long[..60])]
    );
}

#[tokio::test]
async fn choices() {
    // Without a type a choice stays one; an alternative is a source of its own.
    let kept = mixed()
        .apply_mapping(&mappings(&[
            "c -> n.c",
            "c.string -> text",
            "c choice -> d string",
        ]))
        .unwrap();
    assert_eq!(
        kept.pretty_schema(),
        "root\n|-- n: struct\n|    |-- c: choice\n|    |    |-- long\n|    |    |-- string\n\
         |-- text: string\n|-- d: string\n"
    );
    assert_eq!(
        rows(kept).await,
        "n|text|d\n{c: {long: 7, string: }}||7\n{c: {long: , string: 8}}|8|8\n\
         {c: {long: , string: n/a}}|n/a|n/a\n||"
    );
    // A source type is one of the alternatives', and then the target's too.
    let (left, reasons) = run(mixed()
        .apply_mapping(&mappings(&["c bigint -> c"]))
        .unwrap())
    .await;
    assert_eq!((left.as_str(), reasons.len()), ("c\n7\n8\n", 1));
    let error = mixed()
        .apply_mapping(&mappings(&["c date -> c"]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "'c' is choice<bigint,string>, but date is needed"
    );
}
