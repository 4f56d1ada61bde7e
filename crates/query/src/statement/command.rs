//! What statements ask for, before the catalog is asked.

use mastic_catalog::CompareOp;

use super::words::{Name, Properties, TableName};

/// A statement that is no query.
#[derive(Debug)]
pub(super) enum Command {
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `DROP DATABASE`.
    DropDatabase {
        name: Name,
        if_exists: bool,
        cascade: bool,
    },
    /// `ALTER DATABASE … SET DBPROPERTIES`, `… SET LOCATION`.
    AlterDatabase {
        name: Name,
        properties: Properties,
        location: Option<Located>,
    },
    /// `CREATE EXTERNAL TABLE`.
    CreateTable(Box<CreateTable>),
    /// `DROP TABLE` and `DROP VIEW`.
    Drop {
        what: Kind,
        name: TableName,
        if_exists: bool,
    },
    /// `ALTER TABLE`.
    AlterTable {
        table: TableName,
        if_exists: bool,
        action: Alter,
    },
    /// `MSCK REPAIR TABLE`.
    Repair {
        table: TableName,
        add: bool,
        drop: bool,
    },
    /// `SHOW …`.
    Show(Show),
    /// `DESCRIBE`.
    Describe(Describe),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `PREPARE name FROM statement`.
    Prepare {
        name: Name,
        statement: String,
        /// Where the statement begins.
        start: usize,
    },
    /// `EXECUTE name USING …`.
    Execute { name: Name, arguments: Vec<String> },
    /// `DEALLOCATE PREPARE name`.
    Deallocate(Name),
    /// `EXPLAIN`.
    Explain(Explain),
}

impl Command {
    /// Whether it is about prepared statements.
    pub(super) fn is_of_prepared(&self) -> bool {
        matches!(
            self,
            Command::Prepare { .. } | Command::Execute { .. } | Command::Deallocate(_)
        )
    }
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
}

/// A location, as it is written, and where.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) url: String,
    pub(super) start: usize,
}

#[derive(Debug)]
pub(super) struct CreateDatabase {
    pub(super) name: Name,
    pub(super) if_not_exists: bool,
    pub(super) comment: Option<String>,
    pub(super) location: Option<Located>,
    pub(super) properties: Properties,
}

/// A column of a statement.
#[derive(Debug, Clone)]
pub(super) struct ColumnDef {
    pub(super) name: Name,
    /// A type of Hive's that can be read.
    pub(super) hive_type: String,
    pub(super) comment: Option<String>,
}

#[derive(Debug)]
pub(super) struct CreateTable {
    pub(super) name: TableName,
    pub(super) if_not_exists: bool,
    pub(super) columns: Vec<ColumnDef>,
    pub(super) comment: Option<String>,
    pub(super) partitioned: Vec<ColumnDef>,
    pub(super) buckets: Option<Buckets>,
    pub(super) row_format: Option<RowFormat>,
    pub(super) serde_properties: Properties,
    pub(super) stored: Option<Stored>,
    pub(super) location: Option<Located>,
    pub(super) properties: Properties,
}

/// `CLUSTERED BY (…) SORTED BY (…) INTO n BUCKETS`.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    pub(super) columns: Vec<Name>,
    /// With whether it is ascending.
    pub(super) sorted: Vec<(Name, bool)>,
    pub(super) count: i32,
}

#[derive(Debug)]
pub(super) enum RowFormat {
    Delimited(Delimited),
    Serde { class: String, start: usize },
}

/// `ROW FORMAT DELIMITED`: each the text that was given.
#[derive(Debug, Default)]
pub(super) struct Delimited {
    pub(super) fields: Option<String>,
    pub(super) escape: Option<String>,
    pub(super) items: Option<String>,
    pub(super) keys: Option<String>,
    pub(super) lines: Option<String>,
    pub(super) null: Option<String>,
}

#[derive(Debug)]
pub(super) enum Stored {
    /// `STORED AS PARQUET`.
    Named(Name),
    /// `STORED AS INPUTFORMAT '…' OUTPUTFORMAT '…'`.
    Classes { input: String, output: String },
}

/// A part of `PARTITION (key = value, …)`.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) key: Name,
    pub(super) op: CompareOp,
    /// As a catalog keeps it: NULL is `__HIVE_DEFAULT_PARTITION__`.
    pub(super) value: String,
}

/// `PARTITION (…)`.
pub(super) type Spec = Vec<Part>;

#[derive(Debug)]
pub(super) enum Alter {
    AddPartitions {
        if_not_exists: bool,
        partitions: Vec<(Spec, Option<Located>)>,
    },
    DropPartitions {
        if_exists: bool,
        partitions: Vec<Spec>,
    },
    RenamePartition {
        from: Spec,
        to: Spec,
    },
    SetLocation {
        partition: Option<Spec>,
        location: Located,
    },
    SetProperties(Properties),
    UnsetProperties {
        if_exists: bool,
        names: Vec<String>,
    },
    SetSerde {
        class: Option<(String, usize)>,
        properties: Properties,
    },
    AddColumns(Vec<ColumnDef>),
    ReplaceColumns(Vec<ColumnDef>),
    ChangeColumn {
        old: Name,
        new: ColumnDef,
        position: Option<Position>,
    },
    DropColumn(Name),
    RenameTo(TableName),
}

/// Where a column goes.
#[derive(Debug)]
pub(super) enum Position {
    First,
    After(Name),
}

/// A table, or the database of tables, and a pattern of names.
#[derive(Debug)]
pub(super) enum Show {
    Databases {
        pattern: Option<String>,
    },
    Tables {
        kind: Kind,
        database: Option<Name>,
        pattern: Option<String>,
    },
    Columns {
        table: TableName,
        pattern: Option<String>,
    },
    Partitions {
        table: TableName,
        spec: Spec,
    },
    Properties {
        table: TableName,
        name: Option<String>,
    },
    Create {
        kind: Option<Kind>,
        table: TableName,
    },
    CreateDatabase(Name),
    Functions {
        pattern: Option<String>,
    },
}

#[derive(Debug)]
pub(super) struct Describe {
    pub(super) table: TableName,
    /// `EXTENDED` or `FORMATTED`: all that is known.
    pub(super) everything: bool,
    pub(super) partition: Option<Spec>,
    /// A column, and the way into it.
    pub(super) column: Vec<Name>,
}

#[derive(Debug)]
pub(super) struct CreateView {
    pub(super) name: TableName,
    pub(super) or_replace: bool,
    pub(super) if_not_exists: bool,
    pub(super) columns: Vec<(Name, Option<String>)>,
    pub(super) comment: Option<String>,
    /// The query's text, and where it begins.
    pub(super) query: String,
    pub(super) start: usize,
}

/// What `EXPLAIN` is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExplainType {
    /// What is to be done.
    Logical,
    /// What is done, operator by operator.
    Distributed,
    /// Whether the statement is one.
    Validate,
    /// What is read.
    Io,
}

/// How `EXPLAIN` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExplainFormat {
    Text,
    Json,
    Graphviz,
}

#[derive(Debug)]
pub(super) struct Explain {
    pub(super) analyze: bool,
    pub(super) verbose: bool,
    /// What was asked for, if anything.
    pub(super) kind: Option<ExplainType>,
    pub(super) format: ExplainFormat,
    /// What is to be explained.
    pub(super) statement: String,
    /// Where it begins.
    pub(super) start: usize,
}
