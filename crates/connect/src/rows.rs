//! Rows of a database as batches of Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringViewBuilder,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

use crate::column::{Column, Wire};

/// How many rows a batch has at most.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// A batch is done when its texts and bytes have this many bytes, however few its rows are.
const BATCH_BYTES: usize = 16 << 20;

/// A row that all kinds of columns can be taken from.
pub(crate) trait Record: Row {
    /// Appends one value.
    fn append(&self, at: usize, to: &mut Values) -> sqlx::Result<()>;
}

impl<R: Row> Record for R
where
    usize: ColumnIndex<R>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i16: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i32: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> f32: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> f64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r [u8]: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    fn append(&self, at: usize, to: &mut Values) -> sqlx::Result<()> {
        match to {
            Values::Boolean(to) => to.append_option(self.try_get(at)?),
            Values::Int16(to) => to.append_option(self.try_get(at)?),
            Values::Int32(to) => to.append_option(self.try_get(at)?),
            Values::Int64(to) => to.append_option(self.try_get(at)?),
            Values::Float32(to) => to.append_option(self.try_get(at)?),
            Values::Float64(to) => to.append_option(self.try_get(at)?),
            Values::Text(to, bytes) => {
                let value: Option<&str> = self.try_get(at)?;
                *bytes += value.map_or(0, str::len);
                to.append_option(value);
            }
            Values::Bytes(to, bytes) => {
                let value: Option<&[u8]> = self.try_get(at)?;
                *bytes += value.map_or(0, <[u8]>::len);
                to.append_option(value);
            }
        }
        Ok(())
    }
}

/// The values of one column of a batch; of texts, also how many bytes they have.
pub(crate) enum Values {
    Boolean(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder, usize),
    Bytes(BinaryBuilder, usize),
}

impl Values {
    fn new(wire: Wire) -> Self {
        match wire {
            Wire::Boolean => Self::Boolean(BooleanBuilder::new()),
            Wire::Int16 => Self::Int16(Int16Builder::new()),
            Wire::Int32 => Self::Int32(Int32Builder::new()),
            Wire::Int64 => Self::Int64(Int64Builder::new()),
            Wire::Float32 => Self::Float32(Float32Builder::new()),
            Wire::Float64 => Self::Float64(Float64Builder::new()),
            Wire::Text => Self::Text(StringViewBuilder::new(), 0),
            Wire::Bytes => Self::Bytes(BinaryBuilder::new(), 0),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(_, bytes) | Self::Bytes(_, bytes) => *bytes,
            _ => 0,
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(values) => Arc::new(values.finish()),
            Self::Int16(values) => Arc::new(values.finish()),
            Self::Int32(values) => Arc::new(values.finish()),
            Self::Int64(values) => Arc::new(values.finish()),
            Self::Float32(values) => Arc::new(values.finish()),
            Self::Float64(values) => Arc::new(values.finish()),
            Self::Text(values, bytes) => {
                *bytes = 0;
                Arc::new(values.finish())
            }
            Self::Bytes(values, bytes) => {
                *bytes = 0;
                Arc::new(values.finish())
            }
        }
    }
}

/// A batch that rows are put into, one after the other.
pub(crate) struct Batch {
    columns: Vec<Column>,
    schema: SchemaRef,
    values: Vec<Values>,
    rows: usize,
}

/// A value that its column cannot hold: which column, and why.
pub(crate) struct Misfit {
    pub(crate) column: String,
    pub(crate) reason: String,
}

impl Batch {
    pub(crate) fn new(columns: Vec<Column>, schema: SchemaRef) -> Self {
        Self {
            values: columns.iter().map(|c| Values::new(c.wire)).collect(),
            columns,
            schema,
            rows: 0,
        }
    }

    /// Takes a row. Its columns are those of the batch, in their order.
    pub(crate) fn push(&mut self, row: &impl Record) -> Result<(), Misfit> {
        for (at, (values, column)) in self.values.iter_mut().zip(&self.columns).enumerate() {
            row.append(at, values).map_err(|error| Misfit {
                column: column.name.clone(),
                reason: match error {
                    sqlx::Error::ColumnDecode { source, .. } => source.to_string(),
                    other => other.to_string(),
                },
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS
            || self.values.iter().map(Values::bytes).sum::<usize>() >= BATCH_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Gives what it has, and is empty.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, Misfit> {
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (values, column) in self.values.iter_mut().zip(&self.columns) {
            let found = values.finish();
            let array = match found.data_type() == &column.data_type {
                true => found,
                false => cast_with_options(&found, &column.data_type, &strict)
                    .map_err(|error| misfit(&column.name, &error))?,
            };
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| misfit("", &error))
    }
}

fn misfit(column: &str, error: &ArrowError) -> Misfit {
    let reason = match error {
        ArrowError::CastError(reason)
        | ArrowError::ParseError(reason)
        | ArrowError::InvalidArgumentError(reason) => reason.clone(),
        other => other.to_string(),
    };
    Misfit {
        column: column.to_owned(),
        reason,
    }
}
