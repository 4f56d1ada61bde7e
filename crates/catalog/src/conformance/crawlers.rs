//! Classifiers and crawlers: made, found, changed, deleted.

use crate::error::CatalogError;
use crate::model::{
    Classifier, Crawler, CrawlerTargets, CsvClassifier, JsonClassifier, S3Target, VersionId,
};
use crate::store::{
    CatalogStore, Change, ChangeSet, DefinitionOutcome, Expected, PartitionChanges,
};

pub(super) fn classifier(name: &str, path: &str) -> Classifier {
    Classifier::Json(JsonClassifier {
        name: name.into(),
        json_path: path.into(),
        ..JsonClassifier::default()
    })
}

pub(super) fn crawler(name: &str, classifiers: &[&str]) -> Crawler {
    Crawler {
        name: name.into(),
        database_name: Some("d".into()),
        targets: CrawlerTargets {
            s3_targets: vec![S3Target {
                path: "s3://bucket/a/".into(),
                ..S3Target::default()
            }],
        },
        classifiers: classifiers.iter().map(|name| (*name).to_owned()).collect(),
        ..Crawler::default()
    }
}

pub(super) async fn classifiers(store: &dyn CatalogStore) {
    assert_eq!(store.list_classifiers().await.unwrap(), []);
    let given = classifier("Records", "$.records[*]");
    let outcome = store.put_classifier(given.clone(), false).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Created);
    let Classifier::Json(first) = store.get_classifier("Records").await.unwrap() else {
        panic!("another kind");
    };
    assert_eq!(
        (first.json_path.as_str(), first.version),
        ("$.records[*]", Some(1))
    );
    assert!(first.creation_time.is_some() && first.last_updated.is_some());

    match store.put_classifier(given.clone(), false).await {
        Err(CatalogError::AlreadyExists { what }) => assert_eq!(what, "classifier Records"),
        other => panic!("{other:?}"),
    }
    // Nothing new: nothing is written, not even the time.
    let outcome = store.put_classifier(given, true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Unchanged);
    let again = store.get_classifier("Records").await.unwrap();
    assert_eq!(again, Classifier::Json(first.clone()));
    // Of another kind, even.
    let other = Classifier::Csv(CsvClassifier {
        name: "Records".into(),
        delimiter: Some('%'),
        ..CsvClassifier::default()
    });
    let outcome = store.put_classifier(other.clone(), true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Updated);
    let Classifier::Csv(second) = store.get_classifier("Records").await.unwrap() else {
        panic!("another kind");
    };
    assert_eq!(second.version, Some(2));
    assert_eq!(second.creation_time, first.creation_time);
    assert!(Classifier::Csv(second).same_definition(&other));

    // Case counts, and order is by bytes.
    for name in ["records", "a\tb é'\"%_", "Z"] {
        store
            .put_classifier(classifier(name, "$"), false)
            .await
            .unwrap();
    }
    let all = store.list_classifiers().await.unwrap();
    let names: Vec<&str> = all.iter().map(Classifier::name).collect();
    assert_eq!(names, ["Records", "Z", "a\tb é'\"%_", "records"]);

    match store.get_classifier("Recrods").await {
        Err(error @ CatalogError::ClassifierNotFound { .. }) => {
            assert_eq!(error.to_string(), "classifier Recrods does not exist");
            assert_eq!(error.hint().as_deref(), Some("did you mean Records?"));
        }
        other => panic!("{other:?}"),
    }
    for name in ["", "a\u{0}b", &"x".repeat(256)] {
        for refused in [
            store
                .put_classifier(classifier(name, "$"), true)
                .await
                .map(drop),
            store.get_classifier(name).await.map(drop),
            store.delete_classifier(name).await,
            store.get_crawler(name).await.map(drop),
            store.put_crawler(crawler(name, &[]), true).await.map(drop),
            store.delete_crawler(name).await,
        ] {
            assert!(
                matches!(refused, Err(CatalogError::InvalidName { .. })),
                "{name:?}: {refused:?}"
            );
        }
    }
    assert!(matches!(
        store.put_classifier(classifier("x", ""), true).await,
        Err(CatalogError::InvalidDefinition { .. })
    ));

    store.delete_classifier("records").await.unwrap();
    assert!(matches!(
        store.delete_classifier("records").await,
        Err(CatalogError::ClassifierNotFound { .. })
    ));
    assert_eq!(store.list_classifiers().await.unwrap().len(), 3);
}

pub(super) async fn crawlers(store: &dyn CatalogStore) {
    assert_eq!(store.list_crawlers().await.unwrap(), []);
    match store.put_crawler(crawler("nightly", &["one"]), false).await {
        Err(CatalogError::ClassifierNotFound { name, .. }) => assert_eq!(name, "one"),
        other => panic!("{other:?}"),
    }
    for name in ["one", "two"] {
        store
            .put_classifier(classifier(name, "$"), false)
            .await
            .unwrap();
    }
    let given = crawler("nightly", &["two", "one", "two"]);
    let outcome = store.put_crawler(given.clone(), false).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Created);
    let found = store.get_crawler("nightly").await.unwrap();
    assert!(found.same_definition(&given));
    assert_eq!(found.version, Some(1));
    assert_eq!(
        store.list_crawlers().await.unwrap(),
        std::slice::from_ref(&found)
    );
    match store.put_crawler(given, false).await {
        Err(CatalogError::AlreadyExists { what }) => assert_eq!(what, "crawler nightly"),
        other => panic!("{other:?}"),
    }
    // As it was read: nothing new.
    let outcome = store.put_crawler(found.clone(), true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Unchanged);
    match store.get_crawler("nigthly").await {
        Err(error @ CatalogError::CrawlerNotFound { .. }) => {
            assert_eq!(error.hint().as_deref(), Some("did you mean nightly?"));
        }
        other => panic!("{other:?}"),
    }

    store
        .put_crawler(crawler("hourly", &["one"]), false)
        .await
        .unwrap();
    match store.delete_classifier("one").await {
        Err(error @ CatalogError::ClassifierInUse { .. }) => {
            assert_eq!(
                error.to_string(),
                "classifier one is named by the crawler(s) hourly, nightly"
            );
        }
        other => panic!("{other:?}"),
    }
    store.delete_crawler("hourly").await.unwrap();
    let mut other = found.clone();
    other.classifiers = vec!["two".into()];
    let outcome = store.put_crawler(other, true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Updated);
    let changed = store.get_crawler("nightly").await.unwrap();
    assert_eq!(changed.version, Some(2));
    assert_eq!(changed.creation_time, found.creation_time);
    store.delete_classifier("one").await.unwrap();
    assert!(matches!(
        store.delete_classifier("two").await,
        Err(CatalogError::ClassifierInUse { .. })
    ));
    assert!(matches!(
        store.delete_crawler("hourly").await,
        Err(CatalogError::CrawlerNotFound { .. })
    ));
    definitions_with_the_rest(store).await;
}

/// Definitions are made together with the rest of a change set, or not at all.
async fn definitions_with_the_rest(store: &dyn CatalogStore) {
    let both = |expected| {
        ChangeSet::new("test")
            .with(Change::PutClassifier {
                classifier: classifier("three", "$"),
                replace: true,
            })
            .with(Change::PutCrawler {
                crawler: crawler("weekly", &["three"]),
                replace: false,
            })
            .with(Change::PutTable {
                table: super::table(&[]),
                expected,
                partitions: PartitionChanges::none(),
            })
    };
    super::with_database(store).await;
    assert!(matches!(
        store.apply(both(Expected::Version(VersionId(7)))).await,
        Err(CatalogError::TableNotFound { .. })
    ));
    assert!(store.get_classifier("three").await.is_err());
    assert!(store.get_crawler("weekly").await.is_err());
    let applied = store.apply(both(Expected::Absent)).await.unwrap();
    assert_eq!(applied.classifiers[0].name, "three");
    assert_eq!(applied.crawlers[0].outcome, DefinitionOutcome::Created);
    assert!(applied.changed());
    store.get_crawler("weekly").await.unwrap();
}
