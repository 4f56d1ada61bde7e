//! Precision, recall and F1 against labelled data: `quality FOLDER`, where each folder below holds
//! `left.csv`, perhaps `right.csv`, and `truth.csv` with the numbers of the rows, from 0, that are the same
//! (the right table's follow the left one's). With a `right.csv`, and a file `one_to_one`, it links one to one. `PAIRS`
//! names a folder that the pairs are written to; `WRONG` and `EXPLAIN` say more.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use mastic_find_matches::{MatchInput, Settings, Table, find_matches};

fn read(context: &SessionContext, path: &Path) -> DataFrame {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(n, DataType::Utf8, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = (0..names.len()).map(|at| {
        let values: StringArray = records
            .iter()
            .map(|r| r.get(at).filter(|v| !v.is_empty()))
            .collect();
        Arc::new(values) as _
    });
    let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    context
        .read_table(Arc::new(
            MemTable::try_new(schema, vec![vec![batch]]).unwrap(),
        ))
        .unwrap()
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let only: Vec<String> = std::env::args().skip(2).collect();
    let mut sets: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    sets.sort();
    for set in sets {
        let name = set.file_name().unwrap().to_str().unwrap().to_owned();
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let mut context = SessionContext::new();
        mastic_functions::register_all(&mut context).unwrap();
        let table = |file: &str| {
            let path = set.join(file);
            path.exists().then(|| Table {
                name: file.into(),
                rows: read(&context, &path),
            })
        };
        let mut settings = Settings {
            one_to_one: set.join("one_to_one").exists(),
            ..Settings::default()
        };
        if let Ok(cost) = std::env::var("ACCURACY_COST") {
            settings.accuracy_cost_tradeoff = cost.parse().unwrap();
        }
        if let Ok(rows) = std::env::var("SEARCH_ROWS") {
            settings.search_rows = Some(rows.parse().unwrap());
        }
        let start = Instant::now();
        let input = MatchInput {
            left: table("left.csv").unwrap(),
            right: table("right.csv"),
        };
        let split = match &input.right {
            Some(_) => input.left.rows.clone().count().await.unwrap(),
            None => usize::MAX,
        };
        let matched = match find_matches(&context, input, &settings, &|stage| {
            if std::env::var("STAGES").is_ok() {
                println!("  {:.2} {stage:?}", start.elapsed().as_secs_f64());
            }
        })
        .await
        {
            Ok(matched) => matched,
            Err(error) => {
                println!("{name}: {error}");
                continue;
            }
        };
        let batches = matched.rows.collect().await.unwrap();
        let mut entities: HashMap<i64, Vec<usize>> = HashMap::new();
        let mut row = 0;
        for batch in &batches {
            let ids = batch
                .column_by_name("match_id")
                .unwrap()
                .as_primitive::<Int64Type>();
            for at in 0..ids.len() {
                entities.entry(ids.value(at)).or_default().push(row);
                row += 1;
            }
        }
        let mut reader = csv::Reader::from_path(set.join("truth.csv")).unwrap();
        let truth: HashSet<(usize, usize)> = reader
            .records()
            .map(|r| {
                let r = r.unwrap();
                let (a, b): (usize, usize) = (r[0].parse().unwrap(), r[1].parse().unwrap());
                (a.min(b), a.max(b))
            })
            .collect();
        let (mut found, mut right) = (0_usize, 0_usize);
        let mut wrong = Vec::new();
        for rows in entities.values() {
            for (at, a) in rows.iter().enumerate() {
                for b in &rows[at + 1..] {
                    if (*a < split) == (*b < split) && split != usize::MAX {
                        continue;
                    }
                    found += 1;
                    let is_right = truth.contains(&(*a.min(b), *a.max(b)));
                    right += usize::from(is_right);
                    if !is_right {
                        wrong.push((*a.min(b), *a.max(b)));
                    }
                }
            }
        }
        let pairs = matched.pairs.collect().await.unwrap();
        let mut covered = 0_usize;
        for batch in &pairs {
            let (a, b) = (
                batch.column(0).as_primitive::<UInt32Type>(),
                batch.column(1).as_primitive::<UInt32Type>(),
            );
            covered += a
                .values()
                .iter()
                .zip(b.values())
                .filter(|(a, b)| truth.contains(&(**a as usize, **b as usize)))
                .count();
        }
        let (p, r) = (
            right as f64 / found.max(1) as f64,
            right as f64 / truth.len().max(1) as f64,
        );
        println!(
            "| {name} | {row} | {} | {:.4} | {} | F1 {:.4} | P {p:.4} | R {r:.4} | wrong {} | {:.1} s |",
            truth.len(),
            covered as f64 / truth.len().max(1) as f64,
            matched.summary.pairs,
            2.0 * p * r / (p + r).max(1e-9),
            found - right,
            start.elapsed().as_secs_f64()
        );
        if let Ok(folder) = std::env::var("PAIRS") {
            let file =
                std::fs::File::create(Path::new(&folder).join(format!("{name}.csv"))).unwrap();
            let mut writer = arrow::csv::Writer::new(file);
            pairs.iter().for_each(|batch| writer.write(batch).unwrap());
        }
        if std::env::var("WRONG").is_ok() {
            wrong.sort_unstable();
            println!("wrong: {:?}", &wrong[..wrong.len().min(400)]);
        }
        if std::env::var("EXPLAIN").is_ok() {
            println!("{}", matched.explanation);
        }
    }
}
