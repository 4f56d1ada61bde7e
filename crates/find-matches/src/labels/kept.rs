//! Labels as they are kept with a transform: the label file, as text.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{LABEL, LABELING_SET_ID, Labels, MOST_ROWS};
use crate::error::{MatchError, Result};
use crate::normalise::column;

/// The rows of a label file, all of whose values are text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLabels {
    /// The columns, `labeling_set_id` and `label` among them.
    pub columns: Vec<String>,
    /// The rows, each with a value for each column.
    pub rows: Vec<Vec<Option<String>>>,
}

impl KeptLabels {
    /// Reads all rows of a label file.
    ///
    /// # Errors
    /// When it cannot be read, or has more than 200,000 rows.
    pub async fn read(labels: &Labels) -> Result<KeptLabels> {
        let schema = labels.rows.schema().as_arrow().clone();
        let plain = |f: &&Arc<Field>| {
            !f.name().starts_with('$') && !f.data_type().is_nested() && !f.data_type().is_binary()
        };
        let columns: Vec<String> = schema
            .fields()
            .iter()
            .filter(plain)
            .map(|f| f.name().clone())
            .collect();
        let shown: Vec<Expr> = columns
            .iter()
            .map(|c| cast(column(c), DataType::Utf8).alias(c))
            .collect();
        let mut stream = labels.rows.clone().select(shown)?.execute_stream().await?;
        let mut rows = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let texts: Vec<&StringArray> = batch
                .columns()
                .iter()
                .filter_map(|c| c.as_string_opt::<i32>())
                .collect();
            for row in 0..batch.num_rows() {
                let value = |of: &&StringArray| {
                    let there = arrow::array::Array::is_valid(*of, row);
                    there.then(|| of.value(row).to_owned())
                };
                rows.push(texts.iter().map(value).collect());
            }
            if rows.len() > MOST_ROWS {
                return Err(MatchError::Label(format!(
                    "{} has more than {MOST_ROWS} rows",
                    labels.name
                )));
            }
        }
        Ok(KeptLabels { columns, rows })
    }

    /// The label file again. What it says of rows that a table does not have is left out there.
    ///
    /// # Errors
    /// When a row has more or fewer values than there are columns.
    pub fn labels(&self, context: &SessionContext, name: &str) -> Result<Labels> {
        let width = self.columns.len();
        if self.rows.iter().any(|row| row.len() != width) {
            return Err(MatchError::Transform(format!(
                "{name} cannot be read: each of their rows has {width} values"
            )));
        }
        let fields = self.columns.iter();
        let fields: Vec<Field> = fields
            .map(|c| Field::new(c, DataType::Utf8, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let values = |at: usize| self.rows.iter().map(move |r| r.get(at).cloned().flatten());
        let arrays: Vec<ArrayRef> = (0..width)
            .map(|at| Arc::new(values(at).collect::<StringArray>()) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(DataFusionError::from)?;
        let table = MemTable::try_new(schema, vec![vec![batch]])?;
        Ok(Labels {
            name: name.to_owned(),
            rows: context.read_table(Arc::new(table))?,
            line: None,
            partial: true,
        })
    }

    /// How many pairs are labelled: of rows of one set that both have labels.
    pub fn pairs(&self) -> u64 {
        let place = |name: &str| {
            self.columns
                .iter()
                .position(|c| c.eq_ignore_ascii_case(name))
        };
        let (Some(set), Some(label)) = (place(LABELING_SET_ID), place(LABEL)) else {
            return 0;
        };
        let mut sets: HashMap<&str, u64> = HashMap::new();
        for row in &self.rows {
            let value = |at: usize| row.get(at).and_then(Option::as_deref).map_or("", str::trim);
            if !value(label).is_empty() {
                *sets.entry(value(set)).or_default() += 1;
            }
        }
        sets.values().map(|n| n * n.saturating_sub(1) / 2).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn labels_are_kept_and_read_again() {
        let context = SessionContext::new();
        let rows = context
            .sql(
                "SELECT * FROM (VALUES ('1', 'A', 7, NULL), ('1', 'A', 8, 'x'), ('1', NULL, 9, 'y'), ('2', 'B', 9, 'z'), ('2', '', 8, 'x')) \
                 AS t(labeling_set_id, label, id, name)",
            )
            .await
            .unwrap();
        let labels = Labels {
            name: "labels.csv".into(),
            rows,
            line: None,
            partial: false,
        };
        let kept = KeptLabels::read(&labels).await.unwrap();
        assert_eq!(kept.columns, ["labeling_set_id", "label", "id", "name"]);
        assert_eq!(kept.rows[0][2..], [Some("7".to_owned()), None]);
        // One pair of the first set has two labels, none of the second.
        assert_eq!((kept.rows.len(), kept.pairs()), (5, 1));
        let again = kept.labels(&context, "kept").unwrap();
        assert!(again.partial);
        assert_eq!(KeptLabels::read(&again).await.unwrap(), kept);
        let mut odd = kept.clone();
        odd.rows[3].pop();
        assert!(odd.labels(&context, "kept").is_err());
    }
}
