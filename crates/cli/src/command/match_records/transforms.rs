//! What was learned, kept in the catalog.

use mastic_catalog::{CatalogError, MlTransform};
use mastic_find_matches::Transform;
use mastic_query::Session;

use crate::args::Output;
use crate::command::catalog::json;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::count;
use crate::output::Listing;

/// A transform as the catalog has it, and what was learned.
pub(super) async fn get(session: &Session, name: &str) -> Result<(MlTransform, Transform)> {
    let kept = session.catalog().get_transform(name).await?;
    let learned = Transform::from_value(kept.model.clone())?;
    Ok((kept, learned))
}

/// Where the entities are that new records join.
pub(super) fn entities(kept: &MlTransform) -> Result<&str> {
    kept.entities.as_deref().ok_or_else(|| {
        CliError::hinted(
            format!(
                "transform {} was saved without entities that new records could join",
                kept.name
            ),
            Some("save it again with --output FILE or TABLE".into()),
        )
    })
}

/// That there is none of the name, or it may be replaced: told before the work.
pub(super) async fn may_save(session: &Session, name: &str, replace: bool) -> Result<()> {
    match session.catalog().get_transform(name).await {
        Ok(_) if !replace => Err(CliError::hinted(
            format!("transform {name} exists already"),
            Some("change it with --replace".into()),
        )),
        Ok(_) | Err(CatalogError::TransformNotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn save(
    session: &Session,
    name: &str,
    learned: &Transform,
    entities: Option<&str>,
    replace: bool,
) -> Result<()> {
    let transform = MlTransform {
        name: name.to_owned(),
        record_count: i64::try_from(learned.rows).unwrap_or(i64::MAX),
        label_count: i64::try_from(learned.label_count()).unwrap_or(i64::MAX),
        entities: entities.map(str::to_owned),
        model: learned.to_value()?,
        ..MlTransform::default()
    };
    session.catalog().put_transform(transform, replace).await?;
    Ok(())
}

/// Remembers that the entities are somewhere else now.
pub(super) async fn moved(session: &Session, kept: &MlTransform, entities: &str) -> Result<()> {
    if kept.entities.as_deref() == Some(entities) {
        return Ok(());
    }
    let transform = MlTransform {
        entities: Some(entities.to_owned()),
        ..kept.clone()
    };
    session.catalog().put_transform(transform, true).await?;
    Ok(())
}

pub(super) async fn list(setting: &Setting, output: Output) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let mut listing = Listing::new(&[
        "transform",
        "rows",
        "labels",
        "columns",
        "entities",
        "version",
    ]);
    for kept in catalog.list_transforms().await? {
        let number = |n: i64| count(u64::try_from(n).unwrap_or(0));
        let columns = match Transform::from_value(kept.model) {
            Ok(learned) => {
                let names = learned.columns.into_iter().map(|c| c.name);
                names.collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        };
        listing.push(vec![
            kept.name,
            number(kept.record_count),
            number(kept.label_count),
            columns,
            kept.entities.unwrap_or_default(),
            kept.version.map(|v| v.to_string()).unwrap_or_default(),
        ]);
    }
    listing.write(output)
}

pub(super) async fn show(setting: &Setting, name: &str) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let mut kept = catalog.get_transform(name).await?;
    // Tables of hashes say nothing to anybody.
    if let Some(model) = kept.model.as_object_mut() {
        model.remove("frequencies");
        model.remove("grams");
        // How many there are is said, and the rest is a file of its own.
        model.remove("labels");
    }
    json(&kept)
}

pub(super) async fn delete(setting: &Setting, name: &str) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    catalog.delete_transform(name).await?;
    anstream::eprintln!("deleted transform {name}");
    Ok(())
}
