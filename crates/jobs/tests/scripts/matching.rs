//! The step that matches records, from script to rows.

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_jobs::{explain, plan};

use crate::support::{Memory, parse};

/// A script over five records, of which two are one person's.
fn script(step: &str) -> String {
    format!(
        "sources:\n  flights: nyc.flights\nframes:\n  people:\n    - sql: >\n        SELECT * FROM (VALUES \
         (1, 'anna smith', 'london', '1980-02-03'), (2, 'anna smyth', 'london', '1980-02-03'), (3, 'bob jones', 'leeds', '1971-11-30'), \
         (4, 'carl king', 'york', '1966-07-12'), (5, 'dora lund', 'bath', '1959-01-20')) AS t(id, name, city, born)\n  \
         others:\n    - sql: SELECT 9 AS id, 'Bob Jones' AS name, 'Leeds' AS city, '1971-11-30' AS born\n  \
         said:\n    - sql: >\n        SELECT * FROM (VALUES ('s', 'x', 1), ('s', 'y', 2)) AS t(labeling_set_id, label, id)\n  \
         linked:\n    - sql: >\n        SELECT * FROM (VALUES ('s', 'x', 3), ('s', 'x', 9)) AS t(labeling_set_id, label, id)\n  \
         f:\n    - from: people\n{step}\nsinks:\n  - {{frame: f, path: out/f}}\n"
    )
}

async fn rows(step: &str) -> String {
    let script = parse(&script(step), &[]).unwrap_or_else(|e| panic!("{}", e.render()));
    let plan = plan(&script, &Memory::new())
        .await
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let frame = plan.sinks[0].frame.clone().into_dataframe();
    let frame = frame.select_columns(&["id", "match_id"]).unwrap();
    let table = pretty_format_batches(&frame.collect().await.unwrap()).unwrap();
    let table = table.to_string();
    let lines = table.lines().filter(|l| l.starts_with('|')).skip(1);
    let cells = lines.map(|l| {
        l.replace(['|', ' '], ",")
            .split(',')
            .filter(|c| !c.is_empty())
            .collect::<Vec<_>>()
            .join(":")
    });
    cells.collect::<Vec<_>>().join(" ")
}

// By hand: the first two are one, and Bob is there once more in the other frame.
#[tokio::test]
async fn records_are_matched() {
    for (step, expected) in [
        ("    - find_matches", "1:1 2:1 3:2 4:3 5:4"),
        ("    - find_matches: {keep: best}", "1:1 3:2 4:3 5:4"),
        (
            "    - find_matches: {comparisons: {name: string, born: code}, blocking: [[born], city], primary_key: id}",
            "1:1 2:1 3:2 4:3 5:4",
        ),
        (
            "    - find_matches: {with: others, one_to_one: true, labels: linked, enforce_provided_labels: true, primary_key: id}\n    - filter: \"lower(name) = 'bob jones'\"",
            "3:3 9:3",
        ),
        (
            "    - find_matches: {labels: said, primary_key: id, enforce_provided_labels: true}",
            "1:1 2:2 3:3 4:4 5:5",
        ),
    ] {
        assert_eq!(rows(step).await, expected, "{step}");
    }
}

#[tokio::test]
async fn a_picture_of_it() {
    let text = script("    - find_matches: {with: others, labels: said}");
    let drawn = explain(&parse(&text, &[]).unwrap(), None);
    assert!(
        drawn.contains("find_matches  linked with others, taught by said"),
        "{drawn}"
    );
    assert!(
        drawn.contains("others") && drawn.contains("said"),
        "{drawn}"
    );
}

#[tokio::test]
async fn mistakes_are_told_where_they_are() {
    for (step, said) in [
        ("{wiht: others}", "'wiht' is no key of a find_matches"),
        ("{with: othes}", "there is no source or frame 'othes'"),
        ("{primary_key: idd}", "did you mean 'id'?"),
        ("{comparisons: [nam]}", "did you mean 'name'?"),
        ("{comparisons: {name: strng}}", "did you mean 'string'?"),
        ("{blocking: [[born, cty]]}", "did you mean 'city'?"),
        (
            "{precision_recall_tradeoff: 2}",
            "'2' is no number from 0 to 1",
        ),
        (
            "{one_to_one: true}",
            "one_to_one is for linking: it needs 'with'",
        ),
        (
            "{enforce_provided_labels: true}",
            "enforce_provided_labels needs 'labels', or a 'transform' that has some",
        ),
        (
            "{existing: others}",
            "new records join entities by a transform",
        ),
        ("{keep: first}", "there is no choice of records 'first'"),
        (
            "{transform: t}",
            "there is no catalog that the transform 't' could be in",
        ),
        (
            "{transform: t, ignore: [id]}",
            "a transform compares the fields that it was learned with: 'ignore' says nothing there",
        ),
    ] {
        let text = script(&format!("    - find_matches: {step}"));
        let told = match parse(&text, &[]) {
            Err(errors) => errors,
            Ok(script) => match plan(&script, &Memory::new()).await {
                Err(errors) => errors,
                Ok(_) => panic!("nothing is said of {step}"),
            },
        };
        let told = told.render();
        assert!(told.contains(said), "{step}{told}");
        assert!(told.contains("--> job.yaml:"), "{told}");
    }
}
