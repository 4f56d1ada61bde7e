//! What a column can be: Arrow schemas as Mastic's only type system.
//!
//! Every other crate speaks of columns in [`arrow_schema`] types. This crate holds what those
//! types lack for a lake:
//!
//! * [`hive`]: Hive and Glue type strings, to and from Arrow;
//! * [`merge`]: one type that holds what two types hold (*widening*, never failing);
//! * [`choice`]: one type that keeps two types side by side (*choosing*), as a dynamic frame does;
//! * [`plain`]: a choice as the JSON value that it is;
//! * [`origin`]: the columns that say where a record came from;
//! * [`similarity`]: how much two schemas look like the same table;
//! * [`changes`]: what differs between two versions of a schema, by path;
//! * [`names`]: column and table names as Glue normalises them, and "did you mean".
//!
//! ```
//! use arrow_schema::DataType;
//! use mastic_schema::{hive, merge};
//!
//! let point = hive::parse_type("struct<x:bigint,y:double>")?;
//! assert_eq!(hive::format_type(&point), "struct<x:bigint,y:double>");
//!
//! // A column that holds an integer in one file and text in another is text.
//! assert_eq!(merge::widen(&DataType::Int64, &DataType::Utf8), DataType::Utf8);
//! # Ok::<(), hive::TypeError>(())
//! ```
//!
//! It never opens a file, knows a store, or parses SQL.

pub mod changes;
pub mod choice;
pub mod hive;
pub mod merge;
pub mod names;
pub mod origin;
pub mod plain;
pub mod similarity;
