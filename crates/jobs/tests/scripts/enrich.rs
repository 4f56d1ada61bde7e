//! The steps that bring something into a frame's records, from script to rows and files.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_catalog::OpenMode;
use mastic_jobs::{Prepared, Script, Source, explain, plan};
use mastic_lake::store::Stores;
use mastic_query::Session;

use crate::support::{Memory, parse};

fn script(steps: &str) -> String {
    format!(
        "sources:\n  flights: nyc.flights\n  planes: nyc.planes\n  airlines: nyc.airlines\n  countries: geo.countries\n\
         frames:\n  f:\n    - from: flights\n{steps}\nsinks:\n  - {{frame: f, path: out/f}}\n"
    )
}

/// The rows of the frame `f`, sorted.
async fn rows(steps: &str) -> String {
    let script = parse(&script(steps), &[]).unwrap_or_else(|e| panic!("{}", e.render()));
    let plan = plan(&script, &Memory::new())
        .await
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let frame = plan.sinks[0].frame.clone().into_dataframe();
    let table = pretty_format_batches(&frame.collect().await.unwrap()).unwrap();
    let table = table.to_string();
    let mut rows: Vec<String> = table
        .lines()
        .filter(|l| l.starts_with('|'))
        .map(|l| {
            let cells = l.trim_matches('|').split('|').map(str::trim);
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    rows[1..].sort_unstable();
    rows.join("\n")
}

// The values are by hand, from the tables in `support`.
#[tokio::test]
async fn steps_do_what_they_say() {
    let few = "    - select_fields: [flight, carrier, tailnum]\n";
    for (steps, expected) in [
        (
            "    - select_fields: [flight]\n    - flat_map: {array: 'make_array(flight, -flight)', as: n}\n    - filter: flight < 3\n",
            "flight|n\n1|-1\n1|1\n2|-2\n2|2",
        ),
        (
            "    - lookup: {with: airlines, on: {carrier: code}}\n    - lookup: {with: planes, on: tailnum, fields: {year: plane.built}, missing: drop}\n    \
             - select_fields: [flight, name, plane]\n",
            "flight|name|plane\n1|United|{built: 1999}\n2|American|{built: 2004}",
        ),
        (
            "    - lookup: {with: planes, on: [tailnum], fields: [year, speed], prefix: plane_, multiple: all, missing: null}\n    \
             - select_fields: [flight, plane_year, plane_speed]\n",
            "flight|plane_year|plane_speed\n1|1999|100\n2|2004|90\n3||",
        ),
        (
            "    - map: {line: \"concat(flight, ';', carrier)\", body: \"concat('{\\\"n\\\": ', flight, '}')\"}\n    \
             - select_fields: [line, body]\n    - unbox: {path: line, format: csv, separator: ;, schema: 'struct<n:int,c:string>'}\n    \
             - unbox: {path: body, format: json, infer: 2, as: parsed}\n    - drop_fields: [body]\n",
            "line|parsed\n{n: 1, c: UA}|{n: 1}\n{n: 2, c: AA}|{n: 2}\n{n: 3, c: UA}|{n: 3}",
        ),
        (
            "    - select_fields: [flight, dep_delay]\n    - fill_missing_values: {missing_values_column: dep_delay, value: '0', output_column: delay}\n    \
             - fill_missing_values: {missing_values_column: dep_delay, method: mean}\n",
            "flight|dep_delay|delay|dep_delay_filled\n1|30|30|30\n2||0|13\n3|-5|-5|-5",
        ),
        (
            "    - select_fields: [flight, distance]\n    - kmeans: {columns: [distance], k: 2, output_column: far}\n    - repartition: {num: 2, by: far}\n    - coalesce: 1\n",
            "flight|distance|far\n1|700|1\n2|900|1\n3|300|0",
        ),
        (
            &format!("{few}    - merge: {{with: staged, primary_keys: flight}}\n"),
            "flight|carrier|tailnum\n1|UA|N1\n2|XX|\n3|UA|",
        ),
        (
            &format!("{few}    - union: {{with: staged, widen: true}}\n    - filter: flight = 2\n"),
            "flight|carrier|tailnum\n2|AA|N2\n2|XX|",
        ),
        (
            "    - select_fields: [year, tailnum]\n    - join: {with: planes, on: tailnum, prefix: plane_}\n    - select_fields: [year, plane_year]\n",
            "year|plane_year\n2013|1999\n2013|2004",
        ),
    ] {
        let steps = format!("{steps}  staged:\n    - sql: SELECT 2 AS flight, 'XX' AS carrier");
        assert_eq!(rows(&steps).await, expected, "{steps}");
    }
}

#[tokio::test]
async fn a_picture_of_them() {
    let text = script(
        "    - lookup: {with: planes, on: tailnum, fields: {year: built}}\n    - spigot: {path: out/look, topk: 5, prob: 0.5}\n    - repartition: 3\n",
    );
    let script = parse(&text, &[]).unwrap();
    let drawn = explain(&script, None);
    for line in [
        "╭─ f ◀── flights, planes",
        "lookup       planes by tailnum",
        "spigot       out/look, at most 5, 0.5 of all",
        "repartition  3",
    ] {
        assert!(drawn.contains(line), "{drawn}");
    }
}

#[tokio::test]
async fn mistakes_are_told_where_they_are() {
    for (steps, said) in [
        (
            "    - lookup: {with: plans, on: tailnum}\n",
            "there is no source or frame 'plans'",
        ),
        (
            "    - lookup: {with: planes}\n",
            "lookup needs 'on': the fields that must be equal",
        ),
        (
            "    - lookup: {with: planes, on: tailnum, missing: eror}\n",
            "did you mean 'error'?",
        ),
        (
            "    - lookup: {with: planes, on: {tailnum: talnum}}\n",
            "did you mean 'tailnum'?",
        ),
        (
            "    - lookup: {with: planes, on: tailnum}\n",
            "the field 'year' is there already",
        ),
        (
            "    - lookup: {with: planes, on: tailnum, field: x}\n",
            "'field' is no key of a lookup",
        ),
        (
            "    - flat_map: carrier\n",
            "'carrier' is string, but an array is needed",
        ),
        (
            "    - flat_map: {array: make_array(carier), as: x}\n",
            "did you mean 'carrier'?",
        ),
        (
            "    - unbox: {path: carrier, format: jsn}\n",
            "did you mean 'json'?",
        ),
        (
            "    - unbox: {path: carrier, format: json, schema: strct<a:int>}\n",
            "strct",
        ),
        (
            "    - unbox: {path: carrier, format: avro}\n",
            "nothing says what the text of 'carrier' holds",
        ),
        (
            "    - unbox: {path: carrier, format: csv, separator: ab}\n",
            "not one character of ASCII",
        ),
        (
            "    - fill_missing_values: {missing_values_column: carrier, method: men}\n",
            "there is no method 'men'",
        ),
        (
            "    - fill_missing_values: {missing_values_column: carrier, method: mean}\n",
            "'carrier' is string, but a number is needed",
        ),
        (
            "    - fill_missing_values: {missing_values_column: carrier, method: constant}\n",
            "needs a 'value'",
        ),
        (
            "    - kmeans: {columns: [distance], k: 0}\n",
            "'0' is not a number of clusters",
        ),
        (
            "    - repartition: many\n",
            "'many' is not a number of streams",
        ),
        (
            "    - repartition: {num: 2, by: zebra}\n",
            "there is no field 'zebra'",
        ),
        (
            "    - merge: {with: planes, primary_keys: [talnum]}\n",
            "did you mean 'tailnum'?",
        ),
        (
            "    - spigot: {path: out/f/x}\n",
            "two sinks write to 'out/f/x'",
        ),
        (
            "    - spigot: {path: x, prob: 2}\n",
            "'2' is no probability",
        ),
        (
            "    - union: {width: planes}\n",
            "'width' is no key of a union",
        ),
    ] {
        let text = script(steps);
        let told = match parse(&text, &[]) {
            Err(errors) => errors,
            Ok(script) => match plan(&script, &Memory::new()).await {
                Err(errors) => errors,
                Ok(_) => panic!("nothing is said of {steps}"),
            },
        };
        let told = told.render();
        assert!(told.contains(said), "{steps}{told}");
        assert!(told.contains("--> job.yaml:"), "{told}");
    }
}

// What is written aside is there when the run is done, and as many files as streams.
#[tokio::test]
async fn samples_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let mut lines = String::from("id,name\n");
    for id in 0..30_000 {
        lines.push_str(&format!("{id},name {id}\n"));
    }
    std::fs::write(folder.path().join("people.csv"), lines).unwrap();
    let text = "\
parameters: {out: .}
sources:
  people: {path: '${out}/people.csv'}
frames:
  people:
    - spigot: {path: '${out}/look', topk: 7}
    - spigot: {path: '${out}/tenth', topk: 100000, prob: 0.1}
    - repartition: 3
  one:
    - from: people
    - coalesce: 1
sinks:
  - {frame: people, path: '${out}/three'}
  - {frame: one, path: '${out}/one'}
";
    let catalog = mastic_catalog::open(&format!("{out}/catalog.db"), OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let stores = Arc::new(Stores::default());
    let session = Session::open(catalog.clone(), stores.clone(), None)
        .await
        .unwrap();
    let given = [("out".to_owned(), out.clone())];
    let script = Script::parse(&Source::new("job.yaml", text), &given).unwrap();
    let plan = plan(&script, &session)
        .await
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let prepared = Prepared::new(&script, plan, &stores, &*catalog)
        .await
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let report = prepared
        .run(&*catalog, None, std::future::pending())
        .await
        .unwrap();
    let rows: Vec<u64> = report.sinks.iter().map(|s| s.written.rows).collect();
    assert_eq!((rows[0], rows[1], rows[2]), (30_000, 30_000, 7));
    // A binomial deviation is 52.
    assert!((2_700..3_300).contains(&rows[3]), "{rows:?}");
    let files = |name: &str| {
        let entries = std::fs::read_dir(Path::new(&out).join(name))
            .unwrap()
            .flatten();
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter(|n| !n.starts_with(['_', '.'])).count()
    };
    assert_eq!((files("three"), files("one"), files("look")), (3, 1, 1));
}
