//! The store on PostgreSQL, on a server of the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails panics; what it measures goes to stderr"
)]

use mastic_catalog::conformance::{add_one, assert_counted, conformance};
use mastic_catalog::testing::ThrowawayPostgres;
use mastic_catalog::{
    CatalogError, Change, ChangeSet, Database, Expected, OpenMode, PartitionChanges, Table, open,
};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms() {
    let Some(server) = ThrowawayPostgres::start().unwrap() else {
        return;
    };
    conformance(async || {
        open(&server.catalog_url(), OpenMode::CreateIfMissing)
            .await
            .unwrap()
    })
    .await;
}

#[test]
fn postgres_takes_several_programs_at_once() {
    let Some(server) = ThrowawayPostgres::start().unwrap() else {
        return;
    };
    let url = server.catalog_url();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let missing = runtime
        .block_on(open(&url, OpenMode::MustExist))
        .unwrap_err();
    assert!(
        matches!(missing, CatalogError::NoCatalog { .. }),
        "{missing}"
    );

    let threads: Vec<_> = (0..4)
        .map(|index| {
            let url = url.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let store = open(&url, OpenMode::CreateIfMissing).await.unwrap();
                    let put = |name: &str| Change::PutTable {
                        table: Table::new("d", name),
                        expected: Expected::Any,
                        partitions: PartitionChanges::none(),
                    };
                    let database = Change::CreateDatabase {
                        database: Database::new("d"),
                        if_not_exists: true,
                    };
                    store
                        .apply(ChangeSet::new("t").with(database))
                        .await
                        .unwrap();
                    // One of them makes it; `put` would undo what a faster one has counted.
                    let made = Change::PutTable {
                        table: Table::new("d", "t"),
                        expected: Expected::Absent,
                        partitions: PartitionChanges::none(),
                    };
                    match store.apply(ChangeSet::new("t").with(made)).await {
                        Ok(_) | Err(CatalogError::AlreadyExists { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    for round in 0..25 {
                        add_one(&*store).await;
                        // Tables of everybody's, named in an order of one's own.
                        let mut names = vec!["a", "b", "c", "d"];
                        names.rotate_left(index);
                        let mut changes = ChangeSet::new("t");
                        for name in names {
                            changes = changes.with(put(&format!("{name}{round}")));
                        }
                        store.apply(changes).await.unwrap();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    runtime.block_on(async {
        let store = open(&url, OpenMode::MustExist).await.unwrap();
        assert_counted(&*store, 100).await;
        assert_eq!(store.list_tables("d").await.unwrap().len(), 101);
    });
}

#[tokio::test]
async fn postgres_that_does_not_answer_is_told_without_the_password() {
    let error = open(
        "postgres://me:secret@127.0.0.1:1/nowhere",
        OpenMode::MustExist,
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
}
