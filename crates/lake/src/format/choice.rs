//! A file's column of one type as a table's column of a choice.
//!
//! Formats that carry their schema (Parquet, Avro, ORC) have one type for all values of a column in a file, but
//! another file of the same table may have another. Such a column is the alternative of its own type in every row.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use mastic_schema::choice::{alternatives, format_type, has_choice};
use mastic_schema::merge::position;

use super::adapt::{fits, plain};

/// Whether every value of a file's column is one of the table's, which is a choice or holds one.
pub(super) fn chooses(file: &DataType, table: &DataType) -> bool {
    if !has_choice(table) {
        return fits(file, table);
    }
    if let Some(own) = alternatives(table) {
        return match as_choice(file, own) {
            Some(fields) => places(fields, own).is_some(),
            None => *file == DataType::Null || alternative_of(file, own).is_some(),
        };
    }
    match (file, table) {
        (DataType::Struct(a), DataType::Struct(b)) => b.iter().all(|field| {
            position(a, field.name()).is_none_or(|at| chooses(a[at].data_type(), field.data_type()))
        }),
        (DataType::List(a), DataType::List(b)) => chooses(a.data_type(), b.data_type()),
        (DataType::Map(a, _), DataType::Map(b, _)) => match (entry(a), entry(b)) {
            (Some((ak, av)), Some((bk, bv))) => {
                fits(ak.data_type(), bk.data_type()) && chooses(av.data_type(), bv.data_type())
            }
            _ => false,
        },
        (file, _) => *file == DataType::Null,
    }
}

/// The fields of a file's column that is a choice already: marked, or with alternatives that all have the names of
/// the table's, as a choice that was written to a file comes back.
fn as_choice<'a>(file: &'a DataType, table: &Fields) -> Option<&'a Fields> {
    match file {
        DataType::Struct(fields)
            if alternatives(file).is_some()
                || fields.len() > 1
                    && fields
                        .iter()
                        .all(|f| table.iter().any(|t| t.name() == f.name())) =>
        {
            Some(fields)
        }
        _ => None,
    }
}

/// Which of the table's alternatives each of a file's is; each is another one.
fn places(file: &Fields, table: &Fields) -> Option<Vec<usize>> {
    let mut taken = Vec::with_capacity(file.len());
    for field in file {
        let at = alternative_of(field.data_type(), table)?;
        if taken.contains(&at) {
            return None;
        }
        taken.push(at);
    }
    Some(taken)
}

/// Which alternative a file's type is: the same type first, then one that holds it.
fn alternative_of(file: &DataType, table: &Fields) -> Option<usize> {
    let own = plain(file);
    let same = table.iter().position(|f| plain(f.data_type()) == own);
    same.or_else(|| {
        table.iter().position(|f| {
            // Every type can be written as text, but a number is no text.
            let text = plain(f.data_type()) == DataType::Utf8;
            !text && chooses(file, f.data_type())
        })
    })
}

fn entry(entries: &FieldRef) -> Option<(&FieldRef, &FieldRef)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// The values as the table's type, of which [`chooses`] has said that it holds them.
pub(super) fn convert(values: &ArrayRef, table: &DataType) -> Result<ArrayRef, ArrowError> {
    if values.data_type() == table {
        return Ok(values.clone());
    }
    if *values.data_type() == DataType::Null {
        return Ok(new_null_array(table, values.len()));
    }
    if !has_choice(table) && !values.data_type().is_nested() {
        return cast(values, table);
    }
    let DataType::Struct(fields) = table else {
        return nested(values, table);
    };
    let (given, from) = match (values.as_struct_opt(), alternatives(table)) {
        (Some(given), None) => {
            let from = fields.iter().map(|f| position(given.fields(), f.name()));
            (given, from.collect::<Vec<_>>())
        }
        (Some(given), Some(own)) if as_choice(values.data_type(), own).is_some() => {
            let places = places(given.fields(), own).unwrap_or_default();
            let from = (0..own.len()).map(|at| places.iter().position(|place| *place == at));
            (given, from.collect())
        }
        (_, Some(own)) => return choose(values, own),
        (None, None) => return nested(values, table),
    };
    let columns: Result<Vec<ArrayRef>, ArrowError> = fields
        .iter()
        .zip(from)
        .map(|(field, from)| match from {
            Some(at) => convert(given.column(at), field.data_type()),
            None => Ok(new_null_array(field.data_type(), given.len())),
        })
        .collect();
    let made = StructArray::try_new_with_length(
        fields.clone(),
        columns?,
        given.nulls().cloned(),
        given.len(),
    )?;
    Ok(Arc::new(made))
}

fn choose(values: &ArrayRef, own: &Fields) -> Result<ArrayRef, ArrowError> {
    let Some(taken) = alternative_of(values.data_type(), own) else {
        return Err(ArrowError::CastError(format!(
            "{} is no alternative",
            format_type(values.data_type())
        )));
    };
    let columns: Result<Vec<ArrayRef>, ArrowError> = own
        .iter()
        .enumerate()
        .map(|(at, field)| match at == taken {
            true => convert(values, field.data_type()),
            false => Ok(new_null_array(field.data_type(), values.len())),
        })
        .collect();
    let nulls = values.logical_nulls();
    let made = StructArray::try_new_with_length(own.clone(), columns?, nulls, values.len())?;
    Ok(Arc::new(made))
}

fn nested(values: &ArrayRef, table: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match (values.data_type(), table) {
        (DataType::List(_), DataType::List(item)) => {
            let list = values.as_list::<i32>();
            let items = convert(list.values(), item.data_type())?;
            let nulls = list.nulls().cloned();
            let offsets = list.offsets().clone();
            Arc::new(ListArray::try_new(item.clone(), offsets, items, nulls)?)
        }
        (DataType::Map(_, sorted), DataType::Map(entries, _)) => {
            let map = values.as_map();
            let made: ArrayRef = Arc::new(map.entries().clone());
            let made = convert(&made, entries.data_type())?;
            let nulls = map.nulls().cloned();
            let offsets = map.offsets().clone();
            Arc::new(MapArray::try_new(
                entries.clone(),
                offsets,
                made.as_struct().clone(),
                nulls,
                *sorted,
            )?)
        }
        _ => cast(values, table)?,
    })
}

/// A file's column as a table's column of a choice, or of fields that are found in any case.
#[derive(Debug)]
pub(super) struct ToChoice {
    pub(super) column: Arc<dyn PhysicalExpr>,
    /// The table's column.
    pub(super) field: FieldRef,
}

impl PartialEq for ToChoice {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.field == other.field
    }
}

impl Eq for ToChoice {}

impl Hash for ToChoice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.field.hash(state);
    }
}

impl fmt::Display for ToChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} AS {}",
            self.column,
            format_type(self.field.data_type())
        )
    }
}

impl PhysicalExpr for ToChoice {
    fn data_type(&self, _: &Schema) -> EngineResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn nullable(&self, _: &Schema) -> EngineResult<bool> {
        Ok(true)
    }

    fn return_field(&self, _: &Schema) -> EngineResult<FieldRef> {
        Ok(self.field.clone())
    }

    fn evaluate(&self, batch: &RecordBatch) -> EngineResult<ColumnarValue> {
        let values = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        let made = convert(&values, self.field.data_type())?;
        Ok(ColumnarValue::Array(made))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> EngineResult<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(ToChoice {
            column: children.pop().unwrap_or_else(|| self.column.clone()),
            field: self.field.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::LakeError;
    use crate::format::adapt::Batcher;
    use arrow::array::{Int32Array, Int64Array, StringArray};
    use arrow::datatypes::{Field, Int64Type};
    use arrow::util::display::array_value_to_string;
    use mastic_schema::hive::parse_type;

    /// Reads a file's column as a table's, in a frame.
    fn read(values: ArrayRef, table: &str) -> crate::error::Result<ArrayRef> {
        let batch = RecordBatch::try_from_iter([("A", values)]).unwrap();
        let field = Field::new("a", parse_type(table).unwrap(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = Batcher::new(schema, true).adapt("f", &batch)?;
        Ok(batch.column(0).clone())
    }

    fn shown(values: &ArrayRef) -> Vec<String> {
        let text = |row| array_value_to_string(values, row).unwrap();
        (0..values.len()).map(text).collect()
    }

    fn numbers() -> ArrayRef {
        Arc::new(Int32Array::from(vec![Some(7), None]))
    }

    fn texts() -> ArrayRef {
        Arc::new(StringArray::from(vec![Some("x"), None]))
    }

    #[test]
    fn a_column_is_the_alternative_of_its_type() {
        let choice = "choice<bigint,array<bigint>,string>";
        for (values, expected) in [
            (numbers(), "{long: 7, array: , string: }"),
            (texts(), "{long: , array: , string: x}"),
        ] {
            let read = read(values, choice).unwrap();
            assert_eq!(read.data_type(), &parse_type(choice).unwrap());
            assert_eq!(shown(&read)[0], expected);
            // What is null is no alternative.
            assert!(read.is_null(1));
        }
    }

    #[test]
    fn choices_within_lists_and_structs_are_made() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ]);
        let read = read(Arc::new(list), "array<choice<bigint,string>>").unwrap();
        assert_eq!(shown(&read)[0], "[{long: 1, string: }, ]");
        assert!(read.is_null(1));
        let fields = [("B", numbers()), ("more", texts())];
        let fields = fields.map(|(name, values)| {
            let field = Field::new(name, values.data_type().clone(), true);
            (Arc::new(field), values)
        });
        let whole: ArrayRef = Arc::new(StructArray::from(fields.to_vec()));
        let table = "struct<b:choice<bigint,string>,none:date>";
        let read = super::tests::read(whole, table).unwrap();
        assert_eq!(shown(&read)[0], "{b: {long: 7, string: }, none: }");
    }

    #[test]
    fn a_choice_that_was_written_comes_back_and_a_struct_is_a_struct() {
        let choice = parse_type("choice<bigint,string>").unwrap();
        let made = choose(&numbers(), alternatives(&choice).unwrap()).unwrap();
        // Parquet of another writer has no marks.
        let plain = parse_type("struct<long:bigint,string:string>").unwrap();
        let unmarked = convert(&made, &plain).unwrap();
        for (values, table, expected) in [
            (made.clone(), "choice<bigint,string>", "{long: 7, string: }"),
            (made, "choice<double,string>", "{double: 7.0, string: }"),
            (
                unmarked.clone(),
                "choice<bigint,string>",
                "{long: 7, string: }",
            ),
        ] {
            assert_eq!(shown(&read(values, table).unwrap()), [expected, ""]);
        }
        let read = read(unmarked, "struct<long:bigint,string:string>").unwrap();
        assert_eq!(read.data_type(), &plain);
        assert_eq!(shown(&read), ["{long: 7, string: }", ""]);
    }

    #[test]
    fn what_no_alternative_holds_is_a_misfit() {
        let double: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5]));
        for (table, wanted) in [
            ("choice<bigint,string>", "choice<bigint,string>"),
            ("bigint", "bigint"),
        ] {
            let error = read(double.clone(), table).unwrap_err();
            let LakeError::Misfit {
                file,
                name,
                wanted: said,
                found,
                ..
            } = error
            else {
                panic!("{error:?}");
            };
            assert_eq!((file.as_str(), name.as_str()), ("f", "a"));
            assert_eq!((said.as_str(), found.as_str()), (wanted, "double"));
        }
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert_eq!(
            shown(&read(whole, "choice<double,string>").unwrap()),
            ["{double: 1.0, string: }"]
        );
    }
}
