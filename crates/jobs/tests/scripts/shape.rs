//! Steps on choices, nested records and collections.

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_jobs::{Plan, ScriptErrors, explain, plan};

use crate::support::{Memory, parse};

const HEAD: &str = "\
sources:
  mixed: odd.mixed
  countries: geo.countries
  airlines: nyc.airlines
  flights: nyc.flights
frames:
";

async fn planned(frames: &str, sinks: &str) -> Result<Plan, ScriptErrors> {
    let text = format!("{HEAD}{frames}sinks:\n{sinks}");
    plan(&parse(&text, &[])?, &Memory::new()).await
}

async fn frame(plan: &Plan, name: &str) -> String {
    let (_, frame) = plan.frames.iter().find(|(n, _)| n == name).unwrap();
    let batches = frame.clone().into_dataframe().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter(|l| l.starts_with('|')).map(|line| {
        let inner = &line[1..line.len() - 1];
        inner
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("|")
    });
    lines.collect::<Vec<_>>().join("\n")
}

const FRAMES: &str = "
  by_path:
    - from: mixed
    - resolve_choice: {c: 'cast:long', 'tags[].v': project:double}
    - drop_fields: tags.k
  by_pairs:
    - from: mixed
    - resolve_choice: [[c, make_cols]]
    - select_fields: [c_long, c_string]
  by_specs:
    - from: mixed
    - resolve_choice: {specs: [[c, 'project:string']]}
    - select_fields: c
  all:
    - from: mixed
    - resolve_choice: cast:string
  all_named:
    - from: mixed
    - resolve_choice: {choice: make_struct}
  as_in:
    - from: mixed
    - map: {flight: c.string}
    - resolve_choice: {match_catalog: nyc.flights}
  as_in_named:
    - from: mixed
    - map: {flight: c.string}
    - resolve_choice: {choice: match_catalog, database: nyc, table_name: flights}
  nulls:
    - from: mixed
    - apply_mapping: {mappings: [c -> c int, id -> id], on_error: null}
  tables:
    - from: mixed
    - resolve_choice: cast:string
    - relationalize: root
  children:
    - from: tables/root_tags
    - join: {with: tables/root, on: {id: tags}}
  counted:
    - sql: SELECT count(*) AS n FROM \"tables/root_tags\" AS t JOIN children ON children.id = t.id
  chosen:
    - from: tables
    - map_to_collection:
        - map: {seen: 'true'}
        - sql: SELECT * FROM chosen
    - select_from_collection: root_tags
    - select_fields: seen
  halves:
    - from: flights
    - split_rows: {comparison_dict: {flight: {'>': 1, '<=': 2}}, name1: in, name2: out}
    - map_to_collection:
        - split_fields: {paths: [carrier], name1: who, name2: what}
  flat:
    - from: countries
    - unnest
    - select_fields: ['`name.common`', latlng]
";

#[tokio::test]
async fn steps_plan_and_run() {
    let plan = planned(
        FRAMES,
        "  - {frame: tables, path: out/t, table: flat.c_}\n  - {frame: halves/in_who, path: out/h}\n",
    )
    .await
    .unwrap_or_else(|e| panic!("{}", e.render()));
    for (name, expected) in [
        (
            "by_path",
            "id|c|tags\n1|7|[{v: 1.0}, {v: }]\n2||[{v: }]\n3||",
        ),
        ("by_pairs", "c_long|c_string\n7|\n|n/a\n|"),
        ("by_specs", "c\n\nn/a\n"),
        (
            "all",
            "id|c|tags\n1|7|[{k: a, v: 1.0}, {k: b, v: }]\n2|n/a|[{k: , v: x}]\n3||",
        ),
        ("nulls", "c|id\n7|1\n|2\n|3"),
        ("tables/root", "id|c|tags\n1|7|1\n2|n/a|2\n3||"),
        (
            "tables/root_tags",
            "id|index|tags.val.k|tags.val.v\n1|0|a|1.0\n1|1|b|\n2|0||x",
        ),
        ("counted", "n\n5"),
        ("chosen", "seen\ntrue\ntrue\ntrue"),
        ("halves/in_who", "carrier\nAA"),
        ("flat", "name.common|latlng\nAruba|[12.5, -69.9]"),
    ] {
        assert_eq!(frame(&plan, name).await, expected, "{name}");
    }
    let schema = |name: &str| {
        let (_, frame) = plan.frames.iter().find(|(n, _)| n == name).unwrap();
        frame.pretty_schema()
    };
    assert!(schema("all_named").contains("|-- c: struct\n|    |-- long: bigint"));
    assert!(schema("as_in").contains("|-- flight: bigint"));
    assert_eq!(schema("as_in"), schema("as_in_named"));
    let places: Vec<String> = plan
        .sinks
        .iter()
        .map(|s| {
            let table = s.def.table.as_ref().map(ToString::to_string);
            format!(
                "{} {} {}",
                s.def.frame,
                s.def.path,
                table.unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            "tables/root out/t/root flat.c_root",
            "tables/root_tags out/t/root_tags flat.c_root_tags",
            "halves/in_who out/h ",
        ]
    );
}

#[tokio::test]
async fn a_picture_of_them() {
    let text = format!("{HEAD}{FRAMES}sinks:\n  - {{frame: tables, path: out/t}}\n");
    let script = parse(&text, &[]).unwrap();
    let plan = plan(&script, &Memory::new()).await.unwrap();
    insta::assert_snapshot!("shapes_explained", explain(&script, Some(&plan)));
}

#[tokio::test]
async fn mistakes() {
    let cases = [
        ("action", "    - resolve_choice: {c: cats:long}\n"),
        ("path", "    - resolve_choice: {cc: make_cols}\n"),
        ("alternative", "    - resolve_choice: {c: project:date}\n"),
        ("no_choice", "    - resolve_choice: {id: make_cols}\n"),
        (
            "choice_and_specs",
            "    - resolve_choice: {choice: make_cols, specs: []}\n",
        ),
        (
            "table",
            "    - resolve_choice: {match_catalog: nyc.flihgts}\n",
        ),
        (
            "on_error",
            "    - apply_mapping: {mappings: [id -> id], on_error: nil}\n",
        ),
        ("unnest_with", "    - unnest: [c]\n"),
        ("numbers", "    - simplify_ddb_json: {numbers: dobule}\n"),
        ("collection", "    - relationalize\n    - filter: id > 1\n"),
        (
            "key",
            "    - relationalize\n    - select_from_collection: root_tasg\n",
        ),
        (
            "no_collection",
            "    - map_to_collection: [drop_null_fields]\n",
        ),
        (
            "inner_step",
            "    - relationalize\n    - map_to_collection: [{filtre: id > 1}]\n",
        ),
        ("split_without", "    - split_rows: {name1: a, name2: b}\n"),
        (
            "split_value",
            "    - split_rows: {comparison_dict: {id: {'>': old}}, name1: a, name2: b}\n",
        ),
        (
            "split_names",
            "    - split_fields: {paths: id, name1: a, name2: a}\n",
        ),
        ("expression", "    - map: {d: c.strin}\n"),
        ("filter", "    - filter: c = 'x' and c.strin = 'y'\n"),
    ];
    for (name, steps) in cases {
        let said = planned(
            &format!("  f:\n    - from: mixed\n{steps}"),
            "  - {frame: f, path: out}\n",
        )
        .await
        .map(|_| ())
        .unwrap_err();
        insta::assert_snapshot!(format!("shape_{name}"), said.render());
    }
    let tables = "  t:\n    - from: mixed\n    - relationalize\n";
    for (name, frames, sink) in [
        ("sink_key", "", "{frame: t/rot, path: out}"),
        ("sink_frame", "", "{frame: mixed/root, path: out}"),
        (
            "from_key",
            "  f:\n    - from: t/x\n",
            "{frame: f, path: out}",
        ),
        (
            "partition",
            "",
            "{frame: t, path: out, partition_by: index}",
        ),
        (
            "sink_choice",
            "",
            "{frame: mixed, path: out, format: csv, partition_by: c}",
        ),
    ] {
        let said = planned(&format!("{tables}{frames}"), &format!("  - {sink}\n"))
            .await
            .map(|_| ())
            .unwrap_err();
        insta::assert_snapshot!(format!("shape_{name}"), said.render());
    }
}
