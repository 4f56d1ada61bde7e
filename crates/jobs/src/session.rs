//! A query session as a script's sources.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Fields;
use datafusion::prelude::{DataFrame, SessionContext};
use mastic_catalog::CatalogError;
use mastic_find_matches::Transform;
use mastic_lake::LakeError;
use mastic_query::frame::{FrameOptions, FrameSource, Looked, SeenObject};
use mastic_query::{QueryError, Session};
use mastic_schema::names;

use crate::sources::{SourceError, Sources};

#[async_trait]
impl Sources for Session {
    async fn open(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<DataFrame, SourceError> {
        match self.frame(source, options).await {
            Ok(frame) => Ok(frame),
            Err(error) => {
                let meant = match source {
                    FrameSource::Table(name) => closest_table(self, name, &error).await,
                    FrameSource::Path { .. } => None,
                };
                Err(source_error(&error).meant(meant))
            }
        }
    }

    async fn objects(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<Vec<SeenObject>, SourceError> {
        match self.objects_of(source, options).await {
            Ok(objects) => Ok(objects),
            // Nothing is there yet.
            Err(QueryError::Lake(LakeError::NotFound { .. } | LakeError::Empty { .. })) => {
                Ok(Vec::new())
            }
            Err(error) => Err(source_error(&error)),
        }
    }

    async fn find_choices(
        &self,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<Arc<Looked>, SourceError> {
        Self::find_choices(self, source, options)
            .await
            .map_err(|error| source_error(&error))
    }

    async fn columns(&self, name: &str) -> Result<Fields, SourceError> {
        match catalog_columns(self, name).await {
            Ok(fields) => Ok(fields),
            Err(error) => {
                let error = QueryError::Catalog(error);
                let meant = closest_table(self, name, &error).await;
                Err(source_error(&error).meant(meant))
            }
        }
    }

    async fn transform(&self, name: &str) -> Result<Transform, SourceError> {
        let kept = match self.catalog().get_transform(name).await {
            Ok(kept) => kept,
            Err(error) => {
                let meant = match &error {
                    CatalogError::TransformNotFound { did_you_mean, .. } => did_you_mean.clone(),
                    _ => None,
                };
                return Err(SourceError::new(error.to_string()).meant(meant));
            }
        };
        Transform::from_value(kept.model).map_err(|error| SourceError::new(error.to_string()))
    }

    fn context(&self) -> &SessionContext {
        Self::context(self)
    }
}

/// A table's columns as the catalog has them: no file is looked at.
async fn catalog_columns(session: &Session, name: &str) -> Result<Fields, CatalogError> {
    let (database, table) = name.split_once('.').unwrap_or(("default", name));
    let table = session.catalog().get_table(database, table).await?;
    let (own, keys) = (table.arrow_columns()?, table.arrow_partition_keys()?);
    Ok(own.iter().chain(&keys).cloned().collect())
}

fn source_error(error: &QueryError) -> SourceError {
    let told = SourceError::new(error.to_string());
    match error.hint() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// The closest `database.table`, where a table or its database was not found.
async fn closest_table(session: &Session, name: &str, error: &QueryError) -> Option<String> {
    let missing = matches!(
        error,
        QueryError::Catalog(
            CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }
        )
    );
    if !missing {
        return None;
    }
    let catalog = session.catalog();
    let mut known = Vec::new();
    for database in catalog.list_databases().await.ok()? {
        for table in catalog.list_tables(&database.name).await.ok()? {
            known.push(format!("{}.{}", database.name, table.name));
        }
    }
    names::closest(name, known.iter().map(String::as_str))
}
