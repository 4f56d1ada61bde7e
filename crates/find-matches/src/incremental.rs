//! New records join the entities that are there.
//!
//! The entities of old records stay as they are: none is given another id, none is split, and none are joined, for
//! whoever wrote an id down counts on it. A new record goes to the entity that its best match is of. Where it matches two
//! entities, which are then perhaps one, that is told, and matching all records again would join them. Where two tables are
//! linked one to one, what has its partner keeps it, and a new record that is as like it is told. Glue's
//! `FindIncrementalMatches` says as much as that it matches new records with old ones, and not old ones with each other.

mod parts;
mod read;
mod sides;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blocking::{Sides, rows};
use crate::decide::cluster::{Groups, is_sure};
use crate::find::describe::Described;
use crate::known::Fresh;
use crate::model::sigmoid;

pub(crate) use read::{check, columns, read};

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
    /// Linking one to one: new records whose best match has its partner already, which it keeps: the first 1,000, the likeliest
    /// first.
    pub place_taken: Vec<PlaceTaken>,
}

/// A new record whose best match has its partner already.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlaceTaken {
    /// The entity that the new record is of now.
    pub match_id: i64,
    /// The entity of its best match, which stays as it is.
    pub entity: i64,
    /// How likely that is a match.
    pub match_probability: f64,
    /// How likely the pair is that the entity consists of, where it was compared.
    pub present: Option<f64>,
}

/// The entities of old records.
pub(crate) struct Join {
    pub(crate) fresh: Fresh,
    /// None of new records.
    ids: Vec<Option<i64>>,
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
        let mut groups = Groups::new(pairs, accepted, sides);
        let mut representative: BTreeMap<i64, u32> = BTreeMap::new();
        // The entity of each group, by its least row.
        let mut entity: Vec<Option<i64>> = vec![None; self.ids.len()];
        for (row, id) in (0_u32..).zip(&self.ids) {
            let Some(id) = id else { continue };
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
            let (x, y) = (groups.of(a), groups.of(b));
            if x == y || !self.fresh.has(pairs[at]) {
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
        let old = self.ids.iter().flatten();
        let mut next = old.copied().max().unwrap_or(0).max(0);
        let (mut joined, mut new_entities) = (0, 0);
        let mut ids = Vec::with_capacity(self.ids.len());
        for (row, old) in (0_u32..).zip(&self.ids) {
            if let Some(old) = old {
                ids.push(*old);
                continue;
            }
            let group = groups.of(row) as usize;
            let id = entity[group].unwrap_or_else(|| {
                next += 1;
                new_entities += 1;
                entity[group] = Some(next);
                next
            });
            joined += u64::from(representative.contains_key(&id));
            ids.push(id);
        }
        let confidence = self.confidence_of(pairs, relative, accepted, &ids);
        let mut of_id: BTreeMap<i64, u64> = BTreeMap::new();
        ids.iter()
            .for_each(|id| *of_id.entry(*id).or_default() += 1);
        let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
        of_id
            .values()
            .for_each(|size| *sizes.entry(*size).or_default() += 1);
        let existing = self.ids.iter().flatten().count() as u64;
        let told = Joined {
            existing,
            already_there: self.already_there,
            changed: self.changed,
            new: self.ids.len() as u64 - existing,
            joined,
            new_entities,
            perhaps_one: between
                .into_iter()
                .map(|((p, q), chance)| (p, q, chance))
                .take(NAMED)
                .collect(),
            place_taken: self.place_taken(pairs, relative, &ids),
        };
        let described = Described {
            ids,
            confidence,
            sizes: sizes.into_iter().collect(),
        };
        (described, told)
    }

    /// The new records whose best is an old one that has its partner, the likeliest first.
    fn place_taken(&self, pairs: &[u64], relative: &[f32], ids: &[i64]) -> Vec<PlaceTaken> {
        // For each new record its best, and for each old pair how good it is.
        let mut best: BTreeMap<u32, (f32, u32)> = BTreeMap::new();
        let mut present: BTreeMap<i64, f32> = BTreeMap::new();
        for (pair, score) in pairs.iter().zip(relative) {
            let (a, b) = rows(*pair);
            match (self.fresh.is_new(a), self.fresh.is_new(b)) {
                (false, false) if ids[a as usize] == ids[b as usize] => {
                    let there = present.entry(ids[a as usize]).or_insert(*score);
                    *there = there.max(*score);
                }
                (false, false) => {}
                _ => {
                    for (row, other) in [(a, b), (b, a)] {
                        if self.fresh.is_new(row) {
                            let own = best.entry(row).or_insert((*score, other));
                            if *score > own.0 {
                                *own = (*score, other);
                            }
                        }
                    }
                }
            }
        }
        let chance = |score: f32| sigmoid(f64::from(score));
        let taken = best
            .into_iter()
            .filter(|(_, (score, other))| *score > 0.0 && self.fresh.is_taken(*other));
        let mut out: Vec<PlaceTaken> = taken
            .map(|(row, (score, other))| {
                let entity = ids[other as usize];
                PlaceTaken {
                    match_id: ids[row as usize],
                    entity,
                    match_probability: chance(score),
                    present: present.get(&entity).copied().map(chance),
                }
            })
            .collect();
        out.sort_by(|a, b| {
            let by = b.match_probability.total_cmp(&a.match_probability);
            by.then(a.match_id.cmp(&b.match_id))
        });
        out.truncate(NAMED);
        out
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
            let (a, b) = rows(*pair);
            // Of what has its partner, nobody can be another's.
            if self.fresh.is_taken(a) || self.fresh.is_taken(b) {
                continue;
            }
            let chance = sigmoid(f64::from(*score));
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
        let each = (0_u32..).zip(own).zip(rival).zip(&self.confidence);
        each.map(
            |(((row, own), rival), before)| match self.fresh.is_new(row) {
                true => own.unwrap_or(1.0 - rival),
                false => *before,
            },
        )
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::blocking::pair;

    fn join(ids: &[Option<i64>], sides: Sides, one_to_one: bool) -> Join {
        Join {
            fresh: Fresh::new(ids, sides, one_to_one),
            ids: ids.to_vec(),
            confidence: vec![0.9; ids.len()],
            already_there: 0,
            changed: 0,
        }
    }

    /// Old records, and so many that are new.
    fn ids(old: &[i64], new: usize) -> Vec<Option<i64>> {
        let none = std::iter::repeat_n(None, new);
        old.iter().copied().map(Some).chain(none).collect()
    }

    #[test]
    fn new_records_join_and_old_entities_stay() {
        // 3 matches entity 7 best and entity 4, too; 4 and 5 match each other alone.
        let pairs = [pair(0, 3), pair(1, 3), pair(2, 3), pair(4, 5)];
        let scores = [5.0, 4.0, 2.0, 3.0];
        let sides = Sides {
            rows: 6,
            split: None,
        };
        let join = join(&ids(&[7, 7, 4], 3), sides, false);
        let (found, told) = join.describe(&pairs, &scores, &[0, 1, 2, 3], sides);
        assert_eq!(found.ids, [7, 7, 4, 7, 8, 8]);
        assert_eq!(&found.confidence[..3], [0.9; 3]);
        assert_eq!((told.new, told.joined, told.new_entities), (3, 1, 1));
        let named: Vec<_> = told.perhaps_one.iter().map(|(a, b, _)| (*a, *b)).collect();
        assert_eq!(named, [(4, 7)]);
        assert_eq!(found.sizes, [(1, 1), (2, 1), (3, 1)]);
    }

    #[test]
    fn a_place_that_is_taken_is_told() {
        // Left: 0 is linked with 3, 1 is alone, 2 is new. Right: 3, 4 is new. 4 is like 0, more than 3 is.
        let sides = Sides {
            rows: 5,
            split: Some(3),
        };
        let ids = [Some(1), Some(2), None, Some(1), None];
        let join = join(&ids, sides, true);
        let pairs = [pair(0, 3), pair(0, 4), pair(1, 4), pair(2, 4)];
        let scores = [2.0, 5.0, 1.0, -3.0];
        let accepted = join.fresh.assign(&pairs, &scores, sides, 0.0, false);
        let (found, told) = join.describe(&pairs, &scores, &accepted, sides);
        assert_eq!(found.ids, [1, 2, 3, 1, 2]);
        assert_eq!((told.new, told.joined, told.new_entities), (2, 1, 1));
        let taken = &told.place_taken[..];
        assert_eq!((taken.len(), taken[0].match_id, taken[0].entity), (1, 2, 1));
        assert!(taken[0].present.unwrap() < taken[0].match_probability);
    }

    proptest! {
        #[test]
        fn ids_are_stable(old in prop::collection::vec(1_i64..5, 1..6), edges in prop::collection::btree_map((0_u32..10, 0_u32..10), -5.0_f32..5.0, 0..30)) {
            let sides = Sides { rows: 10, split: None };
            let join = join(&ids(&old, 10 - old.len()), sides, false);
            let mut list: Vec<(u64, f32)> = edges.iter().filter(|((a, b), _)| a != b).map(|((a, b), s)| (pair(*a, *b), *s)).collect();
            list.sort_by_key(|e| e.0);
            list.dedup_by_key(|e| e.0);
            let (pairs, scores): (Vec<u64>, Vec<f32>) = list.into_iter().unzip();
            let accepted: Vec<usize> = (0..pairs.len()).filter(|at| scores[*at] > 0.0).collect();
            let (found, told) = join.describe(&pairs, &scores, &accepted, sides);
            prop_assert_eq!(&found.ids[..old.len()], &old[..]);
            let known: BTreeSet<i64> = old.iter().copied().collect();
            let most = old.iter().max().unwrap();
            prop_assert!(found.ids.iter().all(|id| known.contains(id) || id > most));
            prop_assert_eq!(told.new, 10 - old.len() as u64);
            prop_assert_eq!(found.sizes.iter().map(|(size, count)| size * count).sum::<u64>(), 10);
        }
    }
}
