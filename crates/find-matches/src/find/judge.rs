//! What of what was learned is a match.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::learn::{Evidence, Learned, learn};
use super::null::{self, Beyond};
use super::{Stage, dependence, probe};
use crate::compare::NULL;
use crate::decide::gate::{self, Verdict};
use crate::decide::groups::{CONVINCING, Groups, Tops};
use crate::decide::identity::{Agreement, identified};
use crate::error::Result;
use crate::explain::Decision;
use crate::settings::{Kind, Settings};
use crate::spool::Spool;

/// From which share of closed groups that are pairs on an entity has two records, and for the most part two.
const PAIRS: f64 = 0.98;
const MOSTLY_PAIRS: f64 = 0.9;
/// Closed groups it takes to say so: of all records, and of some that are looked around.
const GROUPS: f64 = 20.0;
const GROUPS_SEEN: usize = 50;
/// Below how many closed groups to an accepted pair hardly any of those is more than a neighbour.
const GROUPS_A_PAIR: f64 = 0.1;
/// Below which share of the records that could match few do, so that chance has a great part in it.
const FEW: f64 = 0.15;
/// The share of different values from which on nearly every row has its own, and of rows that have one.
const OWN_VALUES: f64 = 0.95;
const FILLED: f64 = 0.5;
/// Up to how many rows a table has no structure.
const SMALL: u32 = 30;

/// How many records an entity has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partners {
    /// Any number.
    Many,
    /// Two at most.
    One,
    /// Two for the most part.
    MostlyOne,
    /// It cannot be told from neighbours: two at most is the safe side.
    Unclear,
}

/// Learns, finds out whether an entity has two records at most, and takes out what nothing but chance explains.
pub(super) async fn judge(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    settings: &Settings,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Learned> {
    let mut learned = learn(evidence, settings.one_to_one, settings);
    tell(Stage::Deciding);
    let (pairs, sides) = (evidence.pairs(), evidence.sides);
    let leads = gate::leads(pairs, evidence.record(), sides);
    let seen = match evidence.neighbours {
        true => None,
        false => probe::look(context, normal, evidence, &learned.accepted).await?,
    };
    let is_doubtful = |of: &Learned| match evidence.neighbours {
        true => gate::is_doubtful(&of.scores, &of.accepted, &leads),
        false => seen.is_some_and(|s| s.doubtful),
    };
    let could_match = match sides.split {
        Some(_) => sides.smaller().len() as f64,
        None => 0.5 * f64::from(sides.rows),
    };
    let few = |of: &Learned| (of.accepted.len() as f64) < FEW * could_match;
    // Great groups of equals have no leads: they may be many things of few kinds.
    let mut suspicious = is_doubtful(&learned) || few(&learned) || evidence.great_groups;
    let mut partners = Partners::Many;
    if !settings.one_to_one && sides.rows > SMALL {
        let (groups, most) = match evidence.neighbours {
            true => groups(evidence, &learned),
            false => seen.map(|s| (s.groups, s.groups.all)).unwrap_or_default(),
        };
        partners = told_by(groups, most, evidence, &learned);
        // Groups of many records have few closed groups to a pair. What has much in common, and stands out, is no
        // neighbour for that.
        if partners == Partners::Unclear && !suspicious && !is_thin(evidence, &learned.accepted) {
            partners = Partners::Many;
        }
        // Where pairs that are related are a class of their own, a record's rivals are told already.
        if partners == Partners::MostlyOne && learned.model.related > 0.0 {
            partners = Partners::Many;
        }
        if partners != Partners::Many {
            let other = learn(evidence, true, settings);
            let is_suspicious = is_doubtful(&other) || few(&other);
            // What is suspicious either way is held against chance, by the model that takes less for granted.
            if (suspicious || is_suspicious) && partners != Partners::Unclear {
                suspicious = true;
                partners = Partners::Many;
            } else {
                suspicious = is_suspicious || partners == Partners::Unclear;
                learned = other;
            }
        }
        learned.decision.partners = partners.told(groups);
    }
    let before = learned.accepted.len();
    let beyond = match suspicious && before > 0 && sides.rows > SMALL {
        true => Some(null::beyond_chance(context, normal, evidence, &learned, settings).await?),
        false => None,
    };
    let several = evidence.columns.len() > 1;
    let (accepted, verdict) = match beyond {
        Some(Beyond::Kept(accepted)) => (accepted, Verdict::Shuffled),
        // Many rows are equal, and all columns say of what kind they are: nothing says which are one.
        Some(Beyond::OnlyKinds) if evidence.great_groups && several => (Vec::new(), Verdict::Alike),
        // Records have neighbours, as those of a time series have, and chance cannot be asked.
        Some(_) if partners == Partners::Unclear && several => (Vec::new(), Verdict::Alike),
        _ => {
            let accepted = std::mem::take(&mut learned.accepted);
            stand_alone(
                context,
                normal,
                evidence,
                &learned.scores,
                accepted,
                &leads,
                seen,
            )
            .await?
        }
    };
    learned.decision.gate(before, accepted.len(), verdict);
    learned.accepted = accepted;
    if partners == Partners::MostlyOne {
        add_back(&mut learned, &leads, settings.shift());
    }
    identify(context, normal, evidence, &mut learned).await?;
    Ok(learned)
}

/// Takes out of one table's matches what columns speak against of which nearly every row has its own value.
async fn identify(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    learned: &mut Learned,
) -> Result<()> {
    let rows = evidence.sides.rows;
    // What two sources say of one thing differs as their ways of writing do.
    let several = evidence.sides.split.is_none() && evidence.columns.len() > 1;
    if !several || rows <= SMALL || learned.accepted.is_empty() {
        return Ok(());
    }
    // Measured numbers differ where the things are the same.
    let own = evidence.columns.iter().map(|c| {
        let values = c.fill * f64::from(rows);
        c.kind != Kind::Number && c.fill >= FILLED && c.distinct as f64 >= OWN_VALUES * values
    });
    let own: Vec<bool> = own.collect();
    if !own.contains(&true) {
        return Ok(());
    }
    let count = own.len();
    let of = Agreement {
        levels: &evidence.compared.levels[..count],
        same: &evidence.compared.rarity[..count],
        bits: &dependence::bits(context, normal, evidence.columns).await?,
        own: &own,
        rows,
    };
    if let Some(kept) = identified(of, evidence.pairs().len(), &learned.accepted) {
        learned.decision.refused += (learned.accepted.len() - kept.len()) as u64;
        learned.decision.doubtful = true;
        learned.decision.gate.push_str("; nearly every row has its own value of a column that matches would not agree on, so that only those count that agree on most of what identifies a record");
        learned.accepted = kept;
    }
    Ok(())
}

/// The closed groups by the likeness of whole records or by the model, whichever is more of pairs; and how many there
/// are by whichever finds more.
fn groups(evidence: &Evidence<'_>, learned: &Learned) -> (Groups, f64) {
    let sides = evidence.sides;
    let of = |scores: &[f32]| {
        let found = Tops::new(evidence.pairs(), scores, sides).closed(0..sides.rows, sides);
        if found.all < GROUPS - 1e-6 {
            Groups::default()
        } else {
            found
        }
    };
    let (by_record, by_model) = (of(evidence.record()), of(&learned.plain));
    let most = by_model.all.max(by_record.all);
    match by_model.share() > by_record.share() {
        true => (by_model, most),
        false => (by_record, most),
    }
}

fn told_by(groups: Groups, most: f64, evidence: &Evidence<'_>, learned: &Learned) -> Partners {
    let accepted = learned.accepted.len() as f64;
    if !evidence.neighbours && groups.records < GROUPS_SEEN {
        return Partners::Many;
    }
    // Where all of a great group are as near to one another, no group is closed either.
    let great_groups = evidence.great_groups || accepted > 2.0 * f64::from(evidence.sides.rows);
    match groups.share() {
        share if share >= PAIRS => Partners::One,
        share if share >= MOSTLY_PAIRS => Partners::MostlyOne,
        _ if evidence.neighbours && !great_groups && most < GROUPS_A_PAIR * accepted => {
            Partners::Unclear
        }
        _ => Partners::Many,
    }
}

/// Whether pairs have hardly more than one column in common that both have a value of.
fn is_thin(evidence: &Evidence<'_>, accepted: &[usize]) -> bool {
    let levels = &evidence.compared.levels[..evidence.columns.len()];
    let given: usize = levels
        .iter()
        .map(|of| accepted.iter().filter(|at| of[**at] != NULL).count())
        .sum();
    given < 2 * accepted.len()
}

/// The gate for a table of which chance was not asked.
async fn stand_alone(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    scores: &[f32],
    accepted: Vec<usize>,
    leads: &[f64],
    seen: Option<probe::Seen>,
) -> Result<(Vec<usize>, Verdict)> {
    let records = evidence.sides.smaller().len();
    if evidence.neighbours {
        return Ok(gate::gate(scores, accepted, leads, records));
    }
    match seen {
        None => Ok((accepted, Verdict::Silent)),
        Some(seen) if !seen.doubtful => Ok((accepted, Verdict::Passed)),
        Some(_) => {
            let mut each = vec![0.0; scores.len()];
            let Some(found) = probe::leads(context, normal, evidence, &accepted).await? else {
                return Ok((Vec::new(), Verdict::Doubtful));
            };
            for (at, lead) in accepted.iter().zip(found) {
                each[*at] = lead;
            }
            let (kept, _) = gate::gate(scores, accepted, &each, records);
            Ok((kept, Verdict::Doubtful))
        }
    }
}

/// Where an entity has two records for the most part: the third ones, which are as good as the second and stand out
/// as well.
fn add_back(learned: &mut Learned, leads: &[f64], least: f64) {
    let mut scores: Vec<f32> = learned
        .accepted
        .iter()
        .map(|at| learned.scores[*at])
        .collect();
    scores.sort_by(f32::total_cmp);
    let Some(tenth) = scores.get(scores.len() / 10) else {
        return;
    };
    let least = tenth.max(least as f32);
    let mut is_match = vec![false; learned.scores.len()];
    learned.accepted.iter().for_each(|at| is_match[*at] = true);
    for (at, score) in learned.scores.iter().enumerate() {
        if *score >= least && leads[at] >= CONVINCING {
            is_match[at] = true;
        }
    }
    learned.accepted = (0..is_match.len()).filter(|at| is_match[*at]).collect();
}

impl Partners {
    fn told(self, groups: Groups) -> String {
        let share = 100.0 * groups.share();
        match self {
            Partners::Many if groups.all == 0.0 => "any number of records, for there are too few groups of records that are nearer to one another than to all others to tell".into(),
            Partners::Many => format!("any number of records: {share:.0} % of the groups of records that are nearer to one another than to all others are pairs"),
            Partners::One => format!("two records at most: {share:.0} % of the groups of records that are nearer to one another than to all others are pairs"),
            Partners::MostlyOne => format!("two records for the most part: {share:.0} % of the groups of records that are nearer to one another than to all others are pairs"),
            Partners::Unclear => "two records at most, to be safe: hardly any records are nearer to one another than to all others".into(),
        }
    }
}

impl Decision {
    fn gate(&mut self, before: usize, after: usize, verdict: Verdict) {
        self.refused = (before - after) as u64;
        self.doubtful = matches!(
            verdict,
            Verdict::Doubtful | Verdict::Shuffled | Verdict::Alike
        );
        self.gate = match verdict {
            Verdict::Silent => "could not be told from the candidates".into(),
            Verdict::Passed => "matches stand out from each record's other candidates".into(),
            Verdict::Doubtful => {
                "most matches do not stand out from each record's other candidates, so that only those count that do by themselves".into()
            }
            Verdict::Alike => {
                "most records are as near to many others, and no column tells which of them are one: all are taken for different".into()
            }
            Verdict::Shuffled => {
                "matches are few or do not stand out, so that only those count that are better than what the same values make when columns are shuffled".into()
            }
        };
    }
}
