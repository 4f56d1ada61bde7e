//! Which ORC type holds which Arrow type. It is the type that Hive's DDL gives the column in the catalog
//! (`mastic_schema::hive::format_type`), so that a table and its files agree.

use arrow::datatypes::DataType;
use orc_rust::proto;
use orc_rust::proto::r#type::Kind;

use super::error::{OrcError, Result};

/// The most digits of a decimal in ORC.
const MOST_DIGITS: u8 = 38;

/// The Arrow type that a column is cast to before it is written: itself, where ORC can hold it. Only the
/// outermost level; what is within comes to its own column later.
pub(super) fn stored(data_type: &DataType) -> Result<DataType> {
    Ok(match data_type {
        // A column in which there never was a value.
        DataType::Null => DataType::Utf8,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Utf8,
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => {
            // ORC's scales are not negative; the zeros are written out.
            let zeros = scale.min(&0).unsigned_abs();
            match digits.saturating_add(zeros) {
                digits if digits <= MOST_DIGITS => DataType::Decimal128(digits, *scale.max(&0)),
                _ => return Err(OrcError::Type(data_type.clone())),
            }
        }
        DataType::ListView(item) => DataType::List(item.clone()),
        DataType::LargeListView(item) => DataType::LargeList(item.clone()),
        DataType::Dictionary(_, value) => stored(value)?,
        DataType::RunEndEncoded(_, value) => stored(value.data_type())?,
        DataType::Duration(_) | DataType::Interval(_) | DataType::Union(_, _) => {
            return Err(OrcError::Type(data_type.clone()));
        }
        other => other.clone(),
    })
}

/// The ORC type of what [`stored`] gives, without subtypes.
pub(super) fn orc_type(stored: &DataType) -> Result<proto::Type> {
    let mut orc = proto::Type::default();
    let kind = match stored {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => Kind::Byte,
        DataType::Int16 => Kind::Short,
        DataType::Int32 => Kind::Int,
        DataType::Int64 => Kind::Long,
        DataType::Float32 => Kind::Float,
        DataType::Float64 => Kind::Double,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Kind::Binary,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::TimestampInstant,
        DataType::Decimal128(digits, scale) => {
            orc.precision = Some(u32::from(*digits));
            orc.scale = u32::try_from(*scale).ok();
            Kind::Decimal
        }
        DataType::Struct(_) => Kind::Struct,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => Kind::List,
        DataType::Map(_, _) => Kind::Map,
        other => return Err(OrcError::Type(other.clone())),
    };
    orc.set_kind(kind);
    Ok(orc)
}
