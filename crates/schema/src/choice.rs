//! Choices: columns whose values disagree in type, each value kept as it was found.
//!
//! Glue's dynamic frames call such a column a `ChoiceType`. Here it is a struct of nullable
//! alternatives of which at most one is set in each record (`struct<long:bigint,string:string>`), so
//! every operator, codec and file format that carries structs carries choices. What marks it is the
//! metadata of the alternatives' own fields ([`MARK`]): it is part of the Arrow type, so no
//! expression that passes a value on can lose it.
//!
//! Where widening ([`crate::merge`]) finds one type that holds the values of two, choosing
//! ([`choose`]) keeps both types: what a table's column becomes, and what a frame's.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use crate::hive::{format_choices, list_of, map_of};
use crate::merge::{position, widen};

/// The metadata key on each alternative's field. Its value is the alternative's name.
pub const MARK: &str = "mastic:choice";

/// The name of a type as an alternative of a choice. These are Glue's names (`gluetypes.py` in
/// `aws-glue-libs`), which `make_cols` puts behind a column's name; an instant, which Glue does not
/// tell from a timestamp, is `timestamptz`.
pub fn alternative_name(data_type: &DataType) -> &'static str {
    use DataType as T;
    match data_type {
        T::Null => "null",
        T::Boolean => "boolean",
        T::Int8 => "byte",
        T::Int16 | T::UInt8 => "short",
        T::Int32 | T::UInt16 => "int",
        T::Int64 | T::UInt32 => "long",
        T::Float16 | T::Float32 => "float",
        T::Float64 => "double",
        T::UInt64 | T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => {
            "decimal"
        }
        T::Date32 | T::Date64 => "date",
        T::Timestamp(_, None) => "timestamp",
        T::Timestamp(_, Some(_)) => "timestamptz",
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "binary",
        T::List(_)
        | T::LargeList(_)
        | T::FixedSizeList(..)
        | T::ListView(_)
        | T::LargeListView(_) => "array",
        T::Map(..) => "map",
        T::Struct(_) => "struct",
        T::Dictionary(_, value) => alternative_name(value),
        T::RunEndEncoded(_, value) => alternative_name(value.data_type()),
        _ => "string",
    }
}

/// In which order alternatives stand: from what says most of a value to what says least.
fn rank(data_type: &DataType) -> u8 {
    match alternative_name(data_type) {
        "boolean" => 0,
        "byte" | "short" | "int" | "long" | "float" | "double" | "decimal" => 1,
        "date" | "timestamp" => 2,
        "timestamptz" => 3,
        "struct" => 4,
        "map" => 5,
        "array" => 6,
        "binary" => 7,
        _ => 8,
    }
}

/// The alternatives of a choice, or nothing where the type is none.
pub fn alternatives(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields)
            if !fields.is_empty() && fields.iter().all(|f| f.metadata().contains_key(MARK)) =>
        {
            Some(fields)
        }
        _ => None,
    }
}

/// Whether the type is a choice.
pub fn is_choice(data_type: &DataType) -> bool {
    alternatives(data_type).is_some()
}

/// Whether the type is a choice or holds one, at any depth.
pub fn has_choice(data_type: &DataType) -> bool {
    if is_choice(data_type) {
        return true;
    }
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|f| has_choice(f.data_type())),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => has_choice(f.data_type()),
        _ => false,
    }
}

/// A choice of these types: types that one of them holds become one ([`choose`]), a choice among
/// them is opened. One type alone is that type; none is [`DataType::Null`].
pub fn choice_of(types: impl IntoIterator<Item = DataType>) -> DataType {
    let mut slots: Vec<DataType> = Vec::new();
    let mut add = |wanted: DataType| {
        if wanted == DataType::Null {
            return;
        }
        for slot in &mut slots {
            if let Some(merged) = unite(slot, &wanted) {
                *slot = merged;
                return;
            }
        }
        slots.push(wanted);
    };
    for wanted in types {
        match alternatives(&wanted) {
            Some(fields) => fields.iter().for_each(|f| add(f.data_type().clone())),
            None => add(wanted),
        }
    }
    if slots.len() <= 1 {
        return slots.pop().unwrap_or(DataType::Null);
    }
    slots.sort_by_key(rank);
    DataType::Struct(slots.into_iter().map(alternative).collect())
}

/// The field of an alternative of this type.
pub fn alternative(data_type: DataType) -> FieldRef {
    let name = alternative_name(&data_type);
    let mark = HashMap::from([(MARK.to_owned(), name.to_owned())]);
    Arc::new(Field::new(name, data_type, true).with_metadata(mark))
}

/// The type that keeps every value of `a` and of `b` as it was found. Numbers of different widths
/// become the width that holds both, as in a table (Glue makes a choice of them, which nobody asks
/// for); structs unite field by field, arrays and maps by their elements; all else is a choice.
pub fn choose(a: &DataType, b: &DataType) -> DataType {
    if a == b {
        return a.clone();
    }
    choice_of([a.clone(), b.clone()])
}

/// The metadata key on a field of text whose values are codes: digits alone, some of them behind a zero (`007`). What is
/// a number in another file is a code there, too.
const CODES: &str = "mastic:codes";

/// The same field, of codes.
#[must_use]
pub fn codes(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(CODES.to_owned(), String::new());
    field.with_metadata(metadata)
}

/// The fields as they are read, when there is no other file whose fields they could meet: without what is known of
/// codes, at any depth of structs.
pub fn settled(fields: &Fields) -> Fields {
    let settled = |field: &FieldRef| {
        let nested = match field.data_type() {
            DataType::Struct(fields) => Some(DataType::Struct(settled(fields))),
            _ => None,
        };
        let marked = field.metadata().contains_key(CODES);
        if !marked && nested.as_ref().is_none_or(|n| n == field.data_type()) {
            return field.clone();
        }
        let mut metadata = field.metadata().clone();
        metadata.remove(CODES);
        let mut field = field.as_ref().clone().with_metadata(metadata);
        if let Some(nested) = nested {
            field.set_data_type(nested);
        }
        Arc::new(field)
    };
    fields.iter().map(settled).collect()
}

/// One field for both: what [`choose`] makes of their types, but that numbers beside codes are codes.
fn choose_field(left: &FieldRef, right: &FieldRef) -> FieldRef {
    let both = choose(left.data_type(), right.data_type());
    let marked = |f: &FieldRef| f.metadata().contains_key(CODES);
    if !marked(left) && !marked(right) {
        return match both == *left.data_type() {
            true => left.clone(),
            false => Arc::new(left.as_ref().clone().with_data_type(both)),
        };
    }
    let is_scalar = |t: &DataType| matches!(rank(t), 1 | 8);
    let numbers =
        alternatives(&both).is_some_and(|all| all.iter().all(|f| is_scalar(f.data_type())));
    let both = if numbers { DataType::Utf8 } else { both };
    Arc::new(codes(left.as_ref().clone().with_data_type(both)))
}

/// Chooses field by field, by name without regard to case: fields of `a` first, then those that
/// only `b` has.
pub fn choose_fields(a: &Fields, b: &Fields) -> Fields {
    let mut used = vec![false; b.len()];
    let mut merged: Vec<FieldRef> = Vec::with_capacity(a.len());
    for left in a {
        let twin = position(b, left.name()).filter(|at| !used[*at]);
        merged.push(match twin {
            None => left.clone(),
            Some(at) => {
                used[at] = true;
                choose_field(left, &b[at])
            }
        });
    }
    let only_right = b.iter().zip(used).filter(|(_, used)| !used);
    merged.extend(only_right.map(|(field, _)| field.clone()));
    merged.into()
}

/// One type for both, where one alternative can hold both; neither is a choice.
fn unite(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{List, Map, Struct};
    if a == b {
        return Some(a.clone());
    }
    if is_choice(a) || is_choice(b) {
        return None;
    }
    let text = |t: &DataType| alternative_name(t) == "string";
    match (a, b) {
        (Struct(x), Struct(y)) => Some(Struct(choose_fields(x, y))),
        (List(x), List(y)) => Some(list_of(choose(x.data_type(), y.data_type()))),
        (Map(x, _), Map(y, _)) => {
            let ((xk, xv), (yk, yv)) = (entry(x)?, entry(y)?);
            (text(xk) && text(yk)).then(|| map_of(xk.clone(), choose(xv, yv)))
        }
        // An object whose keys vary in one file and are few in another.
        (Map(x, _), Struct(fields)) | (Struct(fields), Map(x, _)) => {
            let (key, value) = entry(x)?;
            let values = fields.iter().map(|f| f.data_type().clone());
            text(key).then(|| {
                map_of(
                    key.clone(),
                    choice_of([value.clone()].into_iter().chain(values)),
                )
            })
        }
        _ if text(a) && text(b) => Some(DataType::Utf8View),
        _ if rank(a) == rank(b) && rank(a) <= 3 => {
            let wide = widen(a, b);
            (!text(&wide)).then_some(wide)
        }
        _ => None,
    }
}

fn entry(entries: &FieldRef) -> Option<(&DataType, &DataType)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key.data_type(), value.data_type())),
            _ => None,
        },
        _ => None,
    }
}

/// The type without its choices: each becomes the one type that holds all of its alternatives, as
/// in a table ([`widen`]). So a frame's schema becomes a catalog's.
pub fn widened(data_type: &DataType) -> DataType {
    let field = |f: &FieldRef| Arc::new(f.as_ref().clone().with_data_type(widened(f.data_type())));
    if let Some(alternatives) = alternatives(data_type) {
        let types = alternatives.iter().map(|f| widened(f.data_type()));
        return types.fold(DataType::Null, |all, next| widen(&all, &next));
    }
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::List(f) => DataType::List(field(f)),
        DataType::LargeList(f) => DataType::LargeList(field(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(field(f), *n),
        DataType::Map(f, sorted) => DataType::Map(field(f), *sorted),
        other => other.clone(),
    }
}

/// Writes a type as [`crate::hive::format_type`] does, with choices as `choice<bigint,string>`;
/// [`crate::hive::parse_type`] reads it.
pub fn format_type(data_type: &DataType) -> String {
    format_choices(data_type)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hive::parse_type;
    use proptest::prelude::*;

    fn chosen(a: &str, b: &str) -> String {
        format_type(&choose(&parse_type(a).unwrap(), &parse_type(b).unwrap()))
    }

    #[test]
    fn types_that_disagree_stay_side_by_side() {
        for (a, b, expected) in [
            ("bigint", "string", "choice<bigint,string>"),
            ("string", "bigint", "choice<bigint,string>"),
            ("int", "bigint", "bigint"),
            ("bigint", "double", "double"),
            ("date", "timestamp", "timestamp"),
            ("boolean", "bigint", "choice<boolean,bigint>"),
            ("string", "array<string>", "choice<array<string>,string>"),
            (
                "array<bigint>",
                "array<string>",
                "array<choice<bigint,string>>",
            ),
            (
                "struct<a:int>",
                "struct<a:string,b:int>",
                "struct<a:choice<int,string>,b:int>",
            ),
            ("struct<a:int>", "string", "choice<struct<a:int>,string>"),
            ("choice<bigint,string>", "double", "choice<double,string>"),
            (
                "choice<bigint,string>",
                "array<int>",
                "choice<bigint,array<int>,string>",
            ),
            (
                "choice<bigint,string>",
                "choice<bigint,date>",
                "choice<bigint,date,string>",
            ),
            (
                "map<string,bigint>",
                "struct<a:string>",
                "map<string,choice<bigint,string>>",
            ),
        ] {
            assert_eq!(chosen(a, b), expected, "{a} with {b}");
        }
    }

    #[test]
    fn a_choice_is_a_marked_struct() {
        let both = choice_of([DataType::Int64, DataType::Utf8]);
        let names: Vec<_> = alternatives(&both)
            .unwrap()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        assert_eq!(names, ["long", "string"]);
        assert_eq!(
            crate::hive::format_type(&both),
            "struct<long:bigint,string:string>"
        );
        let plain = parse_type("struct<long:bigint,string:string>").unwrap();
        assert!(!is_choice(&plain));
        assert!(has_choice(&list_of(both.clone())));
        assert_eq!(widened(&list_of(both)), list_of(DataType::Utf8));
    }

    fn any_type() -> impl Strategy<Value = DataType> {
        let leaf = proptest::sample::select(vec![
            DataType::Boolean,
            DataType::Int32,
            DataType::Int64,
            DataType::Float64,
            DataType::Utf8,
            DataType::Date32,
        ]);
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(list_of),
                proptest::collection::btree_map("[a-c]", inner.clone(), 1..3).prop_map(|fields| {
                    let fields = fields.into_iter().map(|(n, t)| Field::new(n, t, true));
                    DataType::Struct(fields.collect())
                }),
                (inner.clone(), inner).prop_map(|(a, b)| choose(&a, &b)),
            ]
        })
    }

    fn sorted(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Struct(fields) => {
                let mut fields: Vec<Field> = fields
                    .iter()
                    .map(|f| f.as_ref().clone().with_data_type(sorted(f.data_type())))
                    .collect();
                fields.sort_by(|a, b| a.name().cmp(b.name()));
                DataType::Struct(fields.into())
            }
            DataType::List(item) => list_of(sorted(item.data_type())),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn order_does_not_matter(a in any_type(), b in any_type()) {
            prop_assert_eq!(sorted(&choose(&a, &b)), sorted(&choose(&b, &a)));
        }

        #[test]
        fn choosing_again_changes_nothing(a in any_type(), b in any_type()) {
            let once = choose(&a, &b);
            prop_assert_eq!(choose(&once, &b), once.clone());
            prop_assert_eq!(choose(&once, &a), once);
        }

        #[test]
        fn text_leads_there_and_back(a in any_type()) {
            prop_assert_eq!(parse_type(&format_type(&a)).unwrap(), a);
        }
    }
}
