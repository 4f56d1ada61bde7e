//! Transforms: made, found, changed, deleted.

use crate::error::CatalogError;
use crate::model::MlTransform;
use crate::store::{CatalogStore, DefinitionOutcome};

pub(super) async fn transforms(store: &dyn CatalogStore) {
    assert_eq!(store.list_transforms().await.unwrap(), []);
    let given = MlTransform {
        name: "Persons".into(),
        record_count: 1_000,
        // A number that a double does not hold.
        model: serde_json::json!({ "grams": [[u64::MAX - 1, 3]], "prior": 0.1 }),
        ..MlTransform::default()
    };
    let outcome = store.put_transform(given.clone(), false).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Created);
    let first = store.get_transform("Persons").await.unwrap();
    assert_eq!((&first.model, first.version), (&given.model, Some(1)));
    assert!(first.created_on.is_some() && first.last_modified_on.is_some());
    match store.put_transform(given.clone(), false).await {
        Err(CatalogError::AlreadyExists { what }) => assert_eq!(what, "transform Persons"),
        other => panic!("{other:?}"),
    }
    let outcome = store.put_transform(given.clone(), true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Unchanged);
    let other = MlTransform {
        entities: Some("entities.csv".into()),
        ..given
    };
    let outcome = store.put_transform(other, true).await.unwrap();
    assert_eq!(outcome, DefinitionOutcome::Updated);
    let second = &store.list_transforms().await.unwrap()[0];
    assert_eq!(second.version, Some(2));
    assert_eq!(second.created_on, first.created_on);
    match store.get_transform("Person").await {
        Err(error @ CatalogError::TransformNotFound { .. }) => {
            assert_eq!(error.to_string(), "transform Person does not exist");
            assert_eq!(error.hint().as_deref(), Some("did you mean Persons?"));
        }
        other => panic!("{other:?}"),
    }
    store.delete_transform("Persons").await.unwrap();
    assert!(matches!(
        store.delete_transform("Persons").await,
        Err(CatalogError::TransformNotFound { .. })
    ));
}
