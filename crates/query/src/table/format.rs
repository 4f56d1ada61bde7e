//! How the files of a table and of its partitions are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::ScalarValue;
use mastic_catalog::parameters as names;
use mastic_catalog::{Partition, SerDeInfo, StorageDescriptor};
use mastic_lake::format::FileFormat;
use mastic_lake::list::Exclusions;
use mastic_lake::sink::folder;

use super::{LakeTable, key_value};
use crate::error::{QueryError, Result};

/// How the files of a partition are told and read.
#[derive(Clone)]
pub(super) struct About {
    pub(super) format: Arc<FileFormat>,
    pub(super) values: Vec<ScalarValue>,
    /// Globs for their names, where other files lie beside them.
    pub(super) include: Arc<BTreeSet<String>>,
    /// What Hive names the partition's folder.
    pub(super) name: String,
}

/// The formats of partitions, most of which have the same.
#[derive(Default)]
pub(super) struct Formats(Vec<(Option<SerDeInfo>, Arc<FileFormat>)>);

impl Formats {
    fn of(&mut self, table: &LakeTable, partition: &Partition) -> Result<Arc<FileFormat>> {
        let descriptor = partition.storage_descriptor.as_ref();
        let serde = descriptor.and_then(|d| d.serde_info.as_ref());
        let known = self.0.iter().find(|(known, _)| known.as_ref() == serde);
        if let Some((_, format)) = known {
            return Ok(format.clone());
        }
        let format = Arc::new(table.format(descriptor)?);
        // Partitions of ever other formats are not remembered for ever.
        self.0.truncate(64);
        self.0.push((serde.cloned(), format.clone()));
        Ok(format)
    }
}

impl LakeTable {
    /// The format of the table's files, or of those of a partition with a descriptor of its own.
    pub(super) fn format(&self, own: Option<&StorageDescriptor>) -> Result<FileFormat> {
        let table = self.table.storage_descriptor.as_ref();
        let serde = own
            .and_then(|d| d.serde_info.as_ref())
            .filter(|s| s.serialization_library.is_some())
            .or_else(|| table.and_then(|d| d.serde_info.as_ref()));
        let mut parameters = self.table.parameters.clone();
        let mut library = None;
        if let Some(serde) = serde {
            parameters.extend(serde.parameters.clone());
            library = serde.serialization_library.as_deref();
        }
        // What the table's files are called says nothing of a partition that has another SerDe.
        let of_table = table
            .and_then(|d| d.serde_info.as_ref())
            .and_then(|s| s.serialization_library.as_deref());
        let classification = match (own.is_some(), library) {
            (true, Some(library)) if of_table != Some(library) => own
                .and_then(|d| d.parameters.get(names::CLASSIFICATION))
                .map(String::as_str),
            _ => self.table.classification(),
        };
        let format = FileFormat::from_serde(classification, library, &parameters)
            .map_err(|e| QueryError::Unsupported(format!("{} cannot be read: {e}", self.name())))?;
        // Null markers are the table's: one file tells them, and all files have them.
        Ok(match (format, own) {
            (FileFormat::Csv(mut options), Some(_)) => {
                if let Ok(FileFormat::Csv(of_table)) = self.format(None) {
                    options.null_markers = of_table.null_markers;
                    options.literal_columns = of_table.literal_columns;
                }
                FileFormat::Csv(options)
            }
            (format, _) => format,
        })
    }

    /// A parameter that holds a JSON array of texts.
    pub(super) fn texts(
        &self,
        parameters: &BTreeMap<String, String>,
        name: &str,
    ) -> Result<Vec<String>> {
        match parameters.get(name) {
            None => Ok(Vec::new()),
            Some(text) => serde_json::from_str(text).map_err(|e| {
                QueryError::Unsupported(format!(
                    "the parameter {name} of {} is no JSON array: {e}",
                    self.name()
                ))
            }),
        }
    }

    /// The globs of each location of a partition that has several.
    pub(super) fn include_by_location(
        &self,
        partition: &Partition,
    ) -> Result<Option<HashMap<String, BTreeSet<String>>>> {
        let Some(text) = partition.parameters.get(names::INCLUDE_BY_LOCATION) else {
            return Ok(None);
        };
        serde_json::from_str(text).map(Some).map_err(|e| {
            QueryError::Unsupported(format!(
                "the parameter {} of a partition of {} cannot be read: {e}",
                names::INCLUDE_BY_LOCATION,
                self.name()
            ))
        })
    }

    /// What the crawler was told to leave out. Athena reads it nonetheless.
    pub(super) fn exclusions(&self) -> Result<Exclusions> {
        let globs = self.texts(&self.table.parameters, names::EXCLUSIONS)?;
        Exclusions::new(globs).map_err(|e| {
            let (name, table) = (names::EXCLUSIONS, self.name());
            QueryError::Unsupported(format!("the parameter {name} of {table}: {e}"))
        })
    }

    /// The values of the partition keys, by how catalogs write them.
    pub(super) fn values(&self, texts: &[String]) -> Result<Vec<ScalarValue>> {
        if texts.len() != self.partition_fields.len() {
            return Err(QueryError::Unsupported(format!(
                "a partition of {} has {} values for {} keys",
                self.name(),
                texts.len(),
                self.partition_fields.len()
            )));
        }
        texts
            .iter()
            .zip(&self.partition_fields)
            .map(|(text, field)| {
                key_value(text, field).ok_or_else(|| {
                    QueryError::Unsupported(format!(
                        "the partition {} of {} has the value '{text}', which is no {}",
                        texts.join("/"),
                        self.name(),
                        mastic_schema::hive::format_type(field.data_type())
                    ))
                })
            })
            .collect()
    }

    /// What Hive names the folder of a partition of these values.
    pub(super) fn partition_name(&self, texts: &[String]) -> String {
        let keys = self.partition_fields.iter().map(|f| f.name().as_str());
        folder(keys.zip(texts.iter().map(|t| Some(t.as_str()))))
    }

    /// How the files of a partition are told and read; `include` are its table's globs.
    pub(super) fn describe(
        &self,
        partition: &Partition,
        values: Vec<ScalarValue>,
        include: &Arc<BTreeSet<String>>,
        formats: &mut Formats,
    ) -> Result<About> {
        let own = self.texts(&partition.parameters, names::INCLUDE)?;
        let include = if own.is_empty() {
            include.clone()
        } else {
            Arc::new(own.into_iter().collect())
        };
        Ok(About {
            format: formats.of(self, partition)?,
            values,
            include,
            name: self.partition_name(&partition.values),
        })
    }
}
