//! Tables become SQL.
//!
//! A [`Session`] answers statements over one catalog. Each statement is planned over an immutable
//! [`snapshot`](snapshot::Snapshot): names resolve once to a table version, partitions are pruned
//! in the catalog store, files are listed, and execution never asks the catalog again.
//!
//! ```
//! use std::sync::Arc;
//! use mastic_catalog::OpenMode;
//! use mastic_lake::store::Stores;
//! use mastic_query::Session;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("c.db").display().to_string();
//! let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing).await?;
//! let session = Session::open(catalog, Arc::new(Stores::default()), None).await?;
//! let rows = session.sql("SELECT 1 + 1 AS two").await?.collect().await?;
//! assert_eq!(rows[0].num_rows(), 1);
//!
//! let error = session.sql("SELECT nothing").await.unwrap_err();
//! assert!(error.to_string().contains("nothing"));
//! # Ok(())
//! # }
//! ```

mod compact;
mod error;
pub mod execution;
mod files;
pub mod frame;
mod memory;
mod pool;
mod predicate;
mod projection;
mod relation;
mod session;
pub mod snapshot;
mod statement;
mod statistics;
mod table;
#[cfg(test)]
mod testing;
mod write;
pub mod written;

pub use self::error::{QueryError, Result};
pub use self::memory::{MemoryLimit, MemoryLimitError};
pub use self::session::{Session, SessionOptions};
pub use self::statistics::analyze;
