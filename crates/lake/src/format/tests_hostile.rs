//! Files that are damaged, absurd or made to do harm: each is an error that names it, within bounds.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;

use super::tests::Lab;
use super::{Classifier, FileFormat, HeaderPresence, JsonOptions, XmlOptions};

fn gzip(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for piece in pieces {
        writer.write_all(&piece).unwrap();
    }
    writer.finish().unwrap()
}

fn error(name: &str, bytes: &[u8]) -> String {
    Lab::new().examine(name, bytes).unwrap_err().to_string()
}

fn sample() -> RecordBatch {
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(0..1000)) as _),
        (
            "name",
            Arc::new(StringArray::from_iter_values(
                (0..1000).map(|i| format!("n{i}")),
            )) as _,
        ),
    ])
    .unwrap()
}

fn parquet() -> Vec<u8> {
    let batch = sample();
    let mut out = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn avro() -> Vec<u8> {
    let batch = sample();
    let mut writer =
        arrow_avro::writer::AvroWriter::new(Vec::new(), batch.schema().as_ref().clone()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner()
}

fn orc() -> Vec<u8> {
    let batch = sample();
    let mut out = Vec::new();
    let mut writer = orc_rust::ArrowWriterBuilder::new(&mut out, batch.schema())
        .try_build()
        .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn bombs_are_refused_with_their_figures() {
    let row = b"1,2\n".repeat(1 << 18);
    let bomb = gzip(std::iter::once(b"a,b\n".to_vec()).chain(std::iter::repeat_n(row, 80)));
    let told = error("bomb.csv.gz", &bomb);
    assert!(
        told.starts_with("bomb.csv.gz: it is likely a decompression bomb: 32 MiB came out of "),
        "{told}"
    );
    // Zeros are no table, and are not read on.
    let zeros = gzip(std::iter::repeat_n(vec![0; 1 << 20], 100));
    assert_eq!(
        error("zeros.gz", &zeros),
        "zeros.gz is in no format that Mastic knows: it is binary"
    );
    // A record without an end.
    let long = gzip(
        std::iter::once(b"{\"a\":\"".to_vec()).chain(std::iter::repeat_n(vec![b'x'; 1 << 20], 100)),
    );
    let told = error("long.json.gz", &long);
    assert!(
        told.starts_with("long.json.gz: it is likely a decompression bomb"),
        "{told}"
    );
    // One that is compressed around a format that is read from its end.
    let mut whole = b"PAR1".to_vec();
    whole.resize(1 << 20, 0);
    let pieces = std::iter::once(whole).chain(std::iter::repeat_n(vec![0; 1 << 20], 100));
    let told = error("p.parquet.gz", &gzip(pieces));
    assert!(
        told.starts_with("p.parquet.gz: it is likely a decompression bomb"),
        "{told}"
    );
}

#[test]
fn a_hundred_megabytes_are_no_record() {
    let mut json = b"{\"a\":1}\n{\"a\":\"".to_vec();
    json.resize(100 << 20, b'x');
    json.extend(b"\"}\n");
    let told = "f, line 2, column 1: a record is longer than 64 MiB, and is not read";
    assert_eq!(error("f", &json), told);
    let format = FileFormat::Json(JsonOptions::default());
    let columns = vec![Field::new("a", DataType::Utf8, true)];
    let lab = Lab::new();
    assert_eq!(
        lab.read("f", &json, &format, columns.clone())
            .unwrap_err()
            .to_string(),
        told
    );
    let mut xml = b"<r><e><a>1</a></e><e><a>".to_vec();
    xml.resize(100 << 20, b'x');
    xml.extend(b"</a></e></r>");
    let told = error("f", &xml);
    assert!(told.contains("an element is longer than 64 MiB"), "{told}");
    let format = FileFormat::Xml(XmlOptions::new("e"));
    let told = lab
        .read("f", &xml, &format, columns)
        .unwrap_err()
        .to_string();
    assert!(told.contains("an element is longer than 64 MiB"), "{told}");
    // Many small things are as large in memory as one large one.
    let many = [
        b"<r><e/><e>".as_slice(),
        &b"<a/>".repeat(3 << 20),
        b"</e></r>",
    ]
    .concat();
    assert!(error("f", &many).contains("more than a million others"));
}

#[test]
fn deep_nesting_is_an_error_everywhere() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let told = "f, line 1, column 1: values are nested deeper than 256 levels";
    assert_eq!(error("f", format!("{{\"a\":{deep}}}").as_bytes()), told);
    let lab = Lab::new();
    let format = FileFormat::Json(JsonOptions::default());
    for wanted in ["a", "b"] {
        // Decoded, and read over.
        let columns = vec![Field::new(wanted, DataType::Utf8, true)];
        let read = lab.read(
            "f",
            format!("{{\"a\":{deep}}}").as_bytes(),
            &format,
            columns,
        );
        assert_eq!(read.unwrap_err().to_string(), told);
    }
    // As deep as is allowed, every part of the way is taken.
    let nested = "{\"a\":".repeat(250) + "1" + &"}".repeat(250);
    let (found, batches) = lab.both("f", nested.as_bytes()).unwrap();
    assert_eq!((found.inference.fields.len(), batches.len()), (1, 1));
    assert!(error("f", deep.as_bytes()).contains("no format that Mastic knows"));
    let xml = format!("<r><e>{}</e></r>", "<d>".repeat(10_000));
    assert!(error("f", xml.as_bytes()).contains("nested deeper than 200 levels"));
}

#[test]
fn entities_of_xml_are_not_expanded() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<r><e><t>&b;</t></e><e><t>x</t></e></r>"#;
    assert!(error("f", bomb.as_bytes()).ends_with("the entity &b; is not defined"));
    let outer = r#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><e>&x;</e><e/></r>"#;
    assert!(error("f", outer.as_bytes()).ends_with("the entity &x; is not defined"));
}

#[test]
fn what_is_cut_short_says_so() {
    for (name, whole) in [("p", parquet()), ("a", avro()), ("o", orc())] {
        let lab = Lab::new();
        assert_eq!(
            lab.examine(name, &whole).unwrap().inference.rows,
            1000,
            "{name}"
        );
        for length in [8, 20, whole.len() / 2, whole.len() - 20, whole.len() - 1] {
            let told = error(name, &whole[..length]);
            assert!(told.starts_with(&format!("{name}: ")), "{told}");
        }
    }
    // A footer that says it is longer than the file.
    let mut hostile = parquet();
    let at = hostile.len() - 8;
    hostile[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(error("p", &hostile).starts_with("p: "));
    // A block that says it has 2^62 records of 2^62 bytes.
    let whole = avro();
    let sync: [u8; 16] = whole[whole.len() - 16..].try_into().unwrap();
    let header = whole.windows(16).position(|w| w == sync).unwrap() + 16;
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let hostile = [&whole[..header], &huge, &huge, b"x"].concat();
    assert!(error("a", &hostile).starts_with("a: "));
    // The same number of records, which take no bytes.
    let nothing = [&whole[..header], &huge, &[0], &sync].concat();
    assert!(error("a", &nothing).starts_with("a: "));
}

#[test]
fn a_block_with_fewer_records_than_it_holds_ends() {
    let whole = avro();
    let sync: [u8; 16] = whole[whole.len() - 16..].try_into().unwrap();
    let header = whole.windows(16).position(|w| w == sync).unwrap() + 16;
    // 1000 and 999 as Avro writes them: 2000 and 1998 in pieces of seven bits.
    assert_eq!(whole[header..header + 2], [0xd0, 0x0f]);
    for (count, told) in [
        ([0xce, 0x0f], "says it has 999 records in"),
        ([0x80, 0x00], "says it has 0 records in"),
        ([0xd2, 0x0f], "says it has 1001 records in"),
    ] {
        let mut damaged = whole.clone();
        damaged[header..header + 2].copy_from_slice(&count);
        let error = error("a", &damaged);
        assert!(error.contains(told), "{error}");
        let columns = vec![Field::new("id", DataType::Int64, true)];
        let read = Lab::new().read("a", &damaged, &FileFormat::Avro, columns);
        assert!(read.unwrap_err().to_string().contains(told));
    }
}

#[test]
fn text_in_utf_16_is_read() {
    let lab = Lab::new();
    for big in [true, false] {
        let wide = |text: &str| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            let bytes = |u: u16| {
                if big {
                    u.to_be_bytes()
                } else {
                    u.to_le_bytes()
                }
            };
            units.flat_map(bytes).collect()
        };
        let (found, batches) = lab
            .both("f", &wide("{\"a\": \"é\"}\n{\"a\": \"ü\"}"))
            .unwrap();
        assert_eq!(found.format, FileFormat::Json(JsonOptions::default()));
        assert_eq!(batches[0].num_rows(), 2);
        let xml = "<r><e><a>é</a></e><e><a>ü</a></e></r>";
        assert_eq!(lab.both("f", &wide(xml)).unwrap().1[0].num_rows(), 2);
        let log = "[    0.1] é\n[    0.2] ü\n";
        assert_eq!(
            lab.both("f", &wide(log)).unwrap().0.classifier,
            "linux_kernel"
        );
    }
}

#[test]
fn arrays_of_what_is_no_object_are_named() {
    for (text, kind) in [
        ("[[1, 2], [3, 4]]", "arrays"),
        ("[1, 2, 3]", "single values"),
        ("[1,2]\n[3,4]\n", "single values"),
        ("[\"a\", \"b\"]", "single values"),
    ] {
        assert_eq!(
            error("f", text.as_bytes()),
            format!(
                "f is in no format that Mastic knows: it is JSON, an array of {kind}, and a record is an object in braces"
            )
        );
    }
}

#[test]
fn a_key_that_is_there_twice_is_found_at_once() {
    let told = "f, line 2, column 14: the key 'a' is there twice";
    assert_eq!(error("f", b"{\"a\":1}\n{\"a\":1,\"a\":2}"), told);
    let deep = error("f", b"{\"o\":[{\"a\":1,\"a\":2}]}");
    assert!(deep.ends_with("the key 'a' is there twice"), "{deep}");
    let many: Vec<String> = (0..30).map(|i| format!("\"k{i}\":1")).collect();
    let text = format!("{{{},\"k7\":2}}", many.join(","));
    assert!(error("f", text.as_bytes()).ends_with("the key 'k7' is there twice"));
}

#[test]
fn maps_of_records_have_a_column_of_keys() {
    let lab = Lab::new();
    let text = br#"{"US": {"name": "America", "Key": 1}, "FR": {"name": "France", "Key": 2}}"#;
    let (found, batches) = lab.both("f", text).unwrap();
    assert_eq!(
        super::tests::types(&found),
        ["key_1 string", "name string", "Key bigint"]
    );
    let shown = super::tests::shown(&batches);
    assert!(shown.contains("| US    | America | 1   |"), "{shown}");
    // Projected in another order, and with columns that the file lacks.
    let columns = vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("more", DataType::Int64, true),
        Field::new("key_1", DataType::Utf8, true),
    ];
    let shown = super::tests::shown(&lab.read("f", text, &found.format, columns).unwrap());
    assert!(shown.contains("| France  |      | FR    |"), "{shown}");
}

fn classifier(of: Classifier) -> Classifier {
    of.checked().unwrap()
}

#[test]
fn custom_classifiers_are_asked_first() {
    let lab = Lab::new();
    let examine = |bytes: &[u8], classifiers: &[Classifier]| {
        super::examine(
            &lab.file("f", bytes),
            &super::Limits::default(),
            classifiers,
        )
        .unwrap()
    };
    let path = classifier(Classifier::Json {
        name: "within".into(),
        path: "$.items[*]".into(),
    });
    let grok = classifier(Classifier::Grok {
        name: "half".into(),
        classification: "mine".into(),
        pattern: "^%{INT:n},%{WORD:w}$".into(),
        custom_patterns: String::new(),
    });
    let both = [path.clone(), grok.clone()];
    let found = examine(br#"{"next": 1, "items": [{"a": 1}, {"a": 2}]}"#, &both);
    assert_eq!(
        (found.classifier.as_str(), found.inference.rows),
        ("within", 2)
    );
    // Certain is certain: one that matches every line wins over CSV, one of half the lines does not.
    let found = examine(b"1,a\n2,b\n3,c\n", &both);
    assert_eq!((found.classifier.as_str(), found.certainty), ("half", 1.0));
    let asked: Vec<(&str, f32)> = found
        .considered
        .iter()
        .map(|c| (c.classifier.as_str(), c.certainty))
        .collect();
    assert_eq!(asked, [("within", 0.0), ("half", 1.0)]);
    let found = examine(b"id,name\n2,b\nx,y z\n4,d\n5,e\n", &both);
    assert_eq!(found.classifier, "csv");
    assert!(
        found
            .considered
            .iter()
            .any(|c| c.classifier == "half" && c.certainty > 0.5)
    );

    let xml = classifier(Classifier::Xml {
        name: "books".into(),
        classification: "xml".into(),
        row_tag: "book".into(),
    });
    let found = examine(b"<c><x/><x/><x/><book><t>1</t></book></c>", &[xml]);
    assert_eq!(
        (found.classifier.as_str(), found.inference.rows),
        ("books", 1)
    );
}

#[test]
fn custom_csv_says_what_is_not_found_out() {
    let lab = Lab::new();
    let csv = |header: &[&str], presence, delimiter| {
        classifier(Classifier::Csv {
            name: "own".into(),
            delimiter,
            quote: None,
            contains_header: presence,
            header: header.iter().map(|h| (*h).to_owned()).collect(),
            disable_trimming: false,
            allow_single_column: false,
            types: vec!["string".into(), "int".into()],
        })
    };
    let examine = |bytes: &[u8], one: Classifier| {
        super::examine(&lab.file("f", bytes), &super::Limits::default(), &[one]).unwrap()
    };
    let found = examine(
        b"1#2\n3#4\n",
        csv(&["A b", "c"], HeaderPresence::Absent, Some(b'#')),
    );
    assert_eq!(super::tests::types(&found), ["a b string", "c int"]);
    assert_eq!(
        (found.classifier.as_str(), found.inference.rows),
        ("own", 2)
    );
    // A file with another header is none of the classifier's.
    let found = examine(
        b"x,y\n1,2\n",
        csv(&["a", "b"], HeaderPresence::Present, Some(b',')),
    );
    assert_eq!(found.classifier, "csv");
    assert_eq!(
        found.considered[0].reason,
        "its header is not the classifier's"
    );
}

#[test]
fn classifiers_are_checked() {
    let own = || "own".to_owned();
    for (of, told) in [
        (
            Classifier::Grok {
                name: own(),
                classification: own(),
                pattern: "%{WROD:w}".into(),
                custom_patterns: String::new(),
            },
            "the classifier 'own' cannot be used: there is no grok pattern 'WROD' (did you mean 'WORD'?)",
        ),
        (
            Classifier::Json {
                name: own(),
                path: "a".into(),
            },
            "the classifier 'own' cannot be used: the JSON path 'a' cannot be read: a path begins with '$', character 1",
        ),
        (
            Classifier::Xml {
                name: own(),
                classification: own(),
                row_tag: "a b".into(),
            },
            "the classifier 'own' cannot be used: 'a b' is no name of an element",
        ),
    ] {
        assert_eq!(of.checked().unwrap_err().to_string(), told);
    }
    assert_eq!(
        super::character("own", "delimiter", "||")
            .unwrap_err()
            .to_string(),
        "the classifier 'own' cannot be used: its delimiter is '||', and only one-byte characters can be one"
    );
    assert_eq!(super::character("own", "delimiter", "\\t").unwrap(), b'\t');
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Files of every kind with some bytes changed are read or refused.
    #[test]
    fn damaged_files_do_not_panic(
        which in 0usize..6,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = match which {
            0 => parquet(),
            1 => avro(),
            2 => orc(),
            3 => br#"{"US": {"n": 1, "m": [{}]}, "FR": {"n": 2, "m": []}}"#.to_vec(),
            4 => b"<r a='1'><e>x</e><e><![CDATA[y]]>&amp;</e></r>".to_vec(),
            _ => br#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 226 "-" "-""#.to_vec(),
        };
        let length = file.len();
        for (at, byte) in changes {
            file[at.index(length)] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(length));
        }
        let _ = Lab::new().both("j", &file);
    }
}
