//! What a full pass found, kept in the catalog for the runs to come.
//!
//! An answer rests on the files that made it what it is: those after which a merge of one file after the other was
//! different. As long as they are there, as they were, every type of the answer is needed, whatever files came since.
//! Once one of them is gone or different, the answer is forgotten.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Fields};
use mastic_lake::format::CsvOptions;
use mastic_lake::value::DateOrder;
use mastic_schema::choice::format_type;
use mastic_schema::hive::parse_type;
use object_store::ObjectStoreExt;
use serde_json::{Value, json};

use super::SeenObject;
use super::open::seen_object;
use crate::session::Session;

/// The scope of the catalog's memory.
const SCOPE: &str = "mastic.frame.choices";
/// To be raised with every change of what is kept.
const VERSION: u64 = 2;
/// On how many files an answer may rest: it is read with every run.
const MOST: usize = 256;

/// An answer.
pub(super) struct Kept {
    pub(super) fields: Fields,
    /// See [`super::Looked`].
    pub(super) learned: CsvOptions,
}

fn learned_value(learned: &CsvOptions) -> Value {
    json!({
        "nulls": learned.null_markers,
        "rare": learned.rare_markers,
        "literal": learned.literal_columns,
        "everywhere": learned.text_nulls,
        "dates": learned.date_order.map(DateOrder::name),
        "encoding": learned.encoding,
    })
}

fn learned_of(value: &Value) -> Option<CsvOptions> {
    let texts = |name: &str| -> Option<Vec<String>> {
        let texts = value[name].as_array()?.iter();
        texts.map(|v| v.as_str().map(str::to_owned)).collect()
    };
    Some(CsvOptions {
        null_markers: texts("nulls")?,
        rare_markers: texts("rare")?,
        literal_columns: texts("literal")?,
        text_nulls: texts("everywhere")?,
        date_order: value["dates"].as_str().and_then(DateOrder::of_name),
        encoding: value["encoding"].as_str().map(str::to_owned),
        ..CsvOptions::default()
    })
}

fn print(object: &SeenObject) -> Value {
    json!([
        object.path,
        object.size,
        object.last_modified.timestamp_micros(),
        object.e_tag,
    ])
}

/// Keeps an answer that rests on these files, and on the columns that the catalog has (`basis`). It is a cache: what
/// cannot be kept is found again.
pub(super) async fn remember(
    session: &Session,
    key: &str,
    basis: &str,
    kept: &Kept,
    witnesses: &[SeenObject],
) {
    if witnesses.len() > MOST || witnesses.is_empty() {
        return;
    }
    let fields = format_type(&DataType::Struct(kept.fields.clone()));
    let learned = learned_value(&kept.learned);
    let files: Vec<Value> = witnesses.iter().map(print).collect();
    let value = json!({
        "version": VERSION,
        "basis": basis,
        "fields": fields,
        "learned": learned,
        "files": files,
    });
    let items = vec![(key.to_owned(), value.to_string().into_bytes())];
    let _ = session.catalog().remember(SCOPE, items).await;
}

/// The answer that is kept of a source, if it holds for the files there are now. Where only `some` of them were listed,
/// those that it rests on are asked for one by one.
pub(super) async fn recall(
    session: &Session,
    key: &str,
    basis: &str,
    listed: &[SeenObject],
    some: bool,
) -> Option<Kept> {
    let wanted = [key.to_owned()];
    let items = session.catalog().recall_items(SCOPE, &wanted);
    let (_, bytes) = items.await.ok()?.pop()?;
    let kept: Value = serde_json::from_slice(&bytes).ok()?;
    if kept["version"].as_u64() != Some(VERSION) || kept["basis"].as_str() != Some(basis) {
        return None;
    }
    let files = kept["files"].as_array()?;
    let wanted: HashSet<&str> = files.iter().filter_map(|f| f[0].as_str()).collect();
    let there = listed.iter().filter(|o| wanted.contains(o.path.as_str()));
    let there: Vec<Value> = there.map(print).collect();
    for file in files.iter().filter(|file| !there.contains(file)) {
        let place = session.stores().locate(file[0].as_str()?).ok()?;
        let now = match some {
            true => place.store.head(&place.path).await.ok()?,
            false => return None,
        };
        if print(&seen_object(&place, &now)) != *file {
            return None;
        }
    }
    match parse_type(kept["fields"].as_str()?).ok()? {
        DataType::Struct(fields) => Some(Kept {
            fields,
            learned: learned_of(&kept["learned"])?,
        }),
        _ => None,
    }
}
