//! Out as a document, and in again.

use super::{partition, put, table, with_database};
use crate::model::HIVE_DEFAULT_PARTITION;
use crate::store::{CatalogStore, Expected, PartitionChanges};
use crate::transfer::{export, import};

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
