//! Values to another type, as far as they can be.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBufferBuilder, ListArray,
    MapArray, PrimitiveArray, StringArray, StructArray, UInt64Array, downcast_primitive_array,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{
    CastOptions, can_cast_types, cast, cast_with_options, is_not_null, nullif, take,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::FormatOptions;
use datafusion::common::{Result, exec_err};
use mastic_schema::choice::{alternatives, format_type};
use mastic_schema::hive::list_of;
use mastic_schema::merge::position;
use mastic_schema::plain::PlainChoices;

/// What does not fit is NULL, and not an error.
const LENIENT: CastOptions<'static> = CastOptions {
    safe: true,
    format_options: FormatOptions::new(),
};

/// The element of an array type.
pub(crate) fn item(data_type: &DataType) -> Option<&Field> {
    match data_type {
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => Some(f),
        _ => None,
    }
}

/// The key and value of a map type.
pub(crate) fn pair(data_type: &DataType) -> Option<(&FieldRef, &FieldRef)> {
    let DataType::Map(entries, _) = data_type else {
        return None;
    };
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// Whether some values of `from` can become values of `to`. A plain value becomes an array of one; a
/// nested value becomes text as JSON; nothing becomes a choice.
pub fn convertible(from: &DataType, to: &DataType) -> bool {
    use DataType::{Map, Null, Struct};
    if from == to || matches!(from, Null) || same_choice(from, to) {
        return true;
    }
    if let Some(own) = alternatives(from) {
        return own.iter().any(|f| convertible(f.data_type(), to));
    }
    if alternatives(to).is_some() {
        return false;
    }
    match (from, to) {
        (Struct(a), Struct(b)) => b.iter().any(|wanted| {
            position(a, wanted.name())
                .is_some_and(|at| convertible(a[at].data_type(), wanted.data_type()))
        }),
        (Map(..), Map(..)) => match (pair(from), pair(to)) {
            (Some((ak, av)), Some((bk, bv))) => {
                same_keys(ak.data_type(), bk.data_type())
                    && convertible(av.data_type(), bv.data_type())
            }
            _ => false,
        },
        _ => match (item(from), item(to)) {
            (Some(a), Some(b)) => convertible(a.data_type(), b.data_type()),
            (None, Some(b)) => convertible(from, b.data_type()),
            (Some(_), None) => is_text(to),
            (None, None) if from.is_nested() => is_text(to),
            (None, None) => !to.is_nested() && can_cast_types(from, to),
        },
    }
}

/// Whether both are choices of the same types, which Arrow may write in several ways.
fn same_choice(from: &DataType, to: &DataType) -> bool {
    alternatives(from).is_some()
        && alternatives(to).is_some()
        && format_type(from) == format_type(to)
}

/// A key must not become NULL.
fn same_keys(a: &DataType, b: &DataType) -> bool {
    a == b || is_text(b) && !a.is_nested()
}

/// The values converted; those that cannot be are NULL.
pub(crate) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    if !convertible(from, to) || array.null_count() == array.len() {
        return Ok(new_null_array(to, array.len()));
    }
    match (alternatives(from), alternatives(to)) {
        (Some(_), Some(wanted)) => return by_name(array.as_struct(), wanted),
        (Some(_), None) => return from_choice(array.as_struct(), to),
        (None, _) => {}
    }
    match (from, to) {
        (DataType::Struct(_), DataType::Struct(wanted)) => by_name(array.as_struct(), wanted),
        (DataType::Map(..), DataType::Map(..)) => map(array.as_map(), to),
        _ => match (item(from), item(to)) {
            (Some(_), Some(wanted)) => {
                let list = as_list(array)?;
                let values = convert(list.values(), wanted.data_type())?;
                let made = ListArray::try_new(
                    Arc::new(wanted.clone().with_nullable(true)),
                    list.offsets().clone(),
                    values,
                    list.nulls().cloned(),
                )?;
                fitted(Arc::new(made), to)
            }
            (None, Some(wanted)) => {
                let values = convert(array, wanted.data_type())?;
                let one = OffsetBuffer::from_lengths(std::iter::repeat_n(1, values.len()));
                let nulls = values.logical_nulls();
                let item = Arc::new(wanted.clone().with_nullable(true));
                fitted(Arc::new(ListArray::try_new(item, one, values, nulls)?), to)
            }
            _ if from.is_nested() => fitted(json(array)?, to),
            _ => Ok(cast_with_options(array, to, &LENIENT)?),
        },
    }
}

/// The array in exactly this type, which differs from its own in width or nullability only.
fn fitted(array: ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array);
    }
    Ok(cast(&array, to)?)
}

fn by_name(own: &StructArray, wanted: &Fields) -> Result<ArrayRef> {
    let columns = wanted
        .iter()
        .map(|field| match position(own.fields(), field.name()) {
            Some(at) => convert(own.column(at), field.data_type()),
            None => Ok(new_null_array(field.data_type(), own.len())),
        });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let nulls = own.nulls().cloned();
    Ok(Arc::new(StructArray::try_new(
        wanted.clone(),
        columns,
        nulls,
    )?))
}

fn map(own: &MapArray, to: &DataType) -> Result<ArrayRef> {
    let (DataType::Map(entries, sorted), Some((key, value))) = (to, pair(to)) else {
        return exec_err!("{to} is no map");
    };
    let columns = vec![
        convert(own.keys(), key.data_type())?,
        convert(own.values(), value.data_type())?,
    ];
    let fields = Fields::from(vec![key.clone(), value.clone()]);
    let pairs = StructArray::try_new(fields, columns, None)?;
    let made = MapArray::try_new(
        entries.clone(),
        own.offsets().clone(),
        pairs,
        own.nulls().cloned(),
        *sorted,
    )?;
    Ok(Arc::new(made))
}

/// Each alternative converted, and all put together: at most one is set in a row. Most often nearly all
/// values are of one type, and only the few others are worked on one by one.
fn from_choice(own: &StructArray, to: &DataType) -> Result<ArrayRef> {
    let mut columns = Vec::with_capacity(own.num_columns());
    for column in own.columns() {
        if column.null_count() < column.len() {
            columns.push(under(own.nulls(), column)?);
        }
    }
    columns.sort_by_key(|column| column.null_count());
    let mut columns = columns.iter();
    let Some(most) = columns.next() else {
        return Ok(new_null_array(to, own.len()));
    };
    let mut all = convert(most, to)?;
    for column in columns {
        let few = column.len() - column.null_count() < column.len() / 8;
        all = match column.nulls().filter(|_| few && to.is_primitive()) {
            Some(nulls) => {
                let rows: UInt64Array = nulls.valid_indices().map(|row| row as u64).collect();
                let values = convert(&take(column, &rows, None)?, to)?;
                patched(&all, rows.values(), &values)?
            }
            None => either(all, convert(column, to)?)?,
        };
    }
    Ok(all)
}

/// The array with those of `values` that are no NULLs in these rows.
fn patched(array: &ArrayRef, rows: &[u64], values: &ArrayRef) -> Result<ArrayRef> {
    let array = array.as_ref();
    downcast_primitive_array!(
        array => Ok(Arc::new(patch(array, rows, values.as_primitive())?)),
        other => exec_err!("{other} is no plain type"),
    )
}

fn patch<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    rows: &[u64],
    values: &PrimitiveArray<T>,
) -> Result<PrimitiveArray<T>> {
    if values.null_count() == values.len() {
        return Ok(array.clone());
    }
    let mut made = array.values().to_vec();
    let mut valid = BooleanBufferBuilder::new(made.len());
    match array.nulls() {
        Some(nulls) => valid.append_buffer(nulls.inner()),
        None => valid.append_n(made.len(), true),
    }
    for (row, value) in rows.iter().zip(values.iter()) {
        let row = usize::try_from(*row).unwrap_or(usize::MAX);
        if let (Some(place), Some(value)) = (made.get_mut(row), value) {
            *place = value;
            valid.set_bit(row, true);
        }
    }
    let nulls = NullBuffer::new(valid.finish());
    let made = PrimitiveArray::<T>::try_new(made.into(), Some(nulls))?;
    Ok(made.with_data_type(array.data_type().clone()))
}

/// The first value where it is not NULL, else the second.
pub(crate) fn either(first: ArrayRef, second: ArrayRef) -> Result<ArrayRef> {
    if first.null_count() == 0 || second.null_count() == second.len() {
        return Ok(first);
    }
    if first.null_count() == first.len() {
        return Ok(second);
    }
    Ok(zip(&is_not_null(&first)?, &first, &second)?)
}

/// A struct's column, NULL where the struct is.
pub(crate) fn under(nulls: Option<&NullBuffer>, column: &ArrayRef) -> Result<ArrayRef> {
    match nulls.filter(|n| n.null_count() > 0) {
        // Most often the column is NULL there already.
        Some(nulls)
            if column
                .nulls()
                .is_none_or(|own| !own.contains(nulls) && !column.is_empty()) =>
        {
            let gone = BooleanArray::new(!nulls.inner(), None);
            Ok(nullif(column, &gone)?)
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// The array as one with 32-bit offsets that begin at nought.
pub(crate) fn as_list(array: &ArrayRef) -> Result<ListArray> {
    let list = match array.data_type() {
        DataType::List(_) => Arc::clone(array),
        other => match item(other) {
            Some(item) => cast(array, &list_of(item.data_type().clone()))?,
            None => return exec_err!("{other} is no array"),
        },
    };
    let list = list.as_list::<i32>();
    let (first, last) = match (list.offsets().first(), list.offsets().last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (0, 0),
    };
    let length = usize::try_from(last - first).unwrap_or_default();
    if first == 0 && list.values().len() == length {
        return Ok(list.clone());
    }
    let start = usize::try_from(first).unwrap_or_default();
    let offsets = OffsetBuffer::from_lengths(list.offsets().lengths());
    let DataType::List(item) = list.data_type() else {
        return exec_err!("{} is no array", list.data_type());
    };
    Ok(ListArray::try_new(
        Arc::clone(item),
        offsets,
        list.values().slice(start, length),
        list.nulls().cloned(),
    )?)
}

/// Nested values as JSON text.
fn json(array: &ArrayRef) -> Result<ArrayRef> {
    let field: FieldRef = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_encoder_factory(Arc::new(PlainChoices));
    let mut encoder = make_encoder(&field, array.as_ref(), &options)?;
    let mut buffer = Vec::new();
    let mut made = arrow::array::StringBuilder::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            made.append_null();
            continue;
        }
        buffer.clear();
        encoder.encode(row, &mut buffer);
        made.append_value(String::from_utf8_lossy(&buffer));
    }
    let made: StringArray = made.finish();
    Ok(Arc::new(made))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::Int64Type;
    use mastic_schema::choice::choice_of;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum One {
        Long(i64),
        Text(String),
        Nothing,
    }

    fn one(texts: u32) -> impl Strategy<Value = One> {
        prop_oneof![
            4 => any::<i32>().prop_map(|n| One::Long(n.into())),
            texts => "[0-9]{1,4}|[a-z]{0,3}".prop_map(One::Text),
            1 => Just(One::Nothing),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<One>> {
        // Few of one kind, and as many of each, go different ways.
        prop_oneof![Just(0), Just(1), Just(8)].prop_flat_map(|texts| {
            proptest::collection::vec(one(if texts == 0 { 1 } else { texts }), 1..200)
        })
    }

    proptest! {
        /// Against Rust's own reading of numbers.
        #[test]
        fn a_choice_is_cast_row_by_row(rows in rows(), from in 0_usize..50) {
            let longs: Int64Array = rows
                .iter()
                .map(|r| match r { One::Long(n) => Some(*n), _ => None })
                .collect();
            let texts: StringViewArray = rows
                .iter()
                .map(|r| match r { One::Text(t) => Some(t.as_str()), _ => None })
                .collect();
            let DataType::Struct(fields) = choice_of([DataType::Int64, DataType::Utf8View]) else {
                return Err(TestCaseError::fail("no struct"));
            };
            let whole = StructArray::new(fields, vec![Arc::new(longs), Arc::new(texts)], None);
            let from = from.min(rows.len() - 1);
            let part: ArrayRef = Arc::new(whole.slice(from, rows.len() - from));
            let made = convert(&part, &DataType::Int64).unwrap();
            let found: Vec<Option<i64>> = made.as_primitive::<Int64Type>().iter().collect();
            let expected: Vec<Option<i64>> = rows[from..]
                .iter()
                .map(|r| match r {
                    One::Long(n) => Some(*n),
                    One::Text(t) => t.parse().ok(),
                    One::Nothing => None,
                })
                .collect();
            prop_assert_eq!(found, expected);
            let made = convert(&part, &DataType::Utf8).unwrap();
            let found: Vec<Option<&str>> = made.as_string::<i32>().iter().collect();
            for (found, row) in found.into_iter().zip(&rows[from..]) {
                match row {
                    One::Long(n) => {
                        let text = n.to_string();
                        prop_assert_eq!(found, Some(text.as_str()));
                    }
                    One::Text(t) => prop_assert_eq!(found, Some(t.as_str())),
                    One::Nothing => prop_assert_eq!(found, None),
                }
            }
        }
    }
}
