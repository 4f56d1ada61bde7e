//! What is told of each row.

use crate::blocking::rows;
use crate::model::sigmoid;

/// What is told of each row, and of all.
pub(crate) struct Described {
    /// Each row's entity.
    pub(crate) ids: Vec<i64>,
    /// How sure that is, for each row.
    pub(crate) confidence: Vec<f64>,
    /// How many entities there are of each size.
    pub(crate) sizes: Vec<(u64, u64)>,
}

/// Ids by the order of first rows, each row's confidence, and how many entities there are of each size.
pub(crate) fn describe(
    pairs: &[u64],
    relative: &[f32],
    accepted: &[usize],
    entities: &[u32],
) -> Described {
    let mut ids = vec![0_i64; entities.len()];
    let mut sizes = vec![0_u64; entities.len()];
    let mut next = 0;
    for (row, entity) in entities.iter().enumerate() {
        if *entity as usize == row {
            next += 1;
            ids[row] = next;
        } else {
            ids[row] = ids[*entity as usize];
        }
        sizes[*entity as usize] += 1;
    }
    // How likely a record's best match in its entity is; of one that is alone, that it has none.
    let mut confidence: Vec<Option<f64>> = vec![None; entities.len()];
    for at in accepted {
        let (a, b) = rows(pairs[*at]);
        if entities[a as usize] == entities[b as usize] {
            let chance = sigmoid(f64::from(relative[*at]));
            for row in [a, b] {
                let own = &mut confidence[row as usize];
                *own = Some(own.map_or(chance, |c| c.max(chance)));
            }
        }
    }
    let mut rival = vec![0.0_f64; entities.len()];
    for (pair, score) in pairs.iter().zip(relative) {
        let (a, b) = rows(*pair);
        let chance = sigmoid(f64::from(*score));
        for row in [a, b] {
            let own = &mut rival[row as usize];
            *own = own.max(chance);
        }
    }
    let confidence = confidence
        .into_iter()
        .zip(rival)
        .map(|(own, rival)| own.unwrap_or(1.0 - rival))
        .collect();
    let mut counts = std::collections::BTreeMap::new();
    for size in sizes.into_iter().filter(|size| *size > 0) {
        *counts.entry(size).or_insert(0) += 1;
    }
    Described {
        ids,
        confidence,
        sizes: counts.into_iter().collect(),
    }
}
