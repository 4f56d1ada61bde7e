//! What is in the files: formats read back by other readers, partitions, bounds.

use std::io::{Cursor, Read};
use std::sync::Mutex;

use arrow::array::{
    Array, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    StructArray, TimestampMicrosecondArray, UnionArray, new_empty_array, new_null_array,
};
use arrow::datatypes::{Int32Type, UnionFields, UnionMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::*;
use crate::format::{Decode, FileFormat, decode};
use crate::input::Input;

fn all_types() -> RecordBatch {
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("y", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("a\"b"), Some("é"), None])) as ArrayRef,
        ),
    ]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let price = Decimal128Array::from(vec![Some(150), None, Some(-5)]);
    batch([
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
        (
            "s",
            Arc::new(StringArray::from(vec![Some("a,\"b\"\nc"), None, Some("ü")])),
        ),
        (
            "d",
            Arc::new(Date32Array::from(vec![Some(15706), None, Some(-1)])),
        ),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_357_016_400_120_000),
                None,
                Some(0),
            ])),
        ),
        (
            "p",
            Arc::new(price.with_precision_and_scale(10, 2).unwrap()),
        ),
        ("o", Arc::new(inner)),
        ("l", Arc::new(list)),
    ])
}

async fn written(format: &str, options: &[(&str, &str)], batch: RecordBatch) -> (String, Vec<u8>) {
    let place = Place::local();
    let options = OutputOptions::parse(format, options.iter().copied()).unwrap();
    let spec = SinkSpec {
        options,
        ..place.spec(SinkMode::Append)
    };
    let written = put_rows(&spec, batch).await.unwrap();
    assert_eq!(written.files.len(), 1);
    let path = &written.files[0].path;
    (path.clone(), place.get(path).await.to_vec())
}

fn plain(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match path.rsplit('.').next().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(bytes)
            .read_to_end(&mut out)
            .unwrap(),
        "zst" => zstd::stream::read::Decoder::new(bytes)
            .unwrap()
            .read_to_end(&mut out)
            .unwrap(),
        "bz2" => bzip2::read::MultiBzDecoder::new(bytes)
            .read_to_end(&mut out)
            .unwrap(),
        _ => Cursor::new(bytes).read_to_end(&mut out).unwrap(),
    };
    out
}

#[tokio::test]
async fn parquet_is_read_back_as_it_was() {
    for compression in ["zstd", "snappy", "gzip", "lz4", "none"] {
        let (path, bytes) = written("parquet", &[("compression", compression)], all_types()).await;
        assert!(path.ends_with(".parquet"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        assert_eq!(read, [all_types()]);
    }
}

#[tokio::test]
async fn orc_is_read_back_as_it_was_by_our_own_reader() {
    // Where all is null, streams are of no length.
    let nothing = batch(["i", "s", "t"].map(|name| {
        let field = all_types().schema().field_with_name(name).unwrap().clone();
        (name, new_null_array(field.data_type(), 2))
    }));
    for compression in ["zstd", "snappy", "gzip", "zlib", "lz4", "none"] {
        for rows in [all_types(), nothing.clone()] {
            let (path, bytes) = written("orc", &[("compression", compression)], rows.clone()).await;
            assert!(path.ends_with(".orc"));
            let store = Arc::new(InMemory::new());
            let path = Path::from("f.orc");
            store.put(&path, bytes.into()).await.unwrap();
            let meta = store.head(&path).await.unwrap();
            let input = Input::new(store, meta, "f.orc".to_owned(), Handle::current());
            let wanted = Decode {
                file: "f.orc".to_owned(),
                schema: rows.schema(),
                projection: (0..rows.num_columns()).collect(),
                batch_size: 100,
                frame: None,
                predicate: None,
            };
            let read = spawn_blocking(move || {
                let batches = decode(&input, &FileFormat::Orc, &wanted).unwrap();
                batches.collect::<Result<Vec<_>>>().unwrap()
            });
            assert_eq!(read.await.unwrap(), [rows], "{compression}");
        }
    }
}

#[tokio::test]
async fn orc_stripes_are_bounded() {
    let numbers = || batch([("i", Arc::new((0..1000).collect::<Int32Array>()) as ArrayRef)]);
    let (_, bytes) = written("orc", &[("row_group_rows", "300")], numbers()).await;
    let reader = orc_rust::ArrowReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let stripes: Vec<u64> = reader
        .file_metadata()
        .stripe_metadatas()
        .iter()
        .map(|s| s.number_of_rows())
        .collect();
    assert_eq!(stripes, [300, 300, 300, 100]);
}

#[tokio::test]
async fn parquet_row_groups_are_bounded() {
    let numbers = || batch([("i", Arc::new((0..1000).collect::<Int32Array>()) as ArrayRef)]);
    let (_, bytes) = written("parquet", &[("row_group_rows", "300")], numbers()).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let groups: Vec<i64> = reader
        .metadata()
        .row_groups()
        .iter()
        .map(|g| g.num_rows())
        .collect();
    assert_eq!(groups, [300, 300, 300, 100]);
    assert!(
        reader
            .metadata()
            .file_metadata()
            .created_by()
            .unwrap()
            .starts_with("mastic ")
    );
}

#[tokio::test]
async fn csv_is_read_back_with_nested_columns_as_json() {
    for compression in ["none", "gzip", "zstd", "bzip2"] {
        let (path, bytes) = written("csv", &[("compression", compression)], all_types()).await;
        let text = String::from_utf8(plain(&path, &bytes)).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert_eq!(lines[0], "b,i,f,s,d,t,p,o,l\n");
        assert_eq!(
            lines[1..3].concat(),
            "true,9223372036854775807,0.1,\"a,\"\"b\"\"\nc\",2013-01-01,2013-01-01 05:00:00.120,1.50,\"{\"\"x\"\":1,\"\"y\"\":\"\"a\\\"\"b\"\"}\",\"[1,null]\"\n"
        );
        assert_eq!(lines[3], ",,,,,,,\"{\"\"y\"\":\"\"é\"\"}\",\n");
        let flat: Vec<usize> = (0..7).collect();
        let mut fields: Vec<_> = all_types().schema().fields().iter().cloned().collect();
        fields[7] = Arc::new(Field::new("o", DataType::Utf8, true));
        fields[8] = Arc::new(Field::new("l", DataType::Utf8, true));
        let reader =
            arrow::csv::ReaderBuilder::new(Arc::new(Schema::new(fields))).with_header(true);
        let read: Vec<_> = reader
            .build(Cursor::new(text))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            read[0].project(&flat).unwrap(),
            all_types().project(&flat).unwrap()
        );
    }
}

#[tokio::test]
async fn csv_options_are_followed() {
    let options = [("delimiter", ";"), ("header", "false"), ("null", "NA")];
    let (_, bytes) = written("csv", &options, rows(&[(1, None), (2, Some("a;b"))])).await;
    assert_eq!(String::from_utf8(bytes).unwrap(), "1;NA\n2;\"a;b\"\n");
    // A row of one NULL is still a row.
    let one = batch([(
        "s",
        Arc::new(StringArray::from(vec![None, Some("x")])) as ArrayRef,
    )]);
    let (_, bytes) = written("csv", &[], one).await;
    assert_eq!(String::from_utf8(bytes).unwrap(), "s\n\"\"\nx\n");
}

#[tokio::test]
async fn json_is_read_back_as_it_was() {
    for compression in ["none", "gzip", "zstd", "bzip2"] {
        for explicit in ["false", "true"] {
            let options = [("compression", compression), ("explicit_nulls", explicit)];
            let (path, bytes) = written("json", &options, all_types()).await;
            let text = String::from_utf8(plain(&path, &bytes)).unwrap();
            assert_eq!(text.lines().count(), 3);
            let second = text.lines().nth(1).unwrap();
            match explicit {
                "true" => assert!(second.starts_with("{\"b\":null,\"i\":null,"), "{second}"),
                _ => assert_eq!(second, "{\"o\":{\"y\":\"é\"}}"),
            }
            assert!(
                text.contains("\"t\":\"2013-01-01T05:00:00.120\",\"p\":1.50"),
                "{text}"
            );
            let reader = arrow::json::ReaderBuilder::new(all_types().schema());
            let read: Vec<_> = reader
                .build(Cursor::new(text))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(read, [all_types()]);
        }
    }
}

#[tokio::test]
async fn what_a_format_cannot_hold_is_refused_before_anything_is_written() {
    let fields = UnionFields::try_new([0], [Field::new("a", DataType::Int32, true)]).unwrap();
    let union = DataType::Union(fields.clone(), UnionMode::Sparse);
    let empty: ArrayRef = Arc::new(
        UnionArray::try_new(
            fields,
            vec![].into(),
            None,
            vec![new_empty_array(&DataType::Int32)],
        )
        .unwrap(),
    );
    assert_eq!(empty.data_type(), &union);
    let place = Place::local();
    for format in ["parquet", "csv", "json", "orc"] {
        let options = OutputOptions::parse(format, []).unwrap();
        let spec = SinkSpec {
            options,
            ..place.spec(SinkMode::Append)
        };
        let error = put_rows(&spec, batch([("u", empty.clone())]))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("'u' is a union"), "{error}");
    }
    let nothing: ArrayRef = Arc::new(StructArray::new_empty_fields(0, None));
    let spec = SinkSpec {
        options: OutputOptions::new(OutputFormat::Parquet),
        ..place.spec(SinkMode::Append)
    };
    let error = put_rows(&spec, batch([("o", nothing)]))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'o'") && error.contains("cannot be written as parquet"),
        "{error}"
    );

    let keyed = |keys: &[&str]| spec.clone().partitioned_by(keys.to_vec());
    for (keys, says) in [
        (vec!["n", "k"], "no column to write besides"),
        (vec!["kk"], "did you mean 'k'?"),
        (vec!["k", "K"], "twice"),
    ] {
        let error = put_rows(&keyed(&keys), rows(&[]))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    let error = put_rows(&keyed(&["o"]), all_types())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot name a folder"), "{error}");
    let hidden = batch([
        ("_k", Arc::new(Int32Array::from(vec![1])) as ArrayRef),
        ("n", Arc::new(Int32Array::from(vec![1]))),
    ]);
    let error = put_rows(&keyed(&["_k"]), hidden)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("would be hidden"), "{error}");
    assert!(place.everything().await.is_empty());
}

#[tokio::test]
async fn keys_of_all_kinds_name_folders() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Append).partitioned_by(["S", "n"]);
        let s = StringArray::from(vec![
            Some("a/b=c d%é"),
            None,
            Some(""),
            Some("a/b=c d%é"),
            Some("."),
        ]);
        let n = Int32Array::from(vec![Some(1), None, Some(2), Some(1), Some(3)]);
        let v = Int32Array::from(vec![10, 20, 30, 40, 50]);
        let some = batch([
            ("n", Arc::new(n) as ArrayRef),
            ("v", Arc::new(v)),
            ("s", Arc::new(s)),
        ]);
        let written = put_rows(&spec, some).await.unwrap();
        let mut seen = Vec::new();
        for file in &written.files {
            let text = place.text(&file.path).await;
            seen.push((file.folder().to_owned(), file.partition.clone(), text));
        }
        let none = DEFAULT_PARTITION;
        let text = |t: &str| Some(t.to_owned());
        assert_eq!(
            seen,
            [
                (
                    "s=.".to_owned() + "/n=3",
                    vec![text("."), text("3")],
                    "v\n50\n".to_owned()
                ),
                (
                    format!("s={none}/n=2"),
                    vec![None, text("2")],
                    "v\n30\n".to_owned()
                ),
                (
                    format!("s={none}/n={none}"),
                    vec![None, None],
                    "v\n20\n".to_owned()
                ),
                (
                    "s=a%2Fb%3Dc d%25é/n=1".to_owned(),
                    vec![text("a/b=c d%é"), text("1")],
                    "v\n10\n40\n".to_owned()
                ),
            ]
        );
        // The keys on the store are those reported.
        let mut reported: Vec<_> = written.files.iter().map(|f| f.path.clone()).collect();
        reported.sort();
        assert_eq!(place.everything().await, reported);
    }
}

#[tokio::test]
async fn many_partitions_are_written_with_few_open_files_and_few_files() {
    for place in Place::both() {
        let spec = SinkSpec {
            max_open_files: 8,
            ..place.spec(SinkMode::Append).partitioned_by(["k"])
        };
        // 40 batches of all 100 partitions, in turns: the worst order for open files.
        let batches: Vec<_> = (0..40)
            .map(|b| {
                let keys: Vec<String> = (0..100).map(|k| format!("p{k}")).collect();
                let one: Vec<(i32, Option<&str>)> = (0..)
                    .zip(&keys)
                    .map(|(i, k)| (b * 100 + i, Some(k.as_str())))
                    .collect();
                rows(&one)
            })
            .collect();
        let streams: Vec<_> = batches.chunks(10).map(<[_]>::to_vec).collect();
        let staged = write(plan(&streams), context(), &spec, None).await.unwrap();
        let metrics = staged.plan().metrics().unwrap();
        // Two for each of the two that may run at once.
        assert_eq!(metrics.sum_by_name("sorted_streams").unwrap().as_usize(), 4);
        assert_eq!(
            metrics.sum_by_name("rows_written").unwrap().as_usize(),
            4000
        );
        assert_eq!(
            metrics
                .sum_by_name("partitions_written")
                .unwrap()
                .as_usize(),
            100
        );
        let written = staged.commit().await.unwrap();
        assert_eq!(written.partitions().count(), 100);
        // One file each, and one more where it was open when sorting began.
        assert!(written.files.len() <= 120, "{}", written.files.len());
        assert_eq!(values(&place).await, (0..4000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn files_end_at_their_target() {
    let place = Place::local();
    let spec = SinkSpec {
        target_file_rows: Some(30),
        ..place.spec(SinkMode::Append)
    };
    let n: Vec<(i32, Option<&str>)> = (0..100).map(|n| (n, None)).collect();
    let written = put_rows(&spec, rows(&n)).await.unwrap();
    let counts: Vec<u64> = written.files.iter().map(|f| f.rows).collect();
    assert_eq!(counts, [30, 30, 30, 10]);
    assert_eq!(values(&place).await, (0..100).collect::<Vec<_>>());

    for format in [OutputFormat::Parquet, OutputFormat::Json, OutputFormat::Orc] {
        let spec = SinkSpec {
            options: OutputOptions::new(format),
            target_file_bytes: 2000,
            ..Place::local().spec(SinkMode::Append)
        };
        let batches: Vec<_> = n.chunks(10).map(rows).collect();
        let many: Vec<_> = (0..20).flat_map(|_| batches.clone()).collect();
        let written = stage(&spec, many).await.unwrap().commit().await.unwrap();
        assert!(written.files.len() > 1, "{format}: {}", written.files.len());
        assert_eq!(written.rows, 2000);
    }
}

#[tokio::test]
async fn little_memory_makes_smaller_files_not_errors() {
    for place in Place::both() {
        for (own_bound, format) in [
            (true, OutputFormat::Parquet),
            (false, OutputFormat::Parquet),
            (true, OutputFormat::Orc),
            (false, OutputFormat::Orc),
        ] {
            let spec = SinkSpec {
                options: OutputOptions::new(format),
                memory_bytes: if own_bound { 64 * 1024 } else { usize::MAX },
                upload_part_bytes: 1024 * 1024,
                ..place.spec(SinkMode::Overwrite).partitioned_by(["k"])
            };
            let pool = if own_bound { usize::MAX } else { 64 * 1024 };
            let runtime = RuntimeEnvBuilder::new()
                .with_memory_pool(Arc::new(GreedyMemoryPool::new(pool)))
                .build_arc()
                .unwrap();
            let context = Arc::new(
                TaskContext::default()
                    .with_runtime(runtime)
                    .with_session_config(SessionConfig::new().with_target_partitions(1)),
            );
            let many: Vec<_> = (0..20)
                .map(|b| {
                    let keys: Vec<String> = (0..2000).map(|i| format!("p{}", i % 4)).collect();
                    let one: Vec<_> = keys
                        .iter()
                        .enumerate()
                        .map(|(i, k)| (b * 7919 + i as i32 * 31, Some(k.as_str())))
                        .collect();
                    rows(&one)
                })
                .collect();
            let staged = write(plan(&[many]), context, &spec, None).await.unwrap();
            let written = staged.commit().await.unwrap();
            assert_eq!(written.rows, 40_000);
            let mut total = 0;
            for file in &written.files {
                let bytes = place.get(&file.path).await;
                total += if format == OutputFormat::Orc {
                    let reader = orc_rust::ArrowReaderBuilder::try_new(bytes).unwrap();
                    reader.file_metadata().number_of_rows()
                } else {
                    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
                    reader.metadata().file_metadata().num_rows() as u64
                };
            }
            assert_eq!(total, 40_000, "{format}");
        }
    }
}

#[tokio::test]
async fn progress_ends_at_the_totals() {
    let place = Place::local();
    let last = Arc::new(Mutex::new(Progress::default()));
    let seen = last.clone();
    let on_progress: OnProgress = Arc::new(move |progress| {
        let mut last = seen.lock().unwrap();
        last.rows = last.rows.max(progress.rows);
        last.bytes = last.bytes.max(progress.bytes);
        last.files = last.files.max(progress.files);
    });
    let streams = [
        vec![rows(&[(1, None), (2, Some("x"))])],
        vec![rows(&[(3, None)])],
    ];
    let spec = place.spec(SinkMode::Append);
    let staged = write(plan(&streams), context(), &spec, Some(on_progress))
        .await
        .unwrap();
    // Without keys each stream of the plan writes a file.
    let written = staged.commit().await.unwrap();
    assert_eq!(written.files.len(), 2);
    let last = *last.lock().unwrap();
    assert_eq!((last.rows, last.bytes, last.files), (3, written.bytes, 2));
}
