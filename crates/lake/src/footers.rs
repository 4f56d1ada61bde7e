//! What the footers of Parquet files tell a planner.
//!
//! A footer is read once for a scan: the planner's look puts it into a cache that the readers take it from. The
//! cache is a scan's own, as DataFusion tells its entries by path, size and time alone, whatever the store.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ColumnStatistics;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::cache::default_cache::DefaultCache;
use futures::{StreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

/// Bytes of footers that a scan keeps.
const KEPT: usize = 64 * 1024 * 1024;
/// Footers that are read at once.
const AT_ONCE: usize = 16;

/// The footers of one scan's files, which are all of one store.
#[derive(Debug, Clone)]
pub struct Footers(Arc<FileMetadataCache>);

impl Default for Footers {
    fn default() -> Self {
        Self(Arc::new(DefaultCache::new(KEPT)))
    }
}

/// What the footers of some files say of their columns.
#[derive(Debug, Clone)]
pub struct FooterFacts {
    /// Rows, and what is known of each column of the schema that was asked about. Of strings no bounds, which may be cut off.
    pub statistics: Statistics,
    /// How many bits a value of each column takes before compression, on average: an encoding by dictionary and runs
    /// needs about as many as the number of different values has.
    pub bits: Vec<Option<f64>>,
}

impl Footers {
    /// Reads the footers of some files; none where one cannot be read, as the scan itself will say.
    pub async fn read(
        &self,
        store: &Arc<dyn ObjectStore>,
        files: &[&ObjectMeta],
        schema: &SchemaRef,
    ) -> Option<FooterFacts> {
        let tasks = files.iter().map(|meta| {
            let (footers, store, meta) = (self.clone(), store.clone(), (*meta).clone());
            let schema = schema.clone();
            async move {
                let metadata = DFParquetMetadata::new(store.as_ref(), &meta)
                    .with_file_metadata_cache(Some(footers.0))
                    .with_page_index_policy(Some(PageIndexPolicy::Skip));
                let metadata = metadata.fetch_metadata().await.ok()?;
                Some((statistics(&metadata, &schema)?, sizes(&metadata, &schema)))
            }
        });
        let tasks: Vec<_> = tasks.collect();
        let mut each = stream::iter(tasks).buffered(AT_ONCE);
        let mut all: Option<(Statistics, Vec<(u64, u64)>)> = None;
        while let Some(one) = each.next().await {
            let (own, sizes) = one?;
            all = Some(match all {
                None => (own, sizes),
                Some((statistics, mut sums)) => {
                    for (sum, (bytes, values)) in sums.iter_mut().zip(sizes) {
                        sum.0 = sum.0.saturating_add(bytes);
                        sum.1 = sum.1.saturating_add(values);
                    }
                    let merged = Statistics::try_merge_iter([&statistics, &own], schema).ok()?;
                    (merged, sums)
                }
            });
        }
        let (statistics, sums) = all?;
        let bits = sums
            .into_iter()
            .map(|(bytes, values)| (values > 0).then(|| bytes as f64 * 8.0 / values as f64));
        Some(FooterFacts {
            statistics,
            bits: bits.collect(),
        })
    }

    /// What opens the files for a scan.
    pub(crate) fn readers(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ParquetFileReaderFactory> {
        Arc::new(CachedParquetFileReaderFactory::new(store, self.0.clone()))
    }
}

/// What one footer says of the columns that have the schema's own types in the file; all else is unknown.
fn statistics(metadata: &ParquetMetaData, schema: &Schema) -> Option<Statistics> {
    let file = metadata.file_metadata();
    let physical = parquet_to_arrow_schema(file.schema_descr(), None).ok()?;
    let told: Vec<usize> = (0..schema.fields().len())
        .filter(|at| {
            let field = schema.field(*at);
            let own = physical.field_with_name(field.name()).ok();
            own.is_some_and(|own| own.data_type() == field.data_type() && bounded(own.data_type()))
        })
        .collect();
    let asked = Arc::new(schema.project(&told).ok()?);
    let found = DFParquetMetadata::statistics_from_parquet_metadata(metadata, &asked).ok()?;
    let mut columns = vec![ColumnStatistics::new_unknown(); schema.fields().len()];
    for (at, column) in told.into_iter().zip(found.column_statistics) {
        if let Some(slot) = columns.get_mut(at) {
            *slot = column;
        }
    }
    Some(Statistics {
        num_rows: found.num_rows,
        total_byte_size: Precision::Absent,
        column_statistics: columns,
    })
}

/// Types whose bounds in a footer are values: not floats, among which a NaN may hide, nor texts, which may be cut off.
fn bounded(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Date32 | DataType::Timestamp(_, _) | DataType::Decimal128(_, _)
        )
}

/// The bytes before compression, and the values, of each column of the schema in a file.
fn sizes(metadata: &ParquetMetaData, schema: &Schema) -> Vec<(u64, u64)> {
    let descriptor = metadata.file_metadata().schema_descr();
    let of = |name: &str| {
        let leaf = (0..descriptor.num_columns())
            .find(|leaf| matches!(descriptor.column(*leaf).path().parts(), [only] if only == name));
        let Some(leaf) = leaf else { return (0, 0) };
        let chunks = metadata
            .row_groups()
            .iter()
            .filter_map(|g| g.columns().get(leaf));
        chunks.fold((0, 0), |(bytes, values): (u64, u64), chunk| {
            let own = |n: i64| u64::try_from(n).unwrap_or(0);
            (
                bytes.saturating_add(own(chunk.uncompressed_size())),
                values.saturating_add(own(chunk.num_values())),
            )
        })
    };
    schema
        .fields()
        .iter()
        .map(|field| of(field.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    use datafusion::common::ScalarValue;
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};
    use parquet::arrow::ArrowWriter;

    use super::*;

    async fn put(
        store: &Arc<dyn ObjectStore>,
        name: &str,
        columns: Vec<(&str, ArrayRef)>,
    ) -> ObjectMeta {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let path = object_store::path::Path::from(name);
        store.put(&path, PutPayload::from(bytes)).await.unwrap();
        store.head(&path).await.unwrap()
    }

    fn integers(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }

    #[tokio::test]
    async fn bounds_are_those_of_all_files_and_only_of_the_schemas_types() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "y"]));
        let odd: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
        let one = put(
            &store,
            "one",
            vec![("a", integers(vec![Some(3), None, Some(9)])), ("b", text)],
        )
        .await;
        let two = put(
            &store,
            "two",
            vec![("a", integers(vec![Some(-4)])), ("b", odd)],
        )
        .await;
        let schema = Arc::new(Schema::new(vec![
            arrow::datatypes::Field::new("a", DataType::Int64, true),
            arrow::datatypes::Field::new("b", DataType::Utf8View, true),
            arrow::datatypes::Field::new("c", DataType::Int64, true),
        ]));
        let found = Footers::default();
        let found = found.read(&store, &[&one, &two], &schema).await.unwrap();
        assert_eq!(found.statistics.num_rows, Precision::Exact(4));
        let a = &found.statistics.column_statistics[0];
        assert_eq!(a.min_value.get_value(), Some(&ScalarValue::Int64(Some(-4))));
        assert_eq!(a.max_value.get_value(), Some(&ScalarValue::Int64(Some(9))));
        assert_eq!(a.null_count, Precision::Exact(1));
        let b = &found.statistics.column_statistics[1];
        assert_eq!(b.min_value, Precision::Absent);
        assert!(found.bits[0].is_some() && found.bits[2].is_none());
    }

    #[tokio::test]
    async fn a_column_that_is_not_in_every_file_has_no_bounds() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let one = put(&store, "one", vec![("a", integers(vec![Some(3)]))]).await;
        let two = put(&store, "two", vec![("z", integers(vec![Some(1)]))]).await;
        let schema = Arc::new(Schema::new(vec![arrow::datatypes::Field::new(
            "a",
            DataType::Int64,
            true,
        )]));
        let found = Footers::default();
        let found = found.read(&store, &[&one, &two], &schema).await.unwrap();
        assert_eq!(
            found.statistics.column_statistics[0].min_value,
            Precision::Absent
        );
    }

    #[tokio::test]
    async fn what_is_no_parquet_tells_nothing() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = object_store::path::Path::from("x");
        store
            .put(&path, PutPayload::from_static(b"hello, this is text"))
            .await
            .unwrap();
        let meta = store.head(&path).await.unwrap();
        let schema = Arc::new(Schema::empty());
        assert!(
            Footers::default()
                .read(&store, &[&meta], &schema)
                .await
                .is_none()
        );
    }
}
