//! The values that a projected key can have.

use mastic_catalog::{Column, Value};

use super::date::Steps;
use super::pattern::Pattern;

/// A value: what it is as its key's type, as catalogs write it, and what a location shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) value: String,
    pub(super) text: String,
}

impl Item {
    pub(super) fn same(text: String) -> Self {
        Item {
            value: text.clone(),
            text,
        }
    }
}

/// The values of a key that is not injected, numbered from 0.
#[derive(Debug, Clone)]
pub(super) enum Sequence {
    Enum(Vec<String>),
    Integer {
        first: i64,
        last: i64,
        interval: u64,
        digits: usize,
    },
    Date {
        steps: Steps,
        pattern: Pattern,
    },
}

/// How the type of a key lets its values be written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Date,
    Timestamp,
    Other,
}

impl Kind {
    pub(super) fn of(key: &Column) -> Self {
        let text = key.hive_type().trim().to_ascii_lowercase();
        match text.split('(').next().unwrap_or_default().trim_end() {
            "string" | "char" | "varchar" => Kind::Text,
            "tinyint" | "smallint" | "int" | "integer" | "bigint" | "long" | "decimal"
            | "numeric" | "dec" => Kind::Number,
            "date" => Kind::Date,
            "timestamp" => Kind::Timestamp,
            _ => Kind::Other,
        }
    }
}

impl Sequence {
    /// How many values there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Sequence::Enum(values) => values.len() as u64,
            Sequence::Integer {
                first,
                last,
                interval,
                ..
            } => {
                if last < first {
                    return 0;
                }
                let steps = first.abs_diff(*last) / (*interval).max(1);
                steps.saturating_add(1)
            }
            Sequence::Date { steps, .. } => steps.len(),
        }
    }

    /// The value with this number.
    pub(super) fn get(&self, at: u64, kind: Kind) -> Option<Item> {
        if at >= self.len() {
            return None;
        }
        match self {
            Sequence::Enum(values) => values
                .get(usize::try_from(at).ok()?)
                .cloned()
                .map(Item::same),
            Sequence::Integer {
                first,
                interval,
                digits,
                ..
            } => {
                let number = i128::from(*first) + i128::from(at) * i128::from(*interval);
                Some(Item::same(format!("{number:0digits$}")))
            }
            Sequence::Date { steps, pattern } => {
                let time = steps.get(at)?;
                let text = pattern.write(time);
                let value = match kind {
                    Kind::Date => time.date().format("%Y-%m-%d").to_string(),
                    Kind::Timestamp => time.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
                    _ => text.clone(),
                };
                Some(Item { value, text })
            }
        }
    }

    /// Whether values of this kind never descend as their numbers ascend, compared as their key's type.
    pub(super) fn ascends(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Sequence::Enum(_), _) => false,
            (Sequence::Integer { .. }, Kind::Number) => true,
            // As text, where all have the same length and no sign.
            (
                Sequence::Integer {
                    first,
                    last,
                    digits,
                    ..
                },
                Kind::Text,
            ) => {
                let length = |n: i64| n.to_string().len();
                *first >= 0 && (length(*first) == length(*last) || length(*last) <= *digits)
            }
            (Sequence::Date { .. }, Kind::Date | Kind::Timestamp) => true,
            (Sequence::Date { steps, pattern }, Kind::Text | Kind::Number) => {
                let four = |at: u64| {
                    steps
                        .get(at)
                        .is_some_and(|t| (0..=9999).contains(&chrono::Datelike::year(&t)))
                };
                pattern.sorts() && four(0) && four(self.len().saturating_sub(1))
            }
            _ => false,
        }
    }

    /// The numbers of the values that equal a literal, where that can be computed.
    pub(super) fn positions(&self, value: &Value, kind: Kind) -> Option<Vec<u64>> {
        match (self, kind, value) {
            (Sequence::Integer { .. }, Kind::Number, Value::Int(n)) => {
                Some(self.of_number(*n).into_iter().collect())
            }
            (Sequence::Integer { digits, .. }, Kind::Text, Value::Str(text)) => {
                let number = text.parse::<i64>().ok();
                let number = number.filter(|n| format!("{n:0digits$}") == *text);
                Some(number.and_then(|n| self.of_number(n)).into_iter().collect())
            }
            // Where each text is one time's, and says all of it.
            (Sequence::Date { steps, pattern }, Kind::Text, Value::Str(text)) => {
                let whole = |at: u64| {
                    let time = steps.get(at);
                    time.is_some_and(|t| pattern.read(&pattern.write(t)) == Ok(t))
                };
                let last = steps.len().checked_sub(1)?;
                if Some(steps.unit()) < pattern.precision() || !whole(0) || !whole(last) {
                    return None;
                }
                let time = pattern.read(text).ok();
                let time = time.filter(|t| pattern.write(*t) == *text);
                Some(time.and_then(|t| steps.position(t)).into_iter().collect())
            }
            _ => None,
        }
    }

    fn of_number(&self, number: i64) -> Option<u64> {
        let Sequence::Integer {
            first,
            last,
            interval,
            ..
        } = self
        else {
            return None;
        };
        let step = (*interval).max(1);
        let distance = first.abs_diff(number);
        (number >= *first && number <= *last && distance % step == 0).then_some(distance / step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(first: i64, last: i64, interval: u64, digits: usize) -> Sequence {
        Sequence::Integer {
            first,
            last,
            interval,
            digits,
        }
    }

    fn texts(sequence: &Sequence) -> Vec<String> {
        (0..sequence.len())
            .filter_map(|at| sequence.get(at, Kind::Text))
            .map(|item| item.text)
            .collect()
    }

    /// The examples of "Supported types for partition projection", Athena user guide.
    #[test]
    fn integers_of_athenas_documentation() {
        assert_eq!(texts(&integers(1, 3, 1, 1)), ["1", "2", "3"]);
        assert_eq!(texts(&integers(1, 3, 1, 2)), ["01", "02", "03"]);
        assert_eq!(texts(&integers(1, 3, 2, 0)), ["1", "3"]);
        assert_eq!(texts(&integers(-2, 2, 2, 0)), ["-2", "0", "2"]);
    }

    #[test]
    fn the_largest_range_is_counted_and_found() {
        let all = integers(i64::MIN, i64::MAX, 1, 0);
        assert_eq!(all.len(), u64::MAX);
        assert_eq!(
            all.positions(&Value::Int(i64::MIN + 7), Kind::Number),
            Some(vec![7])
        );
        assert_eq!(
            all.get(7, Kind::Number).unwrap().text,
            "-9223372036854775801"
        );
        let even = integers(0, 100, 2, 3);
        let text = |text: &str| even.positions(&Value::Str(text.to_owned()), Kind::Text);
        assert_eq!(text("004"), Some(vec![2]));
        for missing in ["4", "005", "102", "x", "-02"] {
            assert_eq!(text(missing), Some(vec![]), "{missing}");
        }
    }

    #[test]
    fn what_ascends() {
        assert!(integers(-5, 5, 1, 0).ascends(Kind::Number));
        assert!(!integers(1, 10, 1, 0).ascends(Kind::Text));
        assert!(integers(10, 99, 1, 0).ascends(Kind::Text));
        assert!(integers(1, 10, 1, 2).ascends(Kind::Text));
        assert!(!integers(-5, 5, 1, 2).ascends(Kind::Text));
    }
}
