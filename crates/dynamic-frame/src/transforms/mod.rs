//! The transforms, one a file. Each is a method of [`crate::DynamicFrame`].

mod apply_mapping;
mod ddb;
mod drop_fields;
mod drop_null_fields;
mod filter;
mod join;
mod map;
mod relationalize;
mod rename_field;
mod resolve_choice;
mod select_fields;
mod split;
mod sql;
mod union;
mod unnest;

pub use apply_mapping::{Mapping, OnError};
pub use join::{JoinKey, JoinKind};
pub use map::Change;
pub use resolve_choice::ChoiceAction;
pub use split::Comparison;
pub use sql::sql_frames;
