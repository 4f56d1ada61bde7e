//! `approx_percentile(x, p)`, `approx_percentile(x, array[p, …])`, and both with weights before the `p`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};
use datafusion_functions_aggregate_common::tdigest::{Centroid, TDigest};

use crate::arrays::element;

/// Centroids in a digest: more are more exact. At 200, quantiles of a million values are off by less than 1 %.
const CENTROIDS: usize = 200;

pub(super) fn udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(ApproxPercentile {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ApproxPercentile {
    signature: Signature,
}

impl AggregateUDFImpl for ApproxPercentile {
    fn name(&self) -> &'static str {
        "approx_percentile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let number = |t: &DataType| t.is_numeric() || t.is_null();
        let list = || DataType::new_list(DataType::Float64, true);
        let wanted = |p: &DataType| match element(p) {
            Some(_) => list(),
            None => DataType::Float64,
        };
        match types {
            [x, ..] if !number(x) => plan_err!("approx_percentile takes numbers, not {x}"),
            [x, p] => Ok(vec![x.clone(), wanted(p)]),
            [x, w, p] if number(w) => Ok(vec![x.clone(), DataType::Float64, wanted(p)]),
            _ => plan_err!(
                "approx_percentile takes a number, perhaps its weight, and a percentage or an array of them"
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [x, .., p] if element(p).is_some() => Ok(DataType::new_list(x.clone(), true)),
            [x, ..] => Ok(x.clone()),
            [] => plan_err!("approx_percentile takes a number and a percentage"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str, of: DataType| {
            Arc::new(Field::new(format_state_name(args.name, name), of, true))
        };
        Ok(vec![
            field("max_size", DataType::UInt64),
            field("sum", DataType::Float64),
            field("count", DataType::Float64),
            field("max", DataType::Float64),
            field("min", DataType::Float64),
            field("centroids", DataType::new_list(DataType::Float64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let given = args.exprs.last().map(|p| p.evaluate(&empty)).transpose();
        let Ok(Some(ColumnarValue::Scalar(given))) = given else {
            return plan_err!("approx_percentile: the percentage must be a constant");
        };
        let (wanted, many) = match &given {
            ScalarValue::List(list) => (list.values().clone(), true),
            one => (one.to_array()?, false),
        };
        let wanted = cast(&wanted, &DataType::Float64)?;
        let wanted: Vec<f64> = wanted
            .as_primitive::<Float64Type>()
            .iter()
            .flatten()
            .collect();
        if let Some(p) = wanted.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return plan_err!("approx_percentile: {p} is not between 0 and 1");
        }
        if wanted.is_empty() && !many {
            return plan_err!("approx_percentile: the percentage is NULL");
        }
        let Some(x) = args.expr_fields.first() else {
            return internal_err!("approx_percentile lacks its value");
        };
        Ok(Box::new(Percentiles {
            digest: TDigest::new(CENTROIDS),
            weighted: args.exprs.len() > 2,
            wanted,
            many,
            kind: x.data_type().clone(),
        }))
    }
}

#[derive(Debug)]
struct Percentiles {
    digest: TDigest,
    weighted: bool,
    wanted: Vec<f64>,
    many: bool,
    /// The type of the values, which the answer has too.
    kind: DataType,
}

impl Accumulator for Percentiles {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let Some(values) = arrays.first() else {
            return internal_err!("approx_percentile lacks its value");
        };
        let values = cast(values, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let weights = arrays.get(1).filter(|_| self.weighted);
        let Some(weights) = weights else {
            let known = values.iter().flatten().filter(|v| !v.is_nan()).collect();
            self.digest = self.digest.merge_unsorted_f64(known);
            return Ok(());
        };
        let weights = weights.as_primitive::<Float64Type>();
        let mut digests = vec![self.digest.clone()];
        for (value, weight) in values.iter().zip(weights.iter()) {
            let (Some(value), Some(weight)) = (value, weight) else {
                continue;
            };
            if !weight.is_finite() || weight <= 0.0 {
                return exec_err!(
                    "approx_percentile: the weight must be greater than 0, not {weight}"
                );
            }
            digests.push(TDigest::new_with_centroid(
                CENTROIDS,
                Centroid::new(value, weight),
            ));
        }
        self.digest = TDigest::merge_digests(&digests);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let known = self.digest.count() > 0.0;
        let one = |p: &f64| -> Result<ScalarValue> {
            if !known {
                return ScalarValue::try_from(&self.kind);
            }
            let mut value = self.digest.estimate_quantile(*p);
            if self.kind.is_integer() {
                value = value.round();
            }
            ScalarValue::Float64(Some(value)).cast_to(&self.kind)
        };
        if !self.many {
            return match self.wanted.first() {
                Some(p) => one(p),
                None => ScalarValue::try_from(&self.kind),
            };
        }
        if !known {
            return ScalarValue::try_from(&DataType::new_list(self.kind.clone(), true));
        }
        let values = self.wanted.iter().map(one).collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(
            &values, &self.kind,
        )))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.digest.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.digest.to_scalar_state())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |s| s.len());
        let mut digests = vec![self.digest.clone()];
        for row in 0..rows {
            let state = states
                .iter()
                .map(|s| ScalarValue::try_from_array(s, row))
                .collect::<Result<Vec<_>>>()?;
            if state.len() != 6 {
                return internal_err!("approx_percentile: a state has {} parts", state.len());
            }
            digests.push(TDigest::from_scalar_state(&state));
        }
        self.digest = TDigest::merge_digests(&digests);
        Ok(())
    }
}
