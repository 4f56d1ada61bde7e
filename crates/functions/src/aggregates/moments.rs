//! `skewness`, `kurtosis`, `geometric_mean` and `entropy`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [
        Kind::Skewness,
        Kind::Kurtosis,
        Kind::GeometricMean,
        Kind::Entropy,
    ]
    .map(|kind| {
        let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Moments { kind, signature }))
    })
    .to_vec()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Skewness,
    Kurtosis,
    GeometricMean,
    Entropy,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Moments {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Moments {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Skewness => "skewness",
            Kind::Kurtosis => "kurtosis",
            Kind::GeometricMean => "geometric_mean",
            Kind::Entropy => "entropy",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name| {
            Arc::new(Field::new(
                format_state_name(args.name, name),
                DataType::Float64,
                true,
            ))
        };
        Ok(["n", "first", "second", "third", "fourth"]
            .map(field)
            .to_vec())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sums {
            kind: self.kind,
            state: [0.0; 5],
        }))
    }
}

/// How many there are, and four numbers. Of the moments: the mean, and the sums of the second to fourth powers
/// of the distances from it (Pébay 2008 says how two such states are one). Of the geometric mean: the sum of the
/// logarithms. Of the entropy: the sum of the counts, and of each times its logarithm.
#[derive(Debug)]
struct Sums {
    kind: Kind,
    state: [f64; 5],
}

impl Sums {
    fn add(&mut self, other: [f64; 5]) {
        let [na, a1, a2, a3, a4] = self.state;
        let [nb, b1, b2, b3, b4] = other;
        if nb == 0.0 {
            return;
        }
        if matches!(self.kind, Kind::GeometricMean | Kind::Entropy) {
            self.state = [na + nb, a1 + b1, a2 + b2, 0.0, 0.0];
            return;
        }
        let n = na + nb;
        let d = b1 - a1;
        let mean = a1 + d * nb / n;
        let second = a2 + b2 + d * d * na * nb / n;
        let third =
            a3 + b3 + d.powi(3) * na * nb * (na - nb) / (n * n) + 3.0 * d * (na * b2 - nb * a2) / n;
        let fourth = a4
            + b4
            + d.powi(4) * na * nb * (na * na - na * nb + nb * nb) / n.powi(3)
            + 6.0 * d * d * (na * na * b2 + nb * nb * a2) / (n * n)
            + 4.0 * d * (na * b3 - nb * a3) / n;
        self.state = [n, mean, second, third, fourth];
    }
}

impl Accumulator for Sums {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let Some(values) = arrays.first() else {
            return internal_err!("there is no value");
        };
        for x in values.as_primitive::<Float64Type>().iter().flatten() {
            self.add(match self.kind {
                Kind::Skewness | Kind::Kurtosis => [1.0, x, 0.0, 0.0, 0.0],
                Kind::GeometricMean => [1.0, x.ln(), 0.0, 0.0, 0.0],
                Kind::Entropy if x < 0.0 => {
                    return exec_err!("entropy: a count must not be negative, as {x} is");
                }
                Kind::Entropy if x == 0.0 => [1.0, 0.0, 0.0, 0.0, 0.0],
                Kind::Entropy => [1.0, x, x * x.log2(), 0.0, 0.0],
            });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let [n, first, second, third, fourth] = self.state;
        let value = match self.kind {
            Kind::Skewness => (n >= 3.0).then(|| n.sqrt() * third / second.powf(1.5)),
            Kind::Kurtosis => (n >= 4.0).then(|| {
                let variance = second / (n - 1.0);
                n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0)) * fourth / (variance * variance)
                    - 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
            }),
            Kind::GeometricMean => (n > 0.0).then(|| (first / n).exp()),
            Kind::Entropy if first == 0.0 => Some(0.0),
            Kind::Entropy => Some((first.log2() - second / first).max(0.0)),
        };
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.state.map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let columns: Vec<&Float64Array> = states
            .iter()
            .map(|s| s.as_primitive::<Float64Type>())
            .collect();
        let [n, a, b, c, d] = columns.as_slice() else {
            return internal_err!("a state has five parts");
        };
        for row in 0..n.len() {
            self.add([n, a, b, c, d].map(|column| column.value(row)));
        }
        Ok(())
    }
}
