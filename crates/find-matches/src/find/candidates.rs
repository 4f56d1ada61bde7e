//! Which way pairs are looked for.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use crate::blocking::distinct::Pairs;
use crate::blocking::grams::{NeighbourExec, Neighbours, Queries, Slot, Texts, Weighing};
use crate::blocking::{Blocking, Sides, keys, random, rows as rows_of};
use crate::error::{MatchError, Result};
use crate::known::Known;
use crate::memory::Share;
use crate::profile::Column;
use crate::settings::{Kind, Settings};
use crate::spool::Spool;

/// Candidates, pairs that only teach, and vectors where there are any.
pub(crate) struct Candidates {
    pub(crate) pairs: Vec<u64>,
    /// The memory that the candidates take.
    pub(crate) share: Share,
    pub(super) teach: Vec<u64>,
    pub(crate) texts: Option<Arc<Texts>>,
}

impl Candidates {
    /// Adds pairs, whatever blocking says.
    pub(super) fn add(&mut self, pairs: impl Iterator<Item = u64>) {
        self.pairs.extend(pairs);
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let real = &self.pairs;
        self.teach.retain(|pair| real.binary_search(pair).is_err());
    }
}

pub(super) async fn find(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    sides: Sides,
    settings: &Settings,
    known: Known<'_>,
    blocking: &mut Blocking,
) -> Result<Candidates> {
    let rows = normal.scan(context, "rows")?;
    let small = sides.rows as usize <= settings.search_rows();
    let text = columns.iter().find(|c| c.kind == Kind::Text);
    let ruled = !settings.blocking.is_empty();
    let mut uncovered = false;
    // What was learned without vectors is applied without, and with them where they were there.
    let saved = known.transform.map(|t| t.grams.is_some());
    if ruled || saved == Some(false) || !small && text.is_none() {
        if let Some(pairs) = keys::pairs(context, &rows, columns, sides, settings, blocking).await?
        {
            blocking.method = match ruled {
                true => "the rules that were given".into(),
                false => format!(
                    "keys, for {} rows of short columns: the fewest pairs that survive mistakes in any few columns at once",
                    sides.rows
                ),
            };
            let Pairs {
                numbers: pairs,
                share,
                ..
            } = pairs;
            let teach = random(sides, u64::from(sides.rows).min(500_000), &pairs);
            let texts = match saved.unwrap_or(ruled && small) {
                true => {
                    let weighing = Weighing::new(columns, known);
                    let input = weighing.input(rows).await?;
                    let texts = Texts::read(input, &weighing, context.task_ctx()).await?;
                    blocking.spilled += texts.written;
                    Some(Arc::new(texts))
                }
                false => None,
            };
            return Ok(Candidates {
                pairs: known.among(pairs),
                share,
                teach,
                texts,
            });
        }
        uncovered = true;
    }
    let search = Search::new(context, rows, columns, known).await?;
    let (pairs, teach, k) = search.pairs(sides, settings, known, blocking).await?;
    let texts = search.texts()?;
    let mut share = Share::new("pairs of records", context.task_ctx().memory_pool());
    share.grow(8 * pairs.len(), || {
        format!("matching {} pairs", pairs.len())
    })?;
    let why = match (small, text) {
        (true, _) => format!("{} rows are few enough to search all", sides.rows),
        (_, Some(text)) => format!("'{}' is long text, which no key holds", text.name),
        _ if uncovered => "no keys survive mistakes in some columns at once".into(),
        _ => String::new(),
    };
    blocking.method = format!("the {k} nearest records of each by the cosine of 3-grams: {why}");
    blocking.neighbours = Some(k);
    Ok(Candidates {
        pairs,
        share,
        teach,
        texts: (saved != Some(false)).then_some(texts),
    })
}

/// A search for neighbours, whose vectors are made once.
struct Search<'a> {
    context: &'a SessionContext,
    input: Arc<dyn ExecutionPlan>,
    weighing: Arc<Weighing>,
    slot: Slot,
}

impl<'a> Search<'a> {
    async fn new(
        context: &'a SessionContext,
        rows: DataFrame,
        columns: &[Column],
        known: Known<'_>,
    ) -> Result<Search<'a>> {
        let weighing = Weighing::new(columns, known);
        Ok(Search {
            context,
            input: weighing.input(rows).await?,
            weighing,
            slot: Slot::default(),
        })
    }

    async fn near(
        &self,
        queries: Queries,
        k: usize,
        blocking: &mut Blocking,
    ) -> Result<Neighbours> {
        let (input, weighing, slot) = (&self.input, &self.weighing, &self.slot);
        let plan = NeighbourExec::new(input.clone(), weighing.clone(), slot.clone(), queries, k);
        let found = Neighbours::find(self.context, plan).await?;
        blocking.spilled += found.spilled;
        Ok(found)
    }

    /// The pairs of near records, random ones that only teach where there are great groups of equals, and how many
    /// neighbours were looked for.
    async fn pairs(
        &self,
        sides: Sides,
        settings: &Settings,
        known: Known<'_>,
        blocking: &mut Blocking,
    ) -> Result<(Vec<u64>, Vec<u64>, usize)> {
        let k = settings.neighbours();
        if let Some(fresh) = known.new {
            let pairs = self.pairs_of(fresh.rows(), sides, k, blocking).await?;
            return Ok((pairs, Vec::new(), k));
        }
        let all = Queries { sides, own: None };
        let near = self.near(all.clone(), k, blocking).await?;
        if !near.saturated(k, sides) {
            return Ok((near.unique(), Vec::new(), k));
        }
        drop(near);
        let near = self.near(all, 5 * k, blocking).await?;
        let pairs = near.unique();
        let teach = random(sides, 2 * u64::from(sides.rows), &pairs);
        Ok((pairs, teach, 5 * k))
    }

    /// The pairs of these records, which are in order, and of those near them, with the nearest of each.
    async fn pairs_of(
        &self,
        own: Vec<u32>,
        sides: Sides,
        k: usize,
        blocking: &mut Blocking,
    ) -> Result<Vec<u64>> {
        let own = Arc::new(own);
        let of = |own| Queries {
            sides,
            own: Some(own),
        };
        let near = self.near(of(own.clone()), k, blocking).await?;
        let mut others: Vec<u32> = near
            .pairs
            .iter()
            .flat_map(|(pair, _)| <[u32; 2]>::from(rows_of(*pair)))
            .filter(|row| own.binary_search(row).is_err())
            .collect();
        others.sort_unstable();
        others.dedup();
        let further = self.near(of(Arc::new(others)), k, blocking).await?;
        let mut pairs = near.unique();
        pairs.extend(further.unique());
        pairs.sort_unstable();
        pairs.dedup();
        Ok(pairs)
    }

    /// The vectors, when neighbours have been looked for.
    fn texts(&self) -> Result<Arc<Texts>> {
        let texts = self.slot.get().cloned();
        let texts = texts.ok_or_else(|| MatchError::Spool("no vectors were made".into()))?;
        texts.settle();
        Ok(texts)
    }
}
