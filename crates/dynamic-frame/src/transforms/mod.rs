//! The transforms, one a file. Each is a method of [`crate::DynamicFrame`].

mod apply_mapping;
mod drop_fields;
mod drop_null_fields;
mod filter;
mod join;
mod map;
mod rename_field;
mod select_fields;
mod sql;
mod union;

pub use apply_mapping::Mapping;
pub use join::{JoinKey, JoinKind};
pub use map::Change;
pub use sql::sql_frames;
