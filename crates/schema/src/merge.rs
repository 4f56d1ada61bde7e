//! Widening: the narrowest type that holds what two types hold.
//!
//! It never fails. Types that have nothing in common become a string, in which every value can
//! still be read (numbers as written, objects and arrays as JSON).

use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Fields, TimeUnit};

use crate::hive::{list_of, map_of};

/// The largest number of decimal digits a decimal column can hold.
const MAX_PRECISION: u8 = 38;
/// The significant digits that every double keeps (IEEE 754, `DBL_DIG`).
const DOUBLE_DIGITS: u8 = 15;

/// A place where two schemas disagree, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The column, with `.` between the names of nested fields and `[]` after an array.
    pub path: String,
    /// The type on the one side.
    pub left: DataType,
    /// The type on the other side.
    pub right: DataType,
    /// The type that holds both.
    pub merged: DataType,
}

/// The narrowest type that holds every value of `a` and of `b`.
pub fn widen(a: &DataType, b: &DataType) -> DataType {
    widen_at("", a, b, &mut |_| ())
}

/// Widens field by field, by name without regard to case: fields of `a` first, then those that
/// only `b` has. Every disagreement that changed a type is told to `tell`.
pub fn widen_fields(a: &Fields, b: &Fields, tell: &mut dyn FnMut(Disagreement)) -> Fields {
    merge_fields("", a, b, tell)
}

fn merge_fields(path: &str, a: &Fields, b: &Fields, tell: &mut dyn FnMut(Disagreement)) -> Fields {
    let mut merged: Vec<FieldRef> = Vec::with_capacity(a.len());
    let mut used = vec![false; b.len()];
    for left in a {
        let twin = position(b, left.name()).filter(|i| !used[*i]);
        merged.push(match twin {
            None => left.clone(),
            Some(i) => {
                used[i] = true;
                let data_type = widen_at(
                    &join(path, left.name()),
                    left.data_type(),
                    b[i].data_type(),
                    tell,
                );
                if &data_type == left.data_type() {
                    left.clone()
                } else {
                    Arc::new(left.as_ref().clone().with_data_type(data_type))
                }
            }
        });
    }
    merged.extend(
        b.iter()
            .zip(used)
            .filter(|(_, used)| !used)
            .map(|(f, _)| f.clone()),
    );
    merged.into()
}

/// Where `fields` has `name`: the same case first, then any case.
pub fn position(fields: &Fields, name: &str) -> Option<usize> {
    fields
        .iter()
        .position(|f| f.name() == name)
        .or_else(|| {
            fields
                .iter()
                .position(|f| f.name().eq_ignore_ascii_case(name))
        })
        .or_else(|| {
            // Only names beyond ASCII need the slow comparison.
            if name.is_ascii() {
                return None;
            }
            let lower = name.to_lowercase();
            fields.iter().position(|f| f.name().to_lowercase() == lower)
        })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn widen_at(
    path: &str,
    a: &DataType,
    b: &DataType,
    tell: &mut dyn FnMut(Disagreement),
) -> DataType {
    use DataType::{Boolean, Date32, Float32, Float64, List, Map, Null, Struct, Timestamp, Utf8};
    if a == b {
        return a.clone();
    }
    match (a, b) {
        (Null, other) | (other, Null) => return other.clone(),
        (Struct(x), Struct(y)) => return Struct(merge_fields(path, x, y, tell)),
        (List(x), List(y)) => {
            return list_of(widen_at(
                &format!("{path}[]"),
                x.data_type(),
                y.data_type(),
                tell,
            ));
        }
        (Map(x, _), Map(y, _)) => {
            if let (Some((xk, xv)), Some((yk, yv))) = (entries(x), entries(y)) {
                let key = widen_at(path, xk, yk, tell);
                return map_of(key, widen_at(&format!("{path}{{}}"), xv, yv, tell));
            }
        }
        // An object whose keys vary in one file and are few in another.
        (Map(x, _), Struct(fields)) | (Struct(fields), Map(x, _)) => {
            if let Some((DataType::Utf8, value)) = entries(x) {
                let merged = fields.iter().fold(value.clone(), |all, f| {
                    widen_at(&format!("{path}{{}}"), &all, f.data_type(), tell)
                });
                return map_of(Utf8, merged);
            }
        }
        _ => {}
    }
    let merged = match (a, b) {
        _ if a.is_integer() && b.is_integer() => wider_integer(a, b),
        (Float32, Float64) | (Float64, Float32) => Float64,
        (x, y) if x.is_floating() && y.is_integer() => float_for(x, y),
        (x, y) if x.is_integer() && y.is_floating() => float_for(y, x),
        (x, y) if is_decimal(x) || is_decimal(y) => wider_decimal(x, y),
        (Date32, Timestamp(_, None)) | (Timestamp(_, None), Date32) => {
            Timestamp(TimeUnit::Microsecond, None)
        }
        (Timestamp(u, x), Timestamp(v, y)) if x.is_some() == y.is_some() => {
            Timestamp(finer(*u, *v), x.clone())
        }
        (Boolean, _) | (_, Boolean) => Utf8,
        _ => Utf8,
    };
    tell(Disagreement {
        path: path.to_owned(),
        left: a.clone(),
        right: b.clone(),
        merged: merged.clone(),
    });
    merged
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    match (a, b) {
        (Nanosecond, _) | (_, Nanosecond) => Nanosecond,
        (Microsecond, _) | (_, Microsecond) => Microsecond,
        (Millisecond, _) | (_, Millisecond) => Millisecond,
        (Second, Second) => Second,
    }
}

fn entries(field: &FieldRef) -> Option<(&DataType, &DataType)> {
    match field.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key.data_type(), value.data_type())),
            _ => None,
        },
        _ => None,
    }
}

fn bits(data_type: &DataType) -> (u8, bool) {
    match data_type {
        DataType::Int8 => (8, true),
        DataType::Int16 => (16, true),
        DataType::Int32 => (32, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        _ => (64, true),
    }
}

fn wider_integer(a: &DataType, b: &DataType) -> DataType {
    // An unsigned integer needs one bit more to become signed.
    let signed_bits = |t: &DataType| match bits(t) {
        (n, true) => n,
        (n, false) => n + 1,
    };
    match signed_bits(a).max(signed_bits(b)) {
        0..=8 => DataType::Int8,
        9..=16 => DataType::Int16,
        17..=32 => DataType::Int32,
        33..=64 => DataType::Int64,
        _ => DataType::Decimal128(20, 0),
    }
}

fn float_for(float: &DataType, integer: &DataType) -> DataType {
    // A float holds integers of 16 bits exactly; a double those of 32, and 64-bit ones to 53 bits,
    // which is what Hive, Athena and every other engine accept when a column holds both.
    match (float, bits(integer).0) {
        (DataType::Float64, _) | (_, 17..) => DataType::Float64,
        _ => float.clone(),
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

fn digits(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => Some((*p, *s)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}

fn wider_decimal(a: &DataType, b: &DataType) -> DataType {
    if a.is_floating() || b.is_floating() {
        // Values of up to 15 digits come back from a double as they were; others may not.
        return match digits(a).or(digits(b)) {
            Some((precision, _)) if precision <= DOUBLE_DIGITS => DataType::Float64,
            _ => DataType::Utf8,
        };
    }
    let (Some((ap, ascale)), Some((bp, bscale))) = (digits(a), digits(b)) else {
        return DataType::Utf8;
    };
    let scale = ascale.max(bscale);
    let whole = (i16::from(ap) - i16::from(ascale)).max(i16::from(bp) - i16::from(bscale));
    match u8::try_from(whole + i16::from(scale)) {
        Ok(precision) if precision <= MAX_PRECISION => {
            DataType::Decimal128(precision.max(1), scale)
        }
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::parse_type;
    use arrow_schema::Field;
    use proptest::prelude::*;

    fn merged(a: &str, b: &str) -> String {
        match (parse_type(a), parse_type(b)) {
            (Ok(a), Ok(b)) => crate::hive::format_type(&widen(&a, &b)),
            bad => format!("{bad:?}"),
        }
    }

    #[test]
    fn widens_to_the_narrowest_type_that_holds_both() {
        for (a, b, expected) in [
            ("int", "bigint", "bigint"),
            ("bigint", "double", "double"),
            ("date", "timestamp", "timestamp"),
            ("boolean", "bigint", "string"),
            ("decimal(5,2)", "decimal(8,4)", "decimal(8,4)"),
            ("decimal(10,2)", "bigint", "decimal(21,2)"),
            ("decimal(38,0)", "decimal(38,10)", "string"),
            ("decimal(15,2)", "double", "double"),
            ("double", "decimal(22,2)", "string"),
            ("timestamp", "timestamp with local time zone", "string"),
            ("array<int>", "array<string>", "array<string>"),
            (
                "struct<a:int>",
                "struct<b:int,A:double>",
                "struct<a:double,b:int>",
            ),
            (
                "struct<a:int,b:int>",
                "map<string,bigint>",
                "map<string,bigint>",
            ),
            ("struct<a:int>", "string", "string"),
            ("array<int>", "int", "string"),
        ] {
            assert_eq!(merged(a, b), expected, "{a} with {b}");
        }
    }

    #[test]
    fn tells_where_schemas_disagree() {
        let (Ok(DataType::Struct(a)), Ok(DataType::Struct(b))) = (
            parse_type("struct<x:struct<y:array<int>>>"),
            parse_type("struct<x:struct<y:array<string>>>"),
        ) else {
            panic!("both are structs")
        };
        let mut told = Vec::new();
        widen_fields(&a, &b, &mut |d| told.push(d.path));
        assert_eq!(told, ["x.y[]"]);
    }

    fn any_type() -> impl Strategy<Value = DataType> {
        let leaf = proptest::sample::select(vec![
            DataType::Null,
            DataType::Boolean,
            DataType::Int32,
            DataType::Int64,
            DataType::Float64,
            DataType::Utf8,
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ]);
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(list_of),
                proptest::collection::btree_map("[a-c]", inner, 1..3).prop_map(|fields| {
                    DataType::Struct(
                        fields
                            .into_iter()
                            .map(|(n, t)| Field::new(n, t, true))
                            .collect(),
                    )
                }),
            ]
        })
    }

    /// Field order is the one thing in which the two orders of a merge may differ.
    fn sorted(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Struct(fields) => {
                let mut fields: Vec<Field> = fields
                    .iter()
                    .map(|f| Field::new(f.name(), sorted(f.data_type()), true))
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
            prop_assert_eq!(sorted(&widen(&a, &b)), sorted(&widen(&b, &a)));
        }

        #[test]
        fn merging_again_changes_nothing(a in any_type(), b in any_type()) {
            let once = widen(&a, &b);
            prop_assert_eq!(widen(&once, &b), once.clone());
            prop_assert_eq!(widen(&once, &a), once);
        }
    }
}
