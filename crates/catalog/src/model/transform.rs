//! Machine-learning transforms. Glue API: `MLTransform` (`aws-glue-api-machine-learning-api`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::named::{Stamp, check_name, invalid};
use super::time;
use crate::error::Result;

/// The most bytes that a transform's definition may have, as JSON.
const MAX_BYTES: usize = 256 << 20;

/// What was learned of a table's records, by name. What it holds is for those to know who apply it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MlTransform {
    /// Its name; case counts.
    pub name: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub created_on: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_modified_on: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// How many rows it was learned from.
    pub record_count: i64,
    /// How many labelled pairs it was taught with.
    pub label_count: i64,
    /// Where the records lie with their entities, which new records join: a file, or a table of the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<String>,
    /// What was learned.
    pub model: Value,
}

impl MlTransform {
    /// Whether another says the same; the name, times and versions are of no account.
    pub fn same_definition(&self, other: &Self) -> bool {
        let plain = |of: &Self| {
            let mut plain = of.clone();
            plain.stamp().clear();
            plain
        };
        plain(self) == plain(other)
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_name("transform", &self.name)?;
        let bytes = self.model.to_string().len();
        if bytes > MAX_BYTES {
            return Err(invalid(
                "transform",
                &self.name,
                format!("its model has {bytes} bytes, more than {MAX_BYTES}"),
            ));
        }
        Ok(())
    }

    pub(crate) fn stamp(&mut self) -> Stamp<'_> {
        Stamp {
            created: &mut self.created_on,
            updated: &mut self.last_modified_on,
            version: &mut self.version,
        }
    }
}
