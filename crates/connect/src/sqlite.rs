//! SQLite: what a column's values are, whatever it was declared as.
//!
//! A column of SQLite's holds values of any type; its declaration is a wish (<https://www.sqlite.org/datatype3.html>).
//! So all of them are looked at once, in one query, and a column is what it was declared as where all of its values
//! are that, and text where they are not.

use arrow::datatypes::{DataType, TimeUnit};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Column as _, Executor, Row as _, Statement, TypeInfo};

use crate::column::{Asked, Column, Wire, quoted};

/// The tables that may be meant.
pub(crate) const TABLES: &str = "SELECT name FROM sqlite_master \
     WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     ORDER BY name LIMIT 10000";

/// What a column may be, and what is true of all of its values then.
struct Candidate {
    column: Column,
    holds: String,
}

/// How many expressions are asked for at once: below SQLite's `SQLITE_MAX_COLUMN`, 2,000.
const AT_ONCE: usize = 500;

/// The columns of what stands behind FROM. All of its rows are looked at.
pub(crate) async fn describe(
    connection: &mut SqliteConnection,
    from: &str,
) -> sqlx::Result<Vec<Column>> {
    let sql = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(format!("SELECT * FROM {from}")));
    let statement = connection.prepare(sql).await?;
    let candidates: Vec<Vec<Candidate>> = statement
        .columns()
        .iter()
        .map(|c| candidates(c.name(), c.type_info().name()))
        .collect();
    let asked: Vec<String> = candidates
        .iter()
        .flatten()
        .map(|c| format!("max(NOT ({}))", c.holds))
        .collect();
    let mut fails = Vec::with_capacity(asked.len());
    for some in asked.chunks(AT_ONCE) {
        let sql = format!("SELECT {} FROM {from}", some.join(", "));
        let row = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        for at in 0..some.len() {
            fails.push(row.try_get::<Option<i64>, _>(at)?.unwrap_or(0) != 0);
        }
    }
    let mut fails = fails.into_iter();
    let names = statement.columns().iter().map(|c| c.name());
    let columns = names.zip(candidates).map(|(name, candidates)| {
        let mut chosen = None;
        for candidate in candidates {
            if !fails.next().unwrap_or(true) && chosen.is_none() {
                chosen = Some(candidate.column);
            }
        }
        chosen.unwrap_or_else(|| as_text(name))
    });
    Ok(columns.collect())
}

/// A column of values of several types, each as SQLite writes it; a BLOB in hexadecimal digits.
fn as_text(name: &str) -> Column {
    let own = quoted(name);
    let sql =
        format!("CASE typeof({own}) WHEN 'blob' THEN hex({own}) ELSE CAST({own} AS TEXT) END");
    Column::text(name, sql, DataType::Utf8View, Asked::Null)
}

/// What a column may be that is declared so, the first choice first. sqlx tells the kind that a declaration is of, by
/// SQLite's rules and three more.
fn candidates(name: &str, declared: &str) -> Vec<Candidate> {
    let own = quoted(name);
    let typed = |types: &str| format!("typeof({own}) IN ({types}, 'null')");
    let integer = || Candidate {
        column: Column::plain(name, Wire::Int64, Asked::All),
        holds: typed("'integer'"),
    };
    let real = || Candidate {
        column: Column {
            sql: format!("CAST({own} AS REAL)"),
            ..Column::plain(name, Wire::Float64, Asked::All)
        },
        // A larger integer is none that a double tells from its neighbours.
        holds: format!(
            "{} AND (typeof({own}) <> 'integer' OR {own} BETWEEN -9007199254740992 AND 9007199254740992)",
            typed("'integer', 'real'")
        ),
    };
    let text = || Candidate {
        column: Column::plain(name, Wire::Text, Asked::Equal(own.clone())),
        holds: typed("'text'"),
    };
    let bytes = || Candidate {
        column: Column::plain(name, Wire::Bytes, Asked::Null),
        holds: typed("'blob'"),
    };
    let boolean = || Candidate {
        column: Column::plain(name, Wire::Boolean, Asked::All),
        holds: format!(
            "{} AND ({own} IS NULL OR {own} IN (0, 1))",
            typed("'integer'")
        ),
    };
    // What is written as SQLite's own functions write it.
    let date = || Candidate {
        column: Column::text(name, own.clone(), DataType::Date32, Asked::All),
        holds: format!("{} AND date({own}) IS {own}", typed("'text'")),
    };
    let timestamp = || Candidate {
        column: Column::text(
            name,
            own.clone(),
            DataType::Timestamp(TimeUnit::Microsecond, None),
            Asked::Null,
        ),
        holds: format!(
            "{} AND datetime(substr({own}, 1, 19)) IS substr({own}, 1, 19) AND ({own} IS NULL \
             OR length({own}) = 19 OR (length({own}) BETWEEN 21 AND 26 AND substr({own}, 20, 1) = '.' \
             AND substr({own}, 21) NOT GLOB '*[^0-9]*'))",
            typed("'text'")
        ),
    };
    match declared {
        "BOOLEAN" => vec![boolean(), integer()],
        "DATE" => vec![date(), text()],
        "DATETIME" => vec![timestamp(), text()],
        "INTEGER" => vec![integer(), real()],
        "TEXT" => vec![text()],
        "BLOB" => vec![bytes(), text()],
        "REAL" => vec![real()],
        // Of the affinity NUMERIC, or an expression: only its values tell.
        _ => vec![text(), integer(), real(), bytes()],
    }
}
