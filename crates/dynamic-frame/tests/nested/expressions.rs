//! SQL expressions over choices: a choice stands for its first alternative, unless one is named.

use mastic_dynamic_frame::{Change, DynamicFrame};

use crate::support::{json, rows};

fn mixed() -> DynamicFrame {
    json(
        "id:bigint,c:choice<bigint,string>,s:struct<c:choice<bigint,string>>",
        r#"{"id": 1, "c": {"long": 7}, "s": {"c": {"long": 1}}}
           {"id": 2, "c": {"string": "n/a"}, "s": {"c": {"string": "q"}}}
           {"id": 3}"#,
    )
}

#[tokio::test]
async fn a_choice_stands_for_its_first_alternative() {
    let ids = |condition: &'static str| async move {
        let frame = mixed().filter(condition).unwrap();
        rows(frame.select_fields(&["id"]).unwrap())
            .await
            .replace('\n', " ")
    };
    assert_eq!(ids("c > 3").await, "id 1");
    assert_eq!(ids("c.string = 'n/a'").await, "id 2");
    assert_eq!(ids("s.c + c = 8").await, "id 1");
    assert_eq!(ids("s.c.string like 'q%'").await, "id 2");
    assert_eq!(ids("c is null").await, "id 3");
    assert_eq!(ids("c is not null and s.c is not null").await, "id 1 2");
    let mapped = mixed()
        .map(&[
            Change::set("d", "c * 2"),
            Change::set("e", "c"),
            Change::set("c", "s.c"),
        ])
        .unwrap()
        .drop_fields(&["s"])
        .unwrap();
    assert_eq!(
        rows(mapped).await,
        "id|c|d|e\n1|{long: 1, string: }|14|{long: 7, string: }\n\
         2|{long: , string: q}||{long: , string: n/a}\n3|||"
    );
}

#[tokio::test]
async fn sql_is_told_what_a_choice_is() {
    let frame = mixed();
    let state = datafusion::prelude::SessionContext::new().state();
    let error = DynamicFrame::sql(&state, "SELECT c + 1 AS d FROM f", [("f", frame.clone())])
        .await
        .unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "'c' is a choice of long, string, which SQL sees as a struct: write c.long, or resolve it first"
    );
    let fine = DynamicFrame::sql(
        &state,
        "SELECT c.long + 1 AS d FROM f ORDER BY id",
        [("f", frame)],
    )
    .await
    .unwrap();
    assert_eq!(rows(fine).await, "d\n8\n\n");
}
