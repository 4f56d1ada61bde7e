//! The pairs with the normal forms of both records, as a table.
//!
//! Normal forms are held in memory, and each batch of pairs takes its own from them: texts are views, so that no
//! character is copied. A join would hold both sides in hash tables.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::HashMap;

use crate::blocking::rows;
use crate::error::{MatchError, Result};
use crate::normalise::frequency;
use crate::spool::Spool;
use crate::transform::{Frequencies, Transform};

/// Pairs of a batch.
const BATCH: usize = 8192;

/// The normal forms, how frequent each value is, and where each row's are.
struct Held {
    names: Vec<String>,
    columns: Vec<ArrayRef>,
    place: Vec<u32>,
}

/// A table of each pair's place `p`, its rows `a` and `b`, and the columns of both, called `l` and `r` and their name,
/// with the frequency of each value.
pub(crate) async fn pairs(
    context: &SessionContext,
    normal: &Arc<Spool>,
    pairs: Arc<Vec<u64>>,
    saved: Option<&Transform>,
) -> Result<DataFrame> {
    let rows = normal.scan(context, "rows")?;
    let held = Arc::new(hold(context, rows, normal.rows(), saved).await?);
    let mut fields: Vec<Field> = ["p", "a", "b"]
        .map(|name| Field::new(name, DataType::UInt32, false))
        .into();
    for side in ["l", "r"] {
        let own = held.names.iter().zip(&held.columns);
        fields.extend(
            own.map(|(name, c)| Field::new(format!("{side}{name}"), c.data_type().clone(), true)),
        );
    }
    let schema = Arc::new(Schema::new(fields));
    let parts = std::thread::available_parallelism().map_or(1, usize::from);
    let streams = (0..parts).map(|part| {
        Arc::new(Pairs {
            schema: schema.clone(),
            held: held.clone(),
            pairs: pairs.clone(),
            part,
            parts,
        }) as Arc<dyn PartitionStream>
    });
    let table = StreamingTable::try_new(schema.clone(), streams.collect())?;
    Ok(context.read_table(Arc::new(table))?)
}

/// Reads all rows, texts as views.
async fn hold(
    context: &SessionContext,
    frame: DataFrame,
    count: u64,
    saved: Option<&Transform>,
) -> Result<Held> {
    let plan = frame.create_physical_plan().await?;
    let mut tasks = Vec::new();
    for mut stream in execute_stream_partitioned(plan, context.task_ctx())? {
        tasks.push(tokio::spawn(async move {
            let mut own = Vec::new();
            while let Some(batch) = stream.next().await {
                own.push(views(&batch?)?);
            }
            Ok::<_, MatchError>(own)
        }));
    }
    let mut batches = Vec::new();
    for task in tasks {
        let own = task.await.map_err(|e| MatchError::Spool(e.to_string()))?;
        batches.extend(own?);
    }
    let Some(first) = batches.first() else {
        return Err(MatchError::Spool("no rows are left".into()));
    };
    let all = concat_batches(&first.schema(), &batches).map_err(DataFusionError::from)?;
    drop(batches);
    let mut place = vec![u32::MAX; usize::try_from(count).unwrap_or(0)];
    let numbers = all
        .column_by_name("row")
        .map(|c| c.as_primitive::<UInt32Type>());
    for (at, row) in numbers.iter().flat_map(|n| n.values()).enumerate() {
        if let Some(place) = place.get_mut(*row as usize) {
            *place = at as u32;
        }
    }
    let schema = all.schema();
    let given = schema.fields().iter().zip(all.columns());
    let given = given.filter(|(f, _)| f.name() != "row");
    let (mut names, mut columns): (Vec<String>, Vec<ArrayRef>) =
        given.map(|(f, c)| (f.name().clone(), c.clone())).unzip();
    let saved = |at: usize| saved.and_then(|s| s.frequencies.get(at).cloned());
    let texts: Vec<(String, ArrayRef, Option<Frequencies>)> = names
        .iter()
        .zip(&columns)
        .filter_map(|(name, c)| Some((name.strip_prefix('v')?.parse().ok()?, c)))
        .map(|(at, c)| (frequency(at), c.clone(), saved(at)))
        .collect();
    let counted = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let each = texts.iter().map(|(name, c, saved)| {
                let count = || match saved {
                    Some(saved) => known(c, saved),
                    None => frequencies(c),
                };
                (name, scope.spawn(count))
            });
            let each: Vec<_> = each.collect();
            let ended = each
                .into_iter()
                .filter_map(|(name, of)| Some((name.clone(), of.join().ok()?)));
            ended.collect::<Vec<_>>()
        })
    });
    for (name, values) in counted
        .await
        .map_err(|e| MatchError::Spool(e.to_string()))?
    {
        names.push(name);
        columns.push(values);
    }
    Ok(Held {
        names,
        columns,
        place,
    })
}

/// The share of all values that are the same as each row's.
fn frequencies(values: &ArrayRef) -> ArrayRef {
    let texts = values.as_string_view();
    let mut hashes: Vec<u64> = (0..texts.len())
        .filter(|at| texts.is_valid(*at))
        .map(|at| hash(texts.value(at)) >> 32 << 32 | at as u64)
        .collect();
    hashes.sort_unstable();
    let all = hashes.len().max(1) as f32;
    let mut out = vec![0.0_f32; texts.len()];
    for same in hashes.chunk_by(|a, b| a >> 32 == b >> 32) {
        for at in same {
            out[*at as u32 as usize] = same.len() as f32 / all;
        }
    }
    Arc::new(Float32Array::from(out))
}

/// The same, as it was of other rows.
fn known(values: &ArrayRef, saved: &Frequencies) -> ArrayRef {
    let texts = values.as_string_view();
    let counts: HashMap<u64, u64> = saved.counts.iter().copied().collect();
    let all = saved.values.max(1.0);
    let shares = (0..texts.len()).map(|at| {
        let times = texts
            .is_valid(at)
            .then(|| counts.get(&hash(texts.value(at))));
        match times {
            None => 0.0,
            Some(times) => (times.copied().unwrap_or(1) as f64 / all) as f32,
        }
    });
    Arc::new(shares.collect::<Float32Array>())
}

/// FNV-1a, mixed at the end so that its upper half is as good as the lower.
pub(crate) fn hash(text: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let sum = text.bytes().fold(0xCBF2_9CE4_8422_2325, step);
    (sum ^ (sum >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn views(batch: &RecordBatch) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let column = match column.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => {
                cast(column, &DataType::Utf8View).map_err(DataFusionError::from)?
            }
            _ => column.clone(),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new(schema, columns).map_err(DataFusionError::from)?)
}

/// Every so many batches of the pairs.
struct Pairs {
    schema: SchemaRef,
    held: Arc<Held>,
    pairs: Arc<Vec<u64>>,
    part: usize,
    parts: usize,
}

impl std::fmt::Debug for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairs")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

fn batch(
    held: &Held,
    schema: &SchemaRef,
    first: usize,
    pairs: &[u64],
) -> EngineResult<RecordBatch> {
    let all = first..first + pairs.len();
    let numbers = |of: fn(u64) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(pairs.iter().map(|p| of(*p))))
    };
    let mut columns = vec![
        Arc::new(UInt32Array::from_iter_values(all.map(|at| at as u32))) as ArrayRef,
        numbers(|p| rows(p).0),
        numbers(|p| rows(p).1),
    ];
    let lost = || DataFusionError::Internal("a row is lost".into());
    for side in [|p| rows(p).0, |p| rows(p).1] {
        let places = pairs.iter().map(|p| {
            held.place
                .get(side(*p) as usize)
                .copied()
                .filter(|at| *at != u32::MAX)
        });
        let places = places.collect::<Option<Vec<u32>>>().ok_or_else(lost)?;
        let places = UInt32Array::from(places);
        for column in &held.columns {
            columns.push(take(column, &places, None)?);
        }
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

impl PartitionStream for Pairs {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (held, pairs, schema) = (self.held.clone(), self.pairs.clone(), self.schema.clone());
        let batches = (0..pairs.len())
            .step_by(BATCH)
            .skip(self.part)
            .step_by(self.parts)
            .map(move |first| {
                let end = (first + BATCH).min(pairs.len());
                batch(&held, &schema, first, &pairs[first..end])
            });
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            futures::stream::iter(batches),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_shares_of_values() {
        let values = arrow::array::StringViewArray::from(vec![
            Some("a"),
            None,
            Some("b"),
            Some("a"),
            Some("c"),
        ]);
        let found = frequencies(&(Arc::new(values) as ArrayRef));
        let found = found.as_primitive::<arrow::datatypes::Float32Type>();
        assert_eq!(found.values(), &[0.5, 0.0, 0.25, 0.5, 0.25]);
    }

    #[test]
    fn frequencies_may_be_those_of_other_rows() {
        let values = arrow::array::StringViewArray::from(vec![Some("a"), None, Some("z")]);
        let saved = Frequencies {
            values: 10.0,
            counts: vec![(hash("a"), 4), (hash("b"), 2)],
        };
        let found = known(&(Arc::new(values) as ArrayRef), &saved);
        let found = found.as_primitive::<arrow::datatypes::Float32Type>();
        assert_eq!(found.values(), &[0.4, 0.0, 0.1]);
    }
}
