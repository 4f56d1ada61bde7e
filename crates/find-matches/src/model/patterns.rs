//! Pairs by what their comparisons came out as. Most pairs share it with many others, so that the model is
//! learned from counts.

use hashbrown::HashMap;

use crate::compare::Compared;

/// The different outcomes, and which of them each pair has.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// For each pattern, the levels and then the rarities.
    codes: Vec<u8>,
    width: usize,
    counts: Vec<f64>,
    /// The pattern of each pair.
    pub(crate) of: Vec<u32>,
}

impl Patterns {
    /// Of the pairs that were compared.
    pub(crate) fn new(compared: &Compared) -> Self {
        let width = compared.levels.len();
        let pairs = compared.record.len();
        let mut out = Patterns {
            width,
            of: Vec::with_capacity(pairs),
            ..Patterns::default()
        };
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut code = vec![0; 2 * width];
        for pair in 0..pairs {
            for ((cell, from), column) in code
                .iter_mut()
                .zip(compared.levels.iter().chain(&compared.rarity))
                .zip(0..)
            {
                let _: usize = column;
                *cell = from[pair];
            }
            let next = known.len() as u32;
            let pattern = *known.entry_ref(code.as_slice()).or_insert(next);
            if pattern == next {
                out.codes.extend_from_slice(&code);
                out.counts.push(0.0);
            }
            out.counts[pattern as usize] += 1.0;
            out.of.push(pattern);
        }
        out
    }

    /// How many patterns there are.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Each pattern with the number of its pairs.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, f64)> {
        self.counts.iter().copied().enumerate()
    }

    /// The level of a comparison.
    pub(crate) fn level(&self, pattern: usize, comparison: usize) -> u8 {
        self.codes[pattern * 2 * self.width + comparison]
    }

    /// The bucket of rarity of a comparison.
    pub(crate) fn rarity(&self, pattern: usize, comparison: usize) -> u8 {
        self.codes[pattern * 2 * self.width + self.width + comparison]
    }
}
