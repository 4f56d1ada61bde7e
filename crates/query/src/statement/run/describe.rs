//! `DESCRIBE`: what Athena and Hive answer, with Hive's types and the partition keys in a part of their own.

use arrow::datatypes::{DataType, Field};
use datafusion::dataframe::DataFrame;
use mastic_catalog::{Column, Parameters, Partition, StorageDescriptor, Table};
use mastic_schema::hive::{format_type, parse_type};

use super::super::command::Describe;
use super::super::words::Name;
use super::{Context, full_name};
use crate::error::Result;

/// The three columns of the answer.
#[derive(Default)]
struct Lines {
    names: Vec<Option<String>>,
    types: Vec<Option<String>>,
    comments: Vec<Option<String>>,
}

impl Lines {
    fn push(&mut self, name: &str, data_type: Option<&str>, comment: Option<&str>) {
        self.names.push(Some(name.to_owned()));
        self.types.push(data_type.map(str::to_owned));
        self.comments.push(comment.map(str::to_owned));
    }

    fn column(&mut self, column: &Column) {
        self.push(
            &column.name,
            Some(column.hive_type()),
            column.comment.as_deref(),
        );
    }

    /// The heading of a part.
    fn part(&mut self, title: &str) {
        self.push("", None, None);
        self.push(&format!("# {title}"), None, None);
    }

    fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, Some(value), None);
        }
    }

    fn parameters(&mut self, title: &str, parameters: &Parameters) {
        if !parameters.is_empty() {
            self.part(title);
            for (name, value) in parameters {
                self.push(name, Some(value), None);
            }
        }
    }

    fn answer(self, context: &Context<'_>) -> Result<DataFrame> {
        context.texts(&[
            ("col_name", self.names),
            ("data_type", self.types),
            ("comment", self.comments),
        ])
    }
}

pub(super) async fn describe(context: &Context<'_>, describe: &Describe) -> Result<DataFrame> {
    let table = context.find(&describe.table).await?;
    let mut lines = Lines::default();
    if let [first, path @ ..] = describe.column.as_slice() {
        column(context, &table, first, path, &mut lines)?;
        return lines.answer(context);
    }
    let partition = match &describe.partition {
        Some(spec) => Some(super::partitions::one(context, &table, spec).await?),
        None => None,
    };
    let own = partition
        .as_ref()
        .and_then(|p| p.storage_descriptor.as_ref())
        .map(|d| d.columns.as_slice())
        .filter(|columns| !columns.is_empty());
    for column in own.unwrap_or(table.columns()) {
        lines.column(column);
    }
    for key in &table.partition_keys {
        lines.column(key);
    }
    if !table.partition_keys.is_empty() {
        lines.part("Partition Information");
        lines.push("# col_name", Some("data_type"), Some("comment"));
        for key in &table.partition_keys {
            lines.column(key);
        }
    }
    if describe.everything {
        match &partition {
            Some(partition) => of_partition(&table, partition, &mut lines),
            None => of_table(&table, &mut lines),
        }
    }
    lines.answer(context)
}

fn of_table(table: &Table, lines: &mut Lines) {
    lines.part("Detailed Table Information");
    lines.push("Database:", Some(&table.database_name), None);
    lines.push("Table:", Some(&table.name), None);
    lines.maybe("Owner:", table.owner.as_deref());
    lines.maybe("Comment:", table.description.as_deref());
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map(|t| t.format("%Y-%m-%d %H:%M:%S UTC").to_string())
    };
    lines.maybe("Created:", time(table.create_time).as_deref());
    lines.maybe("Changed:", time(table.update_time).as_deref());
    let version = table.version_id.map(|v| v.to_string());
    lines.maybe("Version:", version.as_deref());
    lines.maybe("Table Type:", table.table_type.as_deref());
    lines.maybe("Location:", table.location());
    lines.maybe("View Text:", view_text(table).as_deref());
    lines.parameters("Table Parameters", &table.parameters);
    if let Some(storage) = &table.storage_descriptor {
        of_storage(storage, lines);
    }
}

/// A view's query, as far as it can be read.
fn view_text(table: &Table) -> Option<String> {
    crate::statement::view::Stored::of(table)?
        .ok()
        .map(|view| view.query)
}

fn of_partition(table: &Table, partition: &Partition, lines: &mut Lines) {
    lines.part("Detailed Partition Information");
    lines.push("Table:", Some(&full_name(table)), None);
    lines.push("Partition Value:", Some(&partition.values.join("/")), None);
    lines.maybe("Location:", partition.location());
    lines.parameters("Partition Parameters", &partition.parameters);
    let own = partition
        .storage_descriptor
        .as_ref()
        .filter(|storage| storage.serde_info.is_some());
    if let Some(storage) = own.or(table.storage_descriptor.as_ref()) {
        of_storage(storage, lines);
    }
}

fn of_storage(storage: &StorageDescriptor, lines: &mut Lines) {
    lines.part("Storage Information");
    let serde = storage.serde_info.as_ref();
    lines.maybe(
        "SerDe Library:",
        serde.and_then(|s| s.serialization_library.as_deref()),
    );
    lines.maybe("InputFormat:", storage.input_format.as_deref());
    lines.maybe("OutputFormat:", storage.output_format.as_deref());
    let compressed = storage.compressed.map(|yes| if yes { "Yes" } else { "No" });
    lines.maybe("Compressed:", compressed);
    let buckets = storage.number_of_buckets.map(|n| n.to_string());
    lines.maybe("Num Buckets:", buckets.as_deref());
    if !storage.bucket_columns.is_empty() {
        lines.maybe("Bucket Columns:", Some(&storage.bucket_columns.join(", ")));
    }
    if !storage.sort_columns.is_empty() {
        let sorted: Vec<String> = storage
            .sort_columns
            .iter()
            .map(|o| {
                format!(
                    "{} {}",
                    o.column,
                    if o.sort_order == 0 { "desc" } else { "asc" }
                )
            })
            .collect();
        lines.maybe("Sort Columns:", Some(&sorted.join(", ")));
    }
    if let Some(serde) = serde {
        lines.parameters("SerDe Parameters", &serde.parameters);
    }
}

/// A column, or what lies within: `$elem$`, `$key$` and `$value$` are Hive's names for what has none.
fn column(
    context: &Context<'_>,
    table: &Table,
    name: &Name,
    path: &[Name],
    lines: &mut Lines,
) -> Result<()> {
    let all = table.columns().iter().chain(&table.partition_keys);
    let all: Vec<&Column> = all.collect();
    let Some(found) = all
        .iter()
        .find(|c| c.name.eq_ignore_ascii_case(&name.value))
    else {
        let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
        let message = format!("{} has no column '{}'", full_name(table), name.value);
        return Err(context.wrong(
            name.start,
            message,
            crate::error::meant(&name.value, &names),
        ));
    };
    if path.is_empty() {
        lines.column(found);
        return Ok(());
    }
    let wrong_type =
        |e: mastic_schema::hive::TypeError| context.wrong(name.start, e.to_string(), None);
    let mut inner = parse_type(found.hive_type()).map_err(wrong_type)?;
    let mut last = name;
    for step in path {
        inner = within(&inner, &step.value).ok_or_else(|| {
            let message = format!("{} has no field '{}'", format_type(&inner), step.value);
            context.wrong(step.start, message, None)
        })?;
        last = step;
    }
    match &inner {
        DataType::Struct(fields) => {
            for field in fields {
                lines.push(field.name(), Some(&format_type(field.data_type())), None);
            }
        }
        other => lines.push(&last.value, Some(&format_type(other)), None),
    }
    Ok(())
}

fn within(data_type: &DataType, step: &str) -> Option<DataType> {
    let of = |field: &Field| field.data_type().clone();
    match data_type {
        DataType::Struct(fields) => fields
            .iter()
            .find(|field| field.name().eq_ignore_ascii_case(step))
            .map(|field| of(field)),
        DataType::List(item) if step == "$elem$" => Some(of(item)),
        DataType::Map(entries, _) => match (entries.data_type(), step) {
            (DataType::Struct(pair), "$key$") => pair.first().map(|field| of(field)),
            (DataType::Struct(pair), "$value$") => pair.get(1).map(|field| of(field)),
            _ => None,
        },
        _ => None,
    }
}
