//! Transforms of nested records and of choices, on small frames.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

mod apply_mapping;
mod ddb;
mod expressions;
mod relationalize;
mod resolve_choice;
mod split;
mod support;
mod unnest;
