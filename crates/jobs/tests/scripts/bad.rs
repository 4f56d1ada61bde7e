//! What is said of mistakes. Each case is a script with one or more; the snapshots are the
//! messages as a user sees them.

use mastic_jobs::plan;

use crate::support::{Memory, parse};

/// A right script up to its frames; the mistakes come after it.
const HEAD: &str = "\
parameters: {out: lake}
sources:
  flights: nyc.flights
  planes: nyc.planes
  countries: geo.countries
frames:
";
const TAIL: &str = "\
sinks:
  - {frame: f, path: '${out}/f'}
";

/// Mistakes in the steps of a frame `f` that starts from flights.
const STEPS: &[(&str, &str)] = &[
    ("verb", "    - filtre: dep_delay > 0\n"),
    ("verb_without_colon", "    - filter dep_delay > 0\n"),
    (
        "two_verbs",
        "    - filter: dep_delay > 0\n      drop_fields: [year]\n",
    ),
    ("filter_field", "    - filter: dep_dealy > 0\n"),
    ("filter_syntax", "    - filter: dep_delay >\n"),
    (
        "filter_in_a_block",
        "    - filter: |\n        dep_delay > 0\n        and carier = 'UA'\n",
    ),
    ("filter_types", "    - filter: carrier + 1\n"),
    ("filter_function", "    - filter: lenght(carrier) = 2\n"),
    ("filter_list", "    - filter: [dep_delay > 0]\n"),
    ("drop_field", "    - drop_fields: [year, mnth]\n"),
    ("rename_taken", "    - rename_field: {year: month}\n"),
    ("map_comma", "    - map: {late: coalesce(dep_delay, 0)}\n"),
    ("map_aggregate", "    - map: {late: sum(dep_delay)}\n"),
    ("join_without_on", "    - join: {with: planes}\n"),
    (
        "join_kind",
        "    - join: {with: planes, on: tailnum, how: lef}\n",
    ),
    (
        "join_key",
        "    - join: {with: planes, on: {tailnum: tailnumber}}\n",
    ),
    (
        "join_types",
        "    - join: {with: planes, on: {carrier: year}}\n",
    ),
    ("join_with", "    - join: {with: plane, on: tailnum}\n"),
    (
        "mapping_type",
        "    - apply_mapping:\n        - year bigint -> y itn\n",
    ),
    (
        "mapping_source_type",
        "    - apply_mapping:\n        - [carrier, int, c, int]\n",
    ),
    (
        "mapping_parts",
        "    - apply_mapping:\n        - [carrier, string, c]\n        - carrier to c\n",
    ),
    (
        "mapping_twice",
        "    - apply_mapping:\n        - year -> y\n        - month -> y.m\n",
    ),
    ("union_unknown", "    - union: [planse]\n"),
    (
        "null_fields_with_fields",
        "    - drop_null_fields: [year]\n",
    ),
    ("from_late", "    - from: planes\n"),
    (
        "sql_loses_steps",
        "    - sql: SELECT 1 AS one FROM planes\n",
    ),
    (
        "sql_frame",
        "    - sql: SELECT * FROM f JOIN plains USING (tailnum)\n",
    ),
    (
        "sql_field",
        "    - sql: |\n        SELECT carrier,\n               orign\n        FROM f\n",
    ),
    ("parameter_in_text", "    - filter: dep_delay > ${ot}\n"),
    (
        "alias",
        "    - filter: &x dep_delay > 0\n    - filter: *x\n",
    ),
];

/// A name, a script, and the values given for its parameters.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Mistakes elsewhere: whole scripts.
const SCRIPTS: &[Case] = &[
    ("empty", "# nothing\n", &[]),
    ("not_a_mapping", "- a\n- b\n", &[]),
    ("tab", "sources:\n\ta: d.t\n", &[]),
    (
        "colon_in_text",
        "sources: {a: nyc.flights}\nframes:\n  f:\n    - from: a\n    - filter: x = 'a: b' : c\nsinks: {frame: f, path: o}\n",
        &[],
    ),
    (
        "many_at_once",
        "nmae: x\nsources:\n  a: nyc.flights\n  a: nyc.planes\n  b: flights\n  c: lake/x.csv\n  d: {tabel: nyc.flights}\nframes:\n  Big Frame:\n    - form: a\n  e:\nsinks:\n  - frame: q\n    path: o\n    mode: overwite\n    format: parket\n",
        &[],
    ),
    ("no_sinks", "sources: {a: nyc.flights}\n", &[]),
    (
        "circle",
        "sources: {s: nyc.flights}\nframes:\n  a:\n    - from: b\n  b:\n    - sql: SELECT * FROM c\n  c:\n    - from: s\n    - union: a\nsinks: {frame: a, path: o}\n",
        &[],
    ),
    (
        "itself",
        "sources: {s: nyc.flights}\nframes:\n  a:\n    - from: a\nsinks: {frame: a, path: o}\n",
        &[],
    ),
    (
        "no_start",
        "sources: {s: nyc.flights}\nframes:\n  a:\n    - filter: x > 1\nsinks: {frame: a, path: o}\n",
        &[],
    ),
    (
        "tables",
        "sources:\n  a: nyc.fligths\n  b: {path: missing/x.csv}\n  c: {table: nyc.planes, where: yaer > 1}\nsinks: {frame: a, path: o}\n",
        &[],
    ),
    (
        "parameters",
        "parameters:\n  n: {type: bigint, default: many}\n  day: {type: dat}\n  must: {type: date}\nsources: {a: nyc.flights}\nsinks: {frame: a, path: o}\n",
        &[],
    ),
    (
        "given",
        "parameters: {since: 2013-01-01, n: 1}\nsources: {a: nyc.flights}\nsinks: {frame: a, path: o}\n",
        &[("sinc", "x"), ("since", "yesterday"), ("n", "1.5")],
    ),
    (
        "sinks_in_the_way",
        "sources:\n  a: nyc.flights\n  b: {path: lake/raw/*.csv}\nsinks:\n  - {frame: a, path: out/x}\n  - {frame: a, path: ./out/x/}\n  - {frame: a, path: lake/raw/y}\n",
        &[],
    ),
    (
        "sink_fields",
        "sources: {a: nyc.airlines, c: geo.countries}\nsinks:\n  - {frame: a, path: o1, partition_by: [cod]}\n  - {frame: a, path: o2, partition_by: [code, name]}\n  - {frame: c, path: o3, partition_by: [name.common]}\n  - {frame: c, path: o4, partition_by: latlng}\n  - {frame: c, path: o5, format: csv}\n",
        &[],
    ),
];

async fn told(text: &str, given: &[(&str, &str)]) -> String {
    let errors = match parse(text, given) {
        Err(errors) => errors,
        Ok(script) => match plan(&script, &Memory::new()).await {
            Err(errors) => errors,
            Ok(_) => return "no mistake was found".to_owned(),
        },
    };
    errors.render()
}

#[tokio::test]
async fn mistakes_in_steps() {
    for (name, steps) in STEPS {
        let text = format!("{HEAD}  f:\n    - from: flights\n{steps}{TAIL}");
        let said = told(&text, &[]).await;
        assert_ne!(said, "no mistake was found", "{name}");
        insta::assert_snapshot!(format!("step_{name}"), said);
    }
}

#[tokio::test]
async fn mistakes_elsewhere() {
    for (name, text, given) in SCRIPTS {
        let said = told(text, given).await;
        assert_ne!(said, "no mistake was found", "{name}");
        insta::assert_snapshot!(format!("script_{name}"), said);
    }
}
