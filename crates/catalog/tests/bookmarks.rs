//! Bookmarks against a model of them: maps that are copied at each commit.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use mastic_catalog::{
    BookmarkPosition, CatalogStore, NewCommit, OpenMode, PlannedBookmark, RewindTo, Seen,
    SourceObject, open,
};
use proptest::prelude::*;

/// What is seen: for each object its size.
type Content = BTreeMap<u8, u8>;

#[derive(Debug, Clone)]
enum Step {
    /// A run commits these objects, in one step or two.
    Commit(Vec<(u8, u8)>, bool),
    /// A run begins to commit these, and is settled as not applied.
    Abandon(Vec<(u8, u8)>),
    /// To the commit at this place of those there are, from the end.
    Rewind(u8),
    Reset,
    Set(Vec<(u8, u8)>),
}

fn objects() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0..12_u8, 0..4_u8), 0..8)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (objects(), any::<bool>()).prop_map(|(objects, two)| Step::Commit(objects, two)),
        1 => objects().prop_map(Step::Abandon),
        3 => any::<u8>().prop_map(Step::Rewind),
        1 => Just(Step::Reset),
        1 => objects().prop_map(Step::Set),
    ]
}

fn object((name, size): (u8, u8)) -> SourceObject {
    let time = DateTime::from_timestamp(i64::from(size), 0).unwrap();
    SourceObject::new(format!("s3://b/{name:02}"), size.into(), time, None)
}

fn all(objects: &[(u8, u8)]) -> Vec<SourceObject> {
    objects.iter().copied().map(object).collect()
}

/// The commits that can be rewound to, each with what was seen then.
#[derive(Default)]
struct Model {
    commits: Vec<(Option<String>, Content)>,
}

impl Model {
    fn now(&self) -> Content {
        self.commits
            .last()
            .map(|(_, content)| content.clone())
            .unwrap_or_default()
    }
}

async fn make(store: &dyn CatalogStore, model: &mut Model, number: usize, step: Step) {
    let run = format!("run-{number:03}");
    let version = store.get_bookmark("j", "s").await.unwrap().version;
    let plan = |objects: &[(u8, u8)]| PlannedBookmark {
        source_name: "s".into(),
        expected_version: version,
        objects: all(objects),
    };
    let begin = |objects: &[(u8, u8)]| NewCommit {
        job_name: "j".into(),
        run_id: run.clone(),
        bookmarks: vec![plan(objects)],
        ..NewCommit::default()
    };
    match step {
        Step::Commit(objects, two) => {
            if two {
                store.begin_commit(begin(&objects)).await.unwrap();
                store.settle(&run, true).await.unwrap();
            } else {
                let plan = plan(&objects);
                store.commit_bookmark("j", &run, 1, plan).await.unwrap();
            }
            let mut content = model.now();
            content.extend(objects);
            model.commits.push((Some(run), content));
        }
        Step::Abandon(objects) => {
            store.begin_commit(begin(&objects)).await.unwrap();
            store.settle(&run, false).await.unwrap();
        }
        Step::Rewind(back) => {
            let back = usize::from(back) % model.commits.len().max(1);
            let to = model.commits.len().saturating_sub(1 + back);
            // One that was set by hand has no run to be named by.
            if let Some((Some(run), _)) = model.commits.get(to) {
                let run = RewindTo::Run(run.clone());
                store.rewind_bookmark("j", Some("s"), run).await.unwrap();
                model.commits.truncate(to + 1);
            }
        }
        Step::Reset => {
            if version > 0 {
                store.reset_bookmark("j", None).await.unwrap();
            }
            model.commits.clear();
        }
        Step::Set(objects) => {
            let position = BookmarkPosition {
                objects: all(&objects),
                up_to: None,
            };
            store.set_bookmark("j", "s", position).await.unwrap();
            model.commits = vec![(None, objects.into_iter().collect())];
        }
    }
}

async fn same(store: &dyn CatalogStore, model: &Model) {
    let now = model.now();
    let listed = store.list_seen("j", "s", "", None, 100).await.unwrap();
    let expected: Vec<(u8, u8)> = now.iter().map(|(name, size)| (*name, *size)).collect();
    assert_eq!(listed, all(&expected));
    let bookmark = store.get_bookmark("j", "s").await.unwrap();
    assert_eq!(bookmark.objects, now.len() as u64);
    let every: Vec<(u8, u8)> = (0..12).flat_map(|n| (0..4).map(move |s| (n, s))).collect();
    let told = store.seen_objects("j", "s", &all(&every)).await.unwrap();
    for ((name, size), told) in every.into_iter().zip(told) {
        let expected = match now.get(&name) {
            None => Seen::New,
            Some(seen) if *seen == size => Seen::Unchanged,
            Some(_) => Seen::Changed,
        };
        assert_eq!(told, expected, "{name} {size}");
    }
    // Its history is what it can be rewound to.
    let commits = store.list_bookmark_commits("j", "s", 100).await.unwrap();
    let objects: Vec<u64> = commits.iter().rev().map(|commit| commit.objects).collect();
    let expected = model
        .commits
        .iter()
        .map(|(_, content)| content.len() as u64);
    assert!(objects.into_iter().eq(expected));
    assert_eq!(store.pending_commits(None).await.unwrap(), []);
}

/// The objects of a range are those whose last commit by its end is in it.
async fn same_ranges(store: &dyn CatalogStore, model: &Model, steps: &[Step]) {
    let runs: Vec<&(Option<String>, Content)> = model.commits.iter().collect();
    let given = |run: &str| -> Vec<u8> {
        let number: usize = run.trim_start_matches("run-").parse().unwrap();
        match &steps[number] {
            Step::Commit(objects, _) => objects.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }
    };
    for from in 0..runs.len() {
        for to in from..runs.len() {
            let ((Some(first), _), (Some(last), content)) = (runs[from], runs[to]) else {
                continue;
            };
            let found = store
                .objects_between("j", "s", Some(first), Some(last), None, 100)
                .await
                .unwrap();
            let mut names: Vec<u8> = runs[from + 1..=to]
                .iter()
                .filter_map(|(run, _)| run.as_deref())
                .flat_map(given)
                .collect();
            names.sort_unstable();
            names.dedup();
            let expected: Vec<(u8, u8)> = names.iter().map(|name| (*name, content[name])).collect();
            assert_eq!(found, all(&expected), "{first} {last}");
        }
    }
}

async fn follow(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db").display().to_string();
    let store: Arc<dyn CatalogStore> = open(&path, OpenMode::CreateIfMissing).await.unwrap();
    let mut model = Model::default();
    for (number, step) in steps.iter().cloned().enumerate() {
        make(&*store, &mut model, number, step).await;
        same(&*store, &model).await;
    }
    same_ranges(&*store, &model, steps).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn they_are_what_a_map_would_be(steps in prop::collection::vec(step(), 1..20)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(follow(&steps));
    }
}
