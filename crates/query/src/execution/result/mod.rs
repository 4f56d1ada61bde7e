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
    while decoder.schema().is_none() {
        let Some(chunk) = bytes.try_next().await? else {
            return Err(cut_short(url).into());
        };
        left = Buffer::from(chunk);
        first = decoder.decode(&mut left).map_err(DataFusionError::from)?;
    }
    let schema = decoder
        .schema()
        .unwrap_or_else(|| Arc::new(Schema::empty()));
    let rows = decode(decoder, left, first, bytes, url.clone());
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn cut_short(url: &str) -> DataFusionError {
    DataFusionError::Execution(format!("the kept result {url} is cut short"))
}

struct Decoding {
    decoder: Option<StreamDecoder>,
    left: Buffer,
    first: Option<arrow::array::RecordBatch>,
    bytes: BoxStream<'static, Result<bytes::Bytes, DataFusionError>>,
    url: String,
}

fn decode(
    decoder: StreamDecoder,
    left: Buffer,
    first: Option<arrow::array::RecordBatch>,
    bytes: BoxStream<'static, Result<bytes::Bytes, DataFusionError>>,
    url: String,
) -> impl futures::Stream<Item = Result<arrow::array::RecordBatch, DataFusionError>> + Send {
    let begun = Decoding {
        decoder: Some(decoder),
        left,
        first,
        bytes,
        url,
    };
    futures::stream::try_unfold(begun, |mut at| async move {
        if let Some(batch) = at.first.take() {
            return Ok(Some((batch, at)));
        }
        loop {
            let Some(decoder) = &mut at.decoder else {
                return Ok(None);
            };
            if let Some(batch) = decoder.decode(&mut at.left)? {
                return Ok(Some((batch, at)));
            }
            match at.bytes.try_next().await? {
                Some(chunk) => at.left = Buffer::from(chunk),
                None => {
                    if let Some(mut decoder) = at.decoder.take() {
                        decoder.finish().map_err(|_| cut_short(&at.url))?;
                    }
                    return Ok(None);
                }
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
