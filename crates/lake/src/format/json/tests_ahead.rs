//! However a file is cut among threads, its rows and its bad records are those of one that is not cut.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use mastic_schema::hive::parse_type;
use mastic_schema::origin;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{JsonOptions, ParallelDecoder};
use crate::error::{LakeError, Result};
use crate::format::threads::Threads;
use crate::format::{AsFrame, BadRecord, BadRecords, Decode};

#[derive(Debug, Default)]
struct Bin(Mutex<Vec<BadRecord>>);

impl BadRecords for Bin {
    fn set_aside(&self, record: BadRecord) -> Result<()> {
        self.0.lock().unwrap().push(record);
        Ok(())
    }
}

struct Setup {
    runtime: Runtime,
    schema: SchemaRef,
    /// Read as a frame does, lines too.
    frame: bool,
    batch_size: usize,
}

impl Setup {
    fn new(frame: bool) -> Setup {
        let types = [
            ("a", "bigint"),
            ("b", "string"),
            ("c", "struct<d:array<string>>"),
        ];
        let columns = types.map(|(name, t)| Field::new(name, parse_type(t).unwrap(), true));
        let mut columns: Vec<Field> = columns.into();
        if frame {
            columns.push(origin::line_field());
        }
        Setup {
            runtime: Runtime::new().unwrap(),
            schema: Arc::new(Schema::new(columns)),
            frame,
            batch_size: 3,
        }
    }

    fn decode(
        &self,
        reader: impl Read,
        threads: Option<Threads>,
    ) -> (Result<RecordBatch>, Vec<BadRecord>) {
        let bin = Arc::new(Bin::default());
        let decode = Decode {
            file: "f".to_owned(),
            schema: self.schema.clone(),
            projection: (0..self.schema.fields().len()).collect(),
            batch_size: self.batch_size,
            frame: self.frame.then(|| AsFrame::new(bin.clone())),
            predicate: None,
        };
        let options = JsonOptions::default();
        let decoder = ParallelDecoder::new(reader, &options, &decode, threads).unwrap();
        let batches: Result<Vec<RecordBatch>> = decoder.collect();
        let batch = batches.map(|batches| {
            assert!(batches.iter().all(|b| b.num_rows() <= self.batch_size));
            concat_batches(&self.schema, &batches).unwrap()
        });
        let bad = std::mem::take(&mut *bin.0.lock().unwrap());
        (batch, bad)
    }

    fn threads(&self, piece: usize) -> Option<Threads> {
        Some(Threads {
            count: 2,
            handle: self.runtime.handle().clone(),
            piece,
        })
    }

    /// The same rows and the same bad records, or the same error.
    fn agrees(&self, text: &[u8], piece: usize) -> std::result::Result<(), TestCaseError> {
        let (whole, bad) = self.decode(text, None);
        let (cut, cut_bad) = self.decode(text, self.threads(piece));
        prop_assert_eq!(&bad, &cut_bad);
        match (whole, cut) {
            (Ok(whole), Ok(cut)) => prop_assert_eq!(whole, cut),
            (Err(whole), Err(cut)) => prop_assert_eq!(whole.to_string(), cut.to_string()),
            (whole, cut) => prop_assert!(false, "{:?} and {:?}", whole, cut),
        }
        Ok(())
    }
}

/// Lines of the kinds that a cut can go wrong at.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (0u32..9999, "[a-z{}\\[\\] ]{0,6}").prop_map(|(a, b)| format!("{{\"a\": {a}, \"b\": \"{b}\"}}")),
        6 => "[a-z]{0,6}".prop_map(|d| format!("{{\"c\": {{\"d\": [\"{d}\", \"x\"]}}}}")),
        2 => Just("{\"a\": 1}{\"a\": 2} {\"b\": \"y\"}".to_owned()),
        2 => Just("{\"a\":\n{\n},\n\"b\": \"over lines\"\n}".to_owned()),
        1 => Just("{\n  \"a\": 3,\n  \"c\": {\"d\": [\n{\"e\": 1}\n]}\n}".to_owned()),
        1 => Just("[{\"a\": 4},\n{\"a\": 5},\n{\"a\": 6}\n]".to_owned()),
        1 => Just("[{\"a\": 4},\n{\"a\": 5".to_owned()),
        1 => Just("{\"a\": 7, \"b\": \"cut".to_owned()),
        1 => Just("{\"a\": 8, \"b\": \"a raw\n{line} feed\"}".to_owned()),
        1 => Just("{\"a\": oops}".to_owned()),
        1 => Just("{\"a\": 9} and more".to_owned()),
        1 => Just("nothing".to_owned()),
        1 => "[ \t]{0,2}",
        1 => Just("]".to_owned()),
    ]
}

fn lines(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    (proptest::collection::vec(line(), count), end).prop_map(|(lines, end)| lines.join(end))
}

fn regular(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let record = (0u32..100_000, "[a-zé]{0,6}", 0usize..4);
    proptest::collection::vec(record, count).prop_map(|records| {
        let records = records.into_iter().map(|(a, b, d)| {
            let d = vec!["\"x\""; d].join(",");
            format!("{{\"a\":{a},\"b\":\"{b}\",\"c\":{{\"d\":[{d}]}}}}\n")
        });
        records.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_the_same_in_pieces(text in "[{}\\[\\]\"ab:,1\\\\ \n]{0,200}", piece in 2usize..40, frame: bool) {
        let text = format!("{{\"a\":1}}\n{{\"a\":2}}\n{{\"a\":3}}\n{text}");
        Setup::new(frame).agrees(text.as_bytes(), piece)?;
    }

    #[test]
    fn lines_of_every_kind_are_the_same_in_pieces(text in lines(0..60), piece in 2usize..300) {
        Setup::new(true).agrees(text.as_bytes(), piece)?;
    }

    #[test]
    fn a_table_is_the_same_in_pieces(text in lines(0..30), piece in 2usize..300) {
        Setup::new(false).agrees(text.as_bytes(), piece)?;
    }

    #[test]
    fn records_are_the_same_in_pieces(text in regular(20..200), piece in 50usize..2000, frame: bool, pretty: bool) {
        let setup = Setup::new(frame);
        // Pretty-printed, no record is a line, and yet each begins one.
        let text = if pretty { text.replace(",\"b\"", ",\n  \"b\"") } else { text };
        let (whole, _) = setup.decode(text.as_bytes(), None);
        prop_assert_eq!(whole.unwrap().num_rows(), text.matches("\"a\":").count());
        setup.agrees(text.as_bytes(), piece)?;
    }
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{{\"a\": {i}}}")).collect()
}

#[test]
fn rows_and_bad_records_know_their_lines() {
    let setup = Setup::new(true);
    let mut lines = numbers(2000);
    lines[777] = "{\"a\": oops}".to_owned();
    lines[1500] = "{\"a\": 15, \"b\": nil}".to_owned();
    let (rows, bad) = setup.decode(lines.join("\n").as_bytes(), setup.threads(500));
    let at: Vec<Option<u64>> = bad.iter().map(|b| b.line).collect();
    assert_eq!(at, [Some(778), Some(1501)]);
    let rows = rows.unwrap();
    assert_eq!(rows.num_rows(), 1998);
    let a = rows.column(0).as_primitive::<Int64Type>();
    let line = rows.column(3).as_primitive::<Int64Type>();
    assert!(
        a.values()
            .iter()
            .zip(line.values())
            .all(|(a, line)| a + 1 == *line)
    );
}

#[test]
fn pieces_are_decoded_by_other_threads() {
    // Without a thread that works, nothing comes of a piece.
    let setup = Setup::new(false);
    let threads = setup.threads(500);
    let Setup {
        runtime, schema, ..
    } = setup;
    runtime.shutdown_background();
    let decode = Decode {
        file: "f".to_owned(),
        projection: (0..schema.fields().len()).collect(),
        schema,
        batch_size: 10,
        frame: None,
        predicate: None,
    };
    let text = numbers(1000).join("\n");
    let options = JsonOptions::default();
    let decoder = ParallelDecoder::new(text.as_bytes(), &options, &decode, threads).unwrap();
    let batches: Vec<Result<RecordBatch>> = decoder.collect();
    assert_eq!(batches.len(), 2);
    let error = batches[1].as_ref().unwrap_err().to_string();
    assert_eq!(error, "f: a thread that decodes it stopped");
}

#[test]
fn errors_name_the_line_in_the_file() {
    let setup = Setup::new(false);
    for at in [0, 70, 333, 599] {
        let mut lines = numbers(600);
        lines[at] = "{\"a\": \"text\"}".to_owned();
        let text = lines.join("\n");
        let (whole, _) = setup.decode(text.as_bytes(), None);
        let whole = whole.unwrap_err();
        let told = match &whole {
            LakeError::Misfit { line, .. } | LakeError::Data { line, .. } => *line,
            other => panic!("{other}"),
        };
        assert_eq!(told, Some(at as u64 + 1));
        for piece in [30, 100, 1000] {
            let (cut, _) = setup.decode(text.as_bytes(), setup.threads(piece));
            assert_eq!(cut.unwrap_err().to_string(), whole.to_string());
        }
    }
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
fn a_file_that_is_cut_short_is_told_behind_its_records() {
    let setup = Setup::new(true);
    let mut lines = numbers(50_000);
    lines[40_000] = "{\"a\": oops}".to_owned();
    let text = lines.join("\n");
    let (cut, bad) = setup.decode(Broken(text.as_bytes()), setup.threads(1 << 12));
    assert!(cut.unwrap_err().to_string().contains("cut short"));
    assert_eq!(bad.len(), 1);
}

#[test]
fn many_bad_records_are_set_aside_in_their_order() {
    let setup = Setup::new(true);
    // More than a piece may have.
    let mut lines = numbers(10);
    lines.extend((0..25_000).map(|_| "{\"a\": oops}".to_owned()));
    lines.extend(numbers(10));
    let (rows, bad) = setup.decode(lines.join("\n").as_bytes(), setup.threads(1 << 18));
    assert_eq!(rows.unwrap().num_rows(), 20);
    let at: Vec<u64> = bad.iter().map(|b| b.line.unwrap()).collect();
    assert_eq!(at, (11..=25_010).collect::<Vec<u64>>());
}

#[test]
fn a_reader_may_stop_anywhere() {
    let setup = Setup::new(false);
    let text = numbers(5000).join("\n");
    let decode = Decode {
        file: "f".to_owned(),
        schema: setup.schema.clone(),
        projection: vec![0],
        batch_size: 100,
        frame: None,
        predicate: None,
    };
    assert_eq!(decode.schema.field(0).data_type(), &DataType::Int64);
    for taken in [0, 1, 7] {
        let options = JsonOptions::default();
        let threads = setup.threads(500);
        let decoder = ParallelDecoder::new(text.as_bytes(), &options, &decode, threads).unwrap();
        let rows: usize = decoder.take(taken).map(|b| b.unwrap().num_rows()).sum();
        assert_eq!(rows > 0, taken > 0);
    }
}
