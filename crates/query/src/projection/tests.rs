//! What settings give which partitions. Expected values are those of the Athena user guide where it has the example,
//! and otherwise counted by hand.
#![allow(clippy::unwrap_used)]

use chrono::NaiveDate;
use mastic_catalog::{CompareOp, StorageDescriptor};
use proptest::prelude::*;

use super::*;

fn table(keys: &[(&str, &str)], parameters: &[(&str, &str)]) -> Table {
    let mut table = Table::new("d", "t");
    table.partition_keys = keys.iter().map(|(n, t)| Column::new(*n, *t)).collect();
    table.storage_descriptor = Some(StorageDescriptor {
        location: Some("s3://lake/t/".into()),
        ..StorageDescriptor::default()
    });
    table.parameters = parameters
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    table
        .parameters
        .entry("projection.enabled".into())
        .or_insert_with(|| "true".into());
    table
}

fn now() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2024, 3, 31)
        .unwrap()
        .and_hms_opt(14, 55, 7)
        .unwrap()
}

fn projection(keys: &[(&str, &str)], parameters: &[(&str, &str)]) -> Projection {
    Projection::at(&table(keys, parameters), now())
        .unwrap()
        .unwrap()
}

fn locations(projection: &Projection, predicate: Option<PartitionPredicate>) -> Vec<String> {
    let found = projection.partitions(predicate.as_ref()).unwrap();
    found.into_iter().map(|p| p.location).collect()
}

fn error(keys: &[(&str, &str)], parameters: &[(&str, &str)]) -> (String, String) {
    let error = Projection::at(&table(keys, parameters), now()).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn a_table_says_whether_its_partitions_are_projected() {
    let of = |value: &str| {
        let table = table(
            &[("a", "string")],
            &[
                ("projection.enabled", value),
                ("projection.a.type", "enum"),
                ("projection.a.values", "x"),
            ],
        );
        Projection::at(&table, now()).map(|p| p.is_some())
    };
    assert!(of("true").unwrap() && of("TRUE").unwrap());
    assert!(!of("false").unwrap());
    assert!(of("yes").is_err());
    assert!(Projection::of(&Table::new("d", "t")).unwrap().is_none());
}

#[test]
fn every_kind_of_key_has_its_values() {
    let all = projection(
        &[("state", "string"), ("n", "int"), ("day", "string")],
        &[
            ("projection.state.type", "enum"),
            ("projection.state.values", "OR,W A"),
            ("projection.n.type", "integer"),
            ("projection.n.range", "0,5"),
            ("projection.n.interval", "5"),
            ("projection.n.digits", "3"),
            ("projection.day.type", "date"),
            ("projection.day.format", "yyyy/MM/dd"),
            ("projection.day.range", "NOW-1DAY,NOW"),
        ],
    );
    assert_eq!(all.count(), Some(8));
    let found = all.partitions(None).unwrap();
    assert_eq!(found.len(), 8);
    assert_eq!(found[0].values, ["OR", "000", "2024/03/30"]);
    assert_eq!(
        found[0].location,
        "s3://lake/t/state=OR/n=000/day=2024%2F03%2F30"
    );
    assert_eq!(found[7].values, ["W A", "005", "2024/03/31"]);
}

#[test]
fn a_template_says_where_partitions_lie() {
    let keys = [("region", "string"), ("dt", "date")];
    let settings = [
        ("projection.region.type", "enum"),
        ("projection.region.values", "eu,us"),
        ("projection.dt.type", "date"),
        ("projection.dt.format", "yyyy/MM"),
        ("projection.dt.range", "2023/12,2024/02"),
        ("storage.location.template", "s3://logs/${dt}/in-${REGION}/"),
    ];
    let all = projection(&keys, &settings);
    assert_eq!(all.base(), Some("s3://logs"));
    // The key is a date: it is compared as one, and shown in the format.
    let day = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    let found = all.partitions(Some(&PartitionPredicate::compare(
        "dt",
        CompareOp::Ge,
        Value::Date(day),
    )));
    let found = found.unwrap();
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].values, ["eu", "2024-01-01"]);
    assert_eq!(found[0].location, "s3://logs/2024/01/in-eu/");
    for (template, why) in [
        ("s3://logs/${dt}/", "'region' does not stand in it"),
        ("s3://logs/${dt}/${regoin}", "'${regoin}' is none"),
        ("s3://logs/${dt}/${region", "not closed"),
    ] {
        let mut settings = settings.to_vec();
        settings[5].1 = template;
        let (message, _) = error(&keys, &settings);
        assert!(
            message.contains("storage.location.template of d.t"),
            "{message}"
        );
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_billion_is_found_without_counting() {
    let all = projection(
        &[("id", "bigint"), ("hour", "string")],
        &[
            ("projection.id.type", "integer"),
            ("projection.id.range", "0,9223372036854775807"),
            ("projection.hour.type", "date"),
            ("projection.hour.format", "yyyy-MM-dd-HH"),
            ("projection.hour.range", "1970-01-01-00,2100-01-01-00"),
            ("projection.hour.interval", "1"),
            ("projection.hour.interval.unit", "HOURS"),
        ],
    );
    let of = |text: &str| Value::Str(text.to_owned());
    let one = PartitionPredicate::eq("id", 123_456_789_012)
        .and(PartitionPredicate::eq("hour", of("2024-02-29-23")));
    assert_eq!(
        locations(&all, Some(one)),
        ["s3://lake/t/id=123456789012/hour=2024-02-29-23"]
    );
    // A day of hours, by the beginning of their text; ids around the end.
    let some = PartitionPredicate::compare("id", CompareOp::Gt, i64::MAX - 2)
        .and(PartitionPredicate::compare(
            "hour",
            CompareOp::Ge,
            of("2024-02-29"),
        ))
        .and(PartitionPredicate::compare(
            "hour",
            CompareOp::Lt,
            of("2024-03-01"),
        ));
    assert_eq!(locations(&all, Some(some)).len(), 2 * 24);
    // Not within a negation, and not across an OR.
    let not = PartitionPredicate::Not(Box::new(
        PartitionPredicate::compare("id", CompareOp::Ge, 3).or(PartitionPredicate::compare(
            "hour",
            CompareOp::Ne,
            of("2000-01-01-00"),
        )),
    ));
    assert_eq!(locations(&all, Some(not)).len(), 3);
    let error = all
        .partitions(Some(&PartitionPredicate::eq("id", 5)))
        .unwrap_err();
    assert!(error.to_string().contains("1139569 of 'hour'"), "{error}");
    assert!(
        error.to_string().contains("1000000 are the most"),
        "{error}"
    );
}

#[test]
fn a_text_that_does_not_sort_is_found_by_what_it_stands_for() {
    let of = |format: &'static str, range: &'static str, unit: &'static str| {
        projection(
            &[("at", "string")],
            &[
                ("projection.at.type", "date"),
                ("projection.at.format", format),
                ("projection.at.range", range),
                ("projection.at.interval", "1"),
                ("projection.at.interval.unit", unit),
            ],
        )
    };
    let found = |all: &Projection, text: &str| {
        let equal = PartitionPredicate::eq("at", Value::Str(text.to_owned()));
        all.partitions(Some(&equal)).map(|found| found.len())
    };
    // A hundred million minutes are not looked at.
    let minutes = of(
        "mm:HH dd-MM-yyyy",
        "00:00 01-01-1900,00:00 01-01-2100",
        "MINUTES",
    );
    assert!(minutes.count().unwrap() > 100_000_000);
    assert_eq!(found(&minutes, "30:12 29-02-2024").unwrap(), 1);
    assert_eq!(found(&minutes, "30:12 29-02-2023").unwrap(), 0);
    assert_eq!(found(&minutes, "30:12 9-02-2024").unwrap(), 0);
    // Texts that do not say all are looked at one by one.
    let days = of("dd.MM", "01.01,31.12", "DAYS");
    assert_eq!(found(&days, "24.12").unwrap(), 1);
    let months = of("MM-yyyy", "01-2024,12-2024", "DAYS");
    assert_eq!(found(&months, "02-2024").unwrap(), 1);
}

#[test]
fn injected_keys_are_asked_for() {
    let keys = [("device", "string"), ("n", "int")];
    let all = projection(
        &keys,
        &[
            ("projection.device.type", "injected"),
            ("projection.n.type", "integer"),
            ("projection.n.range", "1,2"),
        ],
    );
    assert_eq!(all.count(), None);
    let of = |text: &str| Value::Str(text.to_owned());
    let one = PartitionPredicate::eq("device", of("a/b"));
    assert_eq!(
        locations(&all, Some(one)),
        [
            "s3://lake/t/device=a%2Fb/n=1",
            "s3://lake/t/device=a%2Fb/n=2"
        ]
    );
    let some = PartitionPredicate::In {
        key: "device".into(),
        values: vec![of("x"), of("y"), of("x")],
    }
    .and(PartitionPredicate::eq("n", 2));
    assert_eq!(
        locations(&all, Some(some)),
        ["s3://lake/t/device=x/n=2", "s3://lake/t/device=y/n=2"]
    );
    for predicate in [
        None,
        Some(PartitionPredicate::eq("n", 2)),
        Some(PartitionPredicate::eq("device", of("x")).or(PartitionPredicate::eq("n", 1))),
        Some(PartitionPredicate::compare(
            "device",
            CompareOp::Ge,
            of("x"),
        )),
    ] {
        let error = all.partitions(predicate.as_ref()).unwrap_err();
        assert!(
            error.to_string().contains("'device' of d.t is injected"),
            "{error}"
        );
    }
}

#[test]
fn one_text_is_one_partition_however_many_times_it_stands_for() {
    let all = projection(
        &[("month", "string")],
        &[
            ("projection.month.type", "date"),
            ("projection.month.format", "yyyy-MM"),
            ("projection.month.range", "2024-01,2024-03"),
            ("projection.month.interval", "1"),
            ("projection.month.interval.unit", "DAYS"),
        ],
    );
    assert_eq!(
        locations(&all, None),
        ["2024-01", "2024-02", "2024-03"].map(|m| format!("s3://lake/t/month={m}"))
    );
}

#[test]
fn wrong_settings_name_the_property_the_table_and_what_was_meant() {
    let key = [("n", "int")];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("projection.n.type", "integer"),
            ("projection.n.range", "1,2"),
        ];
        for (name, value) in more {
            all.retain(|(n, _)| n != name);
            all.push((name, value));
        }
        error(&key, &all)
    };
    for (more, message, hint) in [
        (
            ("projection.n.type", "intger"),
            "projection.n.type of d.t is 'intger'",
            "'integer'",
        ),
        (
            ("projection.n.type", "string"),
            "projection.n.type of d.t is 'string'",
            "enum, integer",
        ),
        (
            ("projection.n.rnage", "1,2"),
            "projection.n.rnage",
            "'projection.n.range'",
        ),
        (
            ("projection.m.type", "enum"),
            "none of the partition keys",
            "'projection.n.type'",
        ),
        (
            ("projection.n.range", "1-2"),
            "projection.n.range of d.t is '1-2'",
            "",
        ),
        (
            ("projection.n.range", "1,2,3"),
            "a first and a last value",
            "",
        ),
        (("projection.n.range", "2,1"), "ends before it begins", ""),
        (
            ("projection.n.range", "1,x"),
            "'x', which is no whole number",
            "",
        ),
        (
            ("projection.n.range", "1,9223372036854775808"),
            "no whole number of 64 bits",
            "",
        ),
        (("projection.n.interval", "0"), "above 0", ""),
        (("projection.n.digits", "-1"), "above 0", ""),
        (("projection.n.digits", "1000"), "more than 64", ""),
        (
            ("projection.n.format", "yyyy"),
            "not for keys of the type integer",
            "date",
        ),
    ] {
        let (found, help) = with(&[more]);
        assert!(found.contains(message), "{found}");
        assert!(help.contains(hint), "{help}");
    }
    let (found, help) = error(&key, &[]);
    assert!(
        found.contains("projection.n.type of d.t is missing"),
        "{found}"
    );
    assert!(help.contains("injected"), "{help}");
    let date = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("projection.n.type", "date"),
            ("projection.n.range", "2020,2021"),
        ];
        all.extend(more);
        error(&key, &all).0
    };
    for (more, message) in [
        (vec![], "projection.n.format of d.t is missing"),
        (
            vec![("projection.n.format", "yyyy-QQ")],
            "'Q' is none of the letters",
        ),
        (
            vec![("projection.n.format", "yyyy")],
            "projection.n.interval.unit of d.t is missing",
        ),
        (
            vec![
                ("projection.n.format", "yyyy"),
                ("projection.n.interval.unit", "YEARS"),
            ],
            "projection.n.interval of d.t is missing",
        ),
        (
            vec![
                ("projection.n.format", "yyyy"),
                ("projection.n.interval.unit", "DECADES"),
            ],
            "is 'DECADES'",
        ),
        (
            vec![("projection.n.format", "yyyy-MM")],
            "projection.n.range of d.t cannot be read",
        ),
    ] {
        let found = date(&more);
        assert!(found.contains(message), "{found}");
    }
}

/// A predicate on two keys, of everything that is pruned by.
fn predicates() -> impl Strategy<Value = PartitionPredicate> {
    let op = prop_oneof![
        Just(CompareOp::Eq),
        Just(CompareOp::Ne),
        Just(CompareOp::Lt),
        Just(CompareOp::Le),
        Just(CompareOp::Gt),
        Just(CompareOp::Ge),
    ];
    let number = (op.clone(), -3_i64..25)
        .prop_map(|(op, n)| PartitionPredicate::compare("n", op, Value::Int(n)));
    let text = (
        op,
        "(2024-0[0-9]|2024-0[1-3]-[0-3][0-9]|0[0-9]|[a-c]|1[0-9])",
    )
        .prop_map(|(op, t)| PartitionPredicate::compare("s", op, Value::Str(t)));
    let list =
        proptest::collection::vec(-3_i64..25, 0..4).prop_map(|values| PartitionPredicate::In {
            key: "N".into(),
            values: values.into_iter().map(Value::Int).collect(),
        });
    let between = (-3_i64..25, -3_i64..25).prop_map(|(low, high)| PartitionPredicate::Between {
        key: "n".into(),
        low: Value::Int(low),
        high: Value::Int(high),
    });
    let other = prop_oneof![
        Just(PartitionPredicate::IsNull("s".into())),
        Just(PartitionPredicate::Like {
            key: "s".into(),
            pattern: "%1%".into(),
        }),
    ];
    prop_oneof![number, text, list, between, other].prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(PartitionPredicate::And),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(PartitionPredicate::Or),
            inner.prop_map(|p| PartitionPredicate::Not(Box::new(p))),
        ]
    })
}

proptest! {
    /// Pruning leaves what a look at every partition leaves.
    #[test]
    fn pruning_changes_nothing(predicate in predicates(), which in 0_usize..5) {
        let of_text: &[(&str, &str)] = match which {
            0 => &[("projection.s.type", "enum"), ("projection.s.values", "a,b,2024-02,01,c")],
            1 => &[("projection.s.type", "integer"), ("projection.s.range", "0,30"), ("projection.s.digits", "2")],
            2 => &[("projection.s.type", "integer"), ("projection.s.range", "-5,30")],
            3 => &[("projection.s.type", "date"), ("projection.s.range", "2024-01-01,2024-03-01"),
                ("projection.s.format", "yyyy-MM-dd"), ("projection.s.interval", "3")],
            _ => &[("projection.s.type", "date"), ("projection.s.range", "01-01-2024,01-03-2024"),
                ("projection.s.format", "dd-MM-yyyy")],
        };
        let mut settings = of_text.to_vec();
        settings.extend([("projection.n.type", "integer"), ("projection.n.range", "-2,20"), ("projection.n.interval", "2")]);
        let all = projection(&[("s", "string"), ("n", "int")], &settings);
        let keys = [Column::new("s", "string"), Column::new("n", "int")];
        let expected: Vec<Projected> = all.partitions(None).unwrap().into_iter()
            .filter(|p| predicate.eval(&keys, &p.values) == Some(true))
            .collect();
        prop_assert_eq!(all.partitions(Some(&predicate)).unwrap(), expected);
    }

    #[test]
    fn hostile_settings_do_not_panic(
        range in "[-NOW0-9,+ A-Z]{0,20}", format in "[yMdHms' -]{0,8}", interval in "[0-9-]{0,20}", unit in "[A-Z]{0,7}",
    ) {
        for kind in ["date", "integer"] {
            let table = table(&[("n", "date")], &[
                ("projection.n.type", kind), ("projection.n.range", &range), ("projection.n.format", &format),
                ("projection.n.interval", &interval), ("projection.n.interval.unit", &unit),
            ]);
            if let Ok(Some(found)) = Projection::at(&table, now()) {
                let _ = found.count();
                let _ = found.partitions(Some(&PartitionPredicate::eq("n", Value::Str("2024-01-01".into()))));
            }
        }
    }
}
