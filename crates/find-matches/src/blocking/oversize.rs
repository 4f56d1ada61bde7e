//! Blocks that are too great: how many rows a block may have, and which keys have too many such blocks.

/// The most rows of a block. 50 make 1,225 pairs.
pub(crate) const MOST_ROWS: u64 = 50;

/// The share of a key's rows that may lie in oversized blocks before the key is refused.
const MOST_OVERSIZED: f64 = 0.3;

/// What is known of a key from counts, before any pair is made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Size {
    /// Pairs in blocks of up to [`MOST_ROWS`].
    pub(crate) pairs: f64,
    /// Rows with a value.
    pub(crate) rows: f64,
    /// Rows in greater blocks.
    pub(crate) oversized: f64,
}

impl Size {
    /// Counts a block.
    pub(crate) fn add(&mut self, rows: u64, weight: f64) {
        let block = rows as f64;
        self.rows += weight * block;
        if rows > MOST_ROWS {
            self.oversized += weight * block;
        } else {
            self.pairs += weight * block * (block - 1.0) / 2.0;
        }
    }

    /// Whether too many rows would be left to other keys.
    pub(crate) fn refused(&self) -> bool {
        self.oversized >= MOST_OVERSIZED * self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn great_blocks_are_not_multiplied_out() {
        let mut size = Size::default();
        size.add(3, 1.0);
        size.add(51, 1.0);
        assert_eq!((size.pairs, size.rows, size.oversized), (3.0, 54.0, 51.0));
        assert!(size.refused());
        size.add(50, 4.0);
        assert!(!size.refused());
    }
}
