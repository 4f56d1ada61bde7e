//! XML: an element a record, within one root.
//!
//! As spark-xml writes it ("XML Data Source for Apache Spark"), whose options Glue has: lists are repeated
//! elements, structs elements within, fields that begin with the attribute prefix attributes, the field of
//! the value tag its element's text; a list within a list has its values in `<item>`. NULL has no element
//! but within lists and maps, where an empty one keeps its place. Maps, which spark-xml leaves open, are
//! elements named by the keys, or `<entry key="…">` where a key is no name.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, LargeStringArray, ListArray, MapArray, RecordBatch, StringArray,
    StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};

use super::super::options::{OutputOptions, XmlOutput};
use super::compress::Compressor;
use super::xml_names::{Role, is_char, is_name, role};

/// Text is handed on in pieces of about this size.
const PIECE: usize = 64 * 1024;

/// What a list's values are called that is itself a value of a list: spark-xml's `arrayElementName`.
const ITEM: &str = "item";

/// The writer of one XML file.
pub(super) struct XmlWriter {
    xml: XmlOutput,
    /// What stands for NULL; nothing where NULL has no element.
    null: Option<String>,
}

/// Why a value cannot be written.
enum Misfit {
    /// A character that XML cannot hold, in this column.
    Character(char, String),
    Arrow(ArrowError),
}

impl From<ArrowError> for Misfit {
    fn from(error: ArrowError) -> Self {
        Misfit::Arrow(error)
    }
}

type Written = std::result::Result<(), Misfit>;

impl XmlWriter {
    pub(super) fn new(options: &OutputOptions) -> Self {
        XmlWriter {
            xml: options.xml.clone(),
            null: (!options.null.is_empty()).then(|| options.null.clone()),
        }
    }

    pub(super) fn begin(&self, out: &mut Compressor) -> Result<()> {
        if !self.xml.declaration.is_empty() {
            writeln!(out, "<?xml {}?>", self.xml.declaration)?;
        }
        Ok(writeln!(out, "<{}>", self.xml.root_tag)?)
    }

    pub(super) fn end(&self, out: &mut Compressor) -> Result<()> {
        Ok(writeln!(out, "</{}>", self.xml.root_tag)?)
    }

    /// Writes a batch, one record a line; `before` rows of the file come before it.
    pub(super) fn write(
        &self,
        batch: &RecordBatch,
        before: u64,
        out: &mut Compressor,
    ) -> Result<()> {
        let mut columns = Vec::with_capacity(batch.num_columns());
        for column in batch.columns() {
            columns.push(cast(column, &simple(column.data_type()))?);
        }
        let fields = batch.schema_ref().fields();
        let record = self.record(fields.iter().zip(&columns), "")?;
        let mut text = Vec::with_capacity(2 * PIECE);
        for row in 0..batch.num_rows() {
            self.fields(&self.xml.row_tag, None, &record, row, &mut text)
                .map_err(|misfit| match misfit {
                    Misfit::Arrow(error) => error.into(),
                    Misfit::Character(c, column) => DataFusionError::Execution(format!(
                        "row {} of the file has the character U+{:04X} in column '{column}', which XML 1.0 cannot hold; remove it with regexp_replace, or write another format",
                        before + row as u64 + 1,
                        u32::from(c)
                    )),
                })?;
            text.push(b'\n');
            if text.len() >= PIECE {
                out.write_all(&text)?;
                text.clear();
            }
        }
        Ok(out.write_all(&text)?)
    }

    fn record<'a>(
        &self,
        fields: impl Iterator<Item = (&'a FieldRef, &'a ArrayRef)>,
        within: &str,
    ) -> Result<Record<'a>> {
        let mut record = Record::default();
        for (field, column) in fields {
            let path = match within {
                "" => field.name().clone(),
                _ => format!("{within}.{}", field.name()),
            };
            match role(&self.xml, field.name()) {
                Role::Element => {
                    let cell = self.cell(column, &path)?;
                    record.elements.push((field.name(), cell));
                }
                Role::Attribute(name) => {
                    record.attributes.push((name, Scalar::new(column, path)?));
                }
                Role::Value => record.value = Some(Scalar::new(column, path)?),
            }
        }
        Ok(record)
    }

    fn cell<'a>(&self, column: &'a ArrayRef, path: &str) -> Result<Cell<'a>> {
        Ok(match column.data_type() {
            DataType::Struct(fields) => {
                let array = column.as_struct();
                let record = self.record(fields.iter().zip(array.columns()), path)?;
                Cell::Struct(array, record)
            }
            DataType::List(_) => {
                let array = column.as_list::<i32>();
                Cell::List(array, Box::new(self.cell(array.values(), path)?))
            }
            DataType::Map(..) => {
                let array = column.as_map();
                let keys = Scalar::new(array.keys(), path.to_owned())?;
                Cell::Map(array, keys, Box::new(self.cell(array.values(), path)?))
            }
            _ => Cell::Scalar(Scalar::new(column, path.to_owned())?),
        })
    }

    /// The element of a record.
    fn fields(
        &self,
        name: &str,
        key: Option<(&str, &str)>,
        record: &Record<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        self.open(name, key, out)?;
        for (name, value) in &record.attributes {
            if value.is_null(row) && self.null.is_none() {
                continue;
            }
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            self.scalar(value, row, true, out)?;
            out.push(b'"');
        }
        out.push(b'>');
        if let Some(value) = &record.value {
            self.scalar(value, row, false, out)?;
        }
        for (name, cell) in &record.elements {
            if cell.is_null(row) && self.null.is_none() {
                continue;
            }
            self.element(name, None, cell, row, out)?;
        }
        close(name, out);
        Ok(())
    }

    /// The beginning of an element, up to where its attributes go on.
    fn open(&self, name: &str, key: Option<(&str, &str)>, out: &mut Vec<u8>) -> Written {
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        if let Some((key, path)) = key {
            out.extend_from_slice(b" key=\"");
            escape(key, true, out).map_err(|c| Misfit::Character(c, path.to_owned()))?;
            out.push(b'"');
        }
        Ok(())
    }

    /// The elements of a value, all of this name.
    fn element(
        &self,
        name: &str,
        key: Option<(&str, &str)>,
        cell: &Cell<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        if cell.is_null(row) {
            self.open(name, key, out)?;
            match &self.null {
                None => out.extend_from_slice(b"/>"),
                Some(null) => {
                    out.push(b'>');
                    // The options were checked.
                    escape(null, false, out).map_err(|c| Misfit::Character(c, String::new()))?;
                    close(name, out);
                }
            }
            return Ok(());
        }
        match cell {
            Cell::Struct(_, record) => return self.fields(name, key, record, row, out),
            Cell::List(array, item) => {
                for at in range(array.value_offsets(), row) {
                    match item.as_ref() {
                        Cell::List(..) if !item.is_null(at) => {
                            self.open(name, key, out)?;
                            out.push(b'>');
                            self.element(ITEM, None, item, at, out)?;
                            close(name, out);
                        }
                        _ => self.element(name, key, item, at, out)?,
                    }
                }
                return Ok(());
            }
            Cell::Scalar(value) => {
                self.open(name, key, out)?;
                out.push(b'>');
                self.scalar(value, row, false, out)?;
            }
            Cell::Map(array, keys, values) => {
                self.open(name, key, out)?;
                out.push(b'>');
                let mut key = String::new();
                for at in range(array.value_offsets(), row) {
                    key.clear();
                    keys.text(at, &mut key)?;
                    match is_name(&key) {
                        true => self.element(&key, None, values, at, out)?,
                        false => {
                            let key = Some((key.as_str(), keys.path.as_str()));
                            self.element("entry", key, values, at, out)?;
                        }
                    }
                }
            }
        }
        close(name, out);
        Ok(())
    }

    fn scalar(
        &self,
        value: &Scalar<'_>,
        row: usize,
        attribute: bool,
        out: &mut Vec<u8>,
    ) -> Written {
        let escaped = if value.is_null(row) {
            match &self.null {
                Some(null) => escape(null, attribute, out),
                None => Ok(()),
            }
        } else {
            match &value.text {
                Text::Small(texts) => escape(texts.value(row), attribute, out),
                Text::Large(texts) => escape(texts.value(row), attribute, out),
                Text::View(texts) => escape(texts.value(row), attribute, out),
                Text::Null => Ok(()),
                // No number, date or the like has a character to escape.
                Text::Other(values) => {
                    return values
                        .value(row)
                        .try_to_string()
                        .map(|text| out.extend_from_slice(text.as_bytes()))
                        .map_err(Misfit::Arrow);
                }
            }
        };
        escaped.map_err(|c| Misfit::Character(c, value.path.clone()))
    }
}

fn close(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    // Arrow's offsets ascend from zero.
    let at = |row: usize| {
        offsets
            .get(row)
            .and_then(|o| usize::try_from(*o).ok())
            .unwrap_or_default()
    };
    at(row)..at(row + 1)
}

/// The type in which a column is written: one kind of lists, and values by themselves.
fn simple(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| {
        let plain = Field::new(field.name(), simple(field.data_type()), field.is_nullable());
        Arc::new(plain)
    };
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        DataType::Dictionary(_, value) => simple(value),
        DataType::RunEndEncoded(_, value) => simple(value.data_type()),
        other => other.clone(),
    }
}

#[derive(Default)]
struct Record<'a> {
    attributes: Vec<(&'a str, Scalar<'a>)>,
    value: Option<Scalar<'a>>,
    elements: Vec<(&'a str, Cell<'a>)>,
}

enum Cell<'a> {
    Scalar(Scalar<'a>),
    Struct(&'a StructArray, Record<'a>),
    List(&'a ListArray, Box<Cell<'a>>),
    Map(&'a MapArray, Scalar<'a>, Box<Cell<'a>>),
}

impl Cell<'_> {
    fn is_null(&self, row: usize) -> bool {
        match self {
            Cell::Scalar(value) => value.is_null(row),
            Cell::Struct(array, _) => array.is_null(row),
            Cell::List(array, _) => array.is_null(row),
            Cell::Map(array, ..) => array.is_null(row),
        }
    }
}

/// Values without others within.
struct Scalar<'a> {
    array: &'a ArrayRef,
    text: Text<'a>,
    /// The column, as messages name it.
    path: String,
}

enum Text<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
    Null,
    Other(ArrayFormatter<'a>),
}

impl<'a> Scalar<'a> {
    fn new(array: &'a ArrayRef, path: String) -> Result<Self> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let text = match array.data_type() {
            DataType::Utf8 => Text::Small(array.as_string()),
            DataType::LargeUtf8 => Text::Large(array.as_string()),
            DataType::Utf8View => Text::View(array.as_string_view()),
            DataType::Null => Text::Null,
            _ => Text::Other(ArrayFormatter::try_new(array.as_ref(), &OPTIONS)?),
        };
        Ok(Scalar { array, text, path })
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.text, Text::Null) || self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut String) -> Written {
        match &self.text {
            Text::Small(texts) => out.push_str(texts.value(row)),
            Text::Large(texts) => out.push_str(texts.value(row)),
            Text::View(texts) => out.push_str(texts.value(row)),
            Text::Null => {}
            Text::Other(values) => out.push_str(&values.value(row).try_to_string()?),
        }
        Ok(())
    }
}

/// Writes text so that it is read as it is: markup escaped, and the ends of lines that readers would change.
/// The first character that XML cannot hold is an error.
fn escape(text: &str, attribute: bool, out: &mut Vec<u8>) -> std::result::Result<(), char> {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let instead: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' => b"&#13;",
            b'"' if attribute => b"&quot;",
            b'\t' if attribute => b"&#9;",
            b'\n' if attribute => b"&#10;",
            b'\t' | b'\n' => continue,
            // U+FFFE and U+FFFF begin so.
            0..0x20 | 0xEF => match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(c) if !is_char(c) => return Err(c),
                _ => continue,
            },
            _ => continue,
        };
        out.extend_from_slice(&bytes[done..at]);
        out.extend_from_slice(instead);
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
    Ok(())
}
