//! A look at the beginning of a few files, which finds most choices before a run does.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields};
use mastic_lake::format::{FileFormat, Limits, choice_fields_of, examine_as};
use mastic_lake::input::Input;
use mastic_schema::choice::{
    alternative_name, alternatives, choice_of, choose, choose_fields, is_choice, settled,
};
use mastic_schema::hive::{list_of, map_of};
use mastic_schema::merge::position;
use tokio::runtime::Handle;

use super::choices::each_field;
use crate::files::named;
use crate::table::FileSet;

/// How many files are looked at.
const FILES: usize = 4;
/// How much of each.
const LIMITS: Limits = Limits { bytes: 1 << 20 };

/// The columns of a table of JSON or XML, with choices where text columns turn out to have other values, too. A table
/// whose columns a crawl has widened to text tells nothing of what the values are.
pub(super) async fn at_a_few(own: &Fields, found: &FileSet) -> Fields {
    if !own.iter().any(|f| has_text(f.data_type())) {
        return own.clone();
    }
    let files: Vec<_> = found
        .places
        .iter()
        .flat_map(|(place, files)| files.iter().map(move |f| (place, f)))
        .filter(|(_, f)| matches!(f.format, FileFormat::Json(_) | FileFormat::Xml(_)))
        .collect();
    let step = files.len().div_ceil(FILES).max(1);
    let looks = files.into_iter().step_by(step).map(|(place, file)| {
        let url = place.url_of(&file.meta.location);
        let handle = Handle::current();
        let input = Input::new(place.store.clone(), file.meta.clone(), url, handle);
        let format = file.format.clone();
        tokio::task::spawn_blocking(move || examine_as(&input, &format, &LIMITS).ok())
    });
    let mut seen = Fields::empty();
    for looked in futures::future::join_all(looks).await {
        // What cannot be read here is told of where it is read in earnest.
        if let Ok(Some((_, inference))) = looked {
            seen = choose_fields(&seen, &named(&choice_fields_of(&inference)));
        }
    }
    let seen = settled(&seen);
    let lean = |field: &FieldRef| match position(&seen, field.name()) {
        Some(at) => {
            let wanted = lean(field.data_type(), seen[at].data_type());
            Arc::new(field.as_ref().clone().with_data_type(wanted))
        }
        None => field.clone(),
    };
    own.iter().map(lean).collect()
}

fn has_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Utf8View => true,
        DataType::Struct(_) if is_choice(data_type) => false,
        DataType::Struct(fields) => fields.iter().any(|f| has_text(f.data_type())),
        DataType::List(item) | DataType::Map(item, _) => has_text(item.data_type()),
        _ => false,
    }
}

/// What text is read as: as what it says, or as what it looks like.
pub(super) fn is_textual(data_type: &DataType) -> bool {
    matches!(
        alternative_name(data_type),
        "string" | "date" | "timestamp" | "timestamptz"
    )
}

/// The column's type, with what was seen in it beside text. Where it is no text it is left as it is: what was seen is
/// not all there is.
fn lean(own: &DataType, seen: &DataType) -> DataType {
    match (own, seen) {
        (DataType::Utf8, DataType::Null) => own.clone(),
        (DataType::Utf8, _) => {
            let one = [seen.clone()];
            let types: Vec<DataType> = match alternatives(seen) {
                Some(all) => all.iter().map(|f| f.data_type().clone()).collect(),
                None => one.to_vec(),
            };
            let other = types.into_iter().filter(|t| !is_textual(t));
            choose(own, &choice_of(other))
        }
        (DataType::Struct(a), DataType::Struct(b)) if !is_choice(own) && !is_choice(seen) => {
            DataType::Struct(each_field(a, b, lean))
        }
        (DataType::List(a), DataType::List(b)) => list_of(lean(a.data_type(), b.data_type())),
        (DataType::Map(a, _), DataType::Map(b, _)) => {
            match (super::choices::entry(a), super::choices::entry(b)) {
                (Some((key, value)), Some((_, seen))) => map_of(key.clone(), lean(value, seen)),
                _ => own.clone(),
            }
        }
        _ => own.clone(),
    }
}
