//! A script, read: every name and expression knows its place.

use std::sync::Arc;

use mastic_dynamic_frame::{ChoiceAction, JoinKind, Mapping, OnError};

use crate::script::enrich::EnrichStep;
use crate::script::parameters::Parameter;
use crate::source::{Source, Span, Text};

/// An ETL script.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Script {
    /// The text that it was read from.
    pub source: Arc<Source>,
    /// Its name: as written, else the file's.
    pub name: String,
    /// What it is for.
    pub description: Option<Text>,
    /// Its parameters, with the values in force.
    pub parameters: Vec<Parameter>,
    /// What it reads.
    pub sources: Vec<SourceDef>,
    /// What it makes of that.
    pub frames: Vec<FrameDef>,
    /// What it writes.
    pub sinks: Vec<SinkDef>,
    /// How many error records the whole run may have (Glue's `totalThreshold`); any number where it
    /// is not said.
    pub total_threshold: Option<u64>,
    /// How many each step may have that does not say it itself (Glue's `stageThreshold`).
    pub stage_threshold: Option<u64>,
}

/// A source: a catalog table, files under a path, or what a database has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceDef {
    /// What frames call it.
    pub name: Text,
    /// Where its records are.
    pub origin: Origin,
    /// A condition that its records meet; the engine pushes it down into the scan.
    pub predicate: Option<Text>,
    /// A condition on partition keys, which the catalog store answers (Glue's `push_down_predicate`).
    pub partitions: Option<Text>,
    /// Whether it is read with a job bookmark: only the objects that no run of the job has read.
    pub bookmark: bool,
}

/// Where a source's records are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Origin {
    /// A catalog table.
    Table(Text),
    /// Files.
    Path {
        /// A folder or file, local or a URL.
        path: Text,
        /// Their format; found out where it is not given.
        format: Option<Text>,
        /// The format's options.
        options: Vec<(Text, Text)>,
    },
    /// A database.
    Connection {
        /// Its URL. It may have a password in it: what is shown of it is [`mastic_connect::redacted`].
        connection: Text,
        /// What is read of it.
        relation: RelationDef,
    },
}

/// What is read of a database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RelationDef {
    /// A table or view.
    Table(Text),
    /// What a query gives, in the database's own SQL.
    Query(Text),
}

/// A frame: a name for what steps make.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FrameDef {
    /// Its name.
    pub name: Text,
    /// Its steps, in order.
    pub steps: Vec<StepDef>,
    /// Whether all steps could be read; only then is it worth saying what is missing.
    pub(crate) complete: bool,
}

/// One step of a frame.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepDef {
    /// The step's verb, as written.
    pub verb: Text,
    /// What it does.
    pub step: Step,
    /// How many error records it may have (Glue's `stageThreshold`).
    pub stage_threshold: Option<u64>,
}

/// What a step does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step {
    /// Starts from a source or another frame.
    From(Text),
    /// Drops fields.
    DropFields(Vec<Text>),
    /// Drops fields of which no value was ever seen.
    DropNullFields,
    /// Renames fields: old path and new.
    RenameField(Vec<(Text, Text)>),
    /// Keeps only these fields.
    SelectFields(Vec<Text>),
    /// Keeps the records for which a condition is true.
    Filter(Text),
    /// Sets fields to expressions, or removes them.
    Map(Vec<(Text, Option<Text>)>),
    /// Joins another frame.
    Join {
        /// The other frame.
        with: Text,
        /// The pairs of fields that must be equal.
        on: Vec<(Text, Text)>,
        /// Which records are kept.
        how: JoinKind,
        /// What is put before the right one of two equal names.
        prefix: Option<Text>,
    },
    /// Puts out exactly the mapped fields; what becomes of a record that cannot be cast.
    ApplyMapping(Vec<MappingDef>, OnError),
    /// Adds other frames' records.
    Union(Vec<Text>),
    /// Runs a query over frames.
    Sql(Text),
    /// Takes nested records, choices or collections apart.
    Shape(ShapeStep),
    /// Brings something into records, or makes several of one.
    Enrich(EnrichStep),
}

/// What a step does to the shape of records: to choices, nested values, and frames made of several.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ShapeStep {
    /// Resolves choices by their paths.
    ResolveChoice(Vec<(Text, ChoiceAction, Text)>),
    /// Resolves all choices in one way.
    ResolveChoices(ChoiceAction, Text),
    /// Casts choices and columns to those of a catalog table.
    MatchCatalog(Text),
    /// Makes columns of structs.
    Unnest,
    /// Takes the types out of DynamoDB's JSON.
    DynamoDb {
        /// What numbers become; text where nothing is said.
        numbers: Option<Text>,
        /// Whether structs become columns as well.
        unnest: bool,
    },
    /// Makes a collection of two frames: these fields, and all others.
    SplitFields {
        /// The fields' paths.
        paths: Vec<Text>,
        /// The frames' names.
        names: (Text, Text),
    },
    /// Makes a collection of two frames: the records for which something is true, and all others.
    SplitRows {
        /// What is to be true.
        rows: RowsDef,
        /// The frames' names.
        names: (Text, Text),
    },
    /// Makes a collection of flat tables, of which the first has this name.
    Relationalize(Text),
    /// Goes on with one frame of a collection.
    Select(Text),
    /// Does these steps to every frame of a collection.
    MapEach(Vec<StepDef>),
}

/// Which records a `split_rows` splits off.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RowsDef {
    /// Those for which an SQL condition is true.
    Where(Text),
    /// Those for which all comparisons are true: path, operator, value.
    Comparisons(Vec<(Text, Text, Text)>),
}

/// One mapping, and where its parts stand.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MappingDef {
    /// The mapping.
    pub mapping: Mapping,
    /// The parts as they stand in the script: paths and types.
    pub parts: Vec<Text>,
    /// The whole.
    pub span: Span,
}

/// What is written, and where to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkDef {
    /// The frame, or a source that is only converted.
    pub frame: Text,
    /// The folder, local or a URL.
    pub path: Text,
    /// The files' format.
    pub format: SinkFormat,
    /// The format's options.
    pub options: Vec<(Text, Text)>,
    /// The partition keys, outermost first.
    pub partition_by: Vec<Text>,
    /// What happens to what is there already.
    pub mode: SinkMode,
    /// The fields that tell one record from another, where the mode is to upsert.
    pub key: Vec<Text>,
    /// The catalog table to create or update.
    pub table: Option<Text>,
}

/// The formats that sinks write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SinkFormat {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// CSV with a header.
    Csv,
    /// JSON, one record a line.
    Json,
    /// Apache ORC.
    Orc,
    /// Apache Avro object container files.
    Avro,
    /// XML, one element a record.
    Xml,
}

impl SinkFormat {
    /// The formats' names, as a script writes them.
    pub const NAMES: [&'static str; 6] = ["parquet", "csv", "json", "orc", "avro", "xml"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "parquet" | "glueparquet" => Self::Parquet,
            "csv" => Self::Csv,
            "json" | "jsonl" => Self::Json,
            "orc" => Self::Orc,
            "avro" => Self::Avro,
            "xml" => Self::Xml,
            _ => return None,
        })
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What a sink does with what is at its path already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SinkMode {
    /// Adds files beside it, as Glue does.
    #[default]
    Append,
    /// Replaces all of it.
    Overwrite,
    /// Replaces the partitions that are written, and leaves the others.
    OverwritePartitions,
    /// Puts the records in the place of those with the same key, and leaves the others.
    Upsert,
    /// Fails where there is anything.
    Error,
}

impl SinkMode {
    /// The modes' names, as a script writes them.
    pub const NAMES: [&'static str; 5] = [
        "append",
        "overwrite",
        "overwrite_partitions",
        "upsert",
        "error",
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "append" => Self::Append,
            "overwrite" => Self::Overwrite,
            "overwrite_partitions" => Self::OverwritePartitions,
            "upsert" => Self::Upsert,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// The mode's name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}
