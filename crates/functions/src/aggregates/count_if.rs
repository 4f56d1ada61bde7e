//! `count_if(x)`: how many are true.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::sum;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility, lit, when,
};

pub(super) fn udaf() -> Arc<AggregateUDF> {
    let signature = Signature::exact(vec![DataType::Boolean], Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(CountIf { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountIf {
    signature: Signature,
}

impl AggregateUDFImpl for CountIf {
    fn name(&self) -> &'static str {
        "count_if"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Count(0)))
    }

    /// `count(CASE WHEN x THEN 1 END)`, which is how Trino defines it and what groups fast.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        Some(Box::new(|AggregateFunction { mut params, .. }, _| {
            let args = params.args.into_iter().map(|x| when(x, lit(1_i64)).end());
            params.args = args.collect::<Result<_>>()?;
            Ok(Expr::AggregateFunction(AggregateFunction {
                func: count_udaf(),
                params,
            }))
        }))
    }
}

/// Used where an aggregate is not rewritten: over windows.
#[derive(Debug)]
struct Count(i64);

fn trues(values: &[ArrayRef]) -> i64 {
    values
        .first()
        .map_or(0, |v| v.as_boolean().true_count() as i64)
}

impl Accumulator for Count {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0 += trues(values);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0 -= trues(values);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.0)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0 += states
            .first()
            .and_then(|s| sum(s.as_primitive::<Int64Type>()))
            .unwrap_or(0);
        Ok(())
    }
}
