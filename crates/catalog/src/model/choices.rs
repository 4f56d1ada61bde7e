//! Columns whose values disagree in type, as a catalog keeps them: beside the type that holds all values, in a parameter,
//! the choice that a dynamic frame reads.

use std::sync::Arc;

use arrow_schema::{FieldRef, Fields};
use mastic_schema::choice::{format_type, has_choice};
use mastic_schema::hive::parse_type;
use mastic_schema::merge::position;

use super::parameters::CHOICE;
use super::{Column, Table};

/// Gives the columns that are choices, or hold some, the parameter that says so; takes it from all others.
pub fn set_choices(columns: &mut [Column], chosen: &Fields) {
    for column in columns {
        let chosen = position(chosen, &column.name).map(|at| chosen[at].data_type());
        match chosen.filter(|chosen| has_choice(chosen)) {
            Some(chosen) => {
                let text = format_type(chosen);
                column.parameters.insert(CHOICE.to_owned(), text);
            }
            None => {
                column.parameters.remove(CHOICE);
            }
        }
    }
}

/// A table's columns, of which `plain` are the types, as a dynamic frame reads them.
pub fn chosen_columns(table: &Table, plain: &Fields) -> Fields {
    let of = |field: &FieldRef| {
        let mut columns = table.columns().iter();
        let column = columns.find(|c| c.name.eq_ignore_ascii_case(field.name()));
        let chosen = column.and_then(|c| parse_type(c.parameters.get(CHOICE)?).ok());
        match chosen {
            Some(chosen) => Arc::new(field.as_ref().clone().with_data_type(chosen)),
            None => field.clone(),
        }
    };
    plain.iter().map(of).collect()
}
