//! A script written from a source and a target: every column mapped, every choice resolved.
//!
//! What Glue Studio writes for a job of one source and one target (`from_catalog`, `resolveChoice`,
//! `ApplyMapping`, a sink), to be edited; it runs as it is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields};
use mastic_catalog::CatalogError;
use mastic_dynamic_frame::{DynamicFrame, Ledger};
use mastic_query::Session;
use mastic_query::frame::{FrameOptions, FrameSource};
use mastic_schema::choice::{alternative_name, alternatives, format_type, has_choice, is_choice};
use mastic_schema::{hive, names};

use crate::sources::{SourceError, Sources, source_records};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// The source: a table, `database.table`, or a path.
    pub source: String,
    /// The target's folder.
    pub path: String,
    /// The target's table, to be made or updated.
    pub table: Option<String>,
    /// The target's format; the target table's, else Parquet, where it is not given.
    pub format: Option<String>,
}

/// Writes a script that maps every column of a source, and resolves every choice in it.
///
/// # Errors
/// When the source cannot be opened, or the target table's columns cannot be read.
pub async fn generate(session: &Session, request: &GenerateRequest) -> Result<String, SourceError> {
    let is_path = request.source.contains(['/', ':']) || !request.source.contains('.');
    let source = if is_path {
        FrameSource::Path {
            path: request.source.clone(),
            format: None,
            options: BTreeMap::new(),
        }
    } else {
        FrameSource::Table(request.source.clone())
    };
    let ledger = Ledger::new(None, session.context().runtime_env());
    let options = FrameOptions::new(source_records("source", &ledger));
    let frame = Sources::open(session, &source, &options).await?;
    let frame = DynamicFrame::new(frame).map_err(|e| SourceError::new(e.to_string()))?;
    let failed = |error: CatalogError| {
        let told = SourceError::new(error.to_string());
        match error.hint() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    };
    let catalog = session.catalog();
    let mut keys = Vec::new();
    if let (false, Some((database, table))) = (is_path, request.source.split_once('.')) {
        let table = catalog.get_table(database, table).await.map_err(failed)?;
        keys = table.partition_keys.into_iter().map(|k| k.name).collect();
    }
    let mut target = None;
    let mut format = request.format.clone();
    if let Some((database, table)) = request.table.as_deref().and_then(|t| t.split_once('.')) {
        match catalog.get_table(database, table).await {
            Ok(table) => {
                let columns = table.arrow_columns().map_err(failed)?;
                let keys_of = table.arrow_partition_keys().map_err(failed)?;
                let own: Fields = columns.iter().chain(&keys_of).cloned().collect();
                keys = table
                    .partition_keys
                    .iter()
                    .map(|k| k.name.clone())
                    .collect();
                format = format.or_else(|| table.classification().map(str::to_owned));
                target = Some(own);
            }
            Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(script(&Wanted {
        source: request.source.clone(),
        is_path,
        fields: frame.fields().clone(),
        keys,
        path: request.path.clone(),
        table: request.table.clone(),
        target,
        format: format.unwrap_or_else(|| "parquet".to_owned()),
    }))
}

/// What a script is to be written for.
#[derive(Debug, Clone)]
struct Wanted {
    /// The source: `database.table`, or a path.
    source: String,
    /// Whether the source is a path.
    is_path: bool,
    /// The source's columns, as a frame has them.
    fields: Fields,
    /// The partition keys: the target's where there is one, else the source's.
    keys: Vec<String>,
    /// The target's folder.
    path: String,
    /// The target's table, to be made or updated.
    table: Option<String>,
    /// The target table's columns, where there is one: the source's are mapped to these.
    target: Option<Fields>,
    /// The target's format.
    format: String,
}

/// Writes the script.
fn script(wanted: &Wanted) -> String {
    let source = frame_name(&wanted.source);
    let target = wanted.table.as_deref().unwrap_or(&wanted.path);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "# {} to {target}. Edit it, and run it: mastic run THIS_FILE",
        wanted.source
    );
    let _ = writeln!(out, "name: {}_to_{}", source, frame_name(target));
    let _ = writeln!(out, "\nparameters:\n  out: {}", quoted(&wanted.path));
    out.push_str("\nsources:\n");
    if wanted.is_path {
        let _ = writeln!(out, "  {source}: {{path: {}}}", quoted(&wanted.source));
    } else {
        let _ = writeln!(out, "  {source}: {}", quoted(&wanted.source));
    }
    out.push_str(
        "  # only what no earlier run has read: write {table or path: ..., bookmark: true}\n",
    );
    let _ = writeln!(out, "\nframes:\n  mapped:\n    - from: {source}");
    let resolved = resolve(wanted, &mut out);
    map(wanted, &resolved, &mut out);
    let _ = writeln!(
        out,
        "\nsinks:\n  - frame: mapped\n    path: ${{out}}\n    format: {}",
        wanted.format
    );
    let keys: Vec<String> = wanted
        .keys
        .iter()
        .map(|key| quoted(&key.to_lowercase()))
        .collect();
    if !keys.is_empty() {
        let _ = writeln!(out, "    partition_by: [{}]", keys.join(", "));
    }
    out.push_str("    mode: append\n");
    if let Some(table) = &wanted.table {
        let _ = writeln!(out, "    table: {}", quoted(table));
    }
    out
}

/// Paths of choices, what is done with each, and what it can be.
type Specs = Vec<(String, String, String)>;

/// The choices' resolution, written; and the columns as they are then.
fn resolve(wanted: &Wanted, out: &mut String) -> Vec<Field> {
    let mut specs = Specs::new();
    // In the columns that the first step makes there may be more.
    let mut later = Specs::new();
    let mut fields = Vec::new();
    for field in &wanted.fields {
        match alternatives(field.data_type()) {
            None => {
                nested(&ticked(field.name()), field.data_type(), &mut specs);
                fields.push(Field::new(
                    field.name(),
                    without_choices(field.data_type()),
                    true,
                ));
            }
            Some(of) => {
                let comment = format_type(field.data_type());
                let known = wanted
                    .target
                    .as_ref()
                    .and_then(|t| twin(t, field.name()))
                    .filter(|t| !t.data_type().is_nested());
                let plain = of.iter().all(|f| !f.data_type().is_nested());
                if let Some(known) = known {
                    let to = known.data_type().clone();
                    let action = format!("cast:{}", hive::format_type(&to));
                    specs.push((ticked(field.name()), action, comment));
                    fields.push(Field::new(field.name(), to, true));
                } else if plain {
                    specs.push((ticked(field.name()), "cast:string".to_owned(), comment));
                    fields.push(Field::new(field.name(), DataType::Utf8, true));
                } else {
                    specs.push((ticked(field.name()), "make_cols".to_owned(), comment));
                    for own in of {
                        let name =
                            format!("{}_{}", field.name(), alternative_name(own.data_type()));
                        nested(&ticked(&name), own.data_type(), &mut later);
                        fields.push(Field::new(name, without_choices(own.data_type()), true));
                    }
                }
            }
        }
    }
    if !specs.is_empty() {
        out.push_str("    # also: project:TYPE keeps one type's values, make_cols and make_struct keep all\n");
    }
    for specs in [specs, later].into_iter().filter(|s| !s.is_empty()) {
        out.push_str("    - resolve_choice:\n        specs:\n");
        for (path, action, comment) in specs {
            let _ = writeln!(out, "          {}: {action}    # {comment}", quoted(&path));
        }
    }
    fields
}

/// The choices inside structs, arrays and maps, all cast to text.
fn nested(path: &str, data_type: &DataType, specs: &mut Specs) {
    if is_choice(data_type) {
        let comment = format_type(data_type);
        specs.push((path.to_owned(), "cast:string".to_owned(), comment));
        return;
    }
    match data_type {
        DataType::Struct(fields) => {
            for field in fields {
                let path = format!("{path}.{}", ticked(field.name()));
                nested(&path, field.data_type(), specs);
            }
        }
        DataType::List(item) => nested(&format!("{path}[]"), item.data_type(), specs),
        DataType::Map(entries, _) => {
            if let Some(value) = map_value(entries) {
                nested(&format!("{path}[]"), value.data_type(), specs);
            }
        }
        _ => {}
    }
}

/// The values of a map with these entries.
fn map_value(entries: &Field) -> Option<&Field> {
    match entries.data_type() {
        DataType::Struct(pair) => pair.get(1).map(AsRef::as_ref),
        _ => None,
    }
}

/// The type with its choices cast to text.
fn without_choices(data_type: &DataType) -> DataType {
    if !has_choice(data_type) {
        return data_type.clone();
    }
    if is_choice(data_type) {
        return DataType::Utf8;
    }
    let inner = |f: &Field| f.clone().with_data_type(without_choices(f.data_type()));
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| inner(f)).collect()),
        DataType::List(item) => DataType::List(Arc::new(inner(item))),
        // Keys are text; only its values can be of several types.
        DataType::Map(entries, sorted) => DataType::Map(Arc::new(inner(entries)), *sorted),
        other => other.clone(),
    }
}

fn map(wanted: &Wanted, fields: &[Field], out: &mut String) {
    out.push_str("    - apply_mapping:\n");
    let lowered = names::column_names(fields.iter().map(|f| f.name().as_str()));
    match &wanted.target {
        None => {
            for (field, name) in fields.iter().zip(&lowered) {
                line(field, name, field.data_type(), out);
            }
        }
        Some(target) => {
            let mut used = vec![false; fields.len()];
            for column in target {
                let found = position(fields, &lowered, column.name());
                match found {
                    Some(at) => {
                        used[at] = true;
                        line(&fields[at], column.name(), column.data_type(), out);
                    }
                    None => {
                        let _ = writeln!(
                            out,
                            "        # nothing for {} {}",
                            column.name(),
                            hive::format_type(column.data_type())
                        );
                    }
                }
            }
            for (field, _) in fields.iter().zip(used).filter(|(_, used)| !used) {
                let _ = writeln!(
                    out,
                    "        # {} is not in the target",
                    ticked(field.name())
                );
            }
        }
    }
}

fn line(field: &Field, name: &str, to: &DataType, out: &mut String) {
    let (from, own) = (ticked(field.name()), hive::format_type(field.data_type()));
    let to = hive::format_type(to);
    let text = if own == to {
        format!("{from} {own} -> {}", ticked(name))
    } else {
        format!("{from} {own} -> {} {to}", ticked(name))
    };
    let _ = writeln!(out, "        - {}", quoted(&text));
}

/// The source's column for a target's: of the same name, or the closest that is close.
fn position(fields: &[Field], lowered: &[String], name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    let exact = fields
        .iter()
        .zip(lowered)
        .position(|(f, l)| f.name().to_lowercase() == lower || *l == lower);
    exact.or_else(|| {
        let close = names::closest(&lower, lowered.iter().map(String::as_str))?;
        lowered.iter().position(|l| *l == close)
    })
}

fn twin<'a>(fields: &'a Fields, name: &str) -> Option<&'a Field> {
    let found = fields
        .iter()
        .find(|f| f.name().to_lowercase() == name.to_lowercase());
    found.map(AsRef::as_ref)
}

/// A name for a source or frame, as SQL can write it without quotes.
fn frame_name(text: &str) -> String {
    let last = text.trim_end_matches('/').rsplit(['/', '.']);
    let last = last
        .into_iter()
        .find(|part| !part.is_empty() && !matches!(*part, "csv" | "json" | "parquet" | "gz"))
        .unwrap_or("source");
    let name: String = names::table_name(last)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        None => "source".to_owned(),
        _ if name == crate::ERRORS => "errors_".to_owned(),
        _ => name,
    }
}

/// A path's part, in backticks where it needs them.
fn ticked(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('`', "``"))
    }
}

/// A YAML scalar, in quotes where it needs them.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " _-./>()".contains(c);
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() || "_./".contains(c));
    let word = matches!(
        text.to_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off"
    );
    if first && text.chars().all(plain) && !word && !text.ends_with(' ') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Script, Source};

    fn fields(text: &str) -> Fields {
        match hive::parse_type(text).unwrap() {
            DataType::Struct(fields) => fields,
            other => panic!("{other} is no struct"),
        }
    }

    fn wanted(columns: &str) -> Wanted {
        Wanted {
            source: "shop.orders".into(),
            is_path: false,
            fields: fields(columns),
            keys: Vec::new(),
            path: "out/orders".into(),
            table: None,
            target: None,
            format: "parquet".into(),
        }
    }

    #[test]
    fn names_of_every_kind_make_a_script_that_can_be_read() {
        let text = script(&Wanted {
            keys: vec!["day".into()],
            table: Some("clean.orders".into()),
            ..wanted(
                "struct<`Order ID`:bigint,`a.b`:string,`it``s`:choice<bigint,string>,null:date,day:string>",
            )
        });
        let script = Script::parse(&Source::new("job.yaml", text.clone()), &[]).unwrap();
        assert_eq!(script.frames.len(), 1, "{text}");
        assert!(text.contains("'`Order ID` bigint -> `order id`'"), "{text}");
        assert!(
            text.contains("'`it``s`': cast:string    # choice<bigint,string>"),
            "{text}"
        );
    }

    #[test]
    fn choices_of_documents_become_columns() {
        let text = script(&wanted(
            "struct<c:choice<struct<x:bigint>,string>,n:struct<d:choice<bigint,date>>>",
        ));
        assert!(text.contains("c: make_cols"), "{text}");
        assert!(
            text.contains("- c_struct struct<x:bigint> -> c_struct")
                || text.contains("'c_struct struct<x:bigint> -> c_struct'"),
            "{text}"
        );
        assert!(text.contains("n.d: cast:string"), "{text}");
        Script::parse(&Source::new("job.yaml", text), &[])
            .unwrap_or_else(|e| panic!("{}", e.render()));
    }

    #[test]
    fn choices_within_choices_and_maps_are_resolved() {
        let text = script(&wanted(
            "struct<c:choice<struct<x:choice<bigint,string>>,string>,m:map<string,choice<bigint,string>>>",
        ));
        let first = "          c: make_cols    # choice<struct<x:choice<bigint,string>>,string>\n          \
                     'm[]': cast:string    # choice<bigint,string>\n    - resolve_choice:\n";
        assert!(text.contains(first), "{text}");
        assert!(text.contains("          c_struct.x: cast:string"), "{text}");
        assert!(
            text.contains("c_struct struct<x:string> -> c_struct")
                && text.contains("map<string,string>"),
            "{text}"
        );
        Script::parse(&Source::new("job.yaml", text), &[])
            .unwrap_or_else(|e| panic!("{}", e.render()));
    }

    #[test]
    fn columns_go_to_those_of_the_target() {
        let text = script(&Wanted {
            target: Some(fields("struct<order_id:string,amount:double,note:string>")),
            ..wanted("struct<order_id:bigint,ammount:double,extra:int>")
        });
        assert!(
            text.contains("order_id bigint -> order_id string"),
            "{text}"
        );
        assert!(text.contains("ammount double -> amount"), "{text}");
        assert!(text.contains("# nothing for note string"), "{text}");
        assert!(text.contains("# extra is not in the target"), "{text}");
    }
}
