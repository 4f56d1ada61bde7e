//! Columns whose values disagree in type.

use mastic_catalog::Column;
pub(crate) use mastic_catalog::{chosen_columns as of, set_choices as set};

/// Whether columns have the same names and types, whatever else is said of them.
pub(crate) fn same_columns(a: &[Column], b: &[Column]) -> bool {
    let said = |c: &Column| (c.name.clone(), c.type_.clone());
    a.iter().map(said).eq(b.iter().map(said))
}
