//! Sizes and durations as people write them.

use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: a number and a unit. `B`, `kB`, `MB`, `GB`, `TB` are powers of 1000, `KiB`, `MiB`, `GiB`, `TiB` of
/// 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no size: write a number and a unit, such as 512MB or 2GiB")]
pub struct SizeError(String);

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError(text.to_owned());
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let factor: f64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kb" => 1e3,
            "m" | "mb" => 1e6,
            "g" | "gb" => 1e9,
            "t" | "tb" => 1e12,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        // A number that is larger than any is as good as the largest.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Size((number * factor) as u64))
    }
}

/// A length of time: a number and `ms`, `s`, `m` or `min`, `h`, `d`; seconds where there is no unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no length of time: write a number and a unit, such as 500ms, 30s, 5m or 2h")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.to_owned());
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "ms" => 0.001,
            "" | "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let span = Duration::try_from_secs_f64(number * factor).map_err(|_| wrong())?;
        if span.is_zero() {
            Err(wrong())
        } else {
            Ok(Span(span))
        }
    }
}

fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read() {
        let size = |text: &str| text.parse::<Size>().ok().map(|size| size.0);
        assert_eq!(size("10GB"), Some(10_000_000_000));
        assert_eq!(size("1.5 KiB"), Some(1536));
        assert_eq!(size("7"), Some(7));
        assert_eq!(size("99999999999999999999TB"), Some(u64::MAX));
        let span = |text: &str| text.parse::<Span>().ok().map(|span| span.0.as_millis());
        assert_eq!(span("30s"), Some(30_000));
        assert_eq!(span("500ms"), Some(500));
        assert_eq!(span("1.5 h"), Some(5_400_000));
        assert_eq!(span("5"), Some(5_000));
        for wrong in ["", "much", "-3s", "1.2.3s", "5 apples", "NaN"] {
            assert_eq!((size(wrong), span(wrong)), (None, None), "{wrong}");
        }
        assert_eq!(span("0s"), None);
        assert_eq!(span("99999999999999999999d"), None);
    }
}
