//! Does what statements that are no queries ask for.

mod alter;
mod columns;
mod database;
mod describe;
mod drop;
mod partitions;
mod prepare;
mod repair;
mod serde;
mod show;
pub(super) mod show_create;
mod table;
mod view;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use datafusion::dataframe::DataFrame;
use mastic_catalog::{Change, ChangeSet, Expected, Partition, PartitionPredicate, Table, Value};

pub(super) use self::prepare::prepared;
use super::command::{Command, Kind, Spec};
use super::words::{Name, TableName};
use super::{lexer, parameters};
use crate::error::{QueryError, Result};
use crate::session::{DEFAULT_DATABASE, Session};
use crate::snapshot::Snapshot;

/// What a statement is run with.
pub(super) struct Context<'a> {
    pub(super) session: &'a Session,
    pub(super) snapshot: &'a Snapshot,
    /// The statement.
    pub(super) text: &'a str,
}

/// Does what a statement asks for. What it says of it is the answer.
pub(super) async fn run(context: &Context<'_>, command: Command) -> Result<DataFrame> {
    // What is there already, and what was meant, is found among all names.
    context.snapshot.load_names().await?;
    match command {
        Command::CreateDatabase(made) => database::create(context, made).await,
        Command::DropDatabase {
            name,
            if_exists,
            cascade,
        } => database::drop(context, &name, if_exists, cascade).await,
        Command::AlterDatabase {
            name,
            properties,
            location,
        } => database::alter(context, &name, properties, location).await,
        Command::CreateTable(made) => table::create(context, *made).await,
        Command::Drop {
            what,
            name,
            if_exists,
        } => drop::drop(context, what, &name, if_exists).await,
        Command::AlterTable {
            table,
            if_exists,
            action,
        } => alter::alter(context, &table, if_exists, action).await,
        Command::Repair { table, add, drop } => repair::repair(context, &table, add, drop).await,
        Command::Show(show) => show::show(context, show).await,
        Command::Describe(describe) => describe::describe(context, &describe).await,
        Command::CreateView(made) => view::create(context, made).await,
        Command::Prepare {
            name,
            statement,
            start,
        } => prepare::prepare(context, &name, &statement, start).await,
        Command::Execute { name, arguments } => {
            let statement = prepare::prepared(context, &name).await?;
            let filled = parameters::fill(&statement, &arguments)?;
            let (session, snapshot) = (context.session, context.snapshot);
            // A place in the prepared statement is none in this one.
            super::plan(session, snapshot, &filled.text)
                .await
                .map_err(|e| without_place(e, &name))
        }
        Command::Deallocate(name) => prepare::deallocate(context, &name).await,
        Command::Explain(explain) => super::explain::answer(context, &explain).await,
    }
}

/// An error in a prepared statement.
fn without_place(error: QueryError, name: &Name) -> QueryError {
    match error {
        QueryError::Statement { message, hint, .. } => QueryError::Statement {
            message: format!("in the prepared statement {}: {message}", name.value),
            place: None,
            hint,
        },
        other => other,
    }
}

impl Context<'_> {
    /// An error at a place of the statement.
    pub(super) fn wrong(
        &self,
        at: usize,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> QueryError {
        QueryError::Statement {
            message: message.into(),
            place: Some(lexer::place(self.text, at)),
            hint,
        }
    }

    /// The database of a table's name.
    pub(super) fn database_of<'b>(&'b self, name: &'b TableName) -> &'b str {
        name.database
            .as_deref()
            .or(self.session.database())
            .unwrap_or(DEFAULT_DATABASE)
    }

    /// That there is a database of this name.
    pub(super) fn check_database(&self, name: &str, at: usize) -> Result<()> {
        let known = self.snapshot.database_names();
        let lower = name.to_lowercase();
        if known.contains(&lower) {
            return Ok(());
        }
        let hint = crate::error::closest(&lower, known.iter().map(String::as_str)).map_or_else(
            || "`CREATE DATABASE` makes one".to_owned(),
            |near| format!("did you mean '{near}'?"),
        );
        Err(self.wrong(at, format!("there is no database '{name}'"), Some(hint)))
    }

    /// A table or a view.
    pub(super) async fn find(&self, name: &TableName) -> Result<Arc<Table>> {
        let database = self.database_of(name);
        if let Some(table) = self.snapshot.table(database, &name.table).await? {
            return Ok(table);
        }
        if name.database.is_some() {
            self.check_database(database, name.start)?;
        }
        let full = match name.database.as_deref().or(self.session.database()) {
            Some(database) => format!("{database}.{}", name.table),
            None => name.table.clone(),
        };
        Err(super::no_table(
            self.session,
            self.snapshot,
            &full,
            Some(lexer::place(self.text, name.start)),
        ))
    }

    /// A table, and no view.
    pub(super) async fn find_table(&self, name: &TableName) -> Result<Arc<Table>> {
        let table = self.find(name).await?;
        if is_view(&table) {
            let message = format!("{} is a view", full_name(&table));
            let hint = "a view is changed by CREATE OR REPLACE VIEW";
            return Err(self.wrong(name.start, message, Some(hint.to_owned())));
        }
        Ok(table)
    }

    /// Makes changes.
    pub(super) async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        let mut set = ChangeSet::new("sql");
        set.changes = changes;
        self.session.catalog().apply(set).await?;
        Ok(())
    }

    /// What says in one sentence what was done.
    pub(super) fn status(&self, done: impl Into<String>) -> Result<DataFrame> {
        self.texts(&[("status", vec![Some(done.into())])])
    }

    /// Rows of text, by column.
    pub(super) fn texts(&self, columns: &[(&str, Vec<Option<String>>)]) -> Result<DataFrame> {
        let columns = columns.iter().map(|(name, values)| {
            let array: ArrayRef = Arc::new(StringArray::from_iter(values));
            (*name, array, true)
        });
        let batch = RecordBatch::try_from_iter_with_nullable(columns)
            .map_err(|e: ArrowError| QueryError::Engine(e.into()))?;
        self.batch(batch)
    }

    /// Rows.
    pub(super) fn batch(&self, batch: RecordBatch) -> Result<DataFrame> {
        Ok(self.session.context().read_batch(batch)?)
    }

    /// The partitions of a table for which a `PARTITION (…)` holds; all, where it says nothing.
    pub(super) async fn partitions(&self, table: &Table, spec: &Spec) -> Result<Vec<Partition>> {
        let predicate = self.predicate(table, spec)?;
        Ok(self
            .session
            .catalog()
            .get_partitions(
                &table.database_name,
                &table.name,
                table.version_id,
                predicate.as_ref(),
            )
            .await?)
    }

    /// What a `PARTITION (…)` says, typed by the table's keys.
    fn predicate(&self, table: &Table, spec: &Spec) -> Result<Option<PartitionPredicate>> {
        let mut all: Option<PartitionPredicate> = None;
        for part in spec {
            self.key(table, &part.key)?;
            let one = if part.value == mastic_catalog::HIVE_DEFAULT_PARTITION {
                PartitionPredicate::IsNull(part.key.value.clone())
            } else {
                let value = Value::Str(part.value.clone());
                PartitionPredicate::compare(part.key.value.clone(), part.op, value)
            };
            one.check(&table.partition_keys)
                .map_err(|e| self.wrong(part.key.start, e.to_string(), e.hint()))?;
            all = Some(match all {
                None => one,
                Some(all) => all.and(one),
            });
        }
        Ok(all)
    }

    /// Which of a table's partition keys a name means.
    pub(super) fn key(&self, table: &Table, name: &Name) -> Result<usize> {
        let keys = &table.partition_keys;
        if let Some(at) = keys
            .iter()
            .position(|key| key.name.eq_ignore_ascii_case(&name.value))
        {
            return Ok(at);
        }
        if keys.is_empty() {
            let message = format!("{} has no partitions", full_name(table));
            return Err(self.wrong(name.start, message, None));
        }
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let message = format!("{} has no partition key '{}'", full_name(table), name.value);
        Err(self.wrong(
            name.start,
            message,
            crate::error::meant(&name.value, &names),
        ))
    }
}

/// `database.table`.
pub(super) fn full_name(table: &Table) -> String {
    format!("{}.{}", table.database_name, table.name)
}

/// Whether a table of the catalog is a view.
pub(super) fn is_view(table: &Table) -> bool {
    table.table_type.as_deref() == Some(super::VIRTUAL_VIEW)
}

/// Whether it is of this kind.
fn is_of(table: &Table, kind: Kind) -> bool {
    is_view(table) == (kind == Kind::View)
}

/// The version that a change replaces.
pub(super) fn expected(table: &Table) -> Expected {
    table.version_id.map_or(Expected::Any, Expected::Version)
}

/// A count and what is counted.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
