//! Predicates as SQL over the sort keys in the table `partitions`.

use super::key::KeyValue;
use super::{CompareOp, PartitionPredicate, Value, find_key};
use crate::error::Result;
use crate::model::Column;
use crate::store::dialect::Dialect;
use crate::store::driver::Arg;

/// How many values have columns of their own (`k0`…); later ones are in the JSON array `k_more`.
pub(crate) const KEY_COLUMNS: usize = 8;
/// IN lists longer than this go to the store as one value.
const INLINE_LIST: usize = 16;

/// The condition, with its values appended to `args`. The predicate is checked first.
pub(crate) fn condition(
    predicate: &PartitionPredicate,
    keys: &[Column],
    dialect: Dialect,
    args: &mut Vec<Arg>,
) -> Result<String> {
    predicate.check(keys)?;
    Translation {
        keys,
        dialect,
        args,
    }
    .condition(predicate)
}

struct Translation<'a> {
    keys: &'a [Column],
    dialect: Dialect,
    args: &'a mut Vec<Arg>,
}

impl Translation<'_> {
    fn condition(&mut self, predicate: &PartitionPredicate) -> Result<String> {
        Ok(match predicate {
            PartitionPredicate::And(all) => self.joined(all, "AND", "(1 = 1)")?,
            PartitionPredicate::Or(any) => self.joined(any, "OR", "(1 = 0)")?,
            PartitionPredicate::Not(inner) => format!("(NOT {})", self.condition(inner)?),
            PartitionPredicate::Compare { key, op, value } => self.compare(key, *op, value)?,
            PartitionPredicate::Between { key, low, high } => format!(
                "({} AND {})",
                self.compare(key, CompareOp::Ge, low)?,
                self.compare(key, CompareOp::Le, high)?
            ),
            PartitionPredicate::In { values, .. } if values.is_empty() => "(1 = 0)".to_owned(),
            PartitionPredicate::In { key, values } => {
                let column = self.column(key)?;
                let list: Vec<String> = values
                    .iter()
                    .filter_map(|value| self.sort_key(key, value))
                    .collect();
                if list.len() <= INLINE_LIST {
                    let list: Vec<String> = list.into_iter().map(|value| self.arg(value)).collect();
                    format!("({column} IN ({}))", list.join(", "))
                } else {
                    self.args.push(Arg::from(list));
                    self.dialect
                        .in_list(&column, &format!("${}", self.args.len()))
                }
            }
            PartitionPredicate::IsNull(key) => format!("({} IS NULL)", self.column(key)?),
            PartitionPredicate::Like { key, pattern } => {
                let column = self.column(key)?;
                // The pattern has no escape character; the databases' LIKE has.
                let pattern = self.arg(pattern.replace('\\', "\\\\"));
                format!("({column} LIKE {pattern} ESCAPE '\\')")
            }
        })
    }

    /// Joined as a balanced tree: SQLite limits how deep an expression may be, not how wide.
    fn joined(&mut self, parts: &[PartitionPredicate], word: &str, none: &str) -> Result<String> {
        Ok(match parts {
            [] => none.to_owned(),
            [one] => self.condition(one)?,
            _ => {
                let (left, right) = parts.split_at(parts.len() / 2);
                let (left, right) = (
                    self.joined(left, word, none)?,
                    self.joined(right, word, none)?,
                );
                format!("({left} {word} {right})")
            }
        })
    }

    fn compare(&mut self, key: &str, op: CompareOp, value: &Value) -> Result<String> {
        let column = self.column(key)?;
        Ok(match self.sort_key(key, value) {
            Some(value) => format!("({column} {} {})", op.as_sql(), self.arg(value)),
            // `check` has refused such, so this is only for completeness: unknown.
            None => "(NULL = 1)".to_owned(),
        })
    }

    fn column(&self, key: &str) -> Result<String> {
        let (position, _) = find_key(self.keys, key)?;
        Ok(match position.checked_sub(KEY_COLUMNS) {
            None => format!("k{position}"),
            Some(index) => self.dialect.json_element("k_more", index),
        })
    }

    fn sort_key(&self, key: &str, value: &Value) -> Option<String> {
        let (_, key_type) = find_key(self.keys, key).ok()?;
        KeyValue::literal(key_type, value).map(|value| value.sort_key())
    }

    fn arg(&mut self, text: String) -> String {
        self.args.push(Arg::from(text));
        format!("${}", self.args.len())
    }
}
