//! Files below a path as a table, without a catalog.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use mastic_lake::LakeError;
use mastic_lake::format::{Examined, FileFormat, Limits, examine};
use mastic_lake::input::Input;
use mastic_lake::list::{hive_folder, list};
use mastic_lake::scan::ScanFile;
use mastic_lake::store::Location;
use mastic_schema::merge::widen_fields;
use mastic_schema::names::column_names;
use tokio::runtime::Handle;

use mastic_catalog::HIVE_DEFAULT_PARTITION;
use mastic_lake::value::{Number, number};

use crate::error::{QueryError, Result};
use crate::table::{FileSet, as_views, key_value, scan_all, whole};

/// Files below a path, read as one table.
pub(crate) struct FilesTable {
    root: Location,
    file_schema: SchemaRef,
    partition_fields: Vec<FieldRef>,
    files: Vec<ScanFile>,
    rows: usize,
    schema: SchemaRef,
}

impl fmt::Debug for FilesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FilesTable").field(&self.root).finish()
    }
}

/// The folders `key=value` between the root and a file.
fn hive_folders(root: &Location, file: &object_store::path::Path) -> Vec<(String, String)> {
    let depth = root.path.parts().count();
    let mut parts: Vec<_> = file.parts().skip(depth).collect();
    // The last one is the file's own name.
    parts.pop();
    parts
        .iter()
        .filter_map(|part| hive_folder(part.as_ref()))
        .collect()
}

impl FilesTable {
    /// Lists and examines the files below `root`. Where `wanted` names a format, files of another
    /// are an error.
    pub(crate) async fn open(root: Location, wanted: Option<&FileFormat>) -> Result<Self> {
        let listing = list(&root).await?;
        if listing.files.is_empty() {
            return Err(LakeError::Empty { url: root.url }.into());
        }
        let limits = Limits::default();
        let mut examined = futures::stream::iter(listing.files.into_iter().map(|meta| {
            let url = root.url_of(&meta.location);
            let input = Input::new(root.store.clone(), meta, url, Handle::current());
            tokio::task::spawn_blocking(move || {
                let found = examine(&input, &limits, &[]);
                (input, found)
            })
        }))
        .buffered(16);
        let mut seen: Vec<(Input, Examined)> = Vec::new();
        while let Some(done) = examined.next().await {
            let (input, found) =
                done.map_err(|e| QueryError::Engine(DataFusionError::External(Box::new(e))))?;
            seen.push((input, found?));
        }
        drop(examined);
        Self::of(root, seen, wanted)
    }

    fn of(
        root: Location,
        seen: Vec<(Input, Examined)>,
        wanted: Option<&FileFormat>,
    ) -> Result<Self> {
        let mut fields = Fields::empty();
        let mut markers: Vec<String> = Vec::new();
        let kind = wanted
            .or(seen.first().map(|(_, e)| &e.format))
            .map(FileFormat::classification);
        for (input, found) in &seen {
            if Some(found.format.classification()) != kind {
                return Err(QueryError::Unsupported(format!(
                    "{} is {}, and {} was expected of every file below {}",
                    input.url,
                    found.format,
                    kind.unwrap_or_default(),
                    root.url
                )));
            }
            let own = &found.inference.fields;
            let names = column_names(own.iter().map(|f| f.name().as_str()));
            let named: Fields = own
                .iter()
                .zip(names)
                .map(|(f, name)| Arc::new(f.as_ref().clone().with_name(name)))
                .collect();
            fields = widen_fields(&fields, &named, &mut |_| ());
            if let FileFormat::Csv(options) = &found.format {
                markers.extend(options.null_markers.iter().cloned());
            }
        }
        markers.sort();
        markers.dedup();
        let folders: Vec<Vec<(String, String)>> = seen
            .iter()
            .map(|(input, _)| hive_folders(&root, &input.meta.location))
            .collect();
        let keys: Vec<String> = folders
            .first()
            .map(|f| f.iter().map(|(k, _)| k.clone()).collect())
            .unwrap_or_default();
        let same = folders
            .iter()
            .all(|f| f.iter().map(|(k, _)| k).eq(keys.iter()));
        let keys = if same { keys } else { Vec::new() };
        let partition_fields: Vec<FieldRef> = keys
            .iter()
            .enumerate()
            .map(|(i, key)| {
                let mut values = folders
                    .iter()
                    .map(|f| f[i].1.as_str())
                    .filter(|v| !v.is_empty() && *v != HIVE_DEFAULT_PARTITION)
                    .peekable();
                // As in a crawl: a leading zero makes a text.
                let whole_numbers =
                    values.peek().is_some() && values.all(|v| number(v) == Some(Number::Integer));
                let data_type = if whole_numbers {
                    DataType::Int64
                } else {
                    DataType::Utf8View
                };
                Arc::new(Field::new(key, data_type, true))
            })
            .collect();
        let fields: Fields = fields
            .iter()
            .filter(|f| !keys.contains(f.name()))
            .map(|f| match f.data_type() {
                // A column of nothing but nulls is text, as it is in a catalog.
                DataType::Null => Arc::new(Field::new(f.name(), DataType::Utf8, true)),
                _ => f.clone(),
            })
            .collect();
        let file_schema = Arc::new(Schema::new(as_views(&fields)));
        let rows: u64 = seen.iter().map(|(_, e)| e.inference.rows).sum();
        let mut files = Vec::with_capacity(seen.len());
        for ((input, found), folders) in seen.into_iter().zip(folders) {
            let mut format = found.format;
            if let FileFormat::Csv(options) = &mut format {
                options.null_markers.clone_from(&markers);
            }
            let partition_values = partition_fields
                .iter()
                .zip(&folders)
                .map(|(field, (_, text))| {
                    key_value(text, field).ok_or_else(|| {
                        QueryError::Unsupported(format!("'{text}' is no value of {}", field.name()))
                    })
                })
                .collect::<Result<_>>()?;
            files.push(ScanFile {
                meta: input.meta,
                format,
                partition_values,
            });
        }
        let schema = whole(&file_schema, &partition_fields);
        Ok(FilesTable {
            root,
            file_schema,
            partition_fields,
            files,
            rows: usize::try_from(rows).unwrap_or(usize::MAX),
            schema,
        })
    }
}

#[async_trait]
impl TableProvider for FilesTable {
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
        scan_all(
            session,
            &self.file_schema,
            &self.partition_fields,
            FileSet {
                places: vec![(self.root.clone(), self.files.clone())],
                rows: Some(self.rows),
                columns: None,
            },
            projection,
            limit.filter(|_| filters.is_empty()),
        )
    }
}
