//! A source, listed: its files stand from here on, and what their columns are is found out after.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use datafusion::common::TableReference;
use mastic_lake::format::{Limits, ReadOptions};
use mastic_lake::store::Location;
use mastic_schema::choice::{choose_fields, format_type, settled};
use mastic_schema::hive::parse_type;
use mastic_schema::merge::position;

use super::told::StorePruning;
use super::{CHOICE, FrameOptions, FrameSource, INFERRED, SeenObject, choices, keys, look, memory};
use crate::error::Result;
use crate::files::{Folder, columns, scan_files};
use crate::session::{DEFAULT_DATABASE, Session};
use crate::table::{FileSet, LakeTable, as_views, whole};

/// Of how many files the columns are told where none is to be read.
const TOLD_BY: usize = 16;

/// How much of a file tells what its columns are: what the rest has besides is found when it is read.
const SAMPLE: Limits = Limits { bytes: 8 << 20 };

/// A source whose files were listed.
pub(super) struct Opened {
    /// What plans call it.
    pub(super) name: String,
    /// What its answers are remembered under.
    pub(super) key: String,
    /// The partition keys.
    pub(super) keys: Vec<FieldRef>,
    /// All of its files, as far as the store's answer tells: what a remembered answer may rest on.
    pub(super) listed: Vec<SeenObject>,
    pub(super) pruning: Option<StorePruning>,
    pub(super) of: Of,
}

/// What kind of source it is.
pub(super) enum Of {
    Table {
        table: Box<LakeTable>,
        found: FileSet,
        /// Whether some of the table's files are left out.
        some: bool,
    },
    Folder {
        /// The files that are read.
        folder: Box<Folder>,
        /// Some of those that are not, by which the columns are told where no other is left.
        others: Box<Folder>,
        /// What is said of the files.
        read: Box<ReadOptions>,
    },
}

/// A source whose columns are known.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) fields: Fields,
    pub(super) keys: Vec<FieldRef>,
    pub(super) found: FileSet,
    pub(super) pruning: Option<StorePruning>,
    /// See [`Opened::passed_over`].
    pub(super) passed_over: Option<Arc<[String]>>,
}

pub(super) fn seen_object(place: &Location, meta: &object_store::ObjectMeta) -> SeenObject {
    SeenObject {
        path: place.url_of(&meta.location),
        size: meta.size,
        last_modified: meta.last_modified,
        e_tag: meta.e_tag.clone(),
    }
}

fn objects_of(found: &FileSet) -> Vec<SeenObject> {
    let places = found.places.iter();
    places
        .flat_map(|(place, files)| files.iter().map(|f| seen_object(place, &f.meta)))
        .collect()
}

/// How files below a path are to be read; and what is said of that, by which answers about the same files are told
/// apart: nothing where no option is given, since a format by itself changes none.
fn reading(
    format: Option<&str>,
    options: &BTreeMap<String, String>,
) -> Result<(ReadOptions, String)> {
    let pairs = options.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let read = ReadOptions::parse(format, pairs)?;
    let said = match options.is_empty() {
        true => String::new(),
        false => format!(" as {} with {options:?}", format.unwrap_or("any format")),
    };
    Ok((read, said))
}

impl Opened {
    /// Lists the files of a source.
    pub(super) async fn list(
        session: &Session,
        source: &FrameSource,
        options: &FrameOptions,
    ) -> Result<Self> {
        match source {
            FrameSource::Table(name) => Self::table(session, name, options).await,
            FrameSource::Path {
                path,
                format,
                options: read,
            } => {
                let (read, said) = reading(format.as_deref(), read)?;
                Self::folder(session, path, read, &said, options).await
            }
        }
    }

    async fn table(session: &Session, name: &str, options: &FrameOptions) -> Result<Self> {
        let reference = TableReference::parse_str(name);
        let database = reference.schema().or(session.database());
        let database = database.unwrap_or(DEFAULT_DATABASE);
        let catalog = session.catalog();
        let table = catalog.get_table(database, reference.table()).await?;
        let whose = format!("{}.{}", table.database_name, table.name);
        let table = LakeTable::new(Arc::new(table), catalog.clone(), session.stores().clone())?;
        let keys = table.partition_fields().to_vec();
        let mut filters = Vec::new();
        if let Some(text) = &options.partition_predicate {
            filters = keys::strict(session.context(), text, &keys, &whose)?;
        }
        if let Some(text) = &options.condition {
            let columns = as_views(&table.table().arrow_columns()?);
            filters.extend(keys::loose(session.context(), text, &columns, &keys));
        }
        let listed = table.files(&filters).await?;
        let pruning = match listed.partitions {
            None => None,
            Some(selected) => Some(StorePruning {
                selected: selected as u64,
                partitions: table.count_partitions().await?,
                predicate: listed.predicate.as_ref().map(ToString::to_string),
            }),
        };
        let all = objects_of(&listed.found);
        let mut found = listed.found;
        let state = session.context().state();
        let mut some = listed.predicate.is_some();
        for (place, files) in &mut found.places {
            let before = files.len();
            let mut kept = keys::selected(&state, &filters, &keys, files)?.into_iter();
            files.retain(|_| kept.next().unwrap_or(true));
            if let Some(objects) = &options.objects {
                files.retain(|f| objects.contains(&place.url_of(&f.meta.location)));
            }
            some |= files.len() < before;
        }
        found.places.retain(|(_, files)| !files.is_empty());
        Ok(Opened {
            name: reference.table().to_owned(),
            key: format!("table {whose}"),
            keys,
            listed: all,
            pruning,
            of: Of::Table {
                table: Box::new(table),
                found,
                some,
            },
        })
    }

    async fn folder(
        session: &Session,
        url: &str,
        read: ReadOptions,
        said: &str,
        options: &FrameOptions,
    ) -> Result<Self> {
        let root = session.stores().locate(url)?;
        mastic_lake::sink::recover(&root).await?;
        let name = root.path.filename().unwrap_or("files").to_owned();
        let mut folder = Folder::list(root.clone(), &read).await?;
        let keys = folder.keys.clone();
        let mut filters = Vec::new();
        if let Some(text) = &options.partition_predicate {
            filters = keys::strict(session.context(), text, &keys, &root.url)?;
        }
        if let Some(text) = &options.condition {
            filters.extend(keys::loose(session.context(), text, &[], &keys));
        }
        let listed = folder.files.iter();
        let listed = listed.map(|(meta, _)| seen_object(&root, meta)).collect();
        let all: Vec<_> = std::mem::take(&mut folder.files);
        let values: Vec<_> = all.iter().map(|(_, values)| values.as_slice()).collect();
        let kept = keys::selected_values(&session.context().state(), &filters, &keys, &values)?;
        let mut others = Vec::new();
        for (file, kept) in all.into_iter().zip(kept) {
            let wanted = kept
                && options
                    .objects
                    .as_ref()
                    .is_none_or(|objects| objects.contains(&root.url_of(&file.0.location)));
            match wanted {
                true => folder.files.push(file),
                false => others.push(file),
            }
        }
        if folder.files.is_empty() {
            let step = others.len().div_ceil(TOLD_BY).max(1);
            others = others.into_iter().step_by(step).collect();
        } else {
            others.clear();
        }
        Ok(Opened {
            name,
            key: format!("path {}{said}", root.url),
            keys: keys.clone(),
            listed,
            pruning: None,
            of: Of::Folder {
                folder: Box::new(folder),
                others: Box::new(Folder {
                    root,
                    keys,
                    files: others,
                }),
                read: Box::new(read),
            },
        })
    }

    /// The files that are read.
    pub(super) fn objects(&self) -> Vec<SeenObject> {
        match &self.of {
            Of::Table { found, .. } => objects_of(found),
            Of::Folder { folder, .. } => folder
                .files
                .iter()
                .map(|(meta, _)| seen_object(&folder.root, meta))
                .collect(),
        }
    }

    /// What the catalog says of the columns: an answer of other columns is none for these.
    pub(super) fn basis(&self) -> Result<String> {
        Ok(match &self.of {
            Of::Table { table, .. } => format_type(&DataType::Struct(table_columns(table)?)),
            Of::Folder { .. } => String::new(),
        })
    }

    /// The names of keys that the files may have and the frame has no column for, where all others are odd: partition
    /// keys, and what was dropped by hand. Nothing where whoever said what the columns are meant no others.
    pub(super) fn passed_over(&self) -> Option<Arc<[String]>> {
        let keys = self.keys.iter().map(|key| key.name().clone());
        match &self.of {
            Of::Table { table, .. } => {
                let text = table.table().parameters.get(INFERRED)?;
                let crawled: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(text).ok()?;
                Some(
                    keys.chain(crawled.into_iter().map(|(name, _)| name))
                        .collect(),
                )
            }
            Of::Folder { read, .. } => (!read.names_columns()).then(|| keys.collect()),
        }
    }

    /// Tells what the columns are.
    pub(super) async fn describe(
        self,
        session: &Session,
        options: &FrameOptions,
    ) -> Result<Described> {
        let passed_over = self.passed_over();
        let known = match &options.looked {
            Some(looked) => Some(memory::Kept {
                fields: looked.fields.clone(),
                learned: looked.learned.clone(),
            }),
            None => {
                let some = self.pruning.as_ref().is_some_and(|p| p.predicate.is_some());
                let basis = self.basis()?;
                memory::recall(session, &self.key, &basis, &self.listed, some).await
            }
        };
        match self.of {
            Of::Table {
                table,
                mut found,
                some,
            } => {
                let own = table_columns(&table)?;
                let fields = match known {
                    Some(known) => {
                        let files = found.places.iter_mut().flat_map(|(_, files)| files);
                        files.for_each(|f| choices::learn(&mut f.format, &known.learned));
                        choices::added(&with_types_of(&own, &known.fields), &known.fields)
                    }
                    None => look::at_a_few(&own, &found).await,
                };
                let file_schema = Schema::new(as_views(&fields));
                let schema = whole(&file_schema, &self.keys);
                table.inform(&schema, some, &mut found).await;
                Ok(Described {
                    name: self.name,
                    fields,
                    keys: self.keys,
                    found,
                    pruning: self.pruning,
                    passed_over,
                })
            }
            Of::Folder {
                folder,
                others,
                read,
            } => {
                let root = folder.root.clone();
                let none = folder.files.is_empty();
                let told = if none { others } else { folder };
                let mut seen = told.examine(SAMPLE, true, &read).await?;
                let mut fields = seen.iter().fold(Fields::empty(), |all, found| {
                    choose_fields(&all, &found.fields)
                });
                if let Some(known) = known {
                    fields = match &options.looked {
                        Some(_) => {
                            choices::added(&with_types_of(&fields, &known.fields), &known.fields)
                        }
                        None => choose_fields(&fields, &known.fields),
                    };
                    for found in &mut seen {
                        choices::learn(&mut found.format, &known.learned);
                    }
                }
                let rows = seen.iter().map(|s| s.rows).sum::<u64>();
                let files = scan_files(&root, seen)?;
                let places = if none {
                    Vec::new()
                } else {
                    vec![(root, files)]
                };
                Ok(Described {
                    name: self.name,
                    fields: columns(&settled(&fields), &self.keys),
                    keys: self.keys,
                    found: FileSet {
                        places,
                        rows: usize::try_from(rows).ok(),
                        ..FileSet::default()
                    },
                    pruning: None,
                    passed_over,
                })
            }
        }
    }
}

/// A table's columns, as a crawl found them.
pub(super) fn table_columns(table: &LakeTable) -> Result<Fields> {
    let table = table.table();
    let plain = table.arrow_columns()?;
    Ok(plain
        .iter()
        .zip(table.columns())
        .map(|(field, column)| {
            let chosen = column.parameters.get(CHOICE);
            // A type that cannot be read is somebody's who wrote it there: the column's own can.
            match chosen.and_then(|text| parse_type(text).ok()) {
                Some(chosen) => Arc::new(field.as_ref().clone().with_data_type(chosen)),
                None => field.clone(),
            }
        })
        .collect())
}

/// The columns, with the types that others of their names have.
fn with_types_of(own: &Fields, known: &Fields) -> Fields {
    own.iter()
        .map(|field| match position(known, field.name()) {
            Some(at) => {
                let known = known[at].data_type().clone();
                Arc::new(field.as_ref().clone().with_data_type(known))
            }
            None => field.clone(),
        })
        .collect()
}
