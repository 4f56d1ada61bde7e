//! Out as a document, and in again.

use super::bookmarks::{at, object};
use super::crawlers::{classifier, crawler};
use super::{partition, put, table, with_database};
use crate::model::{
    BookmarkPosition, Classifier, HIVE_DEFAULT_PARTITION, MlTransform, SourceObject,
};
use crate::store::{CatalogStore, Expected, PartitionChanges};
use crate::transfer::{Document, export, import};

pub(super) async fn transfer(from: &dyn CatalogStore, to: &dyn CatalogStore) {
    with_database(from).await;
    let given = PartitionChanges::put(vec![
        partition(&["1"]),
        partition(&[HIVE_DEFAULT_PARTITION]),
    ]);
    from.apply(put(table(&[("k", "int")]), Expected::Any, given))
        .await
        .unwrap();
    let document = export(from, &[]).await.unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap();
    let applied = import(to, &text, None, "import").await.unwrap();
    assert!(applied.changed());
    let mut copy = export(to, &["D"]).await.unwrap();
    // Only the time of this version is the copy's own.
    copy.databases[0].tables[0].table.update_time =
        document.databases[0].tables[0].table.update_time;
    assert_eq!(copy, document);
    assert!(!import(to, &text, None, "import").await.unwrap().changed());
}

/// Crawlers and classifiers come along: all of them, or those of the databases that are named.
pub(super) async fn transfer_of_crawlers(from: &dyn CatalogStore, to: &dyn CatalogStore) {
    with_database(from).await;
    let mut elsewhere = crawler("elsewhere", &["two"]);
    elsewhere.database_name = Some("E".into());
    for name in ["one", "two", "three"] {
        from.put_classifier(classifier(name, "$"), false)
            .await
            .unwrap();
    }
    for crawler in [crawler("nightly", &["two", "one"]), elsewhere] {
        from.put_crawler(crawler, false).await.unwrap();
    }
    let names = |document: &Document| -> (String, String) {
        let crawlers: Vec<&str> = document
            .crawlers
            .iter()
            .map(|crawler| crawler.name.as_str())
            .collect();
        let classifiers: Vec<&str> = document.classifiers.iter().map(Classifier::name).collect();
        (crawlers.join(" "), classifiers.join(" "))
    };
    let some = export(from, &["D"]).await.unwrap();
    assert_eq!(names(&some), ("nightly".into(), "one two".into()));
    let all = export(from, &[]).await.unwrap();
    assert_eq!(
        names(&all),
        ("elsewhere nightly".into(), "one three two".into())
    );

    let text = serde_json::to_string_pretty(&all).unwrap();
    let applied = import(to, &text, None, "import").await.unwrap();
    assert_eq!((applied.classifiers.len(), applied.crawlers.len()), (3, 2));
    assert!(!import(to, &text, None, "import").await.unwrap().changed());
    let copy = export(to, &[]).await.unwrap();
    assert_eq!(names(&copy), names(&all));
    for (copy, original) in copy.crawlers.iter().zip(&all.crawlers) {
        assert!(copy.same_definition(original));
        assert_eq!(copy.creation_time, original.creation_time);
    }
}

/// Transforms come along with all that they learned: all of them, or those whose entities are in the databases that
/// are named.
pub(super) async fn transfer_of_transforms(from: &dyn CatalogStore, to: &dyn CatalogStore) {
    with_database(from).await;
    for (name, entities) in [
        ("Persons", Some("D.entities")),
        ("elsewhere", Some("e.entities")),
        ("file", Some("/lake/d.parquet")),
        ("nowhere", None),
    ] {
        let transform = MlTransform {
            name: name.into(),
            record_count: 7,
            entities: entities.map(str::to_owned),
            // A number that a double does not hold.
            model: serde_json::json!({ "format": 2, "hash": u64::MAX - 1, "labels": [["1", "A", null]] }),
            ..MlTransform::default()
        };
        from.put_transform(transform, false).await.unwrap();
    }
    let names = |document: &Document| -> Vec<String> {
        let each = document.transforms.iter();
        each.map(|transform| transform.name.clone()).collect()
    };
    assert_eq!(names(&export(from, &["d"]).await.unwrap()), ["Persons"]);
    let all = export(from, &[]).await.unwrap();
    assert_eq!(names(&all), ["Persons", "elsewhere", "file", "nowhere"]);
    let text = serde_json::to_string(&all).unwrap();
    let applied = import(to, &text, None, "import").await.unwrap();
    assert_eq!(applied.transforms.len(), 4);
    for transform in &all.transforms {
        let copy = to.get_transform(&transform.name).await.unwrap();
        assert!(copy.same_definition(transform));
    }
    assert!(!import(to, &text, None, "import").await.unwrap().changed());
    // What is there is given the definition of the document, and what the document does not name stays.
    let mut changed = all.clone();
    changed.transforms.truncate(1);
    changed.transforms[0].record_count = 8;
    let text = serde_json::to_string(&changed).unwrap();
    import(to, &text, None, "import").await.unwrap();
    assert_eq!(to.get_transform("Persons").await.unwrap().record_count, 8);
    assert_eq!(to.list_transforms().await.unwrap().len(), 4);
    let told = import(
        to,
        r#"{"Transforms": [{"Name": "odd", "RecordCount": "many"}]}"#,
        None,
        "import",
    )
    .await;
    let told = told.unwrap_err().to_string();
    assert!(told.contains("transform \"odd\""), "{told}");
}

/// Bookmarks come along, where they stand; one that is there already stays.
pub(super) async fn transfer_of_bookmarks(from: &dyn CatalogStore, to: &dyn CatalogStore) {
    let objects = vec![object("a", 1), SourceObject::any("b")];
    let position = |objects: &[SourceObject]| BookmarkPosition {
        objects: objects.to_vec(),
        up_to: Some(at(5)),
    };
    from.set_bookmark("j", "s", position(&objects))
        .await
        .unwrap();
    from.pause_bookmark("j", Some("s"), true).await.unwrap();
    let document = export(from, &[]).await.unwrap();
    assert_eq!(document.bookmarks[0].objects, objects);
    let text = serde_json::to_string(&document).unwrap();
    let applied = import(to, &text, None, "import").await.unwrap();
    assert!(applied.changed());
    assert_eq!(export(to, &[]).await.unwrap(), document);
    assert!(to.get_bookmark("j", "s").await.unwrap().paused);
    assert!(!import(to, &text, None, "import").await.unwrap().changed());
    to.set_bookmark("j", "s", position(&[])).await.unwrap();
    import(to, &text, None, "import").await.unwrap();
    assert_eq!(to.get_bookmark("j", "s").await.unwrap().objects, 0);
    with_database(from).await;
    assert_eq!(export(from, &["d"]).await.unwrap().bookmarks, []);
}
