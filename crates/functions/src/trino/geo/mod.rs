//! Shapes and places. Semantics: <https://trino.io/docs/current/functions/geospatial.html>.
//!
//! There is no geometry type: a shape is its text (WKT), which `ST_GeometryFromText` checks.

mod shape;
mod sphere;
mod wkt;

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{bigint, boolean, booleans, double, doubles, ints, texts, varchar};
use shape::Shape;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Double, Text};
    let one = Params::Kinds(&[Text], 1);
    let two = Params::Kinds(&[Text, Text], 2);
    let own = vec![
        Function::new(
            "st_point",
            Params::Kinds(&[Double, Double], 2),
            varchar,
            point,
        )
        .udf(),
        Function::new("st_geometryfromtext", one, varchar, |c| {
            text(c, |s| Ok(s.to_string()))
        })
        .udf(),
        Function::new("st_astext", one, varchar, |c| {
            text(c, |s| Ok(s.to_string()))
        })
        .udf(),
        Function::new("st_geometrytype", one, varchar, |c| {
            text(c, |s| Ok(s.type_name().to_owned()))
        })
        .udf(),
        Function::new("st_x", one, double, |c| {
            number(c, |s| s.place("ST_X").map(|p| p.map(|p| p.0)))
        })
        .udf(),
        Function::new("st_y", one, double, |c| {
            number(c, |s| s.place("ST_Y").map(|p| p.map(|p| p.1)))
        })
        .udf(),
        Function::new("st_xmin", one, double, |c| {
            number(c, |s| Ok(s.bound(|p| p.0, f64::min)))
        })
        .udf(),
        Function::new("st_xmax", one, double, |c| {
            number(c, |s| Ok(s.bound(|p| p.0, f64::max)))
        })
        .udf(),
        Function::new("st_ymin", one, double, |c| {
            number(c, |s| Ok(s.bound(|p| p.1, f64::min)))
        })
        .udf(),
        Function::new("st_ymax", one, double, |c| {
            number(c, |s| Ok(s.bound(|p| p.1, f64::max)))
        })
        .udf(),
        Function::new("st_area", one, double, |c| {
            number(c, |s| s.area().map(Some))
        })
        .udf(),
        Function::new("st_length", one, double, |c| {
            number(c, |s| s.length().map(Some))
        })
        .udf(),
        Function::new("st_numpoints", one, bigint, num_points).udf(),
        Function::new("st_isempty", one, boolean, is_empty).udf(),
        Function::new("st_distance", two, double, distance).udf(),
        Function::new("st_contains", two, boolean, |c| {
            test(c, |a, b| a.contains(b))
        })
        .udf(),
        Function::new("st_within", two, boolean, |c| test(c, |a, b| b.contains(a))).udf(),
        Function::new("st_intersects", two, boolean, |c| {
            test(c, |a, b| Ok(a.distance(b) == Some(0.0)))
        })
        .udf(),
        Function::new("st_disjoint", two, boolean, |c| {
            test(c, |a, b| Ok(a.distance(b) != Some(0.0)))
        })
        .udf(),
    ];
    [own, sphere::all()].concat()
}

/// The shape of a row's text; the one before is kept, as a shape that is compared with many is often constant.
struct Shapes<'a>(Option<(&'a str, Shape)>);

impl<'a> Shapes<'a> {
    fn get(&mut self, call: &Call<'_>, text: &'a str) -> Result<&Shape> {
        if self.0.as_ref().is_none_or(|(t, _)| *t != text) {
            let shape = wkt::parse(text).map_err(|e| {
                let shown: String = text.chars().take(60).collect();
                exec_datafusion_err!("{}: '{shown}' is not a shape: {e}", call.name)
            })?;
            self.0 = Some((text, shape));
        }
        match &self.0 {
            Some((_, shape)) => Ok(shape),
            None => exec_err!("{}: there is no shape", call.name),
        }
    }
}

fn point(call: &Call<'_>) -> Result<ArrayRef> {
    use arrow::array::Array;
    let (xs, ys) = (call.doubles(0)?, call.doubles(1)?);
    texts(call, |row| {
        if xs.is_null(row) || ys.is_null(row) {
            return Ok(None);
        }
        let (x, y) = (xs.value(row), ys.value(row));
        if !x.is_finite() || !y.is_finite() {
            return exec_err!("ST_Point: {x} and {y} are not both finite");
        }
        Ok(Some(Shape::Points(vec![(x, y)], false).to_string()))
    })
}

fn text(call: &Call<'_>, of: fn(&Shape) -> Result<String>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut shapes = Shapes(None);
    texts(call, |row| {
        values
            .get(row)
            .map(|t| of(shapes.get(call, t)?))
            .transpose()
    })
}

fn number(call: &Call<'_>, of: fn(&Shape) -> Result<Option<f64>>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut shapes = Shapes(None);
    doubles(call, |row| match values.get(row) {
        Some(text) => of(shapes.get(call, text)?),
        None => Ok(None),
    })
}

fn num_points(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut shapes = Shapes(None);
    ints(call, |row| {
        let count = values
            .get(row)
            .map(|t| shapes.get(call, t).map(Shape::num_points));
        Ok(count.transpose()?.map(|n| n as i64))
    })
}

fn is_empty(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut shapes = Shapes(None);
    booleans(call, |row| {
        let count = values
            .get(row)
            .map(|t| shapes.get(call, t).map(Shape::num_points));
        Ok(count.transpose()?.map(|n| n == 0))
    })
}

fn distance(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let (mut a, mut b) = (Shapes(None), Shapes(None));
    doubles(call, |row| match (left.get(row), right.get(row)) {
        (Some(l), Some(r)) => Ok(a.get(call, l)?.distance(b.get(call, r)?)),
        _ => Ok(None),
    })
}

fn test(call: &Call<'_>, of: fn(&Shape, &Shape) -> Result<bool>) -> Result<ArrayRef> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let (mut a, mut b) = (Shapes(None), Shapes(None));
    booleans(call, |row| match (left.get(row), right.get(row)) {
        (Some(l), Some(r)) => of(a.get(call, l)?, b.get(call, r)?).map(Some),
        _ => Ok(None),
    })
}
