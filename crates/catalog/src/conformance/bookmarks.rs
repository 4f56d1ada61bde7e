//! Bookmarks: what is new, changed and seen; compare-and-swap; reset, rewind, pause, set; ranges of runs.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::CatalogError;
use crate::model::{
    Bookmark, BookmarkPosition, PlannedBookmark, RewindTo, RunProcess, Seen, SourceObject,
};
use crate::store::{BookmarkOutcome, CatalogStore, KEPT_COMMITS};

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000 + second * 1_000_000 + 123_456).unwrap()
}

/// An object of one byte a second.
pub(super) fn object(path: &str, second: i64) -> SourceObject {
    let etag = Some(format!("\"{second}\""));
    SourceObject::new(path, second.unsigned_abs(), at(second), etag)
}

pub(super) fn planned(source: &str, version: i64, objects: &[SourceObject]) -> PlannedBookmark {
    PlannedBookmark {
        source_name: source.into(),
        expected_version: version,
        objects: objects.to_vec(),
    }
}

/// Commits to source `s` of job `j`, and gives the version.
async fn commit(store: &dyn CatalogStore, run: &str, objects: &[SourceObject]) -> i64 {
    let version = store.get_bookmark("j", "s").await.unwrap().version;
    let planned = planned("s", version, objects);
    let done = store.commit_bookmark("j", run, 1, planned).await.unwrap();
    match done.outcome {
        BookmarkOutcome::Advanced { version, .. } => version,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn seen(store: &dyn CatalogStore, of: &[SourceObject]) -> Vec<Seen> {
    store.seen_objects("j", "s", of).await.unwrap()
}

async fn paths(store: &dyn CatalogStore) -> Vec<String> {
    let all = store.list_seen("j", "s", "", None, 1_000).await.unwrap();
    all.into_iter().map(|object| object.path).collect()
}

pub(super) async fn bookmarks(store: &dyn CatalogStore) {
    use Seen::{Changed, New, Unchanged};
    let none = store.get_bookmark("j", "s").await.unwrap();
    assert_eq!(none, Bookmark::none("j", "s"));
    assert_eq!(store.list_bookmarks(None).await.unwrap(), []);
    let (a, b) = (object("s3://b/a", 10), object("s3://b/é'\"\\%_", 20));
    assert_eq!(seen(store, &[a.clone(), b.clone()]).await, [New, New]);

    assert_eq!(commit(store, "r1", &[b.clone(), a.clone()]).await, 1);
    let bookmark = store.get_bookmark("j", "s").await.unwrap();
    assert_eq!(
        bookmark,
        Bookmark {
            job_name: "j".into(),
            source_name: "s".into(),
            version: 1,
            run_id: Some("r1".into()),
            attempt: Some(1),
            committed_on: bookmark.committed_on,
            paused: false,
            objects: 2,
            oldest: Some(at(10)),
            newest: Some(at(20)),
            up_to: None,
        }
    );
    assert!(bookmark.committed_on.is_some());
    // To the microsecond, with everything that was given.
    let listed = store.list_seen("j", "s", "", None, 10).await.unwrap();
    assert_eq!(listed, [a.clone(), b.clone()]);

    // New by its path; changed by size, ETag or, without an ETag, time; and not by time alone.
    let uploaded_again = SourceObject {
        last_modified: Some(at(99)),
        ..a.clone()
    };
    let longer = SourceObject {
        size: Some(11),
        ..a.clone()
    };
    let other_etag = SourceObject {
        etag: Some("other".into()),
        ..a.clone()
    };
    let no_etag = |second| SourceObject {
        etag: None,
        last_modified: Some(at(second)),
        ..a.clone()
    };
    let late = object("s3://b/0", 1);
    let asked = [
        a.clone(),
        uploaded_again,
        longer,
        other_etag,
        no_etag(10),
        no_etag(11),
        late,
        SourceObject::any("s3://b/A"),
        b.clone(),
        a.clone(),
    ];
    let expected = [
        Unchanged, Unchanged, Changed, Changed, Unchanged, Changed, New, New, Unchanged, Unchanged,
    ];
    assert_eq!(seen(store, &asked).await, expected);
    assert_eq!(seen(store, &[]).await, []);
    // Another source, and another job, have seen nothing.
    for (job, source) in [("j", "S"), ("J", "s")] {
        let told = store
            .seen_objects(job, source, std::slice::from_ref(&a))
            .await
            .unwrap();
        assert_eq!(told, [New]);
    }

    // Seen again after it had changed: one object still, and the older state is a change now.
    let a2 = object("s3://b/a", 30);
    assert_eq!(commit(store, "r2", std::slice::from_ref(&a2)).await, 2);
    assert_eq!(seen(store, &[a.clone(), a2]).await, [Changed, Unchanged]);
    let bookmark = store.get_bookmark("j", "s").await.unwrap();
    assert_eq!((bookmark.objects, bookmark.newest), (2, Some(at(30))));
    // A run that found nothing new commits that.
    assert_eq!(commit(store, "r3", &[]).await, 3);
    let history = store.list_bookmark_commits("j", "s", 10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|c| (c.version, c.run_id.as_deref(), c.added, c.objects))
        .collect();
    assert_eq!(
        told,
        [
            (3, Some("r3"), 0, 2),
            (2, Some("r2"), 1, 2),
            (1, Some("r1"), 2, 2)
        ]
    );

    // What cannot be kept is refused; that it cannot have been seen is no error.
    for path in ["", "a\0", &"x".repeat(2_501)] {
        let wrong = planned("s", 3, &[SourceObject::any(path)]);
        let refused = store.commit_bookmark("j", "r", 1, wrong).await;
        assert!(matches!(refused, Err(CatalogError::InvalidName { .. })));
        assert_eq!(seen(store, &[SourceObject::any(path)]).await, [New]);
    }
    let longest = SourceObject::any("y".repeat(2_500));
    commit(store, "r4", std::slice::from_ref(&longest)).await;
    assert_eq!(seen(store, &[longest]).await, [Unchanged]);
}

/// The second of two runs that have read the same is told which came first, and nothing of it is written.
pub(super) async fn bookmark_conflicts(store: &dyn CatalogStore) {
    commit(store, "first", &[object("a", 1)]).await;
    let late = planned("s", 0, &[object("b", 1)]);
    match store.commit_bookmark("j", "second", 1, late.clone()).await {
        Err(CatalogError::BookmarkConflict {
            expected: 0,
            found: 1,
            run,
            committed_on: Some(_),
            ..
        }) => assert_eq!(run.as_deref(), Some("first")),
        other => panic!("{other:?}"),
    }
    assert_eq!(paths(store).await, ["a"]);
    store.reset_bookmark("j", None).await.unwrap();
    match store.commit_bookmark("j", "second", 1, late).await {
        // Not the first's version again: what was read before the reset does not count.
        Err(CatalogError::BookmarkConflict { found: 2, run, .. }) => assert_eq!(run, None),
        other => panic!("{other:?}"),
    }
    assert_eq!(paths(store).await, [""; 0]);
}

pub(super) async fn moved_bookmarks(store: &dyn CatalogStore) {
    let of = |name: &str, second| object(name, second);
    let rewind = async |to| store.rewind_bookmark("j", Some("s"), to).await;
    let run = |id: &str| RewindTo::Run(id.into());
    commit(store, "run-1", &[of("a", 1), of("b", 1)]).await;
    commit(store, "run-2", &[of("b", 2), of("c", 2)]).await;
    let middle = store.get_bookmark("j", "s").await.unwrap();
    commit(store, "run-3", &[of("d", 3)]).await;
    let all = [of("a", 1), of("b", 1), of("b", 2), of("c", 2), of("d", 3)];
    use Seen::{Changed, New, Unchanged};
    assert_eq!(
        seen(store, &all).await,
        [Unchanged, Changed, Unchanged, Unchanged, Unchanged]
    );

    // To where it is already: no change.
    assert_eq!(rewind(run("run-3")).await.unwrap()[0].version, 3);
    let rewound = rewind(run("run-1")).await.unwrap();
    assert_eq!(
        (rewound[0].version, rewound[0].objects, rewound[0].newest),
        (4, 2, Some(at(1)))
    );
    assert_eq!(rewound[0].run_id.as_deref(), Some("run-1"));
    assert_eq!(
        seen(store, &all).await,
        [Unchanged, Unchanged, Changed, New, New]
    );
    // What it was rewound over is gone.
    assert!(matches!(
        rewind(run("run-2")).await,
        Err(CatalogError::RunWithoutBookmark { .. })
    ));
    assert!(matches!(rewind(run("run")).await.unwrap()[0].version, 4));
    assert_eq!(commit(store, "run-4", &[of("b", 2), of("c", 2)]).await, 5);
    assert!(matches!(
        rewind(run("run")).await,
        Err(CatalogError::RunAmbiguous { .. })
    ));

    // By time, of all sources; before the first commit nothing was seen.
    store
        .commit_bookmark("j", "run-5", 1, planned("t", 0, &[of("x", 1)]))
        .await
        .unwrap();
    let long_ago = middle.committed_on.unwrap() - TimeDelta::days(1);
    let now = Utc::now() + TimeDelta::seconds(1);
    let to = |time| store.rewind_bookmark("j", None, RewindTo::Time(time));
    let same = to(now).await.unwrap();
    assert_eq!(same.iter().map(|b| b.objects).collect::<Vec<_>>(), [3, 1]);
    let nothing = to(long_ago).await.unwrap();
    assert!(nothing.iter().all(|b| b.objects == 0 && b.run_id.is_none()));
    assert_eq!(seen(store, &all).await, [New; 5]);

    // Reset: there is nothing to rewind to, and that is not taken for having seen nothing.
    commit(store, "run-6", &[of("a", 1)]).await;
    let reset = store.reset_bookmark("j", Some("s")).await.unwrap();
    assert_eq!((reset[0].objects, reset.len()), (0, 1));
    assert!(matches!(
        rewind(RewindTo::Time(long_ago)).await,
        Err(CatalogError::BookmarkHistory { .. })
    ));
    for refused in [
        store.reset_bookmark("jj", None).await,
        store.pause_bookmark("jj", None, true).await,
        store.find_bookmarks("jj", Some("s")).await,
        store.rewind_bookmark("jj", None, run("none")).await,
    ] {
        match refused {
            Err(CatalogError::JobNotFound { did_you_mean, .. }) => {
                assert_eq!(did_you_mean.as_deref(), Some("j"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.find_bookmarks("j", None).await.unwrap().len(), 2);
    match store.reset_bookmark("j", Some("T")).await {
        Err(CatalogError::BookmarkNotFound { did_you_mean, .. }) => {
            assert_eq!(did_you_mean.as_deref(), Some("t"));
        }
        other => panic!("{other:?}"),
    }
}

pub(super) async fn paused_and_set_bookmarks(store: &dyn CatalogStore) {
    use Seen::{Changed, New, Unchanged};
    let (a, b) = (object("a", 1), object("b", 2));
    commit(store, "r1", std::slice::from_ref(&a)).await;
    store.pause_bookmark("j", Some("s"), true).await.unwrap();
    // It filters, and does not advance.
    assert_eq!(seen(store, &[a.clone(), b.clone()]).await, [Unchanged, New]);
    let again = planned("s", 1, std::slice::from_ref(&b));
    let done = store.commit_bookmark("j", "r2", 1, again.clone()).await;
    assert_eq!(done.unwrap().outcome, BookmarkOutcome::Paused);
    assert_eq!(seen(store, std::slice::from_ref(&b)).await, [New]);
    let resumed = store.pause_bookmark("j", None, false).await.unwrap();
    assert_eq!((resumed[0].paused, resumed[0].version), (false, 1));
    store.commit_bookmark("j", "r3", 1, again).await.unwrap();
    assert_eq!(seen(store, std::slice::from_ref(&b)).await, [Unchanged]);

    // Set: a time and a list, and nothing of what was before.
    let position = BookmarkPosition {
        objects: vec![SourceObject::any("any"), object("late", 9)],
        up_to: Some(at(1)),
    };
    let set = store.set_bookmark("j", "s", position).await.unwrap();
    assert_eq!((set.version, set.objects, set.up_to), (3, 2, Some(at(1))));
    assert_eq!(set.run_id, None);
    let below = SourceObject {
        last_modified: Some(at(1) + TimeDelta::microseconds(1)),
        ..object("x", 1)
    };
    let asked = [
        a,
        b.clone(),
        below,
        object("any", 5),
        object("late", 9),
        object("late", 10),
    ];
    let expected = [Unchanged, New, New, Unchanged, Unchanged, Changed];
    assert_eq!(seen(store, &asked).await, expected);
    // The time stays with what is committed next, and with what it is rewound to.
    commit(store, "r4", std::slice::from_ref(&b)).await;
    commit(store, "r5", &[]).await;
    let back = RewindTo::Run("r4".into());
    store.rewind_bookmark("j", Some("s"), back).await.unwrap();
    let expected = [Unchanged, Unchanged, New, Unchanged, Unchanged, Changed];
    assert_eq!(seen(store, &asked).await, expected);
    // A bookmark of which nothing was heard can be set, too.
    let position = BookmarkPosition {
        up_to: Some(at(5)),
        ..BookmarkPosition::default()
    };
    store.set_bookmark("new", "s", position).await.unwrap();
    let told = store.seen_objects("new", "s", &[b, object("z", 6)]).await;
    assert_eq!(told.unwrap(), [Unchanged, New]);
}

/// What `--job-bookmark-from` and `-to` mean: after the one, up to and including the other.
pub(super) async fn ranges_of_runs(store: &dyn CatalogStore) {
    commit(store, "r1", &[object("a", 1), object("b", 1)]).await;
    commit(store, "r2", &[object("b", 2), object("c", 2)]).await;
    commit(store, "r3", &[object("b", 3), object("d", 3)]).await;
    // A run that had nothing to do with this source still has its place in the order.
    let elsewhere = planned("t", 0, &[]);
    store
        .commit_bookmark("j", "r4", 1, elsewhere)
        .await
        .unwrap();
    let between = async |from, to| -> Vec<String> {
        let found = store.objects_between("j", "s", from, to, None, 10).await;
        let shown = |o: SourceObject| format!("{} {}", o.path, o.size.unwrap_or(0));
        found.unwrap().into_iter().map(shown).collect()
    };
    assert_eq!(between(None, Some("r1")).await, ["a 1", "b 1"]);
    assert_eq!(between(Some("r1"), Some("r2")).await, ["b 2", "c 2"]);
    assert_eq!(between(Some("r1"), None).await, ["b 3", "c 2", "d 3"]);
    assert_eq!(between(None, None).await, ["a 1", "b 3", "c 2", "d 3"]);
    assert_eq!(between(Some("r2"), Some("r4")).await, ["b 3", "d 3"]);
    assert_eq!(between(Some("r3"), Some("r4")).await, [""; 0]);
    assert_eq!(between(Some("r2"), Some("r2")).await, [""; 0]);
    let page = store
        .objects_between("j", "s", None, None, Some("a"), 2)
        .await
        .unwrap();
    assert_eq!(page, [object("b", 3), object("c", 2)]);
    for (from, to) in [(Some("r3"), Some("r1")), (Some("x"), None)] {
        let refused = store.objects_between("j", "s", from, to, None, 10).await;
        assert!(refused.is_err(), "{refused:?}");
    }
}

/// More than one statement holds, in pages; and only the newest commits are kept.
pub(super) async fn many_objects(store: &dyn CatalogStore) {
    let count = 12_345;
    let name = |number: usize| format!("s3://b/k={}/file-{number:06}", number % 2);
    let all: Vec<SourceObject> = (0..count).map(|n| object(&name(n), 1)).collect();
    commit(store, "r1", &all).await;
    assert!(seen(store, &all).await.iter().all(|s| !s.is_wanted()));
    let mut read = Vec::new();
    loop {
        let after = read.last().map(|o: &SourceObject| o.path.as_str());
        let page = store
            .list_seen("j", "s", "s3://b/k=1/", after, 1_000)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    let expected: Vec<_> = all.iter().filter(|o| o.path.contains("k=1/")).collect();
    assert!(read.iter().eq(expected), "{}", read.len());
    let page = async |prefix, after| -> usize {
        let page = store.list_seen("j", "s", prefix, after, 20_000).await;
        page.unwrap().len()
    };
    assert_eq!(page("s3://b/k=", None).await, count);
    assert_eq!(
        page("s3://b/k=0", Some("s3://b/a")).await,
        count.div_ceil(2)
    );
    assert_eq!(page("s3://c", None).await, 0);
    assert_eq!(page("s3://b/\0", None).await, 0);

    // One object that changes all the time: rows do not pile up, and what was seen stays seen.
    for second in 0..i64::from(KEPT_COMMITS) + 2 {
        let changed = [object("again", second + 2)];
        let version = store.get_bookmark("j", "s").await.unwrap().version;
        let plan = planned("s", version, &changed);
        let run = format!("again-{second}");
        store.commit_bookmark("j", &run, 1, plan).await.unwrap();
    }
    let history = store.list_bookmark_commits("j", "s", u32::MAX).await;
    let history = history.unwrap();
    assert_eq!(history.len(), KEPT_COMMITS as usize);
    assert_eq!(store.get_bookmark("j", "s").await.unwrap().objects, 12_346);
    assert!(seen(store, &all).await.iter().all(|s| !s.is_wanted()));
    let refused = store
        .rewind_bookmark("j", None, RewindTo::Run("r1".into()))
        .await;
    assert!(matches!(
        refused,
        Err(CatalogError::RunWithoutBookmark { .. })
    ));
    let long_ago = RewindTo::Time(at(0));
    match store.rewind_bookmark("j", None, long_ago).await {
        Err(CatalogError::BookmarkHistory { oldest, .. }) => {
            assert_eq!(oldest, history.last().map(|c| c.committed_on));
        }
        other => panic!("{other:?}"),
    }
    let oldest = history.last().and_then(|c| c.run_id.clone()).unwrap();
    let back = store
        .rewind_bookmark("j", None, RewindTo::Run(oldest))
        .await
        .unwrap();
    assert_eq!(back[0].objects, 12_346);
    assert_eq!(seen(store, &[object("again", 4)]).await, [Seen::Unchanged]);
}

/// A process that is no more, and one of which nothing can be known.
pub(super) fn dead() -> RunProcess {
    RunProcess {
        host: "elsewhere".into(),
        process_id: 1,
        ..RunProcess::default()
    }
}
