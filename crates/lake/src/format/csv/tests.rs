//! Dialects and files as a whole.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;

use super::{CsvOptions, Decoder, infer, sniff};
use crate::error::Result;
use crate::format::{Decode, Head, Limits};
use crate::value::DateOrder;
use mastic_schema::hive::format_type;

/// What a file was found to be, and its rows as text.
struct Read {
    options: CsvOptions,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    inferred: u64,
    reason: String,
}

fn read(bytes: &[u8], name: &str) -> Option<Result<Read>> {
    let head = Head {
        bytes: &bytes[..bytes.len().min(1 << 20)],
        complete: bytes.len() < 1 << 20,
        name,
    };
    let (mut options, _, mut reason) = sniff(&head)?;
    Some((|| {
        let inference = infer(
            name,
            bytes,
            || Ok(bytes),
            &mut options,
            &Limits::default(),
            false,
            &mut reason,
        )?;
        // A column of nothing but markers says nothing of itself, and is text in a catalog.
        let fields: Vec<Field> = inference
            .fields
            .iter()
            .map(|f| match f.data_type() {
                DataType::Null => Field::new(f.name(), DataType::Utf8, true),
                _ => f.as_ref().clone(),
            })
            .collect();
        let columns = fields
            .iter()
            .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
            .collect();
        let decode = Decode {
            file: name.to_owned(),
            projection: (0..fields.len()).collect(),
            schema: Arc::new(Schema::new(fields)),
            batch_size: 7,
            frame: None,
            predicate: None,
        };
        let batches: Vec<RecordBatch> =
            Decoder::new(bytes, &options, &decode, None)?.collect::<Result<_>>()?;
        Ok(Read {
            options,
            columns,
            rows: batches.iter().flat_map(rows).collect(),
            inferred: inference.rows,
            reason,
        })
    })())
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let format = FormatOptions::default().with_null("∅");
    (0..batch.num_rows())
        .map(|row| {
            let columns = batch.columns().iter();
            columns
                .map(|c| {
                    let column: &dyn Array = c.as_ref();
                    ArrayFormatter::try_new(column, &format)
                        .unwrap()
                        .value(row)
                        .to_string()
                })
                .collect()
        })
        .collect()
}

fn file(text: &str) -> Read {
    read(text.as_bytes(), "x.csv").unwrap().unwrap()
}

#[test]
fn notes_around_a_table_are_no_rows() {
    let read = file(
        "Sales by region\nAll figures in tons\n\nregion;tons;since\nNorth;1,5;2020-01-02\nSouth;2,5;2020-01-03\nWest;3;2020-01-04\n\nSource: somebody\n",
    );
    assert_eq!(read.columns, ["region string", "tons string", "since date"]);
    assert_eq!(read.rows.len(), 3);
    assert_eq!((read.options.preamble, read.options.footer), (3, 1));
    assert!(
        read.reason.contains("the table begins in line 4"),
        "{}",
        read.reason
    );
    let read = file("# made by a program\n# in 2020\na,b\n1,2\n# half way\n3,4\n");
    assert_eq!(read.rows, [["1", "2"], ["3", "4"]]);
    assert_eq!(read.options.comment, Some(b'#'));
}

#[test]
fn orders_of_dates_are_decided_by_the_file() {
    let read = file("a,b\n1/2/2020,25/12/2020\n3/4/2020,1/1/2021\n");
    assert_eq!(read.columns, ["a date", "b date"]);
    assert_eq!(read.rows[0], ["2020-02-01", "2020-12-25"]);
    let read = file("a,b\n1/2/2020,x\n3/4/2020,y\n");
    assert_eq!(read.columns, ["a string", "b string"]);
    assert!(
        read.reason.contains("none of them decides"),
        "{}",
        read.reason
    );
    let read = file("a,b\n12/25/20 4:30 PM,1\n1/2/20 12:05 AM,2\n");
    assert_eq!(read.columns, ["a timestamp", "b bigint"]);
    assert_eq!(read.rows[1][0], "2020-01-02T00:05:00");
}

#[test]
fn single_quotes_are_doubled_within() {
    let text = "1,'bob','it''s, 1'\n".repeat(20);
    let read = file(&format!("id,name,txt\n{text}"));
    assert_eq!(read.options.quote, Some(b'\''));
    assert_eq!(read.columns, ["id bigint", "name string", "txt string"]);
    assert_eq!(read.rows.len(), 20);
    assert!(read.rows.iter().all(|r| r == &["1", "bob", "it's, 1"]));
}

#[test]
fn notes_with_delimiters_are_no_rows() {
    let table = "region,n,since,rate\nNorth,1,2020-01-02,1.5\nSouth,2,2020-01-03,2.5\nWest,3,2020-01-04,3.5\n";
    let notes = "\n\n\nSource: census\nNote, this is, a note, here\nAll, of it, was made, up\n";
    for (end, rows) in [
        (notes.to_owned(), 3),
        (format!("Total: 3 regions\n{notes}"), 3),
        ("\nTotal: 3\n".to_owned(), 3),
        ("Total: 6\n".to_owned(), 3),
        // Rows of the table's own kind behind a blank line stay.
        (format!("\n\nEast,4,2020-01-05,4.5{notes}"), 4),
        (
            "\nEast,4,2020-01-05,4.5\nNorth,5,2020-01-06,5.5\n".to_owned(),
            5,
        ),
    ] {
        let read = file(&format!("{table}{end}"));
        assert_eq!(read.rows.len(), rows, "{end}");
    }
    // So does another table.
    let read = file(&format!(
        "{table}\nregion,town,mayor,party\nNorth,Oslo,Ann,x\n"
    ));
    assert_eq!(read.options.footer, 0);
    assert_eq!(read.rows.last().map(|r| r[1].as_str()), Some("Oslo"));
    let long = format!("{table}{}{notes}", "North,1,2020-01-02,1.5\n".repeat(3000));
    let read = file(&long);
    assert_eq!((read.rows.len(), read.inferred), (3003, 3003));
    assert_eq!(read.columns[1..], ["n bigint", "since date", "rate double"]);
}

#[test]
fn years_of_two_digits_are_not_guessed_at() {
    let read = file("d,n\n24-01-31,1\n23-02-14,2\n24-03-25,3\n22-12-30,4\n");
    assert_eq!(read.columns, ["d string", "n bigint"]);
    assert!(
        read.reason
            .contains("may be year-month-day or day-month-year"),
        "{}",
        read.reason
    );
    let read = file("d,n\n24-01-31,1\n99-02-14,2\n");
    assert_eq!(read.columns, ["d date", "n bigint"]);
    assert_eq!(read.rows[1][0], "1999-02-14");
    assert_eq!(read.options.date_order, Some(DateOrder::YearFirst));
}

#[test]
fn numbers_are_what_was_written() {
    let read = file("a,b,c\n9007199254740993,0.1234567890123456789,9007199254740993\n1.5,1,1e5\n");
    assert_eq!(
        read.columns,
        ["a decimal(20,1)", "b decimal(38,19)", "c string"]
    );
    assert_eq!(
        read.rows[0],
        [
            "9007199254740993.0",
            "0.1234567890123456789",
            "9007199254740993"
        ]
    );
    assert!(read.reason.contains("'c' stays text"), "{}", read.reason);
    let read = file("a,b\n2024-01-01 00:00:00.123456789,1\n2024-01-01 00:00:00,2\n");
    assert!(
        read.reason.contains("are cut off 1 times in 'a'"),
        "{}",
        read.reason
    );
}

#[test]
fn markers_are_nulls_but_among_codes_that_look_like_them() {
    let read = file("code,n,x\nNA,NA,NULL\nDE,1,a\nFR,2,b\n");
    assert_eq!(read.columns, ["code string", "n bigint", "x string"]);
    assert_eq!(read.rows[0], ["NA", "∅", "∅"]);
    assert_eq!(read.options.null_markers, ["NA"]);
    assert_eq!(read.options.text_nulls, ["NULL"]);
    assert_eq!(read.options.literal_columns, ["code"]);
    let read = file("tail,n,op\nN14228,1,+\nNA,NA,-\n NA ,3,+\nN619AA,-,+\n");
    assert_eq!(read.columns, ["tail string", "n bigint", "op string"]);
    assert_eq!(read.rows[1], ["∅", "∅", "-"]);
    assert_eq!(read.rows[2][0], "∅");
    assert_eq!(read.rows[3], ["N619AA", "∅", "+"]);
    // Where no column of values tells of it, a marker is text.
    let read = file("tail,n\nN14228,1\nNA,2\n");
    assert_eq!(read.rows[1], ["NA", "2"]);
}

#[test]
fn encodings_are_told_line_by_line() {
    let mut bytes = "name,n\nJosé,1\n".as_bytes().to_vec();
    bytes.extend_from_slice(b"Jos\xe9,2\nAndr\xe9,3\nRen\xe9e,4\n");
    let read = read(&bytes, "x.csv").unwrap().unwrap();
    let names: Vec<&str> = read.rows.iter().map(|r| r[0].as_str()).collect();
    assert_eq!(names, ["José", "José", "André", "Renée"]);
}

#[test]
fn row_names_get_a_column() {
    let read = file("mpg,cyl\n\"Mazda\",21,6\n\"Fiat\",32.4,4\n");
    assert_eq!(read.columns, ["col0 string", "mpg double", "cyl bigint"]);
}

#[test]
fn trailing_delimiters_add_no_column() {
    let read = file("a,b,\n1,x,\n2,y,\n");
    assert_eq!(read.columns, ["a bigint", "b string"]);
    let read = file("a,b\n1,x,\n2,y,\n");
    assert_eq!(read.columns, ["a bigint", "b string"]);
}

#[test]
fn a_quote_that_is_never_closed_swallows_nothing() {
    let mut text = "a,b,c\n".to_owned();
    for i in 0..30_000 {
        text.push_str(&format!("{i},x,some words to fill the line\n"));
    }
    text.push_str("30000,\"y,z\n");
    for i in 0..30_000 {
        text.push_str(&format!("{i},x,some words to fill the line\n"));
    }
    let read = file(&text);
    assert_eq!(read.rows.len(), 60_001);
    assert_eq!(read.options.quote, None);
}

#[test]
fn a_line_without_end_is_refused() {
    let mut bytes = b"a,b\n1,2\n3,4\n".to_vec();
    bytes.resize(18 << 20, b'x');
    let error = read(&bytes, "x.csv").unwrap().err().unwrap().to_string();
    assert_eq!(
        error,
        "x.csv, line 4: the row is longer than 16 MiB; is a quote not closed?"
    );
}

#[derive(Debug, Clone, Copy)]
struct Written {
    delimiter: char,
    quote: char,
    end: &'static str,
}

fn dialects() -> impl Strategy<Value = Written> {
    (
        prop::sample::select(vec![',', ';', '\t', '|']),
        prop::sample::select(vec!['"', '\'']),
        prop::sample::select(vec!["\n", "\r\n"]),
    )
        .prop_map(|(delimiter, quote, end)| Written {
            delimiter,
            quote,
            end,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A table of words and numbers comes back as it was written, in any dialect.
    #[test]
    fn tables_come_back(
        rows in proptest::collection::vec(("[a-z]{1,6}", 0i64..100_000, "[a-z]{1,5}( [a-z,;|]{1,5})?", "[a-c]{0,3}"), 4..30),
        written in dialects(),
    ) {
        let mut text = format!("name{0}number{0}words{0}more{1}", written.delimiter, written.end);
        for (name, number, words, more) in &rows {
            let quote = written.quote;
            text.push_str(&format!("{name}{0}{number}{0}{quote}{words}{quote}{0}{quote}{more}{quote}{1}", written.delimiter, written.end));
        }
        let read = read(text.as_bytes(), "x.csv").unwrap().unwrap();
        prop_assert_eq!(&read.columns[..2], ["name string", "number bigint"]);
        prop_assert_eq!(read.rows.len(), rows.len());
        for (found, (name, number, words, more)) in read.rows.iter().zip(&rows) {
            let more = if more.is_empty() { "∅" } else { more.as_str() };
            let number = number.to_string();
            prop_assert_eq!(found, &vec![name.as_str(), number.as_str(), words.as_str(), more]);
        }
    }

    /// Whatever bytes there are: they are refused, or read again as what they were found to be, row
    /// for row.
    #[test]
    fn any_text_reads_as_inferred(text in "([a-c0-9\",;'#\\\\ ]{0,12}\n){0,12}[a-c,\"\r]{0,5}") {
        if let Some(Ok(read)) = read(text.as_bytes(), "x.csv") {
            prop_assert_eq!(read.rows.len() as u64, read.inferred, "{:?} {:?}", text, read.options);
        }
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, "x.csv");
    }
}
