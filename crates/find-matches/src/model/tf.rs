//! Agreement on a rare value says more than agreement on a frequent one.

use super::patterns::Patterns;
use crate::compare::RARITY;

/// How much of the difference counts.
const SHARE: f64 = 0.5;
/// The most that it counts for, before.
const MOST: f64 = 4.0;

/// -ln of the frequency that a bucket stands for; none for 0.
pub(crate) fn rarity(bucket: u8) -> Option<f64> {
    (bucket > 0).then(|| f64::from(bucket - 1) / f64::from(RARITY))
}

/// The mean rarity of what pairs agree on exactly.
pub(crate) fn mean(patterns: &Patterns, comparison: usize) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for (pattern, times) in patterns.each() {
        if let Some(rare) = rarity(patterns.rarity(pattern, comparison)) {
            sum += rare * times;
            count += times;
        }
    }
    (count > 0.0).then(|| sum / count)
}

/// What is added to a weight.
pub(crate) fn adjustment(bucket: u8, mean: Option<f64>) -> f64 {
    match (rarity(bucket), mean) {
        (Some(rare), Some(mean)) => SHARE * (rare - mean).clamp(-MOST, MOST),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_agreement_is_worth_more() {
        // 1 + 8 · 5 is a rarity of 5.
        assert_eq!(adjustment(41, Some(3.0)), 1.0);
        assert_eq!(adjustment(41, Some(6.0)), -0.5);
        assert_eq!(adjustment(201, Some(3.0)), 2.0);
        assert_eq!(adjustment(0, Some(3.0)), 0.0);
    }
}
