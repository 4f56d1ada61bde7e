//! How fast JSON becomes Arrow arrays: our decoder beside arrow-json's, on one thread each, from the same bytes in
//! memory to the same columns.

use std::{io::Cursor, sync::Arc, time::Duration};

use arrow::{
    array::{Array, RecordBatch},
    compute::concat_batches,
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
};
use bytes::Bytes;
use mastic_lake::{
    format::{AsFrame, BadRecord, BadRecords, Decode, FileFormat, Limits, decode, examine_frame},
    input::Input,
};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use tokio::runtime::Runtime;

use crate::Outcome;

/// Rows in a batch, as the engine asks for.
const BATCH: usize = 8192;
/// How many rows of both are compared, value by value.
const COMPARED: usize = 100_000;

/// A frame's bad records: here there are none, and one is an error.
#[derive(Debug)]
struct None;

impl BadRecords for None {
    fn set_aside(&self, record: BadRecord) -> mastic_lake::Result<()> {
        Err(mastic_lake::LakeError::Option(record.reason))
    }
}

/// The benchmark: `megabytes` of each kind of records, each read `runs` times.
pub(crate) fn run(megabytes: usize, runs: u32) -> Outcome<bool> {
    println!(
        "JSON to Arrow on one thread, {megabytes} MB of each kind, processor time, the best of {runs} runs"
    );
    println!(
        "{:<28} {:>12} {:>12} {:>10} {:>10} {:>7}",
        "records", "rows", "reader", "rows/s", "MB/s", "ratio"
    );
    let runtime = Runtime::new()?;
    let mut same = true;
    for (name, write) in KINDS {
        let text = generate(megabytes << 20, write);
        let lines = text.iter().filter(|b| **b == b'\n').count();
        let source = Source::new(&runtime, text.into())?;
        let choices = source
            .fields
            .iter()
            .any(|f| mastic_schema::choice::has_choice(f.data_type()));
        let ours = source.time(runs, || source.read(true))?;
        report(name, lines, "mastic, frame", &source, ours, ours);
        if choices {
            continue;
        }
        let table = source.time(runs, || source.read(false))?;
        let theirs = source.time(runs, || source.read_by_arrow())?;
        report(name, lines, "mastic", &source, table, theirs);
        report(name, lines, "arrow-json", &source, theirs, theirs);
        same &= source.is_same()?;
    }
    if !same {
        eprintln!("error: the two readers do not agree");
    }
    Ok(same)
}

#[allow(clippy::cast_precision_loss)]
fn report(name: &str, rows: usize, reader: &str, source: &Source, took: Duration, by: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{name:<28} {rows:>12} {reader:>12} {:>10.0} {:>10.0} {:>7.2}",
        rows as f64 / seconds,
        source.text.len() as f64 / seconds / 1e6,
        seconds / by.as_secs_f64()
    );
}

/// A text, and the columns that were found in it.
struct Source {
    text: Bytes,
    input: Input,
    fields: Fields,
}

impl Source {
    fn new(runtime: &Runtime, text: Bytes) -> Outcome<Self> {
        let store = Arc::new(InMemory::new());
        let path = Path::from("records.json");
        let meta = runtime.block_on(async {
            store.put(&path, text.clone().into()).await?;
            store.head(&path).await
        })?;
        let store: Arc<dyn ObjectStore> = store;
        let input = Input::new(store, meta, "records.json".into(), runtime.handle().clone());
        let found = examine_frame(&input, &Limits { bytes: 16 << 20 }, &[])?;
        let fields = found.inference.choice_fields().iter();
        let fields = fields.map(|f| Field::new(f.name(), views(f.data_type()), true));
        Ok(Source {
            text,
            input,
            fields: fields.collect(),
        })
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields.clone()))
    }

    fn ours(&self, frame: bool) -> Outcome<mastic_lake::format::Batches> {
        let wanted = Decode {
            file: "records.json".into(),
            schema: self.schema(),
            projection: (0..self.fields.len()).collect(),
            batch_size: BATCH,
            frame: frame.then(|| AsFrame::new(Arc::new(None))),
            predicate: Option::None,
        };
        let format = FileFormat::named("json")?;
        Ok(decode(&self.input, &format, &wanted)?)
    }

    fn read(&self, frame: bool) -> Outcome<usize> {
        let mut rows = 0;
        for batch in self.ours(frame)? {
            rows += batch?.num_rows();
        }
        Ok(rows)
    }

    fn theirs(&self) -> Outcome<arrow::json::Reader<Cursor<Bytes>>> {
        let builder = arrow::json::ReaderBuilder::new(self.schema()).with_batch_size(BATCH);
        Ok(builder.build(Cursor::new(self.text.clone()))?)
    }

    fn read_by_arrow(&self) -> Outcome<usize> {
        let mut rows = 0;
        for batch in self.theirs()? {
            rows += batch?.num_rows();
        }
        Ok(rows)
    }

    /// The least processor time of several runs: whoever else is at work does not count.
    fn time(&self, runs: u32, read: impl Fn() -> Outcome<usize>) -> Outcome<Duration> {
        let mut best = Duration::MAX;
        for _ in 0..runs.max(1) {
            let begun = spent()?;
            std::hint::black_box(read()?);
            best = best.min(spent()?.saturating_sub(begun));
        }
        Ok(best)
    }

    /// Whether both read the same.
    fn is_same(&self) -> Outcome<bool> {
        let first = |batches: Vec<RecordBatch>| -> Outcome<RecordBatch> {
            let all = concat_batches(&self.schema(), &batches)?;
            Ok(all.slice(0, COMPARED.min(all.num_rows())))
        };
        let enough = COMPARED / BATCH + 1;
        let ours = self.ours(false)?.take(enough).collect::<Result<_, _>>()?;
        let theirs = self.theirs()?.take(enough).collect::<Result<_, _>>()?;
        let (ours, theirs) = (first(ours)?, first(theirs)?);
        let mut same = self.read(false)? == self.read_by_arrow()?;
        for (at, field) in self.fields.iter().enumerate() {
            if ours.column(at).to_data() != theirs.column(at).to_data() {
                eprintln!("column '{}' is not the same", field.name());
                same = false;
            }
        }
        Ok(same)
    }
}

/// The processor time of this process so far.
fn spent() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or_default();
    Ok(Duration::from_micros(
        micros(usage.user_time()) + micros(usage.system_time()),
    ))
}

/// Strings as the engine has them.
fn views(data_type: &DataType) -> DataType {
    let field = |f: &Field| f.clone().with_data_type(views(f.data_type()));
    match data_type {
        DataType::Utf8 => DataType::Utf8View,
        DataType::List(item) => DataType::List(Arc::new(field(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| field(f)).collect()),
        other => other.clone(),
    }
}

/// Numbers without pattern that are the same every time (Knuth's linear congruential generator).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

type Write = fn(&mut Random, u64) -> String;

const KINDS: [(&str, Write); 4] = [
    ("flat", flat),
    ("nested", nested),
    ("flat, numbers", numbers),
    ("flat, two choices", choices),
];

fn generate(size: usize, write: Write) -> Vec<u8> {
    let mut random = Random(7);
    let mut text = Vec::with_capacity(size + 4096);
    let mut id = 0;
    while text.len() < size {
        id += 1;
        text.extend_from_slice(write(&mut random, id).as_bytes());
        text.push(b'\n');
    }
    text
}

const WORDS: [&str; 8] = [
    "furiously",
    "regular deposits",
    "ironic accounts sleep",
    "pending",
    "carefully final packages",
    "blithely",
    "express foxes along the slyly bold requests",
    "even",
];

fn word(random: &mut Random) -> &'static str {
    WORDS[usize::try_from(random.next(8)).unwrap_or_default()]
}

fn flat(random: &mut Random, id: u64) -> String {
    format!(
        r#"{{"id":{id},"customer":"Customer#{:09}","quantity":{},"price":{}.{:02},"discount":0.0{},"status":"{}","shipped":{},"date":"199{}-0{}-1{}","comment":"{} {}"}}"#,
        random.next(1_000_000),
        random.next(50),
        random.next(100_000),
        random.next(100),
        random.next(10),
        ["O", "F", "P"][usize::try_from(random.next(3)).unwrap_or_default()],
        random.next(2) == 0,
        random.next(8),
        random.next(9) + 1,
        random.next(10),
        word(random),
        word(random),
    )
}

fn nested(random: &mut Random, id: u64) -> String {
    let lines: Vec<String> = (0..random.next(5))
        .map(|number| {
            format!(
                r#"{{"number":{number},"part":{{"key":{},"name":"{}"}},"tags":["{}","{}"],"price":{}.5}}"#,
                random.next(200_000),
                word(random),
                word(random),
                word(random),
                random.next(10_000)
            )
        })
        .collect();
    let note = match random.next(4) {
        0 => "null".to_owned(),
        _ => format!("\"{}\"", word(random)),
    };
    format!(
        r#"{{"id":{id},"customer":{{"key":{},"name":"Customer#{}","address":{{"city":"{}","at":[{}.25,{}.75]}}}},"note":{note},"lines":[{}]}}"#,
        random.next(1_000_000),
        random.next(1_000_000),
        word(random),
        random.next(180),
        random.next(90),
        lines.join(",")
    )
}

fn numbers(random: &mut Random, id: u64) -> String {
    format!(
        r#"{{"id":{id},"a":{},"b":{},"c":{}.{:06},"d":-{}.{:03},"e":{},"f":{}.{:02},"g":{}}}"#,
        random.next(1_000_000_000),
        random.next(1000),
        random.next(1_000_000),
        random.next(1_000_000),
        random.next(100),
        random.next(1000),
        random.next(10),
        random.next(100_000_000),
        random.next(100),
        random.next(1 << 30),
    )
}

/// As [`flat`], with two columns of choices.
fn choices(random: &mut Random, id: u64) -> String {
    let quantity = match random.next(10) {
        0 => "\"n/a\"".to_owned(),
        _ => random.next(50).to_string(),
    };
    let price = match random.next(1000) {
        0 => format!("{{\"amount\":{}}}", random.next(100)),
        _ => format!("{}.{:02}", random.next(100_000), random.next(100)),
    };
    format!(
        r#"{{"id":{id},"customer":"Customer#{:09}","quantity":{quantity},"price":{price},"discount":0.0{},"status":"{}","shipped":{},"date":"199{}-0{}-1{}","comment":"{} {}"}}"#,
        random.next(1_000_000),
        random.next(10),
        ["O", "F", "P"][usize::try_from(random.next(3)).unwrap_or_default()],
        random.next(2) == 0,
        random.next(8),
        random.next(9) + 1,
        random.next(10),
        word(random),
        word(random),
    )
}
