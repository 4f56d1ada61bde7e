//! Glue's ResolveChoice. The expected values follow from "ResolveChoice class" in its documentation; where
//! its pages differ, from the Scala page and `examples/resolve_choice.md` of `aws-glue-samples`.

use arrow::datatypes::DataType;
use mastic_dynamic_frame::{ChoiceAction, DynamicFrame, FrameError};
use mastic_schema::hive::parse_type;

use crate::support::{json, rows};

const LINES: &str = r#"
{"id": 1, "c": {"long": 7}}
{"id": 2, "c": {"string": "8"}}
{"id": 3, "c": {"string": "n/a"}}
{"id": 4}
"#;

fn mixed() -> DynamicFrame {
    json("id:bigint,c:choice<bigint,string>", LINES)
}

fn resolve(frame: DynamicFrame, path: &str, action: &str) -> Result<DynamicFrame, FrameError> {
    frame.resolve_choice(&[(path.to_owned(), action.parse()?)])
}

#[test]
fn a_choice_is_drawn_as_glue_draws_it() {
    assert_eq!(
        mixed().pretty_schema(),
        "root\n|-- id: bigint\n|-- c: choice\n|    |-- long\n|    |-- string\n"
    );
    let deep = json("c:choice<array<bigint>,string>", "");
    assert_eq!(
        deep.pretty_schema(),
        "root\n|-- c: choice\n|    |-- array\n|    |    |-- element: bigint\n|    |-- string\n"
    );
}

#[tokio::test]
async fn the_four_actions() {
    let cast = resolve(mixed(), "c", "cast:long").unwrap();
    assert_eq!(
        cast.pretty_schema(),
        "root\n|-- id: bigint\n|-- c: bigint\n"
    );
    assert_eq!(rows(cast).await, "id|c\n1|7\n2|8\n3|\n4|");
    let text = resolve(mixed(), "c", "cast:string").unwrap();
    assert_eq!(rows(text).await, "id|c\n1|7\n2|8\n3|n/a\n4|");
    for name in ["project:long", "project:bigint"] {
        let only = resolve(mixed(), "c", name).unwrap();
        assert_eq!(rows(only).await, "id|c\n1|7\n2|\n3|\n4|");
    }
    let columns = resolve(mixed(), "c", "make_cols").unwrap();
    assert_eq!(
        rows(columns).await,
        "id|c_long|c_string\n1|7|\n2||8\n3||n/a\n4||"
    );
    let plain = resolve(mixed(), "c", "make_struct").unwrap();
    assert_eq!(
        plain.pretty_schema(),
        "root\n|-- id: bigint\n|-- c: struct\n|    |-- long: bigint\n|    |-- string: string\n"
    );
    assert_eq!(
        rows(plain).await,
        "id|c\n1|{long: 7, string: }\n2|{long: , string: 8}\n3|{long: , string: n/a}\n4|"
    );
}

const DEEP: &str = r#"
{"a": {"b": [{"x": {"long": 1}}, {"x": {"string": "2"}}, {}, null]}, "m": {"k": {"long": 3}}}
{"a": {"b": []}, "m": {}}
{"a": {}, "m": {"k": {"string": "z"}, "l": null}}
{}
"#;
const DEEP_TYPE: &str =
    "a:struct<b:array<struct<x:choice<bigint,string>>>>,m:map<string,choice<bigint,string>>";

#[tokio::test]
async fn choices_in_arrays_and_maps() {
    let deep = || json(DEEP_TYPE, DEEP);
    let cast = resolve(deep(), "a.b[].x", "cast:bigint").unwrap();
    let cast = resolve(cast, "m[]", "project:string").unwrap();
    assert_eq!(
        cast.pretty_schema(),
        "root\n|-- a: struct\n|    |-- b: array\n|    |    |-- element: struct\n|    |    |    |-- x: bigint\n\
         |-- m: map\n|    |-- keyType: string\n|    |-- valueType: string\n"
    );
    assert_eq!(
        rows(cast).await,
        "a|m\n{b: [{x: 1}, {x: 2}, {x: }, ]}|{k: }\n{b: []}|{}\n{b: }|{k: z, l: }\n|"
    );
    let columns = resolve(deep(), "a.b[].x", "make_cols").unwrap();
    let first = rows(columns.select_fields(&["a"]).unwrap()).await;
    assert_eq!(
        first.lines().nth(1).unwrap(),
        "{b: [{x_long: 1, x_string: }, {x_long: , x_string: 2}, {x_long: , x_string: }, ]}"
    );
    // All at once is the same as one by one.
    let all = deep()
        .resolve_choices(&ChoiceAction::Cast("string".into()))
        .unwrap();
    assert_eq!(
        rows(all).await,
        "a|m\n{b: [{x: 1}, {x: 2}, {x: }, ]}|{k: 3}\n{b: []}|{}\n{b: }|{k: z, l: }\n|"
    );
}

#[tokio::test]
async fn nested_alternatives() {
    let kinds = || {
        json(
            "c:choice<struct<a:choice<bigint,string>>,array<string>,string>",
            r#"{"c": {"struct": {"a": {"long": 1}}}}
               {"c": {"array": ["x", "y"]}}
               {"c": {"string": "s"}}"#,
        )
    };
    // A nested value is text as JSON; text is an array of one.
    let array = resolve(kinds(), "c", "cast:array<string>").unwrap();
    assert_eq!(
        rows(array).await,
        r#"c
[{"a":1}]
[x, y]
[s]"#
    );
    let structs = resolve(kinds(), "c", "project:struct").unwrap();
    assert_eq!(
        structs.pretty_schema(),
        "root\n|-- c: struct\n|    |-- a: choice\n|    |    |-- long\n|    |    |-- string\n"
    );
    // An alternative's own choice is resolved by its path, or with all others.
    let inner = resolve(kinds(), "c.struct.a", "cast:string").unwrap();
    assert_eq!(
        inner.pretty_schema().lines().nth(2).unwrap(),
        "|    |-- struct"
    );
    let all = kinds().resolve_choices(&ChoiceAction::MakeCols).unwrap();
    assert_eq!(
        all.pretty_schema(),
        "root\n|-- c_struct: struct\n|    |-- a_long: bigint\n|    |-- a_string: string\n\
         |-- c_array: array\n|    |-- element: string\n|-- c_string: string\n"
    );
}

#[tokio::test]
async fn the_tables_types() {
    let frame = json(
        "ID:bigint,c:choice<bigint,string>,s:struct<a:string,b:int>,l:array<choice<bigint,string>>,own:choice<boolean,string>",
        r#"{"ID": 1, "c": {"string": "2"}, "s": {"a": "3", "b": 4}, "l": [{"long": 5}, {"string": "x"}], "own": {"boolean": true}}"#,
    );
    let DataType::Struct(table) =
        parse_type("struct<id:string,c:double,s:struct<a:int>,l:array<int>,more:string>").unwrap()
    else {
        panic!()
    };
    let matched = frame.match_catalog(&table).unwrap();
    assert_eq!(
        matched.pretty_schema(),
        "root\n|-- ID: string\n|-- c: double\n|-- s: struct\n|    |-- a: int\n|    |-- b: int\n\
         |-- l: array\n|    |-- element: int\n|-- own: choice\n|    |-- boolean\n|    |-- string\n"
    );
    assert_eq!(
        rows(matched).await,
        "ID|c|s|l|own\n1|2.0|{a: 3, b: 4}|[5, ]|{boolean: true, string: }"
    );
}

#[test]
fn mistakes() {
    let said = |path: &str, action: &str| {
        let error = resolve(mixed(), path, action).unwrap_err();
        format!("{error}; {}", error.hint().unwrap_or_default())
    };
    assert_eq!(
        said("cc", "make_cols"),
        "there is no field 'cc'; did you mean 'c'?"
    );
    assert_eq!(
        said("c", "project:date"),
        "'c' is choice<bigint,string>, but a choice that can be date is needed; \
         its alternatives are long (bigint), string"
    );
    assert_eq!(
        said("id", "make_struct"),
        "'id' is bigint, but a choice is needed; there is nothing to resolve: leave it out, or use cast:TYPE"
    );
    assert_eq!(
        said("c", "cats:int"),
        "'cats:int' does not say what becomes of a choice; did you mean 'cast'?"
    );
    assert_eq!(
        said("c", "cast:itn"),
        "type 'itn' is unknown (did you mean 'int'?); "
    );
    assert!(said("c[]", "make_cols").starts_with("'c[]' is choice<bigint,string>, but an array"));
    let taken = json("c:choice<bigint,string>,c_long:int", "{}");
    assert_eq!(
        resolve(taken, "c", "make_cols").unwrap_err().to_string(),
        "the field 'c_long' is there already"
    );
    let within = json("s:struct<c:choice<bigint,string>,c_long:int>", "{}");
    assert_eq!(
        resolve(within, "s.c", "make_cols").unwrap_err().to_string(),
        "the field 'c_long' is there already"
    );
    let array = json(DEEP_TYPE, DEEP);
    assert!(resolve(array.clone(), "m[]", "make_cols").is_err());
    let error = resolve(array, "a.b.x", "make_cols").unwrap_err();
    assert_eq!(error.hint().unwrap(), "an array's elements are 'a.b[]'");
    // One alternative cannot go without the others.
    let error = mixed().drop_fields(&["c.long"]).unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "resolve it first: resolve_choice: {c: ...}"
    );
}

#[tokio::test]
async fn other_transforms_leave_choices_whole() {
    let frame = json(
        "n:int,c:choice<struct<a:int>,string>,l:array<choice<bigint,string>>",
        "{}",
    );
    assert_eq!(
        frame.clone().drop_null_fields().unwrap().pretty_schema(),
        frame.pretty_schema()
    );
    let within = json(
        "t:array<struct<k:string,v:choice<bigint,string>>>",
        r#"{"t": [{"k": "a", "v": {"long": 1}}]}"#,
    );
    let within = within.drop_fields(&["t.k"]).unwrap();
    assert!(
        within.pretty_schema().contains("v: choice"),
        "{}",
        within.pretty_schema()
    );
    assert_eq!(rows(within).await, "t\n[{v: {long: 1, string: }}]");
    assert!(frame.clone().drop_fields(&["l.long"]).is_err());
    assert!(frame.clone().select_fields(&["c.string"]).is_err());
    assert!(frame.rename_field("c.string", "s").is_err());
}
