//! What differs between two versions of a table.

use std::collections::BTreeSet;
use std::fmt;

use arrow_schema::{Field, Fields};
use mastic_schema::changes::{ChangeKind, schema_changes};
use mastic_schema::hive::{format_type, parse_type};
use serde::Serialize;

use crate::error::Result;
use crate::model::{Column, Parameters, StorageDescriptor, Table, VersionId};
use crate::store::{CatalogStore, PartitionDiff};

/// What differs between two definitions of a table. Empty lists where nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableDiff {
    /// The database of the later one.
    pub database_name: String,
    /// The name of the later one.
    pub name: String,
    /// The earlier version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<VersionId>,
    /// The later version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<VersionId>,
    /// Data columns, nested fields included.
    pub columns: Vec<ValueChange>,
    /// Partition keys.
    pub partition_keys: Vec<ValueChange>,
    /// Location, format, SerDe and the rest, by Glue's names: `StorageDescriptor.Location`.
    pub properties: Vec<ValueChange>,
    /// The table's parameters.
    pub parameters: Vec<ValueChange>,
    /// Partitions; empty where only the tables were compared.
    pub partitions: PartitionDiff,
}

/// Something that has another value, or that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ValueChange {
    /// What it is: a column's path, a parameter's name…
    pub name: String,
    /// Its value (a column's type) before; `None`: it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its value (a column's type) after; `None`: it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl TableDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
            && self.partition_keys.is_empty()
            && self.properties.is_empty()
            && self.parameters.is_empty()
            && self.partitions.is_empty()
    }
}

/// Compares two definitions of a table, without partitions. Times and versions are of no account.
pub fn diff_tables(old: &Table, new: &Table) -> TableDiff {
    let mut properties = Vec::new();
    let mut property = |name: &str, from: Option<String>, to: Option<String>| {
        if from != to {
            properties.push(ValueChange {
                name: name.to_owned(),
                from,
                to,
            });
        }
    };
    property(
        "Description",
        old.description.clone(),
        new.description.clone(),
    );
    property("Owner", old.owner.clone(), new.owner.clone());
    property("TableType", old.table_type.clone(), new.table_type.clone());
    property("Retention", text(old.retention), text(new.retention));
    property(
        "ViewOriginalText",
        old.view_original_text.clone(),
        new.view_original_text.clone(),
    );
    property(
        "ViewExpandedText",
        old.view_expanded_text.clone(),
        new.view_expanded_text.clone(),
    );
    let empty = StorageDescriptor::default();
    let (from, to) = (
        descriptor_properties(old.storage_descriptor.as_ref().unwrap_or(&empty)),
        descriptor_properties(new.storage_descriptor.as_ref().unwrap_or(&empty)),
    );
    for ((name, from), (_, to)) in from.into_iter().zip(to) {
        property(&format!("StorageDescriptor.{name}"), from, to);
    }
    for (what, from, to) in [
        ("Columns", old.columns(), new.columns()),
        (
            "PartitionKeys",
            &old.partition_keys[..],
            &new.partition_keys[..],
        ),
    ] {
        for column in to {
            if let Some(before) = from.iter().find(|before| before.name == column.name) {
                property(
                    &format!("{what}.{}.Comment", column.name),
                    before.comment.clone(),
                    column.comment.clone(),
                );
                for change in compare_parameters(&before.parameters, &column.parameters) {
                    let name = format!("{what}.{}.Parameters.{}", column.name, change.name);
                    property(&name, change.from, change.to);
                }
            }
        }
        let (before, after) = (order(from, to), order(to, from));
        if before != after {
            property(&format!("{what} (order)"), Some(before), Some(after));
        }
    }
    let parameters = |descriptor: &Option<StorageDescriptor>| -> (Parameters, Parameters) {
        descriptor
            .as_ref()
            .map_or_else(Default::default, |descriptor| {
                let serde = descriptor
                    .serde_info
                    .as_ref()
                    .map(|serde| serde.parameters.clone());
                (descriptor.parameters.clone(), serde.unwrap_or_default())
            })
    };
    let (from, to) = (
        parameters(&old.storage_descriptor),
        parameters(&new.storage_descriptor),
    );
    for (prefix, from, to) in [
        ("StorageDescriptor.Parameters", from.0, to.0),
        ("StorageDescriptor.SerdeInfo.Parameters", from.1, to.1),
    ] {
        for change in compare_parameters(&from, &to) {
            property(&format!("{prefix}.{}", change.name), change.from, change.to);
        }
    }

    TableDiff {
        database_name: new.database_name.clone(),
        name: new.name.clone(),
        from: old.version_id,
        to: new.version_id,
        columns: compare_columns(old.columns(), new.columns()),
        partition_keys: compare_columns(&old.partition_keys, &new.partition_keys),
        properties,
        parameters: compare_parameters(&old.parameters, &new.parameters),
        partitions: PartitionDiff::default(),
    }
}

/// Compares two versions of a table, with their partitions.
pub async fn diff_versions(
    store: &dyn CatalogStore,
    database: &str,
    name: &str,
    from: VersionId,
    to: VersionId,
) -> Result<TableDiff> {
    let old = store.get_table_version(database, name, from).await?;
    let new = store.get_table_version(database, name, to).await?;
    let mut diff = diff_tables(&old, &new);
    diff.partitions = store.diff_partitions(database, name, from, to).await?;
    Ok(diff)
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// All of a descriptor but columns and parameters, in one order.
fn descriptor_properties(descriptor: &StorageDescriptor) -> Vec<(&'static str, Option<String>)> {
    let serde = descriptor.serde_info.as_ref();
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
    let sorted: Vec<String> = descriptor
        .sort_columns
        .iter()
        .map(|order| {
            format!(
                "{}{}",
                order.column,
                if order.sort_order == 0 { " desc" } else { "" }
            )
        })
        .collect();
    vec![
        ("Location", descriptor.location.clone()),
        ("InputFormat", descriptor.input_format.clone()),
        ("OutputFormat", descriptor.output_format.clone()),
        ("Compressed", text(descriptor.compressed)),
        ("NumberOfBuckets", text(descriptor.number_of_buckets)),
        ("SerdeInfo.Name", serde.and_then(|serde| serde.name.clone())),
        (
            "SerdeInfo.SerializationLibrary",
            serde.and_then(|serde| serde.serialization_library.clone()),
        ),
        ("BucketColumns", list(&descriptor.bucket_columns)),
        ("SortColumns", list(&sorted)),
        (
            "SkewedInfo",
            descriptor
                .skewed_info
                .as_ref()
                .and_then(|skewed| serde_json::to_string(skewed).ok()),
        ),
        (
            "StoredAsSubDirectories",
            text(descriptor.stored_as_sub_directories),
        ),
    ]
}

/// The names of the columns that the other has too, in this one's order.
fn order(columns: &[Column], other: &[Column]) -> String {
    let names: BTreeSet<&str> = other.iter().map(|column| column.name.as_str()).collect();
    let common: Vec<&str> = columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| names.contains(name))
        .collect();
    common.join(", ")
}

fn compare_parameters(old: &Parameters, new: &Parameters) -> Vec<ValueChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| ValueChange {
            name: name.clone(),
            from: old.get(name).cloned(),
            to: new.get(name).cloned(),
        })
        .collect()
}

/// Field by field where every type is one; by column and text where one is not, so that a broken definition can
/// still be compared.
fn compare_columns(old: &[Column], new: &[Column]) -> Vec<ValueChange> {
    let fields = |columns: &[Column]| -> Option<Fields> {
        columns
            .iter()
            .map(|column| {
                Some(Field::new(
                    &column.name,
                    parse_type(column.hive_type()).ok()?,
                    true,
                ))
            })
            .collect()
    };
    if let (Some(old), Some(new)) = (fields(old), fields(new)) {
        return schema_changes(&old, &new)
            .into_iter()
            .map(|change| {
                let (from, to) = match &change.kind {
                    ChangeKind::Added { data_type } => (None, Some(format_type(data_type))),
                    ChangeKind::Removed { data_type } => (Some(format_type(data_type)), None),
                    ChangeKind::Retyped { from, to } => {
                        (Some(format_type(from)), Some(format_type(to)))
                    }
                    // A kind this crate does not know yet still shows that the column differs.
                    _ => (None, None),
                };
                ValueChange {
                    name: change.path,
                    from,
                    to,
                }
            })
            .collect();
    }
    let types = |columns: &[Column]| -> Parameters {
        columns
            .iter()
            .map(|column| (column.name.clone(), column.hive_type().to_owned()))
            .collect()
    };
    compare_parameters(&types(old), &types(new))
}

impl fmt::Display for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "+ {}: {to}", self.name),
            (Some(from), None) => write!(f, "- {}: {from}", self.name),
            (Some(from), Some(to)) => write!(f, "~ {}: {from} → {to}", self.name),
            (None, None) => write!(f, "~ {}", self.name),
        }
    }
}

/// How many partitions of a kind are printed before the rest is only counted.
const SHOWN_PARTITIONS: usize = 20;

impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "no difference");
        }
        for (title, changes) in [
            ("columns", &self.columns),
            ("partition keys", &self.partition_keys),
            ("properties", &self.properties),
            ("parameters", &self.parameters),
        ] {
            if !changes.is_empty() {
                writeln!(f, "{title}")?;
                for change in changes {
                    writeln!(f, "  {change}")?;
                }
            }
        }
        if !self.partitions.is_empty() {
            writeln!(f, "partitions")?;
        }
        for (sign, partitions) in [
            ('+', &self.partitions.added),
            ('-', &self.partitions.removed),
            ('~', &self.partitions.changed),
        ] {
            for values in partitions.iter().take(SHOWN_PARTITIONS) {
                writeln!(f, "  {sign} {}", values.join("/"))?;
            }
            if partitions.len() > SHOWN_PARTITIONS {
                writeln!(f, "  {sign} … {} more", partitions.len() - SHOWN_PARTITIONS)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SerDeInfo;

    fn table(columns: &[(&str, &str)], location: &str) -> Table {
        let mut table = Table::new("d", "t");
        table.storage_descriptor = Some(StorageDescriptor {
            columns: columns
                .iter()
                .map(|(name, text)| Column::new(*name, *text))
                .collect(),
            location: Some(location.to_owned()),
            ..StorageDescriptor::default()
        });
        table
    }

    #[test]
    fn each_difference_is_told_once() {
        let old = table(
            &[
                ("id", "int"),
                ("doc", "struct<a:int,b:string>"),
                ("gone", "date"),
            ],
            "s3://b/old/",
        );
        let mut new = table(
            &[
                ("id", "bigint"),
                ("doc", "struct<a:int,c:string>"),
                ("fresh", "date"),
            ],
            "s3://b/new/",
        );
        new.partition_keys = vec![Column::new("year", "int")];
        new.parameters.insert("classification".into(), "csv".into());
        if let Some(descriptor) = &mut new.storage_descriptor {
            descriptor.serde_info = Some(SerDeInfo {
                parameters: [("field.delim".to_owned(), ";".to_owned())].into(),
                ..SerDeInfo::default()
            });
        }
        let diff = diff_tables(&old, &new);
        let text = diff.to_string();
        for line in [
            "  ~ id: int → bigint\n",
            "  - doc.b: string\n",
            "  + doc.c: string\n",
            "  - gone: date\n",
            "  + fresh: date\n",
            "  + year: int\n",
            "  ~ StorageDescriptor.Location: s3://b/old/ → s3://b/new/\n",
            "  + StorageDescriptor.SerdeInfo.Parameters.field.delim: ;\n",
            "  + classification: csv\n",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line:?} in\n{text}");
        }
        assert_eq!(text.lines().count(), 9 + 4, "{text}");
        assert!(diff_tables(&new, &new).is_empty());
    }

    #[test]
    fn types_that_are_none_are_compared_as_text() {
        let diff = diff_tables(&table(&[("a", "wat")], "x"), &table(&[("a", "int")], "x"));
        assert_eq!(diff.to_string(), "columns\n  ~ a: wat → int\n");
    }

    #[test]
    fn another_order_of_columns_is_a_difference() {
        let diff = diff_tables(
            &table(&[("a", "int"), ("b", "int")], "x"),
            &table(&[("b", "int"), ("a", "int")], "x"),
        );
        assert_eq!(
            diff.to_string(),
            "properties\n  ~ Columns (order): a, b → b, a\n"
        );
    }
}
