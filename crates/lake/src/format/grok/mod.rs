//! Logs: lines that a grok pattern takes apart.

mod builtin;
mod lines;
mod pattern;
#[cfg(test)]
mod tests;
mod w3c;

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, SchemaRef};
use mastic_schema::names::column_names;

use self::lines::Lines;
pub use self::pattern::GrokError;
use self::pattern::Pattern;
use super::columns::{Column, Misfit, Reading};
use super::frame::{Wanted, odd_reason, set_aside, without};
use super::{AsFrame, Decode, Head, Inference, Limits, Odd};
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node, Typing};
use crate::value;

/// How a log is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrokOptions {
    /// What the format is called.
    pub classification: String,
    /// The pattern that each line is matched against.
    pub pattern: String,
    /// Patterns that it refers to by name: a name and an expression on each line.
    pub custom_patterns: String,
    /// What stands for nothing in the log: `-` where nothing else is said, as in Glue ("grokLog", AWS Glue
    /// developer guide).
    pub missing: Option<String>,
    /// Whether a line that does not match is an error where it is no error record, and not a row of nulls
    /// (`StrictMode` of Glue's `grokLog`).
    pub strict: bool,
}

impl GrokOptions {
    /// Makes sure that the pattern can be used.
    ///
    /// # Errors
    /// When an expression is bad, too large, or refers to a pattern that there is not.
    pub fn check(&self) -> std::result::Result<(), GrokError> {
        self.compile().map(drop)
    }

    /// The pattern, compiled once for all files: that takes longer than to look at a small one.
    fn compile(&self) -> std::result::Result<Arc<Pattern>, GrokError> {
        /// As many log formats as a lake may have at once.
        const KEPT: usize = 64;
        type Known = Vec<(String, String, Arc<Pattern>)>;
        static COMPILED: Mutex<Known> = Mutex::new(Vec::new());
        // A poisoned lock holds patterns that are whole.
        let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(pattern, custom, _): &&(String, String, Arc<Pattern>)| {
            *pattern == self.pattern && *custom == self.custom_patterns
        };
        if let Some((.., compiled)) = known().iter().find(same) {
            return Ok(compiled.clone());
        }
        let compiled = Arc::new(Pattern::compile(&self.pattern, &self.custom_patterns)?);
        let mut known = known();
        if known.len() == KEPT {
            known.remove(0);
        }
        known.push((
            self.pattern.clone(),
            self.custom_patterns.clone(),
            compiled.clone(),
        ));
        Ok(compiled)
    }

    /// Whether a capture stands for nothing.
    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || text == self.missing.as_deref().unwrap_or("-")
    }

    /// Lines that are about the log and no records of it.
    fn is_comment(&self, line: &str) -> bool {
        self.classification == w3c::CLASSIFICATION && line.starts_with('#')
    }
}

/// How many lines of the head are matched, and how many of them tell whether it is worth while.
const LINES: usize = 1000;
const FIRST: usize = 5;

/// The share of lines that must match for a text to be a log of a known format.
const ENOUGH: f32 = 0.9;

/// The head's whole lines that are not blank.
fn head_lines<'a>(head: &Head<'a>) -> Vec<std::borrow::Cow<'a, str>> {
    let text = head.bytes;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let whole = match memchr::memrchr(b'\n', text) {
        Some(last) if !head.complete => &text[..last],
        None if !head.complete => &[],
        _ => text,
    };
    whole
        .split(|b| *b == b'\n')
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
        .take(LINES)
        .map(lines::line)
        .collect()
}

/// The share of the head's lines that match, and why.
pub(super) fn certainty(
    head: &Head<'_>,
    options: &GrokOptions,
) -> std::result::Result<(f32, String), GrokError> {
    let pattern = options.compile()?;
    Ok(share(&head_lines(head), options, &pattern))
}

#[allow(clippy::cast_precision_loss)] // at most LINES
fn share(
    lines: &[std::borrow::Cow<'_, str>],
    options: &GrokOptions,
    pattern: &Pattern,
) -> (f32, String) {
    let mut matcher = pattern.matcher();
    let mut records = lines.iter().filter(|l| !options.is_comment(l)).peekable();
    if records.peek().is_none() {
        return (0.0, "there is no line to match".to_owned());
    }
    let (mut all, mut matched) = (0usize, 0usize);
    for line in records {
        all += 1;
        matched += usize::from(matcher.matches(line));
    }
    let name = &options.classification;
    let reason = if matched == all {
        format!("every line looked at ({all}) matches the grok pattern of {name}")
    } else {
        format!("{matched} of {all} lines match the grok pattern of {name}")
    };
    (matched as f32 / all as f32, reason)
}

/// The known log format that the head is in.
pub(super) fn sniff(head: &Head<'_>) -> Option<(GrokOptions, f32, String)> {
    if head.bytes.contains(&0) {
        return None;
    }
    let lines = head_lines(head);
    if let Some(options) = w3c::sniff(&lines) {
        let pattern = options.compile().ok()?;
        let (certainty, reason) = share(&lines, &options, &pattern);
        return (certainty >= ENOUGH).then_some((options, certainty, reason));
    }
    let first: Vec<&str> = lines.iter().take(FIRST).map(AsRef::as_ref).collect();
    builtin::candidates(&first).into_iter().find_map(|format| {
        let options = GrokOptions {
            classification: format.name.to_owned(),
            pattern: format.pattern.to_owned(),
            ..GrokOptions::default()
        };
        let pattern = options.compile().ok()?;
        let (certainty, reason) = share(&lines, &options, &pattern);
        (certainty >= ENOUGH).then_some((options, certainty, reason))
    })
}

/// Whether a log format of this name is known: its options.
pub(super) fn known(classification: &str) -> Option<GrokOptions> {
    let format = builtin::FORMATS.iter().find(|f| f.name == classification)?;
    Some(GrokOptions {
        classification: format.name.to_owned(),
        pattern: format.pattern.to_owned(),
        ..GrokOptions::default()
    })
}

fn bad_pattern(file: &str, options: &GrokOptions, error: &GrokError) -> LakeError {
    LakeError::data(
        file,
        format!(
            "its format, {}, has a bad grok pattern: {error}",
            options.classification
        ),
    )
}

fn unreadable(file: &str, line: u64, error: &std::io::Error) -> LakeError {
    LakeError::Data {
        file: file.to_owned(),
        line: Some(line),
        column: None,
        message: match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
            _ => error.to_string(),
        },
    }
}

/// Lines that a pattern does not match.
#[derive(Debug, Default)]
pub(super) struct Mismatches {
    count: u64,
    first: u64,
}

impl Mismatches {
    /// What is to be said of them, if there are any.
    pub(super) fn told(&self) -> Option<String> {
        let lines = if self.count == 1 {
            "line does"
        } else {
            "lines do"
        };
        (self.count > 0).then(|| {
            format!(
                "; {} {lines} not match, the first is line {}: each is a row of nulls",
                self.count, self.first
            )
        })
    }
}

/// Watches every line up to the limits.
pub(super) fn infer(
    file: &str,
    reader: impl Read,
    options: &GrokOptions,
    limits: &Limits,
) -> Result<(Inference, Mismatches)> {
    let pattern = options
        .compile()
        .map_err(|e| bad_pattern(file, options, &e))?;
    let mut matcher = pattern.matcher();
    let mut lines = Lines::new(reader);
    let mut nodes: Vec<Node> = vec![Node::default(); pattern.captures().len()];
    let (mut rows, mut complete) = (0, true);
    let mut mismatches = Mismatches::default();
    loop {
        if lines.read() >= limits.bytes {
            complete = false;
            break;
        }
        let (number, line) = match lines.next() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(error) => return Err(unreadable(file, lines.number(), &error)),
        };
        if options.is_comment(&line) {
            continue;
        }
        let matched = matcher.captures(&line, |i, text| {
            match text {
                Some(text) if !options.is_missing(text.trim()) => {
                    nodes[i].see_text(number, text.trim())
                }
                _ => nodes[i].see_null(),
            }
            Ok::<(), LakeError>(())
        })?;
        if matched {
            rows += 1;
        } else {
            mismatches.count += 1;
            if mismatches.first == 0 {
                mismatches.first = number;
            }
        }
    }
    let names = column_names(pattern.captures().iter().map(|c| c.name.as_str()));
    let mut root = Node::default();
    let mut fields = Vec::with_capacity(nodes.len());
    let mut chosen = Vec::with_capacity(nodes.len());
    for ((name, capture), node) in names.iter().zip(pattern.captures()).zip(nodes) {
        let nulls: Vec<String> = node.telling_markers().map(str::to_owned).collect();
        let data_type = match &capture.data_type {
            Some(data_type) => data_type.clone(),
            // A mark that is all a log has to say (Redis's `*` for a level) is a value.
            None => match node.data_type(&nulls, Choices::default()) {
                DataType::Null if !node.sightings().is_empty() => DataType::Utf8,
                data_type => data_type,
            },
        };
        chosen.push(match (&capture.data_type, &data_type) {
            (None, DataType::Utf8)
                if node.data_type(&nulls, Choices::default()) != DataType::Null =>
            {
                node.choice_field(name, &nulls, Choices::default(), Typing::Text)
            }
            (_, data_type) => Field::new(name, data_type.clone(), true),
        });
        fields.push(Field::new(name, data_type, true));
        *root.field(name) = node;
    }
    if rows == 0 {
        fields.clear();
        chosen.clear();
    }
    let inference = Inference {
        choices: (chosen != fields).then(|| chosen.into()),
        fields: fields.into(),
        rows: rows + mismatches.count,
        bytes: lines.read(),
        complete,
        node: Some(root),
    };
    Ok((inference, mismatches))
}

/// Lines as batches of the wanted columns.
pub(super) struct Decoder<R> {
    file: String,
    options: GrokOptions,
    pattern: Arc<Pattern>,
    lines: Lines<R>,
    columns: Vec<Column>,
    /// For each of the pattern's captures, the wanted column that it fills.
    binding: Vec<Option<usize>>,
    schema: SchemaRef,
    batch_size: usize,
    frame: Option<AsFrame>,
    /// The place of the column of lines.
    line: Option<usize>,
    done: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(reader: R, options: &GrokOptions, decode: &Decode) -> Result<Self> {
        let file = &decode.file;
        let pattern = options
            .compile()
            .map_err(|e| bad_pattern(file, options, &e))?;
        let schema = Arc::new(decode.schema.project(&decode.projection)?);
        let reading = Reading {
            frame: decode.frame.is_some(),
            ..Reading::default()
        };
        let columns = schema
            .fields()
            .iter()
            .map(|f| Column::new(f.data_type(), reading))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|m| LakeError::data(file, m.to_string()))?;
        let table = decode.schema.fields();
        let names = column_names(pattern.captures().iter().map(|c| c.name.as_str()));
        let binding = names
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let place = if pattern.is_positional() {
                    let mut own = (0..table.len()).filter(|i| !decode.is_line(*i));
                    own.nth(i)
                } else {
                    let place = mastic_schema::merge::position(table, name);
                    place.filter(|at| !decode.is_line(*at))
                };
                decode.projection.iter().position(|w| Some(*w) == place)
            })
            .collect();
        Ok(Decoder {
            file: file.clone(),
            options: options.clone(),
            pattern,
            lines: Lines::new(reader),
            columns,
            binding,
            schema,
            batch_size: decode.batch_size,
            frame: decode.frame.clone(),
            line: Wanted::of(decode).line,
            done: false,
        })
    }

    fn fill(&mut self) -> Result<Option<RecordBatch>> {
        /// A batch ends when its lines have as many bytes, however few they are.
        const BATCH_BYTES: u64 = 16 << 20;
        let pattern = self.pattern.clone();
        let mut matcher = pattern.matcher();
        let bound: Vec<bool> = (0..self.columns.len())
            .map(|i| self.binding.contains(&Some(i)))
            .collect();
        let (mut rows, from) = (0, self.lines.read());
        // Rows of values that are odd, and were set aside.
        let mut dropped: Vec<usize> = Vec::new();
        while rows < self.batch_size && self.lines.read() - from < BATCH_BYTES {
            let (number, line) = match self.lines.next() {
                Ok(Some(next)) => next,
                Ok(None) => {
                    self.done = true;
                    break;
                }
                Err(error) => {
                    let kind = error.kind();
                    let number = self.lines.number();
                    let told = unreadable(&self.file, number, &error);
                    match &self.frame {
                        Some(frame) if kind == lines::TOO_LONG => {
                            set_aside(
                                frame.bad_records.as_ref(),
                                told,
                                number,
                                self.lines.bytes(),
                            )?;
                        }
                        _ => return Err(told),
                    }
                    let passed = self.lines.pass();
                    passed.map_err(|e| unreadable(&self.file, number, &e))?;
                    continue;
                }
            };
            if self.options.is_comment(&line) {
                continue;
            }
            let (columns, binding, schema) = (&mut self.columns, &self.binding, &self.schema);
            let options = &self.options;
            let bad = |message: String| LakeError::Data {
                file: self.file.clone(),
                line: Some(number),
                column: None,
                message,
            };
            let in_frame = self.frame.is_some();
            let matched = matcher.captures(&line, |i, text| {
                let Some(at) = binding[i] else { return Ok(()) };
                let text = text.map(str::trim).filter(|t| !options.is_missing(t));
                append(&mut columns[at], text, in_frame).map_err(|misfit| {
                    let name = schema.field(at).name();
                    bad(match misfit {
                        Misfit::Value { wanted, found, .. } if in_frame => {
                            return LakeError::Misfit {
                                file: self.file.clone(),
                                line: Some(number),
                                name: name.clone(),
                                wanted,
                                found,
                            };
                        }
                        Misfit::Value { wanted, found, .. } => {
                            format!("{found} in column '{name}' is no {wanted}")
                        }
                        other => format!("column '{name}': {other}"),
                    })
                })
            });
            let matched = match (matched, &self.frame) {
                (Err(odd), Some(frame)) if frame.odd == Odd::SetAside => {
                    let Some(reason) = odd_reason(&odd) else {
                        return Err(odd);
                    };
                    let to = frame.bad_records.as_ref();
                    set_aside(to, bad(reason), number, line.as_bytes())?;
                    dropped.push(rows);
                    rows += 1;
                    for column in &mut self.columns {
                        column.level(rows);
                    }
                    continue;
                }
                (matched, _) => matched?,
            };
            if let Some(frame) = self.frame.as_ref().filter(|_| !matched) {
                let name = &self.options.classification;
                let error = bad(format!(
                    "the line does not match the grok pattern of {name}"
                ));
                set_aside(frame.bad_records.as_ref(), error, number, line.as_bytes())?;
                continue;
            }
            if self.options.strict && !matched {
                let name = &self.options.classification;
                return Err(bad(format!(
                    "the line does not match the grok pattern of {name}, and StrictMode is true"
                )));
            }
            // A line that does not match is a row of nulls, as with Glue's and Hive's SerDes: so no line of
            // a log is lost, and none keeps the others from being read. The crawl says how many there are.
            for (at, (column, bound)) in self.columns.iter_mut().zip(&bound).enumerate() {
                if self.line == Some(at) {
                    column.append_integer(i64::try_from(number).unwrap_or(i64::MAX));
                } else if !bound || !matched {
                    column.append_null();
                }
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = self
            .columns
            .iter_mut()
            .map(Column::finish)
            .collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?;
        Ok(Some(without(batch, &dropped)?))
    }
}

fn append(
    column: &mut Column,
    text: Option<&str>,
    in_frame: bool,
) -> std::result::Result<(), Misfit> {
    match text {
        // A marker among numbers or dates is a null, as inference took it.
        Some(text) if column.is_text() || !value::is_null_marker(text) => match in_frame {
            true => column.append_found(text),
            false => column.append_text(text),
        },
        _ => {
            column.append_null();
            Ok(())
        }
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.fill();
        if !matches!(batch, Ok(Some(_))) {
            self.done = true;
        }
        batch.transpose()
    }
}
