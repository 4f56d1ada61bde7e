//! What a frame meets beyond what is known of its columns: keys that no column has, values that none holds.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Fields, Int64Type, Schema};
use mastic_schema::choice::{choose_fields, format_type, settled};
use mastic_schema::hive::parse_type;

use super::tests::Lab;
use super::{
    AsFrame, BadRecord, BadRecords, CsvOptions, Decode, FileFormat, GrokOptions, JsonOptions,
    Limits, Odd, XmlOptions, decode_ahead, examine_frame,
};
use crate::error::{LakeError, Result};

#[derive(Debug, Default)]
struct Bin(Mutex<Vec<BadRecord>>);

impl BadRecords for Bin {
    fn set_aside(&self, record: BadRecord) -> Result<()> {
        self.0.lock().unwrap().push(record);
        Ok(())
    }
}

fn fields(text: &str) -> Fields {
    match parse_type(&format!("struct<{text}>")).unwrap() {
        DataType::Struct(fields) => fields,
        other => panic!("{other}"),
    }
}

struct Case<'a> {
    bytes: &'a [u8],
    format: FileFormat,
    columns: &'a str,
    wanted: &'a [usize],
    passed_over: &'a [&'a str],
    odd: Odd,
}

impl<'a> Case<'a> {
    fn json(text: &'a str, columns: &'a str) -> Case<'a> {
        Case {
            bytes: text.as_bytes(),
            format: FileFormat::Json(JsonOptions::default()),
            columns,
            wanted: &[0],
            passed_over: &[],
            odd: Odd::Told,
        }
    }

    /// The batches, and the line, reason and text of what was set aside.
    fn read(&self) -> Result<(Vec<RecordBatch>, Vec<String>)> {
        let bin = Arc::new(Bin::default());
        let names = self.passed_over.iter().map(|name| (*name).to_owned());
        let decode = Decode {
            file: "file".into(),
            schema: Arc::new(Schema::new(fields(self.columns))),
            projection: self.wanted.to_vec(),
            batch_size: 3,
            predicate: None,
            frame: Some(AsFrame {
                odd: self.odd,
                passed_over: Some(names.collect()),
                ..AsFrame::new(bin.clone())
            }),
        };
        let lab = Lab::new();
        let input = lab.file("file", self.bytes);
        let batches = decode_ahead(&input, &self.format, &decode, 2)?;
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let bad = bin.0.lock().unwrap();
        let told = bad.iter();
        let told = told.map(|r| format!("{} {} <{}>", r.line.unwrap(), r.reason, r.text));
        Ok((batches, told.collect()))
    }

    /// The values, and what was set aside.
    fn values(&self) -> (String, Vec<String>) {
        let (batches, told) = self.read().unwrap();
        (numbers(&batches), told)
    }

    fn key(&self) -> Option<(Option<u64>, String)> {
        match self.read().unwrap_err() {
            LakeError::UnknownKey { line, key, .. } => Some((line, key)),
            _ => None,
        }
    }
}

/// The numbers of the last column.
fn numbers(batches: &[RecordBatch]) -> String {
    let of = |batch: &RecordBatch| {
        let column = batch.column(batch.num_columns() - 1);
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    let all = batches.iter().flat_map(of).map(|n| n.to_string());
    all.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_key_that_no_column_has_is_told_with_its_place() {
    for (record, columns, key) in [
        (r#"{"a":2,"b":null}"#, "a:bigint", "b"),
        (r#"{"a":{"x":1,"y":2}}"#, "a:struct<x:bigint>", "a.y"),
        (
            r#"{"a":[{"x":1},{"y":2}]}"#,
            "a:array<struct<x:bigint>>",
            "a[].y",
        ),
        (
            r#"{"a":{"k":{"y":2}}}"#,
            "a:map<string,struct<x:bigint>>",
            "a{}.y",
        ),
        (
            r#"{"a":{"y":2}}"#,
            "a:choice<struct<x:bigint>,string>",
            "a.y",
        ),
    ] {
        let text = format!("{{\"a\":null}}\n{record}\n");
        let case = Case::json(&text, columns);
        assert_eq!(case.key(), Some((Some(2), key.to_owned())), "{record}");
    }
}

#[test]
fn keys_that_are_known_are_no_news() {
    // Of a column that is not read; in another case; between blanks; passed over in any case; one without a name is the column '_'.
    let text = "{\"a\":1,\"b\":{\"x\":1}}\n{\"A\":2}\n{\" a\":3,\"DAY\":4,\"\":5}\n";
    let case = Case {
        passed_over: &["day"],
        ..Case::json(text, "a:bigint,b:struct<y:bigint>,_:bigint")
    };
    assert_eq!(case.values(), ("1 2 3".to_owned(), vec![]));
    // Of a record that is no JSON further on nothing is news.
    let case = Case::json("{\"a\":1}\n{\"b\":1,}\n{\"a\":3}\n", "a:bigint");
    let (values, told) = case.values();
    assert_eq!(values, "1 3");
    assert!(told[0].starts_with("2 "), "{told:?}");
}

#[test]
fn what_is_odd_is_set_aside_when_all_was_looked_at() {
    let mut text = String::new();
    for id in 1..=10 {
        let value = match id {
            4 => r#"{"a":"x"}"#.to_owned(),
            6 => r#"{"a":6,"b":1}"#.to_owned(),
            id => format!(r#"{{"a":{id}}}"#),
        };
        text.push_str(&value);
        text.push('\n');
    }
    let case = Case {
        odd: Odd::SetAside,
        ..Case::json(&text, "a:bigint")
    };
    let (values, told) = case.values();
    assert_eq!(values, "1 2 3 5 7 8 9 10");
    assert_eq!(
        told,
        [
            "4 the string 'x' in column 'a' is no bigint <{\"a\":\"x\"}>",
            "6 no column is known for 'b' <{\"a\":6,\"b\":1}>",
        ]
    );
}

#[test]
fn odd_cells_and_lines_and_elements_are_set_aside() {
    let grok = GrokOptions {
        classification: "log".into(),
        pattern: "%{WORD:w} %{NOTSPACE:a}".into(),
        ..GrokOptions::default()
    };
    let xml = XmlOptions::new("r");
    for (text, format, columns, wanted, expected) in [
        (
            "w,a\nu,1\nv,x\nx,2,\n,3\n,y\n",
            FileFormat::Csv(CsvOptions::default()),
            "w:string,a:bigint",
            &[0, 1][..],
            [
                "3 'x' in column 'a' is no bigint <v,x>",
                "6 'y' in column 'a' is no bigint <,y>",
            ],
        ),
        (
            "u 1\nv x\nw 2\nx 3\ny y\n",
            FileFormat::Grok(grok),
            "w:string,a:bigint",
            &[0, 1],
            [
                "2 'x' in column 'a' is no bigint <v x>",
                "5 'y' in column 'a' is no bigint <y y>",
            ],
        ),
        (
            "<all>\n<r><a>1</a></r>\n<r><a>x</a></r>\n<r><a>2</a></r>\n<r><b>2</b></r>\n<r><a>3</a></r>\n</all>\n",
            FileFormat::Xml(xml),
            "w:string,a:bigint",
            &[1],
            [
                "3 the string 'x' in column 'a' is no bigint <<r><a>x</a></r>>",
                "5 no column is known for 'b' <<r><b>2</b></r>>",
            ],
        ),
    ] {
        let case = Case {
            bytes: text.as_bytes(),
            format,
            columns,
            wanted,
            passed_over: &[],
            odd: Odd::SetAside,
        };
        let (batches, told) = case.read().unwrap();
        assert_eq!(told, expected, "{text}");
        assert_eq!(numbers(&batches), "1 2 3", "{text}");
    }
}

#[test]
fn a_column_that_only_a_header_has_is_told() {
    let case = Case {
        format: FileFormat::Csv(CsvOptions::default()),
        passed_over: &["Day"],
        ..Case::json("a,day,New\n1,2,3\n", "a:bigint")
    };
    assert_eq!(case.key(), Some((Some(1), "New".to_owned())));
    let case = Case {
        passed_over: &["day", "new"],
        ..case
    };
    assert_eq!(case.values(), ("1".to_owned(), vec![]));
}

#[test]
fn a_file_that_changed_is_told_where_a_record_is_set_aside() {
    let lab = Lab::new();
    let mut input = lab.file("a.json", b"{\"a\":1}\n{\"a\":\"x\"}\n");
    let decode = Decode {
        file: "a.json".into(),
        schema: Arc::new(Schema::new(fields("a:bigint"))),
        projection: vec![0],
        batch_size: 10,
        predicate: None,
        frame: Some(AsFrame {
            odd: Odd::SetAside,
            ..AsFrame::new(Arc::new(Bin::default()))
        }),
    };
    let json = FileFormat::Json(JsonOptions::default());
    let read = |input: &crate::input::Input| -> Result<Vec<RecordBatch>> {
        decode_ahead(input, &json, &decode, 1)?.collect()
    };
    assert_eq!(read(&input).unwrap()[0].num_rows(), 1);
    // As an earlier listing had it.
    input.meta.size -= 1;
    let error = read(&input).unwrap_err();
    assert!(matches!(error, LakeError::Changed { .. }), "{error}");
    assert!(error.hint().is_some());
}

/// The types of the columns of files that are one source.
fn merged(files: &[(&str, &str)]) -> Vec<String> {
    let lab = Lab::new();
    let mut all = Fields::empty();
    for (name, text) in files {
        let input = lab.file(name, text.as_bytes());
        let found = examine_frame(&input, &Limits::default(), &[]).unwrap();
        all = choose_fields(&all, found.inference.choice_fields());
    }
    let all = settled(&all);
    assert!(all.iter().all(|f| f.metadata().is_empty()));
    all.iter().map(|f| format_type(f.data_type())).collect()
}

#[test]
fn numbers_beside_codes_are_text_in_every_file() {
    // DuckDB 2.0's read_csv says VARCHAR of the first and the last, and BIGINT of the second.
    let codes = ("a.csv", "id,code\n1,01\n2,99\n3,98\n4,07\n");
    let numbers = ("b.csv", "id,code\n1,99\n2,12\n");
    assert_eq!(merged(&[codes]), ["bigint", "string"]);
    assert_eq!(merged(&[numbers]), ["bigint", "bigint"]);
    assert_eq!(merged(&[codes, numbers]), ["bigint", "string"]);
    assert_eq!(merged(&[numbers, codes]), ["bigint", "string"]);
    // What is odd beside numbers and no code is odd still.
    let odd = ("c.csv", "id,code\n1,5\n2,6\n3,x\n");
    assert_eq!(merged(&[numbers, odd]), ["bigint", "choice<bigint,string>"]);
    assert_eq!(merged(&[odd, codes]), ["bigint", "string"]);
    // In XML a number is text as well; in JSON it is a number.
    let xml = (
        "d.xml",
        "<a>\n<r><c>01</c><s><c>1</c></s></r>\n<r><c>9</c><s><c>2</c></s></r>\n<r><c>8</c><s><c>02</c></s></r>\n</a>\n",
    );
    assert_eq!(merged(&[xml]), ["string", "struct<c:string>"]);
    let json = ("e.json", "{\"c\":\"01\"}\n{\"c\":9}\n{\"c\":8}\n");
    assert_eq!(merged(&[json]), ["choice<bigint,string>"]);
}
