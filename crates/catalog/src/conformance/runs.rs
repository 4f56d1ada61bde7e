//! The history of runs: begun, beating, ended, told newest first, bounded; and runs that were killed.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::error::CatalogError;
use crate::model::{
    DEAD_AFTER_SECONDS, NewRun, Run, RunBeat, RunOutcome, RunProcess, RunScript, RunState,
};
use crate::store::{CatalogStore, KEPT_RUNS};

fn ids(runs: &[Run]) -> Vec<&str> {
    runs.iter().map(|run| run.id.as_str()).collect()
}

pub(super) async fn runs(store: &dyn CatalogStore) {
    assert_eq!(store.list_runs(None, 10).await.unwrap(), []);
    assert_eq!(store.list_jobs().await.unwrap(), [""; 0]);
    let before = Utc::now() - TimeDelta::seconds(1);
    let arguments = BTreeMap::from([("day".to_owned(), "é\0".to_owned())]);
    let script = RunScript {
        path: "clean.yaml".into(),
        digest: "sha256:00".into(),
    };
    let new = NewRun {
        arguments: arguments.clone(),
        script: Some(script.clone()),
        ..NewRun::new("Clean")
    };
    let first = store.start_run(new).await.unwrap();
    assert!(first.started_on > before && first.started_on <= Utc::now());
    assert_eq!(
        first,
        Run {
            id: first.id.clone(),
            attempt: 1,
            previous_run_id: None,
            job_name: "Clean".into(),
            started_on: first.started_on,
            completed_on: None,
            job_run_state: RunState::Starting,
            arguments,
            error_message: None,
            execution_time: 0,
            script: Some(script),
            summary: json!(null),
            bookmarks_before: json!(null),
            bookmarks_after: json!(null),
            process: RunProcess::this(),
            heartbeat_on: first.started_on,
        }
    );
    assert!(first.id.starts_with("jr_") && first.id.len() == 35);

    // It beats, and what it says replaces what it said; what it does not say stays.
    let beat = |summary| RunBeat {
        summary,
        bookmarks_before: None,
    };
    store
        .beat_run(
            &first.id,
            RunBeat {
                bookmarks_before: Some(json!({"orders": 0})),
                ..beat(Some(json!({"rows": 1})))
            },
        )
        .await
        .unwrap();
    store
        .beat_run(&first.id, beat(Some(json!({"rows": 2}))))
        .await
        .unwrap();
    store.beat_run(&first.id, beat(None)).await.unwrap();
    let running = store.get_run(&first.id).await.unwrap();
    assert_eq!(running.job_run_state, RunState::Running);
    assert_eq!(running.summary, json!({"rows": 2}));
    assert_eq!(running.bookmarks_before, json!({"orders": 0}));
    assert!(running.heartbeat_on >= first.heartbeat_on && running.is_alive());

    let failed = RunOutcome {
        error_message: Some("no\0 access".into()),
        bookmarks_after: Some(json!({"orders": 1})),
        ..RunOutcome::new(RunState::Failed)
    };
    store.finish_run(&first.id, failed.clone()).await.unwrap();
    let done = store.get_run(&first.id).await.unwrap();
    assert_eq!(done.job_run_state, RunState::Failed);
    assert_eq!(done.error_message.as_deref(), Some("no\u{fffd} access"));
    assert_eq!(done.summary, json!({"rows": 2}));
    assert_eq!(done.bookmarks_after, json!({"orders": 1}));
    assert!(done.completed_on >= Some(done.started_on));
    let written = serde_json::to_string(&done).unwrap();
    // Glue's names: API reference, `JobRun`.
    for word in [
        r#""Id":"jr_"#,
        r#""JobName":"Clean""#,
        r#""JobRunState":"FAILED""#,
        r#""ExecutionTime":0"#,
    ] {
        assert!(written.contains(word), "{written}");
    }
    assert_eq!(serde_json::from_str::<Run>(&written).unwrap(), done);

    // What has ended neither beats nor ends again.
    for refused in [
        store.beat_run(&first.id, beat(None)).await,
        store.finish_run(&first.id, failed).await,
    ] {
        match refused {
            Err(CatalogError::RunEnded { state, .. }) => assert_eq!(state, RunState::Failed),
            other => panic!("{other:?}"),
        }
    }
    let again = NewRun {
        attempt: 2,
        previous_run_id: Some(first.id.clone()),
        ..NewRun::new("Clean")
    };
    let second = store.start_run(again).await.unwrap();
    assert_eq!(second.attempt, 2);
    let other = store.start_run(NewRun::new("other")).await.unwrap();
    let list = async |job, limit| store.list_runs(job, limit).await.unwrap();
    let (f, s, o) = (&*first.id, &*second.id, &*other.id);
    assert_eq!(ids(&list(None, 10).await), [o, s, f]);
    assert_eq!(ids(&list(None, 2).await), [o, s]);
    assert_eq!(ids(&list(Some("Clean"), 10).await), [s, f]);
    assert_eq!(ids(&list(Some("clean"), 10).await), [""; 0]);
    assert_eq!(store.list_jobs().await.unwrap(), ["Clean", "other"]);
    store.check_job("other").await.unwrap();
    match store.check_job("othr").await {
        Err(CatalogError::JobNotFound { did_you_mean, .. }) => {
            assert_eq!(did_you_mean.as_deref(), Some("other"));
        }
        other => panic!("{other:?}"),
    }

    // By a beginning of the id, with and without what all begin with.
    assert_eq!(store.get_run(&f[..20]).await.unwrap().id, f);
    assert_eq!(store.get_run(&f[3..20]).await.unwrap().id, f);
    match store.get_run("jr_").await {
        Err(CatalogError::RunAmbiguous { matches, .. }) => assert_eq!(matches, [o, s, f]),
        other => panic!("{other:?}"),
    }
    for unknown in ["jr_x", "zz", "%", "jr\u{10ffff}"] {
        assert!(matches!(
            store.get_run(unknown).await,
            Err(CatalogError::RunNotFound { .. })
        ));
    }
    let refused = store
        .finish_run(&second.id, RunOutcome::new(RunState::Running))
        .await;
    assert!(matches!(
        refused,
        Err(CatalogError::InvalidDefinition { .. })
    ));
}

/// A killed run is told as such by whoever asks: at once where its process can be looked for, else when it has been
/// silent for too long. One that lives after all says so by its next beat.
pub(super) async fn killed_runs(store: &dyn CatalogStore) {
    let elsewhere = RunProcess {
        host: "elsewhere".into(),
        process_id: 1,
        machine: "another".into(),
        began: Some(1),
    };
    let start = async |process: Option<RunProcess>, seconds| {
        let new = NewRun {
            process,
            started_on: Some(Utc::now() - TimeDelta::seconds(seconds)),
            ..NewRun::new("j")
        };
        store.start_run(new).await.unwrap().id
    };
    let state = async |id: &str| store.get_run(id).await.unwrap().job_run_state;

    let talking = start(Some(elsewhere.clone()), DEAD_AFTER_SECONDS - 60).await;
    assert_eq!(state(&talking).await, RunState::Starting);
    let silent = start(Some(elsewhere), DEAD_AFTER_SECONDS + 60).await;
    let told = store.get_run(&silent).await.unwrap();
    assert_eq!(told.job_run_state, RunState::Failed);
    assert_eq!(
        told.error_message.as_deref(),
        Some("the process ended without saying so")
    );
    assert_eq!(told.completed_on, Some(told.heartbeat_on));
    assert_eq!(
        store.list_runs(Some("j"), 1).await.unwrap()[0].job_run_state,
        RunState::Failed
    );
    store.beat_run(&silent, RunBeat::default()).await.unwrap();
    assert_eq!(state(&silent).await, RunState::Running);
    let ended = RunOutcome::new(RunState::Stopped);
    store.finish_run(&silent, ended).await.unwrap();
    assert_eq!(state(&silent).await, RunState::Stopped);

    #[cfg(target_os = "linux")]
    {
        let this = RunProcess::this();
        let gone = RunProcess {
            began: this.began.map(|began| began - 1),
            ..this
        };
        let killed = start(Some(gone), 0).await;
        assert_eq!(state(&killed).await, RunState::Failed);
    }
}

pub(super) async fn run_history_is_bounded(store: &dyn CatalogStore) {
    let other = store.start_run(NewRun::new("other")).await.unwrap().id;
    let mut first = None;
    for _ in 0..KEPT_RUNS + 1 {
        let run = store.start_run(NewRun::new("j")).await.unwrap();
        first.get_or_insert(run.id);
    }
    let all = store.list_runs(Some("j"), u32::MAX).await.unwrap();
    assert_eq!(all.len(), KEPT_RUNS as usize);
    assert!(matches!(
        store.get_run(&first.unwrap()).await,
        Err(CatalogError::RunNotFound { .. })
    ));
    store.get_run(&other).await.unwrap();
}
