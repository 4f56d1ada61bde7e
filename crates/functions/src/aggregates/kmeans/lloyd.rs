//! k-means++ and Lloyd's algorithm over weighted points.

use crate::sample::{fraction, mix};

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) k: usize,
    pub(super) seed: u64,
    pub(super) iterations: usize,
    pub(super) scale: bool,
}

pub(super) struct Model {
    pub(super) centroids: Vec<Vec<f64>>,
    pub(super) scale: Vec<f64>,
}

/// So many starts are tried, and fewer where points times clusters are many.
const STARTS: usize = 4;
const MUCH: usize = 2_000_000;

/// Random numbers of SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        fraction(mix(self.0))
    }
}

/// The centres of `points` (`dimensions` numbers each) with these weights. There is at least one point.
pub(super) fn cluster(
    points: &[f64],
    weights: &[f64],
    dimensions: usize,
    settings: &Settings,
) -> Model {
    let scale = if settings.scale {
        deviations(points, weights, dimensions)
    } else {
        vec![1.0; dimensions]
    };
    let scaled: Vec<f64> = points
        .chunks(dimensions)
        .flat_map(|point| point.iter().zip(&scale).map(|(x, s)| x / s))
        .collect();
    let cloud = Cloud {
        points: &scaled,
        weights,
        dimensions,
    };
    let k = settings.k.min(weights.len());
    let starts = if weights.len() * k * dimensions > MUCH {
        1
    } else {
        STARTS
    };
    let mut random = Random(mix(settings.seed));
    let best = (0..starts)
        .map(|_| {
            let first = cloud.plus_plus(k, &mut random);
            cloud.lloyd(first, settings.iterations)
        })
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let mut centroids: Vec<Vec<f64>> = best
        .map_or_else(Vec::new, |(_, centroids)| centroids)
        .into_iter()
        .map(|c| c.iter().zip(&scale).map(|(x, s)| x * s).collect())
        .collect();
    centroids.sort_by(|a, b| {
        let pairs = a.iter().zip(b).map(|(x, y)| x.total_cmp(y));
        pairs.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    Model { centroids, scale }
}

/// The standard deviation of each coordinate; 1 where it does not vary.
fn deviations(points: &[f64], weights: &[f64], dimensions: usize) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let average = |of: &dyn Fn(&[f64], usize) -> f64, at: usize| {
        let sum: f64 = points
            .chunks(dimensions)
            .zip(weights)
            .map(|(p, w)| of(p, at) * w)
            .sum();
        sum / total
    };
    (0..dimensions)
        .map(|at| {
            let mean = average(&|p, at| p[at], at);
            let deviation = average(&|p, at| (p[at] - mean).powi(2), at).sqrt();
            if deviation.is_normal() {
                deviation
            } else {
                1.0
            }
        })
        .collect()
}

struct Cloud<'a> {
    points: &'a [f64],
    weights: &'a [f64],
    dimensions: usize,
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

impl Cloud<'_> {
    fn point(&self, at: usize) -> &[f64] {
        let start = at * self.dimensions;
        self.points
            .get(start..start + self.dimensions)
            .unwrap_or_default()
    }

    fn each(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.points
            .chunks(self.dimensions)
            .zip(self.weights.iter().copied())
    }

    /// First centres: each next one a point, the likelier the farther it is from those before. Fewer
    /// than `k` where there is no other point left.
    fn plus_plus(&self, k: usize, random: &mut Random) -> Vec<Vec<f64>> {
        let mut chances = self.weights.to_vec();
        let mut nearest = vec![f64::INFINITY; self.weights.len()];
        let mut centroids: Vec<Vec<f64>> = Vec::with_capacity(k);
        while centroids.len() < k {
            let total: f64 = chances.iter().sum();
            if total <= 0.0 || !total.is_finite() {
                break;
            }
            let mut left = random.next() * total;
            let mut chosen = None;
            for (at, chance) in chances.iter().enumerate().filter(|(_, c)| **c > 0.0) {
                chosen = Some(at);
                left -= chance;
                if left < 0.0 {
                    break;
                }
            }
            let Some(chosen) = chosen else { break };
            let centroid = self.point(chosen).to_vec();
            for (at, (point, weight)) in self.each().enumerate() {
                nearest[at] = nearest[at].min(distance(point, &centroid));
                chances[at] = nearest[at] * weight;
            }
            centroids.push(centroid);
        }
        centroids
    }

    /// Centres moved to the middle of their points until nothing changes, and the sum of the squared
    /// distances to them.
    fn lloyd(&self, mut centroids: Vec<Vec<f64>>, iterations: usize) -> (f64, Vec<Vec<f64>>) {
        let mut cost = f64::INFINITY;
        for _ in 0..=iterations {
            let mut sums = vec![vec![0.0; self.dimensions]; centroids.len()];
            let mut totals = vec![0.0; centroids.len()];
            let mut now = 0.0;
            for (point, weight) in self.each() {
                let (at, far) = closest(point, &centroids);
                now += far * weight;
                totals[at] += weight;
                for (sum, x) in sums[at].iter_mut().zip(point) {
                    *sum += x * weight;
                }
            }
            if now >= cost {
                break;
            }
            cost = now;
            for ((centroid, sum), total) in centroids.iter_mut().zip(&sums).zip(&totals) {
                // A centre that has lost its points stays where it is.
                if *total > 0.0 {
                    for (x, s) in centroid.iter_mut().zip(sum) {
                        *x = s / total;
                    }
                }
            }
        }
        (cost, centroids)
    }
}

/// The nearest centre, the first of several, and the square of its distance.
fn closest(point: &[f64], centroids: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (at, centroid) in centroids.iter().enumerate() {
        let far = distance(point, centroid);
        if far < best.1 {
            best = (at, far);
        }
    }
    best
}
