//! Results that are kept: written while a query runs, visible when they are whole, read again, and removed when there are
//! too many.
//!
//! A result is a few objects below a location, named by the query's id:
//!
//! | statement | objects |
//! |---|---|
//! | `SELECT` | `ID.csv` as Athena writes it, `ID.csv.metadata` |
//! | DDL, `SHOW`, `DESCRIBE`, `EXPLAIN` | `ID.txt` with tabs between values and no header, `ID.txt.metadata` |
//! | `INSERT`, `CREATE TABLE … AS`, `UNLOAD` | `ID-manifest.csv`: the files that were written, one a line; `ID.metadata` |
//! | all of them | `ID.arrows`: the rows with their exact types, as an Arrow IPC stream |
//!
//! `.metadata` is JSON here, `{"ColumnInfo": […]}` in the shape of Athena's API; Athena's own is a form without a
//! description, which no client reads: they ask the API.

mod rows;
mod text;
mod write;

use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::ipc::reader::StreamDecoder;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use mastic_catalog::{CatalogStore, QueryExecution};
use mastic_lake::LakeError;
use mastic_lake::store::Stores;
use object_store::ObjectStoreExt;

pub(super) use self::write::{ResultWriter, bytes_of};
use crate::error::{QueryError, Result};

/// How many results are kept where nobody says otherwise.
pub const KEPT_RESULTS: u32 = 1_000;
/// How many bytes of results are kept where nobody says otherwise: 4 GB.
pub const KEPT_RESULT_BYTES: u64 = 4_000_000_000;

/// Where results are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// A folder or `s3://BUCKET/PREFIX`; `None`: results are not kept.
    pub location: Option<String>,
    /// Whether somebody chose the location. That a result cannot be written there is an error then, and else only a
    /// warning.
    pub chosen: bool,
    /// The newest so many are kept.
    pub keep: u32,
    /// And of these as many as have so many bytes together. A result that has more by itself is not kept.
    pub max_bytes: u64,
}

impl Results {
    /// No result is kept.
    pub fn none() -> Self {
        Results {
            location: None,
            chosen: false,
            keep: KEPT_RESULTS,
            max_bytes: KEPT_RESULT_BYTES,
        }
    }

    /// Results are kept here, if they can be written.
    pub fn by_default(location: impl Into<String>) -> Self {
        Results {
            location: Some(location.into()),
            ..Results::none()
        }
    }

    /// Results are kept here.
    pub fn at(location: impl Into<String>) -> Self {
        Results {
            chosen: true,
            ..Results::by_default(location)
        }
    }
}

fn failed(url: &str, action: &'static str, source: object_store::Error) -> QueryError {
    QueryError::Lake(match source {
        object_store::Error::NotFound { .. } => LakeError::NotFound {
            url: url.to_owned(),
        },
        source => LakeError::Store {
            url: url.to_owned(),
            action,
            source,
        },
    })
}

/// The kept result of a query: its rows, read as they are asked for.
///
/// # Errors
/// When the query has no kept result, or its file is gone or is none.
pub async fn read_result(
    stores: &Stores,
    query: &QueryExecution,
) -> Result<SendableRecordBatchStream> {
    let Some(url) = &query.result_configuration.arrow_location else {
        let why = query.result_configuration.not_kept.as_deref();
        return Err(QueryError::Statement {
            message: format!(
                "query {} has no kept result: {}",
                query.query_execution_id,
                why.unwrap_or(match query.status.state.has_ended() {
                    true => "it was not to be kept",
                    false => "it has not ended",
                })
            ),
            place: None,
            hint: None,
        });
    };
    let place = stores.locate(url)?;
    let found = place.store.get(&place.path).await;
    let mut bytes = found
        .map_err(|e| failed(url, "read", e))?
        .into_stream()
        .map_err(DataFusionError::from)
        .boxed();
    // The schema comes first, and the rows are told by it.
    let mut decoder = StreamDecoder::new();
    let mut left = Buffer::from(Vec::<u8>::new());
    let mut first = None;
    let mut tail = Vec::new();
    while decoder.schema().is_none() {
        let Some(chunk) = bytes.try_next().await? else {
            return Err(cut_short(url).into());
        };
        remember(&mut tail, &chunk);
        left = Buffer::from(chunk);
        first = decoder.decode(&mut left).map_err(DataFusionError::from)?;
    }
    let schema = decoder
        .schema()
        .unwrap_or_else(|| Arc::new(Schema::empty()));
    let rows = decode(decoder, left, first, tail, bytes, url.clone());
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn cut_short(url: &str) -> DataFusionError {
    DataFusionError::Execution(format!("the kept result {url} is cut short"))
}

/// What a stream that is whole ends with (Arrow columnar format, "IPC Streaming Format": EOS).
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Keeps the last bytes of a stream that comes in pieces.
fn remember(tail: &mut Vec<u8>, piece: &[u8]) {
    tail.extend_from_slice(&piece[piece.len().saturating_sub(END.len())..]);
    tail.drain(..tail.len().saturating_sub(END.len()));
}

struct Decoding {
    decoder: StreamDecoder,
    left: Buffer,
    first: Option<arrow::array::RecordBatch>,
    tail: Vec<u8>,
    bytes: BoxStream<'static, Result<bytes::Bytes, DataFusionError>>,
    url: String,
}

fn decode(
    decoder: StreamDecoder,
    left: Buffer,
    first: Option<arrow::array::RecordBatch>,
    tail: Vec<u8>,
    bytes: BoxStream<'static, Result<bytes::Bytes, DataFusionError>>,
    url: String,
) -> impl futures::Stream<Item = Result<arrow::array::RecordBatch, DataFusionError>> + Send {
    let begun = Decoding {
        decoder,
        left,
        first,
        tail,
        bytes,
        url,
    };
    futures::stream::try_unfold(begun, |mut at| async move {
        if let Some(batch) = at.first.take() {
            return Ok(Some((batch, at)));
        }
        loop {
            if let Some(batch) = at.decoder.decode(&mut at.left)? {
                return Ok(Some((batch, at)));
            }
            match at.bytes.try_next().await? {
                Some(chunk) => {
                    remember(&mut at.tail, &chunk);
                    at.left = Buffer::from(chunk);
                }
                None if at.tail == END => return Ok(None),
                None => return Err(cut_short(&at.url)),
            }
        }
    })
}

/// Removes the oldest results beyond what is to be kept: first from the history, then the files. What cannot be removed
/// is left where it is.
///
/// # Errors
/// When the history cannot be read or written.
pub async fn retain(catalog: &dyn CatalogStore, stores: &Stores, results: &Results) -> Result<()> {
    /// Results that go in one transaction.
    const AT_ONCE: usize = 500;
    let mut bytes = 0u64;
    let mut gone = Vec::new();
    for (place, kept) in catalog.kept_results().await?.into_iter().enumerate() {
        bytes = bytes.saturating_add(kept.bytes);
        if place >= results.keep as usize || bytes > results.max_bytes {
            gone.push(kept.query_execution_id);
        }
    }
    for some in gone.chunks(AT_ONCE) {
        for query in catalog.forget_results(some).await? {
            for url in &query.result_configuration.files {
                remove(stores, &query.query_execution_id, url).await;
            }
        }
    }
    Ok(())
}

async fn remove(stores: &Stores, id: &str, url: &str) {
    let Ok(place) = stores.locate(url) else {
        return;
    };
    // Whatever a history says, nothing but a query's own result is removed.
    let own = place
        .path
        .filename()
        .is_some_and(|name| name.starts_with(id));
    if own && let Err(error) = place.store.delete(&place.path).await {
        log::warn!("the result {url} is too old to be kept, and cannot be removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};

    use super::super::kind::Kept;
    use super::*;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] = [
            ("n", Arc::new(Int64Array::from_iter_values(0..1000))),
            (
                "long",
                Arc::new(StringViewArray::from_iter_values(
                    (0..1000).map(|n| format!("a text that is not in its view: {n}")),
                )),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    async fn written(folder: &std::path::Path, most: u64) -> (Stores, Option<QueryExecution>) {
        let stores = Stores::default();
        let mut query = QueryExecution::new("SELECT", "primary", None);
        let id = query.query_execution_id.clone();
        let batch = batch();
        let (location, schema) = (folder.display().to_string(), batch.schema());
        let mut writer =
            ResultWriter::new(&stores, &location, &id, Kept::Csv, schema, most).unwrap();
        // A slice of what a filter has left keeps no more than it shows.
        let kept = writer.write(&batch.slice(10, 2)).await.unwrap();
        assert!(!folder.join(format!("{id}.csv")).exists());
        if !kept || !writer.write(&batch).await.unwrap() {
            writer.abort().await;
            return (stores, None);
        }
        let whole = writer.finish(&[]).await.unwrap();
        query.result_configuration.arrow_location = Some(whole.arrow);
        query.result_configuration.files = whole.files;
        query.result_configuration.bytes = Some(whole.bytes);
        (stores, Some(query))
    }

    #[tokio::test]
    async fn rows_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let (stores, query) = written(folder.path(), u64::MAX).await;
        let query = query.unwrap();
        let rows = read_result(&stores, &query).await.unwrap();
        assert_eq!(rows.schema(), batch().schema());
        let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
        assert_eq!(rows, [batch().slice(10, 2), batch()]);
        let sizes = query.result_configuration.files.iter();
        let sizes: u64 = sizes.map(|f| std::fs::metadata(f).unwrap().len()).sum();
        assert_eq!(query.result_configuration.bytes, Some(sizes));

        // One that is cut anywhere is an error, and never fewer rows.
        let path = query.result_configuration.arrow_location.clone().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 1, 100, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let read = match read_result(&stores, &query).await {
                Ok(rows) => rows.try_collect::<Vec<_>>().await.map(drop).is_ok(),
                Err(_) => false,
            };
            assert!(!read, "{length} bytes");
        }
        std::fs::remove_file(&path).unwrap();
        let gone = read_result(&stores, &query).await.err().unwrap();
        assert!(gone.to_string().contains("does not exist"), "{gone}");
    }

    #[tokio::test]
    async fn what_is_too_large_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (_, query) = written(folder.path(), 10).await;
        assert!(query.is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
