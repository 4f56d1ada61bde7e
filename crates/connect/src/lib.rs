//! Databases as sources: the tables and queries of a PostgreSQL server or a SQLite file as tables of the engine.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use datafusion::prelude::SessionContext;
//! use mastic_connect::{Connection, ConnectionTable, Relation};
//!
//! let connection: Connection = "postgresql://anna@db.example.org/shop".parse()?;
//! let users = ConnectionTable::open(connection, Relation::Table("public.users".to_owned())).await?;
//! let engine = SessionContext::new();
//! engine.register_table("users", Arc::new(users))?;
//! engine.sql("SELECT name FROM users WHERE id = 7").await?.show().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Rows are read as a stream, in batches, so that memory does not grow with a table. Nothing is ever written, and no
//! message, plan or `Debug` shows a password.
//!
//! | PostgreSQL | Arrow |
//! |---|---|
//! | `boolean`, `smallint`, `integer`, `bigint`, `real`, `double precision`, `bytea` | the same |
//! | `numeric(p, s)` with p up to 38 | decimal(p, s); with more, text |
//! | `numeric` | decimal(38, 18), as in Spark |
//! | `date`, `timestamp`, `timestamptz` | date, timestamp, timestamp in UTC; both of microseconds |
//! | everything else: `uuid`, `json`, enumerations, arrays, … | its text |
//!
//! Of SQLite, columns are what they are declared as where all of their values are: integers, doubles, text, bytes,
//! booleans (0 and 1), dates and timestamps as SQLite's functions write them; else text. What an undeclared or
//! `NUMERIC` column is, only its values tell.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that fails panics"
    )
)]

mod column;
mod error;
mod filter;
mod location;
mod postgres;
mod read;
mod relation;
mod rows;
mod sqlite;
mod table;

pub use error::{ConnectError, Result};
pub use location::{Connection, redacted, url_part};
pub use relation::Relation;
pub use table::{ConnectionScan, ConnectionTable, connection_scans};
