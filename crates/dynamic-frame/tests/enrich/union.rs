use crate::{frame, rows};

// Glue's ResolveChoice page: a column that is a long in one frame and a string in the other is a choice of both.
#[tokio::test]
async fn types_that_disagree_become_a_choice() {
    let one = frame("SELECT * FROM (VALUES (1, 1, [1]), (2, NULL, NULL)) AS t(id, x, xs)").await;
    let other = frame("SELECT * FROM (VALUES (1.5, 'n/a', ['a'])) AS t(id, x, xs)").await;
    let both = one.clone().union(other.clone()).unwrap();
    assert_eq!(
        both.pretty_schema(),
        "root\n|-- id: double\n|-- x: choice\n|    |-- long\n|    |-- string\n\
         |-- xs: array\n|    |-- element: choice\n|    |    |-- long\n|    |    |-- string\n"
    );
    assert_eq!(
        rows(both.clone()).await,
        "id|x|xs\n1.0|{long: 1, string: }|[{long: 1, string: }]\n\
         1.5|{long: , string: n/a}|[{long: , string: a}]\n2.0||"
    );
    // A choice takes in a third type, and what it has already.
    let third = frame("SELECT 3 AS id, true AS x, [2] AS xs").await;
    let all = both.clone().union(third).unwrap().union(both).unwrap();
    let shown = rows(all.select_fields(&["id", "x"]).unwrap()).await;
    assert!(
        shown.contains("3.0|{boolean: true, long: , string: }"),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 8);
    let wide = one.union_widened(other).unwrap();
    assert_eq!(rows(wide).await, "id|x|xs\n1.0|1|[1]\n1.5|n/a|[a]\n2.0||");
}
