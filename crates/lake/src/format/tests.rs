//! Whole files: examined, then decoded as what they were found to be.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::pretty::pretty_format_batches;
use mastic_schema::hive::format_type;
use mastic_schema::names::column_names;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{Decode, Examined, FileFormat, JsonOptions, Limits, decode, examine};
use crate::error::Result;
use crate::input::Input;

pub(super) struct Lab {
    runtime: Runtime,
}

impl Lab {
    pub(super) fn new() -> Self {
        Lab {
            runtime: Runtime::new().unwrap(),
        }
    }

    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> Input {
        let store = Arc::new(InMemory::new());
        let path = Path::from(name);
        let meta = self.runtime.block_on(async {
            store.put(&path, bytes.to_vec().into()).await.unwrap();
            store.head(&path).await.unwrap()
        });
        let store: Arc<dyn ObjectStore> = store;
        Input::new(store, meta, name.to_owned(), self.runtime.handle().clone())
    }

    pub(super) fn examine(&self, name: &str, bytes: &[u8]) -> Result<Examined> {
        examine(&self.file(name, bytes), &Limits::default(), &[])
    }

    pub(super) fn read(
        &self,
        name: &str,
        bytes: &[u8],
        format: &FileFormat,
        columns: Vec<Field>,
    ) -> Result<Vec<RecordBatch>> {
        let wanted = Decode {
            file: name.to_owned(),
            projection: (0..columns.len()).collect(),
            schema: Arc::new(Schema::new(columns)),
            batch_size: 3,
            frame: None,
            predicate: None,
        };
        decode(&self.file(name, bytes), format, &wanted)?.collect()
    }

    /// What is inferred of JSON.
    fn inferred(&self, text: &[u8]) -> super::Inference {
        let watch = super::json::Watch {
            limits: &Limits::default(),
            choices: super::Choices::default(),
            typing: super::Typing::Values,
            lenient: false,
        };
        super::json::infer("p", text, &mut JsonOptions::default(), &watch).unwrap()
    }

    /// Examines, and decodes as what was found.
    pub(super) fn both(&self, name: &str, bytes: &[u8]) -> Result<(Examined, Vec<RecordBatch>)> {
        let found = self.examine(name, bytes)?;
        let own = &found.inference.fields;
        let names = column_names(own.iter().map(|f| f.name().as_str()));
        let columns = own
            .iter()
            .zip(names)
            .map(|(f, name)| Field::new(name, f.data_type().clone(), true))
            .collect();
        let batches = self.read(name, bytes, &found.format, columns)?;
        Ok((found, batches))
    }
}

pub(super) fn types(found: &Examined) -> Vec<String> {
    let fields = found.inference.fields.iter();
    fields
        .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
        .collect()
}

pub(super) fn shown(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

#[test]
fn csv_binds_by_name_whatever_the_order() {
    let lab = Lab::new();
    let text = b"B,zip,a\nx,01234,1\n,NA,NA\n";
    let (found, _) = lab.both("a.csv", text).unwrap();
    assert_eq!(types(&found), ["b string", "zip string", "a bigint"]);
    let columns = vec![
        field("a", DataType::Int64),
        field("b", DataType::Utf8),
        field("new", DataType::Date32),
    ];
    let batches = lab.read("a.csv", text, &found.format, columns).unwrap();
    assert_eq!(
        shown(&batches),
        "\
+---+---+-----+
| a | b | new |
+---+---+-----+
| 1 | x |     |
|   |   |     |
+---+---+-----+"
    );
}

#[test]
fn values_that_do_not_fit_are_told_with_their_place() {
    let lab = Lab::new();
    let csv = FileFormat::Csv(super::CsvOptions::default());
    let told = |text: &str, columns| {
        lab.read("f", text.as_bytes(), &csv, columns)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        told("a,b\n1,2\nx,3\n", vec![field("a", DataType::Int64)]),
        "f, line 3: 'x' in column 'a' is no bigint"
    );
    assert_eq!(
        told(
            "a,b\n1,2\n1,2,3\n",
            vec![field("a", DataType::Int64), field("b", DataType::Int64)]
        ),
        "f, line 3: the row has 3 values, and there are 2 columns"
    );
    let json = |text: &str, columns| {
        lab.read(
            "f",
            text.as_bytes(),
            &FileFormat::Json(JsonOptions::default()),
            columns,
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        json(
            "{\"a\":1}\n{\"a\":\"x\"}",
            vec![field("a", DataType::Int64)]
        ),
        "f, line 2, column 9: 'x' in field 'a' is no bigint"
    );
    assert_eq!(
        json("{\"a\":1,\n \"a\":2}", vec![field("a", DataType::Int64)]),
        "f, line 2, column 6: the key 'a' is there twice"
    );
}

#[test]
fn json_keeps_what_doubles_would_round() {
    let lab = Lab::new();
    let text = br#"[{"n": 12345678901234567890, "s": 1.10, "o": {"k": [1, 2]}},
        {"n": 1, "s": "x", "o": "none"}]"#;
    let (found, batches) = lab.both("a.json", text).unwrap();
    assert_eq!(types(&found), ["n decimal(38,0)", "s string", "o string"]);
    let table = shown(&batches);
    for kept in ["12345678901234567890", "1.10", r#"{"k": [1, 2]}"#] {
        assert!(table.contains(kept), "{table}");
    }
}

#[test]
fn json_layouts_and_nesting() {
    let lab = Lab::new();
    let records = [
        r#"{"id":1,"tags":["a"],"at":{"lat":1.5},"when":"2024-01-02T03:04:05Z"}"#,
        r#"{"id":2,"at":{"lat":2,"alt":3},"when":null}"#,
    ];
    for text in [
        records.join("\n"),
        format!("[{}]", records.join(",\n")),
        records.join("\n").replace(',', ",\n  "),
    ] {
        let (found, batches) = lab.both("x", text.as_bytes()).unwrap();
        assert_eq!(
            types(&found),
            [
                "id bigint",
                "tags array<string>",
                "at struct<lat:double,alt:bigint>",
                "when timestamp with local time zone"
            ]
        );
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    }
}

#[test]
fn a_json_key_without_a_name_is_a_column_with_one() {
    let lab = Lab::new();
    let text = b"{\"\":1,\"a\":{\" \":2}}\n{\"\":3}\n";
    let (found, batches) = lab.both("a.json", text).unwrap();
    assert_eq!(types(&found), ["_ bigint", "a struct<_:bigint>"]);
    let values = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(values.values(), &[1, 3]);
}

#[test]
fn a_header_appended_with_its_file_is_no_row() {
    let lab = Lab::new();
    let (found, batches) = lab.both("a.csv", b"a,b\n1,2\na,b\n3,4\n").unwrap();
    assert_eq!(types(&found), ["a bigint", "b bigint"]);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

#[test]
fn what_is_no_data_is_named() {
    let lab = Lab::new();
    for (bytes, told) in [
        (
            &b"just a sentence"[..],
            "f is in no format that Mastic knows: it is text, but no table, JSON or XML",
        ),
        (
            b"\x00\x01\x02\x03",
            "f is in no format that Mastic knows: it is binary",
        ),
        (b"", "f holds no records"),
        (b"\x1f\x8b\x08\x00", "f: the file is cut short"),
    ] {
        assert_eq!(lab.examine("f", bytes).unwrap_err().to_string(), told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a CSV holds, it can be read as what it was inferred to be, row for row.
    #[test]
    fn csv_reads_back_as_inferred(rows in proptest::collection::vec(
        proptest::collection::vec("(-?[0-9]{1,20}(\\.[0-9]{1,3})?|NA|true|20[0-9]{2}-[01][0-9]-[0-3][0-9]|[a-z \"]{0,4}|)", 3),
        1..20,
    )) {
        let mut csv = "one,two,three\n".to_owned();
        for row in &rows {
            let cells: Vec<String> = row.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
            csv.push_str(&cells.join(","));
            csv.push('\n');
        }
        let lab = Lab::new();
        // The dialect is given: whether bytes are told to be a table is another test's business.
        let mut options = super::CsvOptions::default();
        let inference = super::csv::infer("p", csv.as_bytes(), || Ok(csv.as_bytes()), &mut options, &Limits::default(), false, &mut String::new()).unwrap();
        // A column of nothing but markers says nothing of itself, and is text in a catalog.
        let columns = inference.fields.iter().map(|f| match f.data_type() {
            DataType::Null => field(f.name(), DataType::Utf8),
            _ => f.as_ref().clone(),
        }).collect();
        let batches = lab.read("p", csv.as_bytes(), &FileFormat::Csv(options), columns).unwrap();
        prop_assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, inference.rows);
    }

    /// The same of JSON, however values disagree.
    #[test]
    fn json_reads_back_as_inferred(records in proptest::collection::vec(any_object(), 1..8)) {
        let text: Vec<String> = records.iter().map(ToString::to_string).collect();
        let lab = Lab::new();
        let text = text.join("\n");
        let inference = lab.inferred(text.as_bytes());
        let names = column_names(inference.fields.iter().map(|f| f.name().as_str()));
        let columns: Vec<Field> = inference.fields.iter().zip(names)
            .map(|(f, n)| Field::new(n, f.data_type().clone(), true)).collect();
        let batches = lab.read("p", text.as_bytes(), &FileFormat::Json(JsonOptions::default()), columns).unwrap();
        prop_assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), records.len());
    }

    /// Bytes of any kind are recognised or refused, and nothing panics.
    #[test]
    fn junk_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in 0usize..9) {
        const MAGIC: [&[u8]; 9] = [b"", b"PAR1", b"ORC", b"Obj\x01", b"\x1f\x8b\x08", b"BZh91AY", b"PK\x03\x04", b"<a><b/>", b"[{"];
        let mut file = MAGIC[magic].to_vec();
        file.extend(bytes);
        let _ = Lab::new().both("j", &file);
    }
}

fn any_object() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e6f64..1e6).prop_map(Into::into),
        "[a-z]{0,5}".prop_map(Into::into),
        Just("2024-01-02".into()),
        Just("2024-01-02T03:04:05Z".into()),
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..3)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-d]", value, 1..4)
        .prop_map(|m| serde_json::Value::Object(m.into_iter().collect()))
}
