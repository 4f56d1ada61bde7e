//! What crawls remember: by scope and item, in pages, ordered by bytes.

use crate::error::CatalogError;
use crate::store::CatalogStore;

fn item(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_vec())
}

pub(super) async fn memory(store: &dyn CatalogStore) {
    assert_eq!(store.list_scopes().await.unwrap(), [""; 0]);
    assert_eq!(store.recall("s", None, 10).await.unwrap(), []);
    let given = vec![
        item("b", b"2"),
        item("a", b"\0\xff"),
        item("B", b""),
        item("é'\"\\%_", b"4"),
        item("a/b", b"5"),
        // The last one counts.
        item("b", b"3"),
    ];
    store.remember("s", given).await.unwrap();
    store
        .remember("S", vec![item("other", b"x")])
        .await
        .unwrap();
    store.remember("none", vec![]).await.unwrap();
    assert_eq!(store.list_scopes().await.unwrap(), ["S", "s"]);
    // By bytes, whatever the locale.
    let all = [
        item("B", b""),
        item("a", b"\0\xff"),
        item("a/b", b"5"),
        item("b", b"3"),
        item("é'\"\\%_", b"4"),
    ];
    assert_eq!(store.recall("s", None, 10).await.unwrap(), all);
    assert_eq!(store.recall("s", None, 2).await.unwrap(), all[..2]);
    assert_eq!(store.recall("s", Some("a"), 2).await.unwrap(), all[2..4]);
    assert_eq!(store.recall("s", Some("a\0"), 1).await.unwrap(), all[2..3]);
    assert_eq!(store.recall("s", Some("aa"), 1).await.unwrap(), all[3..4]);
    assert_eq!(store.recall("s", Some("é'\"\\%_"), 9).await.unwrap(), []);
    assert_eq!(store.recall("s", None, 0).await.unwrap(), []);
    assert_eq!(store.recall("t", None, 10).await.unwrap(), []);
    let last = |up_to| store.recall_last("s", up_to);
    assert_eq!(last("aa").await.unwrap().as_ref(), Some(&all[2]));
    assert_eq!(last(&all[3].0).await.unwrap().as_ref(), Some(&all[3]));
    assert_eq!(
        last("").await.unwrap().as_ref(),
        all.first().filter(|(i, _)| i.is_empty())
    );
    assert_eq!(store.recall_last("t", "z").await.unwrap(), None);

    let names =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let asked = names(&["b", "zz", "B", "b", "a\0", "é'\"\\%_"]);
    assert_eq!(
        store.recall_items("s", &asked).await.unwrap(),
        [all[0].clone(), all[3].clone(), all[4].clone()]
    );
    assert_eq!(store.recall_items("s", &[]).await.unwrap(), []);

    store
        .remember("s", vec![item("b", b"new"), item("c", b"c")])
        .await
        .unwrap();
    store
        .forget("s", &names(&["a", "nowhere", "a\0", "é'\"\\%_"]))
        .await
        .unwrap();
    assert_eq!(
        store.recall("s", None, 10).await.unwrap(),
        [
            item("B", b""),
            item("a/b", b"5"),
            item("b", b"new"),
            item("c", b"c")
        ]
    );
    store.forget_all("s").await.unwrap();
    assert_eq!(store.recall("s", None, 10).await.unwrap(), []);
    assert_eq!(store.list_scopes().await.unwrap(), ["S"]);

    // What does not fit is not remembered, and in nobody's way.
    let long = "x".repeat(4_096);
    let longest = "y".repeat(1_600);
    let scope = "z".repeat(1_000);
    let items = vec![item(&long, b"1"), item("a\0", b"2"), item(&longest, b"3")];
    store.remember(&scope, items).await.unwrap();
    assert_eq!(
        store.recall(&scope, None, 10).await.unwrap(),
        [item(&longest, b"3")]
    );
    for scope in ["a\0", &"z".repeat(1_001)] {
        assert!(matches!(
            store.recall(scope, None, 1).await,
            Err(CatalogError::InvalidName { .. })
        ));
        assert!(matches!(
            store.remember(scope, vec![item("a", b"")]).await,
            Err(CatalogError::InvalidName { .. })
        ));
    }
    many(store).await;
}

/// More than one statement holds, read in pages.
async fn many(store: &dyn CatalogStore) {
    let name = |number: usize| format!("folder/file-{number:06}");
    let given = |count: usize| -> Vec<(String, Vec<u8>)> {
        (0..count)
            .map(|number| (name(number), number.to_string().into_bytes()))
            .collect()
    };
    let count = 12_345;
    let mut backwards = given(count);
    backwards.reverse();
    store.remember("many", backwards).await.unwrap();
    let mut read = Vec::new();
    loop {
        let after = read
            .last()
            .map(|(item, _): &(String, Vec<u8>)| item.as_str());
        let page = store.recall("many", after, 1_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert!(read == given(count), "{} of {count}", read.len());
    let asked: Vec<String> = (1..count + 10).map(name).collect();
    let found = store.recall_items("many", &asked).await.unwrap();
    assert_eq!(found.len(), count - 1);
    store.forget("many", &asked).await.unwrap();
    let left = store.recall("many", None, 10).await.unwrap();
    assert_eq!(left, [item(&name(0), b"0")]);
}
