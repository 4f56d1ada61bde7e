//! The pairs with the normal forms of both records, as a table.
//!
//! Normal forms are held in memory, and each batch of pairs takes its own from them: texts are views, so that no
//! character is copied. Where the engine's memory pool refuses that, the pairs are joined with them, by sorting
//! ([`joined`]); what comes out is the same.

mod frequencies;
mod joined;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::blocking::rows;
use crate::error::{MatchError, Result};
use crate::external::cores;
use crate::memory::Share;
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
    _share: Share,
}

/// A table of pairs, and what was spilled to make it.
pub(crate) struct Gathered {
    pub(crate) pairs: DataFrame,
    pub(crate) spilled: u64,
}

/// A table of each pair's place `p`, its rows `a` and `b`, and the columns of both, called `l` and `r` and their name,
/// with the frequency of each value. Pairs may be in any order.
pub(crate) async fn pairs(
    context: &SessionContext,
    normal: &Arc<Spool>,
    pairs: Arc<Vec<u64>>,
    saved: Option<&Transform>,
) -> Result<Gathered> {
    let rows = normal.scan(context, "rows")?;
    let Some(held) = hold(context, rows, normal.rows(), saved).await? else {
        return joined::pairs(context, normal, pairs, saved).await;
    };
    let held = Arc::new(held);
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
    let parts = cores();
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
    Ok(Gathered {
        pairs: context.read_table(Arc::new(table))?,
        spilled: 0,
    })
}

/// Whether a column is a text, of which it is known how frequent its values are: the place of the column.
fn place_of(name: &str) -> Option<usize> {
    name.strip_prefix('v')?.parse().ok()
}

/// Reads all rows, texts as views. None if there is too little memory for it.
async fn hold(
    context: &SessionContext,
    frame: DataFrame,
    count: u64,
    saved: Option<&Transform>,
) -> Result<Option<Held>> {
    let task = context.task_ctx();
    let share = Share::new("normal forms", task.memory_pool());
    let share = Arc::new(std::sync::Mutex::new(share));
    let plan = frame.create_physical_plan().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (part, mut stream) in execute_stream_partitioned(plan, task)?
        .into_iter()
        .enumerate()
    {
        let share = share.clone();
        tasks.spawn(async move {
            let mut own = Vec::new();
            while let Some(batch) = stream.next().await {
                let batch = views(&batch?)?;
                let bytes = get_record_batch_memory_size(&batch);
                let granted = share.lock().is_ok_and(|mut share| share.try_grow(bytes));
                if !granted {
                    return Ok(None);
                }
                own.push(batch);
            }
            Ok::<_, MatchError>(Some((part, own)))
        });
    }
    let mut parts = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(|e| MatchError::Spool(e.to_string()))?? {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    parts.sort_by_key(|(part, _)| *part);
    let batches: Vec<RecordBatch> = parts.into_iter().flat_map(|(_, own)| own).collect();
    let Some(mut share) = Arc::into_inner(share).and_then(|share| share.into_inner().ok()) else {
        return Err(MatchError::Spool(
            "a thread that read rows ended early".into(),
        ));
    };
    let Some(first) = batches.first() else {
        return Err(MatchError::Spool("no rows are left".into()));
    };
    // Views of texts, and whatever is as wide, are there twice while they are brought together.
    let all_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let twice = 17 * all_rows * first.num_columns();
    // And to count a column's values takes a hash a row, and a share.
    let counting = (8 + 4) * all_rows * first.num_columns();
    if !share.try_grow(twice.max(counting) + 4 * usize::try_from(count).unwrap_or(0)) {
        return Ok(None);
    }
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
    let texts: Vec<(String, ArrayRef, Option<Frequencies>)> = names
        .iter()
        .zip(&columns)
        .filter_map(|(name, c)| Some((place_of(name)?, c)))
        .map(|(at, c)| (frequency(at), c.clone(), frequencies::saved(saved, at)))
        .collect();
    let of_texts = 4 * all_rows * texts.len();
    let counted = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let each = texts.iter().map(|(name, c, saved)| {
                let count = || match saved {
                    Some(saved) => frequencies::known(c, saved),
                    None => frequencies::counted(c),
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
    share.shrink(twice.max(counting).saturating_sub(of_texts));
    Ok(Some(Held {
        names,
        columns,
        place,
        _share: share,
    }))
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
    use arrow::array::{Float64Array, StringArray};
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::logical_expr::SortExpr;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::SessionConfig;
    use mastic_functions::sample_number;

    use crate::blocking::pair;
    use crate::normalise::column;
    use crate::operator::spilled;

    const ROWS: u32 = 60_000;

    fn rows_of_text() -> RecordBatch {
        let each = || (0..ROWS).map(u64::from);
        let text = |row: u64| {
            (!row.is_multiple_of(9)).then(|| format!("a name {}", sample_number(row) % 700))
        };
        let columns: [(&str, ArrayRef); 4] = [
            ("row", Arc::new(UInt32Array::from_iter_values(0..ROWS))),
            ("v0", Arc::new(each().map(text).collect::<StringArray>())),
            (
                "v1",
                Arc::new(each().map(|row| text(row / 3)).collect::<StringArray>()),
            ),
            (
                "x1",
                Arc::new(each().map(|row| Some(row as f64)).collect::<Float64Array>()),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    // Held or joined, the table is the same to the last bit.
    #[tokio::test]
    async fn what_is_joined_is_what_would_be_held() {
        let number = |at: u64| (sample_number(at) % u64::from(ROWS)) as u32;
        let all: Vec<u64> = (0..50_000)
            .map(|at| pair(number(2 * at), number(2 * at + 1)))
            .collect();
        let all = Arc::new(all);
        let mut expected: Option<RecordBatch> = None;
        for (bytes, spills) in [(1 << 30, false), (6 << 20, true)] {
            let pool = Arc::new(FairSpillPool::new(bytes));
            let env = RuntimeEnvBuilder::new().with_memory_pool(pool);
            let config = SessionConfig::new().with_batch_size(1024);
            let mut config = config.with_target_partitions(2);
            config.options_mut().execution.sort_spill_reservation_bytes = 1 << 16;
            let context = SessionContext::new_with_config_rt(config, env.build_arc().unwrap());
            let frame = context.read_batch(rows_of_text()).unwrap();
            let normal = Spool::keep(&context, vec![frame], false).await.unwrap();
            let found = pairs(&context, &normal, all.clone(), None).await.unwrap();
            let plan = found.pairs.create_physical_plan().await.unwrap();
            let schema = plan.schema();
            let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
            assert_eq!(spilled(plan.as_ref()) > 0, spills);
            // The memory is for what is tested.
            let other = SessionContext::new();
            let found: Vec<RecordBatch> = found.iter().map(|b| views(b).unwrap()).collect();
            let sorted = other.read_batches(found).unwrap();
            let sorted = sorted
                .sort(vec![SortExpr::new(column("p"), true, false)])
                .unwrap();
            let found = sorted.collect().await.unwrap();
            let found = concat_batches(&found[0].schema(), &found).unwrap();
            assert_eq!(
                (found.num_rows(), schema.fields().len()),
                (50_000, 3 + 2 * 5)
            );
            match &expected {
                None => expected = Some(found),
                Some(expected) => assert!(*expected == found),
            }
        }
    }
}
