//! Where the partitions of a table lie already.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::Fields;
use datafusion::error::DataFusionError;
use mastic_catalog::{CatalogStore, HIVE_DEFAULT_PARTITION, Partition};
use mastic_lake::sink::{folder, key_texts};
use mastic_lake::store::{Location, Stores};

use super::columns::told;
use super::existing::Existing;
use crate::error::Result;

/// A partition that the catalog has.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) values: Vec<String>,
    pub(super) location: String,
    /// Whether it lies below the table's folder.
    pub(super) below: bool,
    /// Whether another partition has the same values, written otherwise (`1` and `01` of a number).
    pub(super) twice: bool,
}

/// The partitions of a table, by Hive's folders for their values.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) known: HashMap<String, Known>,
    /// The folders below the table's that are not Hive's for their values.
    pub(super) folders: Arc<HashMap<String, String>>,
}

impl Places {
    /// Reads them from the catalog.
    pub(super) async fn read(
        existing: &Existing,
        catalog: &dyn CatalogStore,
        stores: &Stores,
    ) -> Result<Self> {
        let table = &existing.table;
        let partitions = catalog
            .get_partitions(&table.database_name, &table.name, table.version_id, None)
            .await?;
        let hive = hive_folders(&existing.keys, &partitions)?;
        let mut places = Places::default();
        let mut folders = HashMap::new();
        let mut lying = Vec::new();
        for (partition, hive) in partitions.iter().zip(hive) {
            let location = partition.location().unwrap_or_default();
            let place = stores.locate(location)?;
            let own = below(&existing.root, &place);
            if let Some(known) = places.known.get_mut(&hive) {
                known.twice = true;
                continue;
            }
            if let Some(own) = &own {
                lying.push(own.clone());
                if *own != hive {
                    folders.insert(hive.clone(), own.clone());
                }
            }
            places.known.insert(
                hive,
                Known {
                    values: partition.values.clone(),
                    location: location.to_owned(),
                    below: own.is_some(),
                    twice: false,
                },
            );
        }
        if !folders.is_empty() {
            check_apart(existing, &lying)?;
        }
        places.folders = Arc::new(folders);
        Ok(places)
    }

    /// The folder, below the table's, that Hive's folder for some values stands for.
    pub(super) fn folder<'a>(&'a self, hive: &'a str) -> &'a str {
        self.folders.get(hive).map_or(hive, String::as_str)
    }
}

/// A place's folder below another place, where it lies there.
fn below(root: &Location, place: &Location) -> Option<String> {
    if root.store_url != place.store_url {
        return None;
    }
    let (root, place) = (root.path.as_ref(), place.path.as_ref());
    match place.strip_prefix(root)? {
        "" => Some(String::new()),
        rest if root.is_empty() => Some(rest.to_owned()),
        rest => rest.strip_prefix('/').map(str::to_owned),
    }
}

/// Refuses a table one of whose partitions lies within another: what replaces one would delete the other.
fn check_apart(existing: &Existing, folders: &[String]) -> Result<()> {
    let all: HashSet<&str> = folders.iter().map(String::as_str).collect();
    for folder in folders {
        let mut above = folder.as_str();
        while !above.is_empty() {
            above = above.rsplit_once('/').map_or("", |(above, _)| above);
            if all.contains(above) {
                return Err(told(
                    format!(
                        "nothing can be inserted into {}: its partition in '{folder}' lies within that in '{above}'",
                        existing.name()
                    ),
                    None,
                ));
            }
        }
    }
    Ok(())
}

/// Hive's folders for the values of partitions, whatever way the values are written in.
fn hive_folders(keys: &Fields, partitions: &[Partition]) -> Result<Vec<String>> {
    let mut columns = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let texts: Vec<Option<&str>> = partitions
            .iter()
            .map(|p| p.values.get(at).map(String::as_str))
            .map(|text| text.filter(|text| *text != HIVE_DEFAULT_PARTITION))
            .collect();
        let array: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let typed = cast(&array, key.data_type()).map_err(DataFusionError::from)?;
        let rendered = key_texts(&typed).map_err(DataFusionError::from)?;
        // What is no value of the key's stays as it is written.
        let column: Vec<Option<String>> = rendered
            .into_iter()
            .zip(texts)
            .map(|(rendered, text)| rendered.or_else(|| text.map(str::to_owned)))
            .collect();
        columns.push(column);
    }
    let of = |row: usize| {
        let values = columns.iter().map(|column| column.get(row)?.as_deref());
        folder(keys.iter().map(|key| key.name().as_str()).zip(values))
    };
    Ok((0..partitions.len()).map(of).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn values_of_one_meaning_have_one_folder() {
        let keys = Fields::from(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("s", DataType::Utf8, true),
        ]);
        let of = |n: &str, s: &str| Partition::new([n, s], "/x");
        let folders = hive_folders(
            &keys,
            &[
                of("01", "a b"),
                of("1", "a/b"),
                of("x", ""),
                of(HIVE_DEFAULT_PARTITION, HIVE_DEFAULT_PARTITION),
            ],
        )
        .unwrap();
        assert_eq!(
            folders,
            [
                "n=1/s=a b",
                "n=1/s=a%2Fb",
                "n=x/s=__HIVE_DEFAULT_PARTITION__",
                "n=__HIVE_DEFAULT_PARTITION__/s=__HIVE_DEFAULT_PARTITION__"
            ]
        );
    }

    #[test]
    fn places_lie_below_others() {
        let stores = Stores::default();
        let place = |url: &str| stores.locate(url).unwrap();
        let root = place("/lake/t");
        assert_eq!(below(&root, &place("/lake/t/a/b")).as_deref(), Some("a/b"));
        assert_eq!(below(&root, &root).as_deref(), Some(""));
        assert_eq!(below(&root, &place("/lake/tt/a")), None);
        assert_eq!(below(&place("/"), &place("/a")).as_deref(), Some("a"));
    }
}
