//! Parts of text and places in it: `substr`, `strpos`, `replace`, `reverse`, `concat_ws`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::{string, unicode};
use datafusion::logical_expr::{Expr, ScalarUDF, lit};

use crate::args::Call;
use crate::arrays::{element, list_of};
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::arrays::pick::Picker;
use crate::trino::rows::{bigint, bytes, ints, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Text};
    let find = Params::Kinds(&[Text, Text, Int], 2);
    let replaced = Params::Kinds(&[Text, Text, Text], 2);
    vec![
        Function::new(
            "substr",
            Params::Custom(cut_types),
            |t| as_builtin(&unicode::substr(), t),
            substr,
        )
        .rewritten_by_type(plain_substr)
        .aliases(&["substring"])
        .udf(),
        Function::new("strpos", find, bigint, strpos)
            .aliases(&["index"])
            .udf(),
        Function::new(
            "replace",
            replaced,
            |t| {
                let text = t.first().cloned().unwrap_or(DataType::Utf8);
                string::replace().return_type(&[text.clone(), text.clone(), text])
            },
            replace,
        )
        .rewritten_by_type(plain_replace)
        .udf(),
        Function::new(
            "reverse",
            Params::Custom(reverse_types),
            |t| as_builtin(&unicode::reverse(), t),
            reverse,
        )
        .rewritten_by_type(plain_reverse)
        .udf(),
        Function::new("length", Params::Custom(length_types), bigint, length)
            .rewritten_by_type(plain_length)
            .udf(),
        Function::new("concat_ws", Params::Custom(join_types), varchar, concat_ws).udf(),
    ]
}

fn same(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(other) => Ok(other.clone()),
        None => plan_err!("an argument is missing"),
    }
}

/// Of text what DataFusion's function of the same name gives, so that it can take the place of this one.
fn as_builtin(udf: &ScalarUDF, types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Binary) => Ok(DataType::Binary),
        Some(DataType::List(_)) => same(types),
        _ => udf.return_type(types),
    }
}

/// A text that was made here, in the type that was promised.
fn promised(call: &Call<'_>, text: ArrayRef) -> Result<ArrayRef> {
    Ok(cast(&text, call.args.return_field.data_type())?)
}

fn cut_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() != 2 && types.len() != 3 {
        return plan_err!("{name} takes 2 to 3 argument(s), not {}", types.len());
    }
    let what = if types.first().is_some_and(DataType::is_binary) {
        Kind::Bytes
    } else {
        Kind::Text
    };
    all_of(
        name,
        &[what, Kind::Int, Kind::Int][..types.len().min(3)],
        types,
    )
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(n) => n,
            _ => None,
        },
        _ => None,
    }
}

/// From a place that is known to be one, DataFusion's own, which copies nothing, says the same.
fn plain_substr(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    let plain = types.first().is_some_and(DataType::is_string)
        && args.get(1).and_then(integer).is_some_and(|n| n >= 1)
        && args
            .get(2)
            .is_none_or(|n| integer(n).is_some_and(|n| n >= 0));
    plain.then(|| unicode::substr().call(args.to_vec()))
}

/// Where the part begins and how long it is, among `length` of them; `None` where it is empty.
fn bounds(length: usize, start: i64, wanted: Option<i64>) -> Option<(usize, usize)> {
    let length = i64::try_from(length).ok()?;
    let from = match start {
        0 => return None,
        1.. => start - 1,
        _ => length.checked_add(start)?,
    };
    if from < 0 || from >= length {
        return None;
    }
    let count = wanted.map_or(length - from, |w| w.clamp(0, length - from));
    Some((usize::try_from(from).ok()?, usize::try_from(count).ok()?))
}

/// From place `start`, counted from 1, or from the end if it is negative; empty if there is no such place.
fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let starts = call.ints(1)?;
    let lengths = (call.len() > 2).then(|| call.ints(2)).transpose()?;
    let wanted = |row: usize| match lengths {
        None => Some(None),
        Some(lengths) => lengths.get(row).map(Some),
    };
    if call.args.return_field.data_type() == &DataType::Binary {
        let values = call.bytes(0)?;
        return bytes(call, |row| {
            let (Some(start), Some(wanted)) = (starts.get(row), wanted(row)) else {
                return Ok(None);
            };
            if values.is_null(row) {
                return Ok(None);
            }
            let value = values.value(row);
            let part = bounds(value.len(), start, wanted)
                .and_then(|(from, count)| value.get(from..from + count));
            Ok(Some(part.unwrap_or_default().to_vec()))
        });
    }
    let values = call.text(0)?;
    let parts = texts(call, |row| {
        let (Some(value), Some(start), Some(wanted)) =
            (values.get(row), starts.get(row), wanted(row))
        else {
            return Ok(None);
        };
        let length = if value.is_ascii() {
            value.len()
        } else {
            value.chars().count()
        };
        let Some((from, count)) = bounds(length, start, wanted) else {
            return Ok(Some(""));
        };
        if value.is_ascii() {
            return Ok(value.get(from..from + count));
        }
        let place = |n: usize| {
            value
                .char_indices()
                .nth(n)
                .map_or(value.len(), |(at, _)| at)
        };
        let from_byte = place(from);
        let rest = value.get(from_byte..).unwrap_or_default();
        let end = rest
            .char_indices()
            .nth(count)
            .map_or(rest.len(), |(at, _)| at);
        Ok(rest.get(..end))
    })?;
    promised(call, parts)
}

/// The place of the first, or of the n-th, occurrence, counted in characters from 1; 0 if there is none.
/// Occurrences may overlap; a negative n counts from the end.
fn strpos(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, parts) = (call.text(0)?, call.text(1)?);
    let instances = (call.len() > 2).then(|| call.ints(2)).transpose()?;
    ints(call, |row| {
        let instance = instances.map_or(Some(1), |i| i.get(row));
        let (Some(value), Some(part), Some(instance)) = (values.get(row), parts.get(row), instance)
        else {
            return Ok(None);
        };
        if instance == 0 {
            return exec_err!("strpos: the instance must not be zero");
        }
        if part.is_empty() {
            return Ok(Some(1));
        }
        let mut left = instance.unsigned_abs();
        let mut found = None;
        if instance > 0 {
            let mut from = 0;
            while let Some(at) = value.get(from..).and_then(|rest| rest.find(part)) {
                left -= 1;
                if left == 0 {
                    found = Some(from + at);
                    break;
                }
                from += at + value[from + at..].chars().next().map_or(1, char::len_utf8);
            }
        } else {
            let mut end = value.len();
            while let Some(at) = value.get(..end).and_then(|head| head.rfind(part)) {
                left -= 1;
                if left == 0 {
                    found = Some(at);
                    break;
                }
                // The next may end anywhere before the end of this one.
                let last = part.chars().next_back().map_or(1, char::len_utf8);
                end = at + part.len() - last;
            }
        }
        let count = found
            .and_then(|at| value.get(..at))
            .map(|head| head.chars().count());
        Ok(Some(count.map_or(0, |n| n as i64 + 1)))
    })
}

fn plain_replace(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    if !types.iter().all(DataType::is_string) {
        return None;
    }
    let mut args = args.to_vec();
    if args.len() == 2 {
        args.push(lit(""));
    }
    Some(string::replace().call(args))
}

/// Two arguments take the text out.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, parts) = (call.text(0)?, call.text(1)?);
    let with = (call.len() > 2).then(|| call.text(2)).transpose()?;
    let replaced = texts(call, |row| {
        let with = with.map_or(Some(""), |w| w.get(row));
        Ok(match (values.get(row), parts.get(row), with) {
            (Some(value), Some(part), Some(with)) => Some(value.replace(part, with)),
            _ => None,
        })
    })?;
    promised(call, replaced)
}

fn reverse_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [list] if element(list).is_some() => Ok(element(list)
            .map(|field| list_of(field, field.data_type()))
            .into_iter()
            .collect()),
        [binary] if binary.is_binary() => all_of(name, &[Kind::Bytes], types),
        _ => all_of(name, &[Kind::Text], types),
    }
}

fn plain_reverse(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    types
        .iter()
        .all(DataType::is_string)
        .then(|| unicode::reverse().call(args.to_vec()))
}

/// Of text, of bytes, or of the elements of an array.
fn reverse(call: &Call<'_>) -> Result<ArrayRef> {
    match call.args.return_field.data_type() {
        DataType::List(_) => {
            let list = call.list(0)?;
            let mut out = Picker::of(&list);
            out.each(|picker, _, range| {
                range.rev().for_each(|at| picker.pick(at));
                Ok(())
            })?;
            out.finish()
        }
        DataType::Binary => {
            let values = call.bytes(0)?;
            bytes(call, |row| {
                Ok(values
                    .is_valid(row)
                    .then(|| values.value(row).iter().rev().copied().collect::<Vec<u8>>()))
            })
        }
        _ => {
            let values = call.text(0)?;
            let reversed = texts(call, |row| {
                Ok(values.get(row).map(|v| v.chars().rev().collect::<String>()))
            })?;
            promised(call, reversed)
        }
    }
}

fn length_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    all_of(name, &[Kind::Bytes], types).or_else(|_| all_of(name, &[Kind::Text], types))
}

fn plain_length(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    types.iter().all(DataType::is_string).then(|| {
        datafusion::logical_expr::cast(
            unicode::character_length().call(args.to_vec()),
            DataType::Int64,
        )
    })
}

/// Characters of text, bytes of bytes.
fn length(call: &Call<'_>) -> Result<ArrayRef> {
    if let Ok(values) = call.bytes(0) {
        return ints(call, |row| {
            Ok(values.is_valid(row).then(|| values.value(row).len() as i64))
        });
    }
    let values = call.text(0)?;
    ints(call, |row| {
        Ok(values.get(row).map(|v| v.chars().count() as i64))
    })
}

fn join_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() < 2 {
        return plan_err!("{name} takes a separator and one value or more");
    }
    if let [separator, list] = types
        && let Some(field) = element(list)
    {
        let separator = all_of(name, &[Kind::Text], std::slice::from_ref(separator))?;
        let list = list_of(field, &DataType::Utf8);
        return Ok(separator.into_iter().chain([list]).collect());
    }
    for (i, given) in types.iter().enumerate() {
        if all_of(name, &[Kind::Text], std::slice::from_ref(given)).is_err() {
            return plan_err!("{name}: argument {} must be varchar, not {given}", i + 1);
        }
    }
    Ok(vec![DataType::Utf8; types.len()])
}

/// NULLs among what is joined are passed over.
fn concat_ws(call: &Call<'_>) -> Result<ArrayRef> {
    let separators = call.text(0)?;
    if let Ok(list) = call.list(1) {
        let values = list.values().as_string::<i32>();
        let offsets = list.value_offsets();
        return texts(call, |row| {
            let Some(separator) = separators.get(row).filter(|_| list.is_valid(row)) else {
                return Ok(None);
            };
            let parts: Vec<&str> = (offsets[row] as usize..offsets[row + 1] as usize)
                .filter(|at| values.is_valid(*at))
                .map(|at| values.value(at))
                .collect();
            Ok(Some(parts.join(separator)))
        });
    }
    let parts: Vec<_> = (1..call.len())
        .map(|i| call.text(i))
        .collect::<Result<_>>()?;
    texts(call, |row| {
        let Some(separator) = separators.get(row) else {
            return Ok(None);
        };
        let parts: Vec<&str> = parts.iter().filter_map(|p| p.get(row)).collect();
        Ok(Some(parts.join(separator)))
    })
}
