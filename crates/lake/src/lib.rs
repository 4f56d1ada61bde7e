//! What is stored: object stores by URL, listings, compression, and every file format.
//!
//! * [`store`]: `s3://bucket/prefix` or a local path becomes a [`store::Location`];
//! * [`list`]: the visible data files below a location;
//! * [`compress`]: compression told by magic bytes, read member by member;
//! * [`mod@format`]: every format in one place: sniffed, inferred, decoded;
//! * [`scan`]: files as a DataFusion plan, bound to a table's schema by name;
//! * [`sink`]: the partitioned writer that commits by manifest.
//!
//! This crate knows nothing of catalogs, databases or tables.

pub mod compress;
pub mod error;
pub mod footers;
pub mod format;
pub mod infer;
pub mod input;
pub mod list;
mod option;
pub mod scan;
pub mod sink;
pub mod store;
pub mod value;

pub use error::{LakeError, Result};
