//! From tables to compared pairs.

use std::sync::Arc;

use datafusion::logical_expr::lit;
use datafusion::prelude::SessionContext;
use mastic_schema::names::closest;

use super::candidates::{self, Candidates};
use super::learn::Evidence;
use super::{MatchInput, Stage, input};
use crate::align::Shared;
use crate::blocking::{Blocking, Sides};
use crate::compare::compare;
use crate::error::{MatchError, Result};
use crate::known::Known;
use crate::normalise::{column, normalise};
use crate::profile::{Column, Dropped, check_key, check_names, profile};
use crate::settings::Settings;
use crate::spool::{ROW, Spool};
use crate::transform::Transform;

/// The rows of all tables.
pub(crate) struct Input {
    pub(crate) raw: Arc<Spool>,
    pub(crate) shared: Vec<Shared>,
    pub(crate) sides: Sides,
    /// What the tables are called.
    pub(crate) names: Vec<String>,
}

impl Input {
    /// Checks and keeps the tables.
    pub(crate) async fn read(
        context: &SessionContext,
        tables: MatchInput,
        settings: &Settings,
        by_name: bool,
        tell: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<Input> {
        input::check(&tables, settings)?;
        tell(Stage::Reading);
        let names: Vec<String> = [Some(&tables.left), tables.right.as_ref()]
            .into_iter()
            .flatten()
            .map(|t| t.name.clone())
            .collect();
        let (raw, shared, sides) = input::read(context, tables, by_name).await?;
        Ok(Input {
            raw,
            shared,
            sides,
            names,
        })
    }
}

/// The rows in normal form, and the pairs that are worth comparing.
pub(crate) struct Prepared {
    pub(crate) input: Input,
    pub(crate) columns: Vec<Column>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) normal: Arc<Spool>,
    pub(crate) blocking: Blocking,
}

impl Prepared {
    /// Profiles, normalises and blocks; with a transform the columns are its.
    pub(crate) async fn new(
        context: &SessionContext,
        input: Input,
        settings: &Settings,
        known: Known<'_>,
        tell: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<(Prepared, Candidates)> {
        let (raw, sides) = (&input.raw, input.sides);
        tell(Stage::Profiling(raw.rows()));
        let (columns, dropped) = match known.transform {
            Some(transform) => {
                let found = saved(transform, &input, settings)?;
                if let (Some(key), None) = (&settings.primary_key, sides.split) {
                    let table = input.names.first().map_or("", String::as_str);
                    check_key(context, raw.scan(context, "raw")?, key, table).await?;
                }
                found
            }
            None => {
                let all = raw.scan(context, "raw")?;
                let each = match sides.split {
                    None => vec![all.clone()],
                    Some(split) => vec![
                        all.clone().filter(column(ROW).lt(lit(split)))?,
                        all.clone().filter(column(ROW).gt_eq(lit(split)))?,
                    ],
                };
                let shared = &input.shared;
                let found = profile(context, all, &each, shared, settings, &input.names).await?;
                (found.columns, found.dropped)
            }
        };
        let normal = normalise(context, raw, &columns).await?;
        tell(Stage::Blocking);
        let mut blocking = Blocking::default();
        let found = candidates::find(
            context,
            &normal,
            &columns,
            sides,
            settings,
            known,
            &mut blocking,
        )
        .await?;
        blocking.pairs = found.pairs.len() as u64;
        let prepared = Prepared {
            input,
            columns,
            dropped,
            normal,
            blocking,
        };
        Ok((prepared, found))
    }

    /// Compares the candidates, and the pairs that only teach.
    pub(crate) async fn gather(
        &self,
        context: &SessionContext,
        found: Candidates,
        settings: &Settings,
        saved: Option<&Transform>,
    ) -> Result<Evidence<'_>> {
        let (normal, columns, sides) = (&self.normal, &self.columns, self.input.sides);
        gather(context, normal, columns, sides, found, settings, saved).await
    }
}

/// Compares the candidates of some rows in normal form, and the pairs that only teach.
pub(crate) async fn gather<'a>(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &'a [Column],
    sides: Sides,
    found: Candidates,
    settings: &Settings,
    saved: Option<&Transform>,
) -> Result<Evidence<'a>> {
    let real = found.pairs.len();
    let mut all = found.pairs;
    all.extend(&found.teach);
    let all = Arc::new(all);
    let compared = compare(
        context,
        normal,
        columns,
        all.clone(),
        found.share,
        found.texts.clone(),
        saved,
    )
    .await?;
    let all = Arc::try_unwrap(all).unwrap_or_else(|all| all.to_vec());
    let neighbours = found.texts.is_some() && settings.blocking.is_empty();
    Ok(Evidence::new(
        all,
        real,
        sides,
        columns,
        compared,
        found.texts,
        neighbours,
    ))
}

/// The columns of a transform, if the table has them.
fn saved(
    transform: &Transform,
    input: &Input,
    settings: &Settings,
) -> Result<(Vec<Column>, Vec<Dropped>)> {
    check_names(&input.shared, settings)?;
    if transform.linked != input.sides.split.is_some() {
        return Err(MatchError::Transform(match transform.linked {
            true => "the transform links two tables, and here is one".into(),
            false => "the transform finds duplicates of one table, and here are two".into(),
        }));
    }
    let known = || input.shared.iter().map(|s| s.name.as_str());
    let mut columns = Vec::new();
    for c in &transform.columns {
        let Some(of) = input.shared.iter().find(|s| s.name == c.name) else {
            return Err(MatchError::UnknownColumn {
                what: "the transform",
                name: c.name.clone(),
                meant: closest(&c.name, known()),
            });
        };
        if let Some(why) = &of.unfit {
            return Err(MatchError::Transform(format!(
                "the transform compares the column '{}', which cannot be compared here: {why}",
                c.name
            )));
        }
        columns.push(Column {
            why: format!("as learned before: {}", c.why),
            ..c.clone()
        });
    }
    let dropped = known()
        .filter(|name| columns.iter().all(|c| c.name != *name))
        .map(|name| Dropped {
            name: name.to_owned(),
            why: "the transform does not compare it".into(),
        });
    Ok((columns.clone(), dropped.collect()))
}
