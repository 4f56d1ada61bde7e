//! The units of `date_add` and `date_diff`.

use datafusion::common::{Result, exec_err};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A fixed number of milliseconds: `millisecond` to `hour`.
    Millis(i64),
    /// So many days on the calendar: `day` and `week`.
    Days(i64),
    /// So many months on the calendar: `month`, `quarter` and `year`.
    Months(i64),
}

impl Unit {
    pub(super) fn parse(function: &str, text: &str) -> Result<Self> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "millisecond" => Self::Millis(1),
            "second" => Self::Millis(1_000),
            "minute" => Self::Millis(60_000),
            "hour" => Self::Millis(3_600_000),
            "day" => Self::Days(1),
            "week" => Self::Days(7),
            "month" => Self::Months(1),
            "quarter" => Self::Months(3),
            "year" => Self::Months(12),
            _ => {
                return exec_err!(
                    "{function}: '{text}' is not a unit; it is one of millisecond, second, \
                     minute, hour, day, week, month, quarter, year"
                );
            }
        })
    }
}
