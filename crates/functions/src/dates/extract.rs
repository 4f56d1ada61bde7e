//! `year(x)`, `day_of_week(x)` and the like: one field of a date, time or timestamp, as `bigint`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        field("year", |c| part(c, DatePart::Year), &[]),
        field("quarter", |c| part(c, DatePart::Quarter), &[]),
        field("month", |c| part(c, DatePart::Month), &[]),
        // ISO weeks, so 2021-01-03 is in week 53 of 2020.
        field("week", |c| part(c, DatePart::WeekISO), &["week_of_year"]),
        field("year_of_week", |c| part(c, DatePart::YearISO), &["yow"]),
        field("day", |c| part(c, DatePart::Day), &["day_of_month"]),
        field("day_of_week", day_of_week, &["dow"]),
        field("day_of_year", |c| part(c, DatePart::DayOfYear), &["doy"]),
        clock("hour", |c| part(c, DatePart::Hour)),
        clock("minute", |c| part(c, DatePart::Minute)),
        clock("second", |c| part(c, DatePart::Second)),
        clock("millisecond", millisecond),
    ]
}

type Eval = fn(&Call<'_>) -> Result<ArrayRef>;

fn field(name: &'static str, eval: Eval, aliases: &[&str]) -> Arc<ScalarUDF> {
    let params = Params::Kinds(&[Kind::Moment], 1);
    Function::new(name, params, |_| Ok(DataType::Int64), eval)
        .aliases(aliases)
        .udf()
}

fn clock(name: &'static str, eval: Eval) -> Arc<ScalarUDF> {
    let params = Params::Kinds(&[Kind::Clock], 1);
    Function::new(name, params, |_| Ok(DataType::Int64), eval).udf()
}

fn part(call: &Call<'_>, part: DatePart) -> Result<ArrayRef> {
    Ok(cast(&date_part(&call.array(0)?, part)?, &DataType::Int64)?)
}

/// Monday is 1, Sunday 7. DataFusion's `date_part('dow', x)` counts from Sunday as 0.
fn day_of_week(call: &Call<'_>) -> Result<ArrayRef> {
    part(call, DatePart::DayOfWeekMonday1)
}

/// Of the second, so 0 to 999; Arrow's part counts whole seconds in.
fn millisecond(call: &Call<'_>) -> Result<ArrayRef> {
    let millis = date_part(&call.array(0)?, DatePart::Millisecond)?;
    let millis = millis
        .as_primitive::<Int32Type>()
        .unary::<_, Int32Type>(|m| m.rem_euclid(1_000));
    Ok(cast(&millis, &DataType::Int64)?)
}
