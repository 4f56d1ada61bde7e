//! `nearest_centroid(point, model)`: the number of the cluster that a point belongs to, from 0.
//!
//! The model is what [`super::kmeans`] gives. NULL where the point or a coordinate of it is NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, StructArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::{model_fields, point_type};
use crate::args::Call;
use crate::function::{Function, Params, exactly};

/// The function.
pub fn nearest_centroid() -> Arc<ScalarUDF> {
    Function::new(
        "nearest_centroid",
        Params::Custom(types),
        |_| Ok(DataType::Int64),
        evaluate,
    )
    .udf()
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 2)?;
    match &types[1] {
        DataType::Struct(_) | DataType::Null => {}
        other => return plan_err!("{name}: the model is what kmeans gives, not {other}"),
    }
    Ok(vec![point_type(), DataType::Struct(model_fields())])
}

/// The numbers of a row's centroids, one behind the other, and its scale; nothing where they are NULL.
fn model(models: &StructArray, row: usize) -> Option<(&[f64], &[f64])> {
    let outer = models.column(0).as_list_opt::<i32>()?;
    let inner = outer.values().as_list_opt::<i32>()?;
    let scale = models.column(1).as_list_opt::<i32>()?;
    if models.is_null(row) || outer.is_null(row) || scale.is_null(row) {
        return None;
    }
    let at = |offset: i32| usize::try_from(offset).ok();
    let place = |offsets: &[i32], at: usize| offsets.get(at).and_then(|o| usize::try_from(*o).ok());
    let start = place(inner.value_offsets(), at(*outer.value_offsets().get(row)?)?)?;
    let end = place(
        inner.value_offsets(),
        at(*outer.value_offsets().get(row + 1)?)?,
    )?;
    let own = place(scale.value_offsets(), row)?..place(scale.value_offsets(), row + 1)?;
    let numbers = inner.values().as_primitive_opt::<Float64Type>()?.values();
    let scales = scale.values().as_primitive_opt::<Float64Type>()?.values();
    Some((numbers.get(start..end)?, scales.get(own)?))
}

fn evaluate(call: &Call<'_>) -> Result<ArrayRef> {
    let (points, models) = (call.array(0)?, call.array(1)?);
    let (Some(points), Some(models)) = (points.as_list_opt::<i32>(), models.as_struct_opt()) else {
        return internal_err!("nearest_centroid: a point is a list, and a model a struct");
    };
    let Some(numbers) = points.values().as_primitive_opt::<Float64Type>() else {
        return internal_err!("nearest_centroid: a point is a list of doubles");
    };
    let mut out = Int64Builder::with_capacity(call.rows);
    let mut distances = Vec::new();
    for row in 0..call.rows {
        let offsets = points.value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let known = points.is_valid(row) && (start..end).all(|at| numbers.is_valid(at));
        let found = model(models, row).filter(|(_, scale)| known && scale.len() == end - start);
        let Some((centroids, scale)) = found.filter(|(_, scale)| !scale.is_empty()) else {
            out.append_null();
            continue;
        };
        let point = numbers.values().get(start..end).unwrap_or_default();
        let distance = |centroid: &[f64]| -> f64 {
            let offs = point.iter().zip(centroid).zip(scale);
            offs.map(|((x, c), s)| ((x - c) / s).powi(2)).sum()
        };
        distances.clear();
        distances.extend(centroids.chunks_exact(scale.len()).map(distance));
        let nearest = distances
            .iter()
            .enumerate()
            .filter(|(_, far)| !far.is_nan());
        let nearest = nearest.min_by(|a, b| a.1.total_cmp(b.1));
        out.append_option(nearest.and_then(|(at, _)| i64::try_from(at).ok()));
    }
    Ok(Arc::new(out.finish()))
}
