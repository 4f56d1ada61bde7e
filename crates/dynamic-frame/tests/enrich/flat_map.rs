use mastic_dynamic_frame::{FlatMap, FrameError};

use crate::{frame, rows};

const ORDERS: &str = "SELECT * FROM (VALUES
    (1, ['a', 'b'], [named_struct('id', 7, 'n', 2), named_struct('id', 8, 'n', 1)], named_struct('xs', [1.5, NULL])),
    (2, [], NULL, NULL),
    (3, NULL, [], named_struct('xs', [2.5]))) AS o(id, tags, items, deep)";

// By hand; DuckDB's `unnest` gives the same for the records that have elements.
#[tokio::test]
async fn a_record_for_each_element() {
    let orders = frame(ORDERS).await.select_fields(&["id", "tags"]).unwrap();
    let tags = orders.clone().flat_map(&FlatMap::of("tags")).unwrap();
    assert_eq!(rows(tags).await, "id|tags\n1|a\n1|b");
    let tags = orders
        .clone()
        .flat_map(&FlatMap::of("tags").outer())
        .unwrap();
    assert_eq!(rows(tags).await, "id|tags\n1|a\n1|b\n2|\n3|");
    let tags = orders
        .clone()
        .flat_map(&FlatMap::of("tags").output("tag"))
        .unwrap();
    assert_eq!(rows(tags).await, "id|tags|tag\n1|[a, b]|a\n1|[a, b]|b");
    let made = FlatMap::of("make_array(id, id * 10)").output("x");
    let made = orders
        .drop_fields(&["tags"])
        .unwrap()
        .flat_map(&made)
        .unwrap();
    assert_eq!(rows(made).await, "id|x\n1|1\n1|10\n2|2\n2|20\n3|3\n3|30");
}

#[tokio::test]
async fn elements_inside_structs_and_nulls_among_them() {
    let orders = frame(ORDERS).await.select_fields(&["id", "deep"]).unwrap();
    let deep = orders.flat_map(&FlatMap::of("deep.xs")).unwrap();
    assert_eq!(
        rows(deep).await,
        "id|deep\n1|{xs: 1.5}\n1|{xs: }\n3|{xs: 2.5}"
    );
}

#[tokio::test]
async fn structs_are_spread_into_fields() {
    let orders = frame(ORDERS).await.select_fields(&["id", "items"]).unwrap();
    let spread = orders
        .clone()
        .flat_map(&FlatMap::of("items").spread("item_").outer())
        .unwrap();
    assert_eq!(
        rows(spread).await,
        "id|item_id|item_n\n1|7|2\n1|8|1\n2||\n3||"
    );
    let error = orders
        .flat_map(&FlatMap::of("items").spread(""))
        .unwrap_err();
    assert!(matches!(error, FrameError::FieldExists { path } if path == "id"));
}

#[tokio::test]
async fn what_cannot_be_flattened() {
    let orders = frame(ORDERS).await;
    for (map, said) in [
        (FlatMap::of("id"), "'id' is bigint, but an array is needed"),
        (FlatMap::of("make_array(id)"), "the element needs a name"),
        (
            FlatMap::of("make_array(idd)").output("x"),
            "there is no field 'idd'",
        ),
        (
            FlatMap::of("tags").output("id"),
            "the field 'id' is there already",
        ),
        (FlatMap::of("tags").spread("t_"), "an array of structs"),
    ] {
        let error = orders.clone().flat_map(&map).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
