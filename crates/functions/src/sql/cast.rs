//! Casts and literals whose types DataFusion lacks, or casts to otherwise.

use datafusion::sql::sqlparser::ast::{self, CharacterLength, DataType, Expr, Value};

use super::make::{call, lambda, number, text};
use super::types;

/// A timestamp without seconds, and one with a time zone behind it.
pub(super) fn of_timestamp(typed: &ast::TypedString) -> Option<Expr> {
    let Value::SingleQuotedString(written) = &typed.value.value else {
        return None;
    };
    let mut parts = written.split_whitespace();
    let (date, time, zone) = (parts.next()?, parts.next()?, parts.next());
    let seconds = if time.matches(':').count() == 1 {
        ":00"
    } else {
        ""
    };
    if parts.next().is_some() || (zone.is_none() && seconds.is_empty()) {
        return None;
    }
    let mut plain = typed.clone();
    plain.data_type = DataType::Timestamp(None, ast::TimezoneInfo::None);
    plain.value.value = Value::SingleQuotedString(format!("{date} {time}{seconds}"));
    let plain = Expr::TypedString(plain);
    Some(match zone {
        Some(zone) => call("with_timezone", vec![plain, text(zone)]),
        None => plain,
    })
}

/// `CAST(value AS to)`; nothing where DataFusion casts as Trino does.
pub(super) fn of_cast(lenient: bool, value: &Expr, to: &DataType) -> Option<Expr> {
    let integer = match to {
        DataType::TinyInt(_) => Some("tinyint"),
        DataType::SmallInt(_) => Some("smallint"),
        DataType::Int(_) | DataType::Integer(_) => Some("integer"),
        DataType::BigInt(_) => Some("bigint"),
        _ => None,
    };
    if let Some(integer) = integer {
        let name = if lenient { "try_cast_to_" } else { "cast_to_" };
        return Some(call(&format!("{name}{integer}"), vec![value.clone()]));
    }
    let made = match to {
        DataType::Varchar(None) | DataType::String(None) | DataType::Text => {
            call("cast_to_varchar", vec![value.clone()])
        }
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. })) => call(
            "substr",
            vec![
                call("cast_to_varchar", vec![value.clone()]),
                number("1"),
                number(&length.to_string()),
            ],
        ),
        DataType::JSON => call("to_json", vec![value.clone()]),
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("ipaddress") => {
            call("ip_address", vec![value.clone()])
        }
        other => call("cast_to", vec![value.clone(), text(&types::nested(other)?)]),
    };
    if lenient {
        return Some(call("try", vec![lambda("$row", made)]));
    }
    Some(made)
}
