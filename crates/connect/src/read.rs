//! Asking a database: connecting, describing a relation, and fetching its rows.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use mastic_schema::names;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Database, Executor, IntoArguments};

use crate::column::Column;
use crate::error::{ConnectError, Result};
use crate::location::{Connection, Server};
use crate::relation::Relation;
use crate::rows::{Batch, Misfit, Record};
use crate::{postgres, sqlite};

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(15);
/// How many rows SQLite may be ahead of the batch that they go into.
const SQLITE_AHEAD: usize = 1_024;
/// Of how many tables a mistake with a table's name tells.
const TABLES_TOLD: usize = 10;

/// An open connection.
enum Open {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

impl Connection {
    async fn open(&self) -> Result<Open> {
        match &self.server {
            Server::Postgres(options) => {
                let opened = tokio::time::timeout(CONNECT, options.connect()).await;
                let failed = |reason: String, check: &str| ConnectError::Connect {
                    to: self.to_string(),
                    reason,
                    check: check.to_owned(),
                };
                let mut open = match opened {
                    Ok(Ok(open)) => open,
                    Ok(Err(error)) => {
                        return Err(failed(self.said(&error).0, check_postgres(&error)));
                    }
                    Err(_) => {
                        let reason = format!("no answer within {} seconds", CONNECT.as_secs());
                        return Err(failed(reason, REACHABLE));
                    }
                };
                sqlx::raw_sql(postgres::SETUP)
                    .execute(&mut open)
                    .await
                    .map_err(|error| self.failed(&error))?;
                Ok(Open::Postgres(Box::new(open)))
            }
            Server::Sqlite(options) => {
                let options = options.clone().row_buffer_size(SQLITE_AHEAD);
                let opened = options.connect().await;
                let open = opened.map_err(|error| ConnectError::Connect {
                    to: self.to_string(),
                    reason: self.said(&error).0,
                    check: match options.get_filename().exists() {
                        true => "check that it is a SQLite database, and may be read",
                        false => "there is no such file; a path is taken from the folder where the program runs",
                    }
                    .to_owned(),
                })?;
                Ok(Open::Sqlite(Box::new(open)))
            }
        }
    }

    /// Tells the columns of a relation.
    pub(crate) async fn describe(&self, relation: &Relation) -> Result<Vec<Column>> {
        let mut open = self.open().await?;
        let from = relation.clause();
        let described = match &mut open {
            Open::Postgres(open) => postgres::describe(open, &from).await,
            Open::Sqlite(open) => sqlite::describe(open, &from).await,
        };
        let columns = match described {
            Ok(columns) => columns,
            Err(error) => {
                return Err(match relation {
                    Relation::Table(table) if is_missing(&error) => {
                        self.no_table(table, &mut open).await
                    }
                    _ => self.failed(&error),
                });
            }
        };
        if columns.is_empty() {
            let relation = format!("{relation} of {self}");
            return Err(ConnectError::NoColumns { relation });
        }
        let mut names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[one, other]| one == other) {
            let column = (*twice).to_owned();
            return Err(ConnectError::DuplicateColumn { column });
        }
        Ok(columns)
    }

    async fn no_table(&self, table: &str, open: &mut Open) -> ConnectError {
        let qualified = table.contains('.');
        // That there is no such table is the news; that nothing can be suggested is none.
        let known: Vec<String> = match open {
            Open::Postgres(open) => {
                let found: Vec<(String, String, bool)> = sqlx::query_as(postgres::TABLES)
                    .fetch_all(&mut **open)
                    .await
                    .unwrap_or_default();
                let named =
                    found
                        .into_iter()
                        .map(|(schema, name, visible)| match visible && !qualified {
                            true => name,
                            false => format!("{schema}.{name}"),
                        });
                named.collect()
            }
            Open::Sqlite(open) => sqlx::query_scalar(sqlite::TABLES)
                .fetch_all(&mut **open)
                .await
                .unwrap_or_default(),
        };
        ConnectError::NoTable {
            to: self.to_string(),
            table: table.to_owned(),
            did_you_mean: names::closest(table, known.iter().map(String::as_str)),
            known: known.into_iter().take(TABLES_TOLD).collect(),
        }
    }

    /// Runs the query and hands on its rows, batch by batch, for as long as they are wanted.
    pub(crate) async fn fetch<F>(&self, query: &Fetch, to: impl Fn(RecordBatch) -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        match self.open().await? {
            Open::Postgres(mut open) => self.rows(&mut *open, query, to).await,
            Open::Sqlite(mut open) => self.rows(&mut *open, query, to).await,
        }
    }

    async fn rows<'c, C, F>(
        &self,
        connection: &'c mut C,
        query: &Fetch,
        to: impl Fn(RecordBatch) -> F,
    ) -> Result<()>
    where
        C: sqlx::Connection,
        &'c mut C: Executor<'c, Database = C::Database>,
        <C::Database as Database>::Row: Record,
        <C::Database as Database>::Arguments: IntoArguments<C::Database>,
        F: Future<Output = bool>,
    {
        let sql = AssertSqlSafe(query.sql.clone());
        let mut rows = sqlx::query(sql).fetch(connection);
        let mut batch = Batch::new(query.columns.clone(), query.schema.clone());
        let misfit = |misfit: Misfit| ConnectError::Value {
            relation: format!("{} of {self}", query.relation),
            column: misfit.column,
            reason: misfit.reason,
        };
        while let Some(row) = rows.try_next().await.map_err(|e| self.failed(&e))? {
            batch.push(&row).map_err(misfit)?;
            if batch.is_full() && !to(batch.take().map_err(misfit)?).await {
                return Ok(());
            }
        }
        if !batch.is_empty() {
            to(batch.take().map_err(misfit)?).await;
        }
        Ok(())
    }

    fn failed(&self, error: &sqlx::Error) -> ConnectError {
        let (message, advice) = self.said(error);
        ConnectError::Sql {
            to: self.to_string(),
            message,
            advice,
        }
    }

    /// What an error says, and what the server says to do.
    fn said(&self, error: &sqlx::Error) -> (String, Option<String>) {
        match error {
            sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => postgres::message(error),
                None => (error.message().to_owned(), None),
            },
            sqlx::Error::Io(error) => (error.to_string(), None),
            other => (other.to_string(), None),
        }
    }
}

/// What to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    pub(crate) relation: Relation,
    pub(crate) sql: String,
    /// What the query selects, in its order.
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
}

/// Whether it is that a relation, or the schema that it is said to be in, does not exist.
fn is_missing(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.code().as_deref() {
        // PostgreSQL's undefined_table, invalid_schema_name; and names of three parts that are of another database.
        Some("42P01" | "3F000" | "0A000") => true,
        // SQLite has one code for all that is wrong with SQL.
        Some("1") => error.message().starts_with("no such table"),
        _ => false,
    }
}

const REACHABLE: &str = "check that the server runs, and that the host and port are right";

/// What to look at where PostgreSQL does not let us in, by its error codes.
fn check_postgres(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01" | "28000") => {
                "check the user and the password: in the connection as ${password}, a parameter, or in the variable \
                 PGPASSWORD"
            }
            Some("3D000") => "check the name of the database",
            Some("53300") => "the server has too many connections; try again later",
            _ => "see what the server's log says",
        },
        sqlx::Error::Tls(_) => {
            "see whether the server speaks TLS; sslmode in the URL says how much of it is needed"
        }
        _ => REACHABLE,
    }
}
