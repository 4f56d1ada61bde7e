//! Statements that write: `CREATE TABLE … AS`, `INSERT INTO`, `INSERT OVERWRITE` and `UNLOAD`.
//!
//! A query's rows go through the lake's partitioned sink ([`mastic_lake::sink`]): they are staged, and appear all at once
//! or not at all. No statement has a limit of partitions: beyond the files that may be open, rows are sorted, and spill.
//! [`create`] makes the files of a new table visible before the table; [`register`] says in which order an insertion
//! is told to the catalog.
//!
//! A query that reads the table it is inserted into reads the files that were there when it was planned.

mod columns;
mod create;
mod existing;
mod insert;
mod parse;
mod places;
mod properties;
mod register;
mod run;
mod unload;

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::sql::sqlparser::tokenizer::Location as Place;
use mastic_lake::sink::Written;
use mastic_lake::store::Location;

use self::parse::{Command, told};
use crate::error::Result;
use crate::session::{CATALOG, DEFAULT_DATABASE, Session};
use crate::snapshot::Snapshot;

/// Carries out a statement that writes; none where the text is another statement.
///
/// What comes back is one row with the number of `rows`, as Trino has it, and for `UNLOAD` one for each file.
pub(crate) async fn answer(
    session: &Session,
    snapshot: &Snapshot,
    text: &str,
) -> Result<Option<DataFrame>> {
    let done = match parse::parse(text)? {
        None => return Ok(None),
        Some(Command::CreateAs(create)) => create::create(session, snapshot, create).await,
        Some(Command::Insert(insert)) => insert::insert(session, snapshot, insert).await,
        Some(Command::Unload(unload)) => unload::unload(session, snapshot, unload).await,
    };
    done.map(Some)
}

/// Plans the query within a statement as the statement that it is by itself.
async fn plan_query(session: &Session, snapshot: &Snapshot, query: &str) -> Result<DataFrame> {
    Box::pin(crate::statement::plan(session, snapshot, query)).await
}

/// The table that a statement writes.
#[derive(Debug)]
struct Target {
    database: String,
    name: String,
}

impl Target {
    fn of(session: &Session, table: &TableReference, place: Place) -> Result<Self> {
        if let Some(other) = table.catalog().filter(|name| *name != CATALOG) {
            return Err(told(
                format!("there is no catalog '{other}'"),
                place,
                Some(format!("the one there is, '{CATALOG}', need not be named")),
            ));
        }
        let database = table
            .schema()
            .or(session.database())
            .unwrap_or(DEFAULT_DATABASE);
        Ok(Target {
            database: database.to_lowercase(),
            name: table.table().to_lowercase(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.name)
    }
}

/// One row: how many rows were written.
fn outcome(session: &Session, rows: u64, files: &[String]) -> Result<DataFrame> {
    let fields = vec![Field::new("rows", DataType::Int64, false)];
    let rows = Int64Array::from(vec![i64::try_from(rows).unwrap_or(i64::MAX)]);
    answered(session, fields, vec![Arc::new(rows)], files)
}

/// A row for each file that was written.
fn manifest(session: &Session, root: &Location, written: &Written) -> Result<DataFrame> {
    let urls: Vec<String> = written
        .files
        .iter()
        .map(|file| root.child(&file.path).url)
        .collect();
    let count = |of: fn(&mastic_lake::sink::WrittenFile) -> u64| -> ArrayRef {
        let counts = written.files.iter().map(of);
        Arc::new(Int64Array::from_iter_values(
            counts.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        ))
    };
    let fields = vec![
        Field::new("file", DataType::Utf8, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("bytes", DataType::Int64, false),
    ];
    let files: ArrayRef = Arc::new(StringArray::from_iter_values(&urls));
    let columns = vec![files, count(|file| file.rows), count(|file| file.bytes)];
    answered(session, fields, columns, &urls)
}

fn answered(
    session: &Session,
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
    files: &[String],
) -> Result<DataFrame> {
    crate::execution::wrote(files.iter().cloned());
    let schema = Arc::new(Schema::new(fields));
    let batch =
        RecordBatch::try_new(schema, columns).map_err(datafusion::error::DataFusionError::from)?;
    Ok(session.context().read_batch(batch)?)
}
