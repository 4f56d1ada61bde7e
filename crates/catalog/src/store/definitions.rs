//! Classifiers, crawlers and transforms: definitions with a name, kept as JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::driver::{Tx, args};
use super::partitions::to_json;
use super::{Change, DefinitionOutcome};
use crate::error::{CatalogError, Result};
use crate::model::named::{Stamp, check_name};
use crate::model::{Classifier, Crawler, MlTransform, WorkGroup};

/// What classifiers, crawlers and transforms have in common.
pub(super) trait Definition: Serialize + DeserializeOwned + Send {
    /// Its word in messages.
    const WHAT: &'static str;
    /// Its table in the store.
    const TABLE: &'static str;

    fn name(&self) -> &str;
    fn same(&self, other: &Self) -> bool;
    fn stamp(&mut self) -> Stamp<'_>;
    fn not_found(name: String, did_you_mean: Option<String>) -> CatalogError;
}

impl Definition for Classifier {
    const WHAT: &'static str = "classifier";
    const TABLE: &'static str = "classifiers";

    fn name(&self) -> &str {
        Self::name(self)
    }

    fn same(&self, other: &Self) -> bool {
        self.same_definition(other)
    }

    fn stamp(&mut self) -> Stamp<'_> {
        Self::stamp(self)
    }

    fn not_found(name: String, did_you_mean: Option<String>) -> CatalogError {
        CatalogError::ClassifierNotFound { name, did_you_mean }
    }
}

impl Definition for Crawler {
    const WHAT: &'static str = "crawler";
    const TABLE: &'static str = "crawlers";

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        self.same_definition(other)
    }

    fn stamp(&mut self) -> Stamp<'_> {
        Self::stamp(self)
    }

    fn not_found(name: String, did_you_mean: Option<String>) -> CatalogError {
        CatalogError::CrawlerNotFound { name, did_you_mean }
    }
}

impl Definition for MlTransform {
    const WHAT: &'static str = "transform";
    const TABLE: &'static str = "transforms";

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        self.same_definition(other)
    }

    fn stamp(&mut self) -> Stamp<'_> {
        Self::stamp(self)
    }

    fn not_found(name: String, did_you_mean: Option<String>) -> CatalogError {
        CatalogError::TransformNotFound { name, did_you_mean }
    }
}

impl Definition for WorkGroup {
    const WHAT: &'static str = "workgroup";
    const TABLE: &'static str = "workgroups";

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        self.same_definition(other)
    }

    fn stamp(&mut self) -> Stamp<'_> {
        Self::stamp(self)
    }

    fn not_found(name: String, did_you_mean: Option<String>) -> CatalogError {
        CatalogError::WorkGroupNotFound { name, did_you_mean }
    }
}

/// That a change of definitions names and says what is allowed.
pub(super) fn check(change: &Change) -> Result<()> {
    match change {
        Change::PutClassifier { classifier, .. } => classifier.check(),
        Change::PutCrawler { crawler, .. } => crawler.check(),
        Change::PutTransform { transform, .. } => transform.check(),
        Change::DeleteTransform { name } => check_name(MlTransform::WHAT, name),
        Change::DeleteClassifier { name } => check_name(Classifier::WHAT, name),
        Change::DeleteCrawler { name } => check_name(Crawler::WHAT, name),
        _ => Ok(()),
    }
}

/// All by name.
pub(super) async fn list<D: Definition>(tx: &mut Tx) -> Result<Vec<D>> {
    let table = D::TABLE;
    tx.rows(
        &format!("list the {table}"),
        format!("SELECT definition FROM {table} ORDER BY name"),
        vec![],
        |row| Ok(serde_json::from_str(&row.text(0)?)?),
    )
    .await
}

/// One by its name, or that there is none.
pub(super) async fn get<D: Definition>(tx: &mut Tx, name: &str) -> Result<D> {
    // A name that is none is not looked for: PostgreSQL would not even take it.
    check_name(D::WHAT, name)?;
    match find(tx, name).await? {
        Some(found) => Ok(found),
        None => Err(missing::<D>(tx, name).await?),
    }
}

async fn find<D: Definition>(tx: &mut Tx, name: &str) -> Result<Option<D>> {
    tx.row(
        &format!("find the {} {name}", D::WHAT),
        format!("SELECT definition FROM {} WHERE name = $1", D::TABLE),
        args![name],
        |row| Ok(serde_json::from_str(&row.text(0)?)?),
    )
    .await
}

/// The error for one that is not there.
async fn missing<D: Definition>(tx: &mut Tx, name: &str) -> Result<CatalogError> {
    let table = D::TABLE;
    let names = tx
        .rows(
            &format!("list the {table}"),
            format!("SELECT name FROM {table} ORDER BY name"),
            vec![],
            |row| Ok(row.text(0)?),
        )
        .await?;
    let near = mastic_schema::names::closest(name, names.iter().map(String::as_str));
    Ok(D::not_found(name.to_owned(), near))
}

/// Writes one that is checked already. Without `replace`, there must be none of its name.
pub(super) async fn put<D: Definition>(
    tx: &mut Tx,
    mut definition: D,
    replace: bool,
    now: DateTime<Utc>,
) -> Result<DefinitionOutcome> {
    let (what, table) = (D::WHAT, D::TABLE);
    let name = definition.name().to_owned();
    let old: Option<D> = find(tx, &name).await?;
    let outcome = match &old {
        Some(_) if !replace => {
            return Err(CatalogError::AlreadyExists {
                what: format!("{what} {name}"),
            });
        }
        Some(old) if old.same(&definition) => return Ok(DefinitionOutcome::Unchanged),
        Some(_) => DefinitionOutcome::Updated,
        None => DefinitionOutcome::Created,
    };
    let stamp = definition.stamp();
    stamp.created.get_or_insert(now);
    *stamp.updated = Some(now);
    *stamp.version = Some(1);
    if let Some(mut old) = old {
        let before = old.stamp();
        *stamp.created = before.created.take().or(Some(now));
        *stamp.version = Some(before.version.unwrap_or(0) + 1);
    }
    tx.execute(
        &format!("write the {what} {name}"),
        format!(
            "INSERT INTO {table} (name, definition) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET definition = excluded.definition"
        ),
        args![name, to_json(&definition)?],
    )
    .await?;
    Ok(outcome)
}

/// Writes a crawler, with which classifiers it names; they must be there.
pub(super) async fn put_crawler(
    tx: &mut Tx,
    crawler: Crawler,
    replace: bool,
    now: DateTime<Utc>,
) -> Result<DefinitionOutcome> {
    let (name, mut classifiers) = (crawler.name.clone(), crawler.classifiers.clone());
    for classifier in &classifiers {
        if find::<Classifier>(tx, classifier).await?.is_none() {
            return Err(missing::<Classifier>(tx, classifier).await?);
        }
    }
    let outcome = put(tx, crawler, replace, now).await?;
    if outcome == DefinitionOutcome::Unchanged {
        return Ok(outcome);
    }
    let action = format!("write the crawler {name}");
    forget_classifiers(tx, &action, &name).await?;
    classifiers.sort_unstable();
    classifiers.dedup();
    for classifier in classifiers {
        tx.execute(
            &action,
            "INSERT INTO crawler_classifiers (crawler_name, classifier_name) VALUES ($1, $2)",
            args![name.as_str(), classifier],
        )
        .await?;
    }
    Ok(outcome)
}

async fn forget_classifiers(tx: &mut Tx, action: &str, crawler: &str) -> Result<()> {
    let delete = "DELETE FROM crawler_classifiers WHERE crawler_name = $1";
    tx.execute(action, delete, args![crawler]).await.map(drop)
}

/// Deletes a crawler. Its history stays.
pub(super) async fn delete_crawler(tx: &mut Tx, name: &str) -> Result<()> {
    forget_classifiers(tx, &format!("delete the crawler {name}"), name).await?;
    delete::<Crawler>(tx, name).await
}

/// Deletes a classifier that no crawler names.
pub(super) async fn delete_classifier(tx: &mut Tx, name: &str) -> Result<()> {
    let crawlers = tx
        .rows(
            &format!("delete the classifier {name}"),
            "SELECT crawler_name FROM crawler_classifiers WHERE classifier_name = $1 ORDER BY crawler_name",
            args![name],
            |row| Ok(row.text(0)?),
        )
        .await?;
    if !crawlers.is_empty() {
        return Err(CatalogError::ClassifierInUse {
            name: name.to_owned(),
            crawlers,
        });
    }
    delete::<Classifier>(tx, name).await
}

pub(super) async fn delete<D: Definition>(tx: &mut Tx, name: &str) -> Result<()> {
    let deleted = tx
        .execute(
            &format!("delete the {} {name}", D::WHAT),
            format!("DELETE FROM {} WHERE name = $1", D::TABLE),
            args![name],
        )
        .await?;
    if deleted == 0 {
        return Err(missing::<D>(tx, name).await?);
    }
    Ok(())
}
