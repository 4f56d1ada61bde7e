use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_jobs::{SinkFormat, SinkMode, Step, explain, plan};

use crate::support::{Memory, parse};

const FLIGHTS: &str = r#"
name: flights_enriched
description: Flights with their planes and airlines
parameters:
  out: .mastic/lake
  least: {type: bigint, default: 0, description: shortest distance}
sources:
  flights: nyc.flights
  planes: {table: nyc.planes, where: "year > 1990"}
  airlines: {path: lake/airlines.json, format: json}
frames:
  planes:
    - rename_field: {year: built, type: plane_type}
    - drop_fields: [speed]
  enriched:
    - from: flights
    - filter: |
        distance > ${least}
        and month is not null
    - join: {with: planes, on: tailnum, how: left}
    - join: {with: airlines, on: {carrier: code}}
    - map:
        mph: "round(distance / (air_time / 60.0), 1)"
        air_time: null
    - apply_mapping:
        - [year, bigint, year, int]
        - origin string -> route.origin string
        - name -> airline
        - built -> aircraft.built int
        - plane_type -> aircraft.type
        - mph -> mph
    - drop_null_fields
  busiest:
    - sql: |
        SELECT route.origin AS origin, count(*) AS flights
        FROM enriched
        GROUP BY route.origin
    - sql: SELECT * FROM busiest ORDER BY origin
  both:
    - from: busiest
    - union: [busiest]
    - select_fields: flights
sinks:
  - frame: enriched
    path: ${out}/enriched
    options: {compression: zstd}
    partition_by: [YEAR]
    mode: overwrite
    table: nyc.enriched
  - {frame: busiest, path: "${out}/busiest", format: csv}
"#;

async fn rows(frame: &mastic_dynamic_frame::DynamicFrame) -> String {
    let batches = frame.clone().into_dataframe().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn a_script_plans_to_frames_and_sinks() {
    let script = parse(FLIGHTS, &[("least", "300")]).unwrap_or_else(|e| panic!("{}", e.render()));
    let plan = plan(&script, &Memory::new())
        .await
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let order: Vec<&str> = plan.frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order, ["planes", "enriched", "busiest", "both"]);
    assert_eq!(plan.sinks[0].partition_by, ["year"]);
    assert_eq!(plan.sinks[0].def.path.as_str(), ".mastic/lake/enriched");
    assert_eq!(plan.sinks[0].def.mode, SinkMode::Overwrite);
    assert_eq!(plan.sinks[1].def.format, SinkFormat::Csv);
    insta::assert_snapshot!("enriched_schema", plan.sinks[0].frame.pretty_schema());
    insta::assert_snapshot!("busiest_rows", rows(&plan.sinks[1].frame).await);
    assert_eq!(
        plan.frames[3]
            .1
            .clone()
            .into_dataframe()
            .count()
            .await
            .unwrap(),
        4
    );
    insta::assert_snapshot!("explained", explain(&script, Some(&plan)));
    assert!(plan.sinks[0].logical_plan().unwrap().contains("Join"));
}

#[test]
fn values_are_put_in_where_they_are_named() {
    let text = "parameters: {d: 2013-01-02, n: 3, f: 0.5, s: x, q: '7', t: 2013-01-02 03:04:05, b: true}\n\
                sources: {a: 'db.${s}'}\nframes: {f: [{from: a}, {filter: \"x = '${d}' and y = $${n} ${ n }\"}]}\n\
                sinks: {frame: f, path: out}\n";
    let script = parse(text, &[("n", "5")]).unwrap_or_else(|e| panic!("{}", e.render()));
    let kinds: Vec<String> = script
        .parameters
        .iter()
        .map(|p| p.kind.to_string())
        .collect();
    assert_eq!(
        kinds,
        [
            "date",
            "bigint",
            "double",
            "string",
            "string",
            "timestamp",
            "boolean"
        ]
    );
    let Step::Filter(filter) = &script.frames[0].steps[1].step else {
        panic!()
    };
    assert_eq!(filter.as_str(), "x = '2013-01-02' and y = ${n} 5");
    // A place in what was put in is the place of its name.
    let at = filter.as_str().find("2013").unwrap();
    let place = filter.locate(at..at + 4);
    assert_eq!(&text[place.range()], "${d}");
    let end = filter.as_str().find("and").unwrap();
    assert_eq!(&text[filter.locate(end..end + 3).range()], "and");
}

#[test]
fn places_are_right_in_every_kind_of_scalar() {
    let frames = [
        "    - filter: one two  three\n",
        "    - filter: 'it''s two three'\n",
        "    - filter: \"a \\\"two\\\" three\"\n",
        "    - filter: |\n        one\n        two three\n",
        "    - filter: >-\n        one\n        two\n\n        three\n",
        "    - filter: one\n        two\n        three\n",
        "    - filter: é two three # two\n",
    ];
    for frame in frames {
        let text = format!(
            "sources: {{a: d.t}}\nframes:\n  f:\n    - from: a\n{frame}sinks: {{frame: f, path: o}}\n"
        );
        let script = parse(&text, &[]).unwrap_or_else(|e| panic!("{}", e.render()));
        let Step::Filter(filter) = &script.frames[0].steps[1].step else {
            panic!()
        };
        for word in ["two", "three"] {
            let at = filter.as_str().find(word).unwrap();
            let place = filter.locate(at..at + word.len());
            assert_eq!(&text[place.range()], word, "{frame}");
            assert!(place.start >= text.find("filter").unwrap());
        }
    }
}

#[test]
fn a_script_without_frames_converts() {
    let script = parse("sources: {a: d.t}\nsinks: [{frame: a, path: o}]\n", &[]).unwrap();
    assert_eq!(script.name, "job");
    assert_eq!(script.sinks[0].format, SinkFormat::Parquet);
    assert_eq!(script.sinks[0].mode, SinkMode::Append);
}
