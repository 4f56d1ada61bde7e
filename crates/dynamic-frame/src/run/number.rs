//! Records, numbered.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::batch::{Operator, Pass, numbers};

/// Adds a column with a number that no other record of the plan has. It follows from a record's partition
/// and place in it, so plans over the same partitions number alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberNode {
    column: String,
    schema: DFSchemaRef,
    input: LogicalPlan,
}

impl NumberNode {
    pub(crate) fn new(column: &str, input: LogicalPlan) -> Result<Self> {
        let mut fields: Vec<_> = input
            .schema()
            .iter()
            .map(|(table, field)| (table.cloned(), Arc::clone(field)))
            .collect();
        fields.push((None, Arc::new(Field::new(column, DataType::Int64, false))));
        let metadata = input.schema().metadata().clone();
        Ok(Self {
            column: column.to_owned(),
            schema: Arc::new(DFSchema::new_with_metadata(fields, metadata)?),
            input,
        })
    }
}

impl Hash for NumberNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for NumberNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let by_column = self.column.partial_cmp(&other.column)?;
        (by_column.is_ne() || self == other).then_some(by_column)
    }
}

impl UserDefinedLogicalNodeCore for NumberNode {
    fn name(&self) -> &'static str {
        "Number"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number: {}", self.column)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("numbering has one input".into()))?;
        Self::new(&self.column, input)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = self.input.schema().fields().len();
        let wanted = output_columns.iter().copied().filter(|at| *at < own);
        Some(vec![wanted.collect()])
    }
}

/// The operator of a [`NumberNode`].
#[derive(Debug)]
pub(super) struct Number;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("number")
    }
}

impl Operator for Number {
    fn begin(&self, partition: usize, schema: SchemaRef) -> Pass {
        let mut next = 1;
        Box::new(move |batch| {
            let mut columns = batch.columns().to_vec();
            let numbers = numbers(partition, &mut next, batch.num_rows());
            columns.push(Arc::new(Int64Array::from(numbers)));
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        })
    }
}
