//! What was learned of a table, to be applied to others.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, lit};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use crate::error::{MatchError, Result};
use crate::gather::hash;
use crate::model::Model;
use crate::normalise::{column, value};
use crate::profile::Column;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::vectors::Rarity;

/// The form of the document that this program writes. Who changes how values and 3-grams are hashed
/// ([`crate::gather::hash`], `mastic_functions::matching::grams`) changes it.
const FORMAT: u32 = 1;
/// The most values of a column whose frequencies are kept: the most frequent. Others count as there once.
const MOST_VALUES: usize = 100_000;

/// How often the values of a column are there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Frequencies {
    /// Rows with a value.
    pub values: f64,
    /// The hashes of values that are there more than once, each with how often.
    pub counts: Vec<(u64, u64)>,
}

/// How rare 3-grams and words are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grams {
    /// 3-grams of whole records.
    pub(crate) record: Rarity,
    /// Words of whole records.
    pub(crate) words: Rarity,
    /// 3-grams of each column that has vectors.
    pub(crate) columns: Vec<Option<Rarity>>,
}

/// Everything that is needed to score the pairs of other tables as those of the one that it was learned from.
///
/// As JSON it is a document of its own, whose `format` says how it is to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// The form of the document.
    format: u32,
    /// What was asked for.
    pub settings: Settings,
    /// Whether two tables were linked.
    pub linked: bool,
    /// The rows it was learned from.
    pub rows: u64,
    /// The columns that are compared, in order.
    pub columns: Vec<Column>,
    /// How often their values are there.
    pub(crate) frequencies: Vec<Frequencies>,
    /// How rare parts of texts are, where records are compared as vectors.
    pub(crate) grams: Option<Grams>,
    /// What comparisons are worth, and from where on pairs match.
    pub model: Model,
}

impl Transform {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is none, or of a newer form.
    pub fn from_value(value: serde_json::Value) -> Result<Transform> {
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        match format {
            Some(format) if format > u64::from(FORMAT) => Err(MatchError::Transform(format!(
                "the transform is written in form {format}, and this program knows forms up to {FORMAT}"
            ))),
            Some(_) => serde_json::from_value(value)
                .map_err(|e| MatchError::Transform(format!("the transform cannot be read: {e}"))),
            None => Err(MatchError::Transform(
                "the transform cannot be read: it does not say its form".into(),
            )),
        }
    }

    /// The document.
    ///
    /// # Errors
    /// When a number in it is none that JSON has.
    pub fn to_value(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self)
            .map_err(|e| MatchError::Transform(format!("the transform cannot be written: {e}")))
    }

    /// How many labelled pairs it was taught with.
    pub fn labels(&self) -> u64 {
        let taught = self.model.supervised.as_ref();
        taught.map_or(0, |s| s.labels.iter().sum())
    }

    /// What is to be kept of what was learned.
    pub(crate) async fn learned(
        context: &SessionContext,
        normal: &Arc<Spool>,
        settings: &Settings,
        linked: bool,
        columns: &[Column],
        grams: Option<Grams>,
        model: Model,
    ) -> Result<Transform> {
        let mut all = Vec::new();
        for (at, c) in columns.iter().enumerate() {
            let text = cast(column(&value(at)), DataType::Utf8).alias("v");
            let most = normal
                .scan(context, "normal")?
                .filter(column(&value(at)).is_not_null())?
                .aggregate(vec![text], vec![count(lit(1)).alias("c")])?
                .filter(column("c").gt(lit(1)))?
                .sort(vec![
                    column("c").sort(false, false),
                    column("v").sort(true, false),
                ])?
                .limit(0, Some(MOST_VALUES))?
                .select(vec![column("v"), cast(column("c"), DataType::Int64)])?
                .collect()
                .await?;
            let mut counts = Vec::new();
            for batch in &most {
                let texts = batch.column(0).as_string::<i32>();
                let times = batch.column(1).as_primitive::<Int64Type>().values();
                let hashes = texts.iter().map(|t| hash(t.unwrap_or_default()));
                counts.extend(hashes.zip(times).map(|(h, n)| (h, *n as u64)));
            }
            all.push(Frequencies {
                values: c.fill * normal.rows() as f64,
                counts,
            });
        }
        Ok(Transform {
            format: FORMAT,
            settings: settings.clone(),
            linked,
            rows: normal.rows(),
            columns: columns.to_vec(),
            frequencies: all,
            grams,
            model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_other_forms_are_refused() {
        let told = |value| Transform::from_value(value).unwrap_err().to_string();
        let newer = told(serde_json::json!({ "format": 2 }));
        assert!(newer.contains("form 2"), "{newer}");
        assert!(told(serde_json::json!({ "format": 1 })).contains("settings"));
        assert!(told(serde_json::json!([])).contains("does not say its form"));
    }
}
