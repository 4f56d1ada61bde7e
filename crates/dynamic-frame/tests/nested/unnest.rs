//! Glue's UnnestFrame: the names are those of its Scala page (`a.b`, and `a.val.b` within arrays).

use crate::support::{json, rows};

#[tokio::test]
async fn structs_become_columns() {
    let frame = json(
        "id:bigint,a:struct<b:struct<c:int,d:string>,e:array<int>>,l:array<struct<x:int,y:struct<z:string>>>,m:map<string,int>,c:choice<bigint,string>",
        r#"{"id": 1, "a": {"b": {"c": 1, "d": "x"}, "e": [1, 2]}, "l": [{"x": 1, "y": {"z": "p"}}, null, {"y": null}], "m": {"k": 1}, "c": {"long": 1}}
           {"id": 2, "a": {"b": null, "e": []}, "l": [], "m": {}}
           {"id": 3}"#,
    );
    let flat = frame.unnest().unwrap();
    assert_eq!(
        rows(flat).await,
        "id|a.b.c|a.b.d|a.e|l.val.x|l.val.y.z|m|c\n\
         1|1|x|[1, 2]|[1, , ]|[p, , ]|{k: 1}|{long: 1, string: }\n\
         2|||[]|[]|[]|{}|\n3|||||||"
    );
}

#[test]
fn a_name_that_is_taken() {
    let frame = json("`a.b`:int,a:struct<b:int>", "{}");
    assert_eq!(
        frame.unnest().unwrap_err().to_string(),
        "the field '`a.b`' is there already"
    );
}
