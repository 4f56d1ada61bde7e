//! The transforms, one a file. Each is a method of [`crate::DynamicFrame`].

mod apply_mapping;
mod ddb;
mod drop_fields;
mod drop_null_fields;
mod fill_missing;
mod filter;
mod flat_map;
mod join;
mod kmeans;
mod lookup;
mod map;
mod merge;
mod relationalize;
mod rename_field;
mod repartition;
mod resolve_choice;
mod select_fields;
mod spigot;
mod split;
mod sql;
mod unbox;
mod unbox_infer;
mod union;
mod unnest;

pub use apply_mapping::{Mapping, OnError};
pub use fill_missing::{Fill, FillMethod};
pub use flat_map::FlatMap;
pub use join::{JoinKey, JoinKind};
pub use kmeans::Kmeans;
pub use lookup::{Lookup, Missing, Multiple};
pub use map::Change;
pub use resolve_choice::ChoiceAction;
pub use split::Comparison;
pub use sql::sql_frames;
pub use unbox::{Unbox, UnboxFormat};
