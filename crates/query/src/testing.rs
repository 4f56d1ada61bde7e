//! Lakes that tests make: real files, and tables that say what they are.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::parquet::arrow::ArrowWriter;
use mastic_catalog::{
    CatalogStore, Change, ChangeSet, Column, Database, Expected, OpenMode, Partition,
    PartitionChanges, SerDeInfo, StorageDescriptor, Table,
};
use mastic_lake::store::Stores;

use crate::Session;

/// A folder with a catalog, whose database is `d`.
pub(crate) struct Lake {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) catalog: Arc<dyn CatalogStore>,
    pub(crate) session: Session,
}

impl Lake {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("c.db").display().to_string();
        let catalog = mastic_catalog::open(&url, OpenMode::CreateIfMissing)
            .await
            .unwrap();
        let change = Change::CreateDatabase {
            database: Database::new("d"),
            if_not_exists: true,
        };
        catalog
            .apply(ChangeSet::new("test").with(change))
            .await
            .unwrap();
        let session = Session::open(catalog.clone(), Arc::new(Stores::default()), Some("d"))
            .await
            .unwrap();
        Lake {
            dir,
            catalog,
            session,
        }
    }

    pub(crate) fn path(&self, below: &str) -> String {
        self.dir.path().join(below).display().to_string()
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn parquet(&self, file: &str, batch: &RecordBatch) {
        self.write(file, "");
        let out = std::fs::File::create(self.dir.path().join(file)).unwrap();
        let mut writer = ArrowWriter::try_new(out, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    }

    /// Puts a table at the folder of its name, with all of its partitions.
    pub(crate) async fn put(&self, table: Table, partitions: Vec<Partition>) {
        let change = Change::PutTable {
            table,
            expected: Expected::Any,
            partitions: PartitionChanges {
                put: partitions,
                ..PartitionChanges::none()
            },
        };
        self.catalog
            .apply(ChangeSet::new("test").with(change))
            .await
            .unwrap();
    }

    /// A table of a format at the folder of its name.
    pub(crate) fn table(
        &self,
        name: &str,
        format: &str,
        columns: &[(&str, &str)],
        keys: &[(&str, &str)],
    ) -> Table {
        let columns_of = |columns: &[(&str, &str)]| {
            let columns = columns.iter().map(|(n, t)| Column::new(*n, *t));
            columns.collect::<Vec<_>>()
        };
        let mut table = Table::new("d", name);
        table.partition_keys = columns_of(keys);
        table.parameters = [("classification".to_owned(), format.to_owned())].into();
        table.storage_descriptor = Some(StorageDescriptor {
            location: Some(self.path(name)),
            columns: columns_of(columns),
            serde_info: Some(serde(format)),
            ..StorageDescriptor::default()
        });
        table
    }

    /// A partition of one key in the folder of its name, as its table says or in a format of its own.
    pub(crate) fn partition(&self, value: &str, folder: &str, format: Option<&str>) -> Partition {
        let mut partition = Partition::new([value], self.path(folder));
        if let Some(descriptor) = &mut partition.storage_descriptor {
            descriptor.serde_info = format.map(serde);
        }
        partition
    }

    /// The rows of a statement's answer, cells with commas between them, in their order.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        match self.try_rows(sql).await {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}: {error} {:?}", error.hint()),
        }
    }

    pub(crate) async fn try_rows(&self, sql: &str) -> crate::Result<Vec<String>> {
        let batches = self.session.sql(sql).await?.collect().await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
                rows.push(cells.join(","));
            }
        }
        Ok(rows)
    }

    /// The message and the hint of a statement that fails.
    pub(crate) async fn error(&self, sql: &str) -> (String, String) {
        match self.try_rows(sql).await {
            Ok(rows) => panic!("{sql} answers {rows:?}"),
            Err(error) => (error.to_string(), error.hint().unwrap_or_default()),
        }
    }

    /// The names of a statement's columns.
    pub(crate) async fn columns(&self, sql: &str) -> Vec<String> {
        let frame = match self.session.sql(sql).await {
            Ok(frame) => frame,
            Err(error) => panic!("{sql}: {error}"),
        };
        let fields = frame.schema().fields().iter();
        fields.map(|f| f.name().clone()).collect()
    }
}

/// The SerDe of a format, as Hive names it.
pub(crate) fn serde(format: &str) -> SerDeInfo {
    let (library, parameters) = match format {
        "csv" => (
            "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            vec![("field.delim", ",")],
        ),
        "json" => ("org.openx.data.jsonserde.JsonSerDe", vec![]),
        _ => (
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            vec![],
        ),
    };
    SerDeInfo {
        serialization_library: Some(library.to_owned()),
        parameters: parameters
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        ..SerDeInfo::default()
    }
}
