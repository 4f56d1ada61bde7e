//! The history of queries: recorded, beating, stopped, told newest first, bounded; results to be used again; workgroups
//! and the places in them.

use chrono::{TimeDelta, Utc};

use crate::error::CatalogError;
use crate::model::{
    QUERY_DEAD_AFTER_SECONDS, QueryExecution, QueryFilter, QueryState, RunProcess, StatementType,
    WorkGroup,
};
use crate::store::{CatalogStore, DefinitionOutcome, KEPT_QUERIES};

fn ids(queries: &[QueryExecution]) -> Vec<&str> {
    queries
        .iter()
        .map(|query| query.query_execution_id.as_str())
        .collect()
}

fn ended(mut query: QueryExecution, state: QueryState) -> QueryExecution {
    query.status.state = state;
    query.status.completion_date_time = Some(query.status.submission_date_time);
    query
}

fn with_result(query: QueryExecution, key: &str, bytes: u64) -> QueryExecution {
    let mut query = ended(query, QueryState::Succeeded);
    query.reuse_key = Some(key.to_owned());
    query.result_configuration.files = vec!["a.csv".to_owned()];
    query.result_configuration.bytes = Some(bytes);
    query
}

pub(super) async fn queries(store: &dyn CatalogStore) {
    let all = QueryFilter {
        limit: 100,
        ..QueryFilter::default()
    };
    assert_eq!(store.list_queries(&all).await.unwrap(), []);
    let before = Utc::now() - TimeDelta::seconds(1);
    let mut first = QueryExecution::new("SELECT 'é\0'", "primary", Some("shop"));
    assert_eq!(first.status.state, QueryState::Queued);
    assert!(first.status.submission_date_time > before);
    // A UUID as RFC 9562 writes it, of version 4.
    let id = first.query_execution_id.clone();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
    store.record_query(&first).await.unwrap();

    // What has become of it replaces what it was.
    first.status.state = QueryState::Running;
    first.statement_type = Some(StatementType::Dml);
    store.record_query(&first).await.unwrap();
    assert!(!store.beat_query(&id).await.unwrap());
    let found = store.get_query(&id).await.unwrap();
    assert_eq!(found.status.state, QueryState::Running);
    assert_eq!(found.query, "SELECT 'é\0'");

    // Asked to stop, it hears it by its next beat.
    let asked = store.cancel_query(&id[..13]).await.unwrap();
    assert_eq!(asked.query_execution_id, id);
    assert!(store.beat_query(&id).await.unwrap());
    first.statistics.rows_returned = 3;
    first.status.state_change_reason = Some("it was cancelled".into());
    let first = ended(first, QueryState::Cancelled);
    store.record_query(&first).await.unwrap();
    let mut told = store.get_query(&id.to_uppercase()).await.unwrap();
    // The store tells how long it took where the query does not.
    told.statistics.total_execution_time_in_millis = 0;
    assert_eq!(told, first);
    let written = serde_json::to_string(&told).unwrap();
    // Athena's names: API reference, `QueryExecution`.
    for word in [
        r#""QueryExecutionId":""#,
        r#""StatementType":"DML""#,
        r#""QueryExecutionContext":{"Database":"shop"}"#,
        r#""State":"CANCELLED""#,
        r#""WorkGroup":"primary""#,
        r#""ReusedPreviousResult":false"#,
    ] {
        assert!(written.contains(word), "{written}");
    }

    // What has ended neither beats, nor is stopped, nor ends again.
    for refused in [
        store.beat_query(&id).await.map(drop),
        store.cancel_query(&id).await.map(drop),
        store.record_query(&first).await,
    ] {
        match refused {
            Err(CatalogError::QueryEnded { state, .. }) => {
                assert_eq!(state, QueryState::Cancelled);
            }
            other => panic!("{other:?}"),
        }
    }

    let second = ended(
        QueryExecution::new("SELECT 2", "reports", None),
        QueryState::Succeeded,
    );
    store.record_query(&second).await.unwrap();
    let third = QueryExecution::new("SELECT 3", "primary", None);
    store.record_query(&third).await.unwrap();
    let (a, b, c) = (
        &*first.query_execution_id,
        &*second.query_execution_id,
        &*third.query_execution_id,
    );
    let list = async |filter: QueryFilter| store.list_queries(&filter).await.unwrap();
    assert_eq!(ids(&list(all.clone()).await), [c, b, a]);
    let two = QueryFilter {
        limit: 2,
        ..all.clone()
    };
    assert_eq!(ids(&list(two).await), [c, b]);
    let older = QueryFilter {
        before: Some(b.to_owned()),
        ..all.clone()
    };
    assert_eq!(ids(&list(older).await), [a]);
    let of_group = QueryFilter {
        work_group: Some("primary".into()),
        ..all.clone()
    };
    assert_eq!(ids(&list(of_group).await), [c, a]);
    let of_state = QueryFilter {
        state: Some(QueryState::Succeeded),
        ..all.clone()
    };
    assert_eq!(ids(&list(of_state).await), [b]);

    match store.get_query("").await {
        Err(CatalogError::InvalidName { .. }) => {}
        other => panic!("{other:?}"),
    }
    for unknown in ["zz", "%", "_", "a\u{10ffff}"] {
        assert!(matches!(
            store.get_query(unknown).await,
            Err(CatalogError::QueryNotFound { .. })
        ));
    }
    // Ids of one letter: among 17 queries two begin alike.
    for n in 0..14 {
        let more = QueryExecution::new(&n.to_string(), "primary", None);
        store.record_query(&more).await.unwrap();
    }
    let mut ambiguous = 0;
    for digit in "0123456789abcdef".chars() {
        if let Err(CatalogError::QueryAmbiguous { matches, .. }) =
            store.get_query(&digit.to_string()).await
        {
            assert!(matches.iter().all(|id| id.starts_with(digit)));
            ambiguous += 1;
        }
    }
    assert!(ambiguous > 0);
}

/// A query whose process was killed is told as such by whoever asks.
pub(super) async fn killed_queries(store: &dyn CatalogStore) {
    #[cfg(target_os = "linux")]
    {
        let this = RunProcess::this();
        let mut killed = QueryExecution::new("SELECT 1", "primary", None);
        killed.status.state = QueryState::Running;
        killed.process = RunProcess {
            began: this.began.map(|began| began - 1),
            ..this
        };
        let id = killed.query_execution_id.clone();
        store.record_query(&killed).await.unwrap();
        let told = store.get_query(&id).await.unwrap();
        assert_eq!(told.status.state, QueryState::Failed);
        let failure = told.status.athena_error.unwrap();
        assert_eq!(failure.kind, "DIED");
        assert_eq!(failure.error_message, "the process ended without saying so");
        let filter = QueryFilter {
            state: Some(QueryState::Failed),
            limit: 5,
            ..QueryFilter::default()
        };
        assert_eq!(store.list_queries(&filter).await.unwrap().len(), 1);
        assert!(matches!(
            store.cancel_query(&id).await,
            Err(CatalogError::QueryEnded { .. })
        ));
        // It takes no place.
        let waits = QueryExecution::new("SELECT 2", "primary", None);
        store.record_query(&waits).await.unwrap();
        assert!(
            store
                .admit_query(&waits.query_execution_id, 1)
                .await
                .unwrap()
        );
    }
    // Elsewhere only silence tells, which has to last: a query that has just spoken lives.
    let mut talking = QueryExecution::new("SELECT 3", "other", None);
    talking.process = RunProcess {
        host: "elsewhere".into(),
        process_id: 1,
        machine: "another".into(),
        began: Some(1),
    };
    talking.status.submission_date_time -= TimeDelta::seconds(2 * QUERY_DEAD_AFTER_SECONDS);
    store.record_query(&talking).await.unwrap();
    let told = store.get_query(&talking.query_execution_id).await.unwrap();
    assert_eq!(told.status.state, QueryState::Queued);
}

pub(super) async fn places_of_workgroups(store: &dyn CatalogStore) {
    let submit = async |group: &str| {
        let query = QueryExecution::new("SELECT 1", group, None);
        store.record_query(&query).await.unwrap();
        query
    };
    let (a, b, c) = (submit("w").await, submit("w").await, submit("w").await);
    let admit = async |query: &QueryExecution, limit| {
        let id = &query.query_execution_id;
        store.admit_query(id, limit).await.unwrap()
    };
    // First come, first served.
    assert!(!admit(&b, 1).await);
    assert!(admit(&a, 1).await);
    assert!(admit(&a, 1).await);
    assert!(!admit(&b, 1).await);
    assert!(!admit(&c, 2).await);
    assert!(admit(&b, 2).await);
    // Other workgroups have their own places.
    let elsewhere = submit("v").await;
    assert!(admit(&elsewhere, 1).await);
    store
        .record_query(&ended(a.clone(), QueryState::Succeeded))
        .await
        .unwrap();
    assert!(admit(&c, 2).await);
    assert!(matches!(
        store.admit_query(&a.query_execution_id, 9).await,
        Err(CatalogError::QueryEnded { .. })
    ));
}

pub(super) async fn kept_results(store: &dyn CatalogStore) {
    let key = "0123456789abcdef0123456789abcdef";
    let since = Utc::now() - TimeDelta::seconds(60);
    assert_eq!(store.reusable_query(key, since).await.unwrap(), None);
    let old = with_result(QueryExecution::new("SELECT 1", "primary", None), key, 10);
    store.record_query(&old).await.unwrap();
    let new = with_result(QueryExecution::new("SELECT 1", "primary", None), key, 20);
    store.record_query(&new).await.unwrap();
    // One that uses another's result has none of its own, and is no source of it.
    let mut again = with_result(QueryExecution::new("SELECT 1", "primary", None), key, 0);
    again.result_configuration.files.clear();
    again.result_configuration.bytes = None;
    store.record_query(&again).await.unwrap();

    let found = store.reusable_query(key, since).await.unwrap().unwrap();
    assert_eq!(found.query_execution_id, new.query_execution_id);
    let later = Utc::now() + TimeDelta::seconds(60);
    assert_eq!(store.reusable_query(key, later).await.unwrap(), None);
    assert_eq!(store.reusable_query("ff", since).await.unwrap(), None);
    let kept = store.kept_results().await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|kept| (kept.query_execution_id.as_str(), kept.bytes))
        .collect();
    let (old, new) = (&old.query_execution_id, &new.query_execution_id);
    assert_eq!(kept, [(new.as_str(), 20), (old.as_str(), 10)]);

    let gone = store
        .forget_results(&[new.clone(), "nobody".to_owned(), again.query_execution_id])
        .await
        .unwrap();
    assert_eq!(ids(&gone), [new.as_str()]);
    assert_eq!(gone[0].result_configuration.files, ["a.csv"]);
    let left = store.get_query(new).await.unwrap().result_configuration;
    assert!(left.files.is_empty() && left.not_kept.is_some());
    let found = store.reusable_query(key, since).await.unwrap().unwrap();
    assert_eq!(&found.query_execution_id, old);
    assert_eq!(store.kept_results().await.unwrap().len(), 1);
}

pub(super) async fn query_history_is_bounded(store: &dyn CatalogStore) {
    let done = |query| ended(query, QueryState::Succeeded);
    let kept = with_result(QueryExecution::new("kept", "primary", None), "k", 1);
    store.record_query(&kept).await.unwrap();
    let first = done(QueryExecution::new("first", "primary", None));
    store.record_query(&first).await.unwrap();
    for _ in 0..KEPT_QUERIES {
        let query = done(QueryExecution::new("", "primary", None));
        store.record_query(&query).await.unwrap();
    }
    let all = QueryFilter {
        limit: u32::MAX,
        ..QueryFilter::default()
    };
    // And the one that has a result, whose files somebody has to remove first.
    let all = store.list_queries(&all).await.unwrap();
    assert_eq!(all.len(), KEPT_QUERIES as usize + 1);
    store.get_query(&kept.query_execution_id).await.unwrap();
    assert!(matches!(
        store.get_query(&first.query_execution_id).await,
        Err(CatalogError::QueryNotFound { .. })
    ));
}

pub(super) async fn workgroups(store: &dyn CatalogStore) {
    let names = async || -> Vec<String> {
        let all = store.list_workgroups().await.unwrap();
        all.into_iter().map(|group| group.name).collect()
    };
    assert_eq!(names().await, ["primary"]);
    let mut group = WorkGroup::new("Reports");
    group.configuration.bytes_scanned_cutoff_per_query = Some(10_000_000);
    group.configuration.max_concurrent_queries = Some(2);
    let outcome = store.put_workgroup(group.clone(), false).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Created);
    let first = store.get_workgroup("Reports").await.unwrap();
    assert_eq!(
        (&first.configuration, first.version),
        (&group.configuration, Some(1))
    );
    assert!(matches!(
        store.put_workgroup(group.clone(), false).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    group.description = Some("nightly".into());
    let outcome = store.put_workgroup(group.clone(), true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Updated);
    assert!(matches!(
        store.put_workgroup(WorkGroup::new("Report"), true).await,
        Err(CatalogError::WorkGroupNotFound { did_you_mean: Some(near), .. }) if near == "Reports"
    ));
    let wrong = |change: fn(&mut WorkGroup)| {
        let mut wrong = WorkGroup::new("wrong");
        change(&mut wrong);
        wrong
    };
    for wrong in [
        wrong(|w| w.configuration.bytes_scanned_cutoff_per_query = Some(9_999_999)),
        wrong(|w| w.configuration.result_reuse_max_age_in_minutes = Some(10_081)),
        wrong(|w| w.configuration.max_concurrent_queries = Some(0)),
        wrong(|w| w.configuration.query_timeout_in_seconds = Some(0)),
    ] {
        assert!(matches!(
            store.put_workgroup(wrong, false).await,
            Err(CatalogError::InvalidDefinition { .. })
        ));
    }

    // The one that is always there can be changed, and neither made nor deleted.
    let mut primary = store.get_workgroup("primary").await.unwrap();
    assert_eq!(primary, WorkGroup::new("primary"));
    assert!(matches!(
        store.put_workgroup(primary.clone(), false).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    primary.configuration.query_timeout_in_seconds = Some(60);
    store.put_workgroup(primary, true).await.unwrap();
    let primary = store.get_workgroup("primary").await.unwrap();
    assert_eq!(primary.configuration.query_timeout_in_seconds, Some(60));
    assert!(store.delete_workgroup("primary").await.is_err());
    assert_eq!(names().await, ["Reports", "primary"]);
    store.delete_workgroup("Reports").await.unwrap();
    assert!(matches!(
        store.get_workgroup("Reports").await,
        Err(CatalogError::WorkGroupNotFound { .. })
    ));
}
