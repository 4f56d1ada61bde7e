//! Glue's Relationalize. The first case is the example of its Scala page, with the names that
//! `examples/join_and_relationalize.md` of `aws-glue-samples` shows.

use crate::support::{json, rows};

#[tokio::test]
async fn an_array_becomes_a_table() {
    let people = json(
        "name:string,age:int,friends:array<string>",
        r#"{"name": "Nancy", "age": 47, "friends": ["Fred", "Lakshmi"]}
           {"name": "Stephanie", "age": 28, "friends": ["Yao", "Phil", "Alvin"]}
           {"name": "Nathan", "age": 54, "friends": ["Nicolai", "Karen"]}"#,
    );
    let tables = people.relationalize("people").unwrap();
    assert_eq!(
        tables.keys().collect::<Vec<_>>(),
        ["people", "people_friends"]
    );
    assert_eq!(
        rows(tables.select("people").unwrap()).await,
        "name|age|friends\nNancy|47|1\nStephanie|28|2\nNathan|54|3"
    );
    assert_eq!(
        rows(tables.select("people_friends").unwrap()).await,
        "id|index|friends.val\n1|0|Fred\n1|1|Lakshmi\n2|0|Yao\n2|1|Phil\n2|2|Alvin\n3|0|Nicolai\n3|1|Karen"
    );
}

const NESTED: &str = r#"
{"id": "a", "at": {"city": "x", "tags": ["t", null]}, "l": [{"n": 1, "m": [{"k": "p"}, {"k": "q"}]}, {"n": 2, "m": []}, null], "kv": {"one": 1}, "c": {"array": [7, 8]}}
{"id": "b", "at": null, "l": null, "kv": {}, "c": {"string": "none"}}
{"id": "c", "at": {"tags": []}, "l": [{"n": 3, "m": [{"k": "r"}]}]}
"#;

#[tokio::test]
async fn arrays_at_any_depth() {
    let frame = json(
        "id:string,at:struct<city:string,tags:array<string>>,l:array<struct<n:int,m:array<struct<k:string>>>>,kv:map<string,int>,c:choice<array<bigint>,string>",
        NESTED,
    );
    let tables = frame.relationalize("root").unwrap();
    assert_eq!(
        tables.keys().collect::<Vec<_>>(),
        [
            "root",
            "root_at.tags",
            "root_l",
            "root_l.val.m",
            "root_kv",
            "root_c.array"
        ]
    );
    let table = |key: &str| rows(tables.select(key).unwrap());
    // A NULL array has no number; an empty one has, and no elements.
    assert_eq!(
        table("root").await,
        "id|at.city|at.tags|l|kv|c.array|c.string\na|x|1|1|1|1|\nb||||2||none\nc||3|3|||"
    );
    assert_eq!(
        table("root_at.tags").await,
        "id|index|at.tags.val\n1|0|t\n1|1|"
    );
    assert_eq!(
        table("root_l").await,
        "id|index|l.val.n|l.val.m\n1|0|1|1\n1|1|2|2\n1|2||\n3|0|3|4"
    );
    assert_eq!(
        table("root_l.val.m").await,
        "id|index|l.val.m.val.k\n1|0|p\n1|1|q\n4|0|r"
    );
    assert_eq!(
        table("root_kv").await,
        "id|index|kv.val.key|kv.val.value\n1|0|one|1"
    );
    assert_eq!(
        table("root_c.array").await,
        "id|index|c.array.val\n1|0|7\n1|1|8"
    );
}

#[tokio::test]
async fn records_without_arrays_are_one_table() {
    let tables = json("a:struct<b:int>", r#"{"a": {"b": 1}}"#)
        .relationalize("root")
        .unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["root"]);
    assert_eq!(rows(tables.select("root").unwrap()).await, "a.b\n1");
    assert!(
        json("`a.b`:int,a:struct<b:int>", "")
            .relationalize("r")
            .is_err()
    );
}

/// Every element is in its table once, beside the number that its record has in the root.
#[tokio::test]
async fn numbers_join() {
    let mut lines = String::new();
    for id in 0..20_000 {
        let l: Vec<String> = (0..id % 4)
            .map(|n| format!("{{\"m\": [{id}, {n}]}}"))
            .collect();
        lines.push_str(&format!("{{\"id\": {id}, \"l\": [{}]}}\n", l.join(",")));
    }
    let frame = json("id:bigint,l:array<struct<m:array<bigint>>>", &lines);
    let tables = frame.relationalize("root").unwrap();
    let state = datafusion::prelude::SessionContext::new().state();
    let frames = [("root", "root"), ("root_l", "l"), ("root_l.val.m", "m")]
        .map(|(key, name)| (name, tables.select(key).unwrap()));
    let joined = mastic_dynamic_frame::DynamicFrame::sql(
        &state,
        "SELECT count(*) AS n, sum(root.id) AS ids, count(DISTINCT root.l) AS keys,
                sum(CASE WHEN m.index = 0 THEN m.\"l.val.m.val\" - root.id ELSE m.\"l.val.m.val\" - l.index END) AS off
         FROM root JOIN l ON l.id = root.l JOIN m ON m.id = l.\"l.val.m\"",
        frames,
    )
    .await
    .unwrap();
    // By hand: 5,000 times (0 + 1 + 2 + 3) elements, two in each.
    let ids: i64 = (0..20_000).map(|id| id * (id % 4) * 2).sum();
    assert_eq!(
        rows(joined).await,
        format!("n|ids|keys|off\n60000|{ids}|15000|0")
    );
}

/// Long arrays are handed on in several batches, numbered on.
#[tokio::test]
async fn long_arrays() {
    let lines: String = (0..40)
        .map(|id| {
            let inner: Vec<String> = (0..2500).map(|n| format!("[{n}]")).collect();
            format!("{{\"id\": {id}, \"l\": [{}]}}\n", inner.join(","))
        })
        .collect();
    let tables = json("id:bigint,l:array<array<int>>", &lines)
        .relationalize("root")
        .unwrap();
    let batches = tables
        .select("root_l")
        .unwrap()
        .into_dataframe()
        .collect()
        .await
        .unwrap();
    assert!(
        batches.iter().all(|b| b.num_rows() <= 40_000),
        "{}",
        batches.len()
    );
    let state = datafusion::prelude::SessionContext::new().state();
    let frames = [("root_l", "l"), ("root_l.val", "m")]
        .map(|(key, name)| (name, tables.select(key).unwrap()));
    let joined = mastic_dynamic_frame::DynamicFrame::sql(
        &state,
        "SELECT count(*) AS n, sum(m.\"l.val.val\" - l.index) AS off, count(DISTINCT m.id) AS keys
         FROM l JOIN m ON m.id = l.\"l.val\"",
        frames,
    )
    .await
    .unwrap();
    assert_eq!(rows(joined).await, "n|off|keys\n100000|0|100000");
}

/// An element that a later step cannot take is set aside with the line of the record that it came from.
#[tokio::test]
async fn elements_know_their_line() {
    let frame = json(
        "id:int,l:array<string>,`$line`:bigint",
        r#"{"id": 1, "l": ["1", "2"], "$line": 10}
           {"id": 2, "l": null, "$line": 20}
           {"id": 3, "l": ["3", "x"], "$line": 30}"#,
    );
    let child = frame
        .relationalize("root")
        .unwrap()
        .select("root_l")
        .unwrap();
    assert_eq!(child.fields().len(), 3);
    let mapped = child
        .apply_mapping(&[
            "id -> id".parse().unwrap(),
            "`l.val` -> n int".parse().unwrap(),
        ])
        .unwrap();
    let (mut state, plan) = mapped.into_dataframe().into_parts();
    let ledger = mastic_dynamic_frame::Ledger::new(None, state.runtime_env().clone());
    ledger.attach(&mut state);
    let left = datafusion::dataframe::DataFrame::new(state, plan)
        .count()
        .await
        .unwrap();
    assert_eq!((left, ledger.errors()), (3, 1));
    let batch = &ledger.error_batches().unwrap()[0];
    let line = batch.column_by_name("line").unwrap();
    assert_eq!(
        arrow::util::display::array_value_to_string(line, 0).unwrap(),
        "30"
    );
}
