//! A result as it is written: nothing of it is visible before it is whole.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use mastic_lake::store::{Location, Stores};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt;

use super::super::kind::Kept;
use super::{failed, rows};
use crate::error::Result;

/// Bytes are handed on in pieces of about this size. Of those that a store is given at once, it needs five megabytes.
const PIECE: usize = 1 << 20;

/// Writes the files of one result.
pub(in crate::execution) struct ResultWriter {
    root: Location,
    id: String,
    kept: Kept,
    schema: SchemaRef,
    text: Out,
    arrow: Out,
    encoder: StreamWriter<Vec<u8>>,
    pending: String,
    /// Whether the columns may have been described.
    described: bool,
    /// More bytes than this are not kept.
    most: u64,
}

/// A result whose files are all there.
#[derive(Debug)]
pub(in crate::execution) struct Whole {
    /// The file as Athena writes it.
    pub(in crate::execution) output: String,
    /// The rows with their types.
    pub(in crate::execution) arrow: String,
    /// All files.
    pub(in crate::execution) files: Vec<String>,
    /// How many bytes they have.
    pub(in crate::execution) bytes: u64,
}

/// One object.
struct Out {
    url: String,
    writer: BufWriter,
    bytes: u64,
    /// Whether its end has begun, from which on it cannot be aborted.
    ending: bool,
}

impl Out {
    fn new(root: &Location, name: &str) -> Self {
        let place = root.child(name);
        Out {
            url: place.url,
            writer: BufWriter::new(place.store, place.path),
            bytes: 0,
            ending: false,
        }
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.bytes += bytes.len() as u64;
        let put = self.writer.put(Bytes::from(bytes)).await;
        put.map_err(|e| failed(&self.url, "write", e))
    }

    async fn end(&mut self) -> Result<()> {
        self.ending = true;
        self.writer.shutdown().await.map_err(|source| {
            let source = object_store::Error::Generic {
                store: "result",
                source: Box::new(source),
            };
            failed(&self.url, "write", source)
        })
    }
}

impl ResultWriter {
    /// A writer of a query's result below a location.
    pub(in crate::execution) fn new(
        stores: &Stores,
        location: &str,
        id: &str,
        kept: Kept,
        schema: SchemaRef,
        most: u64,
    ) -> Result<Self> {
        let root = stores.locate(location)?;
        let name = match kept {
            Kept::Csv => format!("{id}.csv"),
            Kept::Txt => format!("{id}.txt"),
            Kept::Manifest => format!("{id}-manifest.csv"),
        };
        let mut pending = String::new();
        if kept == Kept::Csv {
            rows::header(&schema, &mut pending);
        }
        Ok(ResultWriter {
            text: Out::new(&root, &name),
            arrow: Out::new(&root, &format!("{id}.arrows")),
            encoder: StreamWriter::try_new(Vec::new(), &schema).map_err(DataFusionError::from)?,
            root,
            id: id.to_owned(),
            kept,
            schema,
            pending,
            described: false,
            most,
        })
    }

    /// Takes in rows. False: the result has become larger than what is kept, and is to be given up.
    pub(in crate::execution) async fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let batch = compact(batch)?;
        match self.kept {
            Kept::Csv => rows::csv(&batch, &mut self.pending),
            Kept::Txt => rows::tabs(&batch, &mut self.pending),
            Kept::Manifest => Ok(()),
        }
        .map_err(DataFusionError::from)?;
        self.encoder.write(&batch).map_err(DataFusionError::from)?;
        self.hand_on(PIECE).await?;
        let pending = self.pending.len() + self.encoder.get_ref().len();
        Ok(self.text.bytes + self.arrow.bytes + pending as u64 <= self.most)
    }

    /// Hands on what is ready, where it is at least so many bytes.
    async fn hand_on(&mut self, least: usize) -> Result<()> {
        if self.pending.len() >= least {
            let ready = std::mem::take(&mut self.pending).into_bytes();
            self.text.put(ready).await?;
        }
        if self.encoder.get_ref().len() >= least {
            let ready = std::mem::take(self.encoder.get_mut());
            self.arrow.put(ready).await?;
        }
        Ok(())
    }

    /// Makes the result visible: the file that clients look for comes last. `written` are the files that the statement
    /// wrote, for a manifest.
    pub(in crate::execution) async fn finish(&mut self, written: &[String]) -> Result<Whole> {
        self.encoder.finish().map_err(DataFusionError::from)?;
        if self.kept == Kept::Manifest {
            for url in written {
                self.pending.push_str(url);
                self.pending.push('\n');
            }
        }
        // What is empty is an object nonetheless.
        self.hand_on(0).await?;
        let about = self.about();
        let metadata = rows::metadata(&self.schema).into_bytes();
        let size = metadata.len() as u64;
        self.described = true;
        let put = about.store.put(&about.path, metadata.into());
        put.await.map_err(|e| failed(&about.url, "write", e))?;
        self.arrow.end().await?;
        self.text.end().await?;
        Ok(Whole {
            output: self.text.url.clone(),
            arrow: self.arrow.url.clone(),
            files: vec![self.text.url.clone(), about.url, self.arrow.url.clone()],
            bytes: self.text.bytes + self.arrow.bytes + size,
        })
    }

    /// Leaves nothing behind.
    pub(in crate::execution) async fn abort(mut self) {
        for out in [&mut self.text, &mut self.arrow] {
            if out.ending {
                // It may be there already.
                let Some(name) = out.url.rsplit('/').next() else {
                    continue;
                };
                let _ = self.root.store.delete(&self.root.child(name).path).await;
            } else {
                // What cannot be aborted was never visible.
                let _ = out.writer.abort().await;
            }
        }
        if self.described {
            let _ = self.root.store.delete(&self.about().path).await;
        }
    }

    /// Where the columns are described.
    fn about(&self) -> Location {
        let name = match self.kept {
            Kept::Csv => format!("{}.csv.metadata", self.id),
            Kept::Txt => format!("{}.txt.metadata", self.id),
            Kept::Manifest => format!("{}.metadata", self.id),
        };
        self.root.child(&name)
    }
}

/// The same rows without what they do not show: views keep whole buffers alive of which a filter left a few values.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let views =
        |array: &ArrayRef| matches!(array.data_type(), DataType::Utf8View | DataType::BinaryView);
    if !batch.columns().iter().any(views) {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().map(|array| match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()) as ArrayRef,
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()) as ArrayRef,
        _ => array.clone(),
    });
    let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        batch.schema(),
        columns.collect(),
        &rows,
    )?)
}

/// How many bytes of memory the values of a batch have, without what they share with others.
pub(in crate::execution) fn bytes_of(batch: &RecordBatch) -> u64 {
    batch
        .columns()
        .iter()
        .map(|array| {
            let bytes = match array.data_type() {
                DataType::Utf8View => {
                    let values = array.as_string_view();
                    16 * values.len() + values.iter().flatten().map(str::len).sum::<usize>()
                }
                DataType::BinaryView => {
                    let values = array.as_binary_view();
                    16 * values.len() + values.iter().flatten().map(<[u8]>::len).sum::<usize>()
                }
                _ => {
                    let data = array.to_data();
                    let slice = data.get_slice_memory_size();
                    slice.unwrap_or_else(|_| data.get_buffer_memory_size())
                }
            };
            bytes as u64
        })
        .sum()
}
