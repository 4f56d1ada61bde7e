//! What the footer and the stripes say of a column's values (ORC specification v1, "Column Statistics").
//!
//! A reader may skip what the statistics rule out, so where a bound is not known for certain (a NaN, a
//! string too long to be repeated) none is written.

use arrow::datatypes::{Decimal128Type, DecimalType};
use orc_rust::proto;

/// Longer strings are no bounds: as in the Java writer.
const LONGEST_BOUND: usize = 1024;

/// Of one column in one stripe, or in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    pub(super) count: u64,
    pub(super) has_null: bool,
    pub(super) values: Values,
}

/// What there is to say of values of one type.
#[derive(Clone, Debug, Default)]
pub(super) enum Values {
    /// Nothing, or no value yet.
    #[default]
    None,
    Boolean {
        trues: u64,
    },
    Integer {
        bounds: Bounds<i64>,
        sum: Option<i64>,
    },
    Double {
        bounds: Bounds<f64>,
        sum: f64,
    },
    Text {
        bounds: Bounds<Vec<u8>>,
        bytes: u64,
    },
    Binary {
        bytes: u64,
    },
    Date(Bounds<i64>),
    /// Seconds from 1970 and nanoseconds from there.
    Timestamp(Bounds<(i64, i64)>),
    Decimal(Bounds<i128>, i8),
}

/// The least and the greatest value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds<T>(pub(super) T, pub(super) T);

impl<T: PartialOrd> Bounds<T> {
    fn merge(&mut self, other: Self) {
        if other.0 < self.0 {
            self.0 = other.0;
        }
        if other.1 > self.1 {
            self.1 = other.1;
        }
    }
}

impl<T: Copy + Ord> Bounds<T> {
    pub(super) fn of(values: &[T]) -> Option<Self> {
        let least = values.iter().min()?;
        let greatest = values.iter().max()?;
        Some(Bounds(*least, *greatest))
    }
}

impl Bounds<Vec<u8>> {
    pub(super) fn widen(&mut self, value: &[u8]) {
        if value < self.0.as_slice() {
            self.0 = value.to_vec();
        } else if value > self.1.as_slice() {
            self.1 = value.to_vec();
        }
    }
}

impl Values {
    pub(super) fn integers(values: &[i64]) -> Self {
        let Some(bounds) = Bounds::of(values) else {
            return Values::None;
        };
        let sum = values.iter().map(|v| i128::from(*v)).sum::<i128>();
        Values::Integer {
            bounds,
            sum: i64::try_from(sum).ok(),
        }
    }

    pub(super) fn doubles(values: impl Iterator<Item = f64> + Clone) -> Self {
        let mut bounds: Option<Bounds<f64>> = None;
        let mut sum = 0.0;
        for value in values {
            sum += value;
            match &mut bounds {
                None => bounds = Some(Bounds(value, value)),
                Some(bounds) => {
                    bounds.0 = bounds.0.min(value);
                    bounds.1 = bounds.1.max(value);
                }
            }
        }
        match bounds {
            Some(bounds) => Values::Double { bounds, sum },
            None => Values::None,
        }
    }

    fn merge(&mut self, other: Values) {
        match (&mut *self, other) {
            (_, Values::None) => {}
            (Values::None, other) => *self = other,
            (Values::Boolean { trues }, Values::Boolean { trues: more }) => *trues += more,
            (
                Values::Integer { bounds, sum },
                Values::Integer {
                    bounds: more,
                    sum: add,
                },
            ) => {
                bounds.merge(more);
                *sum = sum.zip(add).and_then(|(a, b)| a.checked_add(b));
            }
            (
                Values::Double { bounds, sum },
                Values::Double {
                    bounds: more,
                    sum: add,
                },
            ) => {
                bounds.merge(more);
                *sum += add;
            }
            (
                Values::Text { bounds, bytes },
                Values::Text {
                    bounds: more,
                    bytes: add,
                },
            ) => {
                bounds.merge(more);
                *bytes += add;
            }
            (Values::Binary { bytes }, Values::Binary { bytes: add }) => *bytes += add,
            (Values::Date(bounds), Values::Date(more)) => bounds.merge(more),
            (Values::Timestamp(bounds), Values::Timestamp(more)) => bounds.merge(more),
            (Values::Decimal(bounds, _), Values::Decimal(more, _)) => bounds.merge(more),
            // Never of two types: a column has one.
            (_, _) => *self = Values::None,
        }
    }
}

impl Statistics {
    /// Adds what is known of more values.
    pub(super) fn add(&mut self, values: Values) {
        self.values.merge(values);
    }

    /// Adds another stripe's.
    pub(super) fn merge(&mut self, other: Statistics) {
        self.count += other.count;
        self.has_null |= other.has_null;
        self.values.merge(other.values);
    }

    /// As the file has them.
    pub(super) fn to_proto(&self) -> proto::ColumnStatistics {
        let mut out = proto::ColumnStatistics {
            number_of_values: Some(self.count),
            has_null: Some(self.has_null),
            ..Default::default()
        };
        match &self.values {
            Values::None => {}
            Values::Boolean { trues } => {
                out.bucket_statistics = Some(proto::BucketStatistics {
                    count: vec![*trues],
                });
            }
            Values::Integer { bounds, sum } => {
                out.int_statistics = Some(proto::IntegerStatistics {
                    minimum: Some(bounds.0),
                    maximum: Some(bounds.1),
                    sum: *sum,
                });
            }
            // A NaN among them makes the sum one; then readers that compare would be wrong.
            Values::Double { sum, .. } if sum.is_nan() => {}
            Values::Double { bounds, sum } => {
                out.double_statistics = Some(proto::DoubleStatistics {
                    // Both zeros are within, whichever was seen.
                    minimum: Some(if bounds.0 == 0.0 { -0.0 } else { bounds.0 }),
                    maximum: Some(if bounds.1 == 0.0 { 0.0 } else { bounds.1 }),
                    sum: sum.is_finite().then_some(*sum),
                });
            }
            Values::Text { bounds, bytes } => {
                out.string_statistics =
                    text(bounds).map(|Bounds(least, greatest)| proto::StringStatistics {
                        minimum: Some(least),
                        maximum: Some(greatest),
                        sum: i64::try_from(*bytes).ok(),
                        ..Default::default()
                    });
            }
            Values::Binary { bytes } => {
                out.binary_statistics = Some(proto::BinaryStatistics {
                    sum: i64::try_from(*bytes).ok(),
                });
            }
            Values::Date(bounds) => {
                out.date_statistics = Some(proto::DateStatistics {
                    minimum: i32::try_from(bounds.0).ok(),
                    maximum: i32::try_from(bounds.1).ok(),
                });
            }
            Values::Timestamp(bounds) => out.timestamp_statistics = timestamp(bounds),
            Values::Decimal(bounds, scale) => {
                let text = |value| {
                    Decimal128Type::format_decimal(value, Decimal128Type::MAX_PRECISION, *scale)
                };
                out.decimal_statistics = Some(proto::DecimalStatistics {
                    minimum: Some(text(bounds.0)),
                    maximum: Some(text(bounds.1)),
                    sum: None,
                });
            }
        }
        out
    }
}

fn text(Bounds(least, greatest): &Bounds<Vec<u8>>) -> Option<Bounds<String>> {
    let of = |bytes: &Vec<u8>| {
        let short = bytes.len() <= LONGEST_BOUND;
        short.then(|| String::from_utf8(bytes.clone()).ok())?
    };
    Some(Bounds(of(least)?, of(greatest)?))
}

/// Milliseconds, rounded down, and the nanoseconds beyond them plus one, as the Java writer has it since
/// ORC-611.
fn timestamp(Bounds(least, greatest): &Bounds<(i64, i64)>) -> Option<proto::TimestampStatistics> {
    let millis = |(seconds, nanos): (i64, i64)| {
        let millis = seconds.checked_mul(1000)?;
        millis.checked_add(nanos / 1_000_000)
    };
    let beyond = |(_, nanos): (i64, i64)| i32::try_from(nanos % 1_000_000 + 1).ok();
    let (minimum, maximum) = (millis(*least)?, millis(*greatest)?);
    Some(proto::TimestampStatistics {
        // The writer's zone is UTC, so that both are the same.
        minimum: Some(minimum),
        maximum: Some(maximum),
        minimum_utc: Some(minimum),
        maximum_utc: Some(maximum),
        minimum_nanos: beyond(*least),
        maximum_nanos: beyond(*greatest),
    })
}
