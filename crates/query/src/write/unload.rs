//! `UNLOAD`.

use datafusion::dataframe::DataFrame;
use mastic_lake::sink::{SinkMode, SinkSpec};

use super::create::check_columns;
use super::parse::{Unload, told};
use super::properties::{Of, Properties};
use super::run::{of_lake, refuse_full, stage, to_the_end};
use super::{columns, manifest, plan_query};
use crate::error::Result;
use crate::session::Session;
use crate::snapshot::Snapshot;

/// Writes a query's rows into files of no table, and tells which.
pub(super) async fn unload(
    session: &Session,
    snapshot: &Snapshot,
    unload: Unload,
) -> Result<DataFrame> {
    let properties = Properties::read(Of::Unload, &unload.properties)?;
    let frame = plan_query(session, snapshot, &unload.query).await?;
    let frame = columns::stored(frame, None, false)?;
    let at = |message: String| told(message, unload.place, None);
    let root = session
        .stores()
        .locate(&unload.to)
        .map_err(|error| at(error.to_string()))?;
    if root.path.as_ref().is_empty() {
        return Err(at(format!(
            "files want a folder of their own, and {} is all of a store",
            root.url
        )));
    }
    let spec = SinkSpec::new(root, properties.options.clone(), SinkMode::ErrorIfExists)
        .partitioned_by(properties.partitioned_by.clone());
    check_columns(&frame, &spec, properties.lazy)?;
    refuse_full(&spec.root, "UNLOAD wants an empty folder: name another").await?;
    let (staged, spec) = stage(frame, spec).await?;
    let written = to_the_end(async move { staged.commit().await.map_err(of_lake) }).await?;
    manifest(session, &spec.root, &written)
}
