//! `sample_hash(seed, x, ...)`: a number from 0 to under 1 that depends on the seed and the values alone.
//!
//! `WHERE sample_hash(1, *) < 0.1` keeps a tenth of the records, the same ones in every run and
//! however the work is divided, which `random()` does not. Equal records are kept or left together.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::hash_utils::create_hashes_with_hasher;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of};

/// The function.
pub fn sample_hash() -> Arc<ScalarUDF> {
    Function::new(
        "sample_hash",
        Params::Custom(types),
        |_| Ok(DataType::Float64),
        evaluate,
    )
    .udf()
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [seed, values @ ..] = types else {
        return plan_err!("{name} takes a seed and values");
    };
    if values.is_empty() {
        return plan_err!("{name} takes a seed and at least one value");
    }
    let mut wanted = all_of(name, &[Kind::Int], std::slice::from_ref(seed))?;
    // The same text has the same hash in whatever form it is held.
    wanted.extend(values.iter().map(|t| match t {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Dictionary(_, held) if held.is_string() => DataType::Utf8,
        other => other.clone(),
    }));
    Ok(wanted)
}

fn evaluate(call: &Call<'_>) -> Result<ArrayRef> {
    let seeds = call.ints(0)?;
    let arrays = (1..call.len()).map(|at| call.array(at));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let mut hashes = vec![0; call.rows];
    create_hashes_with_hasher(&arrays, &Fixed, &mut hashes)?;
    let numbers = hashes.into_iter().enumerate().map(|(row, hash)| {
        let seed = seeds.get(row).unwrap_or_default().cast_unsigned();
        fraction(mix(hash ^ mix(seed)))
    });
    Ok(Arc::new(Float64Array::from_iter_values(numbers)))
}

/// A number that looks like chance, the same for the same `at`.
pub fn sample_number(at: u64) -> u64 {
    mix(mix(at) ^ 0x5851_F42D_4C95_7F2D)
}

/// The upper 53 bits as a fraction.
pub(crate) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves half of the
/// output's.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Hashers that give the same everywhere and always: FNV-1a, finished by [`mix`].
struct Fixed;

impl std::hash::BuildHasher for Fixed {
    type Hasher = Fnv;

    fn build_hasher(&self) -> Fnv {
        Fnv(0xCBF2_9CE4_8422_2325)
    }
}

struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int64Type};
    use datafusion::prelude::SessionContext;

    async fn one(sql: &str) -> Vec<arrow::array::RecordBatch> {
        let mut ctx = SessionContext::new();
        crate::register_all(&mut ctx).unwrap();
        ctx.sql(sql).await.unwrap().collect().await.unwrap()
    }

    // A tenth of 100,000 with a binomial deviation of 95.
    #[tokio::test]
    async fn a_tenth_is_a_tenth() {
        for seed in [1, 2] {
            let sql = format!(
                "SELECT count(*) FROM generate_series(1, 100000) AS g(x) WHERE sample_hash({seed}, x, 'a') < 0.1"
            );
            let count = one(&sql).await[0]
                .column(0)
                .as_primitive::<Int64Type>()
                .value(0);
            assert!((9_600..10_400).contains(&count), "{count}");
        }
    }

    #[tokio::test]
    async fn the_same_value_has_the_same_number() {
        let rows = one("SELECT sample_hash(1, x, [x, 2], 'abc'), sample_hash(1, x, [x, 2], arrow_cast('abc', 'Utf8View')), \
                        sample_hash(2, x, [x, 2], 'abc') FROM (VALUES (1), (2)) AS t(x)").await;
        let column = |at: usize| {
            rows[0]
                .column(at)
                .as_primitive::<Float64Type>()
                .values()
                .to_vec()
        };
        assert_eq!(column(0), column(1));
        assert_ne!(column(0), column(2));
        assert!(column(0).iter().all(|x| (0.0..1.0).contains(x)));
    }
}
