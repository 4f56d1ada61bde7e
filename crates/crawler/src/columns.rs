//! What becomes of a table's columns when its files have others.

use arrow_schema::{DataType, Field, Fields};
use mastic_catalog::parameters as names;
use mastic_catalog::{Column, Table};
use mastic_schema::choice::choose_fields;
use mastic_schema::hive::{format_type, parse_type};
use mastic_schema::merge::{position, widen, widen_fields};

use crate::UpdateBehavior;
use crate::choices;
use crate::table::{INFERRED, Proposal, inferred, inferred_text};

/// Gives a proposal the columns that its table is to have, by what the catalog has, and whatever people
/// wrote to the table: descriptions, comments, parameters of their own. Columns that somebody edited since
/// the last crawl stay as they are, and those that somebody dropped stay away.
pub(crate) fn reconcile(old: &Table, proposal: &mut Proposal, update: UpdateBehavior) {
    let before: Fields = old
        .columns()
        .iter()
        .filter_map(|c| Some(Field::new(&c.name, parse_type(c.hive_type()).ok()?, true)))
        .collect();
    let keys: Vec<String> = proposal
        .table
        .partition_keys
        .iter()
        .map(|k| k.name.clone())
        .collect();
    let without_keys = |fields: &Fields| -> Fields {
        fields
            .iter()
            .filter(|f| !keys.iter().any(|k| k.eq_ignore_ascii_case(f.name())))
            .cloned()
            .collect()
    };
    let last = inferred(old).map(|fields| without_keys(&fields));
    let before = silent(&without_keys(&before), last.as_ref());
    let now = proposal.fields.clone();
    let wanted = match update {
        UpdateBehavior::UpdateInDatabase => known(&now, &before),
        _ => widen_fields(&before, &known(&now, &before), &mut |_| ()),
    };
    let mut fields: Vec<Field> = Vec::new();
    let mut by_hand: Vec<String> = Vec::new();
    for field in &wanted {
        let was = position(&before, field.name()).map(|at| &before[at]);
        let inferred = last
            .as_ref()
            .and_then(|last| position(last, field.name()).map(|at| &last[at]));
        match (was, inferred) {
            // It was there at the last crawl, and is not now: somebody dropped it.
            (None, Some(_)) => proposal.why.push(format!(
                "column '{}' stays away: it was dropped from the table by hand",
                field.name()
            )),
            (Some(was), Some(inferred)) if edited(was, inferred) => {
                let found = position(&now, field.name()).map(|at| now[at].data_type());
                if let Some(found) = found
                    && found != was.data_type()
                    && found != &DataType::Null
                {
                    proposal.why.push(format!(
                        "column '{}' stays {}: it was edited by hand (the files say {})",
                        field.name(),
                        format_type(was.data_type()),
                        format_type(found)
                    ));
                }
                fields.push(was.as_ref().clone());
                by_hand.push(was.name().clone());
            }
            _ => fields.push(field.as_ref().clone()),
        }
    }
    if update == UpdateBehavior::UpdateInDatabase {
        // What somebody added or edited is no column of the files, and stays nonetheless.
        for was in &before {
            let by_hand = match last
                .as_ref()
                .map(|l| position(l, was.name()).map(|at| &l[at]))
            {
                Some(Some(inferred)) => edited(was, inferred),
                Some(None) => true,
                None => false,
            };
            if by_hand
                && !fields
                    .iter()
                    .any(|f| f.name().eq_ignore_ascii_case(was.name()))
            {
                fields.push(was.as_ref().clone());
            }
        }
    }
    set_inferred(proposal, last.as_ref(), update);
    let mut columns = with_comments(old, &before, &fields);
    // All files tell what there is now, whatever columns were before.
    let chosen = match proposal.some {
        false => proposal.choices.clone(),
        true => choose_fields(&choices::of(old, &before), &proposal.choices),
    };
    // To a column that somebody edited files are read as it says.
    let chosen = chosen.iter().filter(|f| !by_hand.contains(f.name()));
    choices::set(&mut columns, &chosen.cloned().collect());
    // Of a type that is none of ours nothing can be said, and so it is left as it is.
    for column in old.columns() {
        if parse_type(column.hive_type()).is_err() {
            columns.retain(|c| !c.name.eq_ignore_ascii_case(&column.name));
            columns.push(column.clone());
        }
    }
    if let Some(storage) = &mut proposal.table.storage_descriptor {
        storage.columns = columns;
    }
    keep_what_people_wrote(old, &mut proposal.table);
}

/// Remembers what was inferred, for the next crawl to tell what was edited.
pub(crate) fn set_inferred(proposal: &mut Proposal, last: Option<&Fields>, update: UpdateBehavior) {
    let now = match (last, update) {
        (Some(last), UpdateBehavior::MergeNewColumns) => {
            widen_fields(last, &known(&proposal.fields, last), &mut |_| ())
        }
        _ => proposal.fields.clone(),
    };
    let text = inferred_text(&now);
    proposal.table.parameters.insert(INFERRED.into(), text);
}

fn edited(was: &Field, inferred: &Field) -> bool {
    format_type(was.data_type()) != format_type(inferred.data_type())
}

/// A column that is text only because nothing but nulls was found in it says nothing.
fn silent(before: &Fields, last: Option<&Fields>) -> Fields {
    before
        .iter()
        .map(|f| {
            let nothing = last
                .and_then(|last| position(last, f.name()).map(|at| &last[at]))
                .is_some_and(|inferred| inferred.data_type() == &DataType::Null);
            if nothing && f.data_type() == &DataType::Utf8 {
                std::sync::Arc::new(f.as_ref().clone().with_data_type(DataType::Null))
            } else {
                f.clone()
            }
        })
        .collect()
}

/// A column in which nothing but nulls is found now is what it was.
fn known(fields: &Fields, other: &Fields) -> Fields {
    fields
        .iter()
        .map(|f| match position(other, f.name()) {
            Some(at) if f.data_type() == &DataType::Null => other[at].clone(),
            _ => f.clone(),
        })
        .collect()
}

fn with_comments(old: &Table, before: &Fields, fields: &[Field]) -> Vec<Column> {
    fields
        .iter()
        .map(|field| {
            let mut column = old
                .columns()
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(field.name()))
                .cloned()
                .unwrap_or_else(|| Column::new(field.name(), ""));
            let same = before
                .iter()
                .any(|b| b.name() == field.name() && b.data_type() == field.data_type());
            if !same || column.hive_type().is_empty() {
                column.type_ = Some(format_type(field.data_type()));
            }
            column
        })
        .collect()
}

/// Parameters that crawls write, and that are gone where a crawl no longer writes them.
const OURS: [&str; 6] = [
    names::DEPRECATED,
    names::EXCLUSIONS,
    names::DELIMITER,
    names::COLUMNS_ORDERED,
    names::SKIP_HEADER,
    names::SKIP_FOOTER,
];

fn keep_what_people_wrote(old: &Table, new: &mut Table) {
    for (key, was) in new.partition_keys.iter_mut().zip(&old.partition_keys) {
        if key.name == was.name {
            key.comment.clone_from(&was.comment);
            // A key is never narrowed: partitions that are there have values of the wider type.
            let (now, before) = (parse_type(key.hive_type()), parse_type(was.hive_type()));
            if let (Ok(now), Ok(before)) = (now, before)
                && widen(&before, &now) == before
            {
                key.type_.clone_from(&was.type_);
            }
        }
    }
    for (name, value) in &old.parameters {
        let ours = OURS.contains(&name.as_str()) || name.starts_with("mastic.");
        if !ours && !new.parameters.contains_key(name) {
            new.parameters.insert(name.clone(), value.clone());
        }
    }
    new.description.clone_from(&old.description);
    new.owner.clone_from(&old.owner);
    new.retention = old.retention;
    new.create_time = old.create_time;
}
