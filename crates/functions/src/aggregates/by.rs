//! `max_by(x, y)` and `min_by(x, y)`: the `x` of the row with the greatest or least `y`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};

pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [("max_by", Ordering::Greater), ("min_by", Ordering::Less)]
        .map(|(name, wanted)| {
            let signature = Signature::any(2, Volatility::Immutable);
            Arc::new(AggregateUDF::new_from_impl(By {
                name,
                wanted,
                signature,
            }))
        })
        .to_vec()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct By {
    name: &'static str,
    /// How a `y` that takes the place of another compares with it.
    wanted: Ordering,
    signature: Signature,
}

impl AggregateUDFImpl for By {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [x, _] => Ok(x.clone()),
            _ => plan_err!("{} takes 2 arguments, not {}", self.name, types.len()),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |i: usize, name: &str| match args.input_fields.get(i) {
            Some(f) => {
                let name = format_state_name(args.name, name);
                Ok(Arc::new(Field::new(name, f.data_type().clone(), true)))
            }
            None => internal_err!("{} lacks argument {}", self.name, i + 1),
        };
        Ok(vec![field(0, "x")?, field(1, "y")?])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match args.expr_fields {
            [x, y] => Ok(Box::new(Best {
                wanted: self.wanted,
                x: ScalarValue::try_from(x.data_type())?,
                y: ScalarValue::try_from(y.data_type())?,
            })),
            _ => internal_err!("{} takes 2 arguments", self.name),
        }
    }

    /// `first_value(x ORDER BY y) FILTER (WHERE y IS NOT NULL)`, which groups without an accumulator
    /// per group.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let ascending = self.wanted == Ordering::Less;
        Some(Box::new(move |AggregateFunction { mut params, .. }, _| {
            let Some(y) = params.args.pop() else {
                return internal_err!("max_by and min_by take 2 arguments");
            };
            let known = y.clone().is_not_null();
            params.filter = Some(Box::new(match params.filter {
                Some(filter) => filter.and(known),
                None => known,
            }));
            params.order_by = vec![y.sort(ascending, false)];
            params.distinct = false;
            let func = first_value_udaf();
            Ok(Expr::AggregateFunction(AggregateFunction { func, params }))
        }))
    }
}

/// Used where an aggregate is not rewritten: over windows.
#[derive(Debug)]
struct Best {
    wanted: Ordering,
    x: ScalarValue,
    y: ScalarValue,
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [xs, ys] = values else {
            return internal_err!("max_by and min_by take 2 arguments");
        };
        let compare = make_comparator(ys, ys, SortOptions::default())?;
        let known = (0..ys.len()).filter(|i| ys.is_valid(*i));
        let best = known.reduce(|a, b| if compare(b, a) == self.wanted { b } else { a });
        let Some(best) = best else { return Ok(()) };
        let ours = self.y.to_array()?;
        // With make_comparator too: scalars of nested types do not compare.
        if self.y.is_null()
            || make_comparator(ys, &ours, SortOptions::default())?(best, 0) == self.wanted
        {
            self.x = ScalarValue::try_from_array(xs, best)?;
            self.y = ScalarValue::try_from_array(ys, best)?;
            // Else the scalar would keep the whole batch in memory.
            self.x.compact();
            self.y.compact();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.x.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.x.size() + self.y.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.x.clone(), self.y.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
