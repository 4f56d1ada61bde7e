//! Logistic regression with an L2 penalty and weighted examples: the loss and its gradient are here, and `basin`'s
//! L-BFGS finds where the loss is least (Nocedal and Wright 2006, algorithm 7.5, with the line search of Moré and Thuente
//! 1994), as scikit-learn's default solver does.

use std::convert::Infallible;

use basin::{CostFunction, Executor, FirstOrderState, Gradient, Lbfgs};

/// It is done when the gradient of the mean loss is as short as this.
const GRADIENT: f64 = 1e-8;
/// The most steps.
const STEPS: u64 = 1_000;

/// An example: features, the share that is a match, and how much it counts.
pub(crate) struct Examples {
    /// Row after row.
    pub(crate) features: Vec<f64>,
    pub(crate) width: usize,
    pub(crate) matches: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

impl Examples {
    /// Each example: its features, the share that is a match, and what it counts.
    fn each(&self) -> impl Iterator<Item = (&[f64], f64, f64)> {
        let rows = self.features.chunks(self.width.max(1));
        let said = self.matches.iter().zip(&self.weights);
        rows.zip(said).map(|(row, (y, weight))| (row, *y, *weight))
    }
}

/// Coefficients, the intercept last. Minimises `|w|² / 2 + c Σ loss`, as scikit-learn's `C`; the intercept is
/// free. None where features are not finite, so that there is nothing to minimise.
pub(crate) fn fit(examples: &Examples, c: f64) -> Option<Vec<f64>> {
    let total: f64 = c * examples.weights.iter().sum::<f64>();
    let penalised = Penalised {
        examples,
        c,
        scale: if total > 1.0 { 1.0 / total } else { 1.0 },
    };
    let solver = Lbfgs::new()
        .unbounded()
        .with_absolute_gradient_tolerance(GRADIENT);
    let start = FirstOrderState::new(vec![0.0; examples.width + 1]);
    // It ends, too, where rounding leaves no step that gains anything: then it is as good as there.
    let Ok(found) = Executor::new(penalised, solver, start)
        .max_iter(STEPS)
        .run();
    found
        .best_cost()
        .is_finite()
        .then(|| found.best_param().clone())
}

/// The loss with its penalty, divided by what all examples count.
struct Penalised<'a> {
    examples: &'a Examples,
    c: f64,
    scale: f64,
}

impl CostFunction for Penalised<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, w: &Vec<f64>) -> Result<f64, Infallible> {
        let loss = |(row, y, weight): (&[f64], f64, f64)| {
            let z = decide(row, w);
            // ln(1 + e^z) - y z, without overflow.
            weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z)
        };
        let sum: f64 = self.examples.each().map(loss).sum();
        let penalty: f64 = w[..w.len() - 1].iter().map(|w| w * w).sum();
        Ok((penalty / 2.0 + self.c * sum) * self.scale)
    }
}

impl Gradient for Penalised<'_> {
    type Gradient = Vec<f64>;

    fn gradient(&self, w: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        let last = w.len() - 1;
        let mut out = w.clone();
        out[last] = 0.0;
        for (row, y, weight) in self.examples.each() {
            let slope = self.c * weight * (super::sigmoid(decide(row, w)) - y);
            for (to, x) in out.iter_mut().zip(row) {
                *to += slope * x;
            }
            out[last] += slope;
        }
        out.iter_mut().for_each(|to| *to *= self.scale);
        Ok(out)
    }
}

/// What a row of features comes to.
pub(crate) fn decide(row: &[f64], coefficients: &[f64]) -> f64 {
    let sum: f64 = row.iter().zip(coefficients).map(|(x, w)| x * w).sum();
    sum + coefficients.last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: &[f64], expected: [f64; 3]) {
        for (w, expected) in found.iter().zip(expected) {
            assert!((w - expected).abs() < 1e-5, "{found:?}");
        }
    }

    fn six(weights: Vec<f64>) -> Examples {
        Examples {
            features: vec![0.1, 1.0, 0.4, 0.0, 0.35, 1.0, 0.8, 0.0, 0.9, 1.0, 0.7, 1.0],
            width: 2,
            weights,
            matches: vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        }
    }

    // scikit-learn 1.9: LogisticRegression(C=0.1, tol=1e-10).fit(X, y), coef_ and intercept_.
    #[test]
    fn as_scikit_learn() {
        let w = fit(&six(vec![1.0; 6]), 0.1).unwrap();
        near(&w, [0.0765967, 0.0002162, -0.0416342]);
    }

    // The same with C=2 and fit(X, y, sample_weight=[1, .5, 3, 2, .25, 1]).
    #[test]
    fn examples_have_weights() {
        let w = fit(&six(vec![1.0, 0.5, 3.0, 2.0, 0.25, 1.0]), 2.0).unwrap();
        near(&w, [1.2825656, -0.8680375, -0.4022801]);
    }

    #[test]
    fn what_is_not_finite_teaches_nothing() {
        let mut examples = six(vec![1.0; 6]);
        examples.features[3] = f64::NAN;
        assert_eq!(fit(&examples, 0.1), None);
    }

    proptest! {
        // The loss is convex: where the gradient is nothing, it is least.
        #[test]
        fn the_gradient_is_nothing_there(
            rows in prop::collection::vec((prop::collection::vec(-3.0_f64..3.0, 3), any::<bool>(), 0.01_f64..5.0), 2..60),
            c in 0.05_f64..10.0,
        ) {
            let examples = Examples {
                // Two of the features are one.
                features: rows.iter().flat_map(|(x, ..)| [x[0], x[1], x[2], x[0]]).collect(),
                width: 4,
                matches: rows.iter().map(|(_, y, _)| f64::from(u8::from(*y))).collect(),
                weights: rows.iter().map(|(.., weight)| *weight).collect(),
            };
            // Where all say the same, the intercept, which is free, has no end.
            prop_assume!(examples.matches.iter().any(|y| *y != examples.matches[0]));
            let w = fit(&examples, c).unwrap();
            let total = (c * examples.weights.iter().sum::<f64>()).max(1.0);
            let there = Penalised { examples: &examples, c, scale: 1.0 / total };
            let gradient = there.gradient(&w).unwrap();
            prop_assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{:?}", gradient);
            prop_assert!((w[0] - w[3]).abs() < 1e-4, "{:?}", w);
            prop_assert_eq!(fit(&examples, c).unwrap(), w);
        }
    }
}
