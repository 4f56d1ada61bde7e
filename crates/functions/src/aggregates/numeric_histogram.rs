//! `numeric_histogram(buckets, x)` and `numeric_histogram(buckets, x, weight)`: the streaming histogram of
//! Ben-Haim and Tom-Tov (2010), as Hive and Trino have it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};

use crate::trino::maps::build::{Lengths, map_of, map_type};

const MOST: i64 = 10_000;

pub(super) fn udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(NumericHistogram {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericHistogram {
    signature: Signature,
}

impl AggregateUDFImpl for NumericHistogram {
    fn name(&self) -> &'static str {
        "numeric_histogram"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !matches!(types.len(), 2 | 3) || !types.iter().all(|t| t.is_numeric() || t.is_null()) {
            return plan_err!(
                "numeric_histogram takes a number of buckets, a number and perhaps its weight"
            );
        }
        let mut wanted = vec![DataType::Float64; types.len()];
        if let Some(first) = wanted.first_mut() {
            *first = DataType::Int64;
        }
        Ok(wanted)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(map_type(DataType::Float64, DataType::Float64))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name| {
            let of = DataType::new_list(DataType::Float64, true);
            Arc::new(Field::new(format_state_name(args.name, name), of, true))
        };
        Ok(vec![field("values"), field("weights")])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let given = args.exprs.first().map(|n| n.evaluate(&empty)).transpose();
        match given {
            Ok(Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(n)))))
                if (2..=MOST).contains(&n) =>
            {
                Ok(Box::new(Buckets {
                    most: n as usize,
                    held: Vec::new(),
                }))
            }
            _ => plan_err!(
                "numeric_histogram: the number of buckets must be a constant of 2 to {MOST}"
            ),
        }
    }
}

/// The buckets in order: the mean and weight of what was put into each.
#[derive(Debug)]
struct Buckets {
    most: usize,
    held: Vec<(f64, f64)>,
}

impl Buckets {
    fn add(&mut self, more: impl Iterator<Item = (f64, f64)>) {
        self.held
            .extend(more.filter(|(x, w)| !x.is_nan() && *w > 0.0));
        self.held.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.held.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 += b.1;
            }
            same
        });
        // The two closest neighbours become one until there are few enough.
        while self.held.len() > self.most {
            let closest = self
                .held
                .windows(2)
                .enumerate()
                .filter_map(|(i, pair)| match pair {
                    [a, b] => Some((i, b.0 - a.0)),
                    _ => None,
                })
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((at, _)) = closest else { break };
            let next = self.held.remove(at + 1);
            if let Some(bucket) = self.held.get_mut(at) {
                let weight = bucket.1 + next.1;
                bucket.0 = (bucket.0 * bucket.1 + next.0 * next.1) / weight;
                bucket.1 = weight;
            }
        }
    }
}

fn doubles(array: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(array, &DataType::Float64)?
        .as_primitive::<Float64Type>()
        .clone())
}

impl Accumulator for Buckets {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let Some(values) = arrays.get(1) else {
            return internal_err!("numeric_histogram lacks its value");
        };
        let values = doubles(values)?;
        let weights = arrays.get(2).map(doubles).transpose()?;
        // In parts, so that merging looks at few buckets at a time.
        let pairs: Vec<(f64, f64)> = (0..values.len())
            .filter(|i| values.is_valid(*i) && weights.as_ref().is_none_or(|w| w.is_valid(*i)))
            .map(|i| {
                (
                    values.value(i),
                    weights.as_ref().map_or(1.0, |w| w.value(i)),
                )
            })
            .collect();
        for part in pairs.chunks(self.most.max(64)) {
            self.add(part.iter().copied());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.held.is_empty() {
            return ScalarValue::try_from(&map_type(DataType::Float64, DataType::Float64));
        }
        let mut lengths = Lengths::default();
        lengths.push(self.held.len());
        let (keys, values): (Vec<f64>, Vec<f64>) = self.held.iter().copied().unzip();
        let map = map_of(
            Arc::new(Float64Array::from(keys)),
            Arc::new(Float64Array::from(values)),
            lengths,
        )?;
        ScalarValue::try_from_array(&map, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.held.capacity() * size_of::<(f64, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |values: Vec<f64>| {
            let values: Vec<ScalarValue> = values
                .into_iter()
                .map(|v| ScalarValue::Float64(Some(v)))
                .collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64))
        };
        let (keys, values): (Vec<f64>, Vec<f64>) = self.held.iter().copied().unzip();
        Ok(vec![list(keys), list(values)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, weights] = states else {
            return internal_err!("numeric_histogram's state is values and weights");
        };
        let (values, weights) = (values.as_list::<i32>(), weights.as_list::<i32>());
        for row in (0..values.len()).filter(|row| values.is_valid(*row) && weights.is_valid(*row)) {
            let (v, w) = (doubles(&values.value(row))?, doubles(&weights.value(row))?);
            self.add(v.values().iter().copied().zip(w.values().iter().copied()));
        }
        Ok(())
    }
}
