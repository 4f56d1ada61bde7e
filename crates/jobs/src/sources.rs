//! Where a script's sources come from, and how they are opened.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Fields;
use datafusion::common::TableReference;
use datafusion::prelude::{DataFrame, SessionContext};
use mastic_connect::{ConnectError, ConnectionTable, Relation};
use mastic_dynamic_frame::{ErrorRecord, Ledger};
use mastic_find_matches::Transform;
use mastic_lake::format::{BadRecord, BadRecords};
use mastic_query::frame::{FrameOptions, FrameSource, Looked, SeenObject};

use crate::script::{Origin, SourceDef};

/// Where a script's sources come from. A query session is one; a test may hold tables in memory.
#[async_trait]
pub trait Sources: Send + Sync {
    /// The records of a source: a table of the catalog, or the files under a path.
    ///
    /// A source's `where` is put over them as a filter, which is told to the scan: `options.condition`
    /// has it for what can be done with it earlier.
    async fn open(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<DataFrame, SourceError>;

    /// The records of a database's table or query, under the name of their source.
    ///
    /// # Errors
    /// When the database cannot be connected to, or does not have what is asked for.
    async fn connection(
        &self,
        name: &str,
        connection: &str,
        relation: Relation,
    ) -> Result<DataFrame, ConnectError> {
        let table = ConnectionTable::open(connection.parse()?, relation).await?;
        let reference = TableReference::bare(name);
        table.into_dataframe(reference, self.context().state())
    }

    /// The objects that the source would read. A source that is not made of files has none.
    async fn objects(
        &self,
        _source: &FrameSource,
        _options: &FrameOptions,
    ) -> Result<Vec<SeenObject>, SourceError> {
        Ok(Vec::new())
    }

    /// The columns that hold every value of the source as it is, found by looking at all of its records.
    async fn find_choices(
        &self,
        _source: &FrameSource,
        _options: &FrameOptions,
    ) -> Result<Arc<Looked>, SourceError> {
        Err(SourceError::new("the source's columns cannot change"))
    }

    /// The columns of the catalog table `database.table`, its partition keys with them.
    async fn columns(&self, name: &str) -> Result<Fields, SourceError> {
        let source = FrameSource::Table(name.to_owned());
        let ledger = Ledger::new(None, self.context().runtime_env());
        let options = FrameOptions::new(source_records("catalog", &ledger));
        let table = self.open(&source, &options).await?;
        Ok(table.schema().as_arrow().fields().clone())
    }

    /// A transform of record matching that was saved, by its name.
    async fn transform(&self, name: &str) -> Result<Transform, SourceError> {
        Err(SourceError::new(format!(
            "there is no catalog that the transform '{name}' could be in"
        )))
    }

    /// The session that plans are made in.
    fn context(&self) -> &SessionContext;
}

/// What is known of a script's sources, by their names, beyond what the script says.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What was found of sources whose records have all been looked at.
    pub looked: BTreeMap<String, Arc<Looked>>,
    /// The objects that are read of sources with a bookmark.
    pub objects: BTreeMap<String, Arc<HashSet<String>>>,
    /// Whether sources with a bookmark are read as a whole, as those without are.
    pub ignore_bookmarks: bool,
}

impl SourceDef {
    /// What it is to whoever opens it; nothing where it is no table or files, but what a database has.
    pub fn frame_source(&self) -> Option<FrameSource> {
        Some(match &self.origin {
            Origin::Connection { .. } => return None,
            Origin::Table(table) => FrameSource::Table(table.to_string()),
            Origin::Path {
                path,
                format,
                options,
            } => FrameSource::Path {
                path: path.to_string(),
                format: format.as_ref().map(ToString::to_string),
                options: options
                    .iter()
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .collect(),
            },
        })
    }

    /// How it is opened; its bad records go to the ledger.
    pub(crate) fn frame_options(&self, reading: &Reading, ledger: &Arc<Ledger>) -> FrameOptions {
        let name = self.name.as_str();
        let mut options = FrameOptions::new(source_records(name, ledger));
        options.partition_predicate = self.partitions.as_ref().map(ToString::to_string);
        options.condition = self.predicate.as_ref().map(ToString::to_string);
        options.looked = reading.looked.get(name).cloned();
        options.objects = reading.objects.get(name).cloned();
        options
    }
}

/// Where the bad records of a source go.
pub(crate) fn source_records(source: &str, ledger: &Arc<Ledger>) -> Arc<dyn BadRecords> {
    Arc::new(SourceRecords {
        source: source.to_owned(),
        ledger: Arc::clone(ledger),
    })
}

#[derive(Debug)]
struct SourceRecords {
    source: String,
    ledger: Arc<Ledger>,
}

impl BadRecords for SourceRecords {
    fn set_aside(&self, record: BadRecord) -> mastic_lake::Result<()> {
        let reason = match record.column {
            Some(column) => format!("{} (column {column})", record.reason),
            None => record.reason,
        };
        let record = ErrorRecord {
            step: self.source.clone(),
            reason,
            file: Some(record.file),
            line: record.line.and_then(|line| i64::try_from(line).ok()),
            record: record.text,
        };
        Ok(self.ledger.set_aside(&self.source, vec![record])?)
    }
}

/// A source that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct SourceError {
    /// What is wrong.
    pub message: String,
    /// The closest name that exists.
    pub did_you_mean: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            did_you_mean: None,
            hint: None,
        }
    }

    /// With the closest name that exists, where one is close.
    #[must_use]
    pub fn meant(mut self, name: Option<String>) -> Self {
        self.did_you_mean = name;
        self
    }

    /// The help line: "did you mean", else the hint.
    pub fn help(&self) -> Option<String> {
        match &self.did_you_mean {
            Some(name) => Some(format!("did you mean '{name}'?")),
            None => self.hint.clone(),
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
