//! DynamoDB's JSON. The first case is the example of Glue's `simplify_ddb_json` and `unnest_ddb_json`.

use crate::support::{json, rows};

const TYPE: &str = "Item:struct<parentMap:struct<M:struct<childMap:struct<M:struct<appName:struct<S:string>,updatedAt:struct<N:string>>>>>,strings:struct<SS:array<string>>,numbers:struct<NS:array<string>>,isDDBJson:struct<BOOL:boolean>,nullValue:struct<NULL:boolean>,l:struct<L:array<struct<S:string,N:string>>>,any:struct<BOOL:boolean,S:string,NULL:boolean>>";
const LINES: &str = r#"
{"Item": {"parentMap": {"M": {"childMap": {"M": {"appName": {"S": "app"}, "updatedAt": {"N": "12"}}}}}, "strings": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2.5"]}, "isDDBJson": {"BOOL": true}, "nullValue": {"NULL": true}, "l": {"L": [{"S": "x"}, {"N": "1"}]}, "any": {"S": "t"}}}
{"Item": {"parentMap": {"M": {}}, "any": {"NULL": true}}}
{"Item": {"any": {"BOOL": false}}}
"#;

#[tokio::test]
async fn simplified() {
    let simple = json(TYPE, LINES).simplify_ddb_json("string").unwrap();
    assert_eq!(
        simple.pretty_schema(),
        "root\n|-- parentMap: struct\n|    |-- childMap: struct\n|    |    |-- appName: string\n\
         |    |    |-- updatedAt: string\n|-- strings: array\n|    |-- element: string\n\
         |-- numbers: array\n|    |-- element: string\n|-- isDDBJson: boolean\n|-- nullValue: boolean\n\
         |-- l: array\n|    |-- element: string\n|-- any: choice\n|    |-- boolean\n|    |-- string\n"
    );
    assert_eq!(
        rows(simple).await,
        "parentMap|strings|numbers|isDDBJson|nullValue|l|any\n\
         {childMap: {appName: app, updatedAt: 12}}|[a, b]|[1, 2.5]|true|true|[x, 1]|{boolean: , string: t}\n\
         {childMap: }||||||{boolean: , string: }\n||||||{boolean: false, string: }"
    );
}

#[tokio::test]
async fn unnested_with_numbers() {
    let flat = json(TYPE, LINES).unnest_ddb_json("double").unwrap();
    let flat = flat
        .select_fields(&["`parentMap.childMap.updatedAt`", "numbers", "l"])
        .unwrap();
    assert_eq!(
        flat.pretty_schema(),
        "root\n|-- parentMap.childMap.updatedAt: double\n|-- numbers: array\n|    |-- element: double\n\
         |-- l: array\n|    |-- element: choice\n|    |    |-- double\n|    |    |-- string\n"
    );
    assert_eq!(
        rows(flat).await.lines().nth(1).unwrap(),
        "12.0|[1.0, 2.5]|[{double: , string: x}, {double: 1.0, string: }]"
    );
}

#[tokio::test]
async fn columns_that_are_attributes_or_not() {
    let frame = json(
        "id:struct<N:string>,S:string,m:struct<M:map<string,struct<N:string>>>",
        r#"{"id": {"N": "1"}, "S": "plain", "m": {"M": {"k": {"N": "2"}, "l": null}}}"#,
    );
    let simple = frame.simplify_ddb_json("bigint").unwrap();
    assert_eq!(rows(simple).await, "id|S|m\n1|plain|{k: 2, l: }");
    assert!(json("a:int", "").simplify_ddb_json("nmber").is_err());
}
