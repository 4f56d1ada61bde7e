//! Databases and tables: made, found, named.

use super::{outcome, put, table, with_database};
use crate::error::CatalogError;
use crate::model::{Database, VersionId};
use crate::store::{
    CatalogStore, Change, ChangeSet, DatabaseOutcome, Expected, PartitionChanges, TableOutcome,
};

pub(super) async fn databases(store: &dyn CatalogStore) {
    assert_eq!(store.list_databases().await.unwrap(), []);
    let mut database = Database::new("Sales");
    database.description = Some("what was sold".into());
    database.parameters.insert("k".into(), "v".into());
    let create = |database: &Database, if_not_exists| {
        ChangeSet::new("test").with(Change::CreateDatabase {
            database: database.clone(),
            if_not_exists,
        })
    };
    let applied = store.apply(create(&database, false)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Created);
    assert_eq!(applied.databases[0].name, "sales");
    assert!(matches!(
        store.apply(create(&database, false)).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    let applied = store.apply(create(&database, true)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Unchanged);
    assert!(!applied.changed());

    let found = store.get_database("SALES").await.unwrap();
    assert!(found.create_time.is_some());
    assert_eq!(found.description.as_deref(), Some("what was sold"));
    match store.get_database("slaes").await {
        Err(error @ CatalogError::DatabaseNotFound { .. }) => {
            assert_eq!(error.hint().as_deref(), Some("did you mean sales?"));
        }
        other => panic!("{other:?}"),
    }

    let update = |database: &Database| {
        ChangeSet::new("test").with(Change::UpdateDatabase {
            database: database.clone(),
        })
    };
    let applied = store.apply(update(&found)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Unchanged);
    let mut other = found.clone();
    other.location_uri = Some("s3://bucket/sales/".into());
    let applied = store.apply(update(&other)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Updated);
    assert_eq!(store.get_database("sales").await.unwrap(), other);

    let delete = Change::DeleteDatabase {
        name: "SALES".into(),
        cascade: false,
    };
    store
        .apply(ChangeSet::new("test").with(delete))
        .await
        .unwrap();
    assert_eq!(store.list_databases().await.unwrap(), []);
    let applied = store.apply(create(&database, false)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Created);
}

pub(super) async fn tables(store: &dyn CatalogStore) {
    assert!(matches!(
        store
            .apply(put(table(&[]), Expected::Any, PartitionChanges::none()))
            .await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    assert!(matches!(
        store.list_tables("d").await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    with_database(store).await;
    assert_eq!(store.list_tables("d").await.unwrap(), []);
    let mut given = table(&[("year", "int")]);
    given.version_id = Some(VersionId(99));
    given
        .parameters
        .insert("classification".into(), "parquet".into());
    let applied = store
        .apply(put(
            given.clone(),
            Expected::Absent,
            PartitionChanges::none(),
        ))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Created {
            version: VersionId(1)
        }
    );

    let found = store.get_table("D", "T").await.unwrap();
    assert!(found.same_definition(&given));
    assert_eq!(found.version_id, Some(VersionId(1)));
    assert!(found.create_time.is_some() && found.update_time.is_some());
    assert_eq!(store.list_tables("d").await.unwrap(), [found]);

    let mut longer = table(&[]);
    longer.name = "order_items".into();
    store
        .apply(put(longer, Expected::Absent, PartitionChanges::none()))
        .await
        .unwrap();
    match store.get_table("d", "oder_items").await {
        Err(error @ CatalogError::TableNotFound { .. }) => {
            assert_eq!(error.hint().as_deref(), Some("did you mean d.order_items?"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        store.get_table("e", "t").await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    let names: Vec<String> = store
        .list_tables("d")
        .await
        .unwrap()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(names, ["order_items", "t"]);
}

pub(super) async fn names(store: &dyn CatalogStore) {
    with_database(store).await;
    for name in ["", " ", "a\u{0}b", &"x".repeat(256)] {
        let mut bad = table(&[]);
        bad.name = name.to_owned();
        let refused = store
            .apply(put(bad, Expected::Any, PartitionChanges::none()))
            .await;
        assert!(
            matches!(refused, Err(CatalogError::InvalidName { .. })),
            "{name:?}"
        );
    }
    for name in ["Ünïcode Tab'le", "a\"b", "a;b--", "%_"] {
        let mut fine = table(&[]);
        fine.name = name.to_owned();
        store
            .apply(put(fine, Expected::Absent, PartitionChanges::none()))
            .await
            .unwrap();
        assert_eq!(
            store.get_table("d", name).await.unwrap().name,
            name.to_lowercase()
        );
    }
}
