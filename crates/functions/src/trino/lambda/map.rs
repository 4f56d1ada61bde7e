//! `map_filter`, `transform_keys`, `transform_values` and `map_zip_with`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda,
};

use super::{Parts, column, expect, field, signature, split};
use crate::arrays::key_and_value;
use crate::trino::maps::build::{Lengths, map_of, map_type};

pub(super) fn all() -> Vec<Arc<HigherOrderUDF>> {
    [Kind::Filter, Kind::Keys, Kind::Values, Kind::Zip]
        .map(|kind| {
            Arc::new(HigherOrderUDF::new_from_impl(MapFunction {
                kind,
                signature: signature(),
            }))
        })
        .to_vec()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Filter,
    Keys,
    Values,
    Zip,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Filter => "map_filter",
            Self::Keys => "transform_keys",
            Self::Values => "transform_values",
            Self::Zip => "map_zip_with",
        }
    }

    fn maps(self) -> usize {
        if self == Self::Zip { 2 } else { 1 }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MapFunction {
    kind: Kind,
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for MapFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.kind.name();
        if let Some(other) = types.iter().find(|t| key_and_value(t).is_none()) {
            return plan_err!("{name} takes a map, not {other}");
        }
        let keys: Vec<_> = types
            .iter()
            .filter_map(key_and_value)
            .map(|(k, _)| k.data_type())
            .collect();
        match keys.as_slice() {
            [a, b] if a != b => {
                plan_err!("{name}: the keys of one map are {a}, and of the other {b}")
            }
            _ => Ok(types.to_vec()),
        }
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect(self.kind.name(), fields, self.kind.maps(), 1)?;
        let values = split(fields).0;
        let mut parameters = Vec::new();
        for (i, map) in values.iter().enumerate() {
            let Some((key, value)) = key_and_value(map.data_type()) else {
                return plan_err!("{} takes a map, not {}", self.kind.name(), map.data_type());
            };
            if i == 0 {
                parameters.push(field(key.data_type()));
            }
            parameters.push(field(value.data_type()));
        }
        Ok(LambdaParametersProgress::Complete(vec![parameters]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (values, lambdas) = split(args.arg_fields);
        let map = values.first().and_then(|m| key_and_value(m.data_type()));
        let (Some((key, value)), Some(made)) = (map, lambdas.first()) else {
            return plan_err!("{} takes a map and a function", self.kind.name());
        };
        let (key, value, made) = (
            key.data_type().clone(),
            value.data_type().clone(),
            made.data_type().clone(),
        );
        Ok(field(&match self.kind {
            Kind::Filter if matches!(made, DataType::Boolean | DataType::Null) => {
                map_type(key, value)
            }
            Kind::Filter => {
                return plan_err!("map_filter: the function must give a boolean, not {made}");
            }
            Kind::Keys => map_type(made, value),
            Kind::Values | Kind::Zip => map_type(key, made),
        }))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let parts = Parts::of(self.kind.name(), &args)?;
        let map = parts.value(0)?.as_map();
        if self.kind == Kind::Zip {
            return zip(&parts, map, parts.value(1)?.as_map());
        }
        let (mut places, mut of) = (Vec::new(), Vec::new());
        for row in 0..map.len() {
            let entries = entries(map, row);
            of.extend(std::iter::repeat_n(row as u64, entries.len()));
            places.extend(entries.map(|at| at as u64));
        }
        let (places, of) = (UInt64Array::from(places), UInt64Array::from(of));
        let keys = take(map.keys(), &places, None)?;
        let values = take(map.values(), &places, None)?;
        let made = parts.call(0, &[keys.clone(), values.clone()], &of)?;
        column(match self.kind {
            Kind::Filter => filtered(map, &keys, &values, &made)?,
            Kind::Keys => {
                check_keys(map, &made)?;
                map_of(made, values, lengths(map))?
            }
            Kind::Values | Kind::Zip => map_of(keys, made, lengths(map))?,
        })
    }
}

/// The places of a row's entries; none where the map is NULL.
fn entries(map: &MapArray, row: usize) -> std::ops::Range<usize> {
    match map.value_offsets().get(row..row + 2) {
        Some([from, to]) if map.is_valid(row) => *from as usize..*to as usize,
        _ => 0..0,
    }
}

fn lengths(map: &MapArray) -> Lengths {
    let mut lengths = Lengths::default();
    for row in 0..map.len() {
        if map.is_null(row) {
            lengths.null();
        } else {
            lengths.push(entries(map, row).len());
        }
    }
    lengths
}

fn filtered(
    map: &MapArray,
    keys: &ArrayRef,
    values: &ArrayRef,
    kept: &ArrayRef,
) -> Result<ArrayRef> {
    let kept = arrow::compute::cast(kept, &DataType::Boolean)?;
    let kept = kept.as_boolean();
    let is_kept = |at: usize| kept.is_valid(at) && kept.value(at);
    let mut lengths = Lengths::default();
    let mut at = 0;
    for row in 0..map.len() {
        let count = entries(map, row).len();
        if map.is_null(row) {
            lengths.null();
        } else {
            lengths.push((at..at + count).filter(|at| is_kept(*at)).count());
        }
        at += count;
    }
    let places: UInt64Array = (0..at)
        .filter(|at| is_kept(*at))
        .map(|at| at as u64)
        .collect();
    map_of(
        take(keys, &places, None)?,
        take(values, &places, None)?,
        lengths,
    )
}

fn rows_of(keys: &ArrayRef) -> Result<(RowConverter, Rows)> {
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(keys))?;
    Ok((converter, rows))
}

/// A map's keys must be there and differ.
fn check_keys(map: &MapArray, keys: &ArrayRef) -> Result<()> {
    let (_, rows) = rows_of(keys)?;
    let mut seen = HashSet::new();
    let mut at = 0;
    for row in 0..map.len() {
        seen.clear();
        for _ in entries(map, row) {
            if keys.is_null(at) {
                return exec_err!("transform_keys: a key is NULL");
            }
            if !seen.insert(rows.row(at)) {
                let key = array_value_to_string(keys, at)?;
                return exec_err!("transform_keys: the key '{key}' comes twice");
            }
            at += 1;
        }
    }
    Ok(())
}

/// A key that one map lacks has NULL for its value there.
fn zip(parts: &Parts<'_>, a: &MapArray, b: &MapArray) -> Result<ColumnarValue> {
    let converter = RowConverter::new(vec![SortField::new(a.keys().data_type().clone())])?;
    let ours = converter.convert_columns(std::slice::from_ref(a.keys()))?;
    let theirs = converter.convert_columns(std::slice::from_ref(b.keys()))?;
    let mut lengths = Lengths::default();
    let (mut keys, mut left, mut right, mut of) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..a.len() {
        if a.is_null(row) || b.is_null(row) {
            lengths.null();
            continue;
        }
        let begun = keys.len();
        let mut places = HashMap::new();
        for at in entries(a, row) {
            places.insert(ours.row(at), keys.len());
            keys.push((0_usize, at));
            left.push(Some(at as u64));
            right.push(None);
        }
        for at in entries(b, row) {
            match places
                .get(&theirs.row(at))
                .and_then(|place| right.get_mut(*place))
            {
                Some(right) => *right = Some(at as u64),
                None => {
                    keys.push((1, at));
                    left.push(None);
                    right.push(Some(at as u64));
                }
            }
        }
        let count = keys.len() - begun;
        lengths.push(count);
        of.extend(std::iter::repeat_n(row as u64, count));
    }
    let keys = arrow::compute::interleave(&[a.keys().as_ref(), b.keys().as_ref()], &keys)?;
    let left = take(a.values(), &UInt64Array::from(left), None)?;
    let right = take(b.values(), &UInt64Array::from(right), None)?;
    let made = parts.call(0, &[keys.clone(), left, right], &UInt64Array::from(of))?;
    column(map_of(keys, made, lengths)?)
}
