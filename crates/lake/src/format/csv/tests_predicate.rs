//! What a filter will drop is not decoded, and what it keeps is all that it was.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use proptest::prelude::*;

use super::{CsvOptions, Decoder};
use crate::error::Result;
use crate::format::Decode;

fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("text", DataType::Utf8View),
        field("key", DataType::Int64),
        field("amount", DataType::Float64),
    ]))
}

fn at_least(least: i64) -> Arc<dyn PhysicalExpr> {
    let key = Arc::new(Column::new("key", 1));
    let least = Arc::new(Literal::new(ScalarValue::Int64(Some(least))));
    Arc::new(BinaryExpr::new(key, Operator::GtEq, least))
}

fn decode(text: &str, predicate: Option<Arc<dyn PhysicalExpr>>) -> Result<RecordBatch> {
    let decode = Decode {
        file: "f".to_owned(),
        schema: schema(),
        projection: vec![0, 1, 2],
        batch_size: 7,
        frame: None,
        predicate,
    };
    let decoder = Decoder::new(text.as_bytes(), &CsvOptions::default(), &decode, None)?;
    let batches: Vec<RecordBatch> = decoder.collect::<Result<_>>()?;
    Ok(concat_batches(&schema(), &batches)?)
}

fn kept(batch: &RecordBatch, predicate: &Arc<dyn PhysicalExpr>) -> RecordBatch {
    let kept = predicate.evaluate(batch).unwrap();
    let kept = kept.into_array(batch.num_rows()).unwrap();
    filter_record_batch(batch, kept.as_boolean()).unwrap()
}

#[test]
fn cells_of_rows_that_are_dropped_are_null_and_may_be_anything() {
    let text = "text,key,amount\na,1,no number\nb,5,2.5\nc,,neither\n";
    assert!(decode(text, None).is_err());
    let read = decode(text, Some(at_least(3))).unwrap();
    assert_eq!(read.num_rows(), 3);
    let texts: Vec<_> = read.column(0).as_string_view().iter().collect();
    assert_eq!(texts, [None, Some("b"), None]);
    assert_eq!(read.column(1).null_count(), 1);
    let wrong = decode("text,key,amount\na,1,2\nb,5,no number\n", Some(at_least(3)));
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("line 3") && said.contains("amount"), "{said}");
}

proptest! {
    #[test]
    fn what_is_kept_is_the_same(
        rows in proptest::collection::vec(("[a-z ]{0,20}", proptest::option::of(0i64..9), 0u32..999), 0..40),
        least in 0i64..9,
    ) {
        let mut text = "text,key,amount\n".to_owned();
        for (words, key, amount) in rows {
            let key = key.map(|k| k.to_string()).unwrap_or_default();
            text.push_str(&format!("\"{words}\",{key},{amount}.5\n"));
        }
        let predicate = at_least(least);
        let (whole, told) = (decode(&text, None), decode(&text, Some(predicate.clone())));
        let (whole, told) = (whole.unwrap(), told.unwrap());
        prop_assert_eq!(whole.num_rows(), told.num_rows());
        prop_assert_eq!(kept(&whole, &predicate), kept(&told, &predicate));
    }
}
