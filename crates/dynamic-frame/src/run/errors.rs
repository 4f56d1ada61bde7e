//! Error records: what could not be read or transformed, with where and why.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;

/// A record that was set aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorRecord {
    /// The step that could not take it.
    pub step: String,
    /// Why.
    pub reason: String,
    /// The file that it was read from, where that is known.
    pub file: Option<String>,
    /// Its line in that file, from 1, where that is known.
    pub line: Option<i64>,
    /// The record: its text where it could not be read, else its fields as JSON, as far as the step had them.
    pub record: String,
}

/// The fields of the frame `errors`. Glue's error records have the record, a message and the call site
/// (`errorsAsDynamicFrame`); these have the source as well.
pub fn error_fields() -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Utf8View, true),
        Field::new("reason", DataType::Utf8View, true),
        Field::new("file", DataType::Utf8View, true),
        Field::new("line", DataType::Int64, true),
        Field::new("record", DataType::Utf8View, true),
    ])
}

/// So many records make a batch.
const BATCH: usize = 1024;
/// So many batches are kept in memory, the rest is spilled.
const KEPT: usize = 16;

#[derive(Debug)]
pub(super) struct Errors {
    runtime: Arc<RuntimeEnv>,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    open: Vec<ErrorRecord>,
    kept: Vec<RecordBatch>,
    spilled: Vec<Arc<dyn SpillFile>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Errors {
    pub(super) fn new(runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            runtime,
            store: Mutex::default(),
        }
    }

    pub(super) fn add(&self, records: Vec<ErrorRecord>) -> Result<()> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.open.extend(records);
        while store.open.len() >= BATCH {
            let rest = store.open.split_off(BATCH);
            let full = std::mem::replace(&mut store.open, rest);
            store.kept.push(batch(&full)?);
        }
        if store.kept.len() > KEPT {
            let file = self.runtime.disk_manager.create_tmp_file("error records")?;
            // Where the engine spills to something that is no file, the records stay in memory.
            if let Some(path) = file.path() {
                let mut writer =
                    StreamWriter::try_new(BufWriter::new(File::create(path)?), &schema())?;
                for batch in store.kept.drain(..) {
                    writer.write(&batch)?;
                }
                writer.finish()?;
                store.spilled.push(file);
            }
        }
        Ok(())
    }

    pub(super) fn batches(&self) -> Result<Vec<RecordBatch>> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for path in store.spilled.iter().filter_map(|file| file.path()) {
            let reader = StreamReader::try_new(BufReader::new(File::open(path)?), None)?;
            for batch in reader {
                all.push(batch?);
            }
        }
        all.extend(store.kept.iter().cloned());
        if !store.open.is_empty() {
            all.push(batch(&store.open)?);
        }
        Ok(all)
    }

    pub(super) fn clear(&self) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Store::default();
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(error_fields()))
}

fn batch(records: &[ErrorRecord]) -> Result<RecordBatch> {
    let text = |of: fn(&ErrorRecord) -> Option<&str>| -> ArrayRef {
        Arc::new(records.iter().map(of).collect::<StringViewArray>())
    };
    let lines: Int64Array = records.iter().map(|r| r.line).collect();
    let columns = vec![
        text(|r| Some(&r.step)),
        text(|r| Some(&r.reason)),
        text(|r| r.file.as_deref()),
        Arc::new(lines),
        text(|r| Some(&r.record)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
