//! A frame's source as a table of the engine.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use mastic_lake::format::{AsFrame, Odd};
use mastic_schema::origin::{self, is_origin};

use super::open::{Described, seen_object};
use super::told::StorePruning;
use super::{FrameOptions, SeenObject, keys};
use crate::error::{QueryError, Result};
use crate::table::{FileSet, as_views, scan_all};

/// A source whose files were listed and whose columns are known: nothing is asked for again.
pub(super) struct FrameTable {
    pub(super) name: String,
    /// The columns, the partition keys, `$file` and `$line`.
    schema: SchemaRef,
    /// The columns and `$line`, which decoders fill.
    file_schema: SchemaRef,
    /// The partition keys.
    pub(super) keys: Vec<FieldRef>,
    /// The partition keys and `$file`, which is one more of them: the same for all records of a file.
    constant: Vec<FieldRef>,
    pub(super) found: FileSet,
    pub(super) pruning: Option<StorePruning>,
    as_frame: AsFrame,
}

impl fmt::Debug for FrameTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrameTable").field(&self.name).finish()
    }
}

impl FrameTable {
    pub(super) fn new(source: Described, options: &FrameOptions) -> Result<Self> {
        let Described {
            name,
            fields,
            keys,
            mut found,
            pruning,
            passed_over,
        } = source;
        let taken = fields.iter().chain(&keys).find(|f| is_origin(f.name()));
        if let Some(taken) = taken {
            return Err(QueryError::Statement {
                message: format!(
                    "{name} has a column '{}', which is where a frame keeps its records' origin",
                    taken.name()
                ),
                place: None,
                hint: Some("give the column another name in the files or in the catalog".into()),
            });
        }
        let mut of_files = as_views(&fields);
        let (line, file) = (origin::line_field(), origin::file_field());
        let (line, file) = (Arc::new(line), Arc::new(file));
        let shown = of_files.iter().chain(&keys).chain([&file, &line]).cloned();
        let schema = Arc::new(Schema::new(shown.collect::<Vec<FieldRef>>()));
        // What is known of the columns stands in the order of a scan's: files', then constant ones.
        if let Some(columns) = &mut found.columns {
            let at = of_files.len().min(columns.len());
            columns.insert(at, ColumnStatistics::new_unknown());
            columns.push(ColumnStatistics::new_unknown());
        }
        of_files.push(line);
        let mut constant = keys.clone();
        constant.push(file);
        for (place, files) in &mut found.places {
            for file in files {
                let url = place.url_of(&file.meta.location);
                file.partition_values.push(ScalarValue::Utf8View(Some(url)));
            }
        }
        Ok(FrameTable {
            name,
            schema,
            file_schema: Arc::new(Schema::new(of_files)),
            keys,
            constant,
            found,
            pruning,
            as_frame: AsFrame {
                odd: match options.looked {
                    Some(_) => Odd::SetAside,
                    None => Odd::Told,
                },
                passed_over,
                ..AsFrame::new(options.bad_records.clone())
            },
        })
    }

    /// The files that are read.
    pub(super) fn objects(&self) -> Vec<SeenObject> {
        let places = self.found.places.iter();
        places
            .flat_map(|(place, files)| files.iter().map(|f| seen_object(place, &f.meta)))
            .collect()
    }

    /// Where the column that plans know by this number is among those of a scan: `$line` is one of the files'.
    fn position(&self, shown: usize) -> usize {
        let columns = self.file_schema.fields().len() - 1;
        let last = columns + self.keys.len() + 1;
        match shown {
            at if at < columns => at,
            at if at == last => columns,
            at => at + 1,
        }
    }

    /// The files of partitions, and those by the name of `$file`, that these filters let through.
    fn selected(&self, session: &dyn Session, filters: &[Expr]) -> EngineResult<FileSet> {
        let filters: Vec<Expr> = filters
            .iter()
            .filter(|f| keys::is_of(f, &self.constant))
            .cloned()
            .collect();
        if filters.is_empty() {
            return Ok(self.found.clone());
        }
        let mut places = Vec::with_capacity(self.found.places.len());
        for (place, files) in &self.found.places {
            let kept = keys::selected(session, &filters, &self.constant, files)?;
            let kept = files.iter().zip(kept).filter(|(_, kept)| *kept);
            let kept: Vec<_> = kept.map(|(file, _)| file.clone()).collect();
            if !kept.is_empty() {
                places.push((place.clone(), kept));
            }
        }
        let mut found = FileSet {
            places,
            rows: self.found.rows,
            columns: self.found.columns.clone(),
            ..FileSet::default()
        };
        let (part, all) = (found.bytes(), self.found.bytes());
        if part < all {
            // Bounds and counts are those of all files.
            found.columns = None;
            found.rows = found.rows.map(|rows| {
                let part = rows as u128 * u128::from(part) / u128::from(all.max(1));
                usize::try_from(part).unwrap_or(usize::MAX)
            });
        }
        Ok(found)
    }
}

#[async_trait]
impl TableProvider for FrameTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let projection: Vec<usize> = match projection {
            Some(wanted) => wanted.iter().map(|at| self.position(*at)).collect(),
            None => (0..self.schema.fields().len())
                .map(|at| self.position(at))
                .collect(),
        };
        let found = FileSet {
            // A script's filter is there to leave out most of what is read.
            late: true,
            ..self.selected(session, filters)?
        };
        scan_all(
            session,
            &self.file_schema,
            &self.constant,
            found,
            Some(&projection),
            limit.filter(|_| filters.is_empty()),
            Some(&self.as_frame),
        )
    }
}
