//! What is known before a table is matched.

use crate::blocking::rows;
use crate::transform::Transform;

/// What was learned before, and which rows are new.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// What is applied.
    pub(crate) transform: Option<&'a Transform>,
    /// Whether what is learned is to be kept.
    pub(crate) keep: bool,
    /// The first new row, where new records are to join others. It and all behind it are new.
    pub(crate) new: Option<u32>,
}

impl Known<'_> {
    /// The pairs that matter: all, or those of new records and of the records that those are paired with.
    pub(crate) fn among(&self, pairs: Vec<u64>) -> Vec<u64> {
        let Some(first) = self.new else {
            return pairs;
        };
        let near: hashbrown::HashSet<u32> = pairs
            .iter()
            .map(|pair| rows(*pair))
            .filter(|(a, b)| *a < first && *b >= first)
            .map(|(a, _)| a)
            .collect();
        let matters = |pair: &u64| {
            let (a, b) = rows(*pair);
            b >= first || near.contains(&a) || near.contains(&b)
        };
        pairs.into_iter().filter(matters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    #[test]
    fn pairs_of_new_records_and_their_rivals_matter() {
        let pairs = vec![pair(0, 1), pair(1, 5), pair(2, 3), pair(1, 2), pair(5, 6)];
        let known = Known {
            new: Some(5),
            ..Known::default()
        };
        assert_eq!(
            known.among(pairs),
            [pair(0, 1), pair(1, 5), pair(1, 2), pair(5, 6)]
        );
    }
}
