#![allow(clippy::unwrap_used, clippy::expect_used)]

//! Expected values are what each plan gives when it is run by itself, without sharing.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use futures::future::join_all;
use proptest::prelude::*;

use crate::{DynamicFrame, JoinKey, JoinKind, Ledger, share};

const ROWS: i64 = 40;

/// A table `t` of so many batches in each of three partitions: `id`, `k` (of seven values), `s`.
fn context(batches: i64, pool: usize) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(pool)))
        .build_arc()
        .unwrap();
    let config = SessionConfig::new().with_target_partitions(3);
    let ctx = SessionContext::new_with_config_rt(config, runtime);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("k", DataType::Int64, false),
        Field::new("s", DataType::Utf8, false),
    ]));
    let partitions = (0..3).map(|p| {
        let batch = |b: i64| {
            let ids: Vec<i64> = (0..ROWS).map(|r| (p * batches + b) * ROWS + r).collect();
            let text = ids.iter().map(|id| format!("row {id}"));
            let columns: Vec<arrow::array::ArrayRef> = vec![
                Arc::new(Int64Array::from(ids.clone())),
                Arc::new(ids.iter().map(|id| id % 7).collect::<Int64Array>()),
                Arc::new(StringArray::from_iter_values(text)),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
        };
        (0..batches).map(batch).collect()
    });
    let table = MemTable::try_new(Arc::clone(&schema), partitions.collect()).unwrap();
    ctx.register_table("t", Arc::new(table)).unwrap();
    ctx
}

async fn source(ctx: &SessionContext) -> DynamicFrame {
    DynamicFrame::new(ctx.table("t").await.unwrap())
        .unwrap()
        .counted("t")
}

/// Plans all frames, then runs them at the same time.
async fn run(
    ctx: &SessionContext,
    ledger: &Arc<Ledger>,
    frames: Vec<DynamicFrame>,
) -> Vec<datafusion::error::Result<Vec<RecordBatch>>> {
    let mut plans = Vec::new();
    for frame in frames {
        plans.push(plan(ctx, ledger, frame).await);
    }
    let all = plans
        .into_iter()
        .map(|(plan, task)| tokio::spawn(collect(plan, task)));
    let all = tokio::time::timeout(Duration::from_secs(60), join_all(all));
    all.await
        .expect("no plan waits for ever")
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

type Planned = (
    Arc<dyn ExecutionPlan>,
    Arc<datafusion::execution::TaskContext>,
);

async fn plan(_: &SessionContext, ledger: &Arc<Ledger>, frame: DynamicFrame) -> Planned {
    let (mut state, plan) = frame.into_dataframe().into_parts();
    ledger.attach(&mut state);
    let frame = datafusion::dataframe::DataFrame::new(state, plan);
    let task = Arc::new(frame.task_ctx());
    (frame.create_physical_plan().await.unwrap(), task)
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let drawn = pretty_format_batches(batches).unwrap().to_string();
    let mut lines: Vec<String> = drawn
        .lines()
        .filter(|l| l.starts_with('|'))
        .skip(1)
        .map(|l| l.split_whitespace().collect())
        .collect();
    lines.sort();
    lines
}

/// Runs frames by themselves and together; gives how many rows were read of `t` together.
async fn same(ctx: &SessionContext, frames: Vec<DynamicFrame>) -> u64 {
    let alone = Ledger::new(None, ctx.runtime_env());
    let mut expected = Vec::new();
    for frame in frames.clone() {
        expected.extend(run(ctx, &alone, vec![frame]).await);
    }
    let together = Ledger::new(None, ctx.runtime_env());
    let got = run(ctx, &together, share(frames).unwrap()).await;
    for (expected, got) in expected.into_iter().zip(got) {
        let (expected, got) = (lines(&expected.unwrap()), lines(&got.unwrap()));
        assert!(!expected.is_empty());
        assert_eq!(expected, got);
    }
    together.counts()[0].rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_several_read_is_read_once() {
    let ctx = context(30, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let frames = vec![
        t.clone().filter("k = 3").unwrap(),
        t.clone().select_fields(&["s"]).unwrap(),
        DynamicFrame::sql(
            &ctx.state(),
            "SELECT k, count(*) AS n FROM t GROUP BY k",
            [("t", t.clone())],
        )
        .await
        .unwrap(),
        DynamicFrame::sql(
            &ctx.state(),
            "SELECT count(*) AS n FROM t",
            [("t", t.clone())],
        )
        .await
        .unwrap(),
        t,
    ];
    assert_eq!(same(&ctx, frames).await, 90 * ROWS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_is_joined_with_itself() {
    for pool in [usize::MAX, 1_000_000] {
        for hash in [true, false] {
            let ctx = context(100, pool);
            let mut state = ctx.state();
            let options = state.config_mut().options_mut();
            options.optimizer.prefer_hash_join = hash;
            options.execution.sort_spill_reservation_bytes = 16 * 1024;
            let ctx = SessionContext::new_with_state(state);
            let t = source(&ctx).await.shared("t");
            let other = t
                .clone()
                .rename_field("id", "id2")
                .unwrap()
                .drop_fields(&["k"])
                .unwrap();
            let joined = t
                .clone()
                .filter("k = 2")
                .unwrap()
                .join(other, &[JoinKey::new("id", "id2")], JoinKind::Inner)
                .unwrap();
            let filtered = t.filter("id % 1000 = 1").unwrap();
            assert_eq!(same(&ctx, vec![joined, filtered]).await, 300 * ROWS as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_frames_read_shared_frames() {
    let ctx = context(20, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let a = t.clone().filter("k < 5").unwrap().counted("u").shared("a");
    let frames = vec![
        a.clone().select_fields(&["id"]).unwrap(),
        a.clone().select_fields(&["s"]).unwrap(),
        t.select_fields(&["k"]).unwrap(),
    ];
    let ids = share(frames.clone()).unwrap();
    let ids: Vec<Vec<String>> = ids
        .iter()
        .map(|f| f.shared_ids().into_iter().collect())
        .collect();
    assert_eq!(ids, [vec!["a", "t"], vec!["a", "t"], vec!["t"]]);
    assert_eq!(same(&ctx, frames).await, 60 * ROWS as u64);
}

#[tokio::test]
async fn what_one_reads_is_not_shared() {
    let ctx = context(1, usize::MAX);
    let t = source(&ctx).await.shared("t").filter("k = 3").unwrap();
    let frames = share(vec![t]).unwrap();
    assert!(frames[0].shared_ids().is_empty());
    assert!(
        !frames[0]
            .plan()
            .display_indent()
            .to_string()
            .contains("Shared")
    );
}

#[tokio::test]
async fn columns_that_nobody_reads_are_not_computed() {
    let ctx = context(1, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let frames = vec![
        t.clone().select_fields(&["id"]).unwrap(),
        t.filter("k = 1").unwrap().select_fields(&["id"]).unwrap(),
    ];
    let shared = share(frames).unwrap();
    let drawn = shared[0].plan().display_indent_schema().to_string();
    let reader = drawn.lines().find(|l| l.contains("ReadShared")).unwrap();
    assert!(
        reader.ends_with("ReadShared: t [id:Int64, k:Int64]"),
        "{reader}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recursive_query_reads_for_itself() {
    let ctx = context(2, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let query = "WITH RECURSIVE r AS (SELECT 0 AS id UNION ALL
                 SELECT t.id FROM t JOIN r ON t.id = r.id + 1 WHERE t.id < 5) SELECT * FROM r";
    let state = ctx.state();
    let tree = DynamicFrame::sql(&state, query, [("t", t.clone())]);
    same(&ctx, vec![tree.await.unwrap(), t.clone(), t]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_reaches_every_reader() {
    let ctx = context(30, usize::MAX);
    let t = source(&ctx)
        .await
        .map(&[crate::Change::set("x", "10 / (id - 900)")])
        .unwrap()
        .shared("t");
    let frames = vec![
        t.clone(),
        t.clone().filter("k = 1").unwrap(),
        t.select_fields(&["x"]).unwrap(),
    ];
    let ledger = Ledger::new(None, ctx.runtime_env());
    let frames = share(frames).unwrap();
    for result in run(&ctx, &ledger, frames).await {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("ivide by zero"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_or_never_comes_keeps_nobody_waiting() {
    let ctx = context(60, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let frames = vec![t.clone(), t.clone(), t.clone(), t];
    let ledger = Ledger::new(None, ctx.runtime_env());
    let mut shared = share(frames).unwrap();
    // One plan is never made, one never run, one reads a batch and no more.
    drop(shared.pop());
    let never = plan(&ctx, &ledger, shared.pop().unwrap()).await;
    let (early, task) = plan(&ctx, &ledger, shared.pop().unwrap()).await;
    let (last, last_task) = plan(&ctx, &ledger, shared.pop().unwrap()).await;
    let mut stream = early.execute(0, task).unwrap();
    stream.next().await.unwrap().unwrap();
    drop((stream, early));
    let got = tokio::time::timeout(Duration::from_secs(60), collect(last, last_task));
    let rows: usize = got
        .await
        .unwrap()
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(rows, 180 * ROWS as usize);
    // What it was to read went to disk.
    assert!(never.0.metrics().unwrap().spill_count().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_are_gone_nothing_more_is_read() {
    let ctx = context(500, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let ledger = Ledger::new(None, ctx.runtime_env());
    for frame in share(vec![t.clone(), t]).unwrap() {
        let (plan, task) = plan(&ctx, &ledger, frame).await;
        let mut stream = plan.execute(0, task).unwrap();
        stream.next().await.unwrap().unwrap();
    }
    let read = ledger.counts()[0].rows;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(read < 100 * ROWS as u64, "{read}");
    assert_eq!(ledger.counts()[0].rows, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_sets_the_pace() {
    let ctx = context(40, usize::MAX);
    let t = source(&ctx).await.shared("t");
    let ledger = Ledger::new(None, ctx.runtime_env());
    let mut shared = share(vec![t.clone(), t]).unwrap();
    let (slow, slow_task) = plan(&ctx, &ledger, shared.pop().unwrap()).await;
    let (fast, fast_task) = plan(&ctx, &ledger, shared.pop().unwrap()).await;
    let slow_reads = tokio::spawn({
        let slow = Arc::clone(&slow);
        async move {
            let mut stream = slow.execute(0, slow_task).unwrap();
            let mut rows = 0;
            while let Some(batch) = stream.next().await {
                rows += batch.unwrap().num_rows();
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            rows
        }
    });
    let mut stream = fast.execute(0, fast_task).unwrap();
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(
        (rows, slow_reads.await.unwrap()),
        (40 * ROWS as usize, 40 * ROWS as usize)
    );
    // It never had to be left behind.
    assert_eq!(slow.metrics().unwrap().spill_count().unwrap_or(0), 0);
}

/// What a reader does: how many batches it takes, and how it rests between them.
#[derive(Debug, Clone)]
struct Habit {
    /// It goes after so many batches.
    takes: usize,
    /// After so many batches it rests.
    every: usize,
    rest: u64,
    /// It begins to read when another reader has ended.
    after: Option<usize>,
}

fn habit() -> impl Strategy<Value = Habit> {
    let takes = prop_oneof![Just(usize::MAX), 0_usize..40];
    (takes, 1_usize..9, 0_u64..4, prop::option::of(0_usize..4)).prop_map(
        |(takes, every, rest, after)| Habit {
            takes,
            every,
            rest,
            after,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_readers_do_each_gets_its_rows_in_order(
        habits in prop::collection::vec(habit(), 2..5),
        pool in prop_oneof![Just(usize::MAX), Just(0_usize), Just(40_000_usize)],
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let ctx = context(30, pool);
            let t = source(&ctx).await.shared("t");
            let ledger = Ledger::new(None, ctx.runtime_env());
            let frames = habits.iter().map(|_| t.clone()).collect();
            let mut all = Vec::new();
            let (ended, _) = tokio::sync::watch::channel(vec![false; habits.len()]);
            for (number, frame) in share(frames).unwrap().into_iter().enumerate() {
                let (plan, task) = plan(&ctx, &ledger, frame).await;
                assert_eq!(plan.output_partitioning().partition_count(), 3);
                let (habit, ended) = (habits[number].clone(), ended.clone());
                all.push(tokio::spawn(async move {
                    if let Some(other) = habit.after.filter(|other| *other < number) {
                        let mut seen = ended.subscribe();
                        let _ = seen.wait_for(|all| all[other]).await;
                    }
                    let mut ids = Vec::new();
                    let mut stream = plan.execute(1, task).unwrap();
                    for taken in 0..habit.takes {
                        let Some(batch) = stream.next().await else { break };
                        let batch = batch.unwrap();
                        let id = batch.column_by_name("id").unwrap();
                        let id = id.as_any().downcast_ref::<Int64Array>().unwrap();
                        ids.extend(id.values().iter().copied());
                        if taken % habit.every == 0 {
                            tokio::time::sleep(Duration::from_millis(habit.rest)).await;
                        }
                    }
                    drop((stream, plan));
                    ended.send_modify(|all| all[number] = true);
                    ids
                }));
            }
            let all = tokio::time::timeout(Duration::from_secs(60), join_all(all)).await;
            for (habit, ids) in habits.iter().zip(all.expect("no reader waits for ever")) {
                let ids = ids.unwrap();
                let first = 30 * ROWS;
                let expected = (30 * ROWS as usize).min(habit.takes.saturating_mul(ROWS as usize));
                let expected: Vec<i64> = (first..first + expected as i64).collect();
                assert_eq!(ids, expected);
            }
        });
    }
}

#[tokio::test]
async fn an_error_is_told_as_it_is() {
    let ctx = context(1, usize::MAX);
    let t = source(&ctx).await;
    let t = t
        .map(&[crate::Change::set("x", "10 / (id - id)")])
        .unwrap()
        .shared("t");
    let ledger = Ledger::new(None, ctx.runtime_env());
    let results = run(&ctx, &ledger, share(vec![t.clone(), t]).unwrap()).await;
    assert!(results.into_iter().all(|r| matches!(
        r,
        Err(DataFusionError::Shared(_) | DataFusionError::Context(..))
    )));
}
