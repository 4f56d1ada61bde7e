//! `CREATE TABLE … AS`, `INSERT` and `UNLOAD`, over real files and a real catalog.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod create;
mod insert;
mod support;
mod unload;
