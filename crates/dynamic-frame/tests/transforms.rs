//! Every transform on small frames: what Glue's documentation says comes out, and what is said of
//! a mistake.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use mastic_dynamic_frame::{
    Change, DynamicFrame, FrameError, JoinKey, JoinKind, Mapping, OnError, sql_frames,
};

async fn frame(sql: &str) -> DynamicFrame {
    let ctx = SessionContext::new();
    DynamicFrame::new(ctx.sql(sql).await.expect(sql)).unwrap()
}

async fn rows(frame: DynamicFrame) -> String {
    let batches = frame.into_dataframe().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> = table
        .lines()
        .filter(|l| l.starts_with('|'))
        .map(|line| {
            let inner = &line[1..line.len() - 1];
            inner
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    if lines.len() > 1 {
        lines[1..].sort_unstable();
    }
    lines.join("\n")
}

/// Persons as in Glue's tutorial: a nested name that is NULL in one, links in an array of structs.
async fn persons() -> DynamicFrame {
    frame(
        "SELECT id, CASE WHEN id < 3 THEN named_struct('first', first, 'last', last) END AS name,
                CASE WHEN id < 3 THEN [named_struct('note', 'w', 'url', first)] END AS links
         FROM (VALUES (1, 'Ada', 'Lovelace'), (2, 'Alan', NULL), (3, 'x', 'y')) AS p(id, first, last)",
    )
    .await
}

async fn flights() -> DynamicFrame {
    frame(
        "SELECT * FROM (VALUES (1, 'UA', 'N1', 2013, 30), (2, 'AA', 'N2', 2013, NULL), (3, 'ZZ', NULL, 2013, -5))
         AS f(flight, carrier, tailnum, year, dep_delay)",
    )
    .await
}

async fn planes() -> DynamicFrame {
    frame("SELECT * FROM (VALUES ('N1', 1999, 'A320'), ('N9', 2004, 'B737'), (NULL, 1, 'x')) AS p(tailnum, year, model)")
        .await
}

#[tokio::test]
async fn drop_fields_at_any_depth() {
    let dropped = persons()
        .await
        .drop_fields(&["links", "name.last"])
        .unwrap();
    assert_eq!(
        dropped.pretty_schema(),
        "root\n|-- id: bigint\n|-- name: struct\n|    |-- first: string\n"
    );
    // A struct that was NULL is still NULL.
    assert_eq!(
        rows(dropped).await,
        "id|name\n1|{first: Ada}\n2|{first: Alan}\n3|"
    );
}

#[tokio::test]
async fn drop_fields_through_arrays() {
    let dropped = persons()
        .await
        .drop_fields(&["links.note", "name"])
        .unwrap();
    assert_eq!(
        dropped.pretty_schema(),
        "root\n|-- id: bigint\n|-- links: array\n|    |-- element: struct\n|    |    |-- url: string\n"
    );
    assert_eq!(
        rows(dropped).await,
        "id|links\n1|[{url: Ada}]\n2|[{url: Alan}]\n3|"
    );
    let emptied = persons()
        .await
        .drop_fields(&["links.note", "links.url", "name"])
        .unwrap();
    assert_eq!(emptied.pretty_schema(), "root\n|-- id: bigint\n");
}

#[tokio::test]
async fn drop_fields_of_a_struct_that_loses_all() {
    let dropped = persons()
        .await
        .drop_fields(&["name.first", "name.last", "links"])
        .unwrap();
    assert_eq!(dropped.pretty_schema(), "root\n|-- id: bigint\n");
    let both = persons()
        .await
        .drop_fields(&["name", "name.first"])
        .unwrap();
    assert_eq!(both.schema().fields().len(), 2);
    assert!(matches!(
        persons()
            .await
            .drop_fields(&["id", "name", "links"])
            .unwrap_err(),
        FrameError::NoFieldsLeft
    ));
}

#[tokio::test]
async fn a_name_that_is_not_there() {
    let error = persons().await.drop_fields(&["name.frist"]).unwrap_err();
    assert_eq!(error.to_string(), "there is no field 'name.frist'");
    assert_eq!(error.did_you_mean(), Some("name.first"));
    let error = flights().await.select_fields(&["zebra"]).unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "there are flight, carrier, tailnum, year, dep_delay"
    );
    let error = persons().await.drop_fields(&["id.x"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "'id' is bigint, but a struct for 'id.x' is needed"
    );
}

#[tokio::test]
async fn drop_null_fields_by_type() {
    let nulls = frame(
        "SELECT 1 AS a, NULL AS b, named_struct('x', 1, 'y', NULL) AS s,
                [named_struct('p', NULL, 'q', 2)] AS l, [NULL] AS m, CAST(NULL AS bigint) AS typed",
    )
    .await;
    let dropped = nulls.drop_null_fields().unwrap();
    assert_eq!(
        dropped.pretty_schema(),
        "root\n|-- a: bigint\n|-- s: struct\n|    |-- x: bigint\n|-- l: array\n|    |-- element: struct\n\
         |    |    |-- q: bigint\n|-- m: array\n|    |-- element: null\n|-- typed: bigint\n"
    );
    assert_eq!(rows(dropped).await, "a|s|l|m|typed\n1|{x: 1}|[{q: 2}]|[]|");
}

#[tokio::test]
async fn rename_field_nested_in_place_and_out() {
    let renamed = persons().await.drop_fields(&["links"]).unwrap();
    let inside = renamed
        .clone()
        .rename_field("name.last", "name.family")
        .unwrap();
    assert_eq!(
        rows(inside).await,
        "id|name\n1|{first: Ada, family: Lovelace}\n2|{first: Alan, family: }\n3|"
    );
    let out = renamed.clone().rename_field("name.first", "first").unwrap();
    assert_eq!(
        rows(out).await,
        "id|name|first\n1|{last: Lovelace}|Ada\n2|{last: }|Alan\n3||"
    );
    let into = renamed.clone().rename_field("id", "name.id").unwrap();
    assert_eq!(
        rows(into).await,
        "name\n{first: , last: , id: 3}\n{first: Ada, last: Lovelace, id: 1}\n{first: Alan, last: , id: 2}"
    );
    let error = renamed.clone().rename_field("id", "NAME").unwrap_err();
    assert!(matches!(error, FrameError::FieldExists { .. }), "{error}");
    assert!(renamed.rename_field("ID", "Id").is_ok(), "case alone");
}

#[tokio::test]
async fn select_fields_keeps_nesting_and_order() {
    let selected = persons().await.select_fields(&["name.last", "ID"]).unwrap();
    assert_eq!(
        rows(selected).await,
        "name|id\n{last: Lovelace}|1\n{last: }|2\n|3"
    );
}

#[tokio::test]
async fn names_with_dots_and_capitals_are_themselves() {
    let odd = frame(r#"SELECT 1 AS "a.b", named_struct('C.d', 2, 'e', 3) AS "S""#).await;
    let renamed = odd.clone().rename_field("`a.b`", "plain").unwrap();
    assert_eq!(rows(renamed).await, "plain|S\n1|{C.d: 2, e: 3}");
    let dropped = odd.clone().drop_fields(&["S.`C.d`"]).unwrap();
    assert_eq!(rows(dropped).await, "a.b|S\n1|{e: 3}");
    let filtered = odd.clone().filter(r#""a.b" = 1 and "S"."e" = 3"#).unwrap();
    assert_eq!(filtered.into_dataframe().count().await.unwrap(), 1);
    let error = odd.filter("S.e = 3").unwrap_err();
    assert!(error.to_string().contains("'s"), "{error}");
}

#[tokio::test]
async fn filter_keeps_what_is_true() {
    let late = flights().await.filter("dep_delay > 0").unwrap();
    assert_eq!(
        rows(late).await,
        "flight|carrier|tailnum|year|dep_delay\n1|UA|N1|2013|30"
    );
    let nested = persons().await.filter("name.first = 'Ada'").unwrap();
    assert_eq!(nested.into_dataframe().count().await.unwrap(), 1);
}

fn told(error: FrameError) -> (String, Option<String>, Option<String>) {
    let hint = error.hint();
    match error {
        FrameError::Expression {
            message,
            text,
            span,
            ..
        } => (message, span.map(|s| text[s].to_owned()), hint),
        other => (other.to_string(), None, hint),
    }
}

#[tokio::test]
async fn a_mistake_in_an_expression_has_its_place() {
    let cases = [
        (
            "dep_dealy > 0",
            "there is no field 'dep_dealy'",
            Some("dep_dealy"),
            Some("did you mean 'dep_delay'?"),
        ),
        (
            "flight > 0 and\n  carier = 'UA'",
            "there is no field 'carier'",
            Some("carier"),
            Some("did you mean 'carrier'?"),
        ),
        (
            "flight >",
            "expected an expression, but it ends here",
            Some(""),
            None,
        ),
        (
            "flight > 0 )",
            "expected end of expression, found )",
            Some(")"),
            None,
        ),
        (
            "uper(carrier) = 'UA'",
            "there is no function 'uper'",
            Some("uper"),
            Some("did you mean 'upper'?"),
        ),
        (
            "flight + 1",
            "'flight + 1' is bigint, but a condition, true or false, is needed",
            None,
            None,
        ),
        (
            "sum(flight) > 3",
            "an aggregate has no place in an expression over one record",
            None,
            Some("use an sql step for it"),
        ),
    ];
    for (text, message, place, hint) in cases {
        let said = told(flights().await.filter(text).unwrap_err());
        assert_eq!(
            (said.0.as_str(), said.1.as_deref(), said.2.as_deref()),
            (message, place, hint),
            "{text}"
        );
    }
    let said = told(flights().await.filter("carrier + 1 = [1]").unwrap_err());
    assert!(!said.0.is_empty());
}

#[tokio::test]
async fn map_sees_the_record_as_it_was() {
    let mapped = flights()
        .await
        .map(&[
            Change::set("flight", "flight * 10"),
            Change::set("was", "flight"),
            Change::set("who.code", "carrier"),
            Change::remove("carrier"),
            Change::remove("tailnum"),
            Change::remove("year"),
        ])
        .unwrap();
    assert_eq!(
        rows(mapped).await,
        "flight|dep_delay|was|who\n10|30|1|{code: UA}\n20||2|{code: AA}\n30|-5|3|{code: ZZ}"
    );
    let ranked = flights()
        .await
        .map(&[Change::set("n", "row_number() over (order by flight)")])
        .unwrap();
    assert_eq!(ranked.into_dataframe().count().await.unwrap(), 3);
}

#[tokio::test]
async fn map_inside_structs_keeps_null_structs() {
    let people = persons().await.drop_fields(&["links"]).unwrap();
    let mapped = people
        .map(&[Change::set("name.first", "upper(name.first)")])
        .unwrap();
    assert_eq!(
        rows(mapped).await,
        "id|name\n1|{first: ADA, last: Lovelace}\n2|{first: ALAN, last: }\n3|"
    );
}

#[tokio::test]
async fn join_kinds() {
    let on = [JoinKey::same("tailnum")];
    let expected = [
        (
            JoinKind::Inner,
            "flight|carrier|tailnum|year|dep_delay|right_year|model\n1|UA|N1|2013|30|1999|A320",
        ),
        (
            JoinKind::Left,
            "flight|carrier|tailnum|year|dep_delay|right_year|model\n1|UA|N1|2013|30|1999|A320\n2|AA|N2|2013|||\n3|ZZ||2013|-5||",
        ),
        (
            JoinKind::Right,
            "flight|carrier|tailnum|year|dep_delay|right_year|model\n1|UA|N1|2013|30|1999|A320\n||N9|||2004|B737\n|||||1|x",
        ),
        (
            JoinKind::Full,
            "flight|carrier|tailnum|year|dep_delay|right_year|model\n1|UA|N1|2013|30|1999|A320\n2|AA|N2|2013|||\n3|ZZ||2013|-5||\n||N9|||2004|B737\n|||||1|x",
        ),
        (
            JoinKind::Semi,
            "flight|carrier|tailnum|year|dep_delay\n1|UA|N1|2013|30",
        ),
        (
            JoinKind::Anti,
            "flight|carrier|tailnum|year|dep_delay\n2|AA|N2|2013|\n3|ZZ||2013|-5",
        ),
    ];
    for (kind, table) in expected {
        let joined = flights().await.join(planes().await, &on, kind).unwrap();
        assert_eq!(rows(joined).await, table, "{kind:?}");
    }
}

#[tokio::test]
async fn join_by_other_names_keeps_both_keys() {
    let airlines = frame("SELECT 'UA' AS code, 'United' AS name").await;
    let joined = flights()
        .await
        .join(
            airlines,
            &[JoinKey::new("carrier", "code")],
            JoinKind::Inner,
        )
        .unwrap();
    assert_eq!(
        rows(joined).await,
        "flight|carrier|tailnum|year|dep_delay|code|name\n1|UA|N1|2013|30|UA|United"
    );
    // By a nested key, a frame with itself.
    let people = persons().await.drop_fields(&["links"]).unwrap();
    let twice = people
        .clone()
        .join(people, &[JoinKey::same("name.first")], JoinKind::Inner)
        .unwrap();
    assert_eq!(twice.clone().into_dataframe().count().await.unwrap(), 2);
    assert_eq!(
        twice
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect::<Vec<_>>(),
        ["id", "name", "right_id", "right_name"]
    );
}

#[tokio::test]
async fn join_of_text_to_numbers_is_refused() {
    let text = frame("SELECT '1' AS flight").await;
    let error = flights()
        .await
        .join(text, &[JoinKey::same("flight")], JoinKind::Inner)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "'flight' is string, but bigint for 'flight' on the left is needed"
    );
    assert!(error.hint().unwrap().contains("cast(flight as bigint)"));
}

#[tokio::test]
async fn apply_mapping_selects_casts_and_nests() {
    let mapped = flights()
        .await
        .apply_mapping_with(
            &[
                Mapping::typed("year", "bigint", "year", "int"),
                "carrier string -> who.carrier string".parse().unwrap(),
                "tailnum -> who.plane.tail".parse().unwrap(),
                Mapping::new("dep_delay", "delay"),
                "carrier -> number int".parse().unwrap(),
            ],
            OnError::Null,
        )
        .unwrap();
    assert_eq!(
        mapped.pretty_schema(),
        "root\n|-- year: int\n|-- who: struct\n|    |-- carrier: string\n|    |-- plane: struct\n\
         |    |    |-- tail: string\n|-- delay: bigint\n|-- number: int\n"
    );
    // The cast that fails is NULL; so is the struct of which nothing is known.
    assert_eq!(
        rows(mapped).await,
        "year|who|delay|number\n2013|{carrier: AA, plane: {tail: N2}}||\n\
         2013|{carrier: UA, plane: {tail: N1}}|30|\n2013|{carrier: ZZ, plane: }|-5|"
    );
}

#[tokio::test]
async fn apply_mapping_un_nests() {
    let flat = persons()
        .await
        .apply_mapping(&[
            Mapping::new("name.first", "first"),
            Mapping::new("id", "`the.id`"),
        ])
        .unwrap();
    assert_eq!(rows(flat).await, "first|the.id\nAda|1\nAlan|2\n|3");
}

#[tokio::test]
async fn apply_mapping_refuses() {
    let tries = [
        (
            Mapping::typed("carrier", "int", "c", "int"),
            "'carrier' is string, but int is needed",
        ),
        (
            Mapping::typed("year", "bigint", "y", "itn"),
            "type 'itn' is unknown (did you mean 'int'?)",
        ),
        (Mapping::new("nope", "n"), "there is no field 'nope'"),
    ];
    for (mapping, message) in tries {
        let error = flights().await.apply_mapping(&[mapping]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    for targets in [["a", "a"], ["a", "A.b"], ["a.b", "a"]] {
        let mappings = targets.map(|t| Mapping::new("year", t));
        let error = flights().await.apply_mapping(&mappings).unwrap_err();
        assert!(
            matches!(error, FrameError::FieldExists { .. }),
            "{targets:?}: {error}"
        );
    }
    let error = persons()
        .await
        .apply_mapping(&[Mapping::new("links.url", "u")])
        .unwrap_err();
    assert!(error.hint().unwrap().contains("unnest"), "{error}");
    // A wider source type than the field's own is what a re-crawl may leave behind.
    let wider = Mapping::typed("flight", "double", "f", "double");
    assert!(flights().await.apply_mapping(&[wider]).is_ok());
    assert!("a string b".parse::<Mapping>().is_err());
}

#[tokio::test]
async fn union_goes_by_name_and_widens() {
    let a = frame("SELECT 1 AS x, 'a' AS y").await;
    let b = frame("SELECT 'b' AS y, 2.5 AS x, true AS z").await;
    let both = a.clone().union(b).unwrap();
    assert_eq!(rows(both).await, "x|y|z\n1.0|a|\n2.5|b|true");
    assert_eq!(
        a.clone()
            .union(a)
            .unwrap()
            .into_dataframe()
            .count()
            .await
            .unwrap(),
        2
    );
    let c = frame("SELECT named_struct('p', 1) AS s").await;
    let d = frame("SELECT named_struct('q', 'k', 'p', 2) AS s").await;
    assert_eq!(
        rows(c.union(d).unwrap()).await,
        "s\n{p: 1, q: }\n{p: 2, q: k}"
    );
}

#[tokio::test]
async fn sql_over_frames() {
    let ctx = SessionContext::new();
    let query =
        "SELECT model, count(*) AS flights FROM f JOIN p ON f.tailnum = p.tailnum GROUP BY model";
    assert_eq!(sql_frames(&ctx.state(), query).unwrap(), ["f", "p"]);
    let frames = [("f", flights().await), ("p", planes().await)];
    let answer = DynamicFrame::sql(&ctx.state(), query, frames.clone())
        .await
        .unwrap();
    assert_eq!(rows(answer).await, "model|flights\nA320|1");

    let cases = [
        ("SELECT * FROM fligths", "there is no frame 'fligths'"),
        ("SELECT * FROM demo.f", "there is no frame 'demo.f'"),
        ("SELEC 1", "expected an SQL statement, found SELEC"),
        ("DROP TABLE f", "an sql step is one query"),
        ("SELECT carier FROM f", "there is no field 'carier'"),
        (
            "SELECT * FROM f JOIN p ON f.tailnum = p.tailnum",
            "the answer has two fields 'tailnum'",
        ),
    ];
    for (query, message) in cases {
        let error = DynamicFrame::sql(&ctx.state(), query, frames.clone())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), message, "{query}");
    }
}

#[tokio::test]
async fn duplicate_columns_are_no_frame() {
    let ctx = SessionContext::new();
    let df = ctx
        .sql("SELECT * FROM (SELECT 1 AS a) x, (SELECT 2 AS a) y")
        .await
        .unwrap();
    assert!(DynamicFrame::new(df).is_err());
}

#[tokio::test]
async fn the_schema_as_a_tree() {
    let all =
        frame("SELECT 1 AS a, map(['k'], [1.5]) AS m, [named_struct('b', true)] AS l, NULL AS n")
            .await;
    assert_eq!(
        all.pretty_schema(),
        "root\n|-- a: bigint\n|-- m: map\n|    |-- keyType: string\n|    |-- valueType: double\n\
         |-- l: array\n|    |-- element: struct\n|    |    |-- b: boolean\n|-- n: null\n"
    );
}
