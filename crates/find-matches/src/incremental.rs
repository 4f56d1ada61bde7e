//! New records join the entities that are there.
//!
//! The entities of old records stay as they are: none is given another id, none is split, and none are joined, for
//! whoever wrote an id down counts on it. A new record goes to the entity that its best match is of. Where it matches two
//! entities, which are then perhaps one, that is told, and matching all records again would join them. Glue's
//! `FindIncrementalMatches` says as much as that it matches new records with old ones, and not old ones with each other.

mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blocking::{Sides, rows};
use crate::decide::cluster::{Groups, is_sure};
use crate::find::describe::Described;
use crate::model::sigmoid;

pub(crate) use read::{columns, read};

/// The columns in which the entities of old records are kept.
pub(crate) const OLD_ID: &str = "$match_id";
pub(crate) const OLD_CONFIDENCE: &str = "$match_confidence";
/// The most pairs of entities that are named.
const NAMED: usize = 1_000;

/// What became of new records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Records that had entities before.
    pub existing: u64,
    /// Rows that were left out, for they are there already.
    pub already_there: u64,
    /// Of them, rows whose primary key is there with other values: the old ones stay.
    pub changed: u64,
    /// New records.
    pub new: u64,
    /// New records that joined an entity that was there.
    pub joined: u64,
    /// Entities of new records alone.
    pub new_entities: u64,
    /// Entities that a new record matches both of, with how likely the weaker match is: the first 1,000.
    pub perhaps_one: Vec<(i64, i64, f64)>,
}

/// The entities of old records.
pub(crate) struct Join {
    /// The first new row.
    pub(crate) first: u32,
    ids: Vec<i64>,
    confidence: Vec<f64>,
    already_there: u64,
    changed: u64,
}

impl Join {
    /// Puts the new records into entities. `relative` are the pairs' scores relative to the threshold.
    pub(crate) fn describe(
        &self,
        pairs: &[u64],
        relative: &[f32],
        accepted: &[usize],
        sides: Sides,
    ) -> (Described, Joined) {
        let n = sides.rows as usize;
        let mut groups = Groups::new(pairs, accepted, sides);
        let mut representative: BTreeMap<i64, u32> = BTreeMap::new();
        // The entity of each group, by its least row.
        let mut entity: Vec<Option<i64>> = vec![None; n];
        for (row, id) in (0_u32..).zip(&self.ids) {
            match representative.get(id) {
                Some(first) => groups.join(*first, row),
                None => {
                    representative.insert(*id, row);
                    entity[row as usize] = Some(*id);
                }
            }
        }
        let mut order: Vec<usize> = accepted.to_vec();
        order.sort_by(|a, b| relative[*b].total_cmp(&relative[*a]).then(a.cmp(b)));
        let mut between: BTreeMap<(i64, i64), f64> = BTreeMap::new();
        for at in order {
            let (a, b) = rows(pairs[at]);
            if b < self.first {
                continue;
            }
            let (x, y) = (groups.of(a), groups.of(b));
            if x == y {
                continue;
            }
            match (entity[x as usize], entity[y as usize]) {
                (Some(p), Some(q)) => {
                    let chance = sigmoid(f64::from(relative[at]));
                    between.entry((p.min(q), p.max(q))).or_insert(chance);
                }
                (one, other) => {
                    if is_sure(relative[at]) || groups.may_join(x, y, relative) {
                        groups.join(x, y);
                        entity[x.min(y) as usize] = one.or(other);
                    }
                }
            }
        }
        let mut next = self.ids.iter().copied().max().unwrap_or(0).max(0);
        let mut ids = self.ids.clone();
        ids.resize(n, 0);
        let (mut joined, mut new_entities) = (0, 0);
        for row in self.first..sides.rows {
            let group = groups.of(row) as usize;
            let id = match entity[group] {
                Some(id) => id,
                None => {
                    next += 1;
                    new_entities += 1;
                    entity[group] = Some(next);
                    next
                }
            };
            joined += u64::from(representative.contains_key(&id));
            ids[row as usize] = id;
        }
        let confidence = self.confidence_of(pairs, relative, accepted, &ids);
        let mut of_id: BTreeMap<i64, u64> = BTreeMap::new();
        ids.iter()
            .for_each(|id| *of_id.entry(*id).or_default() += 1);
        let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
        of_id
            .values()
            .for_each(|size| *sizes.entry(*size).or_default() += 1);
        let told = Joined {
            existing: self.ids.len() as u64,
            already_there: self.already_there,
            changed: self.changed,
            new: u64::from(sides.rows - self.first),
            joined,
            new_entities,
            perhaps_one: between
                .into_iter()
                .map(|((p, q), chance)| (p, q, chance))
                .take(NAMED)
                .collect(),
        };
        let described = Described {
            ids,
            confidence,
            sizes: sizes.into_iter().collect(),
        };
        (described, told)
    }

    /// Old records keep theirs; a new one has that of its best match in its entity, or else how likely it has none.
    fn confidence_of(
        &self,
        pairs: &[u64],
        relative: &[f32],
        accepted: &[usize],
        ids: &[i64],
    ) -> Vec<f64> {
        let mut rival = vec![0.0_f64; ids.len()];
        for (pair, score) in pairs.iter().zip(relative) {
            let chance = sigmoid(f64::from(*score));
            let (a, b) = rows(*pair);
            for row in [a as usize, b as usize] {
                rival[row] = rival[row].max(chance);
            }
        }
        let mut own: Vec<Option<f64>> = vec![None; ids.len()];
        for at in accepted {
            let (a, b) = rows(pairs[*at]);
            let (a, b) = (a as usize, b as usize);
            if ids[a] == ids[b] {
                let chance = sigmoid(f64::from(relative[*at]));
                for row in [a, b] {
                    own[row] = Some(own[row].map_or(chance, |c| c.max(chance)));
                }
            }
        }
        let new = self.confidence.len();
        let each = own.into_iter().zip(rival).enumerate();
        each.map(|(row, (own, rival))| match self.confidence.get(row) {
            Some(before) if row < new => *before,
            _ => own.unwrap_or(1.0 - rival),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::blocking::pair;

    fn join(ids: &[i64]) -> Join {
        Join {
            first: ids.len() as u32,
            ids: ids.to_vec(),
            confidence: vec![0.9; ids.len()],
            already_there: 0,
            changed: 0,
        }
    }

    #[test]
    fn new_records_join_and_old_entities_stay() {
        // 3 matches entity 7 best and entity 4, too; 4 and 5 match each other alone.
        let join = join(&[7, 7, 4]);
        let pairs = [pair(0, 3), pair(1, 3), pair(2, 3), pair(4, 5)];
        let scores = [5.0, 4.0, 2.0, 3.0];
        let sides = Sides {
            rows: 6,
            split: None,
        };
        let (found, told) = join.describe(&pairs, &scores, &[0, 1, 2, 3], sides);
        assert_eq!(found.ids, [7, 7, 4, 7, 8, 8]);
        assert_eq!(&found.confidence[..3], [0.9; 3]);
        assert_eq!((told.new, told.joined, told.new_entities), (3, 1, 1));
        let named: Vec<_> = told.perhaps_one.iter().map(|(a, b, _)| (*a, *b)).collect();
        assert_eq!(named, [(4, 7)]);
        assert_eq!(found.sizes, [(1, 1), (2, 1), (3, 1)]);
    }

    proptest! {
        #[test]
        fn ids_are_stable(ids in prop::collection::vec(1_i64..5, 1..6), edges in prop::collection::btree_map((0_u32..10, 0_u32..10), -5.0_f32..5.0, 0..30)) {
            let join = join(&ids);
            let mut list: Vec<(u64, f32)> = edges.iter().filter(|((a, b), _)| a != b).map(|((a, b), s)| (pair(*a, *b), *s)).collect();
            list.sort_by_key(|e| e.0);
            list.dedup_by_key(|e| e.0);
            let (pairs, scores): (Vec<u64>, Vec<f32>) = list.into_iter().unzip();
            let accepted: Vec<usize> = (0..pairs.len()).filter(|at| scores[*at] > 0.0).collect();
            let (found, told) = join.describe(&pairs, &scores, &accepted, Sides { rows: 10, split: None });
            prop_assert_eq!(&found.ids[..ids.len()], &ids[..]);
            let known: BTreeSet<i64> = ids.iter().copied().collect();
            let most = ids.iter().max().unwrap();
            prop_assert!(found.ids.iter().all(|id| known.contains(id) || id > most));
            prop_assert_eq!(told.new, 10 - ids.len() as u64);
            prop_assert_eq!(found.sizes.iter().map(|(size, count)| size * count).sum::<u64>(), 10);
        }
    }
}
