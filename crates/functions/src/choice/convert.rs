//! Values to another type, as far as they can be.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StringArray, StructArray,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options, is_not_null, nullif};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::FormatOptions;
use datafusion::common::{Result, exec_err};
use mastic_schema::choice::{alternatives, format_type};
use mastic_schema::hive::list_of;
use mastic_schema::merge::position;

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

/// Each alternative converted, and all put together: at most one is set in a row.
fn from_choice(own: &StructArray, to: &DataType) -> Result<ArrayRef> {
    let mut all: Option<ArrayRef> = None;
    for column in own.columns() {
        if column.null_count() == column.len() {
            continue;
        }
        let made = convert(&under(own.nulls(), column)?, to)?;
        all = Some(match all {
            None => made,
            Some(before) => either(before, made)?,
        });
    }
    Ok(all.unwrap_or_else(|| new_null_array(to, own.len())))
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
    let options = EncoderOptions::default();
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
