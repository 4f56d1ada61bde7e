//! The frame itself.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};
use mastic_schema::choice::{self, format_type};
use mastic_schema::origin::is_origin;

use crate::record::{Record, column};
use crate::run::{SharedNode, StepNode, behind, shared_ids, with_planner};
use crate::types::element;
use crate::{FrameError, Result};

/// A collection of records, as a plan that has not run yet.
///
/// A frame is cheap to clone: it is a plan and the session that can run it. Each transform takes a
/// frame and gives the next one; nothing is read before [`DynamicFrame::into_dataframe`]'s result
/// is executed.
///
/// Two columns may go along unseen, the file and line that a record came from
/// ([`mastic_schema::origin`]), for error records to tell. They are no fields of the frame's; an SQL
/// expression may read them by their quoted names.
#[derive(Debug, Clone)]
pub struct DynamicFrame {
    pub(crate) inner: DataFrame,
    /// The fields that are seen.
    schema: SchemaRef,
    /// The columns of the origin that the plan has, after all fields.
    origin: Vec<String>,
    /// What the next transform is called in counts and error records.
    step: Option<String>,
}

impl DynamicFrame {
    /// Wraps a DataFusion data frame. Columns lose their table's name, because a record does not
    /// remember where it came from.
    ///
    /// # Errors
    /// When two columns have the same name.
    pub fn new(frame: DataFrame) -> Result<Self> {
        let mut seen = HashSet::new();
        for field in frame.schema().fields() {
            if !seen.insert(field.name()) {
                return Err(FrameError::FieldExists {
                    path: field.name().clone(),
                });
            }
        }
        let (mut state, plan) = frame.into_parts();
        guard(&mut state);
        let frame = DataFrame::new(with_planner(state), plan);
        let schema = frame.schema();
        let hidden: Vec<bool> = schema
            .fields()
            .iter()
            .map(|f| is_origin(f.name()))
            .collect();
        if schema.iter().all(|(table, _)| table.is_none()) && hidden.is_sorted() {
            return Ok(Self::of(frame));
        }
        let (own, hidden): (Vec<Expr>, Vec<Expr>) = schema
            .iter()
            .map(|(table, field)| {
                Expr::Column(Column::new(table.cloned(), field.name())).alias(field.name())
            })
            .partition(|e| !is_origin(e.schema_name().to_string().as_str()));
        let columns: Vec<Expr> = own.into_iter().chain(hidden).collect();
        Ok(Self::of(frame.select(columns)?))
    }

    /// A frame of this plan, whose columns have no tables and those of the origin come last.
    pub(crate) fn of(inner: DataFrame) -> Self {
        let all = inner.schema().as_arrow().fields();
        let own: Fields = all
            .iter()
            .filter(|f| !is_origin(f.name()))
            .cloned()
            .collect();
        let origin = all.iter().map(|f| f.name()).filter(|n| is_origin(n));
        Self {
            schema: Arc::new(Schema::new(own)),
            origin: origin.cloned().collect(),
            inner,
            step: None,
        }
    }

    /// The frame as DataFusion's own, to run it or to go on with its methods. The columns of the
    /// origin are left out.
    pub fn into_dataframe(self) -> DataFrame {
        if self.origin.is_empty() {
            return self.inner;
        }
        let columns: Vec<Expr> = self.columns();
        // Columns of the frame's own schema: selecting them cannot fail, and where it would, running
        // the whole frame is no worse.
        match self.inner.clone().select(columns) {
            Ok(seen) => seen,
            Err(_) => self.inner,
        }
    }

    /// The plan that makes the records.
    pub fn plan(&self) -> &LogicalPlan {
        self.inner.logical_plan()
    }

    /// The records' schema.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The records' fields.
    pub fn fields(&self) -> &Fields {
        self.schema.fields()
    }

    /// Counts the records that come out here, as those of a step with this label; see
    /// [`crate::Ledger`].
    pub fn counted(self, step: &str) -> Self {
        self.stepped(step, None)
    }

    /// Gives the next transform a label, by which its error records and counts are known; without
    /// one it is the transform's own name.
    #[must_use]
    pub fn in_step(mut self, label: impl Into<String>) -> Self {
        self.step = Some(label.into());
        self
    }

    /// The label of the transform that is at work, where it is called `name`.
    pub(crate) fn step(&self, name: &str) -> String {
        self.step.clone().unwrap_or_else(|| name.to_owned())
    }

    /// Sets aside the records for which `reason`, a text, is not NULL: they become error records of the
    /// step, and the others go on. A transform calls it before it projects, so that the error record
    /// shows the record as it came in.
    pub(crate) fn set_aside(self, step: &str, reason: Expr) -> Self {
        self.stepped(step, Some(reason))
    }

    fn stepped(self, step: &str, reason: Option<Expr>) -> Self {
        let (state, input) = self.inner.into_parts();
        let node = StepNode {
            label: step.to_owned(),
            reason,
            casts: Vec::new(),
            input,
        };
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        Self {
            inner: DataFrame::new(state, plan),
            ..self
        }
    }

    /// Whether the step of this label, the last one of the frame's, counts what its casts lose.
    pub fn counts_casts(&self, step: &str) -> bool {
        let mut plan = self.plan();
        loop {
            plan = match plan {
                LogicalPlan::Projection(projection) => &projection.input,
                LogicalPlan::Extension(extension) => {
                    let node = extension.node.as_any().downcast_ref::<StepNode>();
                    return node.is_some_and(|n| n.label == step && !n.casts.is_empty());
                }
                _ => return false,
            };
        }
    }

    /// The same fields over another plan, which has them and the origin's columns, and may have columns that
    /// the transform works with.
    pub(crate) fn over(self, inner: DataFrame) -> Self {
        Self { inner, ..self }
    }

    /// Has the frame computed once where several frames that are run together read it: see [`crate::share`],
    /// which is to be called before they are run. `id` tells the frame from others that are shared; two frames
    /// with the same `id` are taken to be the same.
    ///
    /// Filters and limits of its readers stay above it.
    #[must_use]
    pub fn shared(self, id: &str) -> Self {
        let (state, input) = self.inner.into_parts();
        let node = SharedNode {
            id: id.to_owned(),
            told: Vec::new(),
            input,
        };
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        Self {
            inner: DataFrame::new(state, plan),
            ..self
        }
    }

    /// The ids of the shared frames that this one reads after [`crate::share`]. Frames with an id in common
    /// are to be run at the same time.
    pub fn shared_ids(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        // The walk itself cannot fail; at worst frames are run together that need not be.
        let _ = shared_ids(self.plan(), &mut ids);
        ids
    }

    /// The frames that this one reads through a cache ([`DynamicFrame::cached`]): its own plan does not show what
    /// they read.
    pub fn looked_up(&self) -> Vec<Self> {
        let plans = behind(self.plan()).into_iter();
        plans
            .map(|plan| Self::of(DataFrame::new(self.state(), plan)))
            .collect()
    }

    /// The fields as columns.
    pub(crate) fn columns(&self) -> Vec<Expr> {
        self.fields().iter().map(|f| column(f.name())).collect()
    }

    /// The columns of the origin, to be put behind a projection's.
    pub(crate) fn origin(&self) -> Vec<Expr> {
        self.origin.iter().map(|name| column(name)).collect()
    }

    /// The schema as a tree, as Glue's `printSchema` draws it, with Hive's type names.
    pub fn pretty_schema(&self) -> String {
        let mut out = String::from("root\n");
        draw_fields(self.fields(), 0, &mut out);
        out
    }

    pub(crate) fn state(&self) -> SessionState {
        self.inner.clone().into_parts().0
    }

    pub(crate) fn record(&self) -> Record {
        Record::of_schema(&self.schema)
    }

    /// The frame with this record put out in the place of the present one.
    pub(crate) fn with_record(self, record: &Record) -> Result<Self> {
        let mut columns = record.render()?;
        columns.extend(self.origin());
        Ok(Self::of(self.inner.select(columns)?))
    }
}

/// Turns off what goes wrong with frames: DataFusion 55.2's `push_down_leaf_projections` fails with
/// an ambiguous reference where a struct's field is read above a projection that has both `t.a AS
/// b` and another `a`, which is what renaming fields makes.
fn guard(state: &mut SessionState) {
    let options = state.config_mut().options_mut();
    options.optimizer.enable_leaf_expression_pushdown = false;
}

fn draw_fields(fields: &Fields, depth: usize, out: &mut String) {
    for field in fields {
        draw(field.name(), field.data_type(), depth, out);
    }
}

fn draw(name: &str, data_type: &DataType, depth: usize, out: &mut String) {
    let kind = match data_type {
        _ if choice::is_choice(data_type) => "choice".to_owned(),
        DataType::Struct(_) => "struct".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        DataType::Null => "null".to_owned(),
        list if element(list).is_some() => "array".to_owned(),
        plain => format_type(plain),
    };
    out.push_str(&"|    ".repeat(depth));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "|-- {name}: {kind}");
    draw_inside(data_type, depth, out);
}

/// The lines below a field's own.
fn draw_inside(data_type: &DataType, depth: usize, out: &mut String) {
    // Glue draws the alternatives by their names alone.
    if let Some(alternatives) = choice::alternatives(data_type) {
        for field in alternatives {
            out.push_str(&"|    ".repeat(depth + 1));
            let _ = writeln!(out, "|-- {}", field.name());
            draw_inside(field.data_type(), depth + 1, out);
        }
        return;
    }
    match data_type {
        DataType::Struct(fields) => draw_fields(fields, depth + 1, out),
        DataType::Map(entries, _) => {
            if let DataType::Struct(pair) = entries.data_type() {
                for (name, field) in ["keyType", "valueType"].iter().zip(pair) {
                    draw(name, field.data_type(), depth + 1, out);
                }
            }
        }
        other => {
            if let Some(inner) = element(other) {
                draw("element", inner.data_type(), depth + 1, out);
            }
        }
    }
}
