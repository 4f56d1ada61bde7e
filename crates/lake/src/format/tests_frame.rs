//! Files read as dynamic frames read them: values keep the types they were found with, and bad records are
//! set aside.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema};
use arrow::json::LineDelimitedWriter;
use mastic_schema::choice;
use mastic_schema::hive::parse_type;
use mastic_schema::origin;
use proptest::prelude::*;

use super::tests::{Lab, shown};
use super::{
    AsFrame, BadRecord, BadRecords, CsvOptions, Decode, Examined, FileFormat, GrokOptions,
    JsonOptions, Limits, decode, examine, examine_frame,
};
use crate::error::{LakeError, Result};

#[derive(Debug, Default)]
struct Bin {
    records: Mutex<Vec<BadRecord>>,
}

impl BadRecords for Bin {
    fn set_aside(&self, record: BadRecord) -> Result<()> {
        self.records.lock().unwrap().push(record);
        Ok(())
    }
}

impl Bin {
    /// What was set aside: line, column, reason and text.
    fn told(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        let told = records.iter().map(|r| {
            let column = r.column.map(|c| format!(":{c}")).unwrap_or_default();
            format!("{}{column} {} <{}>", r.line.unwrap(), r.reason, r.text)
        });
        told.collect()
    }
}

struct Frame {
    bin: Arc<Bin>,
    batch: RecordBatch,
}

fn read_batches(
    name: &str,
    bytes: &[u8],
    format: &FileFormat,
    fields: &Fields,
    batch_size: usize,
) -> Result<Frame> {
    let bin = Arc::new(Bin::default());
    let mut columns: Vec<_> = fields.iter().cloned().collect();
    columns.push(Arc::new(origin::line_field()));
    let schema = Arc::new(Schema::new(columns));
    let wanted = Decode {
        file: name.to_owned(),
        projection: (0..schema.fields().len()).collect(),
        schema: schema.clone(),
        batch_size,
        frame: Some(AsFrame::new(bin.clone())),
        predicate: None,
    };
    let lab = Lab::new();
    let batches: Result<Vec<RecordBatch>> =
        decode(&lab.file(name, bytes), format, &wanted)?.collect();
    Ok(Frame {
        bin,
        batch: concat_batches(&schema, &batches?).unwrap(),
    })
}

fn read(name: &str, bytes: &[u8], format: &FileFormat, fields: &Fields) -> Result<Frame> {
    read_batches(name, bytes, format, fields, 3)
}

fn fields(text: &str) -> Fields {
    match parse_type(&format!("struct<{text}>")).unwrap() {
        DataType::Struct(fields) => fields,
        other => panic!("{other}"),
    }
}

fn look(name: &str, bytes: &[u8], limits: &Limits) -> Examined {
    examine_frame(&Lab::new().file(name, bytes), limits, &[]).unwrap()
}

fn types(found: &Examined) -> Vec<String> {
    let fields = found.inference.choice_fields().iter();
    fields
        .map(|f| format!("{} {}", f.name(), choice::format_type(f.data_type())))
        .collect()
}

/// Examines to the end and reads what was found; values as JSON, one record a line.
fn both(name: &str, bytes: &[u8]) -> (Vec<String>, Vec<String>, Vec<String>) {
    let found = look(name, bytes, &Limits::EVERYTHING);
    let frame = read(name, bytes, &found.format, found.inference.choice_fields()).unwrap();
    (types(&found), json(&frame.batch), frame.bin.told())
}

fn json(batch: &RecordBatch) -> Vec<String> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn misfit(read: Result<Frame>) -> String {
    match read.map(|frame| shown(&[frame.batch])) {
        Err(
            error @ LakeError::Misfit {
                line: Some(line), ..
            },
        ) => {
            let LakeError::Misfit {
                name,
                wanted,
                found,
                ..
            } = error
            else {
                panic!("a misfit")
            };
            format!("{line} {name}: {found} is no {wanted}")
        }
        other => panic!("{other:?}"),
    }
}

const JSON: FileFormat = FileFormat::Json(JsonOptions {
    path: None,
    keyed: None,
    mapping: Vec::new(),
    ignore_malformed: false,
});

#[test]
fn values_of_json_stay_what_they_are() {
    let text = r#"{"a":1,"b":[1,"x",true],"c":{"d":"2024-01-01"},"e":"x"}
{"a":"n/a","b":[],"c":{"d":7},"e":"2024-01-01"}
{"a":2.5,"b":null,"c":"none","e":null}
{"a":[{"f":1}],"c":{"d":null}}
{"a":{"g":1}}
"#;
    let (types, rows, bad) = both("a.json", text.as_bytes());
    assert_eq!(
        types,
        [
            "a choice<double,struct<g:bigint>,array<struct<f:bigint>>,string>",
            "b array<choice<boolean,bigint,string>>",
            "c choice<struct<d:choice<bigint,date>>,string>",
            "e string",
        ]
    );
    assert_eq!(
        rows,
        [
            r#"{"a":{"double":1.0},"b":[{"long":1},{"string":"x"},{"boolean":true}],"c":{"struct":{"d":{"date":"2024-01-01"}}},"e":"x","$line":1}"#,
            r#"{"a":{"string":"n/a"},"b":[],"c":{"struct":{"d":{"long":7}}},"e":"2024-01-01","$line":2}"#,
            r#"{"a":{"double":2.5},"c":{"string":"none"},"$line":3}"#,
            r#"{"a":{"array":[{"f":1}]},"c":{"struct":{}},"$line":4}"#,
            r#"{"a":{"struct":{"g":1}},"$line":5}"#,
        ]
    );
    assert!(bad.is_empty());
}

#[test]
fn maps_hold_choices() {
    let value = |i: i32| match i % 2 {
        0 => "1".to_owned(),
        _ => "\"x\"".to_owned(),
    };
    let lines: Vec<String> = (0..60)
        .map(|i| format!("{{\"m\":{{\"k{i}\":[{}]}}}}", value(i)))
        .collect();
    let (types, rows, _) = both("m.json", lines.join("\n").as_bytes());
    assert_eq!(types, ["m map<string,array<choice<bigint,string>>>"]);
    assert_eq!(rows[1], r#"{"m":{"k1":[{"string":"x"}]},"$line":2}"#);
}

#[test]
fn what_no_column_holds_as_it_was_found_is_a_misfit() {
    for (columns, record, told) in [
        ("a:string", r#"{"a":1}"#, "2 a: the number 1 is no string"),
        ("a:string", r#"{"a":true}"#, "2 a: true is no string"),
        ("a:string", r#"{"a":{}}"#, "2 a: an object is no string"),
        (
            "a:bigint",
            r#"{"a":"1"}"#,
            "2 a: the string '1' is no bigint",
        ),
        (
            "a:bigint",
            r#"{"a":1.5}"#,
            "2 a: the number 1.5 is no bigint",
        ),
        (
            "a:bigint",
            r#"{"a":12345678901234567890}"#,
            "2 a: the number 12345678901234567890 is no bigint",
        ),
        (
            "a:double",
            r#"{"a":0.1234567890123456789}"#,
            "2 a: the number 0.1234567890123456789 is no double",
        ),
        ("a:date", r#"{"a":"x"}"#, "2 a: the string 'x' is no date"),
        (
            "a:choice<bigint,date>",
            r#"{"a":"x"}"#,
            "2 a: the string 'x' is no choice<bigint,date>",
        ),
        (
            "a:choice<bigint,string>",
            r#"{"a":[]}"#,
            "2 a: an array is no choice<bigint,string>",
        ),
        (
            "a:choice<bigint,string>",
            r#"{"a":1.5}"#,
            "2 a: the number 1.5 is no choice<bigint,string>",
        ),
        (
            "a:struct<b:array<struct<c:boolean>>>",
            r#"{"a":{"b":[{"c":0}]}}"#,
            "2 a.b[].c: the number 0 is no boolean",
        ),
        (
            "a:map<string,bigint>",
            r#"{"a":{"k":"x"}}"#,
            "2 a{}: the string 'x' is no bigint",
        ),
    ] {
        let text = format!("{{}}\n{record}\n");
        let read = read("a.json", text.as_bytes(), &JSON, &fields(columns));
        assert_eq!(misfit(read), told, "{columns} {record}");
    }
    // What widening allows is no misfit.
    let wide = fields("a:double,b:timestamp,c:decimal(10,2),d:choice<double,string>");
    let text = r#"{"a":1,"b":"2024-01-01","c":7,"d":3}"#;
    let frame = read("a.json", text.as_bytes(), &JSON, &wide).unwrap();
    assert_eq!(
        json(&frame.batch),
        [r#"{"a":1.0,"b":"2024-01-01T00:00:00","c":7.00,"d":{"double":3.0},"$line":1}"#]
    );
}

#[test]
fn numbers_that_no_type_holds_are_kept_as_they_are_written() {
    let text = "{\"a\":1}\n{\"a\":123456789012345678901234567890123456789012}\n{\"a\":1.5e9}\n{\"a\":9007199254740993}\n";
    let (types, rows, bad) = both("a.json", text.as_bytes());
    assert_eq!(types, ["a choice<double,string>"]);
    assert_eq!(
        rows,
        [
            r#"{"a":{"double":1.0},"$line":1}"#,
            r#"{"a":{"string":"123456789012345678901234567890123456789012"},"$line":2}"#,
            r#"{"a":{"double":1500000000.0},"$line":3}"#,
            r#"{"a":{"string":"9007199254740993"},"$line":4}"#,
        ]
    );
    assert!(bad.is_empty());
    // Where the column cannot be another type for it, the record is set aside.
    let decimal = fields("a:decimal(38,0)");
    let text = b"{\"a\":1}\n{\"a\":99999999999999999999999999999999999999}\n";
    let frame = read("a.json", text, &JSON, &decimal).unwrap();
    assert_eq!(frame.batch.num_rows(), 2);
}

#[test]
fn bad_lines_of_json_are_set_aside() {
    let mut text = br#"{"a":1,"l":[{"b":1},{"b":2}],"s":"x"}
{"a":2,"l":[{"b":1},{"b":oops}],"s":"x"}
{"a":3,"l":[{"b":3}]}
{"a":4,"s":"not closed}
{"a":5}
nonsense
{"a":6,"a":7}
{"a":8,"l":[{"b":4}],"s":"y"} {"a":9}
{"a":10,"s":""#
        .to_vec();
    text.extend(b"\xff\"}\n{\"a\":11");
    let (types, rows, bad) = both("a.json", &text);
    assert_eq!(types, ["a bigint", "l array<struct<b:bigint>>", "s string"]);
    assert_eq!(
        rows,
        [
            r#"{"a":1,"l":[{"b":1},{"b":2}],"s":"x","$line":1}"#,
            r#"{"a":3,"l":[{"b":3}],"$line":3}"#,
            r#"{"a":5,"$line":5}"#,
            r#"{"a":8,"l":[{"b":4}],"s":"y","$line":8}"#,
            r#"{"a":9,"$line":8}"#,
        ]
    );
    assert_eq!(
        bad,
        [
            r#"2:26 'o' where a value was expected <{"a":2,"l":[{"b":1},{"b":oops}],"s":"x"}>"#,
            r#"4:24 a string is not closed <{"a":4,"s":"not closed}>"#,
            r#"6:1 'n' where a record, an object in braces, was expected <nonsense>"#,
            r#"7:12 the key 'a' is there twice <{"a":6,"a":7}>"#,
            "9:14 the text is not UTF-8 <{\"a\":10,\"s\":\"\u{fffd}\"}>",
            r#"10:1 the file is cut short: this record is not closed <{"a":11>"#,
        ]
    );
}

#[test]
fn a_bad_record_is_no_misfit_whatever_its_values_are() {
    let deep = "[".repeat(300) + &"]".repeat(300);
    let text = format!("{{\"a\":1}}\n{{\"a\":\"x\",\"b\":oops}}\n{{\"a\":{deep}}}\n{{\"a\":2}}\n");
    let (types, rows, bad) = both("a.json", text.as_bytes());
    assert_eq!(types, ["a bigint"]);
    assert_eq!(rows, [r#"{"a":1,"$line":1}"#, r#"{"a":2,"$line":4}"#]);
    assert_eq!(
        bad[0],
        r#"2:14 'o' where a value was expected <{"a":"x","b":oops}>"#
    );
    assert!(
        bad[1].contains("values are nested deeper than 256 levels") && bad.len() == 2,
        "{bad:?}"
    );
}

#[test]
fn bad_records_of_other_layouts_are_set_aside() {
    let array = "[\n  {\"a\": 1},\n  {\"a\": tru},\n  {\"a\": 2}\n  {\"a\": 3},\n  {\"a\": 4}\n]\n";
    let (_, rows, bad) = both("a.json", array.as_bytes());
    assert_eq!(
        rows,
        [
            r#"{"a":1,"$line":2}"#,
            r#"{"a":2,"$line":4}"#,
            r#"{"a":4,"$line":6}"#
        ]
    );
    assert_eq!(
        bad,
        [
            "3:9 't' where a value was expected <{\"a\": tru}>",
            "5:3 '{' where ',' or ']' was expected after a record <{\"a\": 3},>",
        ]
    );
    let pretty = "{\n  \"a\": 1\n}\n{\n  \"a\": 2,\n  \"a\": 3\n}\n{\n  \"a\" 4\n}\n{\n  \"a\": {\n    \"b\": 1}\n}\n";
    let (_, rows, bad) = both("p.json", pretty.as_bytes());
    assert_eq!(
        rows,
        [
            r#"{"a":{"long":1},"$line":1}"#,
            r#"{"a":{"struct":{"b":1}},"$line":11}"#
        ]
    );
    assert_eq!(
        bad,
        [
            "4 the key 'a' is there twice <{\n  \"a\": 2,\n  \"a\": 3\n}>",
            "8 '4' where ':' was expected <{\n  \"a\" 4\n}>",
        ]
    );
    // Without a frame each is an error, as ever.
    let error = Lab::new().both("p.json", pretty.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "p.json, line 7, column 2: the key 'a' is there twice"
    );
}

#[test]
fn records_beyond_bounds_are_set_aside() {
    let mut text = b"{\"a\":1}\n".to_vec();
    text.extend(b"{\"a\":".iter().chain(b"[".repeat(100_000).iter()));
    text.extend(b"\n{\"a\":2}\n{\"a\":\"");
    text.resize(text.len() + (90 << 20), b'x');
    text.extend(b"\"}\n{\"a\":3}\n");
    let (types, rows, bad) = both("a.json", &text);
    assert_eq!(types, ["a bigint"]);
    assert_eq!(
        rows,
        [
            r#"{"a":1,"$line":1}"#,
            r#"{"a":2,"$line":3}"#,
            r#"{"a":3,"$line":5}"#
        ]
    );
    assert!(
        bad[0].starts_with("2:1 values are nested deeper than 256 levels <{\"a\":[[["),
        "{}",
        &bad[0][..80]
    );
    assert!(
        bad[1].starts_with("4:1 a record is longer than 64 MiB, and is not read <{\"a\":\"xxx"),
        "{}",
        &bad[1][..80]
    );
    assert!(bad.iter().all(|b| b.len() < 5000) && bad.len() == 2);
}

#[test]
fn what_cannot_be_found_again_is_an_error() {
    let text = b"[{\"a\":1},{\"a\":[[}";
    let read = read("a.json", text, &JSON, &fields("a:bigint"));
    let error = read.map(|f| shown(&[f.batch])).unwrap_err().to_string();
    assert!(error.contains("'}' where a value was expected"), "{error}");
    let text = b"[{\"a\":1},{\"a\":[[";
    let read = super::tests_frame::read("a.json", text, &JSON, &fields("a:bigint"));
    let error = read.map(|f| shown(&[f.batch])).unwrap_err().to_string();
    assert!(error.contains("the file is cut short"), "{error}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &b"{\"a\":1}\n".repeat(10_000)).unwrap();
    let mut gzip = gzip.finish().unwrap();
    gzip.truncate(gzip.len() - 20);
    let read = super::tests_frame::read("a.json.gz", &gzip, &JSON, &fields("a:bigint"));
    let error = read.map(|f| shown(&[f.batch])).unwrap_err().to_string();
    assert!(error.contains("the file is cut short"), "{error}");
}

#[test]
fn too_many_bad_records_end_the_reading() {
    #[derive(Debug)]
    struct Full;
    impl BadRecords for Full {
        fn set_aside(&self, record: BadRecord) -> Result<()> {
            Err(LakeError::Option(format!("full at {}", record.reason)))
        }
    }
    let lab = Lab::new();
    let input = lab.file("a.json", b"{\"a\":1}\n{\"a\":}\n{\"a\":2}\n");
    let wanted = Decode {
        file: "a.json".into(),
        schema: Arc::new(Schema::new(fields("a:bigint"))),
        projection: vec![0],
        batch_size: 100,
        frame: Some(AsFrame::new(Arc::new(Full))),
        predicate: None,
    };
    let read: Result<Vec<RecordBatch>> = decode(&input, &JSON, &wanted).unwrap().collect();
    assert_eq!(
        read.unwrap_err().to_string(),
        "full at '}' where a value was expected"
    );
}

/// The sentence of the issue: the value "n/a" in row 160,000 of a bigint column is kept, not nulled and not
/// fatal.
#[test]
fn a_rare_marker_is_kept() {
    let mut text = String::from("id,n\n");
    for row in 1..=200_000 {
        let value = match row {
            160_000 => "n/a".to_owned(),
            _ => (row * 7).to_string(),
        };
        text.push_str(&format!("{row},{value}\n"));
    }
    let all = look("a.csv", text.as_bytes(), &Limits::default());
    assert_eq!(types(&all), ["id bigint", "n choice<bigint,string>"]);
    let FileFormat::Csv(options) = &all.format else {
        panic!("CSV");
    };
    assert_eq!(options.null_markers, ["n/a"]);
    assert_eq!(options.rare_markers, ["n/a"]);
    // A table reads it as before, and so it does when the catalog has written its options down.
    let serde = all.format.serde();
    let back = FileFormat::from_serde(Some("csv"), Some(serde.library), &serde.parameters).unwrap();
    assert_eq!(back, all.format);
    let columns = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("n", DataType::Int64, true),
    ];
    let table = Lab::new()
        .read("a.csv", text.as_bytes(), &back, columns)
        .unwrap();
    let nulls: usize = table.iter().map(|b| b.column(1).null_count()).sum();
    assert_eq!(nulls, 1);

    // Beyond what was looked at it is a misfit, whereupon everything is looked at.
    let first = look("a.csv", text.as_bytes(), &Limits { bytes: 1 << 20 });
    assert_eq!(types(&first), ["id bigint", "n bigint"]);
    assert!(!first.inference.complete);
    let bytes = text.as_bytes();
    let read =
        |format: &FileFormat, columns: &Fields| read_batches("a.csv", bytes, format, columns, 8192);
    assert_eq!(
        misfit(read(&first.format, first.inference.choice_fields())),
        "160001 n: 'n/a' is no bigint"
    );
    let whole = look("a.csv", bytes, &Limits::EVERYTHING);
    assert!(whole.inference.complete);
    for format in [&all.format, &first.format] {
        let frame = read(format, whole.inference.choice_fields()).unwrap();
        let choices = frame.batch.column(1).as_struct();
        let numbers = choices.column(0).as_primitive::<Int64Type>();
        let text = choices.column(1).as_string::<i32>();
        assert_eq!((choices.len(), choices.null_count()), (200_000, 0));
        assert_eq!((numbers.null_count(), text.null_count()), (1, 199_999));
        assert!(numbers.is_null(159_999));
        assert_eq!(text.value(159_999), "n/a");
        assert_eq!(numbers.value(160_000), 160_001 * 7);
        let lines = frame.batch.column(2).as_primitive::<Int64Type>();
        assert_eq!(lines.value(159_999), 160_001);
    }
}

#[test]
fn markers_that_are_no_rarity_are_nulls() {
    let mut text = String::from("n,m\n");
    for row in 0..1000 {
        let value = if row % 10 == 0 { "NA" } else { "5" };
        let other = if row == 500 { "NA" } else { "6" };
        text.push_str(&format!("{value},{other}\n"));
    }
    let found = look("a.csv", text.as_bytes(), &Limits::default());
    assert_eq!(types(&found), ["n bigint", "m bigint"]);
    let FileFormat::Csv(options) = &found.format else {
        panic!("CSV");
    };
    assert!(options.rare_markers.is_empty());
    // What is rare in one file and not in another of the table is a null in both.
    let rare = CsvOptions {
        null_markers: vec!["-".into(), "NA".into()],
        rare_markers: vec!["-".into(), "NA".into()],
        ..CsvOptions::default()
    };
    let mut merged = options.clone();
    merged.merge(&rare);
    assert_eq!(merged.null_markers, ["-", "NA"]);
    assert_eq!(merged.rare_markers, ["-"]);
}

#[test]
fn text_goes_to_the_first_alternative_that_it_is() {
    let csv = b"n,d,b,t\n1,2024-01-01,true,x\n2,2024-02-01,false,1\n0x7, soon ,TRUE,2\n+4,2024-03-01,Y,y\n 5 ,2024-04-01,true,\n,,,\n";
    let (types, rows, bad) = both("a.csv", csv);
    assert_eq!(
        types,
        [
            "n choice<bigint,string>",
            "d choice<date,string>",
            "b choice<boolean,string>",
            "t string"
        ]
    );
    assert_eq!(
        rows,
        [
            r#"{"n":{"long":1},"d":{"date":"2024-01-01"},"b":{"boolean":true},"t":"x","$line":2}"#,
            r#"{"n":{"long":2},"d":{"date":"2024-02-01"},"b":{"boolean":false},"t":"1","$line":3}"#,
            r#"{"n":{"string":"0x7"},"d":{"string":" soon "},"b":{"boolean":true},"t":"2","$line":4}"#,
            r#"{"n":{"string":"+4"},"d":{"date":"2024-03-01"},"b":{"string":"Y"},"t":"y","$line":5}"#,
            r#"{"n":{"long":5},"d":{"date":"2024-04-01"},"b":{"boolean":true},"$line":6}"#,
            r#"{"$line":7}"#,
        ]
    );
    assert!(bad.is_empty());
    for (columns, told) in [
        ("n:bigint,b:string", "4 n: '0x7' is no bigint"),
        ("d:date,t:bigint", "4 d: 'soon' is no date"),
    ] {
        let format = look("a.csv", csv, &Limits::default()).format;
        assert_eq!(misfit(read("a.csv", csv, &format, &fields(columns))), told);
    }
}

#[test]
fn bad_rows_of_csv_are_set_aside() {
    let mut csv = b"a,b\n1,x\n2,y,too,many\n3,z\n4,".to_vec();
    csv.extend(b"\xff\xfe\n5,v\n6,\"never closed\n7,w\n");
    let format = FileFormat::Csv(CsvOptions::default());
    let frame = read("a.csv", &csv, &format, &fields("a:bigint,b:string")).unwrap();
    assert_eq!(
        json(&frame.batch),
        [
            r#"{"a":1,"b":"x","$line":2}"#,
            r#"{"a":3,"b":"z","$line":4}"#,
            r#"{"a":5,"b":"v","$line":6}"#,
            r#"{"a":7,"b":"w","$line":8}"#
        ]
    );
    let mut told = frame.bin.told();
    told.sort();
    assert_eq!(
        told,
        [
            "3 the row has 4 values, and there are 2 columns <2,y,too,many>",
            "5 the text is not UTF-8 <4,\u{fffd}\u{fffd}>",
            "7 a quote is opened in this row and never closed <6,\"never closed>",
        ]
    );
    // A column of the file that is called as the column of lines is not bound to it.
    let named = b"$line,a\n77,1\n";
    let frame = read("a.csv", named, &format, &fields("a:bigint")).unwrap();
    assert_eq!(json(&frame.batch), [r#"{"a":1,"$line":2}"#]);
}

#[test]
fn xml_is_text_but_for_its_structure() {
    let xml = br#"<?xml version="1.0"?>
<films>
  <film><year>2009</year><id>1</id><price cur="EUR">1.5</price><tag>a</tag></film>
  <film><year>soon</year><id>2</id><price>2.5</price><tag>1</tag><tag>b</tag></film>
  <film><year>2011</year><id>x</id><price>3</price></film>
  <film><year>2012</year><id>y</id></film>
</films>"#;
    let (types, rows, bad) = both("f.xml", xml);
    assert_eq!(
        types,
        [
            "year choice<bigint,string>",
            "id string",
            "price choice<double,struct<_cur:string,_VALUE:double>>",
            "tag array<string>",
        ]
    );
    assert_eq!(
        rows,
        [
            r#"{"year":{"long":2009},"id":"1","price":{"struct":{"_cur":"EUR","_VALUE":1.5}},"tag":["a"],"$line":3}"#,
            r#"{"year":{"string":"soon"},"id":"2","price":{"double":2.5},"tag":["1","b"],"$line":4}"#,
            r#"{"year":{"long":2011},"id":"x","price":{"double":3.0},"$line":5}"#,
            r#"{"year":{"long":2012},"id":"y","$line":6}"#,
        ]
    );
    assert!(bad.is_empty());
}

#[test]
fn bad_elements_of_xml_are_set_aside() {
    let xml = b"<r>
<e><a>1</a></e>
<e><a>&nosuch;</a><b><c/></b></e>
<e><a>2</a></e><e><a x=1>3</a></e>
<e><a>4</b></e>
<e><a>5</a>
<e><a>6</a></e>
</r>";
    let (_, rows, bad) = both("f.xml", xml);
    assert_eq!(
        rows,
        [r#"{"a":1,"$line":2}"#, r#"{"a":2,"$line":4}"#,],
        "{bad:?}"
    );
    assert_eq!(
        bad,
        [
            "3 at byte 34: the entity &nosuch; is not defined <<e><a>&nosuch;</a><b><c/></b></e>>",
            "4 at byte 79: position 4: attribute value must be enclosed in `\"` or `'` <<e><a x=1>3</a></e>>",
            "5 at byte 100: </b> where </a> was expected <<e><a>4</b></e>>",
            // An element may hold others of its name, and so this one's end is missed only where the file ends.
            "6 at byte 137: </r> where </e> was expected <<e><a>5</a>\n<e><a>6</a></e>\n</r>>",
        ]
    );
}

#[test]
fn lines_that_no_pattern_matches_are_set_aside() {
    let format = FileFormat::Grok(GrokOptions {
        classification: "app".into(),
        pattern: "^%{WORD:level} %{NOTSPACE:code}$".into(),
        ..GrokOptions::default()
    });
    let log = b"INFO 1\nWARN x\n...\nINFO 3\n";
    let columns = fields("level:string,code:choice<bigint,string>");
    let frame = read("a.log", log, &format, &columns).unwrap();
    assert_eq!(
        json(&frame.batch),
        [
            r#"{"level":"INFO","code":{"long":1},"$line":1}"#,
            r#"{"level":"WARN","code":{"string":"x"},"$line":2}"#,
            r#"{"level":"INFO","code":{"long":3},"$line":4}"#,
        ]
    );
    assert_eq!(
        frame.bin.told(),
        ["3 the line does not match the grok pattern of app <...>"]
    );
    let read = read("a.log", log, &format, &fields("level:string,code:bigint"));
    assert_eq!(misfit(read), "2 code: 'x' is no bigint");
}

#[test]
fn formats_without_lines_have_none() {
    let batch = RecordBatch::try_from_iter([
        (
            "$line",
            Arc::new(arrow::array::Int64Array::from(vec![7])) as _,
        ),
        ("a", Arc::new(arrow::array::Int64Array::from(vec![1])) as _),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let frame = read(
        "a.parquet",
        &bytes,
        &FileFormat::Parquet,
        &fields("a:bigint"),
    )
    .unwrap();
    assert_eq!(json(&frame.batch), [r#"{"a":1}"#]);
    assert_eq!(frame.batch.column(1).null_count(), 1);
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e6f64..1e6).prop_map(Into::into),
        "[a-c]{0,3}|2024-0[1-9]-01|2024-01-01T00:00:00Z?|n/a|12".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            proptest::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

fn any_record() -> impl Strategy<Value = serde_json::Value> {
    proptest::collection::btree_map("[a-c]", any_value(), 1..4)
        .prop_map(|m| serde_json::Value::Object(m.into_iter().collect()))
}

/// The value without the names of alternatives, and without what is null.
fn plain(value: serde_json::Value, data_type: &DataType) -> serde_json::Value {
    use serde_json::Value;
    match (value, data_type) {
        (Value::Object(mut map), t) if choice::is_choice(t) => {
            let (name, value) = map.pop_first_entry();
            assert!(map.is_empty());
            let mut own = choice::alternatives(t).unwrap().iter();
            let own = own.find(|f| *f.name() == name).unwrap();
            plain(value, own.data_type())
        }
        (Value::Object(map), DataType::Struct(fields)) => Value::Object(
            map.into_iter()
                .map(|(k, v)| {
                    let field = fields.iter().find(|f| *f.name() == k).unwrap();
                    let v = plain(v, field.data_type());
                    (k, v)
                })
                .collect(),
        ),
        (Value::Array(all), DataType::List(item)) => {
            let all = all.into_iter().map(|v| plain(v, item.data_type()));
            Value::Array(all.collect())
        }
        (value, _) => value,
    }
}

trait Pop {
    fn pop_first_entry(&mut self) -> (String, serde_json::Value);
}

impl Pop for serde_json::Map<String, serde_json::Value> {
    fn pop_first_entry(&mut self) -> (String, serde_json::Value) {
        let name = self.keys().next().unwrap().clone();
        let value = self.remove(&name).unwrap();
        (name, value)
    }
}

/// What serde_json has of a record, as the frame may hold it: without nulls; numbers as doubles, times
/// without their zone.
fn expected(value: &serde_json::Value, in_list: bool) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match value {
        Value::Null if in_list => Value::Null,
        Value::Null => return None,
        Value::Object(map) => Value::Object(
            map.iter()
                .filter_map(|(k, v)| Some((k.clone(), expected(v, false)?)))
                .collect(),
        ),
        Value::Array(all) => Value::Array(all.iter().filter_map(|v| expected(v, true)).collect()),
        // serde_json's own doubles are off by a bit.
        Value::Number(number) => format!("{:.9e}", number.as_f64().unwrap()).into(),
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) => format!("{number:.9e}").into(),
            Err(_) => text
                .trim_end_matches('Z')
                .trim_end_matches("T00:00:00")
                .into(),
        },
        other => other.clone(),
    })
}

proptest! {
    /// Whatever JSON holds, the types that were found in all of it hold all of it: there is no second
    /// misfit, and every value is there. The other reader is serde_json.
    #[test]
    fn what_was_found_holds_what_there_is(records in proptest::collection::vec(any_record(), 1..8)) {
        let text: Vec<String> = records.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        let found = look("p.json", text.as_bytes(), &Limits::EVERYTHING);
        prop_assume!(matches!(&found.format, FileFormat::Json(o) if o.keyed.is_none()));
        let own = found.inference.choice_fields();
        let frame = read("p.json", text.as_bytes(), &found.format, own).unwrap();
        prop_assert!(frame.bin.told().is_empty());
        let whole = DataType::Struct(own.clone());
        let rows = json(&frame.batch);
        prop_assert_eq!(rows.len(), records.len());
        for (row, record) in rows.iter().zip(&records) {
            let mut row: serde_json::Value = serde_json::from_str(row).unwrap();
            row.as_object_mut().unwrap().remove("$line");
            let row = expected(&plain(row, &whole), false);
            prop_assert_eq!(row, expected(record, false));
        }
    }

    /// However the types were guessed at, a frame reads every record, sets it aside or tells of a misfit:
    /// nothing is lost, and what is read beside bad records is what is read without them.
    #[test]
    fn bad_records_do_not_disturb_others(
        records in proptest::collection::vec(any_record(), 1..10),
        bad in proptest::collection::vec(("[\\[\",:a1 \\]]{0,12}", 0usize..10), 0..5),
        batch_size in 1usize..5,
    ) {
        let good: Vec<String> = records.iter().map(ToString::to_string).collect();
        let found = look("p.json", good.join("\n").as_bytes(), &Limits::EVERYTHING);
        prop_assume!(matches!(&found.format, FileFormat::Json(o) if o.keyed.is_none()));
        let own = found.inference.choice_fields();
        let clean = read("p.json", good.join("\n").as_bytes(), &JSON, own).unwrap();
        let mut lines = good.clone();
        let mut added = 0;
        for (text, at) in bad {
            // A record that begins as one and breaks off.
            let line = format!("{{\"a\":[1,{{\"b\":{text}");
            if serde_json::from_str::<serde_json::Value>(&line).is_err() {
                lines.insert(1 + at % good.len().min(lines.len()), line);
                added += 1;
            }
        }
        let frame = read_batches("p.json", lines.join("\n").as_bytes(), &JSON, own, batch_size);
        match frame {
            Ok(frame) => {
                prop_assert_eq!(frame.bin.told().len(), added);
                let values = |batch: &RecordBatch| -> Vec<String> {
                    let columns: Vec<usize> = (0..own.len()).collect();
                    let batch = batch.project(&columns).unwrap();
                    json(&batch)
                };
                prop_assert_eq!(values(&frame.batch), values(&clean.batch));
            }
            Err(LakeError::Misfit { .. }) => prop_assert!(added > 0),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    /// Text of any kind is read, set aside or refused, and nothing panics.
    #[test]
    fn junk_does_not_panic(text in "[\\[\\]{}:,\"\\\\a1 \n<>/&;-]{0,80}", start in 0usize..4) {
        let own = fields("a:choice<bigint,array<bigint>,string>,b:struct<a:bigint>");
        let begin = ["", "{\"a\":1}\n", "[", "<r><e><a>1</a></e>"][start];
        let text = format!("{begin}{text}");
        for format in [
            JSON,
            FileFormat::Csv(CsvOptions::default()),
            FileFormat::Xml(super::XmlOptions::new("e")),
        ] {
            let _ = read("p", text.as_bytes(), &format, &own);
            let _ = examine(&Lab::new().file("p", text.as_bytes()), &Limits::default(), &[]);
            let _ = examine_frame(&Lab::new().file("p", text.as_bytes()), &Limits::default(), &[]);
        }
    }
}
