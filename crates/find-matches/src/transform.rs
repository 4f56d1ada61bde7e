//! What was learned of a table, to be applied to others.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, lit};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use crate::align::Shared;
use crate::error::{MatchError, Result};
use crate::find::input::{source_column, source_names};
use crate::gather::hash;
use crate::labels::KeptLabels;
use crate::model::Model;
use crate::normalise::{column, value};
use crate::profile::Column;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::vectors::Rarity;

/// The form of the document that this program writes. Form 1 had neither the two tables that were linked nor labels. Who changes how values and 3-grams are hashed
/// ([`crate::gather::hash`], `mastic_functions::matching::grams`) changes it.
const FORMAT: u32 = 2;
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

/// One of two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first one.
    Left,
    /// The second one.
    Right,
}

/// A column of two tables that were linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedColumn {
    /// What it is called in the result, and in the left table.
    pub name: String,
    /// Whether the left table has it.
    pub left: bool,
    /// What it is called in the right table, if that has it.
    pub right: Option<String>,
}

/// Two tables that were linked, so that new records of each can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// What the tables are called in the column [`Linked::source`].
    pub tables: [String; 2],
    /// The result's column that says which table a record is of.
    pub source: String,
    /// The others, in order.
    pub columns: Vec<LinkedColumn>,
}

impl Linked {
    pub(crate) fn new(shared: &[Shared], names: &[String]) -> Linked {
        let of = |at: usize| names.get(at).map_or("", String::as_str);
        let (left, right) = source_names(of(0), of(1));
        Linked {
            tables: [left.to_owned(), right.to_owned()],
            source: source_column(shared).to_owned(),
            columns: shared
                .iter()
                .map(|s| LinkedColumn {
                    name: s.name.clone(),
                    left: s.left,
                    right: s.right.clone(),
                })
                .collect(),
        }
    }
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
    /// The two tables that were linked; none for one table, and where it was saved in form 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<Linked>,
    /// The labels that belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<KeptLabels>,
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

    /// How many labelled pairs belong to it; of a transform of form 1, with how many it was taught.
    pub fn label_count(&self) -> u64 {
        let taught = self.model.supervised.as_ref();
        let taught = || taught.map_or(0, |s| s.labels.iter().sum());
        self.labels.as_ref().map_or_else(taught, KeptLabels::pairs)
    }

    /// The same without what labels taught, so that labels can be held out of it.
    #[must_use]
    pub fn untaught(&self) -> Transform {
        let mut out = self.clone();
        out.model.supervised = None;
        out
    }

    /// What is to be kept of what was learned.
    pub(crate) async fn learned(
        context: &SessionContext,
        normal: &Arc<Spool>,
        settings: &Settings,
        between: Option<Linked>,
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
            linked: between.is_some(),
            rows: normal.rows(),
            columns: columns.to_vec(),
            frequencies: all,
            grams,
            model,
            between,
            labels: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_newer_forms_are_refused() {
        let told = |value| Transform::from_value(value).unwrap_err().to_string();
        let newer = told(serde_json::json!({ "format": 3 }));
        assert!(newer.contains("form 3"), "{newer}");
        assert!(told(serde_json::json!({ "format": 1 })).contains("settings"));
        assert!(told(serde_json::json!([])).contains("does not say its form"));
    }

    // As the first form was written.
    #[test]
    fn documents_of_the_first_form_are_read() {
        let text = r#"{"format":1,"settings":{"primary_key":null,"one_to_one":true,"comparisons":[],"ignore":[],"blocking":[],
            "precision_recall_tradeoff":0.5,"accuracy_cost_tradeoff":0.5,"enforce_provided_labels":false},"linked":true,"rows":7,
            "columns":[],"frequencies":[],"grams":null,"model":{"prior":0.1,"related":0.0,"comparisons":[],"learner":null,
            "supervised":{"features":[],"intercept":0.5,"labels":[3,4]},"one_to_one":true,"unsupervised_threshold":1.0,"threshold":0.0}}"#;
        let read = Transform::from_value(serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((read.rows, read.linked, &read.between), (7, true, &None));
        assert_eq!((read.label_count(), &read.labels), (7, &None));
        assert_eq!(read.untaught().model.supervised, None);
        let mut kept = read.clone();
        kept.labels = Some(KeptLabels::default());
        assert_eq!(kept.label_count(), 0);
        assert_eq!(
            Transform::from_value(kept.to_value().unwrap()).unwrap(),
            kept
        );
    }
}
