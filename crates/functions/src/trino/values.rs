//! Any values: `greatest`, `least`, `typeof`, `version`, `fail`. Semantics:
//! <https://trino.io/docs/current/functions/comparison.html> and
//! <https://trino.io/docs/current/functions/conversion.html>.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, UInt32Array, make_comparator, new_null_array};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::binary::type_union_resolution;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::varchar;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let any = Params::Kinds(&[Kind::Any], 1);
    vec![
        Function::new("greatest", Params::Custom(common), first, |c| {
            extreme(c, true)
        })
        .udf(),
        Function::new("least", Params::Custom(common), first, |c| {
            extreme(c, false)
        })
        .udf(),
        Function::new("typeof", any, varchar, type_of).udf(),
        Function::new(
            "fail",
            Params::Kinds(&[Kind::Text], 1),
            |_| Ok(DataType::Null),
            fail,
        )
        .udf(),
    ]
}

fn common(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.is_empty() {
        return plan_err!("{name} takes one value or more");
    }
    match type_union_resolution(types) {
        Some(both) => Ok(vec![both; types.len()]),
        None => {
            let names: Vec<String> = types.iter().map(sql_name).collect();
            plan_err!("{name}: {} have no type in common", names.join(", "))
        }
    }
}

fn first(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(first) => Ok(first.clone()),
        None => plan_err!("a value is needed"),
    }
}

/// NULL if any value is, where DataFusion's own passes NULLs over.
fn extreme(call: &Call<'_>, greatest: bool) -> Result<ArrayRef> {
    let columns: Vec<ArrayRef> = (0..call.len())
        .map(|i| call.array(i))
        .collect::<Result<_>>()?;
    let Some(one) = columns.first() else {
        return exec_err!("{} takes one value or more", call.name);
    };
    if columns.iter().any(|c| c.null_count() == c.len()) {
        return Ok(new_null_array(one.data_type(), call.rows));
    }
    // The best so far, as the column that has it for each row.
    let mut best: Vec<usize> = vec![0; call.rows];
    for i in 1..columns.len() {
        for j in 0..i {
            let (Some(new), Some(old)) = (columns.get(i), columns.get(j)) else {
                continue;
            };
            if !best.contains(&j) {
                continue;
            }
            let compare = make_comparator(new, old, SortOptions::default())?;
            for (row, best) in best.iter_mut().enumerate().filter(|(_, b)| **b == j) {
                let order = compare(row, row);
                if (greatest && order.is_gt()) || (!greatest && order.is_lt()) {
                    *best = i;
                }
            }
        }
    }
    let nulls = new_null_array(one.data_type(), 1);
    let mut arrays: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    arrays.push(&nulls);
    let places: Vec<(usize, usize)> = best
        .into_iter()
        .enumerate()
        .map(|(row, column)| {
            if columns.iter().any(|c| c.is_null(row)) {
                (columns.len(), 0)
            } else {
                (column, row)
            }
        })
        .collect();
    Ok(interleave(&arrays, &places)?)
}

/// A type as Trino and Athena write it.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::Null => "unknown".into(),
        T::Boolean => "boolean".into(),
        T::Int8 => "tinyint".into(),
        T::Int16 | T::UInt8 => "smallint".into(),
        T::Int32 | T::UInt16 => "integer".into(),
        T::Int64 | T::UInt32 => "bigint".into(),
        T::UInt64 => "decimal(20,0)".into(),
        T::Float16 | T::Float32 => "real".into(),
        T::Float64 => "double".into(),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "varchar".into(),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "varbinary".into(),
        T::Date32 | T::Date64 => "date".into(),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
            format!("decimal({p},{s})")
        }
        T::Timestamp(unit, zone) => {
            let with = if zone.is_some() {
                " with time zone"
            } else {
                ""
            };
            format!("timestamp({}){with}", digits(*unit))
        }
        T::Time32(unit) | T::Time64(unit) => format!("time({})", digits(*unit)),
        T::Interval(arrow::datatypes::IntervalUnit::YearMonth) => "interval year to month".into(),
        T::Interval(_) | T::Duration(_) => "interval day to second".into(),
        T::List(f)
        | T::LargeList(f)
        | T::ListView(f)
        | T::LargeListView(f)
        | T::FixedSizeList(f, _) => {
            format!("array({})", sql_name(f.data_type()))
        }
        T::Map(..) => match crate::arrays::key_and_value(data_type) {
            Some((key, value)) => {
                format!(
                    "map({}, {})",
                    sql_name(key.data_type()),
                    sql_name(value.data_type())
                )
            }
            None => "map".into(),
        },
        T::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|f| format!("{} {}", f.name(), sql_name(f.data_type())))
                .collect();
            format!("row({})", fields.join(", "))
        }
        T::Dictionary(_, values) => sql_name(values),
        other => other.to_string(),
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn type_of(call: &Call<'_>) -> Result<ArrayRef> {
    let name = sql_name(call.array(0)?.data_type());
    let one = StringArray::from(vec![name]);
    let rows = UInt32Array::from(vec![0; call.rows]);
    Ok(arrow::compute::take(&one, &rows, None)?)
}

/// The error that the statement ends with where this is computed.
fn fail(call: &Call<'_>) -> Result<ArrayRef> {
    let messages = call.text(0)?;
    match (0..call.rows).find_map(|row| messages.get(row)) {
        Some(message) => exec_err!("{message}"),
        None => Ok(new_null_array(&DataType::Null, call.rows)),
    }
}
