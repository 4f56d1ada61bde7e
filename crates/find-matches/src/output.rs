//! What comes out: the rows with their entities, the best of each, and the pairs.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int64Array, RecordBatch,
    UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, SortExpr, cast, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use crate::blocking::rows;
use crate::compare::NULL;
use crate::error::Result;
use crate::explain::Explanation;
use crate::incremental::{Joined, OLD_CONFIDENCE, OLD_ID};
use crate::model::patterns::Patterns;
use crate::model::{Model, em, sigmoid};
use crate::normalise::column;
use crate::settings::Settings;
use crate::spool::{ROW, Spool};
use crate::transform::Transform;

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows, of both tables where two are linked.
    pub rows: u64,
    /// Pairs compared.
    pub pairs: u64,
    /// Pairs that match.
    pub matches: u64,
    /// Entities, those of one record included.
    pub entities: u64,
    /// Rows beyond the first of each entity.
    pub duplicates: u64,
}

/// The records' entities.
#[derive(Debug)]
pub struct Matched {
    /// Every input row with `match_id` and `match_confidence`; of two tables, with `source`, too. In the order
    /// of the input.
    pub rows: DataFrame,
    /// The compared pairs: the rows' numbers from 0 (`left_row`, `right_row`; in linking, the right table's
    /// follow the left one's), the primary key of both if there is one, `score`, `match_probability`, `is_match`,
    /// and for each comparison its level and its part in the score.
    pub pairs: DataFrame,
    /// The best record of each entity: the one with most values, then with the least primary key, then the first.
    pub best: DataFrame,
    /// What was decided, and why.
    pub explanation: Explanation,
    /// What scores pairs again.
    pub model: Model,
    /// How much there was.
    pub summary: Summary,
    /// What was learned, to be applied again, if it was to be kept.
    pub transform: Option<Transform>,
    /// What became of new records, if they were to join others.
    pub joined: Option<Joined>,
}

/// The scored pairs.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) pairs: Vec<u64>,
    pub(crate) scores: Vec<f32>,
    pub(crate) is_match: Vec<bool>,
    pub(crate) patterns: Patterns,
    pub(crate) model: Model,
}

impl Matched {
    #[allow(clippy::too_many_arguments, reason = "made in one place")]
    pub(crate) fn new(
        context: &SessionContext,
        raw: &Arc<Spool>,
        settings: &Settings,
        ids: Vec<i64>,
        confidence: Vec<f64>,
        outcome: Outcome,
        explanation: Explanation,
        model: Model,
        summary: Summary,
    ) -> Result<Matched> {
        let all = raw.scan(context, "records")?;
        let names: Vec<String> = all
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .filter(|n| !n.starts_with('$') || n != ROW && n != OLD_ID && n != OLD_CONFIDENCE)
            .collect();
        let joined = all.join(
            entities(context, ids, confidence)?,
            JoinType::Inner,
            &[ROW],
            &["$entity_row"],
            None,
        )?;
        let ordered = || SortExpr::new(column(ROW), true, false);
        let mut shown: Vec<Expr> = names.iter().map(|n| column(n)).collect();
        shown.extend([column("match_id"), column("match_confidence")]);
        let records = joined
            .clone()
            .sort(vec![ordered()])?
            .select(shown.clone())?;

        let mut given: Expr = lit(0_i64);
        for name in &names {
            given = given + cast(column(name).is_not_null(), DataType::Int64);
        }
        let mut order = vec![SortExpr::new(given, false, false)];
        order.extend(
            settings
                .primary_key
                .iter()
                .map(|key| SortExpr::new(column(key), true, false)),
        );
        order.push(ordered());
        let rank = row_number()
            .partition_by(vec![column("match_id")])
            .order_by(order)
            .build()?;
        let best = joined
            .window(vec![rank.alias("$rank")])?
            .filter(column("$rank").eq(lit(1_u64)))?
            .sort(vec![ordered()])?
            .select(shown)?;
        let pairs = pairs(context, raw, settings, outcome)?;
        Ok(Matched {
            rows: records,
            pairs,
            best,
            explanation,
            model,
            summary,
            transform: None,
            joined: None,
        })
    }
}

fn engine(error: arrow::error::ArrowError) -> DataFusionError {
    DataFusionError::from(error)
}

/// Each row's entity.
fn entities(context: &SessionContext, ids: Vec<i64>, confidence: Vec<f64>) -> Result<DataFrame> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("$entity_row", DataType::UInt32, false),
        Field::new("match_id", DataType::Int64, false),
        Field::new("match_confidence", DataType::Float64, false),
    ]));
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(0..count)),
        Arc::new(Int64Array::from(ids)),
        Arc::new(Float64Array::from(confidence)),
    ];
    let all = RecordBatch::try_new(schema.clone(), arrays).map_err(engine)?;
    let parts = (0..all.num_rows())
        .step_by(8192)
        .map(|at| all.slice(at, (all.num_rows() - at).min(8192)));
    let table = MemTable::try_new(schema, vec![parts.collect()])?;
    Ok(context.read_table(Arc::new(table))?)
}

/// The pair table.
fn pairs(
    context: &SessionContext,
    raw: &Arc<Spool>,
    settings: &Settings,
    outcome: Outcome,
) -> Result<DataFrame> {
    let field = |name: &str, t: DataType| Field::new(name, t, true);
    let mut fields = vec![
        field("left_row", DataType::UInt32),
        field("right_row", DataType::UInt32),
        field("score", DataType::Float32),
        field("match_probability", DataType::Float64),
        field("is_match", DataType::Boolean),
    ];
    for comparison in &outcome.model.comparisons {
        fields.push(field(&format!("{}_level", comparison.name), DataType::Int8));
        fields.push(field(
            &format!("{}_part", comparison.name),
            DataType::Float32,
        ));
    }
    let schema = Arc::new(Schema::new(fields));
    let stream = PairStream {
        schema: schema.clone(),
        outcome: Arc::new(outcome),
    };
    let table = StreamingTable::try_new(schema.clone(), vec![Arc::new(stream)])?;
    let frame = context.read_table(Arc::new(table))?;
    let Some(key) = &settings.primary_key else {
        return Ok(frame);
    };
    let side = |prefix: &str| -> Result<DataFrame> {
        let rows = raw.scan(context, "records")?;
        Ok(rows.select(vec![
            column(key).alias(format!("{prefix}_{key}")),
            column(ROW).alias(format!("${prefix}")),
        ])?)
    };
    let joined = frame
        .join(
            side("left")?,
            JoinType::Inner,
            &["left_row"],
            &["$left"],
            None,
        )?
        .join(
            side("right")?,
            JoinType::Inner,
            &["right_row"],
            &["$right"],
            None,
        )?;
    let mut shown = vec![
        column(&format!("left_{key}")),
        column(&format!("right_{key}")),
    ];
    shown.extend(schema.fields().iter().map(|f| column(f.name())));
    Ok(joined.select(shown)?)
}

/// The pairs, a batch at a time.
#[derive(Debug)]
struct PairStream {
    schema: SchemaRef,
    outcome: Arc<Outcome>,
}

impl PartitionStream for PairStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (outcome, schema) = (self.outcome.clone(), self.schema.clone());
        let all = outcome.pairs.len();
        let batches = (0..all)
            .step_by(8192)
            .map(move |from| batch(&outcome, schema.clone(), from..(from + 8192).min(all)));
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            futures::stream::iter(batches),
        ))
    }
}

fn batch(
    outcome: &Outcome,
    schema: SchemaRef,
    range: std::ops::Range<usize>,
) -> EngineResult<RecordBatch> {
    let pairs = || outcome.pairs[range.clone()].iter();
    let scores = || outcome.scores[range.clone()].iter().copied();
    let threshold = outcome.model.threshold;
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(pairs().map(|p| rows(*p).0))),
        Arc::new(UInt32Array::from_iter_values(pairs().map(|p| rows(*p).1))),
        Arc::new(Float32Array::from_iter_values(scores())),
        Arc::new(Float64Array::from_iter_values(
            scores().map(|s| sigmoid(f64::from(s) - threshold)),
        )),
        Arc::new(BooleanArray::from(outcome.is_match[range.clone()].to_vec())),
    ];
    let patterns: Vec<usize> = outcome.patterns.of[range]
        .iter()
        .map(|p| *p as usize)
        .collect();
    let parts: Vec<Vec<f64>> = patterns
        .iter()
        .map(|p| em::parts(&outcome.model, &outcome.patterns, *p).collect())
        .collect();
    for k in 0..outcome.model.comparisons.len() {
        let levels = patterns.iter().map(|p| {
            let level = outcome.patterns.level(*p, k);
            (level != NULL).then_some(level.min(100) as i8)
        });
        arrays.push(Arc::new(levels.collect::<Int8Array>()));
        arrays.push(Arc::new(Float32Array::from_iter_values(
            parts.iter().map(|of| of[k] as f32),
        )));
    }
    RecordBatch::try_new(schema, arrays).map_err(engine)
}
