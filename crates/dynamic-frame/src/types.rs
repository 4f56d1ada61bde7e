//! Types of lists and structs, taken apart.

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use mastic_schema::choice::{format_type, is_choice};

use crate::Result;
use crate::path::Path;
use crate::record::{Record, not_a_struct};

/// The element of a list type.
pub(crate) fn element(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => Some(f),
        _ => None,
    }
}

/// The list type with another element.
fn with_element(data_type: &DataType, element: FieldRef) -> DataType {
    match data_type {
        DataType::LargeList(_) => DataType::LargeList(element),
        DataType::FixedSizeList(_, n) => DataType::FixedSizeList(element, *n),
        _ => DataType::List(element),
    }
}

/// The type without the field at `path.parts()[depth..]`, or nothing where no field is left.
pub(crate) fn without(data_type: &DataType, path: &Path, depth: usize) -> Result<Option<DataType>> {
    if let Some(inner) = element(data_type) {
        let narrow = without(inner.data_type(), path, depth)?;
        return Ok(narrow.map(|narrow| {
            let field = inner.as_ref().clone().with_data_type(narrow);
            with_element(data_type, field.into())
        }));
    }
    let DataType::Struct(fields) = data_type else {
        return Err(not_a_struct(path, depth - 1, format_type(data_type)));
    };
    if is_choice(data_type) {
        return Err(not_a_struct(path, depth - 1, format_type(data_type)));
    }
    let whole = Record::of_schema(&Schema::new(fields.clone()));
    let at = whole.at(path, depth)?;
    let mut kept: Vec<FieldRef> = fields.iter().cloned().collect();
    if depth + 1 == path.parts().len() {
        kept.remove(at);
    } else {
        match without(fields[at].data_type(), path, depth + 1)? {
            Some(narrow) => kept[at] = fields[at].as_ref().clone().with_data_type(narrow).into(),
            None => {
                kept.remove(at);
            }
        }
    }
    Ok((!kept.is_empty()).then(|| DataType::Struct(Fields::from(kept))))
}
