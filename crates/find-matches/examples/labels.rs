//! What labels are worth: `labels FOLDER [SET…]`, with folders as those of `quality`. Of each, 300 pairs (`LABELS=N`)
//! are chosen as `mastic match label` chooses them and labelled by the truth. F1 of the final entities against the whole
//! truth: without labels, taught, taught with labels enforced; then without the labelled pairs; and what the
//! evaluation by held-out labels says.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use mastic_find_matches::{
    BATCH, Given, Labelling, Labels, MatchInput, Matched, Settings, Table, evaluate,
    find_matches_with,
};

type Pairs = HashSet<(usize, usize)>;

fn table(context: &SessionContext, names: &[String], columns: Vec<StringArray>) -> DataFrame {
    let fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(n, DataType::Utf8, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|c| Arc::new(c) as ArrayRef);
    let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    let table = MemTable::try_new(schema, vec![vec![batch]]).unwrap();
    context.read_table(Arc::new(table)).unwrap()
}

fn read(context: &SessionContext, path: &Path) -> DataFrame {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let columns = (0..names.len()).map(|at| {
        let values = records.iter().map(|r| r.get(at).filter(|v| !v.is_empty()));
        values.collect()
    });
    table(context, &names, columns.collect())
}

async fn found(matched: Matched, split: usize) -> Pairs {
    let mut entities: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut row = 0;
    for batch in matched.rows.collect().await.unwrap() {
        let ids = batch.column_by_name("match_id").unwrap();
        for id in ids.as_primitive::<Int64Type>().values() {
            entities.entry(*id).or_default().push(row);
            row += 1;
        }
    }
    let mut out = Pairs::new();
    for rows in entities.values() {
        for (at, a) in rows.iter().enumerate() {
            for b in &rows[at + 1..] {
                if split == usize::MAX || (*a < split) != (*b < split) {
                    out.insert((*a.min(b), *a.max(b)));
                }
            }
        }
    }
    out
}

fn f1(found: &Pairs, truth: &Pairs, without: &Pairs) -> f64 {
    let count = |of: &Pairs| of.difference(without).count() as f64;
    let both: Pairs = found.intersection(truth).copied().collect();
    2.0 * count(&both) / (count(found) + count(truth)).max(1.0)
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let only: Vec<String> = std::env::args().skip(2).collect();
    let wanted: usize = std::env::var("LABELS").map_or(300, |n| n.parse().unwrap());
    let mut sets: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    sets.sort();
    println!(
        "| set | labels (matches) | unsupervised | taught | enforced | left out: unsupervised, taught | held out: pair model, whole, without labels | s |"
    );
    for set in sets {
        let name = set.file_name().unwrap().to_str().unwrap().to_owned();
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let start = Instant::now();
        let mut context = SessionContext::new();
        mastic_functions::register_all(&mut context).unwrap();
        let input = || {
            let table = |file: &str| {
                let path = set.join(file);
                path.exists().then(|| Table {
                    name: file.into(),
                    rows: read(&context, &path),
                })
            };
            MatchInput {
                left: table("left.csv").unwrap(),
                right: table("right.csv"),
            }
        };
        let settings = Settings {
            one_to_one: set.join("one_to_one").exists(),
            ..Settings::default()
        };
        let split = match input().right {
            Some(_) => input().left.rows.count().await.unwrap(),
            None => usize::MAX,
        };
        let mut reader = csv::Reader::from_path(set.join("truth.csv")).unwrap();
        let truth: Pairs = reader
            .records()
            .map(|r| {
                let r = r.unwrap();
                let (a, b): (usize, usize) = (r[0].parse().unwrap(), r[1].parse().unwrap());
                (a.min(b), a.max(b))
            })
            .collect();
        let mut labelling = Labelling::open(&context, input(), &settings, None, &|_| {})
            .await
            .unwrap();
        let mut names = vec!["labeling_set_id".to_owned(), "label".to_owned()];
        names.extend_from_slice(labelling.columns());
        let (mut rows, mut asked) = (Vec::new(), Pairs::new());
        while asked.len() < wanted {
            let questions = labelling
                .ask(BATCH.min(wanted - asked.len()))
                .await
                .unwrap();
            if questions.is_empty() {
                break;
            }
            for q in questions {
                let [a, b] = q.rows.map(|r| r as usize);
                let is_match = truth.contains(&(a.min(b), a.max(b)));
                if labelling.answer(&q, Some(is_match)).is_err() {
                    continue;
                }
                asked.insert((a.min(b), a.max(b)));
                for (record, label) in q
                    .records
                    .iter()
                    .zip(["A", if is_match { "A" } else { "B" }])
                {
                    let mut row = vec![Some(asked.len().to_string()), Some(label.to_owned())];
                    row.extend_from_slice(record);
                    rows.push(row);
                }
            }
        }
        let columns = (0..names.len()).map(|at| rows.iter().map(|r| r[at].clone()).collect());
        let labels = Labels {
            name: "labels".into(),
            rows: table(&context, &names, columns.collect()),
            line: None,
            partial: false,
        };
        let enforce = Settings {
            enforce_provided_labels: true,
            ..settings.clone()
        };
        let run = async |settings: &Settings, labels: Option<Labels>| {
            let given = Given {
                labels,
                ..Given::default()
            };
            let matched = find_matches_with(&context, input(), settings, given, &|_| {}).await;
            found(matched.unwrap(), split).await
        };
        let plain = run(&settings, None).await;
        let taught = run(&settings, Some(labels.clone())).await;
        let enforced = run(&enforce, Some(labels.clone())).await;
        let measured = evaluate(&context, input(), &settings, &labels, None, &|_| {})
            .await
            .unwrap();
        let none = Pairs::new();
        println!(
            "| {name} | {} ({}) | {:.4} | {:.4} | {:.4} | {:.4}, {:.4} | {:.3}, {:.3}, {:.3} | {:.0} |",
            asked.len(),
            asked.intersection(&truth).count(),
            f1(&plain, &truth, &none),
            f1(&taught, &truth, &none),
            f1(&enforced, &truth, &none),
            f1(&plain, &truth, &asked),
            f1(&taught, &truth, &asked),
            measured.pair_model.f1.unwrap_or(0.0),
            measured.whole.f1.unwrap_or(0.0),
            measured.without_labels.f1.unwrap_or(0.0),
            start.elapsed().as_secs_f64()
        );
        if std::env::var("EXPLAIN").is_ok() {
            println!("{measured}");
        }
    }
}
