//! Partition projection: partitions that are computed from a table's parameters, not kept in the catalog.
//!
//! Source: "Use partition projection with Amazon Athena", Athena user guide. A table with `projection.enabled` has, for
//! each partition key, the values that `projection.KEY.type` and its companions say, and a partition for each
//! combination of them, where `storage.location.template` says. Partitions that are registered in the catalog are not
//! looked at, and a location that does not exist holds no rows.
//!
//! A statement's conditions cut the values of each key before they are combined, most without looking at them: a year of
//! hours, or one of a billion numbers, is found as fast as one of ten.

mod date;
mod pattern;
mod select;
mod sequence;
mod settings;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use chrono::{NaiveDateTime, Utc};
use mastic_catalog::{Column, PartitionPredicate, Table, Value};

use self::select::{Values, injected};
use self::sequence::{Item, Kind, Sequence};
use self::template::Template;
use crate::error::{QueryError, Result};

/// How many partitions a statement can read, as in Athena ("Service quotas").
pub(crate) const MAX_PARTITIONS: u64 = 1_000_000;

/// What a table's parameters say of its partitions.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    /// The table, for messages.
    table: String,
    keys: Vec<ProjectedKey>,
    template: Template,
}

#[derive(Debug, Clone)]
struct ProjectedKey {
    column: Column,
    kind: Kind,
    values: KeyValues,
}

#[derive(Debug, Clone)]
enum KeyValues {
    Listed(Sequence),
    /// What a statement asks for, and nothing else.
    Injected,
}

/// A partition that was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Projected {
    /// The keys' values as catalogs write them.
    pub(crate) values: Vec<String>,
    /// Where it lies; it need not exist.
    pub(crate) location: String,
}

impl Projection {
    /// What the parameters of a table say; none where it has `projection.enabled` not, or not as `true`.
    ///
    /// # Errors
    /// When a property is missing, is not what it has to be, or is none that there is.
    pub(crate) fn of(table: &Table) -> Result<Option<Self>> {
        Self::at(table, Utc::now().naive_utc())
    }

    fn at(table: &Table, now: NaiveDateTime) -> Result<Option<Self>> {
        settings::read(table, now)
    }

    /// The folder that all partitions lie below, where there is one.
    pub(crate) fn base(&self) -> Option<&str> {
        self.template.base()
    }

    /// How many partitions there are; none where a key is injected, or there are more than can be counted.
    pub(crate) fn count(&self) -> Option<u64> {
        self.keys
            .iter()
            .try_fold(1u64, |all, key| match &key.values {
                KeyValues::Listed(sequence) => all.checked_mul(sequence.len()),
                KeyValues::Injected => None,
            })
    }

    fn failed(&self, message: String, hint: String) -> QueryError {
        QueryError::Statement {
            message,
            place: None,
            hint: Some(hint),
        }
    }

    /// The partitions for which a predicate on the keys is true, in the order of the settings.
    ///
    /// # Errors
    /// When the predicate says nothing of an injected key, or leaves more than [`MAX_PARTITIONS`].
    pub(crate) fn partitions(
        &self,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<Vec<Projected>> {
        let mut found = Vec::with_capacity(self.keys.len());
        let mut product: u128 = 1;
        let mut counts = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let candidates = self.candidates(key, predicate)?;
            let count = candidates.count();
            counts.push(format!("{} of '{}'", count, key.column.name));
            product = product.saturating_mul(u128::from(count));
            found.push(candidates);
        }
        if product > u128::from(MAX_PARTITIONS) {
            return Err(self.failed(
                format!(
                    "the statement would read {product} projected partitions of {}, and {MAX_PARTITIONS} are the most: {}",
                    self.table,
                    counts.join(" × ")
                ),
                "add conditions on the partition keys".to_owned(),
            ));
        }
        if product == 0 {
            return Ok(Vec::new());
        }
        let found: Vec<Vec<Item>> = self
            .keys
            .iter()
            .zip(found)
            .map(|(key, candidates)| key.items(candidates))
            .collect();
        Ok(self.combined(&found, predicate))
    }

    fn candidates(
        &self,
        key: &ProjectedKey,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<Candidates> {
        match &key.values {
            KeyValues::Listed(sequence) => {
                let values = Values {
                    key: &key.column,
                    kind: key.kind,
                    sequence,
                };
                Ok(Candidates::Numbers(match predicate {
                    Some(predicate) => values.selected(predicate),
                    None => select::Numbers::all(sequence.len()),
                }))
            }
            KeyValues::Injected => {
                let values = predicate.and_then(|p| injected(p, &key.column.name));
                let Some(values) = values else {
                    let name = &key.column.name;
                    return Err(self.failed(
                        format!(
                            "the partition key '{name}' of {} is injected: the statement has to say which of its values to read",
                            self.table
                        ),
                        format!("add WHERE {name} = … or {name} IN (…)"),
                    ));
                };
                Ok(Candidates::Items(
                    values.into_iter().map(|v| Item::same(text(v))).collect(),
                ))
            }
        }
    }

    /// All combinations for which the predicate is true.
    fn combined(
        &self,
        items: &[Vec<Item>],
        predicate: Option<&PartitionPredicate>,
    ) -> Vec<Projected> {
        let keys: Vec<Column> = self.keys.iter().map(|k| k.column.clone()).collect();
        let mut all = Vec::new();
        if items.iter().any(Vec::is_empty) {
            return all;
        }
        let mut at = vec![0usize; items.len()];
        loop {
            let row: Vec<&Item> = items
                .iter()
                .zip(&at)
                .filter_map(|(items, at)| items.get(*at))
                .collect();
            let values: Vec<String> = row.iter().map(|item| item.value.clone()).collect();
            if predicate.is_none_or(|p| p.eval(&keys, &values) == Some(true)) {
                let texts: Vec<&str> = row.iter().map(|item| item.text.as_str()).collect();
                all.push(Projected {
                    values,
                    location: self.template.location(&texts),
                });
            }
            // The next combination, the last key's values turning fastest.
            let mut turned = false;
            for (at, items) in at.iter_mut().zip(items).rev() {
                *at += 1;
                if *at < items.len() {
                    turned = true;
                    break;
                }
                *at = 0;
            }
            if !turned {
                return all;
            }
        }
    }
}

/// The values of one key that a predicate leaves.
enum Candidates {
    Numbers(select::Numbers),
    Items(Vec<Item>),
}

impl Candidates {
    fn count(&self) -> u64 {
        match self {
            Candidates::Numbers(numbers) => numbers.count(),
            Candidates::Items(items) => items.len() as u64,
        }
    }
}

impl ProjectedKey {
    /// The candidates, each once: several times may be shown as one text.
    fn items(&self, candidates: Candidates) -> Vec<Item> {
        let items: Vec<Item> = match (candidates, &self.values) {
            (Candidates::Items(items), _) => items,
            (Candidates::Numbers(numbers), KeyValues::Listed(sequence)) => numbers
                .iter()
                .filter_map(|at| sequence.get(at, self.kind))
                .collect(),
            (Candidates::Numbers(_), KeyValues::Injected) => Vec::new(),
        };
        let mut seen = HashSet::with_capacity(items.len());
        items
            .into_iter()
            .filter(|item| seen.insert(item.text.clone()))
            .collect()
    }
}

/// A literal as catalogs write values.
fn text(value: &Value) -> String {
    match value {
        Value::Str(text) | Value::Decimal(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Date(date) => date.format("%Y-%m-%d").to_string(),
        Value::Timestamp(time) => time.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
    }
}
