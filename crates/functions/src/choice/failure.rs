//! Which values a conversion lost.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringBuilder, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_err};
use mastic_schema::choice::alternatives;
use mastic_schema::merge::position;

use super::convert::{as_list, convert, is_text, item, pair};
use super::{Step, elements, field_at};

/// Values are shown up to so many characters.
const SHOWN: usize = 60;

/// Whether converting `from` to `to` can lose a value: not where every value of the one is a value of
/// the other, and not to text.
pub fn can_fail(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to || matches!(from, T::Null) {
        return false;
    }
    if let Some(own) = alternatives(from) {
        return own.iter().any(|f| can_fail(f.data_type(), to));
    }
    let whole = |t: &T| match t {
        T::Boolean => Some(1),
        T::Int8 => Some(8),
        T::UInt8 => Some(9),
        T::Int16 => Some(16),
        T::UInt16 => Some(17),
        T::Int32 => Some(32),
        T::UInt32 => Some(33),
        T::Int64 => Some(64),
        T::UInt64 => Some(65),
        _ => None,
    };
    match (from, to) {
        (T::Struct(a), T::Struct(b)) => b.iter().any(|wanted| {
            position(a, wanted.name())
                .is_some_and(|at| can_fail(a[at].data_type(), wanted.data_type()))
        }),
        (T::Map(..), T::Map(..)) => match (pair(from), pair(to)) {
            (Some((_, a)), Some((_, b))) => can_fail(a.data_type(), b.data_type()),
            _ => true,
        },
        (T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), _) => true,
        (_, to) if is_text(to) => false,
        (from, T::Float32 | T::Float64) if from.is_numeric() => false,
        (T::Date32 | T::Date64, T::Timestamp(..)) => true,
        _ => match (item(from), item(to)) {
            (Some(a), Some(b)) => can_fail(a.data_type(), b.data_type()),
            (None, Some(b)) => can_fail(from, b.data_type()),
            _ => match (whole(from), whole(to)) {
                (Some(_), Some(1)) => false,
                (Some(a), Some(b)) => a > b,
                _ => true,
            },
        },
    }
}

/// The reason for each row whose value, or a value in it, is there before and not after.
pub(super) fn reasons(
    value: &ArrayRef,
    converted: &ArrayRef,
    path: &str,
    wanted: &str,
) -> Result<ArrayRef> {
    let rows = value.len();
    let lost = match lost(value, converted)? {
        Some(lost) if lost.count_set_bits() > 0 => lost,
        _ => return Ok(new_null_array(&DataType::Utf8, rows)),
    };
    let options = FormatOptions::default().with_null("null");
    let shown = Shown::of(value, &options)?;
    let mut made = StringBuilder::with_capacity(rows, 64 * lost.count_set_bits());
    for row in 0..rows {
        if lost.value(row) {
            made.append_value(format!(
                "'{}' in field {path} is no {wanted}",
                cut(&shown.text(row))
            ));
        } else {
            made.append_null();
        }
    }
    Ok(Arc::new(made.finish()))
}

/// What a conversion did to the values that a path leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversion {
    /// How many values are there before and not after, or have lost a value within.
    pub lost: u64,
    /// How many are there after.
    pub kept: u64,
    /// The first that was lost, as in `'abc' in field x is no bigint`.
    pub first: Option<String>,
}

/// Counts what a conversion lost of the values that `steps` lead to, in both alike, by where values are and
/// where none are; no value is looked at, but the first that was lost. `path` and `wanted` name the values and
/// their type for that one's text.
///
/// # Errors
/// When the steps lead nowhere.
pub fn conversion(
    before: &ArrayRef,
    after: &ArrayRef,
    steps: &[Step],
    path: &str,
    wanted: &str,
) -> Result<Conversion> {
    let (before, after) = (reached(before, steps)?, reached(after, steps)?);
    let mut made = Conversion {
        kept: (after.len() - after.logical_null_count()) as u64,
        ..Conversion::default()
    };
    let Some(lost) = lost(&before, &after)? else {
        return Ok(made);
    };
    made.lost = lost.count_set_bits() as u64;
    if let Some(row) = lost.set_indices().next() {
        let reason = reasons(&before.slice(row, 1), &after.slice(row, 1), path, wanted)?;
        made.first = reason
            .as_string::<i32>()
            .iter()
            .flatten()
            .next()
            .map(str::to_owned);
    }
    Ok(made)
}

/// The values that the steps lead to.
fn reached(array: &ArrayRef, steps: &[Step]) -> Result<ArrayRef> {
    let mut here = Arc::clone(array);
    for step in steps {
        here = match step {
            Step::Field(name) => field_at(&here, std::slice::from_ref(name))?,
            Step::Items => {
                let values = elements(&here)?.values().clone();
                match (here.data_type(), values.as_struct_opt()) {
                    (DataType::Map(..), Some(pairs)) => match pairs.columns() {
                        [_, value] => Arc::clone(value),
                        _ => return exec_err!("{} is no map", here.data_type()),
                    },
                    _ => values,
                }
            }
        };
    }
    Ok(here)
}

/// A value as text; a choice as the value that it has.
enum Shown<'a> {
    Plain(ArrayFormatter<'a>),
    Choice(Vec<(&'a ArrayRef, ArrayFormatter<'a>)>),
}

impl<'a> Shown<'a> {
    fn of(value: &'a ArrayRef, options: &FormatOptions<'a>) -> Result<Self> {
        if alternatives(value.data_type()).is_none() {
            let shown = ArrayFormatter::try_new(value.as_ref(), options)?;
            return Ok(Self::Plain(shown));
        }
        let mut all = Vec::new();
        for column in value.as_struct().columns() {
            all.push((column, ArrayFormatter::try_new(column.as_ref(), options)?));
        }
        Ok(Self::Choice(all))
    }

    fn text(&self, row: usize) -> String {
        match self {
            Self::Plain(shown) => shown.value(row).to_string(),
            Self::Choice(all) => all
                .iter()
                .find(|(column, _)| column.is_valid(row))
                .map(|(_, shown)| shown.value(row).to_string())
                .unwrap_or_default(),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The rows where a value is there before and not after; nothing where there are none.
fn lost(before: &ArrayRef, after: &ArrayRef) -> Result<Option<BooleanBuffer>> {
    if before.data_type() == after.data_type() {
        return Ok(None);
    }
    let mut all = gone(&valid(before), &valid(after), before.len());
    if alternatives(before.data_type()).is_some() {
        // Only nested values can have lost something within.
        if after.data_type().is_nested() {
            for own in before.as_struct().columns() {
                if own.data_type().is_nested() && own.null_count() < own.len() {
                    let inner = lost(own, &convert(own, after.data_type())?)?;
                    all = or(all, and(inner, own.nulls()));
                }
            }
        }
        return Ok(all);
    }
    match (before.data_type(), after.data_type()) {
        (DataType::Struct(_), DataType::Struct(wanted)) => {
            let (own, made) = (before.as_struct(), after.as_struct());
            for (field, made) in wanted.iter().zip(made.columns()) {
                if let Some(at) = position(own.fields(), field.name()) {
                    all = or(all, lost(own.column(at), made)?);
                }
            }
            Ok(and(all, own.nulls()))
        }
        _ => Ok(or(all, within(before, after)?)),
    }
}

/// What was lost within arrays and maps.
fn within(before: &ArrayRef, after: &ArrayRef) -> Result<Option<BooleanBuffer>> {
    match (before.data_type(), after.data_type()) {
        (DataType::Map(..), DataType::Map(..)) => {
            let (own, made) = (before.as_map(), after.as_map());
            let inner = lost(own.values(), made.values())?;
            Ok(inner.map(|inner| any(&inner, own.offsets(), own.nulls())))
        }
        (a, b) if item(a).is_some() && item(b).is_some() => {
            let (own, made) = (as_list(before)?, as_list(after)?);
            let inner = lost(own.values(), made.values())?;
            Ok(inner.map(|inner| any(&inner, own.offsets(), own.nulls())))
        }
        _ => Ok(None),
    }
}

/// Where a value is. A choice is where one of its alternatives is.
fn valid(array: &ArrayRef) -> Option<BooleanBuffer> {
    if alternatives(array.data_type()).is_some() {
        let own = array.as_struct();
        let mut any: Option<BooleanBuffer> = None;
        for column in own.columns() {
            match valid(column) {
                Some(valid) => any = or(any, Some(valid)),
                None => return own.nulls().map(|n| n.inner().clone()),
            }
        }
        return match (any, own.nulls()) {
            (None, nulls) => nulls.map(|n| n.inner().clone()),
            (any, nulls) => and(any, nulls),
        };
    }
    array.logical_nulls().map(|n| n.inner().clone())
}

fn gone(
    before: &Option<BooleanBuffer>,
    after: &Option<BooleanBuffer>,
    rows: usize,
) -> Option<BooleanBuffer> {
    let after = after.as_ref()?;
    let gone = match before {
        Some(before) if before.len() == rows => before & &!after,
        _ => !after,
    };
    (gone.count_set_bits() > 0).then_some(gone)
}

fn or(a: Option<BooleanBuffer>, b: Option<BooleanBuffer>) -> Option<BooleanBuffer> {
    match (a, b) {
        (Some(a), Some(b)) => Some(&a | &b),
        (a, b) => a.or(b),
    }
}

fn and(a: Option<BooleanBuffer>, nulls: Option<&NullBuffer>) -> Option<BooleanBuffer> {
    match (a, nulls) {
        (Some(a), Some(nulls)) => Some(&a & nulls.inner()),
        (a, None) => a,
        (None, _) => None,
    }
}

/// The rows of which an element is marked.
fn any(marked: &BooleanBuffer, offsets: &[i32], nulls: Option<&NullBuffer>) -> BooleanBuffer {
    let rows: BooleanArray = offsets
        .windows(2)
        .enumerate()
        .map(|(row, ends)| {
            let [from, to] = [ends.first(), ends.last()]
                .map(|o| o.and_then(|o| usize::try_from(*o).ok()).unwrap_or_default());
            let here = nulls.is_none_or(|n| n.is_valid(row));
            Some(here && from < to && marked.slice(from, to - from).count_set_bits() > 0)
        })
        .collect();
    rows.values().clone()
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, StringBuilder};
    use mastic_schema::hive::list_of;
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<Option<Vec<Option<String>>>>;

    fn rows() -> impl Strategy<Value = Rows> {
        let text = proptest::option::weighted(0.8, "[0-9]{1,3}|[a-z]");
        let list = proptest::option::weighted(0.9, proptest::collection::vec(text, 0..4));
        proptest::collection::vec(list, 1..40)
    }

    proptest! {
        /// A row has a reason where one of its texts is no number, by Rust's own reading.
        #[test]
        fn reasons_are_where_values_were_lost(rows in rows(), from in 0_usize..10) {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for row in &rows {
                for text in row.iter().flatten() {
                    lists.values().append_option(text.as_deref());
                }
                lists.append(row.is_some());
            }
            let from = from.min(rows.len() - 1);
            let list: ArrayRef = Arc::new(lists.finish().slice(from, rows.len() - from));
            let wanted = list_of(DataType::Int64);
            prop_assert!(can_fail(list.data_type(), &wanted));
            let converted = convert(&list, &wanted).unwrap();
            let made = reasons(&list, &converted, "x", "array<bigint>").unwrap();
            for (at, row) in rows[from..].iter().enumerate() {
                let texts = || row.iter().flatten().flatten();
                let bad = texts().any(|t| t.parse::<i64>().is_err());
                prop_assert_eq!(made.is_valid(at), bad);
            }
        }
    }

    #[test]
    fn losses_are_counted_in_elements() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in [
            Some(vec!["1", "x"]),
            None,
            Some(vec![]),
            Some(vec!["y", "2"]),
        ] {
            for text in row.iter().flatten() {
                lists.values().append_value(text);
            }
            lists.append(row.is_some());
        }
        let list: ArrayRef = Arc::new(lists.finish());
        let converted = convert(&list, &list_of(DataType::Int64)).unwrap();
        let found = conversion(&list, &converted, &[Step::Items], "a[]", "bigint").unwrap();
        assert_eq!((found.lost, found.kept), (2, 2));
        assert_eq!(found.first.unwrap(), "'x' in field a[] is no bigint");
        // As values of the whole column, two of the three arrays have lost something.
        let found = conversion(&list, &converted, &[], "a", "array<bigint>").unwrap();
        assert_eq!((found.lost, found.kept), (2, 3));
    }

    #[test]
    fn what_cannot_fail() {
        let hive = |text: &str| mastic_schema::hive::parse_type(text).unwrap();
        for (from, to, expected) in [
            ("int", "bigint", false),
            ("bigint", "int", true),
            ("bigint", "double", false),
            ("date", "string", false),
            ("string", "date", true),
            ("struct<a:string,b:int>", "struct<b:bigint>", false),
            ("array<string>", "array<int>", true),
            ("choice<bigint,string>", "string", false),
            ("choice<bigint,string>", "bigint", true),
        ] {
            assert_eq!(can_fail(&hive(from), &hive(to)), expected, "{from} to {to}");
        }
    }
}
