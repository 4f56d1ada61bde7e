//! Hive's partition folders: `key=value/key=value`.
//!
//! Escaping follows Hive's `FileUtils.escapePathName` (hive/common, `FileUtils.java`), which Spark,
//! Trino and so Athena share; NULL and the empty string are both `__HIVE_DEFAULT_PARTITION__`, and
//! both are NULL when read back.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MAX_INLINE_VIEW_LEN, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int32Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::temporal_conversions::{
    timestamp_ms_to_datetime, timestamp_ns_to_datetime, timestamp_s_to_datetime,
    timestamp_us_to_datetime,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::bucket;

/// The folder of rows whose key is NULL or empty (`hive.exec.default.partition.name`).
pub const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A name or value of a partition key as Hive writes it into a path: control characters and
/// ``" # % ' * / : = ? \ { [ ] ^`` as `%` and two hexadecimal digits, everything else as it is.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c) {
            out.push_str(&format!("%{:02X}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// The inverse of [`escape`]. What is no escape stays as it is, and so does a text whose escapes
/// are not UTF-8: other writers escape the bytes of letters beyond ASCII as well.
pub fn unescape(text: &str) -> String {
    match percent_encoding::percent_decode_str(text).decode_utf8() {
        Ok(plain) => plain.into_owned(),
        Err(_) => text.to_owned(),
    }
}

/// The folder of one partition: `year=2013/carrier=__HIVE_DEFAULT_PARTITION__`.
pub fn folder<'a>(keys: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut out = String::new();
    for (key, value) in keys {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(&escape(key));
        out.push('=');
        match value {
            None | Some("") => out.push_str(DEFAULT_PARTITION),
            Some(value) => out.push_str(&escape(value)),
        }
    }
    out
}

/// Whether a column of this type can name folders.
pub(super) fn can_be_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => can_be_key(value),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Boolean
        | DataType::Null
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(_, _) => true,
        other => other.is_numeric(),
    }
}

/// One value of a key as Hive renders it; `None` for NULL and for what reads back as NULL.
///
/// Timestamps with a zone are rendered in UTC, decimals with all the digits of their scale (as
/// Trino does), floats as Java prints them.
fn render(column: &ArrayRef, row: usize) -> Result<Option<String>, ArrowError> {
    if column.is_null(row) {
        return Ok(None);
    }
    let text = match column.data_type() {
        DataType::Null => return Ok(None),
        DataType::Dictionary(_, value) => {
            let plain = cast(&column.slice(row, 1), value)?;
            return render(&plain, 0);
        }
        DataType::Date64 => {
            let days = cast(&column.slice(row, 1), &DataType::Date32)?;
            return render(&days, 0);
        }
        DataType::Float16 => {
            let wider = cast(&column.slice(row, 1), &DataType::Float32)?;
            return render(&wider, 0);
        }
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            java_float(f64::from(value), &format!("{value:e}"))
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            java_float(value, &format!("{value:e}"))
        }
        DataType::Timestamp(unit, _) => {
            let moment = match unit {
                TimeUnit::Second => {
                    timestamp_s_to_datetime(column.as_primitive::<TimestampSecondType>().value(row))
                }
                TimeUnit::Millisecond => timestamp_ms_to_datetime(
                    column.as_primitive::<TimestampMillisecondType>().value(row),
                ),
                TimeUnit::Microsecond => timestamp_us_to_datetime(
                    column.as_primitive::<TimestampMicrosecondType>().value(row),
                ),
                TimeUnit::Nanosecond => timestamp_ns_to_datetime(
                    column.as_primitive::<TimestampNanosecondType>().value(row),
                ),
            };
            let Some(moment) = moment else {
                return Err(ArrowError::CastError(
                    "a timestamp beyond the calendar cannot name a partition".into(),
                ));
            };
            let text = moment.format("%Y-%m-%d %H:%M:%S%.9f").to_string();
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?
            .value(row)
            .try_to_string()?,
    };
    Ok((!text.is_empty() && text != DEFAULT_PARTITION).then_some(text))
}

/// The values of a partition key as Hive renders them into folders and as catalogs keep them; `None` for NULL and for
/// what reads back as NULL. Timestamps with a zone are rendered in UTC, floats as Java prints them.
///
/// # Errors
/// When the type cannot be one of a partition key, or a timestamp is beyond the calendar.
pub fn key_texts(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    if !can_be_key(column.data_type()) {
        return Err(ArrowError::CastError(format!(
            "{} cannot name a folder",
            column.data_type()
        )));
    }
    (0..column.len()).map(|row| render(column, row)).collect()
}

/// `Double.toString`: plain from 10⁻³ to 10⁷, else with an exponent; always a digit after the
/// point. `scientific` is Rust's shortest form, such as `1.25e-7`.
fn java_float(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        let point = if digits.contains('.') { "" } else { ".0" };
        return format!("{digits}{point}E{exponent}");
    }
    // The digits are the shortest already: they only have to be moved.
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let digits = digits.replace('.', "");
    let Ok(whole) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    };
    if whole == 0 {
        format!("{sign}0.{digits}")
    } else if digits.len() > whole {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    } else {
        format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()))
    }
}

/// One partition: its values, and the folder that they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) values: Vec<Option<String>>,
    pub(super) folder: String,
    /// Which of its buckets, where it has any: those of a partition are told apart like partitions.
    pub(super) bucket: Option<i32>,
}

/// How many keys are compared with before one is looked up.
const RECENT: usize = 8;

/// Splits batches by their partition keys, and drops the keys.
pub(super) struct Splitter {
    names: Vec<String>,
    keys: Vec<usize>,
    data: Vec<usize>,
    converter: Option<RowConverter>,
    by_row: HashMap<Box<[u8]>, usize>,
    /// The last different ones, as rows and partitions.
    recent: VecDeque<(Box<[u8]>, usize)>,
    /// Keys of one short text, as views have them.
    by_view: HashMap<u128, usize>,
    by_folder: HashMap<(String, Option<i32>), usize>,
    partitions: Vec<Partition>,
    /// The columns that rows are put in buckets by, and the number of buckets.
    buckets: Option<(Vec<usize>, u32)>,
    /// Folders that are not where Hive would put them, by its names of them.
    folders: Arc<HashMap<String, String>>,
}

impl Splitter {
    /// `keys` are positions in `schema`, in the order of the folders; `buckets` those of the columns by which rows of a
    /// partition are put in so many buckets.
    pub(super) fn new(
        schema: &SchemaRef,
        keys: &[usize],
        buckets: Option<(Vec<usize>, u32)>,
    ) -> Result<Self, ArrowError> {
        let fields = schema.fields();
        let mut partitions = Vec::new();
        let converter = if keys.is_empty() && buckets.is_none() {
            partitions.push(Partition {
                values: Vec::new(),
                folder: String::new(),
                bucket: None,
            });
            None
        } else {
            let bucket = buckets.iter().map(|_| SortField::new(DataType::Int32));
            let sort = keys
                .iter()
                .map(|&key| SortField::new(fields[key].data_type().clone()))
                .chain(bucket)
                .collect();
            Some(RowConverter::new(sort)?)
        };
        Ok(Splitter {
            names: keys.iter().map(|&k| fields[k].name().clone()).collect(),
            keys: keys.to_vec(),
            data: (0..fields.len()).filter(|i| !keys.contains(i)).collect(),
            converter,
            by_row: HashMap::new(),
            recent: VecDeque::new(),
            by_view: HashMap::new(),
            by_folder: HashMap::new(),
            partitions,
            buckets,
            folders: Arc::default(),
        })
    }

    /// With folders that are not where Hive would put them, by its names of them.
    pub(super) fn placed(mut self, folders: Arc<HashMap<String, String>>) -> Self {
        self.folders = folders;
        self
    }

    /// Every partition seen so far, by its number.
    pub(super) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The batch's rows by partition number, keys dropped, rows in their order.
    pub(super) fn split(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<Vec<(usize, RecordBatch)>, ArrowError> {
        if self.converter.is_none() {
            return Ok(vec![(0, batch.clone())]);
        }
        let data = batch.project(&self.data)?;
        let numbers = self.numbers(batch)?;
        if let Some(parts) = runs(&numbers) {
            let parts = parts.into_iter();
            return Ok(parts
                .map(|(number, rows)| (number, data.slice(rows.start, rows.len())))
                .collect());
        }
        let all: Vec<usize> = (0..self.partitions.len()).collect();
        let (order, parts) = side_by_side(&numbers, &all, 0u32..);
        let gathered = take_record_batch(&data, &UInt32Array::from(order))?;
        let parts = parts.into_iter();
        Ok(parts
            .map(|(number, rows)| (number, gathered.slice(rows.start, rows.len())))
            .collect())
    }

    /// The partition number of each row.
    pub(super) fn numbers(&mut self, batch: &RecordBatch) -> Result<Vec<usize>, ArrowError> {
        let mut columns: Vec<ArrayRef> = self
            .keys
            .iter()
            .map(|&key| batch.column(key).clone())
            .collect();
        if let Some((by, count)) = &self.buckets {
            let by: Vec<ArrayRef> = by.iter().map(|&at| batch.column(at).clone()).collect();
            columns.push(Arc::new(bucket::numbers(&by, *count)?));
        }
        match self.numbers_of_views(&columns)? {
            Some(numbers) => Ok(numbers),
            None => self.numbers_of_rows(&columns),
        }
    }

    /// The partition of each row where the key is one column of short texts, which are compared as numbers of
    /// 128 bits; `None` where it is not.
    fn numbers_of_views(&mut self, columns: &[ArrayRef]) -> Result<Option<Vec<usize>>, ArrowError> {
        let [column] = columns else {
            return Ok(None);
        };
        let Some(texts) = column.as_string_view_opt() else {
            return Ok(None);
        };
        // The lowest bits of a view are the text's length; all of a text that is no longer than this is in its
        // view, and zeros after it.
        let short = |view: &u128| *view & u128::from(u32::MAX) <= u128::from(MAX_INLINE_VIEW_LEN);
        if texts.null_count() > 0 || !texts.views().iter().all(short) {
            return Ok(None);
        }
        let mut recent: Vec<(u128, usize)> = Vec::with_capacity(RECENT);
        let mut oldest = 0;
        let mut numbers = Vec::with_capacity(texts.len());
        for (row, &view) in texts.views().iter().enumerate() {
            let known = recent.iter().find(|(known, _)| *known == view);
            let number = match known {
                Some((_, number)) => *number,
                None => {
                    let number = match self.by_view.get(&view) {
                        Some(&known) => known,
                        None => {
                            let number = self.number_of(columns, row)?;
                            self.by_view.insert(view, number);
                            number
                        }
                    };
                    if recent.len() < RECENT {
                        recent.push((view, number));
                    } else {
                        recent[oldest] = (view, number);
                        oldest = (oldest + 1) % RECENT;
                    }
                    number
                }
            };
            numbers.push(number);
        }
        Ok(Some(numbers))
    }

    /// The partition of each row, whatever the keys are.
    fn numbers_of_rows(&mut self, columns: &[ArrayRef]) -> Result<Vec<usize>, ArrowError> {
        let Some(converter) = &self.converter else {
            return Ok(Vec::new());
        };
        let rows = converter.convert_columns(columns)?;
        let mut numbers: Vec<usize> = Vec::with_capacity(rows.num_rows());
        for i in 0..rows.num_rows() {
            let row = rows.row(i);
            // Lakes come clustered, or with few keys: most rows are like one of the last few different ones.
            let recent = self.recent.iter().rev().find(|(r, _)| **r == *row.as_ref());
            let number = match recent {
                Some((_, number)) => *number,
                None => {
                    let key: Box<[u8]> = row.as_ref().into();
                    let number = match self.by_row.get(&key) {
                        Some(&known) => known,
                        None => {
                            let number = self.number_of(columns, i)?;
                            self.by_row.insert(key.clone(), number);
                            number
                        }
                    };
                    if self.recent.len() >= RECENT {
                        self.recent.pop_front();
                    }
                    self.recent.push_back((key, number));
                    number
                }
            };
            numbers.push(number);
        }
        Ok(numbers)
    }

    /// The partition of a row: several rows of keys can name one folder (NULL and empty).
    fn number_of(&mut self, columns: &[ArrayRef], row: usize) -> Result<usize, ArrowError> {
        let values = columns
            .iter()
            .take(self.names.len())
            .map(|column| render(column, row))
            .collect::<Result<Vec<_>, _>>()?;
        let bucket = columns
            .get(self.names.len())
            .map(|buckets| buckets.as_primitive::<Int32Type>().value(row));
        let names = self.names.iter().map(String::as_str);
        let mut folder = folder(names.zip(values.iter().map(Option::as_deref)));
        if let Some(other) = self.folders.get(&folder) {
            folder.clone_from(other);
        }
        Ok(match self.by_folder.entry((folder.clone(), bucket)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.partitions.push(Partition {
                    values,
                    folder,
                    bucket,
                });
                *new.insert(self.partitions.len() - 1)
            }
        })
    }
}

/// A partition's number, and the rows that it has side by side.
pub(super) type Part = (usize, Range<usize>);

/// The partitions of rows that stand side by side already; `None` where they do not.
fn runs(numbers: &[usize]) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut seen = Vec::new();
    for run in numbers.chunk_by(|a, b| a == b) {
        let number = *run.first()?;
        if seen.len() <= number {
            seen.resize(number + 1, false);
        }
        if std::mem::replace(&mut seen[number], true) {
            return None;
        }
        let start = parts.last().map_or(0, |(_, rows)| rows.end);
        parts.push((number, start..start + run.len()));
    }
    Some(parts)
}

/// The order that puts the rows of each partition side by side, partitions in the order of `order` and rows in
/// theirs; and the partitions that have any.
/// `places` are what the rows are known by.
pub(super) fn side_by_side<T: Copy + Default>(
    numbers: &[usize],
    order: &[usize],
    places: impl Iterator<Item = T>,
) -> (Vec<T>, Vec<Part>) {
    let mut counts = vec![0usize; order.len()];
    for &number in numbers {
        counts[number] += 1;
    }
    let mut next = vec![0; order.len()];
    let mut parts = Vec::new();
    let mut total = 0;
    for &number in order.iter().filter(|number| counts[**number] > 0) {
        next[number] = total;
        parts.push((number, total..total + counts[number]));
        total += counts[number];
    }
    let mut rows = vec![T::default(); numbers.len()];
    for (place, &number) in places.zip(numbers) {
        rows[next[number]] = place;
        next[number] += 1;
    }
    (rows, parts)
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
