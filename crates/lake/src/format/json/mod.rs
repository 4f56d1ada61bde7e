//! JSON: lines, arrays, pretty-printed, or records one after another.

pub(crate) mod parse;
pub(crate) mod records;

use std::io::Read;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Fields, SchemaRef};

use self::parse::{Parser, Problem, Token};
use self::records::{Broken, Record, Records};
use super::columns::{Misfit, StructColumn};
use super::{Decode, Head, Inference, Limits};
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node};

/// Whether the head looks like JSON records: how sure, and why.
pub(super) fn sniff(head: &Head<'_>) -> Option<(f32, String)> {
    let text = head.bytes;
    let first = text.iter().find(|b| !b" \t\r\n\xef\xbb\xbf".contains(b))?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    let mut records = Records::new(text);
    let mut count = 0u32;
    loop {
        match records.next() {
            Ok(Some(record)) => {
                let valid = std::str::from_utf8(record.bytes).is_ok_and(|t| {
                    let mut parser = Parser::new(t);
                    parser.skip().is_ok()
                });
                if !valid {
                    // One bad record after good ones is a file with a bad record.
                    return (count > 0).then(|| (0.8, format!("{count} records, then a bad one")));
                }
                count += 1;
            }
            Ok(None) => break,
            // The head ends within a record, or the file is cut short.
            Err(Broken::Syntax {
                message, cut: true, ..
            }) => {
                if count == 0 && head.complete {
                    return looks_like_object(text).then_some((0.5, message));
                }
                break;
            }
            Err(_) => {
                return (count > 0).then(|| (0.8, format!("{count} records, then something else")));
            }
        }
        if count >= 100 {
            break;
        }
    }
    let empty_array = head.complete && text.trim_ascii() == b"[]";
    if count == 0 && !looks_like_object(text) && !empty_array {
        return None;
    }
    let layout = if *first == b'[' {
        "an array of objects"
    } else {
        "objects"
    };
    Some((1.0, format!("the text is {layout}")))
}

fn looks_like_object(text: &[u8]) -> bool {
    let mut bytes = text.iter().filter(|b| !b" \t\r\n[\xef\xbb\xbf".contains(b));
    bytes.next() == Some(&b'{') && matches!(bytes.next(), Some(b'"' | b'}'))
}

fn lake_error(file: &str, broken: Broken) -> LakeError {
    match broken {
        Broken::Read(e) => LakeError::data(
            file,
            match e.kind() {
                std::io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
                _ => e.to_string(),
            },
        ),
        Broken::Syntax {
            line,
            column,
            message,
            ..
        } => LakeError::Data {
            file: file.to_owned(),
            line: Some(line),
            column: Some(column),
            message,
        },
    }
}

fn at(file: &str, record: &Record<'_>, problem: Problem) -> LakeError {
    let (line, column) = record.place(problem.at);
    LakeError::Data {
        file: file.to_owned(),
        line: Some(line),
        column: Some(column),
        message: problem.message,
    }
}

fn text<'a>(file: &str, record: &Record<'a>) -> Result<&'a str> {
    std::str::from_utf8(record.bytes).map_err(|e| {
        at(
            file,
            record,
            Problem {
                at: e.valid_up_to(),
                message: "the text is not UTF-8".into(),
            },
        )
    })
}

/// Watches every record up to the limits.
pub(super) fn infer(
    file: &str,
    reader: impl Read,
    limits: &Limits,
    choices: Choices,
) -> Result<Inference> {
    let mut records = Records::new(reader);
    let mut root = Node::default();
    let (mut rows, mut bytes) = (0, 0);
    let mut complete = true;
    while let Some(record) = records.next().map_err(|b| lake_error(file, b))? {
        if bytes >= limits.bytes {
            complete = false;
            break;
        }
        rows += 1;
        bytes += record.bytes.len() as u64;
        let mut parser = Parser::new(text(file, &record)?);
        let line = record.line;
        let seen = parser
            .start()
            .and_then(|token| see(&mut root, &mut parser, token, line));
        seen.map_err(|problem| at(file, &record, problem))?;
    }
    let fields = match root.data_type(&[], choices) {
        DataType::Struct(fields) => fields,
        // Records with many varying keys are still records.
        _ => root
            .fields()
            .map(|(name, node)| {
                arrow::datatypes::Field::new(name, node.data_type(&[], choices), true)
            })
            .collect(),
    };
    Ok(Inference {
        fields,
        rows,
        bytes,
        complete,
        node: Some(root),
    })
}

fn see(
    node: &mut Node,
    parser: &mut Parser<'_>,
    token: Token<'_>,
    line: u64,
) -> std::result::Result<(), Problem> {
    match token {
        Token::Null => node.see_null(),
        Token::Boolean(value) => node.see_boolean(line, value),
        Token::Number(text) => node.see_number(line, text),
        Token::String(text) => node.see_string(line, &text),
        Token::Object => {
            node.see_object(line);
            let mut first = true;
            let mut position = 0;
            while let Some(key) = parser.key(&mut first)? {
                let token = parser.start()?;
                see(node.field_at(position, &key), parser, token, line)?;
                position += 1;
            }
        }
        Token::Array => {
            node.see_array(line);
            let mut first = true;
            while parser.element(&mut first)? {
                let token = parser.start()?;
                see(node.element(), parser, token, line)?;
            }
        }
    }
    Ok(())
}

/// A batch ends when its records have as many bytes, however few they are.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Records as batches of the wanted columns.
pub(super) struct Decoder<R> {
    file: String,
    records: Records<R>,
    columns: StructColumn,
    schema: SchemaRef,
    batch_size: usize,
    done: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(reader: R, decode: &Decode, single_is_array: bool) -> Result<Self> {
        let fields: &Fields = decode.schema.fields();
        let columns = StructColumn::new(fields, &decode.projection, single_is_array)
            .map_err(|m| LakeError::data(&decode.file, m.to_string()))?;
        Ok(Decoder {
            file: decode.file.clone(),
            records: Records::new(reader),
            columns,
            schema: Arc::new(decode.schema.project(&decode.projection)?),
            batch_size: decode.batch_size,
            done: false,
        })
    }

    fn fill(&mut self) -> Result<()> {
        let file = &self.file;
        let mut bytes = 0;
        while self.columns.len() < self.batch_size && bytes < BATCH_BYTES {
            let Some(record) = self.records.next().map_err(|b| lake_error(file, b))? else {
                self.done = true;
                break;
            };
            bytes += record.bytes.len();
            let mut parser = Parser::new(text(file, &record)?);
            let read = parser
                .start()
                .map_err(Misfit::from)
                .and_then(|_| self.columns.append_object(&mut parser));
            read.map_err(|misfit| {
                let problem = match misfit {
                    Misfit::Json(problem) => problem,
                    other => parser.problem(other.to_string()),
                };
                at(file, &record, problem)
            })?;
        }
        Ok(())
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if let Err(error) = self.fill() {
            self.done = true;
            return Some(Err(error));
        }
        if self.columns.len() == 0 {
            return None;
        }
        let batch = self.columns.finish_records().and_then(|(arrays, rows)| {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
        });
        Some(batch.map_err(Into::into))
    }
}
