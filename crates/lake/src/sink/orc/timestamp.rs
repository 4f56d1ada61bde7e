//! Timestamps: seconds from 2015 and nanoseconds (ORC specification v1, "Timestamp Columns").

use arrow::datatypes::TimeUnit;
use orc_rust::proto::column_encoding::Kind as Encoding;
use orc_rust::proto::stream::Kind as StreamKind;

use super::codec::Codec;
use super::column::Stripe;
use super::error::{OrcError, Result};
use super::integers::IntRle;
use super::statistics::{Bounds, Values};

/// 2015-01-01 00:00:00 UTC, from which seconds are counted, in seconds from 1970.
const EPOCH: i64 = 1_420_070_400;

/// The streams of a column of timestamps.
pub(super) struct Timestamps {
    seconds: IntRle,
    nanos: IntRle,
}

impl Timestamps {
    pub(super) fn new() -> Self {
        Timestamps {
            seconds: IntRle::signed(),
            nanos: IntRle::unsigned(),
        }
    }

    /// Takes in values counted from 1970 in `unit`, and says what they are.
    pub(super) fn write(&mut self, values: &[i64], unit: TimeUnit) -> Result<Values> {
        let (units, nanos_each) = match unit {
            TimeUnit::Second => (1, 1_000_000_000),
            TimeUnit::Millisecond => (1_000, 1_000_000),
            TimeUnit::Microsecond => (1_000_000, 1_000),
            TimeUnit::Nanosecond => (1_000_000_000, 1),
        };
        for value in values {
            let seconds = value.div_euclid(units);
            let nanos = value.rem_euclid(units) * nanos_each;
            self.seconds.push(stored_seconds(seconds, nanos)?);
            self.nanos.push(stored_nanos(nanos));
        }
        let split = |value: i64| {
            (
                value.div_euclid(units),
                value.rem_euclid(units) * nanos_each,
            )
        };
        Ok(match Bounds::of(values) {
            Some(Bounds(least, greatest)) => {
                Values::Timestamp(Bounds(split(least), split(greatest)))
            }
            None => Values::None,
        })
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.seconds.spill(codec)?;
        self.nanos.spill(codec)
    }

    pub(super) fn finish(&mut self, id: u32, stripe: &mut Stripe<'_>) -> Result<()> {
        let length = self.seconds.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Data, id, length);
        let length = self.nanos.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Secondary, id, length);
        stripe.encoding(Encoding::DirectV2);
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        self.seconds.size() + self.nanos.size()
    }

    pub(super) fn memory(&self) -> usize {
        self.seconds.memory() + self.nanos.memory()
    }
}

/// Seconds as readers want them. The first writer of ORC rounded towards 1970; so every reader, where the
/// seconds are before 1970 and there are a million nanoseconds or more, takes one second off. Within the
/// last second before 1970 that cannot be done, since 0 is not before 1970 (ORC-763).
fn stored_seconds(seconds: i64, nanos: i64) -> Result<i64> {
    let shifted = seconds < 0 && nanos > 999_999;
    if shifted && seconds == -1 {
        return Err(OrcError::LastSecond {
            nanos: 1_000_000_000 - nanos,
        });
    }
    (seconds + i64::from(shifted))
        .checked_sub(EPOCH)
        .ok_or(OrcError::TooFar { seconds })
}

/// Nanoseconds without their trailing zeros, of which the lowest three bits say how many there were, less
/// one, where there are at least two.
fn stored_nanos(nanos: i64) -> i64 {
    if nanos == 0 || nanos % 100 != 0 {
        return nanos << 3;
    }
    let (mut short, mut zeros) = (nanos / 100, 1);
    while short % 10 == 0 && zeros < 7 {
        short /= 10;
        zeros += 1;
    }
    short << 3 | zeros
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The examples of the ORC specification v1, "Timestamp Columns".
    #[test]
    fn nanoseconds_are_as_the_specification_has_them() {
        assert_eq!(stored_nanos(1_000), 0x0a);
        assert_eq!(stored_nanos(100_000), 0x0c);
        assert_eq!(stored_nanos(0), 0);
        assert_eq!(stored_nanos(10), 80);
        assert_eq!(stored_nanos(900_000_000), 9 << 3 | 7);
    }

    /// What the C++ writer (`TimestampColumnWriter::add`) stores.
    #[test]
    fn seconds_before_1970_are_rounded_towards_it() {
        let of = |seconds, nanos| stored_seconds(seconds, nanos).map(|s| s + EPOCH);
        assert_eq!(of(-2, 500_000_000).unwrap(), -1);
        assert_eq!(of(-2, 999_999).unwrap(), -2);
        assert_eq!(of(-1, 999_999).unwrap(), -1);
        assert_eq!(of(-1, 0).unwrap(), -1);
        assert_eq!(of(0, 999_999_999).unwrap(), 0);
        let gap = of(-1, 999_999_999).unwrap_err().to_string();
        assert!(gap.starts_with("ORC cannot hold 1 ns before 1970"), "{gap}");
        let far = of(i64::MIN, 0).unwrap_err().to_string();
        assert!(far.contains("too far away"), "{far}");
    }
}
