//! What a filter will drop is not decoded, and what it keeps is all that it was.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Float64Type;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use proptest::prelude::*;

use super::{CsvOptions, Decoder};
use crate::error::Result;
use crate::format::Decode;

const HEAD: &str = "text,key,amount,day,fine,yes,words";

fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("text", DataType::Utf8View),
        field("key", DataType::Int64),
        field("amount", DataType::Float64),
        field("day", DataType::Date32),
        field("fine", DataType::Decimal128(12, 2)),
        field("yes", DataType::Boolean),
        field("words", DataType::Utf8),
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
        projection: (0..schema().fields().len()).collect(),
        batch_size: 700,
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
fn cells_of_rows_that_are_dropped_may_be_anything() {
    let text = &format!("{HEAD}\na,1,no number,,,,\nb,5,2.5,,,,\nc,,neither,,,,\n");
    assert!(decode(text, None).is_err());
    let read = decode(text, Some(at_least(3))).unwrap();
    assert_eq!(read.num_rows(), 3);
    assert_eq!(read.column(0).as_string_view().value(1), "b");
    assert_eq!(read.column(2).as_primitive::<Float64Type>().value(1), 2.5);
    assert_eq!(read.column(1).null_count(), 1);
    let wrong = decode(
        &format!("{HEAD}\na,1,2,,,,\nb,5,no number,,,,\n"),
        Some(at_least(3)),
    );
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("line 3") && said.contains("amount"), "{said}");
}

proptest! {
    #[test]
    fn what_is_kept_is_the_same(
        rows in proptest::collection::vec(
            ("[a-z ]{0,20}", proptest::option::of(0i64..9), 0u32..999, any::<bool>()),
            0..600,
        ),
        least in 0i64..9,
    ) {
        let mut text = format!("{HEAD}\n");
        for (words, key, amount, yes) in rows {
            let key = key.map(|k| k.to_string()).unwrap_or_default();
            // A value as most are, one with blanks around it, or none.
            let day = ["2024-02-29", " 2024-03-01 ", ""][amount as usize % 3];
            text.push_str(&format!("\"{words}\",{key},{amount}.5,{day},{amount}.25,{yes},{words}\n"));
        }
        let predicate = at_least(least);
        let (whole, told) = (decode(&text, None), decode(&text, Some(predicate.clone())));
        let (whole, told) = (whole.unwrap(), told.unwrap());
        prop_assert_eq!(whole.num_rows(), told.num_rows());
        prop_assert_eq!(kept(&whole, &predicate), kept(&told, &predicate));
    }
}
