//! The elements of an array as records of their own.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use mastic_functions::choice::{elements, elements_type, field_at};
use mastic_schema::origin::is_origin;

use super::batch::{Operator, Pass, numbers};

/// The column with the number of the record that an element came from.
pub(crate) const PARENT: &str = "$parent";
/// The column with an element's place in its array, from 0.
pub(crate) const INDEX: &str = "$index";
/// The column with a record's own number.
pub(crate) const RECORD: &str = "$record";
/// The column with the element.
pub(crate) const VALUE: &str = "$val";

/// One record for each element of an array, or each pair of a map, in order: [`PARENT`], [`INDEX`],
/// [`RECORD`] and [`VALUE`], then the origin. The input has a column [`RECORD`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExplodeNode {
    /// The column that holds the array, and the way to it through structs.
    route: Vec<String>,
    schema: DFSchemaRef,
    input: LogicalPlan,
}

impl ExplodeNode {
    pub(crate) fn new(route: Vec<String>, input: LogicalPlan) -> Result<Self> {
        let Some((column, path)) = route.split_first() else {
            return plan_err!("an array has a column");
        };
        let field = input
            .schema()
            .field_from_column(&Column::new_unqualified(column))?;
        let mut data_type = field.data_type();
        for name in path {
            let DataType::Struct(fields) = data_type else {
                return plan_err!("{data_type} has no field '{name}'");
            };
            match fields.iter().find(|f| f.name() == name) {
                Some(field) => data_type = field.data_type(),
                None => return plan_err!("there is no field '{name}'"),
            }
        }
        let Some(element) = elements_type(data_type) else {
            return plan_err!("{data_type} has no elements");
        };
        let int = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
        let value = Arc::new(Field::new(VALUE, element, true));
        let mut fields: Vec<FieldRef> = vec![int(PARENT), int(INDEX), int(RECORD), value];
        let all = input.schema().fields().iter();
        fields.extend(all.filter(|f| is_origin(f.name())).cloned());
        let fields = fields.into_iter().map(|f| (None, f)).collect();
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        Ok(Self {
            route,
            schema: Arc::new(schema),
            input,
        })
    }

    /// The operator for it.
    pub(super) fn operator(&self) -> Explode {
        Explode {
            route: self.route.clone(),
        }
    }
}

impl Hash for ExplodeNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.route.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for ExplodeNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let by_route = self.route.partial_cmp(&other.route)?;
        (by_route.is_ne() || self == other).then_some(by_route)
    }
}

impl UserDefinedLogicalNodeCore for ExplodeNode {
    fn name(&self) -> &'static str {
        "Explode"
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
        write!(f, "Explode: {}", self.route.join("."))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("exploding has one input".into()))?;
        Self::new(self.route.clone(), input)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let wanted = |name: &String| {
            name == RECORD
                || self.route.first() == Some(name)
                || is_origin(name)
                    && output_columns.iter().any(|at| {
                        let fields = self.schema.fields();
                        fields.get(*at).is_some_and(|f| f.name() == name)
                    })
        };
        let own = self.input.schema().fields().iter().enumerate();
        let needed = own.filter(|(_, f)| wanted(f.name())).map(|(at, _)| at);
        Some(vec![needed.collect()])
    }
}

/// The operator of an [`ExplodeNode`].
#[derive(Debug)]
pub(super) struct Explode {
    route: Vec<String>,
}

impl fmt::Display for Explode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "explode {}", self.route.join("."))
    }
}

/// So many elements make a batch, unless one record alone has more.
const ELEMENTS: usize = 32 * 1024;

impl Explode {
    /// The arrays of a batch.
    fn arrays(route: &[String], batch: &RecordBatch) -> Result<ListArray> {
        let found = route
            .split_first()
            .and_then(|(column, path)| Some((batch.column_by_name(column)?, path)));
        match found {
            Some((column, path)) => elements(&field_at(column, path)?),
            None => exec_err!("the column of an array is missing: {}", route.join(".")),
        }
    }
}

impl Operator for Explode {
    fn pieces(&self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let list = Self::arrays(&self.route, &batch)?;
        if list.values().len() <= ELEMENTS {
            return Ok(vec![batch]);
        }
        let mut pieces = Vec::new();
        let (mut from, mut count) = (0, 0);
        for (row, length) in list.offsets().lengths().enumerate() {
            if count > 0 && count + length > ELEMENTS {
                pieces.push(batch.slice(from, row - from));
                (from, count) = (row, 0);
            }
            count += length;
        }
        pieces.push(batch.slice(from, batch.num_rows() - from));
        Ok(pieces)
    }

    fn begin(&self, partition: usize, schema: SchemaRef) -> Pass {
        let route = self.route.clone();
        let mut next = 1;
        Box::new(move |batch| {
            let list = Self::arrays(&route, &batch)?;
            let Some(records) = batch.column_by_name(RECORD) else {
                return exec_err!("the column of the records' numbers is missing");
            };
            let records = records.as_primitive::<Int64Type>();
            let count = list.values().len();
            let mut parents = Vec::with_capacity(count);
            let mut indexes = Vec::with_capacity(count);
            let mut rows = Vec::new();
            let with_origin = schema.fields().len() > 4;
            // Elements that stand behind a NULL are none.
            let mut kept: Option<Vec<u64>> = None;
            let mut at = 0_u64;
            for (row, length) in list.offsets().lengths().enumerate() {
                let end = at + length as u64;
                if list.is_null(row) && length > 0 && kept.is_none() {
                    kept = Some((0..at).collect());
                }
                if list.is_valid(row) {
                    let id = records.value(row);
                    parents.extend(std::iter::repeat_n(id, length));
                    indexes.extend(0..i64::try_from(length).unwrap_or(i64::MAX));
                    if with_origin {
                        rows.extend(std::iter::repeat_n(row as u64, length));
                    }
                    if let Some(kept) = &mut kept {
                        kept.extend(at..end);
                    }
                }
                at = end;
            }
            let values: ArrayRef = match kept {
                Some(kept) => take(list.values(), &UInt64Array::from(kept), None)?,
                None => Arc::clone(list.values()),
            };
            let own = numbers(partition, &mut next, parents.len());
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(parents)),
                Arc::new(Int64Array::from(indexes)),
                Arc::new(Int64Array::from(own)),
                values,
            ];
            let rows = UInt64Array::from(rows);
            for field in schema.fields().iter().skip(columns.len()) {
                match batch.column_by_name(field.name()) {
                    Some(column) => columns.push(take(column, &rows, None)?),
                    None => return exec_err!("the column '{}' is missing", field.name()),
                }
            }
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        })
    }
}
