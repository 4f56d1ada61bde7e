use crate::{frame, rows, run};

#[tokio::test]
async fn a_sample_is_the_same_in_every_run() {
    let numbers =
        frame("SELECT x, named_struct('y', x * 2) AS s FROM generate_series(1, 10000) AS g(x)")
            .await;
    let tenth = numbers.spigot(None, 0.1).unwrap();
    let one = rows(tenth.clone()).await;
    assert_eq!(one, rows(tenth.clone()).await);
    // A binomial deviation is 30.
    let count = tenth.into_dataframe().count().await.unwrap();
    assert!((850..1150).contains(&count), "{count}");
    let some = numbers.counted("read").spigot(Some(7), 1.0).unwrap();
    let (some, _, ledger) = run(some).await;
    assert_eq!(some.lines().count(), 8);
    assert!(ledger.counts().is_empty(), "a sample counts nothing");
}
