//! What type the texts of a field hold, by a sample of them.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::functions::expr_fn::btrim;
use datafusion::logical_expr::lit;
use mastic_schema::hive::{format_type, list_of, map_of};
use mastic_schema::merge::widen;
use serde_json::Value as Json;

use super::unbox::{Unbox, UnboxFormat};
use crate::record::column;
use crate::run::{Ledger, WORKING};
use crate::{DynamicFrame, FrameError, Result};

/// More fields than this are no record's.
const FIELDS: usize = 4_096;

impl DynamicFrame {
    /// The type for [`Unbox::schema`], as text: what holds the first `rows` texts of the field. It reads
    /// that much of the frame. Texts that cannot be parsed are passed over (they become error records later);
    /// types that disagree are widened, as a table's are.
    ///
    /// # Errors
    /// When there is no such field or it holds no text, none of the texts can be parsed, they have more than
    /// 4,096 fields, the frame cannot be read, or the format is Avro, whose data does not say its schema.
    pub async fn infer_unbox(&self, unbox: &Unbox, rows: usize) -> Result<String> {
        let unknown = || FrameError::NoSchema {
            path: unbox.path.clone(),
        };
        if unbox.format == UnboxFormat::Avro {
            return Err(unknown());
        }
        let text = self.boxed_text(unbox)?;
        let name = format!("{WORKING}text");
        let sample = self
            .uncounted()?
            .inner
            .select(vec![
                datafusion::logical_expr::cast(text.expr, DataType::Utf8).alias(&name),
            ])?
            .filter(btrim(vec![column(&name)]).not_eq(lit("")))?
            .limit(0, Some(rows))?;
        // What is read here is no part of the run that keeps count.
        let (mut state, plan) = sample.into_parts();
        let runtime = std::sync::Arc::clone(state.runtime_env());
        Ledger::new(None, runtime).attach(&mut state);
        let batches = datafusion::dataframe::DataFrame::new(state, plan)
            .collect()
            .await?;
        let mut whole = DataType::Null;
        for batch in &batches {
            let texts = cast(batch.column(0), &DataType::Utf8)
                .map_err(datafusion::error::DataFusionError::from)?;
            for text in texts.as_string::<i32>().iter().flatten() {
                let one = match unbox.format {
                    UnboxFormat::Csv => csv_type(text, unbox),
                    _ => serde_json::from_str(text).ok().map(|json| json_type(&json)),
                };
                if let Some(one) = one {
                    whole = widen(&whole, &one);
                }
                if fields_of(&whole) > FIELDS {
                    return Err(FrameError::OutOfRange {
                        what: format!("fields in the texts of '{}'", unbox.path),
                        value: fields_of(&whole).to_string(),
                        range: format!("at most {FIELDS}: give a schema"),
                    });
                }
            }
        }
        if whole == DataType::Null {
            return Err(unknown());
        }
        Ok(format_type(&settled(&whole)))
    }
}

fn fields_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|f| 1 + fields_of(f.data_type())).sum(),
        DataType::List(item) => fields_of(item.data_type()),
        _ => 0,
    }
}

/// The type of a JSON value. The parser has bounded its depth.
fn json_type(json: &Json) -> DataType {
    match json {
        Json::Null => DataType::Null,
        Json::Bool(_) => DataType::Boolean,
        Json::Number(number) if number.is_i64() => DataType::Int64,
        Json::Number(_) => DataType::Float64,
        Json::String(_) => DataType::Utf8,
        Json::Array(items) => {
            let types = items.iter().map(json_type);
            list_of(types.fold(DataType::Null, |all, next| widen(&all, &next)))
        }
        Json::Object(fields) => {
            let fields = fields.iter().take(FIELDS + 1);
            let fields = fields.map(|(name, value)| Field::new(name, json_type(value), true));
            DataType::Struct(fields.collect())
        }
    }
}

/// The type of a record of CSV, whose fields are `col0`, `col1`... where it has no header, as in Glue.
fn csv_type(text: &str, unbox: &Unbox) -> Option<DataType> {
    let (header, record) = mastic_functions::csv_record(text, &unbox.options())?;
    let named = record.iter().enumerate().map(|(at, value)| {
        let name = header
            .as_ref()
            .and_then(|h| h.get(at))
            .map(|h| h.trim().to_owned());
        let name = name.unwrap_or_else(|| format!("col{at}"));
        Field::new(name, plain_type(value.trim()), true)
    });
    let fields: Fields = named.take(FIELDS + 1).collect();
    Some(DataType::Struct(fields))
}

fn plain_type(text: &str) -> DataType {
    let digits = text.trim_start_matches('-');
    let number = digits.starts_with(|c: char| c.is_ascii_digit());
    // A code like 007 is no number.
    let code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    match text {
        "" => DataType::Null,
        "true" | "false" => DataType::Boolean,
        _ if number && !code && text.parse::<i64>().is_ok() => DataType::Int64,
        _ if number && !code && text.parse::<f64>().is_ok_and(f64::is_finite) => DataType::Float64,
        _ if text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok() => DataType::Date32,
        _ => DataType::Utf8,
    }
}

/// What was never seen is text; an object without fields is a map.
fn settled(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null => DataType::Utf8,
        DataType::Struct(fields) if fields.is_empty() => map_of(DataType::Utf8, DataType::Utf8),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|f| f.as_ref().clone().with_data_type(settled(f.data_type())))
                .collect(),
        ),
        DataType::List(item) => list_of(settled(item.data_type())),
        other => other.clone(),
    }
}
