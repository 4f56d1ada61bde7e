//! Files as a plan.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use mastic_lake::footers::Footers;
use mastic_lake::format::{AsFrame, FileFormat};
use mastic_lake::scan::{Scan, ScanFile};
use mastic_lake::store::Location;

/// The files of a scan, by store, and how many rows they have, about.
#[derive(Clone, Default)]
pub(crate) struct FileSet {
    pub(crate) places: Vec<(Location, Vec<ScanFile>)>,
    pub(crate) rows: Option<usize>,
    /// What is known of the columns, partition keys last.
    pub(crate) columns: Option<Vec<ColumnStatistics>>,
    /// The footers of Parquet files, where they were looked at.
    pub(crate) footers: Option<Footers>,
    /// Whether rows are filtered while Parquet is decoded.
    pub(crate) late: bool,
}

impl FileSet {
    /// How many bytes the files have.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.places.iter().flat_map(|(_, files)| files);
        files.fold(0, |all, f| all.saturating_add(f.meta.size))
    }

    /// Adds a file of the store that a place is in.
    pub(super) fn add(&mut self, place: &Location, file: ScanFile) {
        match self
            .places
            .iter_mut()
            .find(|(p, _)| p.store_url == place.store_url)
        {
            Some((_, files)) => files.push(file),
            None => self.places.push((place.clone(), vec![file])),
        }
    }

    /// Leaves out files; those that stay have their share of the rows, and bounds of all files are none of theirs.
    pub(crate) fn retain(&mut self, kept: impl IntoIterator<Item = bool>) {
        let before = self.bytes();
        let mut kept = kept.into_iter();
        for (_, files) in &mut self.places {
            files.retain(|_| kept.next().unwrap_or(true));
        }
        self.places.retain(|(_, files)| !files.is_empty());
        let after = self.bytes();
        if after < before {
            self.columns = None;
            self.rows = self.rows.map(|rows| {
                let part = rows as u128 * u128::from(after) / u128::from(before.max(1));
                usize::try_from(part).unwrap_or(usize::MAX)
            });
        }
    }

    /// The files' values of partition keys and other columns that are constant in a file.
    pub(crate) fn values(&self) -> Vec<&[ScalarValue]> {
        self.places
            .iter()
            .flat_map(|(_, files)| files)
            .map(|f| f.partition_values.as_slice())
            .collect()
    }
}

pub(super) fn scan_file(
    meta: &object_store::ObjectMeta,
    format: &FileFormat,
    values: &[ScalarValue],
) -> ScanFile {
    ScanFile {
        meta: meta.clone(),
        format: format.clone(),
        partition_values: values.to_vec(),
    }
}

/// The plan that reads files of several stores.
pub(crate) fn scan_all(
    session: &dyn Session,
    file_schema: &SchemaRef,
    partition_fields: &[FieldRef],
    found: FileSet,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
    frame: Option<&AsFrame>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let all_bytes = found.bytes();
    let scan = |store_url: ObjectStoreUrl, files| Scan {
        store_url,
        file_schema: file_schema.clone(),
        partition_fields: partition_fields.to_vec(),
        files,
        projection: projection.cloned(),
        limit,
        rows: found.rows,
        columns: found.columns.clone(),
        all_bytes,
        frame: frame.cloned(),
        footers: found.footers.clone(),
        late: found.late,
    };
    let mut plans = Vec::with_capacity(found.places.len());
    for (place, files) in found.places {
        session
            .runtime_env()
            .register_object_store(place.store_url.as_ref(), place.store.clone());
        plans.push(scan(place.store_url, files).plan(session)?);
    }
    match plans.len() {
        0 => scan(ObjectStoreUrl::local_filesystem(), Vec::new()).plan(session),
        1 => plans
            .pop()
            .ok_or_else(|| DataFusionError::Internal("one plan".into())),
        _ => UnionExec::try_new(plans),
    }
}
