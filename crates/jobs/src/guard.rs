//! What an overwriting sink must not replace. `mode: overwrite` deletes every visible file below its
//! path, so a path that was mistyped would cost more than a run.

use mastic_catalog::CatalogStore;
use mastic_lake::sink::{SinkMode, SinkSpec};

use crate::error::ScriptError;
use crate::paths::{inside, normal};
use crate::plan::PlannedSink;
use crate::script::{Origin, Script};

/// Refuses a sink that would replace a whole store, the working folder, the script, or a table that
/// the script reads and the sink does not update.
pub(crate) async fn check(
    script: &Script,
    sink: &PlannedSink,
    spec: &SinkSpec,
    catalog: &dyn CatalogStore,
) -> Result<(), ScriptError> {
    if !matches!(spec.mode, SinkMode::Overwrite | SinkMode::ReplaceFiles) {
        return Ok(());
    }
    let root = normal(&spec.root.url);
    let refuse = |what: String| {
        ScriptError::new(
            &script.source,
            sink.def.path.span(),
            format!("overwriting '{}' would delete {what}", sink.def.path),
        )
        .hint("give the sink a folder of its own")
    };
    if spec.root.path.as_ref().is_empty() {
        return Err(refuse("everything that is there".to_owned()));
    }
    if spec.root.is_local() {
        for (path, what) in [
            (".", "the working folder"),
            (script.source.name(), "the script"),
        ] {
            if inside(&normal(path), &root) {
                return Err(refuse(what.to_owned()));
            }
        }
    }
    let own = sink.def.table.as_ref().map(|t| t.as_str().to_lowercase());
    for source in &script.sources {
        let Origin::Table(name) = &source.origin else {
            continue;
        };
        let (database, table) = name
            .as_str()
            .split_once('.')
            .unwrap_or(("default", name.as_str()));
        // A table that is not there was complained of when it was opened.
        let Ok(table) = catalog.get_table(database, table).await else {
            continue;
        };
        let place = normal(table.location().unwrap_or_default());
        let updated = own.as_deref() == Some(&name.as_str().to_lowercase()) && place == root;
        if inside(&place, &root) && !updated {
            return Err(refuse(format!(
                "the files of '{name}', which the script reads"
            )));
        }
    }
    Ok(())
}
