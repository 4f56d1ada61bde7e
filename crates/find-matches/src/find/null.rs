//! What chance makes of the same values: the table with each block of dependent columns shuffled by itself has no
//! matches, but its names are as frequent and its texts as long. What is found in it, found in the table says nothing.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use mastic_functions::sample_number;

use super::learn::{Evidence, Learned};
use super::prepare::gather;
use super::{candidates, dependence};
use crate::blocking::{Blocking, Sides, pair, rows};
use crate::decide::assignment::greedy;
use crate::decide::groups::Tops;
use crate::decide::null::threshold;
use crate::error::Result;
use crate::known::Known;
use crate::model::em;
use crate::normalise::column;
use crate::settings::Settings;
use crate::spool::Spool;

/// What shuffled columns say.
pub(super) enum Beyond {
    /// These accepted pairs are more than chance makes.
    Kept(Vec<usize>),
    /// All columns depend on one another, so that they cannot be shuffled.
    OneBlock,
    /// All columns have few values: they say of what kind a record is, and not which.
    OnlyKinds,
}

/// What of the accepted pairs is more than chance makes.
pub(super) async fn beyond_chance(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    learned: &Learned,
    settings: &Settings,
) -> Result<Beyond> {
    let (blocks, kinds) = dependence::blocks(context, normal, evidence.columns).await?;
    if blocks.len() < 2 {
        return Ok(match kinds {
            true => Beyond::OnlyKinds,
            false => Beyond::OneBlock,
        });
    }
    let sides = evidence.sides;
    let orders: Vec<Vec<u32>> = (0..blocks.len())
        .map(|seed| order(sides, seed as u64))
        .collect();
    let shuffled = shuffle(context, normal, &blocks, &orders).await?;
    let columns = evidence.columns;
    let mut ignored = Blocking::default();
    let found = candidates::find(
        context,
        &shuffled,
        columns,
        sides,
        settings,
        Known::default(),
        &mut ignored,
    )
    .await?;
    let chance = gather(context, &shuffled, columns, sides, found, settings, None).await?;

    // Matched titles stay matched where a block is shuffled as a whole: such pairs are no chance.
    let matched = match evidence.neighbours {
        true => [evidence.record(), learned.plain.as_slice()]
            .map(|scores| Tops::new(evidence.pairs(), scores, sides).closed_pairs()),
        false => [Vec::new(), Vec::new()],
    };
    let is_matched = |found: u64| {
        let (a, b) = rows(found);
        orders.iter().any(|order| {
            let origin = pair(order[a as usize], order[b as usize]);
            matched.iter().any(|m| m.binary_search(&origin).is_ok())
        })
    };
    let by_chance: Vec<bool> = chance.pairs().iter().map(|p| !is_matched(*p)).collect();
    let worth: Vec<f32> = (0..chance.patterns.len())
        .map(|p| em::score(&learned.model, &chance.patterns, p) as f32)
        .collect();
    let scores: Vec<f32> = chance.patterns.of[..chance.pairs().len()]
        .iter()
        .map(|p| worth[*p as usize])
        .collect();

    let cosines = chance.record().iter().zip(&by_chance);
    let cosine = threshold(
        learned
            .accepted
            .iter()
            .map(|at| evidence.record()[*at])
            .collect(),
        cosines
            .filter(|(_, chance)| **chance)
            .map(|(c, _)| *c)
            .collect(),
    );
    let assigned = |pairs: &[u64], scores: &[f32]| greedy(pairs, scores, sides);
    let score = threshold(
        assigned(evidence.pairs(), &learned.plain)
            .into_iter()
            .map(|at| learned.plain[at])
            .collect(),
        assigned(chance.pairs(), &scores)
            .into_iter()
            .filter(|at| by_chance[*at])
            .map(|at| scores[at])
            .collect(),
    );
    let beyond = |at: &usize| evidence.record()[*at] >= cosine || learned.plain[*at] >= score;
    Ok(Beyond::Kept(
        learned.accepted.iter().copied().filter(beyond).collect(),
    ))
}

/// The rows of each table in an order by chance, the same in every run.
fn order(sides: Sides, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..sides.rows).collect();
    let (left, right) = rows.split_at_mut(sides.split.unwrap_or(sides.rows) as usize);
    let mut drawn = (seed + 1) << 40;
    for side in [left, right] {
        for at in (1..side.len()).rev() {
            drawn += 1;
            side.swap(at, (sample_number(drawn) % (at as u64 + 1)) as usize);
        }
    }
    rows
}

/// The rows with the values of each block of columns from another row.
async fn shuffle(
    context: &SessionContext,
    normal: &Arc<Spool>,
    blocks: &[Vec<usize>],
    orders: &[Vec<u32>],
) -> Result<Arc<Spool>> {
    let names: Vec<String> = normal
        .scan(context, "rows")?
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let of_block = |name: &String, block: &[usize]| {
        let place = name.get(1..).and_then(|at| at.parse().ok());
        place.is_some_and(|at: usize| block.contains(&at))
    };
    let mut all: Option<DataFrame> = None;
    for (at, (block, order)) in blocks.iter().zip(orders).enumerate() {
        let (from, to) = (format!("from{at}"), format!("to{at}"));
        let own = names.iter().filter(|n| of_block(n, block));
        let mut shown = vec![column(&to)];
        shown.extend(own.map(|name| column(name)));
        let rows = normal
            .scan(context, "rows")?
            .join(
                places(context, order, &from, &to)?,
                JoinType::Inner,
                &["row"],
                &[&from],
                None,
            )?
            .select(shown)?;
        all = Some(match all {
            None => rows,
            Some(others) => others.join(rows, JoinType::Inner, &["to0"], &[&to], None)?,
        });
    }
    let Some(all) = all else {
        return Ok(normal.clone());
    };
    let shown: Vec<Expr> = names
        .iter()
        .map(|name| match name.as_str() {
            "row" => column("to0").alias("row"),
            name => column(name),
        })
        .collect();
    Spool::keep(context, vec![all.select(shown)?], false).await
}

/// Which row the values of each row come from, as a table.
fn places(context: &SessionContext, order: &[u32], from: &str, to: &str) -> Result<DataFrame> {
    let field = |name: &str| Field::new(name, DataType::UInt32, false);
    let schema = Arc::new(Schema::new(vec![field(from), field(to)]));
    let count = u32::try_from(order.len()).unwrap_or(u32::MAX);
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(UInt32Array::from_iter_values(order.iter().copied())),
            Arc::new(UInt32Array::from_iter_values(0..count)),
        ],
    )
    .map_err(DataFusionError::from)?;
    Ok(context.read_table(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_in_their_table() {
        let sides = Sides {
            rows: 100,
            split: Some(30),
        };
        let found = order(sides, 1);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert!(found[..30].iter().all(|row| *row < 30));
        assert_ne!(found, order(sides, 2));
        assert_eq!(found, order(sides, 1));
    }
}
