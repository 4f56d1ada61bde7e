//! `kmeans(point, k, seed, iterations, scale)`: the centres of `k` clusters of points.
//!
//! A point is an `array<double>`; one with a NULL, or with another number of coordinates than the first, is left
//! out. The answer is `struct<centroids:array<array<double>>,scale:array<double>>`, for
//! `nearest_centroid` to take: `scale` holds what each coordinate is divided by before distances are
//! measured (its standard deviation, or 1 without `scale`). Centroids are in the points' own units and
//! in the order of their coordinates, so equal data has equal numbers for its clusters. There are fewer
//! than `k` where there are fewer different points.
//!
//! Points are clustered at the end by k-means++ and Lloyd's algorithm (Arthur and Vassilvitskii, 2007), the
//! best of a few starts. What is held till then is bounded: of the different points those with the
//! least hashes, each with its count, which is the same sample however rows are divided.

mod lloyd;
mod nearest;
mod sample;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use lloyd::Settings;
pub use nearest::nearest_centroid;
use sample::Sample;

/// The most clusters.
const MOST: i64 = 1_000;

/// The function.
pub fn kmeans() -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Kmeans { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kmeans {
    signature: Signature,
}

fn point_type() -> DataType {
    DataType::new_list(DataType::Float64, true)
}

fn model_fields() -> Fields {
    Fields::from(vec![
        Field::new("centroids", DataType::new_list(point_type(), true), true),
        Field::new("scale", point_type(), true),
    ])
}

impl AggregateUDFImpl for Kmeans {
    fn name(&self) -> &'static str {
        "kmeans"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [point, ..] = types else {
            return plan_err!("kmeans takes a point, k, a seed, iterations and whether to scale");
        };
        if types.len() != 5 {
            return plan_err!("kmeans takes 5 arguments, not {}", types.len());
        }
        let list = match point {
            DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => f,
            other => return plan_err!("kmeans: a point is an array of numbers, not {other}"),
        };
        if !list.data_type().is_numeric() && !list.data_type().is_null() {
            return plan_err!("kmeans: a point is an array of numbers, not {point}");
        }
        let (int, yes) = (DataType::Int64, DataType::Boolean);
        Ok(vec![point_type(), int.clone(), int.clone(), int, yes])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(model_fields()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str| {
            Arc::new(Field::new(
                format_state_name(args.name, name),
                point_type(),
                true,
            ))
        };
        Ok(vec![field("points"), field("counts")])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let empty = RecordBatch::new_empty(Arc::new(args.schema.clone()));
        let constant = |at: usize| -> Result<ScalarValue> {
            let value = args.exprs.get(at).map(|e| e.evaluate(&empty)).transpose()?;
            match value {
                Some(datafusion::logical_expr::ColumnarValue::Scalar(value))
                    if !value.is_null() =>
                {
                    Ok(value)
                }
                _ => plan_err!("kmeans: argument {} must be a constant", at + 1),
            }
        };
        let number = |at: usize, least: i64, most: i64| match constant(at)? {
            ScalarValue::Int64(Some(n)) if (least..=most).contains(&n) => Ok(n),
            other => plan_err!(
                "kmeans: argument {} must be from {least} to {most}, not {other}",
                at + 1
            ),
        };
        let size = |n: i64| usize::try_from(n).unwrap_or(1);
        let settings = Settings {
            k: size(number(1, 1, MOST)?),
            seed: number(2, i64::MIN, i64::MAX)?.cast_unsigned(),
            iterations: size(number(3, 1, 10_000)?),
            scale: constant(4)? == ScalarValue::Boolean(Some(true)),
        };
        Ok(Box::new(Points {
            sample: Sample::new(settings.seed),
            settings,
        }))
    }
}

#[derive(Debug)]
struct Points {
    settings: Settings,
    sample: Sample,
}

fn list(values: Vec<f64>) -> ListArray {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let item = Arc::new(Field::new_list_field(DataType::Float64, true));
    ListArray::new(item, offsets, Arc::new(Float64Array::from(values)), None)
}

impl Accumulator for Points {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(points) = values.first().and_then(|v| v.as_list_opt::<i32>()) else {
            return internal_err!("kmeans: a point is a list");
        };
        for point in points.iter().flatten() {
            let Some(point) = point.as_primitive_opt::<Float64Type>() else {
                return internal_err!("kmeans: a point is a list of doubles");
            };
            if point.null_count() == 0 {
                self.sample.add(point.values(), 1.0);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (points, counts) = self.sample.sorted();
        let dimensions = self.sample.dimensions();
        if counts.is_empty() {
            return ScalarValue::try_from(&DataType::Struct(model_fields()));
        }
        let model = lloyd::cluster(&points, &counts, dimensions, &self.settings);
        let lengths = model.centroids.iter().map(Vec::len);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let all: Float64Array = model
            .centroids
            .iter()
            .flatten()
            .copied()
            .map(Some)
            .collect();
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let points = ListArray::try_new(item, offsets, Arc::new(all), None)?;
        let item = Arc::new(Field::new_list_field(point_type(), true));
        let offsets = OffsetBuffer::from_lengths([points.len()]);
        let centroids = ListArray::try_new(item, offsets, Arc::new(points), None)?;
        let columns: Vec<ArrayRef> = vec![Arc::new(centroids), Arc::new(list(model.scale))];
        let model = StructArray::try_new(model_fields(), columns, None)?;
        Ok(ScalarValue::Struct(Arc::new(model)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sample.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (points, counts) = self.sample.sorted();
        let value = |values| ScalarValue::List(Arc::new(list(values)));
        Ok(vec![value(points), value(counts)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [points, counts] = states else {
            return internal_err!("kmeans: a state is points and counts");
        };
        let (points, counts) = (points.as_list::<i32>(), counts.as_list::<i32>());
        for (points, counts) in points.iter().zip(counts.iter()) {
            let (Some(points), Some(counts)) = (points, counts) else {
                continue;
            };
            let (points, counts) = (
                points.as_primitive::<Float64Type>().values(),
                counts.as_primitive::<Float64Type>().values(),
            );
            if counts.is_empty() {
                continue;
            }
            for (point, count) in points.chunks(points.len() / counts.len()).zip(counts) {
                self.sample.add(point, *count);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
