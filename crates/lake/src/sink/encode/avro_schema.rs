//! Arrow types as Avro has them.
//!
//! Avro ("Apache Avro specification", 1.11) has fewer types than Arrow: what it lacks is held in the next type
//! that takes every value. Records and fixed types are named by their path, as Spark names them, so that
//! no two share a name.

use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit,
};
use serde_json::{Value, json};

/// The name of the record that a row is: Spark's.
const ROOT: &str = "topLevelRecord";

/// The type that holds the values of a column in an Avro file.
///
/// Small and unsigned integers become the next signed ones (64 unsigned bits: `decimal(20,0)`), 16-bit
/// floats 32-bit ones, a column of nothing but nulls text. Seconds become milliseconds, and nanoseconds
/// microseconds, which is as fine as a catalog's timestamps are: finer digits are cut off.
pub(super) fn stored(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => decimal(*precision, *scale),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(stored_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(stored_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(stored_field).collect()),
        DataType::Dictionary(_, value) => stored(value),
        DataType::RunEndEncoded(_, value) => stored(value.data_type()),
        other => other.clone(),
    }
}

/// Avro's scale is not negative, and Arrow's narrow decimals are not Avro's.
fn decimal(precision: u8, scale: i8) -> DataType {
    let (precision, scale) = match u8::try_from(-i16::from(scale)) {
        Ok(zeros) => (precision.saturating_add(zeros), 0),
        Err(_) => (precision, scale),
    };
    match precision <= DECIMAL128_MAX_PRECISION {
        true => DataType::Decimal128(precision, scale),
        false => DataType::Decimal256(precision, scale),
    }
}

fn stored_field(field: &FieldRef) -> FieldRef {
    let data_type = stored(field.data_type());
    // Only nulls hold nothing but nulls.
    let nullable = field.is_nullable() || field.data_type() == &DataType::Null;
    Arc::new(Field::new(field.name(), data_type, nullable))
}

/// The columns as Avro holds them.
pub(super) fn stored_fields(schema: &Schema) -> Fields {
    schema.fields().iter().map(stored_field).collect()
}

/// Whether Avro can hold the columns: why not, by the name of the first that it cannot.
pub(super) fn check(schema: &SchemaRef) -> Result<(), String> {
    check_fields(schema.fields(), "")?;
    for field in schema.fields() {
        let to = stored(field.data_type());
        if !can_cast_types(field.data_type(), &to) {
            return Err(format!(
                "column '{}' ({}) cannot be written as avro; cast it, or write parquet",
                field.name(),
                field.data_type()
            ));
        }
    }
    Ok(())
}

fn check_fields(fields: &Fields, within: &str) -> Result<(), String> {
    for (at, field) in fields.iter().enumerate() {
        let path = join(within, field.name());
        let name = field.name();
        if !is_name(name) {
            return Err(format!(
                "column '{path}' has no name that Avro can hold: they are letters (a-z), digits and underscores, and do not begin with a digit; rename it, to '{}' for one",
                suggested(name)
            ));
        }
        if fields.iter().take(at).any(|other| other.name() == name) {
            return Err(format!(
                "there are two columns '{path}', which Avro cannot hold; rename one"
            ));
        }
        check_type(field.data_type(), &path)?;
    }
    Ok(())
}

fn check_type(data_type: &DataType, path: &str) -> Result<(), String> {
    match data_type {
        DataType::Struct(fields) if fields.is_empty() => Err(format!(
            "column '{path}' is a struct without fields, which no table can hold; drop it"
        )),
        DataType::Struct(fields) => check_fields(fields, path),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => check_type(item.data_type(), path),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                if !is_text(pair[0].data_type()) {
                    return Err(format!(
                        "column '{path}' is a map with keys of {}, and Avro's maps have keys of text; cast them, or write parquet or json",
                        pair[0].data_type()
                    ));
                }
                check_type(pair[1].data_type(), path)
            }
            _ => Err(format!("column '{path}' is a map without keys and values")),
        },
        DataType::Dictionary(_, value) => check_type(value, path),
        DataType::RunEndEncoded(_, value) => check_type(value.data_type(), path),
        DataType::Interval(_) | DataType::Duration(_) => Err(format!(
            "column '{path}' is {data_type}, which no table can hold; cast it to a string, or to a number of its units"
        )),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if i16::from(*scale) > i16::from(*precision)
                || i16::from(*precision) - i16::from((*scale).min(0)) > 76 =>
        {
            Err(format!(
                "column '{path}' is {data_type}, whose scale Avro cannot hold; cast it to a decimal with a scale between 0 and its precision"
            ))
        }
        _ => Ok(()),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// "The name portion … must start with [A-Za-z_] and subsequently contain only [A-Za-z0-9_]" (Names, Avro
/// specification).
fn is_name(name: &str) -> bool {
    let begins = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    name.as_bytes().first().is_some_and(begins)
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A name that Avro can hold, like this one.
fn suggested(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    match is_name(&name) {
        true => name,
        false => format!("_{name}"),
    }
}

fn join(within: &str, name: &str) -> String {
    match within {
        "" => name.to_owned(),
        _ => format!("{within}.{name}"),
    }
}

/// The schema of an Avro file with these columns, which are such as [`stored`] makes.
///
/// # Errors
/// When a type is left that Avro lacks.
pub(super) fn avro_schema(fields: &Fields) -> Result<Value, String> {
    Ok(json!({ "type": "record", "name": ROOT, "fields": record(fields, ROOT)? }))
}

fn record(fields: &Fields, path: &str) -> Result<Vec<Value>, String> {
    let fields = fields.iter().map(|field| {
        let own = join(path, field.name());
        Ok(json!({ "name": field.name(), "type": of_field(field, &own)? }))
    });
    fields.collect()
}

/// The type of a field: with null, which comes first as in what Spark writes, where it may be null.
fn of_field(field: &Field, path: &str) -> Result<Value, String> {
    let plain = of_type(field.data_type(), path)?;
    Ok(match field.is_nullable() {
        true => json!(["null", plain]),
        false => plain,
    })
}

fn of_type(data_type: &DataType, path: &str) -> Result<Value, String> {
    let logical = |plain: &str, logical: &str| json!({ "type": plain, "logicalType": logical });
    // A namespace and a name: what lies in a struct of a struct is in that struct's namespace.
    let (namespace, name) = path.rsplit_once('.').unwrap_or(("", path));
    Ok(match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("bytes"),
        DataType::FixedSizeBinary(size) => {
            json!({ "type": "fixed", "name": name, "namespace": namespace, "size": size })
        }
        DataType::Date32 => logical("int", "date"),
        DataType::Time32(TimeUnit::Millisecond) => logical("int", "time-millis"),
        DataType::Time64(TimeUnit::Microsecond) => logical("long", "time-micros"),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            logical("long", "local-timestamp-millis")
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            logical("long", "local-timestamp-micros")
        }
        DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => logical("long", "timestamp-millis"),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => logical("long", "timestamp-micros"),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => json!({
            "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale
        }),
        DataType::List(item) => {
            json!({ "type": "array", "items": of_field(item, &join(path, "element"))? })
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                json!({ "type": "map", "values": of_field(&pair[1], &join(path, "value"))? })
            }
            _ => return Err(format!("'{path}' is a map without keys and values")),
        },
        DataType::Struct(fields) => json!({
            "type": "record", "name": name, "namespace": namespace,
            "fields": record(fields, path)?
        }),
        other => return Err(format!("'{path}' is {other}, which Avro cannot hold")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn schema(fields: Vec<Field>) -> SchemaRef {
        Arc::new(Schema::new(fields))
    }

    #[test]
    fn names_are_avros_or_refused_with_one_that_is() {
        let inner = DataType::Struct(vec![Field::new("größe", DataType::Int32, true)].into());
        for (name, data_type, says) in [
            (
                "a b",
                DataType::Int32,
                "column 'a b' has no name that Avro can hold",
            ),
            ("2nd", DataType::Int32, "rename it, to '_2nd' for one"),
            ("", DataType::Int32, "column '' has no name"),
            (
                "o",
                inner,
                "column 'o.größe' has no name that Avro can hold",
            ),
            (
                "d",
                DataType::Duration(TimeUnit::Second),
                "column 'd' is Duration(s)",
            ),
            (
                "e",
                DataType::Struct(Fields::empty()),
                "a struct without fields",
            ),
        ] {
            let told = check(&schema(vec![Field::new(name, data_type, true)])).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
        let twice = schema(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("a", DataType::Utf8, true),
        ]);
        assert!(check(&twice).unwrap_err().contains("two columns 'a'"));
        let keys = DataType::Map(
            Arc::new(Field::new_struct(
                "entries",
                vec![
                    Field::new("key", DataType::Int32, false),
                    Field::new("value", DataType::Utf8, true),
                ],
                false,
            )),
            false,
        );
        let told = check(&schema(vec![Field::new("m", keys, true)])).unwrap_err();
        assert!(told.contains("keys of text"), "{told}");
    }

    #[test]
    fn decimals_have_scales_that_avro_has() {
        assert_eq!(
            stored(&DataType::Decimal32(9, 2)),
            DataType::Decimal128(9, 2)
        );
        assert_eq!(
            stored(&DataType::Decimal64(18, -3)),
            DataType::Decimal128(21, 0)
        );
        assert_eq!(
            stored(&DataType::Decimal128(38, -2)),
            DataType::Decimal256(40, 0)
        );
        let steep = schema(vec![Field::new("d", DataType::Decimal128(2, 4), true)]);
        assert!(check(&steep).unwrap_err().contains("whose scale"));
    }

    #[test]
    fn types_are_named_by_their_paths() {
        let x = Field::new("x", DataType::FixedSizeBinary(2), false);
        let o = Field::new("string", DataType::Struct(vec![x].into()), true);
        let written = avro_schema(&vec![o].into()).unwrap();
        // As Spark's SchemaConverters names records: the path is the namespace.
        assert_eq!(
            written,
            json!({"type": "record", "name": "topLevelRecord", "fields": [
                {"name": "string", "type": ["null", {
                    "type": "record", "name": "string", "namespace": "topLevelRecord",
                    "fields": [{"name": "x", "type": {
                        "type": "fixed", "name": "x", "namespace": "topLevelRecord.string", "size": 2
                    }}]
                }]}
            ]})
        );
    }
}
