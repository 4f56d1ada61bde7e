//! `max(x, n)`, `min(x, n)`, `max_by(x, y, n)` and `min_by(x, y, n)`: arrays of the first `n`, which the
//! statement layer writes as `max_n` and so on.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_empty_array};
use arrow::compute::{SortOptions, concat, filter, is_not_null, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};

/// The largest `n`, as in Trino.
const MOST: i64 = 10_000;

pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [
        ("max_n", 1, true),
        ("min_n", 1, false),
        ("max_by_n", 2, true),
        ("min_by_n", 2, false),
    ]
    .map(|(name, columns, greatest)| {
        Arc::new(AggregateUDF::new_from_impl(Top {
            name,
            columns,
            greatest,
            signature: Signature::any(columns + 1, Volatility::Immutable),
        }))
    })
    .to_vec()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Top {
    name: &'static str,
    /// One that is kept and compared, or one that is kept and one that is compared.
    columns: usize,
    greatest: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Top {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(x) => Ok(DataType::new_list(x.clone(), true)),
            None => plan_err!("{} takes a value and a number", self.name),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let fields = args.input_fields.iter().take(self.columns).enumerate();
        Ok(fields
            .map(|(i, f)| {
                let name = format_state_name(args.name, if i == 0 { "x" } else { "y" });
                Arc::new(Field::new(
                    name,
                    DataType::new_list(f.data_type().clone(), true),
                    true,
                ))
            })
            .collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let given = args.exprs.last().map(|n| n.evaluate(&empty)).transpose();
        let n = match given {
            Ok(Some(ColumnarValue::Scalar(n))) => n.cast_to(&DataType::Int64)?,
            _ => return plan_err!("{}: how many must be a constant", self.name),
        };
        let limit = match n {
            ScalarValue::Int64(Some(n)) if (1..=MOST).contains(&n) => n as usize,
            other => return plan_err!("{}: how many must be 1 to {MOST}, not {other}", self.name),
        };
        let kept = args.expr_fields.iter().take(self.columns);
        Ok(Box::new(Best {
            limit,
            greatest: self.greatest,
            kept: kept.map(|f| new_empty_array(f.data_type())).collect(),
        }))
    }
}

/// The best so far, best first.
#[derive(Debug)]
struct Best {
    limit: usize,
    greatest: bool,
    kept: Vec<ArrayRef>,
}

impl Best {
    fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(compared) = columns.last() else {
            return internal_err!("there is nothing to compare");
        };
        let known = is_not_null(compared)?;
        let mut all = Vec::with_capacity(self.kept.len());
        for (kept, new) in self.kept.iter().zip(columns) {
            all.push(concat(&[kept.as_ref(), filter(new, &known)?.as_ref()])?);
        }
        let Some(compared) = all.last() else {
            return internal_err!("there is nothing to compare");
        };
        let options = SortOptions {
            descending: self.greatest,
            nulls_first: false,
        };
        let best = sort_to_indices(compared, Some(options), Some(self.limit))?;
        self.kept = all
            .iter()
            .map(|column| Ok(take(column, &best, None)?))
            .collect::<Result<_>>()?;
        Ok(())
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        match arrays.get(..self.kept.len()) {
            Some(columns) => self.add(columns),
            None => internal_err!("a column is missing"),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(values) = self.kept.first() else {
            return internal_err!("there is nothing to compare");
        };
        if values.is_empty() {
            return ScalarValue::try_from(&DataType::new_list(values.data_type().clone(), true));
        }
        Ok(list(values))
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self
                .kept
                .iter()
                .map(|a| a.get_array_memory_size())
                .sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.kept.iter().map(list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |s| s.len());
        for row in 0..rows {
            if states.iter().any(|s| s.is_null(row)) {
                continue;
            }
            let columns: Vec<ArrayRef> = states
                .iter()
                .map(|s| s.as_list::<i32>().value(row))
                .collect();
            self.add(&columns)?;
        }
        Ok(())
    }
}

fn list(values: &ArrayRef) -> ScalarValue {
    use datafusion::common::utils::SingleRowListArrayBuilder;
    SingleRowListArrayBuilder::new(Arc::clone(values)).build_list_scalar()
}
