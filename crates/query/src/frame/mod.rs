//! A script's sources: files read as a dynamic frame reads them.
//!
//! A frame's source differs from a table of SQL's in four ways. Its columns of values that disagree are choices
//! ([`mastic_schema::choice`]); two more columns at its end say where a record came from
//! ([`mastic_schema::origin`]); records that cannot be read are set aside and do not end the run; and its files are
//! listed once, when it is opened: a run reads exactly these, whatever comes later.
//!
//! What a column's values are is found out in this order: what [`Session::find_choices`] found over all the data, in
//! this session or an earlier one; the column parameter [`CHOICE`] that a crawl writes; a look at the beginning of a few
//! files. Where all of that says too little, reading ends with [`mastic_lake::LakeError::Misfit`] or
//! [`mastic_lake::LakeError::UnknownKey`], and [`Session::find_choices`] looks at every record. What is odd after that is
//! an error record.
//!
//! A frame has every key that its records have (JSON, XML; in CSV every named column), those that come first behind what
//! was looked at among them: also of a table, whose columns the catalog has as a crawl saw them. Left out is
//! what somebody left out: columns that were dropped from a crawled table by hand, all that a table
//! does not name that no crawl has made, and all that the option `schema` of a path does not.

mod choices;
mod keys;
mod look;
mod memory;
mod open;
mod provider;
mod told;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use mastic_lake::format::BadRecords;

pub(crate) use self::choices::Cache;
pub use self::choices::Looked;
pub use self::told::{FrameScan, StorePruning, frame_scans};
pub use mastic_catalog::parameters::CHOICE;
use mastic_catalog::parameters::INFERRED;

use crate::error::Result;
use crate::session::Session;
use open::Opened;
use provider::FrameTable;

/// Where a frame's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameSource {
    /// A table of the catalog, named `table` or `database.table`.
    Table(String),
    /// The files below a path.
    Path {
        /// A path or URL.
        path: String,
        /// The files' format, where they are to be of no other.
        format: Option<String>,
        /// How they are read.
        options: BTreeMap<String, String>,
    },
}

/// How a frame's source is opened.
#[derive(Debug, Clone)]
pub struct FrameOptions {
    /// Where records go that cannot be read.
    pub bad_records: Arc<dyn BadRecords>,
    /// Only these objects are read, named as [`SeenObject::path`] names them.
    pub objects: Option<Arc<HashSet<String>>>,
    /// A condition on partition keys, in SQL: Glue's `push_down_predicate`. Partitions for which it is not true are not
    /// listed. What the catalog store can answer of it, it answers.
    pub partition_predicate: Option<String>,
    /// A condition that the caller applies to the records in any case, in SQL: what it says of partition keys alone
    /// selects partitions here already. What cannot be understood of it is left out.
    pub condition: Option<String>,
    /// What the columns are, instead of what would be found out: the answer of [`Session::find_choices`]. With it a
    /// record with a value that no column holds, or a key that no column has, is one that cannot be read.
    pub looked: Option<Arc<Looked>>,
}

impl FrameOptions {
    /// All files of the source, with the types that are known.
    pub fn new(bad_records: Arc<dyn BadRecords>) -> Self {
        FrameOptions {
            bad_records,
            objects: None,
            partition_predicate: None,
            condition: None,
            looked: None,
        }
    }
}

/// A file as a listing told of it: by what a job bookmark knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeenObject {
    /// Its URL; a local file's path. The column `$file` has the same.
    pub path: String,
    /// Its size in bytes, as stored.
    pub size: u64,
    /// When it was last modified.
    pub last_modified: DateTime<Utc>,
    /// Its entity tag, where the store has them.
    pub e_tag: Option<String>,
}

impl Session {
    /// A table of the catalog as a dynamic frame reads it.
    ///
    /// # Errors
    /// When there is no such table, it is none that can be read, or the partition predicate is none.
    pub async fn frame_table(&self, name: &str, options: &FrameOptions) -> Result<DataFrame> {
        self.frame(&FrameSource::Table(name.to_owned()), options)
            .await
    }

    /// The files below a path as a dynamic frame reads them.
    ///
    /// # Errors
    /// When nothing is there, a file is not in the expected format, or an option is unknown.
    pub async fn frame_path(
        &self,
        path: &str,
        format: Option<&str>,
        reading: &BTreeMap<String, String>,
        options: &FrameOptions,
    ) -> Result<DataFrame> {
        let source = FrameSource::Path {
            path: path.to_owned(),
            format: format.map(str::to_owned),
            options: reading.clone(),
        };
        self.frame(&source, options).await
    }

    /// A source as a dynamic frame reads it: its columns, its partition keys, `$file` and `$line`.
    /// [`frame_scans`] tells what there is to it.
    ///
    /// # Errors
    /// As [`frame_table`](Self::frame_table) and [`frame_path`](Self::frame_path).
    pub async fn frame(&self, source: &FrameSource, options: &FrameOptions) -> Result<DataFrame> {
        let opened = Opened::list(self, source, options).await?;
        let name = TableReference::bare(opened.name.clone());
        let table = FrameTable::new(opened.describe(self, options).await?, options)?;
        let provider = provider_as_source(Arc::new(table));
        let plan = LogicalPlanBuilder::scan(name, provider, None)?.build()?;
        Ok(DataFrame::new(self.context().state(), plan))
    }

    /// The files that a frame of this source would read, ordered by path. They are listed, and none is opened.
    ///
    /// # Errors
    /// As [`frame`](Self::frame).
    pub async fn objects_of(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<Vec<SeenObject>> {
        let opened = Opened::list(self, source, options).await?;
        let mut objects = opened.objects();
        objects.sort_unstable();
        Ok(objects)
    }

    /// Looks at every record of a source, and tells the columns with the types that hold every value as it was found:
    /// what [`FrameOptions::looked`] takes. The answer is kept, in this session for the very same files and in the
    /// catalog for as long as the files that it rests on are there.
    ///
    /// # Errors
    /// As [`frame`](Self::frame), and when a file cannot be read to its end.
    pub async fn find_choices(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<Arc<Looked>> {
        let opened = Opened::list(self, source, options).await?;
        choices::find(self, &opened).await
    }
}
