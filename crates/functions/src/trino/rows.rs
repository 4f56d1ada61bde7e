//! Columns made row by row, for what no kernel computes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Float64Array, Int64Array, StringBuilder,
};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::args::Call;

/// `varchar`, whatever the arguments are.
pub(crate) fn varchar(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Utf8)
}

/// `varbinary`, whatever the arguments are.
pub(crate) fn varbinary(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Binary)
}

/// `bigint`, whatever the arguments are.
pub(crate) fn bigint(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Int64)
}

/// `double`, whatever the arguments are.
pub(crate) fn double(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Float64)
}

/// `boolean`, whatever the arguments are.
pub(crate) fn boolean(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Boolean)
}

/// A column of text.
pub(crate) fn texts<S: AsRef<str>>(
    call: &Call<'_>,
    mut row: impl FnMut(usize) -> Result<Option<S>>,
) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 8);
    for i in 0..call.rows {
        out.append_option(row(i)?);
    }
    Ok(Arc::new(out.finish()))
}

/// A column of bytes.
pub(crate) fn bytes<B: AsRef<[u8]>>(
    call: &Call<'_>,
    mut row: impl FnMut(usize) -> Result<Option<B>>,
) -> Result<ArrayRef> {
    let mut out = BinaryBuilder::with_capacity(call.rows, call.rows * 8);
    for i in 0..call.rows {
        out.append_option(row(i)?);
    }
    Ok(Arc::new(out.finish()))
}

/// A column of integers.
pub(crate) fn ints(
    call: &Call<'_>,
    row: impl FnMut(usize) -> Result<Option<i64>>,
) -> Result<ArrayRef> {
    let values: Vec<Option<i64>> = (0..call.rows).map(row).collect::<Result<_>>()?;
    Ok(Arc::new(Int64Array::from(values)))
}

/// A column of doubles.
pub(crate) fn doubles(
    call: &Call<'_>,
    row: impl FnMut(usize) -> Result<Option<f64>>,
) -> Result<ArrayRef> {
    let values: Vec<Option<f64>> = (0..call.rows).map(row).collect::<Result<_>>()?;
    Ok(Arc::new(Float64Array::from(values)))
}

/// A column of truths.
pub(crate) fn booleans(
    call: &Call<'_>,
    row: impl FnMut(usize) -> Result<Option<bool>>,
) -> Result<ArrayRef> {
    let values: Vec<Option<bool>> = (0..call.rows).map(row).collect::<Result<_>>()?;
    Ok(Arc::new(BooleanArray::from(values)))
}
