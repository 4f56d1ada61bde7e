//! Places on the earth. Semantics: <https://trino.io/docs/current/functions/geospatial.html>.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{double, doubles};

/// The earth's radius, in kilometres, that Trino calculates with.
const RADIUS_KM: f64 = 6_371.01;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::Double;
    vec![
        Function::new(
            "great_circle_distance",
            Params::Kinds(&[Double, Double, Double, Double], 4),
            double,
            great_circle_distance,
        )
        .udf(),
    ]
}

/// Between two latitudes and longitudes in degrees, in kilometres: Vincenty's formula on a sphere.
fn great_circle_distance(call: &Call<'_>) -> Result<ArrayRef> {
    let columns: Vec<_> = (0..4).map(|i| call.doubles(i)).collect::<Result<_>>()?;
    doubles(call, |row| {
        let mut at = [0.0; 4];
        for (i, (at, column)) in at.iter_mut().zip(&columns).enumerate() {
            if column.is_null(row) {
                return Ok(None);
            }
            *at = column.value(row);
            let (what, most) = if i % 2 == 0 {
                ("latitude", 90.0)
            } else {
                ("longitude", 180.0)
            };
            if !(-most..=most).contains(at) {
                return exec_err!(
                    "great_circle_distance: the {what} must be between -{most} and {most}, not {at}"
                );
            }
        }
        let [lat1, lon1, lat2, lon2] = at.map(f64::to_radians);
        let across = lon1 - lon2;
        let first = lat2.cos() * across.sin();
        let second = lat1.cos() * lat2.sin() - lat1.sin() * lat2.cos() * across.cos();
        let rest = lat1.sin() * lat2.sin() + lat1.cos() * lat2.cos() * across.cos();
        Ok(Some(first.hypot(second).atan2(rest) * RADIUS_KM))
    })
}
