//! The columns that a query gives, as files and tables have them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Ident};
use mastic_schema::hive;

use crate::error::{QueryError, Result};

pub(super) fn told(message: impl Into<String>, hint: impl Into<Option<String>>) -> QueryError {
    QueryError::Statement {
        message: message.into(),
        place: None,
        hint: hint.into(),
    }
}

/// Refuses a query of whose columns one is an expression without a name.
pub(super) fn check_named(query: &str) -> Result<()> {
    let mut statements = mastic_functions::sql::parse(query)?;
    let Some(Statement::Statement(statement)) = statements.pop_front() else {
        return Ok(());
    };
    let ast::Statement::Query(query) = *statement else {
        return Ok(());
    };
    let mut body = query.body.as_ref();
    loop {
        match body {
            // The first query names the columns of all.
            ast::SetExpr::SetOperation { left, .. } => body = left,
            ast::SetExpr::Query(inner) => body = &inner.body,
            ast::SetExpr::Select(select) => {
                let unnamed = select.projection.iter().find_map(|item| match item {
                    ast::SelectItem::UnnamedExpr(
                        ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_),
                    ) => None,
                    ast::SelectItem::UnnamedExpr(expr) => Some(expr.to_string()),
                    _ => None,
                });
                return match unnamed {
                    None => Ok(()),
                    Some(expr) => Err(told(
                        format!("the column {expr} has no name"),
                        format!("write {expr} AS name"),
                    )),
                };
            }
            ast::SetExpr::Values(_) => {
                return Err(told(
                    "the columns of VALUES have no names",
                    "write CREATE TABLE t (a, b) AS VALUES …, or SELECT … AS name".to_owned(),
                ));
            }
            _ => return Ok(()),
        }
    }
}

/// The query with a name for each expression that has none in the SELECTs that a UNION and the like combine: to an
/// insertion a column is its place, and the engine refuses `SELECT 1, 1`. None where nothing is combined.
pub(super) fn with_names(query: &str) -> Result<Option<String>> {
    let mut statements = mastic_functions::sql::parse(query)?;
    let Some(Statement::Statement(mut statement)) = statements.pop_front() else {
        return Ok(None);
    };
    let ast::Statement::Query(query) = statement.as_mut() else {
        return Ok(None);
    };
    let mut left = vec![query.body.as_mut()];
    let mut combined = false;
    while let Some(body) = left.pop() {
        match body {
            ast::SetExpr::SetOperation {
                left: one, right, ..
            } => {
                combined = true;
                left.extend([one.as_mut(), right.as_mut()]);
            }
            ast::SetExpr::Query(inner) => left.push(inner.body.as_mut()),
            ast::SetExpr::Select(select) => {
                let mut seen = HashSet::new();
                for (at, item) in select.projection.iter_mut().enumerate() {
                    if let ast::SelectItem::UnnamedExpr(expr) = item {
                        let is_column = matches!(
                            expr,
                            ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
                        );
                        // What orders the rows may name it.
                        if is_column && seen.insert(expr.to_string()) {
                            continue;
                        }
                        let alias = Ident::with_quote('"', format!("{expr}:{at}"));
                        *item = ast::SelectItem::ExprWithAlias {
                            expr: expr.clone(),
                            alias,
                        };
                    }
                }
            }
            _ => {}
        }
    }
    Ok(combined.then(|| statement.to_string()))
}

/// The query's columns with their names in lower case, as Hive and Athena have them, or with the names given; each of a
/// type that a table can have.
pub(super) fn stored(frame: DataFrame, names: Option<&[Ident]>, lower: bool) -> Result<DataFrame> {
    let fields: Vec<(Column, FieldRef)> = frame
        .schema()
        .iter()
        .map(|(qualifier, field)| (Column::from((qualifier, field)), field.clone()))
        .collect();
    if let Some(names) = names
        && names.len() != fields.len()
    {
        return Err(told(
            format!(
                "{} names are given, and the query has {} columns",
                names.len(),
                fields.len()
            ),
            None,
        ));
    }
    let mut taken = HashSet::new();
    let mut columns = Vec::with_capacity(fields.len());
    for (at, (column, field)) in fields.into_iter().enumerate() {
        let name = match names.and_then(|names| names.get(at)) {
            Some(name) => &name.value,
            None => field.name(),
        };
        let name = if lower {
            name.to_lowercase()
        } else {
            name.clone()
        };
        if name.trim().is_empty() {
            return Err(told(
                format!("column {} has an empty name", at + 1),
                "give it one with AS".to_owned(),
            ));
        }
        if !taken.insert(name.to_lowercase()) {
            return Err(told(
                format!("two columns are named '{name}'"),
                "give one of them another name with AS: names that differ by their case only are the same".to_owned(),
            ));
        }
        let target = stored_type(field.data_type()).map_err(|what| {
            told(
                format!("column '{name}' is {what}"),
                "cast it, as in CAST(x AS varchar)".to_owned(),
            )
        })?;
        columns.push(as_type(Expr::Column(column), field.data_type(), &target).alias(name));
    }
    Ok(frame.select(columns)?)
}

/// The type in which a table has values of a type; why there is none.
fn stored_type(data_type: &DataType) -> std::result::Result<DataType, String> {
    let plain = without_unsigned(data_type)?;
    hive::parse_type(&hive::format_type(&plain)).map_err(|error| format!("of no type: {error}"))
}

/// With the types of numbers that Trino has, in which every number that a function gives is a signed one.
fn without_unsigned(data_type: &DataType) -> std::result::Result<DataType, String> {
    let inner = |field: &FieldRef| -> std::result::Result<FieldRef, String> {
        let data_type = without_unsigned(field.data_type())?;
        Ok(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Ok(match data_type {
        DataType::Null => return Err("NULL in every row, and so of no type".into()),
        DataType::UInt64 => DataType::Int64,
        DataType::Time32(_) | DataType::Time64(_) => {
            return Err("a time of day, which no table has a type for".into());
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            return Err("an interval, which no table has a type for".into());
        }
        DataType::Union(..) => return Err("a union, which no table has a type for".into()),
        DataType::Dictionary(_, value) => without_unsigned(value)?,
        DataType::List(item) => DataType::List(inner(item)?),
        DataType::LargeList(item) => DataType::List(inner(item)?),
        DataType::ListView(item) => DataType::List(inner(item)?),
        DataType::LargeListView(item) => DataType::List(inner(item)?),
        DataType::FixedSizeList(item, _) => DataType::List(inner(item)?),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries)?, *sorted),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(inner)
                .collect::<std::result::Result<_, _>>()?,
        ),
        other => other.clone(),
    })
}

/// The expression as a value of the type. Files hold texts and bytes the same, however Arrow holds them.
fn as_type(expr: Expr, own: &DataType, target: &DataType) -> Expr {
    let same = own == target
        || matches!(
            (own, target),
            (DataType::Utf8View, DataType::Utf8) | (DataType::BinaryView, DataType::Binary)
        );
    match same {
        true => expr,
        false => cast(expr, target.clone()),
    }
}

/// The columns that a table has, in its order, made from a query's: by `sources`, each of which is a column of the
/// query's by its place, a constant, or nothing.
pub(super) fn bound(
    frame: DataFrame,
    table: &str,
    wanted: &[FieldRef],
    sources: &[Source],
) -> Result<DataFrame> {
    let fields: Vec<(Column, FieldRef)> = frame
        .schema()
        .iter()
        .map(|(qualifier, field)| (Column::from((qualifier, field)), field.clone()))
        .collect();
    let mut columns = Vec::with_capacity(wanted.len());
    for (field, source) in wanted.iter().zip(sources) {
        let target = field.data_type();
        let expr = match source {
            Source::Missing => lit(ScalarValue::try_from(target)?),
            Source::Constant(value) => lit(value.clone()),
            Source::Column(at) => {
                let Some((column, own)) = fields.get(*at) else {
                    return Err(told("the query has too few columns", None));
                };
                if !assignable(own.data_type(), target) {
                    let (gives, has) = (type_name(own.data_type()), type_name(target));
                    return Err(told(
                        format!(
                            "column '{}' of {table} is {has}, and the query gives {gives} for it ('{}')",
                            field.name(),
                            own.name()
                        ),
                        format!("write CAST(… AS {}) if that is meant", sql_type(target)),
                    ));
                }
                as_type(Expr::Column(column.clone()), own.data_type(), target)
            }
        };
        columns.push(expr.alias(field.name()));
    }
    Ok(frame.select(columns)?)
}

/// Where a table's column comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// The query's column at this place.
    Column(usize),
    /// A constant of the column's type.
    Constant(ScalarValue),
    /// Nowhere: it is NULL.
    Missing,
}

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::UInt64 => "bigint".to_owned(),
        other => hive::format_type(other),
    }
}

/// Hive's types as a cast names them.
fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Binary => "varbinary".to_owned(),
        DataType::Float32 => "real".to_owned(),
        other => hive::format_type(other),
    }
}

/// Whether a value of one type can go into a column of another without a cast: as in Trino, where the column's type
/// is the wider; and where Trino's constants are of narrower types than ours (`1` is an integer there, `1.5` a decimal),
/// numbers of one kind into another of it, where a value that does not fit is an error.
fn assignable(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Dictionary, LargeBinary, List, Map, Null,
        Struct, Timestamp, Utf8,
    };
    let exact = |t: &DataType| t.is_integer() || t.is_decimal();
    match (from, to) {
        (Null, _) | (Boolean, Boolean) | (Date32 | Date64, Date32 | Timestamp(_, _)) => true,
        (Dictionary(_, value), to) => assignable(value, to),
        (from, Utf8) => from.is_string(),
        (from, to) if from.is_integer() && to.is_numeric() => true,
        (from, to) if from.is_decimal() && (to.is_decimal() || to.is_floating()) => true,
        (from, to)
            if from.is_floating() && (to.is_floating() || (exact(to) && to.is_decimal())) =>
        {
            true
        }
        (Binary | LargeBinary | BinaryView | DataType::FixedSizeBinary(_), Binary) => true,
        (Timestamp(_, None), Timestamp(_, _)) | (Timestamp(_, Some(_)), Timestamp(_, Some(_))) => {
            true
        }
        (
            List(own)
            | DataType::LargeList(own)
            | DataType::ListView(own)
            | DataType::LargeListView(own)
            | DataType::FixedSizeList(own, _),
            List(target),
        ) => assignable(own.data_type(), target.data_type()),
        (Map(own, _), Map(target, _)) => match (own.data_type(), target.data_type()) {
            (Struct(own), Struct(target)) => each_assignable(own, target),
            _ => false,
        },
        // By their names, as a cast would have it.
        (Struct(own), Struct(target)) => {
            own.iter()
                .zip(target)
                .all(|(a, b)| a.name().eq_ignore_ascii_case(b.name()))
                && each_assignable(own, target)
        }
        _ => false,
    }
}

fn each_assignable(own: &arrow::datatypes::Fields, target: &arrow::datatypes::Fields) -> bool {
    own.len() == target.len()
        && own
            .iter()
            .zip(target)
            .all(|(a, b)| assignable(a.data_type(), b.data_type()))
}

/// A partition key's constant as a value of its type.
pub(super) fn constant(field: &Field, text: Option<&str>) -> Result<ScalarValue> {
    let data_type = field.data_type();
    let Some(text) = text.filter(|text| *text != mastic_catalog::HIVE_DEFAULT_PARTITION) else {
        return Ok(ScalarValue::try_from(data_type)?);
    };
    ScalarValue::try_from_string(text.to_owned(), data_type).map_err(|_| {
        told(
            format!(
                "the partition key '{}' is {}, and '{text}' is none",
                field.name(),
                type_name(data_type)
            ),
            None,
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> DataType {
        hive::parse_type(text).unwrap()
    }

    #[test]
    fn assignments_widen_and_others_need_a_cast() {
        // Trino's TypeCoercion: the widening pairs; and numbers of one kind, for the sake of constants.
        for (from, to) in [
            ("int", "bigint"),
            ("bigint", "int"),
            ("int", "double"),
            ("int", "decimal(10,2)"),
            ("decimal(5,2)", "double"),
            ("double", "decimal(10,2)"),
            ("double", "float"),
            ("date", "timestamp"),
            ("array<int>", "array<bigint>"),
            ("struct<a:int>", "struct<A:bigint>"),
            ("map<string,int>", "map<string,double>"),
        ] {
            assert!(assignable(&of(from), &of(to)), "{from} → {to}");
        }
        for (from, to) in [
            ("string", "int"),
            ("int", "string"),
            ("string", "date"),
            ("double", "int"),
            ("decimal(5,2)", "int"),
            ("timestamp", "date"),
            ("boolean", "int"),
            ("struct<a:int>", "struct<b:int>"),
            ("struct<a:int>", "struct<a:int,b:int>"),
            ("array<string>", "array<int>"),
            ("int", "array<int>"),
        ] {
            assert!(!assignable(&of(from), &of(to)), "{from} → {to}");
        }
    }

    #[test]
    fn tables_have_types_for_most_values() {
        let named = |t: &DataType| stored_type(t).map(|t| hive::format_type(&t));
        assert_eq!(named(&DataType::UInt64), Ok("bigint".into()));
        assert_eq!(named(&DataType::Utf8View), Ok("string".into()));
        let item = Arc::new(Field::new_list_field(DataType::UInt64, false));
        let list = DataType::FixedSizeList(item, 2);
        assert_eq!(named(&list), Ok("array<bigint>".into()));
        for (none, what) in [
            (DataType::Null, "of no type"),
            (
                DataType::Time64(arrow::datatypes::TimeUnit::Nanosecond),
                "a time of day",
            ),
            (
                DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
                "an interval",
            ),
        ] {
            assert!(stored_type(&none).unwrap_err().contains(what));
        }
    }

    #[test]
    fn what_is_combined_is_named_by_place() {
        let named = with_names("SELECT 1, 1, a, a FROM t UNION ALL (SELECT x AS y, 2, 2)").unwrap();
        let wanted = "SELECT 1 AS \"1:0\", 1 AS \"1:1\", a, a AS \"a:3\" FROM t UNION ALL (SELECT x AS y, 2 AS \"2:1\", 2 AS \"2:2\")";
        assert_eq!(named.as_deref(), Some(wanted));
        assert_eq!(with_names("SELECT 1, 1").unwrap(), None);
    }

    #[test]
    fn columns_of_a_query_want_names() {
        for named in [
            "SELECT a, t.b, * FROM t",
            "SELECT count(*) AS n FROM t UNION ALL SELECT 1",
            "(SELECT 1 AS a)",
            "WITH x AS (SELECT 1) SELECT b FROM x",
        ] {
            assert!(check_named(named).is_ok(), "{named}");
        }
        let error = check_named("SELECT a, count(*) FROM t").unwrap_err();
        assert_eq!(error.to_string(), "the column count(*) has no name");
        assert!(check_named("VALUES (1)").is_err());
    }
}
