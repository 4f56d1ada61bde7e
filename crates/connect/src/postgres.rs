//! PostgreSQL: columns as Arrow has them.

use std::collections::HashMap;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
use sqlx::postgres::{PgColumn, PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, Column as _, Executor, Statement, TypeInfo};

use crate::column::{Asked, Column, Wire, quoted};

/// What a connection is told before anything else: nothing is changed, and literals are as the standard has them.
pub(crate) const SETUP: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; \
     SET standard_conforming_strings TO on";

/// What a `numeric` is of which no precision is known, as in Spark and so in Glue: digits beyond the 18th behind the
/// point are rounded.
const ANY_NUMERIC: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 18);

/// The tables that may be meant, most of all those of the search path.
pub(crate) const TABLES: &str = "SELECT n.nspname::text, c.relname::text, \
     pg_catalog.pg_table_is_visible(c.oid) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' \
     ORDER BY 3 DESC, 1, 2 LIMIT 10000";

/// The columns of what stands behind FROM. It is planned by the server, and not run.
pub(crate) async fn describe(
    connection: &mut PgConnection,
    from: &str,
) -> sqlx::Result<Vec<Column>> {
    let sql = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(format!("SELECT * FROM {from}")));
    let statement = connection.prepare(sql).await?;
    let columns = statement.columns();
    let modifiers = modifiers(connection, columns).await?;
    Ok(columns
        .iter()
        .map(|column| {
            let origin = column.relation_id().zip(column.relation_attribute_no());
            let modifier = origin.and_then(|(table, at)| modifiers.get(&(table.0, at)));
            of(column.name(), column.type_info().name(), modifier.copied())
        })
        .collect())
}

/// The type modifiers of the `numeric` columns of tables: what says their precision and scale. A
/// domain has its own.
async fn modifiers(
    connection: &mut PgConnection,
    columns: &[PgColumn],
) -> sqlx::Result<HashMap<(u32, i16), i32>> {
    let wanted = columns
        .iter()
        .filter(|c| c.type_info().name() == "NUMERIC")
        .filter_map(|c| c.relation_id().zip(c.relation_attribute_no()))
        .map(|(table, at)| format!("({}, {at})", table.0))
        .collect::<Vec<_>>();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT a.attrelid::int8, a.attnum, \
         CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE t.typtypmod END \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE (a.attrelid::int8, a.attnum::int8) IN ({})",
        wanted.join(", ")
    );
    let found: Vec<(i64, i16, i32)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let keyed = found.into_iter().filter_map(|(table, at, modifier)| {
        let table = u32::try_from(table).ok()?;
        Some(((table, at), modifier))
    });
    Ok(keyed.collect())
}

/// What a column of PostgreSQL's is in Arrow.
fn of(name: &str, kind: &str, modifier: Option<i32>) -> Column {
    let as_text = format!("{}::text", quoted(name));
    let text = |data_type, asked| Column::text(name, as_text.clone(), data_type, asked);
    match kind {
        "BOOL" => Column::plain(name, Wire::Boolean, Asked::All),
        "INT2" => Column::plain(name, Wire::Int16, Asked::All),
        "INT4" => Column::plain(name, Wire::Int32, Asked::All),
        "INT8" => Column::plain(name, Wire::Int64, Asked::All),
        // A literal is a double to PostgreSQL, and no `real` equals the double 0.1.
        "FLOAT4" => Column::plain(name, Wire::Float32, Asked::Null),
        "FLOAT8" => Column::plain(name, Wire::Float64, Asked::All),
        "BYTEA" => Column::plain(name, Wire::Bytes, Asked::Null),
        "TEXT" | "VARCHAR" => Column::plain(name, Wire::Text, Asked::Equal(quoted(name))),
        "NUMERIC" => match modifier.and_then(decimal) {
            Some(exact) => text(exact, Asked::All),
            // A precision that Arrow's decimals do not have.
            None if modifier.is_some_and(|m| m >= MODIFIER_OFFSET) => {
                text(DataType::Utf8View, Asked::Null)
            }
            // What is compared here is rounded, and there it is not.
            None => text(ANY_NUMERIC, Asked::Null),
        },
        "DATE" => text(DataType::Date32, Asked::All),
        "TIMESTAMP" => text(DataType::Timestamp(TimeUnit::Microsecond, None), Asked::All),
        "TIMESTAMPTZ" => text(
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Asked::All,
        ),
        // `char(n)` too: its text is without the blanks that fill it up.
        _ => {
            let asked = Asked::Equal(as_text.clone());
            text(DataType::Utf8View, asked)
        }
    }
}

/// PostgreSQL adds this to a type modifier, so that no modifier is -1.
const MODIFIER_OFFSET: i32 = 4;

/// The decimal that a type modifier of `numeric` says (PostgreSQL, `src/backend/utils/adt/numeric.c`): the precision in
/// the upper half, the scale in the lowest eleven bits, signed. Nothing where it says none, or one that Arrow has not.
fn decimal(modifier: i32) -> Option<DataType> {
    let modifier = modifier.checked_sub(MODIFIER_OFFSET).filter(|m| *m >= 0)?;
    let precision = (modifier >> 16) & 0xffff;
    let scale = ((modifier & 0x7ff) ^ 1024) - 1024;
    // With a negative scale there are more digits before the point than the precision says; with a scale above the
    // precision there are more behind it.
    let (precision, scale) = match scale {
        ..0 => (precision - scale, 0),
        _ => (precision.max(scale), scale),
    };
    let precision = u8::try_from(precision).ok()?;
    let scale = i8::try_from(scale).ok()?;
    (precision <= DECIMAL128_MAX_PRECISION).then_some(DataType::Decimal128(precision, scale))
}

/// What the server says, and what it says to do. Its detail belongs to the message.
pub(crate) fn message(error: &PgDatabaseError) -> (String, Option<String>) {
    let message = match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    };
    (message, error.hint().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `SELECT atttypmod FROM pg_attribute` of PostgreSQL 15 has them.
    #[test]
    fn modifiers_are_decimals() {
        let of = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7ff)) + 4;
        assert_eq!(of(10, 2), 655_366);
        assert_eq!(decimal(655_366), Some(DataType::Decimal128(10, 2)));
        assert_eq!(decimal(of(38, 38)), Some(DataType::Decimal128(38, 38)));
        assert_eq!(decimal(of(3, -2)), Some(DataType::Decimal128(5, 0)));
        assert_eq!(decimal(of(2, 5)), Some(DataType::Decimal128(5, 5)));
        assert_eq!(decimal(of(39, 0)), None);
        assert_eq!(decimal(of(1000, -1000)), None);
        assert_eq!(decimal(-1), None);
    }
}
