//! The same entities come out of little memory as of much.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Float32Type, Int64Type, UInt32Type};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mastic_find_matches::{MatchError, MatchInput, Matched, Settings, Table, find_matches};

/// A number by chance, the same in every run.
fn chance(seed: u64, below: u64) -> u64 {
    mastic_functions::sample_number(seed) % below
}

/// A word of a few syllables.
fn word(seed: u64, syllables: u64) -> String {
    const SYLLABLES: [&str; 40] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu",
        "va", "we", "xi", "yo", "zu", "bra", "cle", "dri", "flo", "gru", "sha", "ste", "tri",
        "plo", "cru", "an", "en", "ir", "or", "us", "al", "es", "il", "om", "ut",
    ];
    (0..syllables)
        .map(|at| SYLLABLES[chance(seed * 8 + at, 40) as usize])
        .collect()
}

/// Persons with names, dates, towns and streets. Every eighth is another with a mistake or two.
fn persons(count: u64) -> RecordBatch {
    let mut columns: [Vec<Option<String>>; 5] = Default::default();
    for row in 0..count {
        let is_copy = row % 8 == 7;
        let of = if is_copy {
            row - 1 - chance(row, 3)
        } else {
            row
        };
        let seed = |part: u64| of * 16 + part;
        let mut values = [
            Some(word(chance(seed(0), 3000), 3)),
            Some(word(1 << 20 | chance(seed(1), 9000), 3)),
            Some(format!(
                "{:04}-{:02}-{:02}",
                1930 + chance(seed(2), 80),
                1 + chance(seed(3), 12),
                1 + chance(seed(4), 28)
            )),
            Some(word(1 << 21 | chance(seed(5), 400), 3)),
            Some(format!(
                "{} {} street",
                1 + chance(seed(6), 200),
                word(1 << 22 | chance(seed(7), 5000), 3)
            )),
        ];
        if is_copy {
            for mistake in 0..1 + chance(row * 16 + 8, 2) {
                let at = chance(row * 16 + 9 + mistake, 5) as usize;
                values[at] = match chance(row * 16 + 11 + mistake, 3) {
                    0 => None,
                    _ => values[at]
                        .take()
                        .map(|text| text.replacen(['a', '1'], "o", 1)),
                };
            }
        }
        columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v));
    }
    let names = ["given", "family", "born", "town", "street"];
    let columns = names.into_iter().zip(columns);
    let arrays = columns.map(|(name, c)| (name, Arc::new(StringArray::from(c)) as ArrayRef));
    RecordBatch::try_from_iter(arrays).unwrap()
}

/// Long texts, every fourth of which is another with some words left out.
fn texts(count: u64) -> RecordBatch {
    let text = |row: u64| {
        let is_copy = row % 4 == 3;
        let of = if is_copy { row - 1 } else { row };
        let words = (0..18).filter(|at| !is_copy || chance(row * 32 + at, 6) > 0);
        let words: Vec<String> = words
            .map(|at| word(chance(of * 32 + at, 4000), 2 + chance(of + at, 2)))
            .collect();
        words.join(" ")
    };
    let texts: StringArray = (0..count).map(|row| Some(text(row))).collect();
    let other: StringArray = (0..count)
        .map(|row| Some(word(if row % 4 == 3 { row - 1 } else { row } / 2, 3)))
        .collect();
    RecordBatch::try_from_iter([
        ("title", Arc::new(texts) as ArrayRef),
        ("maker", Arc::new(other) as ArrayRef),
    ])
    .unwrap()
}

struct Outcome {
    matched: Matched,
    ids: Vec<i64>,
    pairs: Vec<(u32, u32, f32)>,
}

/// Matches with so many bytes.
async fn matched(
    rows: &RecordBatch,
    bytes: Option<usize>,
    settings: &Settings,
) -> Result<Outcome, MatchError> {
    let mut env = RuntimeEnvBuilder::new();
    let mut config = SessionConfig::new();
    if let Some(bytes) = bytes {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
        env = env.with_memory_pool(pool);
        config = config.with_target_partitions(2).with_batch_size(2048);
        config.options_mut().optimizer.prefer_hash_join = false;
        config.options_mut().execution.sort_spill_reservation_bytes = 1 << 18;
    }
    let mut context = SessionContext::new_with_config_rt(config, env.build_arc().unwrap());
    mastic_functions::register_all(&mut context).unwrap();
    let table = Table {
        name: "records".into(),
        rows: context.read_batch(rows.clone()).unwrap(),
    };
    let input = MatchInput {
        left: table,
        right: None,
    };
    let matched = find_matches(&context, input, settings, &|_| {}).await?;
    let mut ids = Vec::new();
    for batch in matched.rows.clone().collect().await? {
        let column = batch.column_by_name("match_id").unwrap();
        ids.extend_from_slice(column.as_primitive::<Int64Type>().values());
    }
    let mut pairs = Vec::new();
    for batch in matched.pairs.clone().collect().await? {
        let of = |at: usize| {
            batch
                .column(at)
                .as_primitive::<UInt32Type>()
                .values()
                .to_vec()
        };
        let scores = batch
            .column(2)
            .as_primitive::<Float32Type>()
            .values()
            .to_vec();
        let both = of(0).into_iter().zip(of(1)).zip(scores);
        pairs.extend(both.map(|((a, b), score)| (a, b, score)));
    }
    Ok(Outcome {
        matched,
        ids,
        pairs,
    })
}

fn same(much: &Outcome, little: &Outcome) {
    assert_eq!(much.matched.explanation.blocking.spilled, 0);
    assert!(little.matched.explanation.blocking.spilled > 0);
    assert_eq!(much.matched.summary, little.matched.summary);
    assert!(much.ids == little.ids, "the entities differ");
    assert!(
        much.pairs == little.pairs,
        "the pairs or their scores differ"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn little_memory_finds_the_same_persons() {
    let rows = persons(25_000);
    let settings = Settings::default();
    let much = matched(&rows, None, &settings).await.unwrap();
    assert!(much.matched.explanation.blocking.neighbours.is_none());
    assert!(much.matched.summary.duplicates > 1000);
    let little = matched(&rows, Some(12 << 20), &settings).await.unwrap();
    same(&much, &little);
}

#[tokio::test(flavor = "multi_thread")]
async fn little_memory_finds_the_same_texts() {
    let rows = texts(6000);
    let settings = Settings::default();
    let much = matched(&rows, None, &settings).await.unwrap();
    assert!(much.matched.explanation.blocking.neighbours.is_some());
    assert!(much.matched.summary.duplicates > 500);
    let little = matched(&rows, Some(16 << 20), &settings).await.unwrap();
    same(&much, &little);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_said() {
    let rows = persons(25_000);
    let error = match matched(&rows, Some(6 << 20), &Settings::default()).await {
        Ok(_) => panic!("6 MB are enough for 25,000 persons"),
        Err(error) => error,
    };
    let said = error.to_string();
    assert!(
        said.contains("matching") && said.contains("6.0 MB"),
        "{said}"
    );
    assert!(error.hint().unwrap().contains("--memory-limit"), "{said}");
}
