//! One face for the two drivers: SQL text with `$1`, `$2`…, values in, rows out.

use std::convert::identity;

use futures::StreamExt;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction};

use super::dialect::Dialect;
use crate::error::{CatalogError, Result};

/// A value given to a statement.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Vec<u8>),
    /// For [`Dialect::in_list`]: an array on PostgreSQL, which plans by its length; JSON on SQLite, which has none.
    List(Vec<String>),
}

impl From<Vec<String>> for Arg {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

/// `args![a, b]`: values for a statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::driver::Arg::from($value)),*] };
}
pub(crate) use args;

/// A row that a statement returned.
pub(crate) enum Row<'a> {
    Sqlite(&'a sqlx::sqlite::SqliteRow),
    Postgres(&'a sqlx::postgres::PgRow),
}

impl Row<'_> {
    pub(crate) fn text(&self, index: usize) -> Result<String, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }

    pub(crate) fn int(&self, index: usize) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }

    pub(crate) fn optional_int(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<Vec<u8>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }

    pub(crate) fn optional_text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }
}

/// Connections to one catalog.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(crate) async fn begin_read(&self) -> Result<Tx> {
        self.begin(self.dialect().begin_read()).await
    }

    pub(crate) async fn begin_write(&self) -> Result<Tx> {
        self.begin(self.dialect().begin_write()).await
    }

    async fn begin(&self, statement: &'static str) -> Result<Tx> {
        let begun = match self {
            Self::Sqlite(pool) => pool.begin_with(statement).await.map(Tx::Sqlite),
            Self::Postgres(pool) => pool.begin_with(statement).await.map(Tx::Postgres),
        };
        begun.map_err(|source| failed("begin a transaction in the catalog", source))
    }
}

/// A transaction; dropped without [`Tx::commit`], it is rolled back.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Binds the values, whatever the database.
macro_rules! bound {
    ($sql:expr, $args:expr, $list:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for arg in $args {
            query = match arg {
                Arg::Text(text) => query.bind(text),
                Arg::Int(value) => query.bind(value),
                Arg::Bytes(bytes) => query.bind(bytes),
                Arg::List(list) => query.bind($list(list)),
            };
        }
        query
    }};
}

fn json_list(list: Vec<String>) -> String {
    serde_json::Value::from(list).to_string()
}

impl Tx {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement, and says how many rows it touched. `action` is for the error message.
    pub(crate) async fn execute(
        &mut self,
        action: &str,
        sql: impl Into<String>,
        args: Vec<Arg>,
    ) -> Result<u64> {
        let sql = sql.into();
        match self {
            Self::Sqlite(tx) => bound!(sql, args, json_list)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
            Self::Postgres(tx) => bound!(sql, args, identity)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err(|source| failed(action, source))
    }

    /// Runs many statements, without values.
    pub(crate) async fn script(&mut self, action: &str, sql: impl Into<String>) -> Result<()> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
            Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
        }
        .map_err(|source| failed(action, source))
    }

    /// Gives each row to `each` as it arrives.
    pub(crate) async fn for_each_row(
        &mut self,
        action: &str,
        sql: impl Into<String>,
        args: Vec<Arg>,
        mut each: impl FnMut(Row<'_>) -> Result<(), RowError> + Send,
    ) -> Result<()> {
        let sql = sql.into();
        match self {
            Self::Sqlite(tx) => {
                let mut rows = bound!(sql, args, json_list).fetch(&mut **tx);
                while let Some(row) = rows.next().await {
                    let row = row.map_err(|source| failed(action, source))?;
                    each(Row::Sqlite(&row)).map_err(|error| error.into_catalog(action))?;
                }
            }
            Self::Postgres(tx) => {
                let mut rows = bound!(sql, args, identity).fetch(&mut **tx);
                while let Some(row) = rows.next().await {
                    let row = row.map_err(|source| failed(action, source))?;
                    each(Row::Postgres(&row)).map_err(|error| error.into_catalog(action))?;
                }
            }
        }
        Ok(())
    }

    /// Collects what `each` makes of the rows.
    pub(crate) async fn rows<T: Send>(
        &mut self,
        action: &str,
        sql: impl Into<String>,
        args: Vec<Arg>,
        mut each: impl FnMut(Row<'_>) -> Result<T, RowError> + Send,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.for_each_row(action, sql, args, |row| {
            all.push(each(row)?);
            Ok(())
        })
        .await?;
        Ok(all)
    }

    /// What `each` makes of the first row, if there is one.
    pub(crate) async fn row<T: Send>(
        &mut self,
        action: &str,
        sql: impl Into<String>,
        args: Vec<Arg>,
        each: impl FnMut(Row<'_>) -> Result<T, RowError> + Send,
    ) -> Result<Option<T>> {
        Ok(self.rows(action, sql, args, each).await?.into_iter().next())
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(|source| failed("commit to the catalog", source))
    }
}

/// Why a row could not be read.
#[derive(Debug)]
pub(crate) enum RowError {
    Sql(sqlx::Error),
    Json(serde_json::Error),
    Time(chrono::ParseError),
}

impl From<sqlx::Error> for RowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<serde_json::Error> for RowError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<chrono::ParseError> for RowError {
    fn from(error: chrono::ParseError) -> Self {
        Self::Time(error)
    }
}

impl RowError {
    fn into_catalog(self, action: &str) -> CatalogError {
        CatalogError::Store {
            action: action.to_owned(),
            source: match self {
                Self::Sql(error) => error.into(),
                Self::Json(error) => error.into(),
                Self::Time(error) => error.into(),
            },
        }
    }
}

/// How long to wait for another writer.
pub(crate) const BUSY_SECONDS: u64 = 30;

/// A driver's error as ours.
pub(crate) fn failed(action: &str, source: sqlx::Error) -> CatalogError {
    if is_busy(&source) {
        return CatalogError::Busy {
            seconds: BUSY_SECONDS,
        };
    }
    CatalogError::Store {
        action: action.to_owned(),
        source: source.into(),
    }
}

/// SQLite: SQLITE_BUSY (5) and SQLITE_LOCKED (6) with their extensions. PostgreSQL: `lock_not_available`,
/// `deadlock_detected`, `serialization_failure`.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else {
        return matches!(error, sqlx::Error::PoolTimedOut);
    };
    match database.code().as_deref() {
        Some("55P03" | "40P01" | "40001") => true,
        Some(code)
            if database
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some() =>
        {
            code.parse::<i32>()
                .is_ok_and(|code| matches!(code & 0xff, 5 | 6))
        }
        _ => false,
    }
}
