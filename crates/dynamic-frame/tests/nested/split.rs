//! Glue's SplitFields and SplitRows, and collections.

use mastic_dynamic_frame::{Comparison, DynamicFrame, FrameCollection};

use crate::support::{json, rows};

fn people() -> DynamicFrame {
    json(
        "name:string,age:bigint,at:struct<city:string,zip:string>",
        r#"{"name": "Nancy", "age": 47, "at": {"city": "A", "zip": "1"}}
           {"name": "Yao", "age": 9}
           {"name": "Phil", "age": 12}
           {"name": "x"}"#,
    )
}

fn compare(operator: &str, value: &str) -> Comparison {
    Comparison {
        path: "age".into(),
        operator: operator.into(),
        value: value.into(),
    }
}

#[tokio::test]
async fn fields() {
    let both = people().split_fields(&["age", "at.zip"], "a", "b").unwrap();
    assert_eq!(both.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        rows(both.select("a").unwrap()).await,
        "age|at\n47|{zip: 1}\n9|\n12|\n|"
    );
    assert_eq!(
        rows(both.select("b").unwrap()).await,
        "name|at\nNancy|{city: A}\nYao|\nPhil|\nx|"
    );
}

#[tokio::test]
async fn by_rows() {
    let between = [compare(">", "10"), compare("<=", "20")];
    let names = |frame: DynamicFrame| async move {
        rows(frame.select_fields(&["name"]).unwrap())
            .await
            .replace('\n', " ")
    };
    let both = people().split_rows(&between, "in", "out").unwrap();
    assert_eq!(names(both.select("in").unwrap()).await, "name Phil");
    assert_eq!(names(both.select("out").unwrap()).await, "name Nancy Yao x");
    let both = people()
        .split_rows_where("age > 10 and age <= 20", "in", "out")
        .unwrap();
    assert_eq!(names(both.select("out").unwrap()).await, "name Nancy Yao x");
    let half = people()
        .split_rows(&[compare("<", "9.5")], "in", "out")
        .unwrap();
    assert_eq!(names(half.select("in").unwrap()).await, "name Yao");
    for (operator, value, said) in [
        ("~", "1", "'~' is no comparison"),
        ("=", "old", "'old' is no comparison"),
    ] {
        let error = people()
            .split_rows(&[compare(operator, value)], "a", "b")
            .unwrap_err();
        assert_eq!(error.to_string(), said);
    }
    assert!(people().split_rows(&between, "a", "a").is_err());
}

#[tokio::test]
async fn collections_map() {
    let both = people().split_fields(&["age"], "age", "rest").unwrap();
    let error = both.select("aeg").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean 'age'?");
    let split = both
        .map(|_, frame| frame.filter("true"))
        .unwrap()
        .flat_map(|key, frame| {
            FrameCollection::new([
                ("all".to_owned(), frame.clone()),
                (format!("of_{key}"), frame),
            ])
        })
        .unwrap();
    assert_eq!(
        split.keys().collect::<Vec<_>>(),
        ["age_all", "age_of_age", "rest_all", "rest_of_rest"]
    );
    assert_eq!((split.len(), split.is_empty()), (4, false));
}
