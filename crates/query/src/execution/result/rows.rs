//! Rows of a result as bytes: Athena's CSV, its tab-separated text, and what describes the columns.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use mastic_schema::choice::alternatives;
use serde_json::json;

use super::text::Texts;

/// Appends the header of a CSV: the columns' names, quoted.
pub(super) fn header(schema: &Schema, out: &mut String) {
    for (i, field) in schema.fields().iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quoted(field.name(), out);
    }
    out.push('\n');
}

/// Appends rows as Athena's CSV: every value quoted, quotes doubled, NULL nothing at all.
pub(super) fn csv(batch: &RecordBatch, out: &mut String) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let columns = texts(batch, &options)?;
    let mut value = String::new();
    for row in 0..batch.num_rows() {
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            if !column.is_null(row) {
                value.clear();
                column.write(row, &mut value)?;
                quoted(&value, out);
            }
        }
        out.push('\n');
    }
    Ok(())
}

/// Appends rows with tabs between values, as they are.
pub(super) fn tabs(batch: &RecordBatch, out: &mut String) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let columns = texts(batch, &options)?;
    for row in 0..batch.num_rows() {
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.push('\t');
            }
            if !column.is_null(row) {
                column.write(row, out)?;
            }
        }
        out.push('\n');
    }
    Ok(())
}

fn texts<'a>(
    batch: &'a RecordBatch,
    options: &'a FormatOptions<'a>,
) -> Result<Vec<Texts<'a>>, ArrowError> {
    let columns = batch.columns().iter();
    columns.map(|column| Texts::new(column, options)).collect()
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for (i, part) in text.split('"').enumerate() {
        if i > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

/// The columns of a result as JSON: `{"ColumnInfo": […]}`, each as Athena's API has it (`ColumnInfo`). Athena's own
/// `.metadata` files hold the same in a form that it does not document.
pub(super) fn metadata(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| {
        let (name, precision, scale) = athena_type(field.data_type());
        json!({
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": field.name(),
            "Label": field.name(),
            "Type": name,
            "Precision": precision,
            "Scale": scale,
            "Nullable": if field.is_nullable() { "UNKNOWN" } else { "NOT_NULL" },
            "CaseSensitive": name == "varchar",
        })
    });
    let columns: Vec<_> = columns.collect();
    json!({ "ColumnInfo": columns }).to_string()
}

/// A type's name in Athena's result metadata, with the precision and scale that stand beside it there.
fn athena_type(data_type: &DataType) -> (&'static str, i64, i64) {
    match data_type {
        DataType::Boolean => ("boolean", 0, 0),
        DataType::Int8 => ("tinyint", 3, 0),
        DataType::Int16 | DataType::UInt8 => ("smallint", 5, 0),
        DataType::Int32 | DataType::UInt16 => ("integer", 10, 0),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => ("bigint", 19, 0),
        DataType::Float16 | DataType::Float32 => ("float", 17, 0),
        DataType::Float64 => ("double", 17, 0),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => ("decimal", i64::from(*p), i64::from(*s)),
        DataType::Date32 | DataType::Date64 => ("date", 0, 0),
        DataType::Time32(_) | DataType::Time64(_) => ("time", 3, 0),
        DataType::Timestamp(_, None) => ("timestamp", 3, 0),
        DataType::Timestamp(_, Some(_)) => ("timestamp with time zone", 3, 0),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => ("varbinary", 1_073_741_824, 0),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
            ("array", 0, 0)
        }
        DataType::Map(_, _) => ("map", 0, 0),
        DataType::Struct(_) if alternatives(data_type).is_none() => ("row", 0, 0),
        _ => ("varchar", 2_147_483_647, 0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn athenas_csv() {
        let columns: [(&str, ArrayRef); 2] = [
            ("n", Arc::new(Int64Array::from(vec![Some(1), None]))),
            (
                "say \"hi\"",
                Arc::new(StringArray::from(vec![Some("a \"b\",\nc"), Some("")])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = String::new();
        header(&batch.schema(), &mut out);
        csv(&batch, &mut out).unwrap();
        // Every value quoted, quotes doubled, NULL empty and unquoted: Athena user guide, "Working with query results".
        assert_eq!(
            out,
            "\"n\",\"say \"\"hi\"\"\"\n\"1\",\"a \"\"b\"\",\nc\"\n,\"\"\n"
        );
        let mut out = String::new();
        tabs(&batch, &mut out).unwrap();
        assert_eq!(out, "1\ta \"b\",\nc\n\t\n");
        let about: serde_json::Value = serde_json::from_str(&metadata(&batch.schema())).unwrap();
        assert_eq!(about["ColumnInfo"][0]["Type"], "bigint");
        assert_eq!(about["ColumnInfo"][1]["Name"], "say \"hi\"");
    }
}
