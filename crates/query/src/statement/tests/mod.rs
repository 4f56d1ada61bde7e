//! Statements over real files. Expected values are those of the documentation that the tests name, or plain arithmetic.

#![allow(clippy::unwrap_used)]

mod hostile;
mod page;
mod prepared;
mod round_trip;
mod serdes;
mod tables;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use mastic_catalog::{CatalogStore, OpenMode, Table};
use mastic_lake::store::Stores;
use tempfile::TempDir;

use crate::{QueryError, Session};

/// A folder with files, a catalog and a session.
struct Lake {
    dir: TempDir,
    session: Session,
}

impl Lake {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("c.db").display().to_string();
        let catalog = mastic_catalog::open(&url, OpenMode::CreateIfMissing)
            .await
            .unwrap();
        let session = Session::open(catalog, Arc::new(Stores::default()), None)
            .await
            .unwrap();
        let lake = Lake { dir, session };
        lake.ok("CREATE DATABASE d").await;
        lake
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// A statement in which `{dir}` is the folder.
    fn text(&self, statement: &str) -> String {
        statement.replace("{dir}", &self.path().display().to_string())
    }

    async fn batches(&self, statement: &str) -> Result<Vec<RecordBatch>, QueryError> {
        let frame = self.session.sql(&self.text(statement)).await?;
        Ok(frame.collect().await?)
    }

    /// The answer: cells with `|` between them.
    async fn rows(&self, statement: &str) -> Vec<String> {
        let batches = self
            .batches(statement)
            .await
            .unwrap_or_else(|e| panic!("{statement}: {e} ({:?}, {:?})", e.place(), e.hint()));
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| {
                    if column.is_null(row) {
                        "NULL".to_owned()
                    } else {
                        array_value_to_string(column, row).unwrap()
                    }
                });
                rows.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
        rows
    }

    /// A statement that does something, and what it says.
    async fn ok(&self, statement: &str) -> String {
        self.rows(statement).await.join("\n")
    }

    /// A statement that is refused: its message and hint.
    async fn refused(&self, statement: &str) -> (String, Option<String>) {
        match self.batches(statement).await {
            Ok(_) => panic!("{statement} is not refused"),
            Err(error) => (error.to_string(), error.hint()),
        }
    }

    async fn table(&self, name: &str) -> Table {
        self.session.catalog().get_table("d", name).await.unwrap()
    }

    fn catalog(&self) -> &Arc<dyn CatalogStore> {
        self.session.catalog()
    }
}
