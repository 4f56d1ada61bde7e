//! `least_squares(y, x1, ...)`: the linear function of the `x` that comes closest to `y`.
//!
//! The answer is `[intercept, slope of x1, ...]`; NULL where no row has all values. Only means and
//! co-moments are held (as by Chan, Golub and LeVeque, "Updating formulae", 1979), whatever the number of rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

/// More columns than this tell nothing more and cost their square.
pub(crate) const MOST: usize = 64;

/// The function.
pub fn least_squares() -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(LeastSquares { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LeastSquares {
    signature: Signature,
}

impl AggregateUDFImpl for LeastSquares {
    fn name(&self) -> &'static str {
        "least_squares"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() || types.len() > MOST + 1 {
            return plan_err!(
                "least_squares takes 1 to {} arguments, not {}",
                MOST + 1,
                types.len()
            );
        }
        match types.iter().find(|t| !t.is_numeric() && !t.is_null()) {
            Some(other) => plan_err!("least_squares takes numbers, not {other}"),
            None => Ok(vec![DataType::Float64; types.len()]),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Float64, true))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "moments");
        let list = DataType::new_list(DataType::Float64, true);
        Ok(vec![Arc::new(Field::new(name, list, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Moments::of(args.exprs.len())))
    }
}

/// Count, means and the sums of products of deviations, of `y` and the `x`.
#[derive(Debug, Clone)]
struct Moments {
    columns: usize,
    count: f64,
    means: Vec<f64>,
    /// Row by row, `columns` times `columns`.
    products: Vec<f64>,
}

impl Moments {
    fn of(columns: usize) -> Self {
        Self {
            columns,
            count: 0.0,
            means: vec![0.0; columns],
            products: vec![0.0; columns * columns],
        }
    }

    fn add(&mut self, values: &[f64], deltas: &mut Vec<f64>) {
        self.count += 1.0;
        deltas.clear();
        deltas.extend(values.iter().zip(&self.means).map(|(v, m)| v - m));
        let share = 1.0 / self.count;
        for (mean, delta) in self.means.iter_mut().zip(deltas.iter()) {
            *mean += delta * share;
        }
        let weight = 1.0 - share;
        for (row, a) in self.products.chunks_mut(self.columns).zip(deltas.iter()) {
            for (product, b) in row.iter_mut().zip(deltas.iter()) {
                *product += a * b * weight;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count == 0.0 || other.count == 0.0 {
            return;
        }
        let deltas: Vec<f64> = other
            .means
            .iter()
            .zip(&self.means)
            .map(|(b, a)| b - a)
            .collect();
        let weight = self.count * other.count / count;
        let rows = self.products.chunks_mut(self.columns);
        let others = other.products.chunks(self.columns);
        for ((row, more), a) in rows.zip(others).zip(&deltas) {
            for ((product, more), b) in row.iter_mut().zip(more).zip(&deltas) {
                *product += more + a * b * weight;
            }
        }
        for (mean, delta) in self.means.iter_mut().zip(&deltas) {
            *mean += delta * other.count / count;
        }
        self.count = count;
    }

    fn product(&self, a: usize, b: usize) -> f64 {
        self.products
            .get(a * self.columns + b)
            .copied()
            .unwrap_or_default()
    }

    /// Intercept and slopes, by elimination over the correlations with the largest pivot first. A column
    /// that says nothing of its own (it is constant, or the others make it up) gets the slope 0.
    fn solve(&self) -> Option<Vec<f64>> {
        if self.count == 0.0 {
            return None;
        }
        let slopes = self.columns.saturating_sub(1);
        let scale: Vec<f64> = (1..=slopes).map(|x| self.product(x, x).sqrt()).collect();
        // The matrix of correlations, with the right side as its last column.
        let mut matrix: Vec<Vec<f64>> = (0..slopes)
            .map(|row| {
                let value = |at: usize, by: f64| {
                    let scaled = self.product(row + 1, at) / (scale[row] * by);
                    if scaled.is_finite() { scaled } else { 0.0 }
                };
                let left = (0..slopes).map(|column| value(column + 1, scale[column]));
                left.chain([value(0, 1.0)]).collect()
            })
            .collect();
        const LEAST: f64 = 1e-9;
        let mut open: Vec<usize> = (0..slopes).collect();
        let mut done: Vec<usize> = Vec::new();
        while let Some(best) = open
            .iter()
            .copied()
            .max_by(|a, b| matrix[*a][*a].total_cmp(&matrix[*b][*b]))
            .filter(|at| matrix[*at][*at] > LEAST)
        {
            open.retain(|at| *at != best);
            let pivot: Vec<f64> = matrix[best]
                .iter()
                .map(|v| v / matrix[best][best])
                .collect();
            for (at, row) in matrix.iter_mut().enumerate() {
                if at == best {
                    row.clone_from(&pivot);
                    continue;
                }
                let factor = row[best];
                for (value, by) in row.iter_mut().zip(&pivot) {
                    *value -= factor * by;
                }
            }
            done.push(best);
        }
        let mut answer = vec![0.0; self.columns];
        for at in done {
            answer[at + 1] = matrix[at][slopes] / scale[at];
        }
        let explained: f64 = (1..self.columns).map(|x| answer[x] * self.means[x]).sum();
        answer[0] = self.means.first().copied().unwrap_or_default() - explained;
        answer.iter().all(|v| v.is_finite()).then_some(answer)
    }
}

fn list(values: Option<Vec<f64>>) -> ScalarValue {
    match values {
        Some(values) => {
            let values: Vec<ScalarValue> = values.into_iter().map(ScalarValue::from).collect();
            ScalarValue::List(ScalarValue::new_list(&values, &DataType::Float64, true))
        }
        None => ScalarValue::List(Arc::new(arrow::array::ListArray::new_null(
            Arc::new(Field::new_list_field(DataType::Float64, true)),
            1,
        ))),
    }
}

impl Accumulator for Moments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = values
            .iter()
            .map(|v| {
                Ok(cast(v, &DataType::Float64)?
                    .as_primitive::<Float64Type>()
                    .clone())
            })
            .collect::<Result<Vec<Float64Array>>>()?;
        let rows = columns.first().map_or(0, Array::len);
        let (mut record, mut deltas) = (Vec::new(), Vec::new());
        for row in 0..rows {
            record.clear();
            let known = columns
                .iter()
                .filter(|c| c.is_valid(row))
                .map(|c| c.value(row));
            record.extend(known.filter(|v| v.is_finite()));
            if record.len() == self.columns {
                self.add(&record, &mut deltas);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(list(self.solve()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.means.capacity() + self.products.capacity()) * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let all = [self.count].into_iter().chain(self.means.iter().copied());
        Ok(vec![list(Some(
            all.chain(self.products.iter().copied()).collect(),
        ))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(states) = states.first().and_then(|s| s.as_list_opt::<i32>()) else {
            return internal_err!("least_squares: a state is a list");
        };
        for state in states.iter().flatten() {
            let state = state.as_primitive::<Float64Type>().values();
            let mut other = Self::of(self.columns);
            let (Some((count, rest)), columns) = (state.split_first(), self.columns) else {
                continue;
            };
            if rest.len() != columns + columns * columns {
                return internal_err!("least_squares: a state of {} numbers", state.len());
            }
            let (means, products) = rest.split_at(columns);
            other.count = *count;
            other.means.copy_from_slice(means);
            other.products.copy_from_slice(products);
            self.merge(&other);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fitted(rows: &[Vec<f64>], parts: usize) -> Option<Vec<f64>> {
        let columns = rows.first().map_or(1, Vec::len);
        let mut whole = Moments::of(columns);
        for part in rows.chunks(rows.len().div_ceil(parts).max(1)) {
            let arrays: Vec<ArrayRef> = (0..columns)
                .map(|c| {
                    Arc::new(part.iter().map(|r| Some(r[c])).collect::<Float64Array>()) as ArrayRef
                })
                .collect();
            let mut one = Moments::of(columns);
            one.update_batch(&arrays).unwrap();
            let state = one.state().unwrap()[0].to_array().unwrap();
            whole.merge_batch(&[state]).unwrap();
        }
        whole.solve()
    }

    // By numpy.linalg.lstsq on the same rows: [3.499997, 2, -1] (the rows were made with 3.5), and [2.2, 0.6].
    #[test]
    fn planes_and_lines() {
        let rows: Vec<Vec<f64>> = (0..50)
            .map(|i| {
                let (a, b) = (f64::from(i), f64::from(i * i % 17) + 1e6);
                vec![3.5 + 2.0 * a - b, a, b]
            })
            .collect();
        for parts in [1, 3, 50] {
            let found = fitted(&rows, parts).unwrap();
            for (found, wanted) in found.iter().zip([3.5, 2.0, -1.0]) {
                assert!((found - wanted).abs() < 1e-4, "{found} {wanted}");
            }
        }
        let rows: Vec<Vec<f64>> = [(1., 2.), (2., 4.), (3., 5.), (4., 4.), (5., 5.)]
            .map(|(x, y)| vec![y, x])
            .to_vec();
        let found = fitted(&rows, 2).unwrap();
        assert!(
            (found[0] - 2.2).abs() < 1e-12 && (found[1] - 0.6).abs() < 1e-12,
            "{found:?}"
        );
    }

    #[test]
    fn columns_that_say_nothing() {
        // A constant, a copy, nothing but y, and no rows.
        let rows: Vec<Vec<f64>> = (0..9)
            .map(f64::from)
            .map(|x| vec![1.0 + x, 7.0, x, x])
            .collect();
        let found = fitted(&rows, 2).unwrap();
        assert_eq!(found[1], 0.0);
        assert!((found[2] + found[3] - 1.0).abs() < 1e-9, "{found:?}");
        assert_eq!(fitted(&[vec![4.0], vec![6.0]], 1).unwrap(), [5.0]);
        assert_eq!(fitted(&[], 1), None);
    }

    proptest! {
        /// However rows are divided, the line is the same.
        #[test]
        fn parts_do_not_matter(rows in prop::collection::vec((-1e3..1e3, -1e3..1e3), 3..40), parts in 1_usize..6) {
            let rows: Vec<Vec<f64>> = rows.into_iter().map(|(a, b): (f64, f64)| vec![a, b]).collect();
            let (one, many) = (fitted(&rows, 1).unwrap(), fitted(&rows, parts).unwrap());
            for (a, b) in one.iter().zip(&many) {
                prop_assert!((a - b).abs() <= 1e-6 * (1.0 + a.abs()), "{:?} {:?}", one, many);
            }
        }
    }
}
