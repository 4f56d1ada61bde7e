//! Avro, XML and compressions: what is written is read back, by our own readers and those of the libraries.

use std::io::Read;
use std::sync::OnceLock;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, FixedSizeBinaryArray, FixedSizeListArray, Float16Array,
    Float32Array, Float64Array, Int8Array, Int64Array, LargeListArray, LargeStringArray, ListArray,
    MapBuilder, NullArray, StringBuilder, StringViewArray, StructArray, Time32SecondArray,
    Time64NanosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt32Array,
    UInt64Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float16Type, Int32Type, Int64Type, i256};
use arrow::util::display::array_value_to_string;
use arrow::util::pretty::pretty_format_batches;
use object_store::memory::InMemory;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::compress::Compression;
use crate::format::{Decode, Examined, FileFormat, Limits, decode, examine};
use crate::input::Input;

/// The bytes of a file of these batches.
fn encoded(options: &OutputOptions, batches: &[RecordBatch]) -> Vec<u8> {
    try_encoded(options, batches).unwrap()
}

fn try_encoded(
    options: &OutputOptions,
    batches: &[RecordBatch],
) -> datafusion::error::Result<Vec<u8>> {
    let mut encoder = Encoder::new(options, &batches[0].schema())?;
    let mut bytes = Vec::new();
    for batch in batches {
        encoder.write(batch)?;
        bytes.extend(encoder.take());
    }
    bytes.extend(encoder.finish()?);
    Ok(bytes)
}

fn options(format: &str, options: &[(&str, &str)]) -> OutputOptions {
    OutputOptions::parse(format, options.iter().copied()).unwrap()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

fn file(name: &str, bytes: &[u8]) -> Input {
    let store = Arc::new(InMemory::new());
    let path = Path::from(name);
    let meta = runtime().block_on(async {
        store.put(&path, bytes.to_vec().into()).await.unwrap();
        store.head(&path).await.unwrap()
    });
    Input::new(store, meta, name.to_owned(), runtime().handle().clone())
}

/// What our own reader finds out about a file.
fn examined(name: &str, bytes: &[u8]) -> Examined {
    examine(&file(name, bytes), &Limits::default(), &[]).unwrap()
}

/// What our own reader reads from a file, as columns of these types.
fn decoded(name: &str, bytes: &[u8], format: &FileFormat, schema: &SchemaRef) -> RecordBatch {
    let wanted = Decode {
        file: name.to_owned(),
        projection: (0..schema.fields().len()).collect(),
        schema: schema.clone(),
        batch_size: 1024,
        frame: None,
        predicate: None,
    };
    let batches: Vec<_> = decode(&file(name, bytes), format, &wanted)
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect();
    concat_batches(schema, &batches).unwrap()
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Every kind of column that Avro has a place for, in two rows of values and one of nulls.
fn avro_types() -> RecordBatch {
    let x = Field::new("x", DataType::Int64, false);
    let y = Field::new("y", DataType::Utf8, true);
    let inner = StructArray::try_new(
        vec![x, y].into(),
        vec![
            Arc::new(Int64Array::from(vec![1, 0, 3])) as ArrayRef,
            strings(&[Some("é"), None, None]),
        ],
        Some(vec![true, false, true].into()),
    )
    .unwrap();
    let structs = ListArray::new(
        Arc::new(Field::new("item", inner.data_type().clone(), true)),
        arrow::buffer::OffsetBuffer::from_lengths([2, 0, 1]),
        Arc::new(inner.clone()),
        Some(vec![true, false, true].into()),
    );
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k 1");
    map.values().append_value("v");
    map.keys().append_value("k2");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    let half = half_floats(&[Some(1.5), None, Some(-2.0)]);
    let dictionary: DictionaryArray<Int32Type> = [Some("a"), None, Some("b")].into_iter().collect();
    batch([
        (
            "b",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])) as ArrayRef,
        ),
        (
            "i8",
            Arc::new(Int8Array::from(vec![Some(-128), None, Some(127)])),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(0)])),
        ),
        (
            "u64",
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)])),
        ),
        (
            "i64",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        ),
        ("f16", half),
        (
            "f32",
            Arc::new(Float32Array::from(vec![
                Some(0.1),
                None,
                Some(f32::INFINITY),
            ])),
        ),
        (
            "f64",
            Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-1e300)])),
        ),
        (
            "s",
            Arc::new(LargeStringArray::from(vec![Some("ü"), None, Some("")])),
        ),
        (
            "v",
            Arc::new(StringViewArray::from(vec![
                Some("longer than twelve"),
                None,
                Some("x"),
            ])),
        ),
        (
            "bin",
            Arc::new(BinaryArray::from(vec![
                Some(&b"\x00\xff"[..]),
                None,
                Some(b""),
            ])),
        ),
        (
            "fix",
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    [Some([1u8, 2]), None, Some([3, 4])].into_iter(),
                    2,
                )
                .unwrap(),
            ),
        ),
        (
            "d",
            Arc::new(Date32Array::from(vec![Some(15706), None, Some(-1)])),
        ),
        (
            "d64",
            Arc::new(Date64Array::from(vec![Some(86_400_000), None, Some(0)])),
        ),
        (
            "t32",
            Arc::new(Time32SecondArray::from(vec![Some(3661), None, Some(0)])),
        ),
        (
            "t64",
            Arc::new(Time64NanosecondArray::from(vec![Some(1000), None, Some(0)])),
        ),
        (
            "ts",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_357_016_400_120_001),
                None,
                Some(-1),
            ])),
        ),
        (
            "ns",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_357_016_400_120_001_999),
                None,
                Some(0),
            ])),
        ),
        (
            "tz",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1), None, Some(0)])
                    .with_timezone("+00:00"),
            ),
        ),
        (
            "p",
            Arc::new(
                Decimal128Array::from(vec![Some(150), None, Some(-5)])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        (
            "q",
            Arc::new(
                Decimal256Array::from(vec![
                    Some(i256::from_i128(i128::MAX)),
                    None,
                    Some(i256::MINUS_ONE),
                ])
                .with_precision_and_scale(50, 3)
                .unwrap(),
            ),
        ),
        ("dict", Arc::new(dictionary)),
        ("nothing", Arc::new(NullArray::new(3))),
        ("o", Arc::new(inner)),
        (
            "l",
            Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>([
                Some(vec![Some(1), None]),
                None,
                Some(vec![]),
            ])),
        ),
        (
            "fl",
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                [
                    Some(vec![Some(1), Some(2)]),
                    None,
                    Some(vec![Some(3), None]),
                ],
                2,
            )),
        ),
        ("ls", Arc::new(structs)),
        ("m", Arc::new(map.finish())),
    ])
}

fn half_floats(values: &[Option<f32>]) -> ArrayRef {
    let wide = Float32Array::from(values.to_vec());
    let half = arrow::compute::cast(&wide, &DataType::Float16).unwrap();
    let typed: &Float16Array = half.as_primitive::<Float16Type>();
    Arc::new(typed.clone())
}

#[test]
fn avro_is_read_back_as_it_was() {
    let expected = avro_types();
    let schema = stored_schema(&options("avro", &[]), &expected.schema());
    for codec in ["none", "deflate", "snappy", "zstd", "bzip2", "xz"] {
        let bytes = encoded(
            &options("avro", &[("codec", codec)]),
            std::slice::from_ref(&expected),
        );
        let found = examined("a.avro", &bytes);
        assert_eq!(found.inference.rows, 3, "{codec}");
        let read = decoded("a.avro", &bytes, &FileFormat::Avro, &schema);
        for (at, field) in schema.fields().iter().enumerate() {
            for row in 0..3 {
                let value = |batch: &RecordBatch| {
                    let column = arrow::compute::cast(batch.column(at), field.data_type()).unwrap();
                    (
                        column.is_null(row),
                        array_value_to_string(&column, row).unwrap(),
                    )
                };
                assert_eq!(value(&read), value(&expected), "{codec}: {}", field.name());
            }
        }
    }
}

#[test]
fn avro_types_are_those_that_the_catalog_is_told() {
    let written = avro_types();
    // But for decimals of more than 38 digits, which Hive lacks.
    let kept: Vec<usize> = (0..written.num_columns())
        .filter(|at| written.schema().field(*at).name() != "q")
        .collect();
    let written = written.project(&kept).unwrap();
    let stored = stored_schema(&options("avro", &[]), &written.schema());
    let found = examined("a.avro", &encoded(&options("avro", &[]), &[written]));
    let hive = |fields: &arrow::datatypes::Fields| -> Vec<String> {
        let types = fields
            .iter()
            .map(|f| mastic_schema::hive::format_type(f.data_type()));
        types.collect()
    };
    assert_eq!(hive(&found.inference.fields), hive(stored.fields()));
    // Beside what is plain: the next type that holds every value.
    assert_eq!(
        hive(stored.fields())[1..6],
        ["int", "bigint", "decimal(20,0)", "bigint", "float"]
    );
}

#[test]
fn avro_blocks_are_bounded_and_levels_told() {
    let long: StringArray = (0..3000)
        .map(|n| Some(format!("{n}-{}", "x".repeat(1000))))
        .collect();
    let wide = batch([("s", Arc::new(long) as ArrayRef)]);
    let plain = encoded(
        &options("avro", &[("compression", "none")]),
        std::slice::from_ref(&wide),
    );
    // The sync marker stands at the end of the header and of each block.
    let sync = plain[plain.len() - 16..].to_vec();
    let marks = plain.windows(16).filter(|w| *w == sync).count();
    assert!((12..=14).contains(&marks), "{marks}");
    let read = decoded("a.avro", &plain, &FileFormat::Avro, &wide.schema());
    assert_eq!(read, wide);
    let at = |level| {
        let zstd = [("compression", "gzip"), ("compression_level", level)];
        encoded(&options("avro", &zstd), std::slice::from_ref(&wide)).len()
    };
    assert!(at("9") < at("1"), "{} {}", at("9"), at("1"));
    // Nothing but a header is a file of no rows.
    let none = encoded(&options("avro", &[]), &[wide.slice(0, 0)]);
    assert_eq!(none.windows(16).filter(|w| none.ends_with(w)).count(), 1);
}

fn xml_types() -> RecordBatch {
    let person = StructArray::from(vec![
        (
            Arc::new(Field::new("_id", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(7), None, Some(9)])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("_VALUE", DataType::Utf8, true)),
            strings(&[Some("A & B"), None, Some("<C>\r\n\"")]),
        ),
    ]);
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None, Some(3)]),
        None,
        Some(vec![Some(4)]),
    ]);
    let o = StructArray::from(vec![(
        Arc::new(Field::new("x", DataType::Float64, true)),
        Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-1e-7)])) as ArrayRef,
    )]);
    batch([
        ("_id", strings(&[Some("a\"b\nc"), None, Some("<&>")])),
        (
            "b",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "i",
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(-1)])),
        ),
        (
            "f",
            Arc::new(Float64Array::from(vec![Some(0.1), None, Some(1e300)])),
        ),
        ("s", strings(&[Some("007"), None, Some("ü]]>")])),
        (
            "d",
            Arc::new(Date32Array::from(vec![Some(15706), None, Some(-1)])),
        ),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_357_016_400_120_000),
                None,
                Some(1),
            ])),
        ),
        ("p", Arc::new(person)),
        ("l", Arc::new(list)),
        ("o", Arc::new(o)),
    ])
}

#[test]
fn xml_is_written_as_spark_xml_does() {
    let text = String::from_utf8(encoded(&options("xml", &[]), &[xml_types()])).unwrap();
    assert_eq!(
        text,
        concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root>\n",
            "<row id=\"a&quot;b&#10;c\"><b>true</b><i>9223372036854775807</i><f>0.1</f><s>007</s>",
            "<d>2013-01-01</d><t>2013-01-01T05:00:00.120</t><p id=\"7\">A &amp; B</p>",
            "<l>1</l><l/><l>3</l><o><x>0.5</x></o></row>\n",
            "<row><p></p><o></o></row>\n",
            "<row id=\"&lt;&amp;&gt;\"><b>false</b><i>-1</i><f>1e300</f><s>ü]]&gt;</s><d>1969-12-31</d>",
            "<t>1970-01-01T00:00:00.000001</t><p id=\"9\">&lt;C&gt;&#13;\n\"</p><l>4</l>",
            "<o><x>-1e-7</x></o></row>\n",
            "</root>\n",
        )
    );
}

#[test]
fn xml_is_read_back_as_it_was() {
    let expected = xml_types();
    for compression in ["none", "gzip", "snappy", "lz4"] {
        let bytes = encoded(
            &options("xml", &[("compression", compression)]),
            std::slice::from_ref(&expected),
        );
        let found = examined("a.xml", &bytes);
        // What is inferred is what was written.
        let types = |fields: &arrow::datatypes::Fields| -> Vec<String> {
            let mut types: Vec<String> = fields
                .iter()
                .map(|f| {
                    format!(
                        "{} {}",
                        f.name(),
                        mastic_schema::hive::format_type(f.data_type())
                    )
                })
                .collect();
            types.sort();
            types
        };
        assert_eq!(
            types(&found.inference.fields),
            types(expected.schema().fields())
        );
        let read = decoded("a.xml", &bytes, &found.format, &expected.schema());
        let shown = |batch: &RecordBatch| {
            pretty_format_batches(std::slice::from_ref(batch))
                .unwrap()
                .to_string()
        };
        // A struct of nothing but nulls has an empty element, as null has none: both are read as null.
        let mut columns = expected.columns().to_vec();
        for at in [7, 9] {
            let keep = BooleanArray::from(vec![true, false, true]);
            columns[at] =
                arrow::compute::nullif(&columns[at], &arrow::compute::not(&keep).unwrap()).unwrap();
        }
        // Reading trims text; nothing else changes.
        let expected = RecordBatch::try_new(expected.schema(), columns).unwrap();
        assert_eq!(shown(&read), shown(&expected), "{compression}");
    }
}

#[test]
fn xml_has_maps_lists_of_lists_and_marks_for_nulls() {
    let mut map = MapBuilder::new(
        None,
        StringBuilder::new(),
        arrow::array::Int64Builder::new(),
    );
    for (key, value) in [("k1", Some(1)), ("a b<", Some(2)), ("entry", None)] {
        map.keys().append_value(key);
        map.values().append_option(value);
    }
    map.append(true).unwrap();
    let inner = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        None,
        Some(vec![]),
    ]);
    let lists = ListArray::new(
        Arc::new(Field::new_list_field(inner.data_type().clone(), true)),
        arrow::buffer::OffsetBuffer::from_lengths([3]),
        Arc::new(inner),
        None,
    );
    let nested = batch([
        ("m", Arc::new(map.finish()) as ArrayRef),
        ("l", Arc::new(lists)),
        ("n", strings(&[None])),
        ("@a", strings(&[None])),
    ]);
    let given = [
        ("rootTag", "Films"),
        ("rowTag", "film"),
        ("attributePrefix", "@"),
        ("declaration", "false"),
    ];
    let text = |more: &[(&str, &str)]| {
        let all = [&given[..], more].concat();
        String::from_utf8(encoded(
            &options("xml", &all),
            std::slice::from_ref(&nested),
        ))
        .unwrap()
    };
    assert_eq!(
        text(&[]),
        "<Films>\n<film><m><k1>1</k1><entry key=\"a b&lt;\">2</entry><entry/></m><l><item>1</item><item>2</item></l><l/><l></l></film>\n</Films>\n"
    );
    assert_eq!(
        text(&[("nullValue", "<N>")]),
        "<Films>\n<film a=\"&lt;N&gt;\"><m><k1>1</k1><entry key=\"a b&lt;\">2</entry><entry>&lt;N&gt;</entry></m><l><item>1</item><item>2</item></l><l>&lt;N&gt;</l><l></l><n>&lt;N&gt;</n></film>\n</Films>\n"
    );
    // No rows are a root without elements.
    let empty = encoded(&options("xml", &given), &[nested.slice(0, 0)]);
    assert_eq!(empty, b"<Films>\n</Films>\n");
}

#[test]
fn characters_that_xml_cannot_hold_are_pointed_at() {
    for (bad, code) in [
        ("\u{0}", "U+0000"),
        ("a\u{1b}b", "U+001B"),
        ("\u{ffff}", "U+FFFF"),
    ] {
        let o = StructArray::from(vec![(
            Arc::new(Field::new("y", DataType::Utf8, true)),
            strings(&[Some("fine\u{fffd}"), Some(bad)]),
        )]);
        let batches = [
            batch([("o", Arc::new(o.slice(0, 1)) as ArrayRef)]),
            batch([("o", Arc::new(o) as ArrayRef)]),
        ];
        let told = try_encoded(&options("xml", &[]), &batches)
            .unwrap_err()
            .to_string();
        let says = format!("row 3 of the file has the character {code} in column 'o.y'");
        assert!(told.contains(&says), "{told}");
    }
}

proptest! {
    #[test]
    fn any_text_survives_xml(texts in prop::collection::vec("[^\\x00-\\x1f\\u{fffe}\\u{ffff}]{1,12}|[a<&>\"'\r\n\t;#]{1,9}", 1..9)) {
        // What the reader is documented to trim.
        let texts: Vec<String> = texts.iter().map(|t| format!("|{t}|")).collect();
        let columns = batch([
            ("_a", Arc::new(StringArray::from(texts.clone())) as ArrayRef),
            ("s", Arc::new(StringArray::from(texts))),
        ]);
        let bytes = encoded(&options("xml", &[]), std::slice::from_ref(&columns));
        let format = FileFormat::Xml(crate::format::XmlOptions::new("row"));
        let read = decoded("a.xml", &bytes, &format, &columns.schema());
        prop_assert_eq!(read, columns);
    }

    #[test]
    fn any_text_survives_csv_with_an_escape(
        rows in prop::collection::vec(("[a\\\\\",\n\r ]{0,6}", "\\PC{0,6}"), 1..9),
        quoted in any::<bool>(),
    ) {
        // Without quotes a record is a line, and blanks around a cell are none of its own.
        let text = |t: &str| match quoted {
            true => format!("|{t}|"),
            false => format!("|{}|", t.replace(['\n', '\r'], "")),
        };
        let a: StringArray = rows.iter().map(|(a, _)| Some(text(a))).collect();
        let b: StringArray = rows.iter().map(|(_, b)| Some(text(b))).collect();
        let columns = batch([("a", Arc::new(a) as ArrayRef), ("b", Arc::new(b))]);
        let quote = if quoted { "\"" } else { "-1" };
        let given = options("csv", &[("quoteChar", quote), ("escaper", "\\")]);
        let bytes = encoded(&given, std::slice::from_ref(&columns));
        let format = FileFormat::Csv(crate::format::CsvOptions {
            quote: given.quote,
            escape: given.escape,
            ..Default::default()
        });
        let read = decoded("a.csv", &bytes, &format, &columns.schema());
        prop_assert_eq!(read, columns, "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn csv_without_quotes_says_what_it_cannot_hold() {
    let rows = batch([
        ("a", strings(&[Some("x"), Some("y")])),
        ("s", strings(&[Some("b\"c"), Some("d,e")])),
    ]);
    let plain = options("csv", &[("quoteChar", "-1")]);
    let told = try_encoded(&plain, std::slice::from_ref(&rows))
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("row 2 of the file has ',' in column 's'"),
        "{told}"
    );
    assert!(
        told.contains("give a quote or an escape, or another delimiter"),
        "{told}"
    );
    let other = options(
        "csv",
        &[
            ("quoteChar", "-1"),
            ("separator", "|"),
            ("writeHeader", "false"),
        ],
    );
    assert_eq!(
        encoded(&other, std::slice::from_ref(&rows)),
        b"x|b\"c\ny|d,e\n"
    );
    let escaped = options("csv", &[("quoteChar", "-1"), ("escaper", "\\")]);
    assert_eq!(encoded(&escaped, &[rows]), b"a,s\nx,b\"c\ny,d\\,e\n");
    let lines = batch([("s", strings(&[Some("a\nb")]))]);
    let told = try_encoded(&escaped, &[lines]).unwrap_err().to_string();
    assert!(
        told.contains("an end of a line") && told.contains("; give a quote,"),
        "{told}"
    );
    let blank = batch([("s", strings(&[Some("")]))]);
    assert!(try_encoded(&plain, &[blank]).is_err());
}

#[test]
fn every_compression_is_read_by_its_magic() {
    let many = batch([(
        "n",
        Arc::new((0..20_000).collect::<Int32Array>()) as ArrayRef,
    )]);
    for format in ["csv", "json", "xml"] {
        let plain = encoded(&options(format, &[]), std::slice::from_ref(&many));
        for compression in OutputCompression::of(OutputFormat::Csv) {
            let given = options(format, &[("compression", compression.name())]);
            let bytes = encoded(&given, std::slice::from_ref(&many));
            let found = Compression::of(&bytes);
            assert_eq!(found.to_string(), compression.name(), "{format}");
            let mut out = Vec::new();
            let raw = Box::new(std::io::Cursor::new(bytes));
            found.reader(raw).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, plain, "{format} {compression}");
            let Some(levels) = compression.levels() else {
                continue;
            };
            let at = |level: u32| {
                let level = level.to_string();
                let given = [
                    ("compression", compression.name()),
                    ("compression_level", &level),
                ];
                encoded(&options(format, &given), std::slice::from_ref(&many))
            };
            let (least, most) = (at(*levels.start()), at(*levels.end()));
            match compression {
                // Its level is the size of its blocks, and the fourth byte of its header.
                OutputCompression::Bzip2 => assert_eq!((least[3], most[3]), (b'1', b'9')),
                // So regular a text may well get longer by xz's longer searches.
                OutputCompression::Xz => assert_ne!(most, least),
                _ => assert!(most.len() < least.len(), "{format} {compression}"),
            }
        }
    }
}

#[test]
fn parquet_has_its_own_compressions() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Compression as Codec;
    let many = batch([(
        "n",
        Arc::new((0..20_000).collect::<Int32Array>()) as ArrayRef,
    )]);
    for (given, level, codec) in [
        ("lz4", None, "LZ4_RAW"),
        ("brotli", Some("5"), "BROTLI"),
        ("zstd", Some("19"), "ZSTD"),
        ("gzip", Some("0"), "GZIP"),
        ("snappy", None, "SNAPPY"),
        ("none", None, "UNCOMPRESSED"),
    ] {
        let mut all = vec![
            ("compression", given),
            ("blockSize", "64KiB"),
            ("pageSize", "4KB"),
        ];
        all.extend(level.map(|level| ("compression_level", level)));
        let bytes = Bytes::from(encoded(
            &options("parquet", &all),
            std::slice::from_ref(&many),
        ));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let group = reader.metadata().row_group(0);
        let found: Codec = group.column(0).compression();
        assert!(format!("{found:?}").starts_with(codec), "{found:?}");
        let read: Vec<_> = reader.build().unwrap().map(|b| b.unwrap()).collect();
        assert_eq!(concat_batches(&many.schema(), &read).unwrap(), many);
    }
}

#[tokio::test]
async fn a_single_file_takes_every_stream() {
    for place in Place::both() {
        for format in ["csv", "avro", "xml", "parquet"] {
            let spec = SinkSpec {
                options: options(format, &[("single_file", "true")]),
                target_file_rows: Some(1),
                memory_bytes: 1,
                ..place.spec(SinkMode::Overwrite)
            };
            let streams = [
                vec![rows(&[(1, None)]), rows(&[(2, Some("x"))])],
                vec![rows(&[(3, None)])],
            ];
            let staged = write(plan(&streams), context(), &spec, None).await.unwrap();
            let written = staged.commit().await.unwrap();
            assert_eq!(written.files.len(), 1, "{format}");
            assert_eq!(written.rows, 3);
        }
        let keyed = SinkSpec {
            options: options("csv", &[("single_file", "true")]),
            ..place.spec(SinkMode::Append).partitioned_by(["k"])
        };
        let told = put_rows(&keyed, rows(&[])).await.unwrap_err().to_string();
        assert!(
            told.contains("single_file is for sinks without partition keys"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn target_sizes_are_options() {
    let place = Place::local();
    let given = options(
        "avro",
        &[("target_file_size", "2KB"), ("compression", "none")],
    );
    let spec = SinkSpec::new(place.root.clone(), given, SinkMode::Append);
    assert_eq!(spec.target_file_bytes, 2000);
    let batches: Vec<_> = (0..50)
        .map(|n| rows(&[(n, Some("a text of some length, so that files get full"))]))
        .collect();
    let written = stage(&spec, batches).await.unwrap().commit().await.unwrap();
    assert!(written.files.len() > 1, "{}", written.files.len());
    let given = options("xml", &[("target_file_rows", "2")]);
    let spec = SinkSpec::new(place.root.clone(), given, SinkMode::Overwrite);
    let written = put_rows(&spec, rows(&[(1, None), (2, None), (3, None)]))
        .await
        .unwrap();
    let counts: Vec<u64> = written.files.iter().map(|f| f.rows).collect();
    assert_eq!(counts, [2, 1]);
    assert!(written.files[0].path.ends_with(".xml"));
}
