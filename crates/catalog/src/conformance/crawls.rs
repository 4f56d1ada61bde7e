//! The history of crawls: begun, ended, told newest first, bounded.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::error::CatalogError;
use crate::model::{Crawl, CrawlState, NewCrawl};
use crate::store::{CatalogStore, KEPT_CRAWLS};

fn crawl(crawler: Option<&str>, target: &str) -> NewCrawl {
    NewCrawl {
        crawler_name: crawler.map(str::to_owned),
        database_name: "d".into(),
        targets: vec![target.to_owned(), "é\0".to_owned()],
        start_time: None,
    }
}

fn ids(crawls: &[Crawl]) -> Vec<i64> {
    crawls.iter().map(|crawl| crawl.crawl_id).collect()
}

pub(super) async fn crawls(store: &dyn CatalogStore) {
    assert_eq!(store.list_crawls(None, 10).await.unwrap(), []);
    let before = Utc::now() - TimeDelta::seconds(1);
    let first = store
        .start_crawl(crawl(Some("Nightly"), "a"))
        .await
        .unwrap();
    let second = store.start_crawl(crawl(None, "b")).await.unwrap();
    assert!(second > first);
    let running = store.get_crawl(first).await.unwrap();
    assert!(running.start_time > before && running.start_time <= Utc::now());
    assert_eq!(
        running,
        Crawl {
            crawl_id: first,
            crawler_name: Some("Nightly".into()),
            database_name: "d".into(),
            targets: vec!["a".into(), "é\0".into()],
            state: CrawlState::Running,
            start_time: running.start_time,
            end_time: None,
            error_message: None,
            summary: json!(null),
        }
    );

    let summary = json!({"TablesCreated": ["d.t"], "Files": 12_345_678_901_u64, "Ratio": 0.25});
    store
        .finish_crawl(first, CrawlState::Succeeded, None, &summary)
        .await
        .unwrap();
    let done = store.get_crawl(first).await.unwrap();
    assert_eq!(
        (done.state, &done.summary),
        (CrawlState::Succeeded, &summary)
    );
    assert!(done.end_time >= Some(done.start_time));
    store
        .finish_crawl(second, CrawlState::Failed, Some("no\0 access"), &json!({}))
        .await
        .unwrap();
    let failed = store.get_crawl(second).await.unwrap();
    assert_eq!(failed.error_message.as_deref(), Some("no\u{fffd} access"));
    let written = serde_json::to_string(&failed).unwrap();
    assert!(written.contains(r#""State":"FAILED""#), "{written}");
    assert_eq!(serde_json::from_str::<Crawl>(&written).unwrap(), failed);

    let third = store
        .start_crawl(crawl(Some("Nightly"), "a"))
        .await
        .unwrap();
    let list = async |crawler, limit| ids(&store.list_crawls(crawler, limit).await.unwrap());
    assert_eq!(list(None, 10).await, [third, second, first]);
    assert_eq!(list(None, 2).await, [third, second]);
    assert_eq!(list(Some("Nightly"), 10).await, [third, first]);
    assert_eq!(list(Some("nightly"), 10).await, [0; 0]);
    assert_eq!(list(None, 0).await, [0; 0]);

    for refused in [
        store.get_crawl(third + 1).await.map(drop),
        store
            .finish_crawl(third + 1, CrawlState::Cancelled, None, &json!(null))
            .await,
    ] {
        match refused {
            Err(CatalogError::CrawlNotFound { id }) => assert_eq!(id, third + 1),
            other => panic!("{other:?}"),
        }
    }
    let refused = store
        .finish_crawl(third, CrawlState::Running, None, &json!(null))
        .await;
    assert!(matches!(
        refused,
        Err(CatalogError::InvalidDefinition { .. })
    ));
}

/// What has been running for more than a day when the same crawler starts again is taken for dead; two at once are
/// allowed.
pub(super) async fn dead_crawls(store: &dyn CatalogStore) {
    let ago = |crawler, hours| NewCrawl {
        start_time: Some(Utc::now() - TimeDelta::hours(hours)),
        ..crawl(crawler, "a")
    };
    let mut started = Vec::new();
    for (crawler, hours) in [
        (Some("x"), 25),
        (Some("x"), 23),
        (Some("y"), 25),
        (None, 25),
        (Some("x"), 0),
    ] {
        started.push(store.start_crawl(ago(crawler, hours)).await.unwrap());
    }
    let states = async || {
        let mut states = Vec::new();
        for id in &started {
            states.push(store.get_crawl(*id).await.unwrap().state);
        }
        states
    };
    use CrawlState::{Failed, Running, Succeeded};
    assert_eq!(states().await, [Failed, Running, Running, Running, Running]);
    let dead = store.get_crawl(started[0]).await.unwrap();
    assert_eq!(
        dead.error_message.as_deref(),
        Some("the process ended without saying so")
    );
    assert!(dead.end_time.is_some());

    // Without a crawler it is the targets that tell.
    store.start_crawl(crawl(None, "elsewhere")).await.unwrap();
    assert_eq!(states().await[3], Running);
    store.start_crawl(crawl(None, "a")).await.unwrap();
    assert_eq!(states().await, [Failed, Running, Running, Failed, Running]);

    // One that lives after all may say so.
    store
        .finish_crawl(started[0], Succeeded, None, &json!({}))
        .await
        .unwrap();
    let alive = store.get_crawl(started[0]).await.unwrap();
    assert_eq!((alive.state, alive.error_message), (Succeeded, None));
}

pub(super) async fn crawl_history_is_bounded(store: &dyn CatalogStore) {
    let mut last = 0;
    for _ in 0..KEPT_CRAWLS + 2 {
        last = store.start_crawl(crawl(None, "a")).await.unwrap();
    }
    let all = ids(&store.list_crawls(None, u32::MAX).await.unwrap());
    assert_eq!(all.len(), KEPT_CRAWLS as usize);
    assert_eq!(all[0], last);
    assert!(matches!(
        store.get_crawl(last - i64::from(KEPT_CRAWLS)).await,
        Err(CatalogError::CrawlNotFound { .. })
    ));
}
