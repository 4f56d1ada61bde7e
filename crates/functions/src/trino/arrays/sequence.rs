//! `sequence`: numbers, dates and timestamps from one to another.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use chrono::{DateTime, Months, NaiveDate};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::pick::{MOST_OF_A_BATCH, items};
use crate::args::{Call, per_second};
use crate::function::{Function, Params};
use crate::trino::maps::build::Lengths;

/// The longest sequence.
const MOST: usize = 1_000_000;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Function::new("sequence", Params::Custom(types), returns, sequence).udf()]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    use DataType as T;
    let (start, stop, step) = match types {
        [start, stop] => (start, stop, None),
        [start, stop, step] => (start, stop, Some(step)),
        _ => return plan_err!("{name} takes 2 to 3 argument(s), not {}", types.len()),
    };
    let number = |t: &DataType| t.is_integer() || t.is_null();
    let (bound, wanted) = match (start, stop) {
        (a, b) if number(a) && number(b) => (T::Int64, T::Int64),
        (T::Date32 | T::Date64, T::Date32 | T::Date64) => {
            (T::Date32, T::Interval(IntervalUnit::MonthDayNano))
        }
        (T::Timestamp(..) | T::Date32, T::Timestamp(..)) | (T::Timestamp(..), T::Date32) => (
            T::Timestamp(
                TimeUnit::Microsecond,
                zone_name(start).or_else(|| zone_name(stop)),
            ),
            T::Interval(IntervalUnit::MonthDayNano),
        ),
        _ => return plan_err!("{name}: there is no sequence from {start} to {stop}"),
    };
    match step {
        None if matches!(bound, T::Timestamp(..)) => {
            plan_err!("{name}: timestamps need a step, such as INTERVAL '1' HOUR")
        }
        None => Ok(vec![bound.clone(), bound]),
        Some(step) if number(step) == (wanted == T::Int64) => {
            if !number(step) && !matches!(step, T::Interval(_) | T::Duration(_)) {
                return plan_err!("{name}: the step must be an interval, not {step}");
            }
            Ok(vec![bound.clone(), bound, wanted])
        }
        Some(step) => plan_err!("{name}: a step from {start} to {stop} cannot be {step}"),
    }
}

fn zone_name(t: &DataType) -> Option<Arc<str>> {
    match t {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

fn returns(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(bound) => Ok(DataType::List(items(bound))),
        None => plan_err!("sequence takes 2 to 3 arguments"),
    }
}

/// The last value is in it where a step leads there.
fn sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let (starts, stops) = (call.array(0)?, call.array(1)?);
    let kind = starts.data_type().clone();
    let (from, to) = (as_ints(&starts)?, as_ints(&stops)?);
    let numbers = kind == DataType::Int64;
    let steps = (call.len() > 2).then(|| call.array(2)).transpose()?;
    let mut lengths = Lengths::default();
    let mut values: Vec<i64> = Vec::new();
    for row in 0..call.rows {
        let missing = steps.as_ref().is_some_and(|s| s.is_null(row));
        if from.is_null(row) || to.is_null(row) || missing {
            lengths.null();
            continue;
        }
        let (start, stop) = (from.value(row), to.value(row));
        let step = match &steps {
            None => Step::Plain(if start <= stop { 1 } else { -1 }),
            Some(steps) if numbers => Step::Plain(steps.as_primitive::<Int64Type>().value(row)),
            Some(steps) => Step::of(
                steps.as_primitive::<IntervalMonthDayNanoType>().value(row),
                &kind,
            )?,
        };
        let direction = step.direction();
        if direction == 0 {
            return exec_err!("sequence: the step must not be zero");
        }
        if (stop > start && direction < 0) || (stop < start && direction > 0) {
            return exec_err!(
                "sequence: a step {} does not lead from the first value to the last",
                if direction < 0 { "down" } else { "up" }
            );
        }
        let begun = values.len();
        if begun > MOST_OF_A_BATCH {
            return exec_err!(
                "sequence: those of a batch of rows have more than {MOST_OF_A_BATCH} values"
            );
        }
        for n in 0.. {
            if values.len() - begun >= MOST {
                return exec_err!("sequence: it has more than {MOST} values");
            }
            let Some(value) = step.after(start, n, &kind) else {
                break;
            };
            if (direction > 0 && value > stop) || (direction < 0 && value < stop) {
                break;
            }
            values.push(value);
        }
        lengths.push(values.len() - begun);
    }
    let values = as_kind(Int64Array::from(values), &kind)?;
    let (offsets, nulls) = lengths.finish();
    Ok(Arc::new(ListArray::try_new(
        items(&kind),
        offsets,
        values,
        Some(nulls),
    )?))
}

fn as_ints(array: &ArrayRef) -> Result<Int64Array> {
    let ints = match array.data_type() {
        DataType::Date32 => cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?,
        _ => cast(array, &DataType::Int64)?,
    };
    Ok(ints.as_primitive::<Int64Type>().clone())
}

fn as_kind(values: Int64Array, kind: &DataType) -> Result<ArrayRef> {
    Ok(match kind {
        DataType::Date32 => {
            let days: Date32Array = values
                .try_unary::<_, Date32Type, _>(i32::try_from)
                .map_err(|e: std::num::TryFromIntError| exec_datafusion_err!("sequence: {e}"))?;
            Arc::new(days)
        }
        _ => cast(&values, kind)?,
    })
}

/// What is added to each value; months are counted from the first one, so that month ends stay.
enum Step {
    Plain(i64),
    Months(i64),
}

impl Step {
    fn of(step: IntervalMonthDayNano, kind: &DataType) -> Result<Self> {
        let (months, days, nanos) = (step.months, step.days, step.nanoseconds);
        if months != 0 {
            if days != 0 || nanos != 0 {
                return exec_err!("sequence: a step of months and of days or hours is not known");
            }
            return Ok(Self::Months(i64::from(months)));
        }
        let ticks = match kind {
            DataType::Date32 if nanos % 86_400_000_000_000 != 0 => {
                return exec_err!("sequence: a step between dates must be whole days");
            }
            DataType::Date32 => i64::from(days).checked_add(nanos / 86_400_000_000_000),
            _ => i64::from(days)
                .checked_mul(86_400 * per_second(TimeUnit::Microsecond))
                .and_then(|d| d.checked_add(nanos / 1_000)),
        };
        match ticks {
            Some(ticks) => Ok(Self::Plain(ticks)),
            None => exec_err!("sequence: the step is out of range"),
        }
    }

    fn direction(&self) -> i64 {
        match self {
            Self::Plain(step) | Self::Months(step) => step.signum(),
        }
    }

    /// The `n`-th value.
    fn after(&self, start: i64, n: i64, kind: &DataType) -> Option<i64> {
        match self {
            Self::Plain(step) => start.checked_add(step.checked_mul(n)?),
            Self::Months(months) => {
                let months = months.checked_mul(n)?;
                let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
                let per_day = match kind {
                    DataType::Date32 => 1,
                    _ => 86_400 * per_second(TimeUnit::Microsecond),
                };
                let day = i32::try_from(start.div_euclid(per_day)).ok()?;
                let date: NaiveDate =
                    DateTime::from_timestamp(i64::from(day) * 86_400, 0)?.date_naive();
                let date = if months < 0 {
                    date.checked_sub_months(step)?
                } else {
                    date.checked_add_months(step)?
                };
                i64::from(date.to_epoch_days())
                    .checked_mul(per_day)?
                    .checked_add(start.rem_euclid(per_day))
            }
        }
    }
}
