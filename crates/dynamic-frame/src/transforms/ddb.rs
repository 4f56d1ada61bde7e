//! `simplify_ddb_json` and `unnest_ddb_json`: records in DynamoDB's JSON, as an export to S3 writes them.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use mastic_functions::ddb::{is_attribute, simplified_type, simplify};
use mastic_schema::hive::parse_type;

use super::unnest::named;
use crate::record::{column, field_expr};
use crate::{DynamicFrame, FrameError, Result};

/// The column that an export puts the whole item into.
const ITEM: &str = "Item";

impl DynamicFrame {
    /// Takes the descriptors of types out of DynamoDB's JSON: `{"name": {"S": "x"}}` becomes `{"name": "x"}`,
    /// at every depth. The attributes of a column `Item` become the record's own fields, as in Glue.
    ///
    /// Numbers, which DynamoDB writes as text of up to 38 digits, become `numbers`: Glue's transform leaves
    /// them `string`, which loses nothing; `double` is what Glue's zero-ETL makes of them. Sets become arrays,
    /// `B` stays text in base 64, as it was read, and a `NULL` is NULL (a field that never was anything else
    /// is the boolean that it says). An attribute whose values are of several types becomes a choice of them.
    ///
    /// # Errors
    /// When `numbers` is no Hive type, or an attribute of `Item` has the name of another column.
    pub fn simplify_ddb_json(self, numbers: &str) -> Result<Self> {
        let to = parse_type(numbers).map_err(|source| FrameError::BadType {
            text: numbers.to_owned(),
            source,
        })?;
        let mut columns: Vec<(String, Expr)> = Vec::new();
        for field in self.fields() {
            let own = column(field.name());
            match field.data_type() {
                DataType::Struct(item)
                    if field.name() == ITEM
                        && !is_attribute(field.data_type())
                        && item.iter().any(|f| is_attribute(f.data_type())) =>
                {
                    for attribute in item {
                        let value = field_expr(&own, attribute.name());
                        let value = simple(value, attribute.data_type(), &to);
                        columns.push((attribute.name().clone(), value));
                    }
                }
                other => columns.push((field.name().clone(), simple(own, other, &to))),
            }
        }
        let mut columns = named(columns)?;
        columns.extend(self.origin());
        Ok(Self::of(self.inner.select(columns)?))
    }

    /// Like [`DynamicFrame::simplify_ddb_json`], and makes a column of each field of the structs (`M`) too, by
    /// its path: `a.b`. Arrays stay, as in Glue.
    ///
    /// # Errors
    /// As with [`DynamicFrame::simplify_ddb_json`], or when a column has the name that a field would get.
    pub fn unnest_ddb_json(self, numbers: &str) -> Result<Self> {
        self.simplify_ddb_json(numbers)?.flattened(false)
    }
}

fn simple(value: Expr, data_type: &DataType, numbers: &DataType) -> Expr {
    match simplified_type(data_type, numbers) == *data_type {
        true => value,
        false => simplify(value, numbers),
    }
}
