//! The catalog as a JSON document in Glue's shapes: out, and in again.
//!
//! An export looks like this, with databases, tables and partitions as Glue's API prints each:
//!
//! ```json
//! { "Databases": [ { "Database": { "Name": "sales" },
//!                    "Tables": [ { "Table": { "Name": "orders" }, "Partitions": [ { "Values": ["2024"] } ] } ] } ],
//!   "Classifiers": [ { "CsvClassifier": { "Name": "percent", "Delimiter": "%" } } ],
//!   "Crawlers": [ { "Name": "nightly", "DatabaseName": "sales", "Classifiers": ["percent"],
//!                   "Targets": { "S3Targets": [ { "Path": "s3://lake/orders/" } ] } } ],
//!   "Bookmarks": [ { "JobName": "clean", "SourceName": "orders",
//!                    "Objects": [ { "Path": "s3://lake/orders/1.csv", "Size": 7 } ] } ],
//!   "Transforms": [ { "Name": "customers", "Model": { "format": 2 } } ] }
//! ```
//!
//! The history of crawls and runs stays where it was made.
//!
//! An import takes that, and what the AWS CLI prints: `aws glue get-database(s)`, `get-table(s)`,
//! `get-partition(s)`, `get-crawler(s)`, `get-classifier(s)`: `{"Database": …}`, `{"DatabaseList": […]}`, `{"Table": …}`, `{"TableList": […]}`,
//! `{"Partition": …}`, `{"Partitions": […]}`, `{"Crawler": …}`, `{"Crawlers": […]}`, `{"Classifier": …}`,
//! `{"Classifiers": […]}`, alone or in one object, or several such objects one after the other
//! (as `cat *.json` gives).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CatalogError, Result};
use crate::model::{
    BookmarkPosition, Classifier, Crawler, Database, MlTransform, Partition, SourceObject, Table,
    optional_time,
};
use crate::store::{Applied, CatalogStore, Change, ChangeSet, Expected, PartitionChanges};

/// A catalog, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Document {
    /// The databases, each with its tables.
    pub databases: Vec<DatabaseDocument>,
    /// The classifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classifiers: Vec<Classifier>,
    /// The crawlers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crawlers: Vec<Crawler>,
    /// Where job bookmarks stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bookmarks: Vec<BookmarkDocument>,
    /// The transforms, with all that they have learned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<MlTransform>,
}

/// Where a bookmark stands, without how it came there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BookmarkDocument {
    /// The job.
    pub job_name: String,
    /// The source.
    pub source_name: String,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Objects that were last modified at this time or before count as seen.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_time")]
    pub up_to: Option<DateTime<Utc>>,
    /// The objects that were seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<SourceObject>,
}

/// A database with its tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DatabaseDocument {
    /// The database.
    pub database: Database,
    /// Its tables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableDocument>,
}

/// A table with its partitions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TableDocument {
    /// The table.
    pub table: Table,
    /// Its partitions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
}

/// The current state of these databases, with the crawlers that write to them, the classifiers that those name and the
/// transforms whose entities are tables of them; if none is named, of all databases, with all crawlers, classifiers, bookmarks
/// and transforms. Each table is read with the partitions of the very
/// version that is written; two tables may be of different moments if somebody writes meanwhile.
pub async fn export(store: &dyn CatalogStore, databases: &[&str]) -> Result<Document> {
    let wanted = if databases.is_empty() {
        store.list_databases().await?
    } else {
        let mut wanted = Vec::with_capacity(databases.len());
        for name in databases {
            wanted.push(store.get_database(name).await?);
        }
        wanted
    };
    let mut document = Document::default();
    for database in wanted {
        let mut tables = Vec::new();
        for table in store.list_tables(&database.name).await? {
            let partitions = store
                .get_partitions(&database.name, &table.name, table.version_id, None)
                .await?;
            tables.push(TableDocument { table, partitions });
        }
        document
            .databases
            .push(DatabaseDocument { database, tables });
    }
    document.crawlers = store.list_crawlers().await?;
    document.classifiers = store.list_classifiers().await?;
    document.transforms = store.list_transforms().await?;
    if !databases.is_empty() {
        let exported: HashSet<&str> = document
            .databases
            .iter()
            .map(|database| database.database.name.as_str())
            .collect();
        document.crawlers.retain(|crawler| {
            let database = crawler.database_name.as_deref().unwrap_or_default();
            exported.contains(database.to_lowercase().as_str())
        });
        document.transforms.retain(|transform| {
            // A file has more to its name than DATABASE.TABLE.
            let entities = transform.entities.as_deref().unwrap_or_default();
            let table = entities
                .split_once('.')
                .filter(|_| !entities.contains(['/', '\\']));
            table.is_some_and(|(database, _)| exported.contains(database.to_lowercase().as_str()))
        });
        let named: HashSet<&str> = document
            .crawlers
            .iter()
            .flat_map(|crawler| crawler.classifiers.iter().map(String::as_str))
            .collect();
        document
            .classifiers
            .retain(|classifier| named.contains(classifier.name()));
    }
    if databases.is_empty() {
        document.bookmarks = export_bookmarks(store).await?;
    }
    Ok(document)
}

/// How many objects are read at once.
const OBJECTS_AT_ONCE: usize = 10_000;

async fn export_bookmarks(store: &dyn CatalogStore) -> Result<Vec<BookmarkDocument>> {
    let mut documents = Vec::new();
    for bookmark in store.list_bookmarks(None).await? {
        let (job, source) = (bookmark.job_name, bookmark.source_name);
        let mut objects: Vec<SourceObject> = Vec::new();
        loop {
            let after = objects.last().map(|object| object.path.as_str());
            let page = store
                .list_seen(&job, &source, "", after, OBJECTS_AT_ONCE)
                .await?;
            if page.is_empty() {
                break;
            }
            objects.extend(page);
        }
        documents.push(BookmarkDocument {
            job_name: job,
            source_name: source,
            paused: bookmark.paused,
            up_to: bookmark.up_to,
            objects,
        });
    }
    Ok(documents)
}

/// Puts what the text holds into the store, in one transaction: new databases and tables are made, tables that exist
/// get a new version where they differ, partitions are added or replaced, and so are crawlers, classifiers and transforms; a bookmark
/// that is there already stays where it stands, so that an old export makes no job repeat itself. **Nothing is deleted.** Tables without a
/// `DatabaseName` go to `default_database`.
pub async fn import(
    store: &dyn CatalogStore,
    text: &str,
    default_database: Option<&str>,
    by: impl Into<String>,
) -> Result<Applied> {
    let parsed = Parsed::read(text, default_database)?;
    let changes = parsed.into_changes(store, by.into()).await?;
    store.apply(changes).await
}

/// Everything an import may hold, at the top of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Anything {
    databases: Vec<DatabaseDocument>,
    database: Option<Database>,
    database_list: Vec<Database>,
    table: Option<Table>,
    table_list: Vec<Table>,
    partition: Option<Partition>,
    partitions: Vec<Partition>,
    partition_list: Vec<Partition>,
    // One by one, so that a mistake is told with the name.
    classifier: Option<Value>,
    classifiers: Vec<Value>,
    crawler: Option<Value>,
    crawlers: Vec<Value>,
    bookmarks: Vec<BookmarkDocument>,
    transforms: Vec<Value>,
}

/// What was read, flat.
#[derive(Debug, Default)]
struct Parsed {
    databases: Vec<Database>,
    tables: Vec<TableDocument>,
    /// Partitions of tables that may be in the document or in the store.
    partitions: Vec<Partition>,
    classifiers: Vec<Classifier>,
    crawlers: Vec<Crawler>,
    bookmarks: Vec<BookmarkDocument>,
    transforms: Vec<MlTransform>,
}

impl Parsed {
    fn read(text: &str, default_database: Option<&str>) -> Result<Self> {
        let mut parsed = Self::default();
        let mut any = false;
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let value = value.map_err(|error| invalid(error.to_string()))?;
            parsed.take(value)?;
            any = true;
        }
        if !any {
            return Err(invalid("it is empty"));
        }
        for table in parsed.tables.iter_mut().map(|table| &mut table.table) {
            if table.database_name.is_empty() {
                table.database_name = default_database
                    .ok_or_else(|| invalid(format!("table {:?} has no DatabaseName", table.name)))?
                    .to_owned();
            }
        }
        for partition in &mut parsed.partitions {
            if partition.database_name.is_empty() {
                default_database
                    .unwrap_or_default()
                    .clone_into(&mut partition.database_name);
            }
            if partition.database_name.is_empty() || partition.table_name.is_empty() {
                return Err(invalid(format!(
                    "partition {:?} does not say its DatabaseName and TableName",
                    partition.values
                )));
            }
        }
        Ok(parsed)
    }

    fn take(&mut self, value: Value) -> Result<()> {
        const KNOWN: [&str; 14] = [
            "Databases",
            "Database",
            "DatabaseList",
            "Table",
            "TableList",
            "Partition",
            "Partitions",
            "PartitionList",
            "Classifier",
            "Classifiers",
            "Crawler",
            "Crawlers",
            "Bookmarks",
            "Transforms",
        ];
        let Some(object) = value.as_object() else {
            return Err(invalid("it is not a JSON object"));
        };
        if !object.keys().any(|name| KNOWN.contains(&name.as_str())) {
            let found: Vec<&str> = object.keys().take(5).map(String::as_str).collect();
            return Err(invalid(format!(
                "it has none of {}, but {}",
                KNOWN.join(", "),
                if found.is_empty() {
                    "nothing".to_owned()
                } else {
                    found.join(", ")
                }
            )));
        }
        let anything: Anything =
            serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        for database in anything.databases {
            let name = database.database.name.clone();
            for mut table in database.tables {
                table.table.database_name.clone_from(&name);
                self.tables.push(table);
            }
            self.databases.push(database.database);
        }
        self.databases
            .extend(anything.database.into_iter().chain(anything.database_list));
        self.tables.extend(
            anything
                .table
                .into_iter()
                .chain(anything.table_list)
                .map(|table| TableDocument {
                    table,
                    partitions: Vec::new(),
                }),
        );
        self.bookmarks.extend(anything.bookmarks);
        self.partitions.extend(
            anything
                .partition
                .into_iter()
                .chain(anything.partitions)
                .chain(anything.partition_list),
        );
        for value in anything.classifier.into_iter().chain(anything.classifiers) {
            let name = value
                .as_object()
                .and_then(|object| object.values().find_map(|kind| kind.get("Name")))
                .cloned();
            self.classifiers.push(named("classifier", name, value)?);
        }
        for value in anything.crawler.into_iter().chain(anything.crawlers) {
            let name = value.get("Name").cloned();
            self.crawlers.push(named("crawler", name, value)?);
        }
        for value in anything.transforms {
            let name = value.get("Name").cloned();
            self.transforms.push(named("transform", name, value)?);
        }
        Ok(())
    }

    async fn into_changes(mut self, store: &dyn CatalogStore, by: String) -> Result<ChangeSet> {
        let mut changes = ChangeSet::new(by);
        // Partitions on their own go to their table, in the document or in the store.
        let full_name =
            |database: &str, table: &str| (database.to_lowercase(), table.to_lowercase());
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        for (place, TableDocument { table, .. }) in self.tables.iter().enumerate() {
            places.insert(full_name(&table.database_name, &table.name), place);
        }
        for partition in std::mem::take(&mut self.partitions) {
            let name = full_name(&partition.database_name, &partition.table_name);
            let place = match places.get(&name) {
                Some(place) => *place,
                None => {
                    let table = store.get_table(&name.0, &name.1).await?;
                    self.tables.push(TableDocument {
                        table,
                        partitions: Vec::new(),
                    });
                    places.insert(name, self.tables.len() - 1);
                    self.tables.len() - 1
                }
            };
            self.tables[place].partitions.push(partition);
        }
        let mut named: Vec<String> = Vec::new();
        for database in self.databases {
            named.push(database.name.to_lowercase());
            changes
                .changes
                .push(match store.get_database(&database.name).await {
                    Ok(_) => Change::UpdateDatabase { database },
                    Err(CatalogError::DatabaseNotFound { .. }) => Change::CreateDatabase {
                        database,
                        if_not_exists: true,
                    },
                    Err(error) => return Err(error),
                });
        }
        // `get-tables` without `get-database`: the database follows from the tables.
        for table in &self.tables {
            let name = table.table.database_name.to_lowercase();
            if !named.contains(&name) {
                named.push(name.clone());
                changes.changes.push(Change::CreateDatabase {
                    database: Database::new(name),
                    if_not_exists: true,
                });
            }
        }
        for TableDocument { table, partitions } in self.tables {
            changes.changes.push(Change::PutTable {
                table,
                expected: Expected::Any,
                partitions: PartitionChanges::put(partitions),
            });
        }
        // Classifiers first: crawlers name them.
        let classifiers = self
            .classifiers
            .into_iter()
            .map(|classifier| Change::PutClassifier {
                classifier,
                replace: true,
            });
        changes.changes.extend(classifiers);
        let crawlers = self.crawlers.into_iter().map(|crawler| Change::PutCrawler {
            crawler,
            replace: true,
        });
        changes.changes.extend(crawlers);
        let bookmarks = self
            .bookmarks
            .into_iter()
            .map(|bookmark| Change::SetBookmark {
                job: bookmark.job_name,
                source: bookmark.source_name,
                position: BookmarkPosition {
                    objects: bookmark.objects,
                    up_to: bookmark.up_to,
                },
                paused: bookmark.paused,
                only_new: true,
            });
        changes.changes.extend(bookmarks);
        let transforms = self.transforms.into_iter();
        let transforms = transforms.map(|transform| Change::PutTransform {
            transform: Box::new(transform),
            replace: true,
        });
        changes.changes.extend(transforms);
        Ok(changes)
    }
}

/// What the value says, or what is wrong with the thing of that name.
fn named<T: DeserializeOwned>(what: &str, name: Option<Value>, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| match name {
        Some(name) => invalid(format!("{what} {name}: {error}")),
        None => invalid(format!("a {what}: {error}")),
    })
}

fn invalid(reason: impl Into<String>) -> CatalogError {
    CatalogError::InvalidImport {
        reason: reason.into(),
    }
}
