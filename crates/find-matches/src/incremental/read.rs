//! Old and new records, brought together.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt32Type};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::parts::{Part, parts};
use super::{Join, OLD_CONFIDENCE, OLD_ID};
use crate::blocking::Sides;
use crate::error::{MatchError, Result};
use crate::find::prepare::Input;
use crate::find::{MatchInput, Stage, Table, input};
use crate::known::Fresh;
use crate::normalise::column;
use crate::profile::check_names;
use crate::settings::Settings;
use crate::spool::{ROW, Spool};
use crate::transform::{Linked, Side, Transform};

/// Old and new records as one table, or as two that are linked: the new ones of a table come behind its old ones.
pub(crate) async fn read(
    context: &SessionContext,
    existing: Table,
    new: MatchInput,
    settings: &Settings,
    known: (Option<&Transform>, Option<Side>),
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<(Input, Join)> {
    let (transform, side) = (needed(known.0)?, known.1);
    check(&new, settings)?;
    tell(Stage::Reading);
    let mut names = vec![new.left.name.clone()];
    names.extend(new.right.as_ref().map(|t| t.name.clone()));
    let existing = match &transform.between {
        Some(linked) => of_both(context, existing, linked).await?,
        None => existing,
    };
    let (shared, parts) = parts(existing, new, transform, side)?;
    check_names(&shared, settings)?;
    let mut read: Option<(Arc<Spool>, Option<u64>)> = None;
    let (mut already_there, mut changed, mut fresh_rows) = (0, 0, 0);
    for Part { old, new } in parts {
        let old = Spool::keep(context, vec![old], true).await?;
        check_entities(context, &old).await?;
        let mut all = old.clone();
        if let Some(new) = new {
            let fresh = Spool::keep(context, vec![new], true).await?;
            let unknown = unknown(context, &old, &fresh, settings.primary_key.as_deref())?;
            let added = Spool::keep(context, vec![unknown], true).await?;
            let there = fresh.rows() - added.rows();
            if settings.primary_key.is_some() {
                let odd = unknown_rows(context, &old, &fresh).await?;
                changed += there.saturating_sub(fresh.rows() - odd);
            }
            already_there += there;
            fresh_rows += fresh.rows();
            all = Spool::concat(old, added)?;
        }
        read = Some(match read {
            None => (all, None),
            Some((first, _)) => {
                let split = first.rows();
                (Spool::concat(first, all)?, Some(split))
            }
        });
    }
    let Some((raw, split)) = read.filter(|_| fresh_rows > 0) else {
        return Err(MatchError::Empty {
            table: names.join("' and '"),
        });
    };
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let sides = Sides {
        rows: number(raw.rows()),
        split: split.map(number),
    };
    let (ids, confidence) = entities(context, &raw).await?;
    let fresh = Fresh::new(&ids, sides, settings.one_to_one);
    let input = Input {
        raw,
        shared,
        sides,
        names,
    };
    let join = Join {
        fresh,
        ids,
        confidence,
        already_there,
        changed,
    };
    Ok((input, join))
}

/// What is wrong with new records and settings as far as that is known without rows.
pub(crate) fn check(new: &MatchInput, settings: &Settings) -> Result<()> {
    // Two tables are linked, however many of them have new records.
    let either = Settings {
        one_to_one: false,
        ..settings.clone()
    };
    input::check(new, &either)
}

fn needed(transform: Option<&Transform>) -> Result<&Transform> {
    transform.ok_or_else(|| {
        MatchError::Setting(
            "new records join entities by what was learned of those: it takes a saved transform"
                .into(),
        )
    })
}

/// The columns that come of old and new records.
pub(crate) fn columns(
    existing: Table,
    new: MatchInput,
    transform: Option<&Transform>,
    side: Option<Side>,
) -> Result<Schema> {
    let (_, parts) = parts(existing, new, needed(transform)?, side)?;
    let schema = parts.first().map(|part| part.old.schema().as_arrow());
    let fields = schema.into_iter().flat_map(|s| s.fields().iter());
    let own = |f: &&Arc<Field>| f.name() != OLD_ID && f.name() != OLD_CONFIDENCE;
    Ok(Schema::new(fields.filter(own).cloned().collect::<Vec<_>>()))
}

/// Records of two tables, which are read once, and then from where they are kept: by the table that they are of.
async fn of_both(context: &SessionContext, existing: Table, linked: &Linked) -> Result<Table> {
    let name = existing.name;
    let kept = Spool::keep(context, vec![input::unqualified(existing.rows)?], false).await?;
    let rows = input::unqualified(kept.scan(context, "old")?)?;
    if rows
        .schema()
        .field_with_unqualified_name(&linked.source)
        .is_ok()
    {
        let [left, right] = &linked.tables;
        let source = coalesce(vec![cast(column(&linked.source), DataType::Utf8), lit("")]);
        let either = vec![lit(left.as_str()), lit(right.as_str())];
        let odd = rows
            .clone()
            .filter(source.in_list(either, true))?
            .count()
            .await?;
        if odd > 0 {
            return Err(MatchError::Transform(format!(
                "{odd} records of '{name}' are neither of '{left}' nor of '{right}', by their column '{}'",
                linked.source
            )));
        }
    }
    Ok(Table { name, rows })
}

/// That each old record has an entity.
async fn check_entities(context: &SessionContext, old: &Arc<Spool>) -> Result<()> {
    let without = old
        .scan(context, "old")?
        .filter(column(OLD_ID).is_null())?
        .count()
        .await?;
    match without {
        0 => Ok(()),
        n => Err(MatchError::Transform(format!(
            "{n} of the records that new ones could join have no match_id"
        ))),
    }
}

/// The entity of each row with how sure it is; none of new ones.
async fn entities(
    context: &SessionContext,
    all: &Arc<Spool>,
) -> Result<(Vec<Option<i64>>, Vec<f64>)> {
    let size = usize::try_from(all.rows()).unwrap_or(usize::MAX);
    let (mut ids, mut confidence) = (vec![None; size], vec![1.0; size]);
    let shown = vec![column(ROW), column(OLD_ID), column(OLD_CONFIDENCE)];
    let mut stream = all
        .scan(context, "all")?
        .select(shown)?
        .execute_stream()
        .await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
        let own = batch.column(1).as_primitive::<Int64Type>();
        let sure = batch.column(2).as_primitive::<Float64Type>();
        for ((row, id), sure) in numbers.iter().zip(own).zip(sure) {
            if let (Some(to), Some(at)) = (
                ids.get_mut(*row as usize),
                confidence.get_mut(*row as usize),
            ) {
                *to = id;
                *at = sure.unwrap_or(1.0);
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
