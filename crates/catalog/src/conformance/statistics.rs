//! Statistics of tables: put, found, replaced, gone with the table.

use chrono::DateTime;

use super::{put, table, with_database};
use crate::error::CatalogError;
use crate::model::{
    ColumnStatistics, ColumnStatisticsData, DateColumnStatisticsData, DecimalColumnStatisticsData,
    DecimalNumber, DoubleColumnStatisticsData, LongColumnStatisticsData, TableStatistics,
};
use crate::store::{CatalogStore, Change, ChangeSet, Expected, PartitionChanges};

fn counted(data: Vec<ColumnStatisticsData>) -> TableStatistics {
    let analyzed = DateTime::from_timestamp(1_714_550_400, 250_000_000).unwrap();
    TableStatistics {
        row_count: u64::MAX,
        total_bytes: 12_345,
        analyzed,
        fingerprint: "é\0".into(),
        columns: data
            .into_iter()
            .map(|statistics_data| ColumnStatistics {
                column_name: "c".into(),
                column_type: "x".into(),
                analyzed_time: analyzed,
                statistics_data,
            })
            .collect(),
    }
}

fn double(value: f64) -> ColumnStatisticsData {
    ColumnStatisticsData::Double(DoubleColumnStatisticsData {
        minimum_value: Some(value),
        maximum_value: None,
        number_of_nulls: 1,
        number_of_distinct_values: 2,
    })
}

pub(super) async fn statistics(store: &dyn CatalogStore) {
    with_database(store).await;
    assert!(matches!(
        store.get_column_statistics("d", "t").await,
        Err(CatalogError::TableNotFound { .. })
    ));
    assert!(matches!(
        store.put_column_statistics("d", "t", counted(vec![])).await,
        Err(CatalogError::TableNotFound { .. })
    ));
    let made = put(table(&[]), Expected::Any, PartitionChanges::none());
    store.apply(made.clone()).await.unwrap();
    assert_eq!(store.get_column_statistics("d", "t").await.unwrap(), None);
    store.delete_column_statistics("d", "t").await.unwrap();

    let date = DateTime::from_timestamp(-86_400, 0);
    let first = counted(vec![
        // A double that is read wrong by its last bit where it is read fast.
        double(2.225_073_858_507_201_4e-308),
        ColumnStatisticsData::Long(LongColumnStatisticsData {
            minimum_value: Some(i64::MIN),
            maximum_value: Some(i64::MAX),
            ..LongColumnStatisticsData::default()
        }),
        ColumnStatisticsData::Date(DateColumnStatisticsData {
            minimum_value: date,
            maximum_value: date,
            ..DateColumnStatisticsData::default()
        }),
        ColumnStatisticsData::Decimal(DecimalColumnStatisticsData {
            minimum_value: Some(DecimalNumber::new(i128::MIN, 38)),
            ..DecimalColumnStatisticsData::default()
        }),
    ]);
    store
        .put_column_statistics("D", "T", first.clone())
        .await
        .unwrap();
    let found = store.get_column_statistics("D", "T").await.unwrap();
    assert_eq!(found, Some(first));
    // They are no part of the table: it has no new version.
    assert_eq!(store.list_table_versions("d", "t").await.unwrap().len(), 1);

    let second = counted(vec![double(0.5)]);
    store
        .put_column_statistics("d", "t", second.clone())
        .await
        .unwrap();
    for value in [f64::NAN, f64::INFINITY] {
        let refused = store
            .put_column_statistics("d", "t", counted(vec![double(value)]))
            .await;
        assert!(
            matches!(refused, Err(CatalogError::InvalidDefinition { .. })),
            "{refused:?}"
        );
    }
    let found = store.get_column_statistics("d", "t").await.unwrap();
    assert_eq!(found, Some(second.clone()));
    store.delete_column_statistics("D", "T").await.unwrap();
    assert_eq!(store.get_column_statistics("d", "t").await.unwrap(), None);

    // They go with the table, and do not come back with it; by way of its database, too.
    for delete in [
        Change::DeleteTable {
            database: "d".into(),
            name: "t".into(),
            expected: Expected::Any,
        },
        Change::DeleteDatabase {
            name: "d".into(),
            cascade: true,
        },
    ] {
        store
            .put_column_statistics("d", "t", second.clone())
            .await
            .unwrap();
        store
            .apply(ChangeSet::new("test").with(delete))
            .await
            .unwrap();
        assert!(store.get_column_statistics("d", "t").await.is_err());
        with_database(store).await;
        store.apply(made.clone()).await.unwrap();
        assert_eq!(store.get_column_statistics("d", "t").await.unwrap(), None);
    }
}
