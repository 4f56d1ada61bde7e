//! However a file is cut among threads, its rows are those of one that is not cut.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::batch::Batch;
use super::grid::Grid;
use super::lexer::{Lexer, Step};
use super::plain::Plain;
use super::{CsvOptions, Decoder};
use crate::error::{LakeError, Result};
use crate::format::Decode;
use crate::format::threads::Threads;

fn table(types: &[DataType]) -> SchemaRef {
    let field = |(i, t): (usize, &DataType)| Field::new(format!("c{i}"), t.clone(), true);
    Arc::new(Schema::new(
        types.iter().enumerate().map(field).collect::<Vec<_>>(),
    ))
}

struct Setup {
    runtime: Runtime,
    schema: SchemaRef,
    options: CsvOptions,
}

impl Setup {
    fn new(types: &[DataType], options: CsvOptions) -> Setup {
        Setup {
            runtime: Runtime::new().unwrap(),
            schema: table(types),
            options,
        }
    }

    fn decode(&self, reader: impl Read, threads: Option<Threads>) -> Result<RecordBatch> {
        let decode = Decode {
            file: "f".to_owned(),
            schema: self.schema.clone(),
            projection: (0..self.schema.fields().len()).collect(),
            batch_size: 5,
            frame: None,
            predicate: None,
        };
        let decoder = Decoder::new(reader, &self.options, &decode, threads)?;
        let batches: Vec<RecordBatch> = decoder.collect::<Result<_>>()?;
        assert!(batches.iter().all(|b| b.num_rows() <= 5));
        Ok(concat_batches(&self.schema, &batches)?)
    }

    fn threads(&self, count: usize, piece: usize) -> Option<Threads> {
        Some(Threads {
            count,
            handle: self.runtime.handle().clone(),
            piece,
        })
    }

    /// The same rows, or an error in both: of several in a text, another one may come first.
    fn agrees(&self, text: &[u8], piece: usize) -> std::result::Result<(), TestCaseError> {
        let whole = self.decode(text, None);
        let cut = self.decode(text, self.threads(2, piece));
        match (whole, cut) {
            (Ok(whole), Ok(cut)) => prop_assert_eq!(whole, cut),
            (Err(_), Err(_)) => {}
            (whole, cut) => prop_assert!(false, "{:?} and {:?}", whole, cut),
        }
        Ok(())
    }
}

fn texts(count: usize) -> Vec<DataType> {
    vec![DataType::Utf8View; count]
}

/// Rows of the kinds that a cut can go wrong in.
fn row() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,5},[0-9]{1,4},[a-z ]{0,6}",
        4 => "[a-z]{1,5},[0-9]{1,4},\"[a-z, ]{0,6}\"",
        2 => "\"[a-z]{0,3}\n[a-z,\n]{0,3}\",[0-9]{1,4},x",
        1 => "\"[a-z]{0,3}\"\"[a-z]{0,3}\",[0-9]{1,4},\"\"\"\"",
        1 => "[a-z]{1,3}\" pipe,[0-9]{1,4},[a-z]\"[a-z]",
        1 => "[a-z]{1,3}, \"[a-z,]{1,3}\" ,[0-9]",
        1 => "[ ]{0,2}",
        1 => "#[a-z,\" ]{0,9}",
        1 => "[a-z]{1,9}",
        1 => "c0,c1,c2",
    ]
}

fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    (proptest::collection::vec(row(), count), end).prop_map(|(rows, end)| rows.join(end))
}

fn regular(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let quoted = prop_oneof![Just("\""), Just("")];
    let row = ("[a-z]{1,6}", 0u32..100_000, "[a-z]{0,6}", quoted);
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    (proptest::collection::vec(row, count), end).prop_map(|(rows, end)| {
        let rows = rows
            .into_iter()
            .map(|(a, b, c, q)| format!("{a},{b},{q}{c}{q}{end}"));
        rows.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_the_same_in_pieces(text in "[ab1,\"\\\\# \n\r]{0,300}", piece in 1usize..60, escape: bool, header: bool, comment: bool) {
        let setup = Setup::new(&texts(3), CsvOptions {
            header,
            escape: escape.then_some(b'\\'),
            comment: comment.then_some(b'#'),
            ..CsvOptions::default()
        });
        let text = format!("c0,c1,c2\n{text}");
        setup.agrees(text.as_bytes(), piece)?;
    }

    #[test]
    fn rows_of_every_kind_are_the_same_in_pieces(text in rows(0..60), piece in 1usize..200, footer in 0u64..4, preamble in 0u64..3) {
        let setup = Setup::new(&texts(3), CsvOptions {
            footer,
            preamble,
            comment: Some(b'#'),
            ..CsvOptions::default()
        });
        let text = format!("{}c0,c1,c2\n{text}", "notes\n".repeat(preamble as usize));
        setup.agrees(text.as_bytes(), piece)?;
    }

    /// Preambles, comments and notes at the end are found by the looks of the whole.
    #[test]
    fn what_files_tell_by_themselves_is_the_same_in_pieces(
        rows in rows(40..200),
        piece in 200usize..900,
        notes in prop_oneof![Just(""), Just("\n\nSource: census\nNote, this is, a note\n"), Just("\nTotal: 5\n")],
        title in prop_oneof![Just(""), Just("A title\n\n")],
    ) {
        let setup = Setup::new(&texts(3), CsvOptions { per_file: true, ..CsvOptions::default() });
        let text = format!("{title}c0,c1,c2\n{rows}{notes}");
        setup.agrees(text.as_bytes(), piece)?;
    }

    /// Values of types, in text that is cut 64 bytes at a time.
    #[test]
    fn values_are_the_same_in_pieces(rows in regular(100..300), piece in 100usize..3000, per_file: bool) {
        let types = [DataType::Utf8View, DataType::Int64, DataType::Utf8];
        let setup = Setup::new(&types, CsvOptions { per_file, ..CsvOptions::default() });
        let text = format!("c0,c1,c2\n{rows}");
        let whole = setup.decode(text.as_bytes(), None).unwrap();
        prop_assert_eq!(whole.num_rows(), rows.lines().count());
        setup.agrees(text.as_bytes(), piece)?;
    }

    /// Where text is cut 64 bytes at a time, it is cut as the lexer cuts it.
    #[test]
    fn plain_text_is_cut_as_any_other(rows in prop_oneof![rows(1..40), regular(1..80)], delimiter in prop_oneof![Just(b','), Just(b'\t'), Just(b'a')], comment: bool) {
        let options = CsvOptions { delimiter, ..CsvOptions::default() };
        let lexer = Lexer::new(&options, comment.then_some(b'#'));
        let mut ends = Vec::new();
        let Some(plain) = Plain::cut(&rows, &options, lexer.comment(), &mut ends) else {
            return Ok(());
        };
        let mut batch = Batch::default();
        let (mut at, mut line) = (0, 1);
        while let Step::Record { used, lines } | Step::Skipped { used, lines } = lexer.step(&rows.as_bytes()[at..], false, line, &mut batch) {
            at += used;
            line += lines;
        }
        prop_assert_eq!(at, rows.len());
        prop_assert_eq!(batch.len(), plain.len());
        for row in 0..batch.len() {
            prop_assert_eq!(batch.line(row), plain.line(row));
            let cells: Vec<&[u8]> = batch.cells(row).collect();
            let own: Vec<&[u8]> = (0..plain.width(row)).map(|i| plain.cell(row, i).unwrap().as_bytes()).collect();
            prop_assert_eq!(cells, own);
        }
    }

    #[test]
    fn plain_text_is_found(rows in regular(1..80)) {
        prop_assert!(Plain::cut(&rows, &CsvOptions::default(), None, &mut vec![7]).is_some());
    }
}

fn numbers(rows: usize) -> Vec<String> {
    let mut lines = vec!["c0,c1".to_owned()];
    lines.extend((0..rows).map(|i| format!("{i},\"row {i}\"")));
    lines
}

fn message(setup: &Setup, text: &[u8], piece: usize) -> String {
    let whole = setup.decode(text, None).unwrap_err().to_string();
    let cut = setup.decode(text, setup.threads(3, piece)).unwrap_err();
    assert_eq!(whole, cut.to_string());
    whole
}

#[test]
fn errors_name_the_line_in_the_file() {
    let setup = Setup::new(
        &[DataType::Int64, DataType::Utf8View],
        CsvOptions::default(),
    );
    for at in [1, 70, 333, 600] {
        let mut lines = numbers(600);
        lines[at] = "x,\"a\nb\"".to_owned();
        let text = lines.join("\n");
        let told = format!("line {}", at + 1);
        for piece in [30, 100, 1000] {
            let message = message(&setup, text.as_bytes(), piece);
            assert!(
                message.contains(&told) && message.contains("c0"),
                "{message}"
            );
        }
        lines[at] = "1,2,3".to_owned();
        let message = message(&setup, lines.join("\r\n").as_bytes(), 200);
        assert!(
            message.contains(&told) && message.contains("3 values"),
            "{message}"
        );
    }
}

#[test]
fn text_that_is_not_utf_8_is_told_with_its_line() {
    let setup = Setup::new(
        &[DataType::Int64, DataType::Utf8View],
        CsvOptions::default(),
    );
    let mut text = numbers(500).join("\n").into_bytes();
    let at = text.windows(7).position(|w| w == b"row 400").unwrap();
    text[at] = 0xff;
    assert!(message(&setup, &text, 300).contains("line 402"));
}

#[test]
fn a_quote_that_is_never_closed_is_told_with_its_line() {
    let setup = Setup::new(
        &[DataType::Int64, DataType::Utf8View],
        CsvOptions::default(),
    );
    let mut lines = numbers(500);
    lines[250] = "249,\"never".to_owned();
    // The next row's quote closes it, and what follows is its own.
    lines[251] = "250,closed".to_owned();
    for line in &mut lines[252..] {
        *line = line.replace('"', "");
    }
    assert!(message(&setup, lines.join("\n").as_bytes(), 300).contains("line 251"));
}

/// A reader that fails in the middle.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.0.read(buffer)
    }
}

#[test]
fn a_file_that_is_cut_short_is_told_behind_its_rows() {
    let setup = Setup::new(
        &[DataType::Int64, DataType::Utf8View],
        CsvOptions::default(),
    );
    let mut lines = numbers(200_000);
    let text = lines.join("\n");
    let whole = setup.decode(Broken(text.as_bytes()), None).unwrap_err();
    let cut = setup.decode(Broken(text.as_bytes()), setup.threads(2, 1 << 16));
    assert_eq!(whole.to_string(), cut.unwrap_err().to_string());
    assert!(whole.to_string().contains("cut short"));
    // An error before that comes first.
    lines[150_000] = "x,y".to_owned();
    let text = lines.join("\n");
    let cut = setup.decode(Broken(text.as_bytes()), setup.threads(2, 1 << 16));
    assert!(matches!(
        cut,
        Err(LakeError::Data {
            line: Some(150_001),
            ..
        })
    ));
}

#[test]
fn a_reader_may_stop_anywhere() {
    let setup = Setup::new(&texts(2), CsvOptions::default());
    let text = numbers(5000).join("\n");
    let decode = Decode {
        file: "f".to_owned(),
        schema: setup.schema.clone(),
        projection: vec![1],
        batch_size: 100,
        frame: None,
        predicate: None,
    };
    for taken in [0, 1, 7] {
        let decoder = Decoder::new(
            text.as_bytes(),
            &setup.options,
            &decode,
            setup.threads(2, 500),
        )
        .unwrap();
        let rows: usize = decoder.take(taken).map(|b| b.unwrap().num_rows()).sum();
        assert_eq!(rows > 0, taken > 0);
    }
}
