//! The protocol by which files and bookmarks advance together, stopped at each of its steps; and two runs at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tokio::time::sleep;

use super::bookmarks::{dead, object, planned, seen};
use super::{table, with_database};
use crate::error::CatalogError;
use crate::model::{
    NewCommit, NewRun, PendingCommit, PlannedBookmark, RewindTo, Run, RunOutcome, RunState, Seen,
    SinkCommit, SourceObject,
};
use crate::store::{BookmarkOutcome, CatalogStore, Change, ChangeSet, Expected, PartitionChanges};

/// Where a run's process ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dies {
    BeforeBegin,
    BeforeSink,
    BeforeApply,
    InApply,
    Never,
}

/// A lake with a sink: which commits were recorded, and a row for each object that was read.
#[derive(Default)]
struct Lake {
    commits: BTreeSet<String>,
    rows: Vec<String>,
}

/// A run that will be found dead once it is no more.
async fn start(store: &dyn CatalogStore, job: &str) -> Run {
    let new = NewRun {
        process: Some(dead()),
        started_on: Some(Utc::now() - TimeDelta::hours(1)),
        ..NewRun::new(job)
    };
    store.start_run(new).await.unwrap()
}

fn commit_of(job: &str, run: &str, bookmarks: Vec<PlannedBookmark>) -> NewCommit {
    NewCommit {
        job_name: job.into(),
        run_id: run.into(),
        attempt: 1,
        bookmarks,
        sinks: vec![SinkCommit {
            url: "s3://lake/out/".into(),
            commit_id: format!("commit of {run}"),
            file: Some("part-0.parquet".into()),
        }],
        context: json!({"Tables": ["d.t"]}),
    }
}

/// One run of a job over what is listed, as the protocol says.
async fn run(
    store: &dyn CatalogStore,
    lake: &mut Lake,
    job: &str,
    listed: &[SourceObject],
    dies: Dies,
) {
    for left in store.pending_commits(Some(job)).await.unwrap() {
        assert!(!left.alive, "{left:?}");
        let there = |sink: &SinkCommit| lake.commits.contains(&sink.commit_id);
        let applied = left.sinks.iter().all(there);
        store.settle(&left.run_id, applied).await.unwrap();
        let told = store.get_run(&left.run_id).await.unwrap();
        assert_eq!(told.job_run_state, RunState::Failed);
        let error = told.error_message.unwrap();
        assert_eq!(error.contains("advanced afterwards"), applied, "{error}");
    }
    let run = start(store, job).await;
    let bookmark = store.get_bookmark(job, "s").await.unwrap();
    let told = store.seen_objects(job, "s", listed).await.unwrap();
    let wanted: Vec<SourceObject> = listed
        .iter()
        .zip(told)
        .filter(|(_, seen)| seen.is_wanted())
        .map(|(object, _)| object.clone())
        .collect();
    if dies == Dies::BeforeBegin {
        return;
    }
    let plan = planned("s", bookmark.version, &wanted);
    let commit = commit_of(job, &run.id, vec![plan]);
    let sinks = commit.sinks.clone();
    let begun = store.begin_commit(commit).await.unwrap();
    assert_eq!(begun.bookmarks, [("s".to_owned(), wanted.len() as u64)]);
    if dies == Dies::BeforeSink {
        return;
    }
    for sink in sinks {
        lake.commits.insert(sink.commit_id);
    }
    lake.rows.extend(wanted.into_iter().map(|o| o.path));
    if dies == Dies::BeforeApply {
        return;
    }
    let mut put = table(&[]);
    put.name = format!("t_{job}");
    put.description = Some(run.id.clone());
    let settle = Change::SettleCommit {
        run_id: run.id.clone(),
    };
    let finish = Change::FinishRun {
        run_id: run.id.clone(),
        outcome: RunOutcome::new(RunState::Succeeded),
    };
    let mut changes = ChangeSet::new("run").with(settle).with(finish);
    changes = changes.with(Change::PutTable {
        table: put,
        expected: Expected::Any,
        partitions: PartitionChanges::none(),
    });
    if dies == Dies::InApply {
        // The whole set fails with its last change, as it would if the connection broke.
        let database = "nowhere".to_owned();
        changes = changes.with(Change::DeleteTable {
            database,
            name: "t".into(),
            expected: Expected::Any,
        });
        store.apply(changes).await.unwrap_err();
        return;
    }
    let applied = store.apply(changes).await.unwrap();
    assert!(applied.changed());
    assert_eq!(applied.bookmarks.len(), 1);
    let done = store.get_run(&run.id).await.unwrap();
    assert_eq!(done.job_run_state, RunState::Succeeded);
}

/// Wherever a run dies, and wherever the one after it does, each object is in the lake once, and so it is for one that
/// comes late.
pub(super) async fn crashes(store: &dyn CatalogStore) {
    use Dies::{BeforeApply, BeforeBegin, BeforeSink, InApply, Never};
    with_database(store).await;
    let points = [BeforeBegin, BeforeSink, BeforeApply, InApply, Never];
    for first in points {
        for second in points {
            let job = format!("{first:?} {second:?}").to_lowercase();
            let mut lake = Lake::default();
            let listed = [object("a", 1), object("b", 2), object("c", 3)];
            run(store, &mut lake, &job, &listed[..2], first).await;
            run(store, &mut lake, &job, &listed, second).await;
            run(store, &mut lake, &job, &listed, Never).await;
            lake.rows.sort_unstable();
            assert_eq!(lake.rows, ["a", "b", "c"], "{job}");
            let left = store.pending_commits(Some(&job)).await.unwrap();
            assert_eq!(left, [], "{job}");
            let bookmark = store.get_bookmark(&job, "s").await.unwrap();
            assert_eq!(bookmark.objects, 3, "{job}");
        }
    }
}

/// While a run is committing, nobody else can move its bookmarks.
pub(super) async fn two_runs_at_once(store: &dyn CatalogStore) {
    let first = store.start_run(NewRun::new("j")).await.unwrap().id;
    let second = store.start_run(NewRun::new("j")).await.unwrap().id;
    let plan = |objects: &[SourceObject]| planned("s", 0, objects);
    let (a, b) = (object("a", 1), object("b", 1));
    let other = planned("t", 0, std::slice::from_ref(&a));
    let begin = async |run: &str, plans: Vec<PlannedBookmark>| {
        store.begin_commit(commit_of("j", run, plans)).await
    };
    let begun: PendingCommit = begin(&first, vec![plan(std::slice::from_ref(&a)), other.clone()])
        .await
        .unwrap();
    assert!(begun.alive);
    assert_eq!(begun.context, json!({"Tables": ["d.t"]}));
    assert_eq!(begun.sinks[0].file.as_deref(), Some("part-0.parquet"));
    let bookmarks = [("s".to_owned(), 1), ("t".to_owned(), 1)];
    assert_eq!(begun.bookmarks, bookmarks);
    let left = store.pending_commits(None).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&begun));
    assert_eq!(store.pending_commits(Some("J")).await.unwrap(), []);

    let busy = |result: Result<(), CatalogError>| match result {
        Err(CatalogError::BookmarkBusy { run, .. }) => assert_eq!(run, first),
        other => panic!("{other:?}"),
    };
    busy(
        begin(&second, vec![plan(std::slice::from_ref(&b))])
            .await
            .map(drop),
    );
    let direct = store.commit_bookmark("j", &second, 1, plan(std::slice::from_ref(&b)));
    busy(direct.await.map(drop));
    busy(store.reset_bookmark("j", None).await.map(drop));
    let up_to = RewindTo::Time(Utc::now());
    busy(store.rewind_bookmark("j", None, up_to).await.map(drop));
    let position = Default::default();
    busy(store.set_bookmark("j", "s", position).await.map(drop));
    // What was refused left nothing behind.
    assert_eq!(store.pending_commits(None).await.unwrap(), [begun]);
    assert_eq!(seen(store, &[a.clone(), b.clone()]).await, [Seen::New; 2]);
    // A run begins one commit.
    assert!(matches!(
        begin(&first, vec![]).await,
        Err(CatalogError::AlreadyExists { .. })
    ));

    // It cannot succeed with its commit unsettled, whatever else it says.
    let finish = |run_id: &str, state| Change::FinishRun {
        run_id: run_id.to_owned(),
        outcome: RunOutcome::new(state),
    };
    let early = ChangeSet::new("").with(finish(&first, RunState::Succeeded));
    assert!(matches!(
        store.apply(early).await,
        Err(CatalogError::InvalidDefinition { .. })
    ));
    // Paused meanwhile: what was begun is brought to its end.
    store.pause_bookmark("j", None, true).await.unwrap();
    let settle = Change::SettleCommit {
        run_id: first.clone(),
    };
    let both = ChangeSet::new("").with(settle.clone());
    let both = both.with(finish(&first, RunState::Succeeded));
    let applied = store.apply(both).await.unwrap();
    assert_eq!(
        applied.bookmarks[1].outcome,
        BookmarkOutcome::Advanced {
            version: 1,
            added: 1
        }
    );
    assert_eq!(applied.runs.len(), 2);
    store.pause_bookmark("j", None, false).await.unwrap();
    assert_eq!(
        seen(store, &[a, b.clone()]).await,
        [Seen::Unchanged, Seen::New]
    );
    // The second comes too late, before anything of it is visible.
    match begin(&second, vec![plan(std::slice::from_ref(&b))]).await {
        Err(CatalogError::BookmarkConflict { run, .. }) => {
            assert_eq!(run.as_deref(), Some(&*first));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        store.apply(ChangeSet::new("").with(settle)).await,
        Err(CatalogError::CommitNotFound { .. })
    ));
}

/// Bookmarks committed one by one within what was begun; those that are paused; and what a dead run left, moved by hand.
pub(super) async fn parts_of_commits(store: &dyn CatalogStore) {
    let one = |source: &str, version| planned(source, version, &[object("a", 1)]);
    let run = store.start_run(NewRun::new("j")).await.unwrap().id;
    let both = vec![one("s", 0), one("t", 0)];
    store
        .begin_commit(commit_of("j", &run, both))
        .await
        .unwrap();
    let commit = |source: &str| Change::CommitBookmark {
        job: "j".into(),
        run_id: run.clone(),
        attempt: 1,
        bookmark: one(source, 0),
    };
    let finish = Change::FinishRun {
        run_id: run.clone(),
        outcome: RunOutcome::new(RunState::Succeeded),
    };
    let changes = ChangeSet::new("").with(commit("s")).with(commit("t"));
    store.apply(changes.with(finish)).await.unwrap();
    assert_eq!(store.pending_commits(None).await.unwrap(), []);

    // Of a paused source nothing is committed; a commit without sources is settled all the same.
    store.pause_bookmark("j", None, true).await.unwrap();
    let run = start(store, "j").await.id;
    let commit = commit_of("j", &run, vec![one("s", 1)]);
    let begun = store.begin_commit(commit).await.unwrap();
    assert_eq!(begun.bookmarks, []);
    let settle = Change::SettleCommit {
        run_id: run.clone(),
    };
    let applied = store.apply(ChangeSet::new("").with(settle)).await.unwrap();
    assert_eq!((applied.bookmarks.len(), applied.runs.len()), (0, 1));
    assert_eq!(store.pending_commits(None).await.unwrap(), []);
    store.pause_bookmark("j", None, false).await.unwrap();

    // Moving a bookmark by hand drops what a dead run was about to commit.
    let run = start(store, "j").await.id;
    let both = vec![one("s", 1), one("t", 1)];
    store
        .begin_commit(commit_of("j", &run, both))
        .await
        .unwrap();
    store.reset_bookmark("j", Some("s")).await.unwrap();
    let left = store.pending_commits(Some("j")).await.unwrap();
    assert_eq!(left[0].bookmarks, [("t".to_owned(), 1)]);
    store.reset_bookmark("j", Some("t")).await.unwrap();
    assert_eq!(store.pending_commits(None).await.unwrap(), []);
    assert!(matches!(
        store.settle(&run, true).await,
        Err(CatalogError::CommitNotFound { .. })
    ));
    assert_eq!(store.get_bookmark("j", "s").await.unwrap().objects, 0);
    // The same source twice is a mistake.
    let run = start(store, "j").await.id;
    let twice = commit_of("j", &run, vec![one("s", 2), one("s", 2)]);
    assert!(matches!(
        store.begin_commit(twice).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    assert_eq!(store.pending_commits(None).await.unwrap(), []);
}

/// Many runs that race for one bookmark: each that commits has seen what those before it did.
pub(super) async fn racing_runs(store: Arc<dyn CatalogStore>) {
    const RUNS: usize = 6;
    const EACH: usize = 4;
    let tasks: Vec<_> = (0..RUNS)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..EACH {
                    let name = format!("{number}-{round}");
                    let mut tries = 0;
                    loop {
                        let version = store.get_bookmark("j", "s").await.unwrap().version;
                        let plan = planned("s", version, &[object(&name, 1)]);
                        // Half of them in the two steps of the protocol.
                        let done = if number % 2 == 0 {
                            let run = format!("{name}-{tries}");
                            match store.begin_commit(commit_of("j", &run, vec![plan])).await {
                                Ok(_) => store.settle(&run, true).await.map(drop),
                                Err(error) => Err(error),
                            }
                        } else {
                            store.commit_bookmark("j", &name, 1, plan).await.map(drop)
                        };
                        match done {
                            Ok(()) => break,
                            Err(
                                CatalogError::BookmarkConflict { .. }
                                | CatalogError::BookmarkBusy { .. },
                            ) => {
                                tries += 1;
                                sleep(Duration::from_millis(5)).await;
                            }
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let bookmark = store.get_bookmark("j", "s").await.unwrap();
    let count = RUNS * EACH;
    assert_eq!(
        (bookmark.version, bookmark.objects),
        (count as i64, count as u64)
    );
    let history = store.list_bookmark_commits("j", "s", 100).await.unwrap();
    assert!(history.iter().all(|commit| commit.added == 1));
}
