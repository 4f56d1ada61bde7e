//! What chance makes, against what was found.

/// The share of what is kept that may be chance.
const CHANCE: f64 = 0.1;

/// The least value found from which on at most a tenth, as counted by what `chance` made, is chance. Infinite if there
/// is none.
pub(crate) fn threshold(mut found: Vec<f32>, mut chance: Vec<f32>) -> f32 {
    found.sort_unstable_by(|a, b| b.total_cmp(a));
    chance.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut best = f32::INFINITY;
    for (rank, value) in found.iter().enumerate() {
        let by_chance = chance.partition_point(|c| c >= value);
        if (1 + by_chance) as f64 <= CHANCE * (rank + 1) as f64 {
            best = *value;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_chance() {
        // Of 20 values over 0.5 one is chance's, and with the 10 below there are 5 more of those.
        let found: Vec<f32> = (0..20)
            .map(|n| 0.5 + 0.01 * n as f32)
            .chain((0..10).map(|n| 0.3 + 0.01 * n as f32))
            .collect();
        let chance = vec![0.55, 0.395, 0.395, 0.385, 0.375, 0.365];
        assert_eq!(threshold(found.clone(), chance), 0.5);
        // Nine are too few to say anything.
        assert_eq!(threshold(found[..9].to_vec(), Vec::new()), f32::INFINITY);
        assert_eq!(threshold(Vec::new(), vec![1.0]), f32::INFINITY);
    }
}
