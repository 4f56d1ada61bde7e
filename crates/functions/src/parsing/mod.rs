//! Text and bytes that hold a value of some type: JSON, a line of CSV, an Avro datum.
//!
//! `from_json(text, 'struct<a:bigint>')`, `from_csv(text, type [, options])` and
//! `from_avro(bytes, schema)` give the value, and NULL where there is none; the names are Spark's.
//! `unbox_json`, `unbox_csv` and `unbox_avro` take the same and give `struct<value, reason>`, whose
//! `reason` says why a text is no such value: what a dynamic frame sets its error records aside by.
//!
//! The type, the schema and the options are constants, for the result's type depends on them. NULL
//! and blank text are NULL, and no mistake.

mod avro;
mod csv;
pub(crate) mod json;
mod rows;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use mastic_schema::choice::has_choice;
use mastic_schema::hive::parse_type;

use crate::args::Call;
pub use csv::csv_record;
use rows::Parsed;

/// What the text or bytes are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Boxed {
    /// One JSON value.
    Json,
    /// One record of CSV, maybe behind a header.
    Csv,
    /// An Avro datum in binary encoding, as bytes or as base64.
    Avro,
}

/// The field with the value, in what the `unbox` functions give.
pub const VALUE: &str = "value";
/// The field with the reason why there is none.
pub const REASON: &str = "reason";

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let formats = [Boxed::Json, Boxed::Csv, Boxed::Avro];
    let both = formats.map(|format| [parser(format, false), unbox(format)]);
    both.concat()
}

/// The function that gives `struct<value, reason>`.
pub fn unbox(format: Boxed) -> Arc<ScalarUDF> {
    parser(format, true)
}

fn parser(format: Boxed, reasons: bool) -> Arc<ScalarUDF> {
    let name = match (format, reasons) {
        (Boxed::Json, false) => "from_json",
        (Boxed::Csv, false) => "from_csv",
        (Boxed::Avro, false) => "from_avro",
        (Boxed::Json, true) => "unbox_json",
        (Boxed::Csv, true) => "unbox_csv",
        (Boxed::Avro, true) => "unbox_avro",
    };
    Arc::new(ScalarUDF::new_from_impl(Parser {
        name,
        format,
        reasons,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug)]
struct Parser {
    name: &'static str,
    format: Boxed,
    reasons: bool,
    signature: Signature,
}

impl PartialEq for Parser {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Parser {}

impl Hash for Parser {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A text constant, if the argument is one.
fn constant(value: Option<&ScalarValue>) -> Option<&str> {
    match value {
        Some(ScalarValue::Utf8(s) | ScalarValue::LargeUtf8(s) | ScalarValue::Utf8View(s)) => {
            s.as_deref()
        }
        _ => None,
    }
}

impl Parser {
    /// How the constants say that texts are read.
    fn reading(
        &self,
        shape: Option<&ScalarValue>,
        options: Option<&ScalarValue>,
    ) -> Result<Reading> {
        let name = self.name;
        let Some(shape) = constant(shape) else {
            let what = match self.format {
                Boxed::Avro => "an Avro schema",
                _ => "a type",
            };
            return plan_err!("{name}: the second argument must be {what}, as a constant text");
        };
        if self.format == Boxed::Avro {
            return avro::Avro::of(name, shape).map(Reading::Avro);
        }
        let data_type = match parse_type(shape) {
            Ok(data_type) if has_choice(&data_type) => {
                return plan_err!("{name}: '{shape}' has a choice, which is no type to read");
            }
            Ok(data_type) => data_type,
            Err(error) => return plan_err!("{name}: {error}"),
        };
        match self.format {
            Boxed::Csv => {
                let options = csv::Options::of(name, constant(options))?;
                csv::Csv::of(name, data_type, options).map(Reading::Csv)
            }
            _ => Ok(Reading::Json(data_type)),
        }
    }

    fn result(&self, value: DataType) -> DataType {
        if !self.reasons {
            return value;
        }
        DataType::Struct(result_fields(value))
    }
}

fn result_fields(value: DataType) -> Fields {
    Fields::from(vec![
        Field::new(VALUE, value, true),
        Field::new(REASON, DataType::Utf8, true),
    ])
}

enum Reading {
    Json(DataType),
    Csv(csv::Csv),
    Avro(avro::Avro),
}

impl Reading {
    fn data_type(&self) -> DataType {
        match self {
            Self::Json(data_type) => data_type.clone(),
            Self::Csv(csv) => csv.data_type(),
            Self::Avro(avro) => avro.data_type(),
        }
    }
}

impl ScalarUDFImpl for Parser {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{}: its type depends on its constants", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let argument = |at: usize| args.scalar_arguments.get(at).copied().flatten();
        if args.arg_fields.len() > 2 && constant(argument(2)).is_none() {
            return plan_err!("{}: the options must be a constant text", self.name);
        }
        let reading = self.reading(argument(1), argument(2))?;
        let data_type = self.result(reading.data_type());
        Ok(Arc::new(Field::new(self.name, data_type, true)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        use DataType as T;
        let most = if self.format == Boxed::Csv { 3 } else { 2 };
        if types.len() < 2 || types.len() > most {
            return plan_err!(
                "{} takes 2 to {most} argument(s), not {}",
                self.name,
                types.len()
            );
        }
        let first = match (&types[0], self.format) {
            (T::Utf8 | T::LargeUtf8 | T::Utf8View, _) => types[0].clone(),
            (T::Null, _) => T::Utf8,
            (T::Dictionary(_, values), _) if values.is_string() => values.as_ref().clone(),
            (T::Binary | T::LargeBinary | T::BinaryView, Boxed::Avro) => T::BinaryView,
            (other, _) => {
                let what = match self.format {
                    Boxed::Avro => "varbinary, or varchar in base64",
                    _ => "varchar",
                };
                return plan_err!("{}: argument 1 must be {what}, not {other}", self.name);
            }
        };
        let mut wanted = vec![first];
        wanted.extend(types[1..].iter().map(|t| match t {
            T::LargeUtf8 | T::Utf8View => t.clone(),
            _ => T::Utf8,
        }));
        Ok(wanted)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let argument = |at: usize| match args.args.get(at) {
            Some(ColumnarValue::Scalar(value)) => Some(value),
            _ => None,
        };
        let reading = self.reading(argument(1), argument(2))?;
        let fixed = argument(0).is_some();
        let rows = if fixed { 1 } else { args.number_rows };
        let call = Call {
            name: self.name,
            args: &args,
            rows,
        };
        let parsed = match &reading {
            Reading::Json(data_type) => json::parse(&call.text(0)?, rows, data_type)?,
            Reading::Csv(csv) => csv.parse(&call.text(0)?, rows)?,
            Reading::Avro(avro) => avro.parse(&call, rows)?,
        };
        let array = self.array(parsed, reading.data_type(), rows)?;
        Ok(if fixed {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

impl Parser {
    fn array(&self, parsed: Parsed, value: DataType, rows: usize) -> Result<ArrayRef> {
        if parsed.values.len() != rows {
            return exec_err!("{}: {} values of {rows}", self.name, parsed.values.len());
        }
        if !self.reasons {
            return Ok(parsed.values);
        }
        let reasons: StringArray = (0..rows)
            .map(|row| parsed.reasons.get(&row).map(String::as_str))
            .collect();
        Ok(Arc::new(StructArray::try_new(
            result_fields(value),
            vec![parsed.values, Arc::new(reasons)],
            None,
        )?))
    }
}

#[cfg(test)]
mod tests;
