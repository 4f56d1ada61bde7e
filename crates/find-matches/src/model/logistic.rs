//! Logistic regression with an L2 penalty, by Newton's method (iteratively reweighted least squares).

/// An example: features, the share that is a match, and how much it counts.
pub(crate) struct Examples {
    /// Row after row.
    pub(crate) features: Vec<f64>,
    pub(crate) width: usize,
    pub(crate) matches: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

/// Coefficients, the intercept last. Minimises `|w|² / 2 + c Σ loss`, as scikit-learn's `C`; the intercept is
/// free.
pub(crate) fn fit(examples: &Examples, c: f64) -> Vec<f64> {
    let d = examples.width + 1;
    let mut w = vec![0.0; d];
    let mut value = loss(examples, &w, c);
    for _ in 0..100 {
        let mut gradient: Vec<f64> = w.clone();
        let mut hessian = vec![0.0; d * d];
        gradient[d - 1] = 0.0;
        for at in 0..examples.width {
            hessian[at * d + at] = 1.0;
        }
        hessian[d * d - 1] = 1e-9;
        let mut x = vec![1.0; d];
        let rows = examples.features.chunks(examples.width.max(1));
        for ((row, y), weight) in rows.zip(&examples.matches).zip(&examples.weights) {
            x[..d - 1].copy_from_slice(&row[..d - 1]);
            let p = super::sigmoid(dot(&x, &w));
            let slope = c * weight * (p - y);
            let curve = (c * weight * p * (1.0 - p)).max(1e-12);
            for i in 0..d {
                if x[i] == 0.0 {
                    continue;
                }
                gradient[i] += slope * x[i];
                let scaled = curve * x[i];
                for (h, xj) in hessian[i * d..i * d + i + 1].iter_mut().zip(&x) {
                    *h += scaled * xj;
                }
            }
        }
        let Some(step) = solve(hessian, gradient.clone(), d) else {
            break;
        };
        // A full step can go too far where the classes are easily told apart.
        let mut size = 1.0;
        let better = loop {
            let next: Vec<f64> = w.iter().zip(&step).map(|(w, s)| w - size * s).collect();
            let at = loss(examples, &next, c);
            if at <= value || size < 1e-6 {
                break (next, at);
            }
            size /= 2.0;
        };
        let gain = value - better.1;
        w = better.0;
        value = better.1;
        if gain <= 1e-9 * (1.0 + value.abs()) {
            break;
        }
    }
    w
}

fn dot(x: &[f64], w: &[f64]) -> f64 {
    x.iter().zip(w).map(|(x, w)| x * w).sum()
}

/// What a row of features comes to.
pub(crate) fn decide(row: &[f64], coefficients: &[f64]) -> f64 {
    dot(row, coefficients) + coefficients.last().copied().unwrap_or(0.0)
}

fn loss(examples: &Examples, w: &[f64], c: f64) -> f64 {
    let rows = examples.features.chunks(examples.width.max(1));
    let mut sum = 0.0;
    for ((row, y), weight) in rows.zip(&examples.matches).zip(&examples.weights) {
        let z = decide(row, w);
        // ln(1 + e^z) - y z, without overflow.
        sum += weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z);
    }
    let penalty: f64 = w[..w.len() - 1].iter().map(|w| w * w).sum();
    penalty / 2.0 + c * sum
}

/// Solves a symmetric positive system of which the lower triangle is given, by Cholesky's decomposition.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>, d: usize) -> Option<Vec<f64>> {
    for i in 0..d {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[i * d + k] * a[j * d + k]).sum();
            let left = a[i * d + j] - sum;
            if i == j {
                if left <= 0.0 {
                    return None;
                }
                a[i * d + i] = left.sqrt();
            } else {
                a[i * d + j] = left / a[j * d + j];
            }
        }
    }
    for i in 0..d {
        let sum: f64 = (0..i).map(|k| a[i * d + k] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * d + i];
    }
    for i in (0..d).rev() {
        let sum: f64 = (i + 1..d).map(|k| a[k * d + i] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * d + i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    // scikit-learn 1.9: LogisticRegression(C=0.1, tol=1e-10).fit(X, y), coef_ and intercept_.
    #[test]
    fn as_scikit_learn() {
        let features = vec![0.1, 1.0, 0.4, 0.0, 0.35, 1.0, 0.8, 0.0, 0.9, 1.0, 0.7, 1.0];
        let matches = vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let examples = Examples {
            features,
            width: 2,
            weights: vec![1.0; 6],
            matches,
        };
        let w = fit(&examples, 0.1);
        for (found, expected) in w.iter().zip([0.0765967, 0.0002162, -0.0416342]) {
            assert!((found - expected).abs() < 1e-5, "{w:?}");
        }
    }
}
