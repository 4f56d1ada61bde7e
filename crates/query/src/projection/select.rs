//! Which values of a key a predicate can be true for, told without looking at all of them.

use std::ops::Range;

use mastic_catalog::{Column, CompareOp, PartitionPredicate, Value};

use super::sequence::{Kind, Sequence};

/// Up to so many values of a sequence without an order are looked at one by one.
const LOOKED_AT: u64 = 200_000;

/// Numbers of values: ranges in order that do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers(Vec<Range<u64>>);

impl Numbers {
    pub(super) fn all(len: u64) -> Self {
        Numbers::of(std::iter::once(0..len).collect())
    }

    fn of(mut ranges: Vec<Range<u64>>) -> Self {
        ranges.retain(|r| r.start < r.end);
        ranges.sort_by_key(|r| r.start);
        let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Numbers(joined)
    }

    fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        Numbers::of(self.0)
    }

    fn and(self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.0.into_iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (mine.peek(), theirs.peek()) {
            both.push(a.start.max(b.start)..a.end.min(b.end));
            if a.end < b.end {
                mine.next();
            } else {
                theirs.next();
            }
        }
        Numbers::of(both)
    }

    fn without(self, len: u64) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut from = 0;
        for range in self.0 {
            rest.push(from..range.start);
            from = range.end;
        }
        rest.push(from..len);
        Numbers::of(rest)
    }

    pub(super) fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |all, r| all.saturating_add(r.end - r.start))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(Clone::clone)
    }
}

/// A key with its values.
pub(super) struct Values<'a> {
    pub(super) key: &'a Column,
    pub(super) kind: Kind,
    pub(super) sequence: &'a Sequence,
}

impl Values<'_> {
    /// The values for which the predicate may be true, whatever the other keys' values are.
    pub(super) fn selected(&self, predicate: &PartitionPredicate) -> Numbers {
        self.may(predicate, false)
    }

    fn may(&self, predicate: &PartitionPredicate, negated: bool) -> Numbers {
        let len = self.sequence.len();
        match (predicate, negated) {
            (PartitionPredicate::And(all), false) | (PartitionPredicate::Or(all), true) => {
                all.iter().fold(Numbers::all(len), |found, each| {
                    found.and(&self.may(each, negated))
                })
            }
            (PartitionPredicate::Or(any), false) | (PartitionPredicate::And(any), true) => {
                any.iter().fold(Numbers(Vec::new()), |found, each| {
                    found.or(self.may(each, negated))
                })
            }
            (PartitionPredicate::Not(inner), _) => self.may(inner, !negated),
            (leaf, _) => {
                let found = self.leaf(leaf);
                match (found, negated) {
                    (None, _) => Numbers::all(len),
                    (Some(found), false) => found,
                    // What is neither true nor false is left to who looks at each value.
                    (Some(found), true) => found.without(len),
                }
            }
        }
    }

    /// The values for which a comparison is true; none where that cannot be told.
    fn leaf(&self, leaf: &PartitionPredicate) -> Option<Numbers> {
        let own = |key: &str| key.eq_ignore_ascii_case(&self.key.name);
        match leaf {
            PartitionPredicate::Compare { key, op, value } if own(key) => self.compare(*op, value),
            PartitionPredicate::In { key, values } if own(key) => {
                let mut found = Vec::new();
                for value in values {
                    found.extend(self.compare(CompareOp::Eq, value)?.0);
                }
                Some(Numbers::of(found))
            }
            PartitionPredicate::Between { key, low, high } if own(key) => {
                let low = self.compare(CompareOp::Ge, low)?;
                Some(low.and(&self.compare(CompareOp::Le, high)?))
            }
            PartitionPredicate::IsNull(key) | PartitionPredicate::Like { key, .. } if own(key) => {
                self.looked_at(leaf)
            }
            _ => None,
        }
    }

    fn compare(&self, op: CompareOp, value: &Value) -> Option<Numbers> {
        let len = self.sequence.len();
        let equal =
            |numbers: Vec<u64>| Numbers::of(numbers.into_iter().map(|n| n..n + 1).collect());
        match op {
            CompareOp::Eq => {
                if let Some(found) = self.sequence.positions(value, self.kind) {
                    return Some(equal(found));
                }
            }
            CompareOp::Ne => return Some(self.compare(CompareOp::Eq, value)?.without(len)),
            _ => {}
        }
        if !self.sequence.ascends(self.kind) {
            return self.looked_at(&PartitionPredicate::compare(
                &self.key.name,
                op,
                value.clone(),
            ));
        }
        let first = |op: CompareOp| self.first_that_is_not(op, value);
        let found = match op {
            CompareOp::Lt => 0..first(CompareOp::Lt)?,
            CompareOp::Le => 0..first(CompareOp::Le)?,
            CompareOp::Gt => first(CompareOp::Le)?..len,
            CompareOp::Ge => first(CompareOp::Lt)?..len,
            CompareOp::Eq | CompareOp::Ne => first(CompareOp::Lt)?..first(CompareOp::Le)?,
        };
        Some(Numbers::of(std::iter::once(found).collect()))
    }

    /// Of a sequence that ascends, the first value that is not less (or not less or equal) than a literal.
    fn first_that_is_not(&self, op: CompareOp, value: &Value) -> Option<u64> {
        let less = PartitionPredicate::compare(&self.key.name, op, value.clone());
        let (mut from, mut to) = (0, self.sequence.len());
        while from < to {
            let middle = from + (to - from) / 2;
            if self.eval(&less, middle)? {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        Some(from)
    }

    fn eval(&self, predicate: &PartitionPredicate, at: u64) -> Option<bool> {
        let item = self.sequence.get(at, self.kind)?;
        predicate.eval(std::slice::from_ref(self.key), &[item.value])
    }

    fn looked_at(&self, leaf: &PartitionPredicate) -> Option<Numbers> {
        let len = self.sequence.len();
        if len > LOOKED_AT {
            return None;
        }
        let mut found: Vec<Range<u64>> = Vec::new();
        for at in 0..len {
            // What is unknown may be true once it is negated: it is not told here.
            if self.eval(leaf, at)? {
                match found.last_mut() {
                    Some(last) if last.end == at => last.end = at + 1,
                    _ => found.push(at..at + 1),
                }
            }
        }
        Some(Numbers::of(found))
    }
}

/// The values that an injected key may have by a predicate; none where it does not say.
pub(super) fn injected<'a>(predicate: &'a PartitionPredicate, key: &str) -> Option<Vec<&'a Value>> {
    match predicate {
        PartitionPredicate::And(all) => all.iter().find_map(|each| injected(each, key)),
        PartitionPredicate::Or(any) if !any.is_empty() => {
            let mut found = Vec::new();
            for each in any {
                found.extend(injected(each, key)?);
            }
            Some(found)
        }
        PartitionPredicate::Compare {
            key: own,
            op: CompareOp::Eq,
            value,
        } if own.eq_ignore_ascii_case(key) => Some(vec![value]),
        PartitionPredicate::In { key: own, values } if own.eq_ignore_ascii_case(key) => {
            Some(values.iter().collect())
        }
        _ => None,
    }
}
