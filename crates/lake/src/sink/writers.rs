//! The open files of one stream of a sink: as many as allowed, within the memory allowed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;

use super::encode::Encoder;
use super::exec::{SinkContext, SinkMetrics};
use super::partition::Partition;
use super::staging::{FileWriter, StagedFile};
use crate::error::LakeError;

/// Encoded bytes are handed to the file in pieces of about this size.
const PIECE: usize = 1024 * 1024;

/// A finished file, staged.
pub(super) struct Finished {
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) partition: usize,
    pub(super) staged: StagedFile,
}

struct Open {
    encoder: Encoder,
    file: FileWriter,
    path: String,
    rows: u64,
    used: u64,
}

impl Open {
    fn memory(&self) -> usize {
        self.encoder.memory() + self.file.memory()
    }
}

/// The writers of one stream.
pub(super) struct Writers {
    sink: Arc<SinkContext>,
    stream: usize,
    schema: SchemaRef,
    open: HashMap<usize, Open>,
    clock: u64,
    files: usize,
    finished: Vec<Finished>,
    reservation: MemoryReservation,
    metrics: SinkMetrics,
}

impl Writers {
    pub(super) fn new(
        sink: Arc<SinkContext>,
        stream: usize,
        reservation: MemoryReservation,
        metrics: SinkMetrics,
    ) -> Self {
        Writers {
            schema: sink.file_schema.clone(),
            sink,
            stream,
            open: HashMap::new(),
            clock: 0,
            files: 0,
            finished: Vec::new(),
            reservation,
            metrics,
        }
    }

    /// Writes rows of one partition.
    pub(super) async fn write(
        &mut self,
        number: usize,
        partition: &Partition,
        batch: &RecordBatch,
    ) -> Result<()> {
        let mut start = 0;
        while start < batch.num_rows() {
            let room = match (self.sink.spec.target_file_rows, self.open.get(&number)) {
                (None, _) => batch.num_rows(),
                (Some(rows), None) => rows.max(1),
                (Some(rows), Some(open)) => rows.max(1).saturating_sub(open.rows as usize).max(1),
            };
            let piece = batch.slice(start, room.min(batch.num_rows() - start));
            start += piece.num_rows();
            self.write_piece(number, partition, piece).await?;
        }
        self.bound_memory().await
    }

    async fn write_piece(
        &mut self,
        number: usize,
        partition: &Partition,
        batch: RecordBatch,
    ) -> Result<()> {
        if !self.open.contains_key(&number) {
            self.open_file(number, partition).await?;
        }
        let Some(open) = self.open.get_mut(&number) else {
            return Ok(());
        };
        self.clock += 1;
        open.used = self.clock;
        // A column's nullability may be tighter in the batch than in the plan, or its metadata differ.
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?;
        {
            let _timer = self.metrics.encode_time.timer();
            open.encoder.write(&batch)?;
        }
        open.rows += batch.num_rows() as u64;
        self.metrics.rows.add(batch.num_rows());
        if open.encoder.ready() >= PIECE {
            let bytes = open.encoder.take();
            self.metrics.bytes.add(bytes.len());
            self.sink.wrote(0, bytes.len() as u64);
            let _timer = self.metrics.store_time.timer();
            open.file
                .write(bytes)
                .await
                .map_err(LakeError::into_engine)?;
        }
        let spec = &self.sink.spec;
        let full = open.encoder.size() >= spec.target_file_bytes
            || spec
                .target_file_rows
                .is_some_and(|rows| open.rows >= rows as u64);
        if full {
            self.close(number).await?;
        }
        Ok(())
    }

    async fn open_file(&mut self, number: usize, partition: &Partition) -> Result<()> {
        while self.open.len() >= self.sink.max_open_files {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
            let Some(oldest) = oldest.map(|(number, _)| *number) else {
                break;
            };
            self.close(oldest).await?;
        }
        let name = self
            .sink
            .file_name(partition.bucket, self.stream, self.files);
        self.files += 1;
        let path = match partition.folder.as_str() {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        let encoder = Encoder::new(&self.sink.spec.options, &self.schema)?;
        let created = self.sink.staging.create(&path).await;
        let file = created.map_err(LakeError::into_engine)?;
        let open = Open {
            encoder,
            file,
            path,
            rows: 0,
            used: 0,
        };
        self.open.insert(number, open);
        Ok(())
    }

    async fn close(&mut self, number: usize) -> Result<()> {
        let Some(mut open) = self.open.remove(&number) else {
            return Ok(());
        };
        let rest = {
            let _timer = self.metrics.encode_time.timer();
            open.encoder.finish()?
        };
        self.metrics.bytes.add(rest.len());
        let written = rest.len() as u64;
        let _timer = self.metrics.store_time.timer();
        let staged = async {
            open.file.write(rest).await?;
            open.file.finish().await
        };
        let staged = staged.await.map_err(LakeError::into_engine)?;
        self.metrics.files.add(1);
        self.sink.wrote(1, written);
        self.finished.push(Finished {
            path: open.path,
            rows: open.rows,
            partition: number,
            staged,
        });
        Ok(())
    }

    /// Keeps what the writers hold within the sink's own bound and the engine's memory pool: first
    /// by a smaller row group, then, where an upload's unsent part is what takes the room, by a
    /// smaller file.
    async fn bound_memory(&mut self) -> Result<()> {
        let mut held: usize = self.open.values().map(Open::memory).sum();
        while held > self.sink.memory_bytes || self.reservation.try_resize(held).is_err() {
            let largest = self.open.iter().max_by_key(|(_, open)| open.memory());
            let Some(number) = largest.map(|(number, _)| *number) else {
                break;
            };
            let Some(open) = self.open.get_mut(&number) else {
                break;
            };
            let before = open.memory();
            open.encoder.flush()?;
            let bytes = open.encoder.take();
            self.metrics.bytes.add(bytes.len());
            self.sink.wrote(0, bytes.len() as u64);
            open.file
                .write(bytes)
                .await
                .map_err(LakeError::into_engine)?;
            if open.memory() * 2 > before {
                if self.sink.spec.options.single_file {
                    break;
                }
                self.close(number).await?;
            }
            held = self.open.values().map(Open::memory).sum();
        }
        Ok(())
    }

    /// Ends every file.
    pub(super) async fn finish(mut self) -> Result<Vec<Finished>> {
        let mut left: Vec<usize> = self.open.keys().copied().collect();
        left.sort_unstable();
        for number in left {
            self.close(number).await?;
        }
        Ok(self.finished)
    }
}
