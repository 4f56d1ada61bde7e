//! A bounded sample of different points, each with how often it was seen.

use std::collections::HashMap;

use crate::sample::mix;

/// So many different points are kept at most,
const POINTS: usize = 100_000;
/// and so many coordinates in all.
const COORDINATES: usize = 4_000_000;

#[derive(Debug)]
pub(super) struct Sample {
    seed: u64,
    dimensions: Option<usize>,
    kept: HashMap<Box<[u64]>, (u64, f64)>,
    /// Points with greater hashes were left out, and are left out from then on.
    limit: u64,
}

impl Sample {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            dimensions: None,
            kept: HashMap::new(),
            limit: u64::MAX,
        }
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions.unwrap_or(0)
    }

    fn room(&self) -> usize {
        POINTS.min(COORDINATES / self.dimensions().max(1)).max(1)
    }

    /// Adds a point; one with a coordinate that is no finite number is left out.
    pub(super) fn add(&mut self, point: &[f64], count: f64) {
        let dimensions = *self.dimensions.get_or_insert(point.len());
        if point.len() != dimensions || dimensions == 0 || !point.iter().all(|x| x.is_finite()) {
            return;
        }
        // -0 and 0 are one.
        let bits: Box<[u64]> = point.iter().map(|x| (x + 0.0).to_bits()).collect();
        let hash = bits
            .iter()
            .fold(mix(self.seed), |hash, bits| mix(hash ^ bits));
        if hash > self.limit {
            return;
        }
        self.kept.entry(bits).or_insert((hash, 0.0)).1 += count;
        // Twice the room, so that leaving out is rare.
        if self.kept.len() > 2 * self.room() {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let room = self.room();
        if self.kept.len() <= room {
            return;
        }
        let mut hashes: Vec<u64> = self.kept.values().map(|(hash, _)| *hash).collect();
        let (_, limit, _) = hashes.select_nth_unstable(room - 1);
        self.limit = *limit;
        let limit = self.limit;
        self.kept.retain(|_, (hash, _)| *hash <= limit);
    }

    /// The points' coordinates, one point behind the other, in an order that depends on the points alone,
    /// and the points' counts.
    pub(super) fn sorted(&mut self) -> (Vec<f64>, Vec<f64>) {
        self.shrink();
        let mut all: Vec<(&[u64], u64, f64)> = self
            .kept
            .iter()
            .map(|(bits, (hash, count))| (bits.as_ref(), *hash, *count))
            .collect();
        all.sort_unstable_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)));
        let points = all.iter().flat_map(|(bits, ..)| bits.iter());
        (
            points.map(|bits| f64::from_bits(*bits)).collect(),
            all.iter().map(|(.., count)| *count).collect(),
        )
    }

    pub(super) fn size(&self) -> usize {
        let entry = size_of::<(Box<[u64]>, (u64, f64))>() + 8;
        self.kept.capacity() * entry + self.kept.len() * self.dimensions() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_bounded_and_the_same_whatever_the_order() {
        let points: Vec<[f64; 2]> = (0..250_000).map(|i| [f64::from(i), 1.0]).collect();
        let (mut one, mut other) = (Sample::new(1), Sample::new(1));
        points.iter().for_each(|p| one.add(p, 1.0));
        points.iter().rev().for_each(|p| other.add(p, 1.0));
        let (kept, counts) = one.sorted();
        assert_eq!(counts.len(), POINTS);
        assert_eq!((kept, counts), other.sorted());
        let mut seeded = Sample::new(2);
        points.iter().for_each(|p| seeded.add(p, 1.0));
        assert_ne!(one.sorted(), seeded.sorted());
    }

    #[test]
    fn equal_points_are_counted_and_odd_ones_left_out() {
        let mut sample = Sample::new(0);
        for point in [
            [1.0, 0.0],
            [1.0, -0.0],
            [f64::NAN, 1.0],
            [2.0, f64::INFINITY],
        ] {
            sample.add(&point, 1.0);
        }
        sample.add(&[1.0], 1.0);
        assert_eq!(sample.sorted(), (vec![1.0, 0.0], vec![2.0]));
    }
}
