use std::collections::BTreeSet;

use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use mastic_dynamic_frame::DynamicFrame;

/// The records of each stream.
async fn streams(frame: DynamicFrame) -> Vec<Vec<i64>> {
    let frame = frame.into_dataframe();
    let context = std::sync::Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.unwrap();
    let count = plan.output_partitioning().partition_count();
    let mut all = Vec::new();
    for stream in execute_stream_partitioned(plan, context).unwrap() {
        let batches: Vec<_> = stream.collect().await;
        let mut values = Vec::new();
        for batch in batches {
            let batch = batch.unwrap();
            let column = batch.column(0).clone();
            let column = datafusion::arrow::array::AsArray::as_primitive::<
                datafusion::arrow::datatypes::Int64Type,
            >(&column)
            .clone();
            values.extend(column.values().iter().copied());
        }
        all.push(values);
    }
    assert_eq!(all.len(), count);
    all
}

async fn numbers() -> DynamicFrame {
    let config = SessionConfig::new()
        .with_target_partitions(4)
        .with_batch_size(10);
    let ctx = SessionContext::new_with_config(config);
    let frame = ctx
        .sql("SELECT value AS x, value % 5 AS y FROM generate_series(1, 1000)")
        .await
        .unwrap();
    DynamicFrame::new(frame).unwrap()
}

#[tokio::test]
async fn records_are_dealt_out_to_so_many_streams() {
    for count in [1, 3, 7] {
        let dealt = streams(
            numbers()
                .await
                .filter("x > 100")
                .unwrap()
                .repartition(count),
        )
        .await;
        assert_eq!(dealt.len(), count);
        assert_eq!(dealt.iter().map(Vec::len).sum::<usize>(), 900);
        assert!(
            dealt.iter().all(|s| s.len() >= 900 / count / 2),
            "{dealt:?}"
        );
    }
    let less = streams(numbers().await.repartition(6).coalesce(2)).await;
    assert_eq!(less.iter().map(Vec::len).sum::<usize>(), 1000);
    assert_eq!(less.len(), 2);
    let more = streams(numbers().await.repartition(3).coalesce(9)).await;
    assert_eq!(more.len(), 3);
}

#[tokio::test]
async fn equal_fields_go_to_the_same_stream() {
    let keyed = numbers().await.repartition_by(&["Y"], 3).unwrap();
    let dealt = streams(keyed.select_fields(&["y"]).unwrap()).await;
    assert_eq!(dealt.len(), 3);
    let of: Vec<BTreeSet<i64>> = dealt.iter().map(|s| s.iter().copied().collect()).collect();
    assert_eq!(of.iter().map(BTreeSet::len).sum::<usize>(), 5);
    assert!(numbers().await.repartition_by(&["z"], 3).is_err());
}
