//! Probability distributions and intervals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{double, doubles};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::Double;
    let two = Params::Kinds(&[Double, Double], 2);
    let three = Params::Kinds(&[Double, Double, Double], 3);
    vec![
        Function::new("normal_cdf", three, double, normal_cdf).udf(),
        Function::new("inverse_normal_cdf", three, double, inverse_normal_cdf).udf(),
        Function::new("beta_cdf", three, double, beta_cdf).udf(),
        Function::new("inverse_beta_cdf", three, double, inverse_beta_cdf).udf(),
        Function::new("t_cdf", two, double, t_cdf).udf(),
        Function::new("t_pdf", two, double, t_pdf).udf(),
        Function::new("wilson_interval_lower", three, double, |c| wilson(c, -1.0)).udf(),
        Function::new("wilson_interval_upper", three, double, |c| wilson(c, 1.0)).udf(),
    ]
}

/// Calls `f` with the arguments of each row where none is NULL.
fn each<const N: usize>(call: &Call<'_>, f: impl Fn([f64; N]) -> Result<f64>) -> Result<ArrayRef> {
    let columns: Vec<_> = (0..N).map(|i| call.doubles(i)).collect::<Result<_>>()?;
    doubles(call, |row| {
        let mut values = [0.0; N];
        for (value, column) in values.iter_mut().zip(&columns) {
            if column.is_null(row) {
                return Ok(None);
            }
            *value = column.value(row);
        }
        f(values).map(Some)
    })
}

fn normal_cdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[mean, deviation, x]| {
        positive(call, "the standard deviation", deviation)?;
        Ok(0.5 * libm::erfc(-(x - mean) / (deviation * std::f64::consts::SQRT_2)))
    })
}

fn inverse_normal_cdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[mean, deviation, p]| {
        positive(call, "the standard deviation", deviation)?;
        if !(p > 0.0 && p < 1.0) {
            return exec_err!(
                "inverse_normal_cdf: p must be greater than 0 and less than 1, not {p}"
            );
        }
        Ok(mean + deviation * normal_quantile(p))
    })
}

fn beta_cdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[a, b, x]| {
        positive(call, "a", a)?;
        positive(call, "b", b)?;
        unit(call, "the value", x)?;
        Ok(incomplete_beta(a, b, x))
    })
}

fn inverse_beta_cdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[a, b, p]| {
        positive(call, "a", a)?;
        positive(call, "b", b)?;
        unit(call, "p", p)?;
        // The cdf rises from 0 to 1, so halving finds the place to the last bit.
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if incomplete_beta(a, b, middle) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(f64::midpoint(low, high))
    })
}

fn degrees(call: &Call<'_>, df: f64) -> Result<()> {
    if df >= 1.0 && df.fract() == 0.0 {
        return Ok(());
    }
    exec_err!(
        "{}: the degrees of freedom must be a whole number from 1, not {df}",
        call.name
    )
}

fn t_cdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[x, df]| {
        degrees(call, df)?;
        let tail = 0.5 * incomplete_beta(df / 2.0, 0.5, df / (df + x * x));
        Ok(if x > 0.0 { 1.0 - tail } else { tail })
    })
}

fn t_pdf(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |[x, df]| {
        degrees(call, df)?;
        let log = libm::lgamma((df + 1.0) / 2.0)
            - libm::lgamma(df / 2.0)
            - 0.5 * (df * std::f64::consts::PI).ln()
            - (df + 1.0) / 2.0 * (x * x / df).ln_1p();
        Ok(log.exp())
    })
}

/// Wilson's score interval of a proportion.
fn wilson(call: &Call<'_>, side: f64) -> Result<ArrayRef> {
    each(call, |[successes, trials, z]| {
        if successes < 0.0 || trials <= 0.0 || successes > trials || z < 0.0 {
            return exec_err!(
                "{}: {successes} successes in {trials} trials with z {z} are no such trials",
                call.name
            );
        }
        let p = successes / trials;
        let square = z * z;
        let middle = p + square / (2.0 * trials);
        let spread = z * (p * (1.0 - p) / trials + square / (4.0 * trials * trials)).sqrt();
        Ok((middle + side * spread) / (1.0 + square / trials))
    })
}

fn positive(call: &Call<'_>, what: &str, x: f64) -> Result<()> {
    if x > 0.0 {
        return Ok(());
    }
    exec_err!("{}: {what} must be greater than 0, not {x}", call.name)
}

fn unit(call: &Call<'_>, what: &str, x: f64) -> Result<()> {
    if (0.0..=1.0).contains(&x) {
        return Ok(());
    }
    exec_err!(
        "{}: {what} must be in the interval [0, 1], not {x}",
        call.name
    )
}

/// The standard normal distribution's quantile: by halving, then Newton's steps to the last bits.
fn normal_quantile(p: f64) -> f64 {
    let cdf = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (-40.0_f64, 40.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    let mut x = f64::midpoint(low, high);
    for _ in 0..3 {
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = (cdf(x) - p) / density;
        if !step.is_finite() {
            break;
        }
        x -= step;
    }
    x
}

/// The regularised incomplete beta function, by its continued fraction (Lentz's method).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front =
        (libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (-x).ln_1p())
            .exp();
    // The fraction converges fast on this side only; on the other the function is mirrored.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let kept = |x: f64| if x.abs() < TINY { TINY } else { x };
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..=10_000 {
        let m = f64::from(m);
        for step in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / kept(1.0 + step * d);
            c = kept(1.0 + step / c);
            h *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}
