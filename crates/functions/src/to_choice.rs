//! `to_choice(value, 'choice<bigint,string>')`: a value as one alternative of a choice.
//!
//! The second argument is a type as [`mastic_schema::choice::format_type`] writes it, a constant.
//! Wherever it has a choice and the value has none, the value becomes the alternative that holds its
//! type; a choice of fewer alternatives becomes one of more; structs go by their fields' names. This is
//! how frames whose fields disagree in type are put behind each other.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt64Array, make_array,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{
    CastOptions, can_cast_types, cast, cast_with_options, concat, is_not_null, take,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use mastic_schema::choice::{alternative_name, alternatives, choose, format_type};
use mastic_schema::hive::parse_type;
use mastic_schema::merge::position;

/// The function.
pub fn to_choice() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(ToChoice {
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChoice {
    signature: Signature,
}

fn wanted(argument: Option<&ScalarValue>) -> Result<DataType> {
    let Some(
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)),
    ) = argument
    else {
        return plan_err!("to_choice: the second argument must be a type, as a constant text");
    };
    match parse_type(text) {
        Ok(data_type) => Ok(data_type),
        Err(error) => plan_err!("to_choice: {error}"),
    }
}

impl ScalarUDFImpl for ToChoice {
    fn name(&self) -> &'static str {
        "to_choice"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("to_choice: its type depends on its constant")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let wanted = wanted(args.scalar_arguments.get(1).copied().flatten())?;
        let own = args.arg_fields.first().map(|f| f.data_type());
        let own = own.unwrap_or(&DataType::Null);
        if !fits(own, &wanted) {
            let (own, wanted) = (format_type(own), format_type(&wanted));
            return plan_err!("to_choice: {wanted} does not hold what {own} does");
        }
        Ok(Arc::new(Field::new("to_choice", wanted, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, ColumnarValue::Scalar(wanted_type)] = args.args.as_slice() else {
            return internal_err!("to_choice takes a value and a type");
        };
        let wanted = wanted(Some(wanted_type))?;
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(convert(array, &wanted)?),
            ColumnarValue::Scalar(scalar) => {
                let array = convert(&scalar.to_array()?, &wanted)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
            }
        })
    }
}

/// Whether every value of `own` has its place in `wanted`.
fn fits(own: &DataType, wanted: &DataType) -> bool {
    own == wanted || own.is_null() || format_type(&choose(wanted, own)) == format_type(wanted)
}

/// The value as the wanted type, which [`fits`] it.
fn convert(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    let own = array.data_type();
    if own == wanted {
        return Ok(array.clone());
    }
    if own.is_null() {
        return Ok(new_null_array(wanted, array.len()));
    }
    if let Some(places) = alternatives(wanted) {
        return into_choice(array, places);
    }
    match (own, wanted) {
        (DataType::Dictionary(_, values), _) => convert(&cast(array, values)?, wanted),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let structs = array.as_struct();
            let columns =
                fields
                    .iter()
                    .map(|field| match position(structs.fields(), field.name()) {
                        Some(at) => convert(structs.column(at), field.data_type()),
                        None => Ok(new_null_array(field.data_type(), array.len())),
                    });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            made(fields, columns, array.nulls().cloned(), array.len())
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = convert(list.values(), item.data_type())?;
            let nulls = list.nulls().cloned();
            let list = ListArray::try_new(item.clone(), list.offsets().clone(), values, nulls);
            Ok(Arc::new(list?))
        }
        (
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item),
            DataType::List(_),
        ) => convert(&cast(array, &DataType::List(item.clone()))?, wanted),
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let map = array.as_map();
            let whole: ArrayRef = Arc::new(map.entries().clone());
            let values = convert(&whole, entries.data_type())?.as_struct().clone();
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let map = MapArray::try_new(entries.clone(), offsets, values, nulls, *sorted);
            Ok(Arc::new(map?))
        }
        (DataType::Struct(_), DataType::Map(entries, sorted)) => {
            into_map(array.as_struct(), entries, *sorted)
        }
        _ if can_cast_types(own, wanted) => {
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            Ok(cast_with_options(array, wanted, &strict)?)
        }
        _ => exec_err!(
            "to_choice: {} does not become {}",
            format_type(own),
            format_type(wanted)
        ),
    }
}

/// A struct, whose fields may say that they are never NULL where a column of it now is not there.
fn made(
    fields: &Fields,
    columns: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<ArrayRef> {
    let made = StructArray::try_new_with_length(fields.clone(), columns, nulls, rows)?;
    Ok(Arc::new(made))
}

/// Each value in the place of its own type; a value that is NULL is a choice that is NULL.
fn into_choice(array: &ArrayRef, places: &Fields) -> Result<ArrayRef> {
    let rows = array.len();
    // What is to be placed: the alternatives, where it is a choice already, else the value.
    let own: Vec<ArrayRef> = match alternatives(array.data_type()) {
        Some(_) => {
            let choice = array.as_struct();
            let there = choice.nulls();
            let hidden = |column: &ArrayRef| -> Result<ArrayRef> {
                let nulls = NullBuffer::union(column.nulls(), there);
                let data = column.to_data().into_builder().nulls(nulls).build()?;
                Ok(make_array(data))
            };
            choice.columns().iter().map(hidden).collect::<Result<_>>()?
        }
        None => vec![array.clone()],
    };
    let mut columns: Vec<Option<ArrayRef>> = vec![None; places.len()];
    let mut valid: Option<NullBuffer> = None;
    for value in own {
        let Some(at) = place_of(value.data_type(), places) else {
            return exec_err!(
                "to_choice: there is no alternative for {}",
                format_type(value.data_type())
            );
        };
        let there = is_not_null(&value)?.into_parts().0;
        let there = match &valid {
            Some(known) => known.inner() | &there,
            None => there,
        };
        valid = Some(NullBuffer::new(there));
        let value = convert(&value, places[at].data_type())?;
        columns[at] = Some(match columns[at].take() {
            None => value,
            Some(before) => first_of(&before, &value)?,
        });
    }
    let columns = columns
        .into_iter()
        .zip(places)
        .map(|(column, field)| column.unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    made(places, columns.collect(), valid, rows)
}

/// The alternative that holds a type: the type itself, else one of its kind that holds its values.
fn place_of(own: &DataType, places: &Fields) -> Option<usize> {
    let name = alternative_name(own);
    let exact = places.iter().position(|f| f.data_type() == own);
    let holds = || places.iter().position(|f| fits(own, f.data_type()));
    let named = || {
        let same = |f: &FieldRef| alternative_name(f.data_type()) == name;
        places.iter().position(same)
    };
    exact.or_else(holds).or_else(named)
}

/// The one value of the two, or the first.
fn first_of(a: &ArrayRef, b: &ArrayRef) -> Result<ArrayRef> {
    let rows = a.len() as u64;
    let both = concat(&[a.as_ref(), b.as_ref()])?;
    let from = (0..rows).map(|row| {
        let at = usize::try_from(row).unwrap_or_default();
        if a.is_null(at) { row + rows } else { row }
    });
    Ok(take(&both, &UInt64Array::from_iter_values(from), None)?)
}

/// The fields that are there as entries, by their names.
fn into_map(structs: &StructArray, entries: &FieldRef, sorted: bool) -> Result<ArrayRef> {
    let DataType::Struct(pair) = entries.data_type() else {
        return internal_err!("to_choice: a map has entries");
    };
    let [key, value] = pair.as_ref() else {
        return internal_err!("to_choice: an entry has a key and a value");
    };
    let rows = structs.len();
    let names = structs.fields().iter().map(|f| f.name().as_str());
    let names: ArrayRef = Arc::new(arrow::array::StringArray::from_iter_values(names));
    let mut parts = Vec::with_capacity(structs.num_columns());
    for column in structs.columns() {
        parts.push(convert(column, value.data_type())?);
    }
    let mut lengths = Vec::with_capacity(rows);
    let (mut keys, mut places) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let before = keys.len();
        if structs.is_valid(row) {
            for (field, _) in parts.iter().enumerate().filter(|(_, p)| p.is_valid(row)) {
                keys.push(field as u64);
                places.push((field * rows + row) as u64);
            }
        }
        lengths.push(keys.len() - before);
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let values = if parts.is_empty() {
        new_null_array(value.data_type(), 0)
    } else {
        take(&concat(&parts)?, &UInt64Array::from(places), None)?
    };
    let keys = cast(
        &take(&names, &UInt64Array::from(keys), None)?,
        key.data_type(),
    )?;
    let pairs = StructArray::try_new(pair.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let map = MapArray::try_new(
        entries.clone(),
        offsets,
        pairs,
        structs.nulls().cloned(),
        sorted,
    );
    Ok(Arc::new(map?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array, StringArray};
    use arrow::util::display::array_value_to_string;

    fn shown(array: &ArrayRef) -> Vec<String> {
        (0..array.len())
            .map(|row| array_value_to_string(array, row).unwrap())
            .collect()
    }

    fn converted(array: ArrayRef, wanted: &str) -> ArrayRef {
        let wanted = parse_type(wanted).unwrap();
        assert!(fits(array.data_type(), &wanted));
        let made = convert(&array, &wanted).unwrap();
        assert_eq!(made.data_type(), &wanted);
        made
    }

    #[test]
    fn a_value_takes_the_place_of_its_type() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let made = converted(numbers, "choice<bigint,string>");
        assert_eq!(shown(&made), ["{long: 1, string: }", ""]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("n/a"), None]));
        let made = converted(texts, "choice<bigint,string>");
        assert_eq!(shown(&made), ["{long: , string: n/a}", ""]);
        // A choice into a wider one: each alternative goes to its place.
        let made = converted(made, "choice<double,array<int>,string>");
        assert_eq!(shown(&made), ["{double: , array: , string: n/a}", ""]);
    }

    #[test]
    fn choices_inside_structs_and_arrays() {
        let list = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>([
            Some(vec![Some(1), None]),
            None,
        ]);
        let made = converted(Arc::new(list), "array<choice<bigint,string>>");
        assert_eq!(shown(&made), ["[{long: 1, string: }, ]", ""]);
        let field = Arc::new(Field::new("A", DataType::Int64, true));
        let inner: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None]));
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(field, inner)]));
        let made = converted(structs.clone(), "struct<a:choice<bigint,string>,b:int>");
        assert_eq!(
            shown(&made),
            ["{a: {long: 5, string: }, b: }", "{a: , b: }"]
        );
        let made = converted(structs.clone(), "map<string,choice<bigint,string>>");
        assert_eq!(shown(&made), ["{A: {long: 5, string: }}", "{}"]);
        let made = converted(structs, "choice<struct<a:bigint>,string>");
        assert_eq!(shown(&made)[0], "{struct: {a: 5}, string: }");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let texts = DataType::Utf8;
        assert!(!fits(&texts, &parse_type("choice<bigint,double>").unwrap()));
        assert!(!fits(&texts, &parse_type("bigint").unwrap()));
        assert!(fits(&texts, &parse_type("choice<bigint,string>").unwrap()));
    }
}
