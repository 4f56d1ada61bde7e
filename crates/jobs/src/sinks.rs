//! Sinks against the records that they get.

use datafusion::arrow::datatypes::DataType;
use mastic_dynamic_frame::DynamicFrame;
use mastic_schema::{choice, names};

use crate::error::ScriptError;
use crate::script::{Script, SinkDef, SinkFormat};

/// The partition keys as the frame spells them, and what is wrong with the sink.
pub(crate) fn check(
    script: &Script,
    sink: &SinkDef,
    frame: &DynamicFrame,
) -> (Vec<String>, Vec<ScriptError>) {
    let mut errors = Vec::new();
    let mut keys = Vec::new();
    let fields = frame.fields();
    let error = |span, message: String| ScriptError::new(&script.source, span, message);
    for key in &sink.partition_by {
        let found = fields
            .iter()
            .find(|f| f.name() == key.as_str())
            .or_else(|| {
                fields
                    .iter()
                    .find(|f| f.name().eq_ignore_ascii_case(key.as_str()))
            });
        let Some(field) = found else {
            let known = fields.iter().map(|f| f.name().as_str());
            let told = error(key.span(), format!("'{}' has no field '{key}'", sink.frame));
            errors.push(if key.as_str().contains('.') {
                told.hint(format!(
                    "a partition key is a column of its own: add it with map: {{{}: {key}}}",
                    key.as_str().replace('.', "_")
                ))
            } else {
                told.meant(names::closest(key.as_str(), known.clone()))
                    .hint(format!(
                        "there are {}",
                        known.collect::<Vec<_>>().join(", ")
                    ))
            });
            continue;
        };
        if nested(field.data_type()) {
            let kind = choice::format_type(field.data_type());
            errors.push(
                error(
                    key.span(),
                    format!("'{key}' is {kind}, which no folder can be named by"),
                )
                .hint("partition by plain values: text, numbers, dates"),
            );
        }
        keys.push(field.name().clone());
    }
    if !keys.is_empty() && keys.len() == fields.len() {
        let last = &sink.partition_by[sink.partition_by.len() - 1];
        errors.push(
            error(
                last.span(),
                "no field would be left for the files".to_owned(),
            )
            .hint("partition keys go into the names of folders, not into files"),
        );
    }
    if sink.format == SinkFormat::Csv {
        let deep = fields
            .iter()
            .find(|f| !is_a_cell(f.data_type()) && !keys.contains(f.name()));
        if let Some(field) = deep {
            let (name, kind) = (field.name(), choice::format_type(field.data_type()));
            errors.push(
                error(
                    sink.frame.span(),
                    format!("CSV cannot hold '{name}', which is {kind}"),
                )
                .hint(match choice::is_choice(field.data_type()) {
                    true => "resolve it first with resolve_choice, or write json or parquet",
                    false => "un-nest it with apply_mapping, or write json or parquet",
                }),
            );
        }
    }
    (keys, errors)
}

/// Whether CSV has a cell for it: a plain value, or a choice of plain values, which is written as the one it is.
fn is_a_cell(data_type: &DataType) -> bool {
    match choice::alternatives(data_type) {
        Some(all) => !all.iter().any(|f| nested(f.data_type())),
        None => !nested(data_type),
    }
}

fn nested(data_type: &DataType) -> bool {
    data_type.is_nested()
}
