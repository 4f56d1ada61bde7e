use mastic_dynamic_frame::{Fill, FillMethod, FrameError};

use crate::{frame, rows, run};

const HOMES: &str = "SELECT * FROM (VALUES
    (1, 50.0, 1, 100, 'flat', 'Lyon'), (2, 100.0, 2, 200, 'flat', 'Lyon'), (3, 150.0, 3, 300, 'house', 'Nice'),
    (4, 200.0, 1, NULL, 'house', 'Nice'), (5, NULL, 2, 200, '', 'Nice'), (6, 150.0, 3, 300, NULL, 'Lyon'))
    AS h(id, area, rooms, price, kind, city)";

async fn filled(fill: Fill, keep: &[&str]) -> String {
    let homes = frame(HOMES).await.fill_missing_values(&fill).unwrap();
    rows(homes.select_fields(keep).unwrap()).await
}

// The mean of 100, 200, 300, 200, 300 is 220, their median 200, their modes 200 and 300.
#[tokio::test]
async fn by_one_number_for_all() {
    let price = |method| Fill::of("price").by(method);
    let shown = filled(price(FillMethod::Mean), &["id", "price_filled"]).await;
    assert_eq!(
        shown,
        "id|price_filled\n1|100\n2|200\n3|300\n4|220\n5|200\n6|300"
    );
    let shown = filled(price(FillMethod::Median), &["id", "price_filled"]).await;
    assert!(shown.contains("4|200"), "{shown}");
    let shown = filled(
        price(FillMethod::Mode).into_column("price"),
        &["id", "price"],
    )
    .await;
    assert!(shown.contains("4|200"), "{shown}");
    let shown = filled(
        price(FillMethod::Constant("id * 1000".into())),
        &["id", "price_filled"],
    )
    .await;
    assert!(shown.contains("4|4000"), "{shown}");
    let shown = filled(
        price(FillMethod::Forward("id".into())),
        &["id", "price_filled"],
    )
    .await;
    assert!(shown.contains("4|300"), "{shown}");
    let shown = filled(
        Fill::of("kind").by(FillMethod::Forward("-id".into())),
        &["id", "kind_filled"],
    )
    .await;
    // Nothing comes before the first.
    assert_eq!(
        shown,
        "id|kind_filled\n1|flat\n2|flat\n3|house\n4|house\n5|\n6|"
    );
}

// y = 3 x + 7 wherever it is known, so it is 22 for x = 5; z is a second number that adds nothing.
#[tokio::test]
async fn a_number_by_the_other_numbers() {
    let exact = frame("SELECT x AS id, CASE WHEN x <> 5 THEN 3 * x + 7 END AS y, x * x AS z FROM generate_series(1, 20) AS g(x)").await;
    let filled = exact.fill_missing_values(&Fill::of("y")).unwrap();
    let shown = rows(filled.select_fields(&["id", "y_filled"]).unwrap()).await;
    assert!(shown.contains("\n5|22\n"), "{shown}");
    assert!(shown.contains("\n6|25\n"), "{shown}");
}

// By counting: two flats are in Lyon and two houses in Nice, and an id tells of no other record.
#[tokio::test]
async fn text_by_the_field_that_tells_most() {
    let homes = frame(HOMES)
        .await
        .drop_fields(&["rooms", "price", "area"])
        .unwrap();
    let filled = homes
        .counted("read")
        .fill_missing_values(&Fill::of("kind"))
        .unwrap();
    let (shown, _, ledger) = run(filled
        .select_fields(&["id", "city", "kind_filled"])
        .unwrap())
    .await;
    assert_eq!(
        shown,
        "id|city|kind_filled\n1|Lyon|flat\n2|Lyon|flat\n3|Nice|house\n4|Nice|house\n5|Nice|house\n6|Lyon|flat"
    );
    assert_eq!(ledger.counts()[0].rows, 6);
    // Where nothing tells anything, the most frequent value; where there is none, nothing.
    let alone = frame("SELECT * FROM (VALUES ('b'), ('a'), ('b'), ('')) AS t(x)").await;
    let shown = rows(alone.fill_missing_values(&Fill::of("x")).unwrap()).await;
    assert_eq!(shown, "x|x_filled\na|a\nb|b\nb|b\n|b");
    let none = frame("SELECT * FROM (VALUES ('', 1), ('', 1)) AS t(x, y)").await;
    let shown = rows(none.fill_missing_values(&Fill::of("x")).unwrap()).await;
    assert_eq!(shown, "x|y|x_filled\n|1|\n|1|");
}

#[tokio::test]
async fn mistakes() {
    let homes = frame(HOMES).await;
    let error = homes
        .clone()
        .fill_missing_values(&Fill::of("kind").by(FillMethod::Mean))
        .unwrap_err();
    assert!(matches!(error, FrameError::TypeMismatch { .. }), "{error}");
    let error = homes
        .clone()
        .fill_missing_values(&Fill::of("kind").into_column("city"))
        .unwrap_err();
    assert!(matches!(error, FrameError::FieldExists { .. }), "{error}");
    let error = homes.fill_missing_values(&Fill::of("kynd")).unwrap_err();
    assert_eq!(error.did_you_mean(), Some("kind"));
}
