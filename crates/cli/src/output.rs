//! Data on standard output, or in a file.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use mastic_lake::error::{find, message};
use mastic_lake::sink::{Encoder, OutputFormat, OutputOptions};

use crate::args::Output;
use crate::error::{CliError, Result};
use crate::format::{count, counted};
use crate::progress::Line;

/// How a table shows values.
fn shown() -> FormatOptions<'static> {
    FormatOptions::default()
        .with_null("")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f %Z"))
}

fn engine(error: datafusion::error::DataFusionError) -> CliError {
    CliError::hinted(message(&error), find(&error).and_then(|e| e.hint()))
}

/// A result without columns of the engine: lists of the catalog and reports.
pub(crate) struct Listing {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Listing {
    pub(crate) fn new(headers: &[&'static str]) -> Self {
        Listing {
            headers: headers.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn write(&self, output: Output) -> Result<()> {
        let mut out = io::stdout().lock();
        match output {
            Output::Table => {
                if self.rows.is_empty() {
                    return Ok(());
                }
                let mut table = frame(&self.headers);
                for row in &self.rows {
                    table.add_row(row.iter().map(|c| cell(c)));
                }
                writeln!(out, "{table}")?;
            }
            Output::Csv => {
                let mut csv = csv::Writer::from_writer(&mut out);
                csv.write_record(&self.headers).map_err(csv_error)?;
                for row in &self.rows {
                    csv.write_record(row).map_err(csv_error)?;
                }
                csv.flush()?;
            }
            Output::Json => {
                for row in &self.rows {
                    let object: serde_json::Map<String, serde_json::Value> = self
                        .headers
                        .iter()
                        .zip(row)
                        .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                        .collect();
                    writeln!(out, "{}", serde_json::Value::Object(object))?;
                }
            }
        }
        out.flush()?;
        Ok(())
    }
}

fn csv_error(error: csv::Error) -> CliError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => CliError::failed(format!("cannot write the output: {other:?}")),
    }
}

fn frame<H: ToString>(headers: &[H]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers.iter().map(|h| Cell::new(h.to_string())));
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn cell(text: &str) -> Cell {
    let number = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.' | b'-' | b'%'))
        && text.bytes().any(|b| b.is_ascii_digit())
        && !text[1..].contains('-');
    let cell = Cell::new(text);
    if number {
        cell.set_alignment(CellAlignment::Right)
    } else {
        cell
    }
}

/// How a result is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    pub(crate) format: Output,
    /// Rows that a table on a terminal shows at most; 0: all.
    pub(crate) max_rows: usize,
}

/// Writes a result to standard output. A table on a terminal shows `max_rows` rows at most, as soon as there are as many; how
/// many there are in all is told on standard error, at the end.
pub(crate) async fn result(mut batches: SendableRecordBatchStream, show: Show) -> Result<()> {
    let schema = batches.schema();
    let format = match show.format {
        Output::Table => return table(batches, schema, show.max_rows).await,
        Output::Csv => OutputFormat::Csv,
        Output::Json => OutputFormat::Json,
    };
    let mut options = OutputOptions::new(format);
    options.explicit_nulls = true;
    // An object has a name once.
    let schema = match format {
        OutputFormat::Json => told_apart(&schema),
        _ => schema,
    };
    let mut encoder = Encoder::new(&options, &schema).map_err(engine)?;
    if format == OutputFormat::Csv {
        // A result of no rows has a header nonetheless.
        encoder
            .write(&RecordBatch::new_empty(schema.clone()))
            .map_err(engine)?;
    }
    let mut out = io::stdout().lock();
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(engine)?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &rows)
            .map_err(|e| CliError::failed(e.to_string()))?;
        encoder.write(&batch).map_err(engine)?;
        out.write_all(&encoder.take())?;
    }
    out.write_all(&encoder.finish().map_err(engine)?)?;
    out.flush()?;
    Ok(())
}

/// The same columns with different names: the second `a` is `a:1`, as in a SELECT that names it by its text.
fn told_apart(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    if taken.len() == schema.fields().len() {
        return schema.clone();
    }
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let mut name = field.name().clone();
        if !seen.insert(name.clone()) {
            let mut number = 1;
            while !taken.insert(name.clone()) {
                name = format!("{}:{number}", field.name());
                number += 1;
            }
        }
        field.as_ref().clone().with_name(name)
    });
    let fields: Vec<Field> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

async fn table(
    mut batches: SendableRecordBatchStream,
    schema: SchemaRef,
    max_rows: usize,
) -> Result<()> {
    // Rows that scroll by are not read; those that are piped somewhere all count.
    let most = if io::stdout().is_terminal() && max_rows > 0 {
        max_rows
    } else {
        usize::MAX
    };
    let names: Vec<&String> = schema.fields().iter().map(|f| f.name()).collect();
    let mut table = Some(frame(&names));
    let (mut rows, mut kept) = (0u64, 0usize);
    let options = shown();
    // Those who wanted to see the first rows see them; the rest goes into the kept result.
    let mut line = None;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(engine)?;
        rows += batch.num_rows() as u64;
        if let Some(line) = &line {
            let line: &Line = line;
            line.say(format!("{} so far; Ctrl-C stops …", counted(rows, "row")));
        }
        let Some(open) = &mut table else { continue };
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| CliError::failed(e.to_string()))?;
        let left = batch.num_rows().min(most - kept);
        for row in 0..left {
            let cells = columns.iter().zip(batch.columns()).map(|(c, array)| {
                let cell = Cell::new(c.value(row).to_string());
                if array.data_type().is_numeric() {
                    cell.set_alignment(CellAlignment::Right)
                } else {
                    cell
                }
            });
            open.add_row(cells);
        }
        kept += left;
        if kept == most
            && let Some(full) = table.take()
        {
            write_table(&full, &names)?;
            line = Some(Line::new("and further rows …"));
        }
    }
    drop(line);
    if let Some(table) = &table {
        write_table(table, &names)?;
    }
    let about = if (kept as u64) < rows {
        format!(
            "{}, of which {} are shown (--max-rows 0 shows all)",
            counted(rows, "row"),
            count(kept as u64)
        )
    } else {
        counted(rows, "row")
    };
    anstream::eprintln!("{about}");
    Ok(())
}

fn write_table(table: &Table, names: &[&String]) -> Result<()> {
    let mut out = io::stdout().lock();
    if !names.is_empty() {
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    Ok(())
}

/// Writes a result to a file, which appears when it is whole.
pub(crate) async fn to_file(mut batches: SendableRecordBatchStream, path: &Path) -> Result<u64> {
    let bad = |action: &str, error: &dyn std::fmt::Display| {
        CliError::failed(format!("cannot {action} {}: {error}", path.display()))
    };
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Err(bad(
            "write",
            &format!("there is no folder {}", folder.display()),
        ));
    }
    let schema = batches.schema();
    let mut file = tempfile::Builder::new()
        .prefix(".mastic-")
        .tempfile_in(&folder)
        .map_err(|e| bad("write", &e))?;
    let mut rows = 0;
    if matches!(ending, "arrow" | "ipc" | "feather") {
        let mut writer =
            FileWriter::try_new(file.as_file_mut(), &schema).map_err(|e| bad("write", &e))?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(engine)?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(|e| bad("write", &e))?;
        }
        writer.finish().map_err(|e| bad("write", &e))?;
    } else {
        let format = match ending {
            "jsonl" | "ndjson" => "json",
            "" => {
                return Err(CliError::Usage(format!(
                    "the file name {} has no ending to tell its format: .parquet, .arrow, .csv, .json, .orc, .avro or .xml",
                    path.display()
                )));
            }
            other => other,
        };
        let options = OutputOptions::parse(format, [])?;
        let mut encoder = Encoder::new(&options, &schema).map_err(engine)?;
        encoder
            .write(&RecordBatch::new_empty(schema))
            .map_err(engine)?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(engine)?;
            rows += batch.num_rows() as u64;
            encoder.write(&batch).map_err(engine)?;
            file.write_all(&encoder.take())
                .map_err(|e| bad("write", &e))?;
        }
        let rest = encoder.finish().map_err(engine)?;
        file.write_all(&rest).map_err(|e| bad("write", &e))?;
    }
    file.as_file().sync_all().map_err(|e| bad("write", &e))?;
    readable(file.as_file()).map_err(|e| bad("write", &e))?;
    file.persist(path).map_err(|e| bad("write", &e.error))?;
    Ok(rows)
}

/// Temporary files are made for their owner only; a result is an ordinary file.
fn readable(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn names_that_are_alike_are_told_apart() {
        let of = |names: &[&str]| {
            let fields = names
                .iter()
                .map(|name| Field::new(*name, DataType::Int64, true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let told = told_apart(&schema);
            let names = told.fields().iter().map(|f| f.name().clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(of(&["a", "b"]), ["a", "b"]);
        assert_eq!(of(&["a", "a:1", "a", "a"]), ["a", "a:1", "a:2", "a:3"]);
    }
}
