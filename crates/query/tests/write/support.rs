//! A lake and a catalog in a temporary folder, and statements over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use mastic_catalog::{CatalogStore, OpenMode, Partition, Table};
use mastic_lake::store::Stores;
use mastic_query::{MemoryLimit, QueryError, Session};
use tempfile::TempDir;

pub(crate) struct Lake {
    dir: TempDir,
    pub(crate) catalog: Arc<dyn CatalogStore>,
    pub(crate) session: Session,
}

impl Lake {
    pub(crate) async fn new() -> Self {
        Self::within(None).await
    }

    pub(crate) async fn within(limit: Option<MemoryLimit>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db").display().to_string();
        let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing)
            .await
            .unwrap();
        let stores = Arc::new(Stores::default());
        let session = Session::open_within(catalog.clone(), stores, None, limit)
            .await
            .unwrap();
        Lake {
            dir,
            catalog,
            session,
        }
    }

    /// Another session over the same catalog.
    pub(crate) async fn other(&self) -> Session {
        let stores = Arc::new(Stores::default());
        Session::open(self.catalog.clone(), stores, None)
            .await
            .unwrap()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn url(&self, relative: &str) -> String {
        self.path(relative).display().to_string()
    }

    /// The rows of an answer, cells joined by `|`, NULL as `NULL`.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.session, sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Carries out a statement that writes; how many rows it says there were.
    pub(crate) async fn write(&self, sql: &str) -> u64 {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}");
        rows[0].parse().unwrap()
    }

    /// What a statement is refused with, and what to do about it.
    pub(crate) async fn refused(&self, sql: &str) -> String {
        match rows(&self.session, sql).await {
            Ok(rows) => panic!("{sql} gave {rows:?}"),
            Err(error) => format!("{error} / {}", error.hint().unwrap_or_default()),
        }
    }

    pub(crate) async fn table(&self, name: &str) -> Table {
        self.catalog.get_table("default", name).await.unwrap()
    }

    pub(crate) async fn partitions(&self, name: &str) -> Vec<Partition> {
        let found = self.catalog.get_partitions("default", name, None, None);
        found.await.unwrap()
    }

    /// The table's folder.
    pub(crate) async fn folder(&self, name: &str) -> PathBuf {
        PathBuf::from(self.table(name).await.location().unwrap())
    }

    /// All files of the temporary folder but the catalog's own, hidden ones too.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut all = files(self.dir.path());
        all.retain(|name| !name.starts_with("catalog.db"));
        all
    }
}

pub(crate) async fn rows(session: &Session, sql: &str) -> Result<Vec<String>, QueryError> {
    let batches = session.sql(sql).await?.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    Ok(rows)
}

/// The files below a folder by their paths, in their order.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The folders below a folder that have files, each once.
pub(crate) fn folders(root: &Path) -> Vec<String> {
    let mut folders: Vec<String> = files(root)
        .iter()
        .map(|file| {
            file.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        })
        .collect();
    folders.dedup();
    folders
}
