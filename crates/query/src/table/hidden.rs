//! Columns that every table has and `*` does not show: where a record's file is, how large it is and when it changed.
//!
//! Source of names and types: "Metadata columns", Hive connector, Trino documentation.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;
use mastic_lake::store::Location;
use object_store::ObjectMeta;

/// The URL of a record's file: `s3://bucket/a/b.parquet`, or an absolute path.
pub(crate) const PATH: &str = "$path";
/// How many bytes it has.
pub(crate) const FILE_SIZE: &str = "$file_size";
/// When it was last changed.
pub(crate) const FILE_MODIFIED_TIME: &str = "$file_modified_time";
/// The partition it belongs to, as Hive names folders: `year=2024/month=01`.
pub(crate) const PARTITION: &str = "$partition";

/// All of them.
pub(crate) const NAMES: [&str; 4] = [PATH, FILE_SIZE, FILE_MODIFIED_TIME, PARTITION];

/// The hidden columns of a table of these columns: a column of its own has the name first.
pub(crate) fn fields<'a>(taken: impl Iterator<Item = &'a FieldRef> + Clone) -> Vec<FieldRef> {
    let zone = || Some(Arc::from("UTC"));
    [
        (PATH, DataType::Utf8View),
        (FILE_SIZE, DataType::Int64),
        (
            FILE_MODIFIED_TIME,
            DataType::Timestamp(TimeUnit::Millisecond, zone()),
        ),
        (PARTITION, DataType::Utf8View),
    ]
    .into_iter()
    .filter(|(name, _)| taken.clone().all(|f| f.name() != name))
    .map(|(name, of)| Arc::new(Field::new(name, of, true)))
    .collect()
}

/// The values of these hidden columns for a file; `partition` is the name of its partition, where it has one.
pub(super) fn values(
    fields: &[FieldRef],
    place: &Location,
    meta: &ObjectMeta,
    partition: Option<&str>,
) -> Vec<ScalarValue> {
    fields
        .iter()
        .map(|field| match field.name().as_str() {
            PATH => ScalarValue::Utf8View(Some(place.url_of(&meta.location))),
            FILE_SIZE => ScalarValue::Int64(i64::try_from(meta.size).ok()),
            FILE_MODIFIED_TIME => ScalarValue::TimestampMillisecond(
                Some(meta.last_modified.timestamp_millis()),
                Some(Arc::from("UTC")),
            ),
            _ => ScalarValue::Utf8View(partition.map(str::to_owned)),
        })
        .collect()
}
