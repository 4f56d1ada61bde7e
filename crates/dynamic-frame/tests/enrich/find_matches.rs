use mastic_dynamic_frame::{FindMatches, FrameError, MatchFrames};
use mastic_find_matches::Comparison;

use crate::{frame, rows, run};

const PEOPLE: &str = "SELECT * FROM (VALUES
    ('anna smith', 'london', '1980-02-03'), ('anna smyth', 'london', '1980-02-03'), ('bob jones', 'leeds', '1971-11-30'),
    ('carl king', 'york', '1966-07-12'), ('dora lund', 'bath', '1959-01-20')) AS t(name, city, born)";

fn own() -> MatchFrames {
    MatchFrames {
        own: "people".to_owned(),
        ..MatchFrames::default()
    }
}

// By hand: the first two are one person, who is written down twice.
#[tokio::test]
async fn records_get_entities() {
    let people = frame(PEOPLE).await.counted("read");
    let matched = people
        .clone()
        .find_matches(own(), &FindMatches::default())
        .unwrap();
    let names: Vec<&str> = matched.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(
        names,
        ["name", "city", "born", "match_id", "match_confidence"]
    );
    let few = matched.select_fields(&["name", "match_id"]).unwrap();
    let (found, errors, ledger) = run(few).await;
    assert_eq!(
        found,
        "name|match_id\nanna smith|1\nanna smyth|1\nbob jones|2\ncarl king|3\ndora lund|4"
    );
    assert_eq!((errors.as_str(), ledger.counts()[0].rows), ("", 5));
    let best = FindMatches {
        best: true,
        ..FindMatches::default()
    };
    let kept = people.find_matches(own(), &best).unwrap();
    // A filter stays above: entities are of all records.
    let kept = kept.filter("match_id < 3").unwrap();
    assert_eq!(
        rows(kept.select_fields(&["name"]).unwrap()).await,
        "name\nanna smith\nbob jones"
    );
}

#[tokio::test]
async fn two_frames_are_linked_by_their_fields_names() {
    let people = frame(PEOPLE).await;
    let others = frame(
        "SELECT * FROM (VALUES ('LEEDS', 'Bob Jones', '1971-11-30', 7), ('hull', 'eve moss', '1990-10-10', 8)) AS t(City, Name, born, extra)",
    )
    .await;
    // So few records say little by themselves.
    let labels = frame(
        "SELECT * FROM (VALUES (1, 'same', 'people', 'bob jones', 'leeds', '1971-11-30'), (1, 'same', 'others', 'Bob Jones', 'LEEDS', '1971-11-30'))
         AS t(labeling_set_id, label, source, name, city, born)",
    )
    .await;
    let frames = MatchFrames {
        with: Some(("others".to_owned(), others)),
        labels: Some(("labels".to_owned(), labels)),
        ..own()
    };
    let mut options = FindMatches::default();
    options.settings.one_to_one = true;
    options.settings.enforce_provided_labels = true;
    let linked = people.find_matches(frames, &options).unwrap();
    let names: Vec<&str> = linked.fields().iter().map(|f| f.name().as_str()).collect();
    let expected = [
        "name",
        "city",
        "born",
        "extra",
        "source",
        "match_id",
        "match_confidence",
    ];
    assert_eq!(names, expected);
    let bobs = linked.filter("lower(name) = 'bob jones'").unwrap();
    let bobs = rows(
        bobs.select_fields(&["name", "extra", "source", "match_id"])
            .unwrap(),
    )
    .await;
    assert_eq!(
        bobs,
        "name|extra|source|match_id\nBob Jones|7|others|3\nbob jones||people|3"
    );
}

#[tokio::test]
async fn labels_say_what_matches() {
    let people = frame(PEOPLE).await;
    let labels = |second: &'static str| async move {
        let said = format!(
            "SELECT * FROM (VALUES ('1', 'a', 'anna smith', 'london', '1980-02-03'), ('1', 'b', '{second}', 'london', '1980-02-03'))
             AS t(labeling_set_id, label, name, city, born)"
        );
        let labels = frame(&said).await;
        MatchFrames {
            labels: Some(("labels".to_owned(), labels)),
            ..own()
        }
    };
    let mut options = FindMatches::default();
    options.settings.enforce_provided_labels = true;
    let matched = people
        .clone()
        .find_matches(labels("anna smyth").await, &options)
        .unwrap();
    let found = rows(matched.select_fields(&["match_id"]).unwrap()).await;
    assert_eq!(found, "match_id\n1\n2\n3\n4\n5");
    // What is wrong with labels is told when they are read.
    let strange = people
        .find_matches(labels("anna nobody").await, &options)
        .unwrap();
    let error = strange.into_dataframe().collect().await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains(
            "labelling set '1' of labels, line 2: the row is not in the table: name: anna nobody"
        ),
        "{told}"
    );
}

#[tokio::test]
async fn what_cannot_be_is_told_before_a_run() {
    let people = frame(PEOPLE).await;
    let mut options = FindMatches::default();
    options.settings.comparisons = vec![Comparison {
        column: "nam".to_owned(),
        kind: None,
    }];
    let error = people.clone().find_matches(own(), &options).unwrap_err();
    assert!(
        matches!(&error, FrameError::FieldNotFound { path, .. } if path == "nam"),
        "{error}"
    );
    assert_eq!(error.did_you_mean(), Some("name"));
    let mut options = FindMatches::default();
    options.settings.accuracy_cost_tradeoff = 1.5;
    let error = people.clone().find_matches(own(), &options).unwrap_err();
    assert!(
        error.to_string().contains("which is not from 0 to 1"),
        "{error}"
    );
    let frames = MatchFrames {
        existing: Some(("old".to_owned(), people.clone())),
        ..own()
    };
    let error = people
        .clone()
        .find_matches(frames, &FindMatches::default())
        .unwrap_err();
    assert!(
        error.to_string().contains("it takes a saved transform"),
        "{error}"
    );
    let twice = people.find_matches(own(), &FindMatches::default()).unwrap();
    let error = twice
        .find_matches(own(), &FindMatches::default())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has a column 'match_id' already"),
        "{error}"
    );
}
