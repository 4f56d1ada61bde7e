//! Old and new records, brought together.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, UInt32Type};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use mastic_schema::names::closest;

use super::{Join, OLD_CONFIDENCE, OLD_ID};
use crate::align;
use crate::blocking::Sides;
use crate::error::{MatchError, Result};
use crate::find::prepare::Input;
use crate::find::{MatchInput, Stage, Table, input};
use crate::normalise::column;
use crate::profile::check_names;
use crate::settings::Settings;
use crate::spool::{ROW, Spool};
use crate::transform::Transform;

/// Old and new records as one table.
pub(crate) async fn read(
    context: &SessionContext,
    existing: Table,
    new: MatchInput,
    settings: &Settings,
    transform: Option<&Transform>,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<(Input, Join)> {
    match transform {
        None => {
            return Err(MatchError::Setting(
                "new records join entities by what was learned of those: it takes a saved transform"
                    .into(),
            ));
        }
        Some(transform) if transform.linked || new.right.is_some() => {
            return Err(MatchError::Transform(
                "new records join the entities of one table, and not those of two that are linked"
                    .into(),
            ));
        }
        Some(_) => {}
    }
    input::check(&new, settings)?;
    tell(Stage::Reading);
    let name = new.left.name.clone();
    let (old, fresh) = alike(existing, new.left)?;
    let shared = align::of_one(fresh.schema().as_arrow());
    check_names(&shared, settings)?;
    let fresh = Spool::keep(context, vec![fresh], true).await?;
    if fresh.rows() == 0 {
        return Err(MatchError::Empty { table: name });
    }
    let old = Spool::keep(context, vec![old], true).await?;
    let (ids, confidence) = entities(context, &old).await?;
    let unknown = unknown(context, &old, &fresh, settings.primary_key.as_deref())?;
    let added = Spool::keep(context, vec![unknown], true).await?;
    let already_there = fresh.rows() - added.rows();
    let changed = match &settings.primary_key {
        Some(_) => {
            already_there.saturating_sub(fresh.rows() - unknown_rows(context, &old, &fresh).await?)
        }
        None => 0,
    };
    let first = u32::try_from(old.rows()).unwrap_or(u32::MAX);
    let raw = Spool::concat(old, added)?;
    let sides = Sides {
        rows: u32::try_from(raw.rows()).unwrap_or(u32::MAX),
        split: None,
    };
    let input = Input {
        raw,
        shared,
        sides,
        names: vec![name],
    };
    let join = Join {
        first,
        ids,
        confidence,
        already_there,
        changed,
    };
    Ok((input, join))
}

/// The columns that come of both.
pub(crate) fn columns(existing: Table, new: Table) -> Result<Schema> {
    let (_, new) = alike(existing, new)?;
    Ok(new.schema().as_arrow().clone())
}

/// Both with the same columns: the old one's. The old one's entities come last.
fn alike(old: Table, new: Table) -> Result<(DataFrame, DataFrame)> {
    let (old_rows, new_rows) = (input::unqualified(old.rows)?, input::unqualified(new.rows)?);
    let has =
        |frame: &DataFrame, name: &str| frame.schema().field_with_unqualified_name(name).is_ok();
    if !has(&old_rows, "match_id") {
        return Err(MatchError::Transform(format!(
            "'{}' has no column 'match_id': it is no result of matching that new records could join",
            old.name
        )));
    }
    let ours: Vec<_> = old_rows
        .schema()
        .fields()
        .iter()
        .filter(|f| !matches!(f.name().as_str(), "match_id" | "match_confidence"))
        .cloned()
        .collect();
    let names = || ours.iter().map(|f| f.name().as_str());
    for field in new_rows.schema().fields() {
        if !names().any(|n| n == field.name()) {
            let near = closest(field.name(), names());
            return Err(MatchError::Transform(format!(
                "'{}' has a column '{}', which '{}' has not{}",
                new.name,
                field.name(),
                old.name,
                near.map(|n| format!("; did you mean '{n}'?"))
                    .unwrap_or_default()
            )));
        }
    }
    let (mut of_old, mut of_new) = (Vec::new(), Vec::new());
    for field in &ours {
        let name = field.name();
        let theirs = new_rows.schema().field_with_unqualified_name(name).ok();
        let wanted = match theirs.map(|t| t.data_type()) {
            Some(theirs) => common(field.data_type(), theirs),
            None => field.data_type().clone(),
        };
        of_old.push(cast(column(name), wanted.clone()).alias(name));
        of_new.push(match theirs {
            Some(_) => cast(column(name), wanted).alias(name),
            None => lit(ScalarValue::try_from(&wanted)?).alias(name),
        });
    }
    let confidence = match has(&old_rows, "match_confidence") {
        true => cast(column("match_confidence"), DataType::Float64),
        false => lit(1.0),
    };
    of_old.push(cast(column("match_id"), DataType::Int64).alias(OLD_ID));
    of_old.push(coalesce(vec![confidence, lit(1.0)]).alias(OLD_CONFIDENCE));
    Ok((old_rows.select(of_old)?, new_rows.select(of_new)?))
}

/// A type that holds the values of both.
fn common(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (a, b) if a.is_integer() && b.is_integer() => DataType::Int64,
        (a, b) if a.is_numeric() && b.is_numeric() => DataType::Float64,
        _ => DataType::Utf8View,
    }
}

async fn entities(context: &SessionContext, old: &Arc<Spool>) -> Result<(Vec<i64>, Vec<f64>)> {
    let size = usize::try_from(old.rows()).unwrap_or(usize::MAX);
    let (mut ids, mut confidence) = (vec![0; size], vec![1.0; size]);
    let shown = vec![column(ROW), column(OLD_ID), column(OLD_CONFIDENCE)];
    let mut stream = old
        .scan(context, "old")?
        .select(shown)?
        .execute_stream()
        .await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let own = batch.column(1).as_primitive::<Int64Type>();
        let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
        let sure = batch.column(2).as_primitive::<Float64Type>().values();
        if arrow::array::Array::null_count(own) > 0 {
            return Err(MatchError::Transform(
                "a record that new ones could join has no match_id".into(),
            ));
        }
        for ((row, id), sure) in numbers.iter().zip(own.values()).zip(sure) {
            if let (Some(to), Some(at)) = (
                ids.get_mut(*row as usize),
                confidence.get_mut(*row as usize),
            ) {
                *to = *id;
                *at = *sure;
            }
        }
    }
    Ok((ids, confidence))
}

/// The new rows that are not there yet, with nulls for their entities.
fn unknown(
    context: &SessionContext,
    old: &Arc<Spool>,
    fresh: &Arc<Spool>,
    key: Option<&str>,
) -> Result<DataFrame> {
    let new = fresh.scan(context, "fresh")?;
    let fields = new.schema().fields().iter();
    let all: Vec<String> = fields
        .map(|f| f.name().clone())
        .filter(|n| n != ROW)
        .collect();
    let by: Vec<String> = match key {
        Some(key) => vec![key.to_owned()],
        None => {
            let schema = new.schema();
            let plain = |n: &&String| {
                let field = schema.field_with_unqualified_name(n);
                field.is_ok_and(|f| !f.data_type().is_nested() && !f.data_type().is_binary())
            };
            all.iter().filter(plain).cloned().collect()
        }
    };
    // Of equal rows, as many are there already as there are.
    let numbered = |frame: DataFrame, prefix: &str| -> Result<DataFrame> {
        let keys = by.iter().enumerate().map(|(at, name)| {
            coalesce(vec![cast(column(name), DataType::Utf8), lit("")])
                .alias(format!("{prefix}{at}"))
        });
        let names = frame.schema().fields().iter().map(|f| column(f.name()));
        let shown: Vec<Expr> = names.chain(keys).collect();
        let parts = (0..by.len()).map(|at| column(&format!("{prefix}{at}")));
        let number = row_number().partition_by(parts.collect()).build()?;
        Ok(frame
            .select(shown)?
            .window(vec![number.alias(format!("{prefix}n"))])?)
    };
    let names = |prefix: &str| -> Vec<String> {
        let each = (0..by.len()).map(|at| format!("{prefix}{at}"));
        each.chain([format!("{prefix}n")]).collect()
    };
    let (left, right) = (names("$f"), names("$o"));
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let there = numbered(old.scan(context, "old")?, "$o")?
        .select(right.iter().map(|n| column(n)).collect::<Vec<_>>())?;
    // In the order in which they came.
    let joined = numbered(new, "$f")?
        .join(there, JoinType::LeftAnti, &left, &right, None)?
        .sort(vec![column(ROW).sort(true, false)])?;
    let mut shown: Vec<Expr> = all.iter().map(|n| column(n)).collect();
    shown.push(lit(ScalarValue::Int64(None)).alias(OLD_ID));
    shown.push(lit(ScalarValue::Float64(None)).alias(OLD_CONFIDENCE));
    Ok(joined.select(shown)?)
}

/// How many of the new rows are not there in all their columns.
async fn unknown_rows(
    context: &SessionContext,
    old: &Arc<Spool>,
    fresh: &Arc<Spool>,
) -> Result<u64> {
    Ok(unknown(context, old, fresh, None)?.count().await? as u64)
}
