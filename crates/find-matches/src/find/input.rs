//! The tables as they come in: what is wrong with them is told before any work is done.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::SessionContext;

use super::MatchInput;
use crate::align;
use crate::blocking::Sides;
use crate::error::{MatchError, Result};
use crate::settings::Settings;
use crate::spool::Spool;

pub(crate) fn check(input: &MatchInput, settings: &Settings) -> Result<()> {
    for (name, value) in [
        (
            "precision-recall trade-off",
            settings.precision_recall_tradeoff,
        ),
        ("accuracy-cost trade-off", settings.accuracy_cost_tradeoff),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(MatchError::Setting(format!(
                "the {name} is {value}, which is not from 0 to 1"
            )));
        }
    }
    if settings.one_to_one && input.right.is_none() {
        return Err(MatchError::Setting(
            "one to one needs two tables to link".into(),
        ));
    }
    if settings.blocking.iter().any(Vec::is_empty) {
        return Err(MatchError::Setting(
            "a blocking rule names no column".into(),
        ));
    }
    let tables = [Some(&input.left), input.right.as_ref()]
        .into_iter()
        .flatten();
    for table in tables {
        for taken in ["match_id", "match_confidence"] {
            if table
                .rows
                .schema()
                .field_with_unqualified_name(taken)
                .is_ok()
            {
                return Err(MatchError::Setting(format!(
                    "'{}' has a column '{taken}' already; rename it or leave it out first",
                    table.name
                )));
            }
        }
    }
    Ok(())
}

/// Keeps the input, so that rows have numbers and can be read again.
pub(crate) async fn read(
    context: &SessionContext,
    input: MatchInput,
    by_name: bool,
) -> Result<(Arc<Spool>, Vec<align::Shared>, Sides)> {
    let empty = |table: String| MatchError::Empty { table };
    let sides = |rows: u64, split: Option<u64>| Sides {
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        split: split.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
    };
    let left = unqualified(input.left.rows)?;
    let Some(right) = input.right else {
        let shared = align::of_one(left.schema().as_arrow());
        let raw = Spool::keep(context, vec![left], true).await?;
        match raw.rows() {
            0 => return Err(empty(input.left.name)),
            1 => {
                return Err(MatchError::OneRow {
                    table: input.left.name,
                });
            }
            rows => return Ok((raw, shared, sides(rows, None))),
        }
    };
    let right_rows = unqualified(right.rows)?;
    let (left, right_rows, shared) = match by_name {
        true => align::of_two_by_name(left, right_rows)?,
        false => align::of_two(context, left, right_rows).await?,
    };
    let (left, right_rows) = sourced(left, right_rows, &shared, &input.left.name, &right.name)?;
    let first = Spool::keep(context, vec![left], true).await?;
    let second = Spool::keep(context, vec![right_rows], true).await?;
    if first.rows() == 0 {
        return Err(empty(input.left.name));
    }
    if second.rows() == 0 {
        return Err(empty(right.name));
    }
    let split = first.rows();
    let raw = Spool::concat(first, second)?;
    let rows = raw.rows();
    Ok((raw, shared, sides(rows, Some(split))))
}

/// Both with a column that says which is which.
fn sourced(
    left: DataFrame,
    right: DataFrame,
    shared: &[align::Shared],
    of_left: &str,
    of_right: &str,
) -> Result<(DataFrame, DataFrame)> {
    let (a, b) = source_names(of_left, of_right);
    let name = source_column(shared);
    Ok((
        left.with_column(name, lit(ScalarValue::from(a)))?,
        right.with_column(name, lit(ScalarValue::from(b)))?,
    ))
}

/// The columns that come of these tables; of two, where names alone say which columns are the same.
pub(crate) fn columns(input: MatchInput) -> Result<Schema> {
    let left = unqualified(input.left.rows)?;
    let Some(right) = input.right else {
        return Ok(left.schema().as_arrow().clone());
    };
    let (left, right_rows, shared) = align::of_two_by_name(left, unqualified(right.rows)?)?;
    let (left, _) = sourced(left, right_rows, &shared, &input.left.name, &right.name)?;
    Ok(left.schema().as_arrow().clone())
}

pub(crate) fn unqualified(frame: DataFrame) -> Result<DataFrame> {
    let columns: Vec<Expr> = frame
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            Expr::Column(datafusion::common::Column::new(
                qualifier.cloned(),
                field.name(),
            ))
            .alias(field.name())
        })
        .collect();
    Ok(frame.select(columns)?)
}

/// What the two tables are called in the output.
pub(crate) fn source_names<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    match left == right {
        true => ("left", "right"),
        false => (left, right),
    }
}

pub(crate) fn source_column(shared: &[align::Shared]) -> &'static str {
    if shared.iter().any(|s| s.name == "source") {
        "match_source"
    } else {
        "source"
    }
}
