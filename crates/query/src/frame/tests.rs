#![allow(clippy::unwrap_used)]
use std::path::Path;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{DataFrame, col, lit};
use mastic_catalog::{
    CatalogStore, Change, ChangeSet, Database, Expected, OpenMode, Partition, PartitionChanges,
    Table,
};
use mastic_lake::LakeError;
use mastic_lake::format::BadRecord;
use mastic_lake::store::Stores;
use mastic_schema::choice::format_type;
use serde_json::{Value, json};

use super::*;
use crate::QueryError;

/// None of these tests' records is bad.
#[derive(Debug)]
struct NoneBad;

impl BadRecords for NoneBad {
    fn set_aside(&self, record: BadRecord) -> mastic_lake::error::Result<()> {
        panic!("{record:?}");
    }
}

/// The lines of bad records.
#[derive(Debug, Default)]
struct Bin(std::sync::Mutex<Vec<u64>>);

impl BadRecords for Bin {
    fn set_aside(&self, record: BadRecord) -> mastic_lake::error::Result<()> {
        self.0.lock().unwrap().push(record.line.unwrap());
        Ok(())
    }
}

fn options() -> FrameOptions {
    FrameOptions::new(Arc::new(NoneBad))
}

async fn catalog(dir: &Path) -> Arc<dyn CatalogStore> {
    let url = dir.join("c.db").display().to_string();
    mastic_catalog::open(&url, OpenMode::CreateIfMissing)
        .await
        .unwrap()
}

async fn session(dir: &Path) -> Session {
    let catalog = catalog(dir).await;
    Session::open(catalog, Arc::new(Stores::default()), None)
        .await
        .unwrap()
}

/// A session whose catalog has the table `d.t` at the folder `t`.
async fn with_table(
    dir: &Path,
    format: &str,
    columns: Value,
    keys: Value,
    partitions: &[&str],
) -> Session {
    let root = dir.join("t").display().to_string();
    let table: Table = serde_json::from_value(json!({
        "DatabaseName": "d",
        "Name": "t",
        "Parameters": {"classification": format, "skip.header.line.count": "1"},
        "PartitionKeys": keys,
        "StorageDescriptor": {"Columns": columns, "Location": root},
    }))
    .unwrap();
    let partitions = partitions.iter().map(|folder| {
        let values = folder.split('/').map(|f| f.split_once('=').unwrap().1);
        let values: Vec<String> = values.map(str::to_owned).collect();
        Partition::new(values, format!("{root}/{folder}"))
    });
    let changes = ChangeSet::new("test")
        .with(Change::CreateDatabase {
            database: Database::new("d"),
            if_not_exists: true,
        })
        .with(Change::PutTable {
            table,
            expected: Expected::Any,
            partitions: PartitionChanges {
                put: partitions.collect(),
                ..PartitionChanges::none()
            },
        });
    catalog(dir).await.apply(changes).await.unwrap();
    session(dir).await
}

fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn write_parquet(dir: &Path, file: &str, column: ArrayRef) {
    write(dir, file, "");
    let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
    let out = std::fs::File::create(dir.join(file)).unwrap();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

async fn rows(frame: DataFrame) -> Vec<String> {
    let batches = frame.collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.join(",")
    };
    let lines = text.lines().filter(|l| l.starts_with('|')).skip(1);
    let mut rows: Vec<String> = lines.map(cells).collect();
    rows.sort();
    rows
}

fn types(frame: &DataFrame) -> Vec<String> {
    let fields = frame.schema().fields().iter();
    fields
        .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
        .collect()
}

fn scans(frame: &DataFrame) -> FrameScan {
    let plan = frame.clone().into_optimized_plan().unwrap();
    frame_scans(&plan).pop().unwrap()
}

/// CSV files of two days and of no day.
async fn days(dir: &Path) -> Session {
    write(dir, "t/day=1/a.csv", "n\n10\n11\n");
    write(dir, "t/day=2/b.csv", "n\n20\n");
    write(dir, "t/day=__HIVE_DEFAULT_PARTITION__/c.csv", "n\n30\n");
    let columns = json!([{"Name": "n", "Type": "bigint"}]);
    let keys = json!([{"Name": "day", "Type": "int"}]);
    let partitions = ["day=1", "day=2", "day=__HIVE_DEFAULT_PARTITION__"];
    with_table(dir, "csv", columns, keys, &partitions).await
}

#[tokio::test]
async fn a_record_knows_its_file_and_tables_of_sql_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let session = days(dir.path()).await;
    let frame = session.frame_table("d.t", &options()).await.unwrap();
    assert_eq!(
        types(&frame),
        ["n bigint", "day int", "$file string", "$line bigint"]
    );
    let at = |file: &str| format!("{}/t/{file}", dir.path().display());
    let found = frame
        .clone()
        .select_columns(&["n", "day", "$file"])
        .unwrap();
    assert_eq!(
        rows(found).await,
        [
            format!("10,1,{}", at("day=1/a.csv")),
            format!("11,1,{}", at("day=1/a.csv")),
            format!("20,2,{}", at("day=2/b.csv")),
            format!("30,,{}", at("day=__HIVE_DEFAULT_PARTITION__/c.csv")),
        ]
    );
    let read = scans(&frame);
    // The files have 8, 5 and 5 bytes.
    assert_eq!((read.files, read.bytes), (3, 18));
    assert_eq!(read.columns, ["n", "day"]);
    let table = session.table("d.t").await.unwrap();
    assert_eq!(types(&table), ["n bigint", "day int"]);
}

#[tokio::test]
async fn a_partition_predicate_is_the_stores_and_a_filter_is_the_plans() {
    let dir = tempfile::tempdir().unwrap();
    let session = days(dir.path()).await;
    let one = FrameOptions {
        partition_predicate: Some("day < '2'".into()),
        ..options()
    };
    let frame = session.frame_table("d.t", &one).await.unwrap();
    let read = scans(&frame);
    let store = StorePruning {
        selected: 1,
        partitions: 3,
        predicate: Some("day < 2".into()),
    };
    assert_eq!((read.files, read.store), (1, Some(store)));
    assert_eq!(
        rows(frame.select_columns(&["n"]).unwrap()).await,
        ["10", "11"]
    );
    // The store knows no remainders: the engine selects among the partitions.
    let odd = FrameOptions {
        partition_predicate: Some("day % 2 = 0".into()),
        ..options()
    };
    let frame = session.frame_table("d.t", &odd).await.unwrap();
    assert_eq!(scans(&frame).files, 1);
    assert_eq!(rows(frame.select_columns(&["n"]).unwrap()).await, ["20"]);
    // A condition on records: what it says of the key narrows, the rest is left to the caller.
    let condition = FrameOptions {
        condition: Some("day = 2 AND n > 100".into()),
        ..options()
    };
    let frame = session.frame_table("d.t", &condition).await.unwrap();
    assert_eq!(rows(frame.select_columns(&["n"]).unwrap()).await, ["20"]);

    let frame = session.frame_table("d.t", &options()).await.unwrap();
    let filtered = frame
        .filter(col("day").eq(lit(1)).and(col("n").gt(lit(10))))
        .unwrap();
    let read = scans(&filtered);
    assert_eq!(read.partition_filters, ["day = 1"]);
    assert_eq!(read.filters, ["n > 10"]);
    let plan = filtered.clone().create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string();
    assert!(
        shown.contains("a.csv") && !shown.contains("b.csv"),
        "{shown}"
    );
    assert_eq!(rows(filtered.select_columns(&["n"]).unwrap()).await, ["11"]);

    for (wrong, said) in [("n > 1", "'n'"), ("day +", "no SQL"), ("day", "is int")] {
        let wrong = FrameOptions {
            partition_predicate: Some(wrong.into()),
            ..options()
        };
        let error = session.frame_table("d.t", &wrong).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.hint().unwrap().contains("day"), "{error:?}");
    }
}

#[tokio::test]
async fn a_frame_reads_the_objects_it_was_told_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let session = days(dir.path()).await;
    let source = FrameSource::Table("d.t".into());
    let all = session.objects_of(&source, &options()).await.unwrap();
    let names: Vec<&str> = all
        .iter()
        .map(|o| o.path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["a.csv", "b.csv", "c.csv"]);
    assert_eq!(all[0].size, 8);
    let some = HashSet::from([all[1].path.clone(), all[2].path.clone()]);
    let some = FrameOptions {
        objects: Some(Arc::new(some)),
        ..options()
    };
    let frame = session.frame_table("d.t", &some).await.unwrap();
    // What comes after a frame was opened is not read by it.
    write(dir.path(), "t/day=2/late.csv", "n\n21\n");
    assert_eq!(scans(&frame).objects, all[1..]);
    let read = frame.select_columns(&["n"]).unwrap();
    assert_eq!(rows(read).await, ["20", "30"]);
    assert_eq!(session.objects_of(&source, &some).await.unwrap(), all[1..]);
}

#[tokio::test]
async fn a_path_with_nothing_new_still_has_columns() {
    let dir = tempfile::tempdir().unwrap();
    days(dir.path()).await;
    let session = session(dir.path()).await;
    let path = dir.path().join("t").display().to_string();
    let none = FrameOptions {
        objects: Some(Arc::default()),
        ..options()
    };
    let plain = BTreeMap::new();
    let frame = session
        .frame_path(&path, None, &plain, &none)
        .await
        .unwrap();
    assert_eq!(
        types(&frame),
        ["n bigint", "day bigint", "$file string", "$line bigint"]
    );
    assert_eq!(scans(&frame).files, 0);
    assert_eq!(rows(frame).await, [""; 0]);
    let two = FrameOptions {
        partition_predicate: Some("day = 2".into()),
        ..options()
    };
    let frame = session
        .frame_path(&path, Some("csv"), &plain, &two)
        .await
        .unwrap();
    assert_eq!(scans(&frame).files, 1);
    assert_eq!(
        rows(frame.select_columns(&["n", "day"]).unwrap()).await,
        ["20,2"]
    );
}

#[tokio::test]
async fn parquet_columns_become_the_alternatives_of_their_types() {
    let dir = tempfile::tempdir().unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    write_parquet(dir.path(), "t/1.parquet", numbers);
    write_parquet(dir.path(), "t/2.parquet", texts);
    let choice = json!({"mastic.choice": "choice<bigint,string>"});
    let columns = json!([{"Name": "a", "Type": "string", "Parameters": choice}]);
    let session = with_table(dir.path(), "parquet", columns, json!([]), &[]).await;
    let frame = session.frame_table("d.t", &options()).await.unwrap();
    assert_eq!(types(&frame)[0], "a choice<bigint,string>");
    let parts = frame
        .select(vec![
            datafusion::functions::core::expr_ext::FieldAccessor::field(col("a"), "long"),
            datafusion::functions::core::expr_ext::FieldAccessor::field(col("a"), "string"),
            col("a").is_null(),
            col("\"$line\"").is_null(),
        ])
        .unwrap();
    assert_eq!(
        rows(parts).await,
        [",,true,true", ",x,false,true", "1,,false,true"]
    );

    // Without the parameter the second file is a misfit, and a look at all data finds the choice.
    let columns = json!([{"Name": "a", "Type": "bigint"}]);
    let session = with_table(dir.path(), "parquet", columns, json!([]), &[]).await;
    let frame = session.frame_table("d.t", &options()).await.unwrap();
    let error = frame.collect().await.unwrap_err();
    let misfit = mastic_lake::error::find(&error);
    assert!(
        matches!(misfit, Some(LakeError::Misfit { name, wanted, .. }) if name == "a" && wanted == "bigint"),
        "{error}"
    );
    let source = FrameSource::Table("d.t".into());
    let found = session.find_choices(&source, &options()).await.unwrap();
    let again = FrameOptions {
        looked: Some(found),
        ..options()
    };
    let frame = session.frame(&source, &again).await.unwrap();
    assert_eq!(types(&frame)[0], "a choice<bigint,string>");
    assert_eq!(rows(frame.select_columns(&["a"]).unwrap()).await.len(), 3);
}

#[tokio::test]
async fn what_a_full_pass_found_is_known_to_later_sessions() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t/1.json", "{\"a\":1,\"s\":{\"b\":[1]}}\n");
    write(
        dir.path(),
        "t/2.json",
        "{\"a\":\"x\",\"s\":{\"b\":[\"y\"]}}\n",
    );
    write(dir.path(), "t/3.json", "{\"a\":2,\"s\":{\"b\":[2]}}\n");
    let columns = json!([
        {"Name": "a", "Type": "bigint"},
        {"Name": "s", "Type": "struct<b:array<bigint>>"},
        {"Name": "never", "Type": "double"},
    ]);
    let new = || with_table(dir.path(), "json", columns.clone(), json!([]), &[]);
    let session = new().await;
    let source = FrameSource::Table("d.t".into());
    let read = async |session: &Session| types(&session.frame(&source, &options()).await.unwrap());
    assert_eq!(read(&session).await[0], "a bigint");
    let found = session.find_choices(&source, &options()).await.unwrap();
    let wanted = [
        "a choice<bigint,string>",
        "s struct<b:array<choice<bigint,string>>>",
        "never double",
    ];
    let names: Vec<String> = found
        .fields
        .iter()
        .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
        .collect();
    assert_eq!(names, wanted);
    // Another session, and more files than there were.
    write(dir.path(), "t/4.json", "{\"a\":3}\n");
    let later = self::session(dir.path()).await;
    assert_eq!(read(&later).await[..3], wanted);
    // What somebody wrote into the catalog since counts for more.
    let edited = json!([{"Name": "a", "Type": "double"}]);
    let edited = with_table(dir.path(), "json", edited, json!([]), &[]).await;
    assert_eq!(read(&edited).await[0], "a double");
    let session = new().await;
    assert_eq!(read(&session).await[..3], wanted);
    // The text is gone with its file, and so is the answer.
    std::fs::remove_file(dir.path().join("t/2.json")).unwrap();
    assert_eq!(read(&session).await[0], "a bigint");
    let found = session.find_choices(&source, &options()).await.unwrap();
    assert_eq!(found.fields[0].data_type(), &DataType::Int64);
}

#[tokio::test]
async fn what_is_odd_after_a_look_at_all_records_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "t/1.json",
        "{\"a\":1}\n{\"a\":2,\"s\":{\"b\":1}}\n",
    );
    let source = FrameSource::Path {
        path: dir.path().join("t").display().to_string(),
        format: None,
        options: BTreeMap::new(),
    };
    let session = session(dir.path()).await;
    let found = session.find_choices(&source, &options()).await.unwrap();
    let objects = session.objects_of(&source, &options()).await.unwrap();
    assert!(found.covers(&objects));
    // The file is another one by the time it is read.
    write(
        dir.path(),
        "t/1.json",
        "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":3,\"s\":{\"b\":1,\"c\":2}}\n{\"a\":4}\n",
    );
    let objects = session.objects_of(&source, &options()).await.unwrap();
    assert!(!found.covers(&objects));
    let bin = Arc::new(Bin::default());
    let again = FrameOptions {
        looked: Some(found),
        ..FrameOptions::new(bin.clone())
    };
    // Of columns that the file's beginning shows, the look's types are the ones that count.
    let frame = session.frame(&source, &again).await.unwrap();
    assert_eq!(types(&frame)[..2], ["a bigint", "s struct<b:bigint>"]);
    assert_eq!(
        rows(frame.select_columns(&["a", "s"]).unwrap()).await,
        ["1,", "4,"]
    );
    let told = bin.0.lock().unwrap().clone();
    assert_eq!(told, [2, 3]);
}

#[tokio::test]
async fn a_look_at_a_few_files_finds_numbers_among_text() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "t/1.json",
        "{\"a\":1,\"b\":\"2020-01-01\",\"s\":{\"c\":true,\"d\":\"x\"}}\n",
    );
    let columns = json!([
        {"Name": "a", "Type": "string"},
        {"Name": "b", "Type": "string"},
        {"Name": "s", "Type": "struct<c:string,d:string>"},
    ]);
    let session = with_table(dir.path(), "json", columns, json!([]), &[]).await;
    let frame = session.frame_table("d.t", &options()).await.unwrap();
    assert_eq!(
        types(&frame)[..3],
        [
            "a choice<bigint,string>",
            "b string",
            "s struct<c:choice<boolean,string>,d:string>"
        ]
    );
    // Tables of SQL are what they were.
    let table = session.table("d.t").await.unwrap();
    assert_eq!(types(&table)[0], "a string");
}

#[tokio::test]
async fn files_of_a_path_choose_and_a_taken_name_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "p/1.json", "{\"a\":1}\n");
    write(dir.path(), "p/2.json", "{\"a\":\"x\",\"b\":null}\n");
    let session = session(dir.path()).await;
    let path = dir.path().join("p").display().to_string();
    let plain = BTreeMap::new();
    let frame = session.frame_path(&path, None, &plain, &options()).await;
    assert_eq!(
        types(&frame.unwrap())[..2],
        ["a choice<bigint,string>", "b string"]
    );
    let unknown = BTreeMap::from([("x".to_owned(), "y".to_owned())]);
    let error = session.frame_path(&path, None, &unknown, &options()).await;
    assert!(error.unwrap_err().to_string().contains("'x'"));
    write(dir.path(), "p/2.json", "{\"$line\":1}\n");
    let error = session
        .frame_path(&path, None, &plain, &options())
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::Statement { .. }), "{error:?}");
    assert!(error.to_string().contains("'$line'"), "{error}");
}

#[tokio::test]
async fn the_reader_of_parquet_gets_filters_and_columns() {
    use datafusion::functions::core::expr_ext::FieldAccessor;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t/1.parquet", "");
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let inner = |name: &str| {
        let field = arrow::datatypes::Field::new(name, DataType::Int64, true);
        (Arc::new(field), numbers.clone())
    };
    let nested: ArrayRef = Arc::new(arrow::array::StructArray::from(vec![
        inner("x"),
        inner("y"),
    ]));
    let columns = [
        ("a", numbers.clone()),
        ("b", numbers.clone()),
        ("s", nested),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let out = std::fs::File::create(dir.path().join("t/1.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let columns = json!([
        {"Name": "a", "Type": "bigint"},
        {"Name": "b", "Type": "bigint"},
        {"Name": "s", "Type": "struct<x:bigint,y:bigint>"},
    ]);
    let session = with_table(dir.path(), "parquet", columns, json!([]), &[]).await;
    let frame = session.frame_table("d.t", &options()).await.unwrap();
    let filtered = frame
        .filter(col("a").gt(lit(1)))
        .unwrap()
        .filter(col("s").field("x").lt(lit(3)))
        .unwrap()
        .select(vec![col("b"), col("s").field("y").alias("y")])
        .unwrap();
    let read = scans(&filtered);
    assert_eq!(read.filters, ["a > 1", "get_field(s, Utf8(\"x\")) < 3"]);
    assert_eq!((read.columns.len(), read.all_columns), (3, 3));
    let plan = filtered.clone().create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string();
    // Neither a filter nor a projection is left above the reader.
    let told = "projection=[b, get_field(s@2, y) as y], file_type=parquet, \
                predicate=a@0 > 1 AND get_field(s@2, x) < 3, pruning_predicate=";
    assert!(shown.starts_with("DataSourceExec"), "{shown}");
    assert!(shown.contains(told), "{shown}");
    assert_eq!(rows(filtered).await, ["2,2"]);
}
