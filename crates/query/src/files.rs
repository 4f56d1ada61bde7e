//! Files below a path as a table, without a catalog.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use mastic_lake::LakeError;
use mastic_lake::format::{FileFormat, Limits, ReadOptions, examine_with};
use mastic_lake::input::Input;
use mastic_lake::list::{hive_folder, list_without};
use mastic_lake::scan::ScanFile;
use mastic_lake::store::Location;
use mastic_schema::merge::widen_fields;
use mastic_schema::names::column_names;
use object_store::ObjectMeta;
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

/// Files below a path, as they were listed.
pub(crate) struct Folder {
    pub(crate) root: Location,
    pub(crate) keys: Vec<FieldRef>,
    /// The files, each with the values of its keys.
    pub(crate) files: Vec<(ObjectMeta, Vec<ScalarValue>)>,
}

/// What is to be known of an examined file.
pub(crate) struct Seen {
    pub(crate) url: String,
    pub(crate) meta: ObjectMeta,
    pub(crate) values: Vec<ScalarValue>,
    pub(crate) format: FileFormat,
    /// The columns, by the names that catalogs give them.
    pub(crate) fields: Fields,
    pub(crate) rows: u64,
}

/// How many files are examined at once.
const EXAMINED: usize = 16;

impl Folder {
    /// Lists the files below `root` that are to be read, and tells their partition keys.
    pub(crate) async fn list(root: Location, read: &ReadOptions) -> Result<Self> {
        let mut listing = list_without(&root, &read.exclusions(&root.url)?).await?;
        if !read.recurses() {
            let depth = root.path.parts().count();
            let own = |file: &ObjectMeta| file.location.parts().count() <= depth + 1;
            listing.files.retain(own);
        }
        if listing.files.is_empty() {
            return Err(LakeError::Empty { url: root.url }.into());
        }
        let folders: Vec<Vec<(String, String)>> = listing
            .files
            .iter()
            .map(|meta| hive_folders(&root, &meta.location))
            .collect();
        let keys = partition_fields(&folders);
        let files = listing
            .files
            .into_iter()
            .zip(folders)
            .map(|(meta, folders)| {
                let values = keys
                    .iter()
                    .zip(&folders)
                    .map(|(field, (_, text))| {
                        key_value(text, field).ok_or_else(|| {
                            QueryError::Unsupported(format!(
                                "'{text}' is no value of {}",
                                field.name()
                            ))
                        })
                    })
                    .collect::<Result<_>>()?;
                Ok((meta, values))
            })
            .collect::<Result<_>>()?;
        Ok(Folder { root, keys, files })
    }

    /// Examines the files with what is said of them, each as far as `limits` say. As a frame they have
    /// choices, and bad records are passed over. A file of another format than is said is an error.
    pub(crate) async fn examine(
        self,
        limits: Limits,
        as_frame: bool,
        read: &ReadOptions,
    ) -> Result<Vec<Seen>> {
        let root = self.root;
        let mut examined = futures::stream::iter(self.files.into_iter().map(|(meta, values)| {
            let url = root.url_of(&meta.location);
            let input = Input::new(root.store.clone(), meta, url, Handle::current());
            let read = read.clone();
            tokio::task::spawn_blocking(move || -> Result<Seen> {
                let found = examine_with(&input, &limits, &read, as_frame)?;
                let own = match as_frame {
                    true => found.inference.choice_fields(),
                    false => &found.inference.fields,
                };
                Ok(Seen {
                    url: input.url,
                    meta: input.meta,
                    values,
                    format: found.format,
                    fields: named(own),
                    rows: found.inference.rows,
                })
            })
        }))
        .buffered(EXAMINED);
        let mut seen = Vec::new();
        while let Some(done) = examined.next().await {
            let done =
                done.map_err(|e| QueryError::Engine(DataFusionError::External(Box::new(e))))?;
            seen.push(done?);
        }
        Ok(seen)
    }
}

/// The columns by the names that catalogs give them.
pub(crate) fn named(own: &Fields) -> Fields {
    let names = column_names(own.iter().map(|f| f.name().as_str()));
    own.iter()
        .zip(names)
        .map(|(f, name)| Arc::new(f.as_ref().clone().with_name(name)))
        .collect()
}

/// The keys that all folders have, typed by their values.
fn partition_fields(folders: &[Vec<(String, String)>]) -> Vec<FieldRef> {
    let Some(first) = folders.first() else {
        return Vec::new();
    };
    let same =
        |f: &Vec<(String, String)>| f.iter().map(|(k, _)| k).eq(first.iter().map(|(k, _)| k));
    if !folders.iter().all(same) {
        return Vec::new();
    }
    let typed = |(at, (key, _)): (usize, &(String, String))| {
        let mut values = folders
            .iter()
            .filter_map(|f| Some(f.get(at)?.1.as_str()))
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
    };
    first.iter().enumerate().map(typed).collect()
}

/// The files, once they are known to be of one format, with the null markers of all of them.
pub(crate) fn scan_files(root: &Location, seen: Vec<Seen>) -> Result<Vec<ScanFile>> {
    let mut markers: Vec<String> = Vec::new();
    let first = seen.first().map(|s| s.format.clone());
    let kind = first.as_ref().map(FileFormat::classification);
    for found in &seen {
        if Some(found.format.classification()) != kind {
            return Err(QueryError::Unsupported(format!(
                "{} is {}, and {} was expected of every file below {}",
                found.url,
                found.format,
                kind.unwrap_or_default(),
                root.url
            )));
        }
        if let FileFormat::Csv(options) = &found.format {
            markers.extend(options.null_markers.iter().cloned());
            // In a lake of many files the same few are told again and again.
            if markers.len() > 1000 {
                markers.sort();
                markers.dedup();
            }
        }
    }
    markers.sort();
    markers.dedup();
    let files = seen.into_iter().map(|found| {
        let mut format = found.format;
        if let FileFormat::Csv(options) = &mut format {
            options.null_markers.clone_from(&markers);
        }
        ScanFile {
            meta: found.meta,
            format,
            partition_values: found.values,
        }
    });
    Ok(files.collect())
}

/// The columns that are none of the keys. One of nothing but nulls is text, as it is in a catalog.
pub(crate) fn columns(fields: &Fields, keys: &[FieldRef]) -> Fields {
    fields
        .iter()
        .filter(|f| !keys.iter().any(|key| key.name() == f.name()))
        .map(|f| match f.data_type() {
            DataType::Null => Arc::new(Field::new(f.name(), DataType::Utf8, true)),
            _ => f.clone(),
        })
        .collect()
}

impl FilesTable {
    /// Lists and examines the files below `root`, with what is said of them. Files of another format than
    /// is said are an error.
    pub(crate) async fn open(root: Location, read: &ReadOptions) -> Result<Self> {
        let folder = Folder::list(root.clone(), read).await?;
        let partition_fields = folder.keys.clone();
        let seen = folder.examine(Limits::default(), false, read).await?;
        let fields = seen.iter().fold(Fields::empty(), |all, found| {
            widen_fields(&all, &found.fields, &mut |_| ())
        });
        let rows: u64 = seen.iter().map(|s| s.rows).sum();
        let files = scan_files(&root, seen)?;
        let fields = columns(&fields, &partition_fields);
        let file_schema = Arc::new(Schema::new(as_views(&fields)));
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
                late: true,
                ..FileSet::default()
            },
            projection,
            limit.filter(|_| filters.is_empty()),
            None,
        )
    }
}
