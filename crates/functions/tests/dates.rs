//! Dates. «docs» marks examples of <https://trino.io/docs/current/functions/datetime.html>; the rest was
//! computed by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{check, refuse};

#[tokio::test]
async fn parts() {
    check(&[
        ("year(TIMESTAMP '2022-10-20 05:10:00')", "2022"), // docs, as extract
        ("quarter(DATE '2022-10-20')", "4"),
        ("month(DATE '2022-10-20')", "10"),
        ("day(DATE '2022-10-20')", "20"),
        ("day_of_month(DATE '2022-10-20')", "20"),
        // A Thursday; Sunday is 7 and not 0.
        ("day_of_week(DATE '2022-10-20')", "4"),
        ("dow(DATE '2022-10-23')", "7"),
        ("dow(DATE '2022-10-24')", "1"),
        ("day_of_year(DATE '2024-12-31')", "366"),
        ("doy(DATE '2023-03-01')", "60"),
        // 2021 began in the last ISO week of 2020.
        ("week(DATE '2021-01-03')", "53"),
        ("week_of_year(DATE '2021-01-04')", "1"),
        ("year_of_week(DATE '2021-01-03')", "2020"),
        ("yow(DATE '2018-12-31')", "2019"),
        ("hour(TIMESTAMP '2001-08-22 03:04:05.321')", "3"),
        ("minute(TIMESTAMP '2001-08-22 03:04:05.321')", "4"),
        ("second(TIMESTAMP '2001-08-22 03:04:05.321')", "5"),
        ("millisecond(TIMESTAMP '2001-08-22 03:04:05.321')", "321"),
        ("hour(TIME '23:04:05')", "23"),
        ("year(NULL)", "NULL"),
        ("year(CAST(NULL AS DATE))", "NULL"),
        ("arrow_typeof(year(DATE '2022-10-20'))", "Int64"),
        // Before 1970.
        ("second(TIMESTAMP '1969-12-31 23:59:58.250')", "58"),
        ("millisecond(TIMESTAMP '1969-12-31 23:59:58.250')", "250"),
        // On the calendar of the column's zone.
        (
            "day(arrow_cast(TIMESTAMP '2022-12-31 23:30:00', 'Timestamp(Second, Some(\"UTC\"))') \
             AT TIME ZONE '+01:00')",
            "1",
        ),
        // Text in columns of every date type.
        (
            "day(x) FROM (VALUES (DATE '2020-02-29'), (NULL)) AS t(x)",
            "29 ; NULL",
        ),
        ("day(arrow_cast(DATE '2020-02-29', 'Date64'))", "29"),
    ])
    .await;
    refuse(&[
        (
            "year('2020-01-01')",
            &["year", "must be a date or timestamp", "Utf8"],
        ),
        ("year(1)", &["year", "Int64"]),
        ("year()", &["year"]),
        ("hour(DATE '2020-01-01', 1)", &["hour", "1 argument"]),
    ])
    .await;
}

#[tokio::test]
async fn adding() {
    check(&[
        ("date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01T00:01:26"), // docs
        ("date_add('hour', 9, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01T09:00:00"),    // docs
        ("date_add('day', -1, TIMESTAMP '2020-03-01 00:00:00')", "2020-02-29T00:00:00"),    // docs
        ("date_add('month', 1, TIMESTAMP '2012-10-31 01:00:00')", "2012-11-30T01:00:00"),
        ("date_add('millisecond', 5, arrow_cast(TIMESTAMP '2020-01-01 00:00:00', 'Timestamp(Second, None)'))",
         "2020-01-01T00:00:00.005"),
        ("date_add('week', 2, DATE '2020-02-20')", "2020-03-05"),
        ("date_add('quarter', -1, DATE '2020-05-31')", "2020-02-29"),
        ("date_add('YEAR', 1, DATE '2020-02-29')", "2021-02-28"),
        ("date_add('month', -1, TIMESTAMP '1960-03-31 12:00:00.000000001')", "1960-02-29T12:00:00.000000001"),
        ("date_add('day', NULL, DATE '2020-02-29')", "NULL"),
        ("date_add('day', 1, NULL)", "NULL"),
        ("arrow_typeof(date_add('day', 1, DATE '2020-02-29'))", "Date32"),
        ("date_add(u, n, DATE '2020-01-31') FROM (VALUES ('day', 1), ('month', 1), (NULL, 1)) AS t(u, n)",
         "2020-02-01 ; 2020-02-29 ; NULL"),
        // A day over the change to summer time has 23 hours, and 24 hours are not a day.
        ("to_unixtime(date_add('day', 1, arrow_cast(TIMESTAMP '2022-03-26 12:00:00', 'Timestamp(Second, Some(\"Europe/Berlin\"))')))
          - to_unixtime(arrow_cast(TIMESTAMP '2022-03-26 12:00:00', 'Timestamp(Second, Some(\"Europe/Berlin\"))'))",
         "82800.0"),
    ])
    .await;
    refuse(&[
        (
            "date_add('eon', 1, DATE '2020-01-01')",
            &["date_add", "'eon'", "quarter"],
        ),
        (
            "date_add('hour', 1, DATE '2020-01-01')",
            &["date_add", "'hour'", "CAST"],
        ),
        (
            "date_add('year', 9000000000, DATE '2020-01-01')",
            &["date_add", "9000000000 year"],
        ),
        (
            "date_add('day', 9000000000000000000, TIMESTAMP '2020-01-01 00:00:00')",
            &["date_add", "range"],
        ),
        (
            "date_add('day', 1.5, DATE '2020-01-01')",
            &["date_add", "integer", "Float64"],
        ),
        ("date_add('day', 1)", &["date_add", "3 argument"]),
    ])
    .await;
}

#[tokio::test]
async fn difference() {
    check(&[
        ("date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", "86400"), // docs
        ("date_diff('hour', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", "24"), // docs
        ("date_diff('day', DATE '2020-03-01', DATE '2020-03-02')", "1"), // docs
        ("date_diff('second', TIMESTAMP '2020-06-01 12:30:45.000000000', TIMESTAMP '2020-06-02 12:30:45.123456789')", "86400"), // docs
        ("date_diff('millisecond', TIMESTAMP '2020-06-01 12:30:45.000000000', TIMESTAMP '2020-06-02 12:30:45.123456789')", "86400123"), // docs
        // Only complete units count, in both directions.
        ("date_diff('day', TIMESTAMP '2020-03-01 00:00:01', TIMESTAMP '2020-03-02 00:00:00')", "0"),
        ("date_diff('day', TIMESTAMP '2020-03-03 00:00:00', TIMESTAMP '2020-03-01 00:00:01')", "-1"),
        ("date_diff('month', DATE '2020-01-15', DATE '2020-03-14')", "1"),
        ("date_diff('month', DATE '2020-03-14', DATE '2020-01-15')", "-1"),
        ("date_diff('month', DATE '2020-01-15', DATE '2020-03-15')", "2"),
        // The last day of a month completes it.
        ("date_diff('month', DATE '2019-01-31', DATE '2019-02-28')", "1"),
        ("date_diff('month', DATE '2019-01-31', DATE '2019-02-27')", "0"),
        ("date_diff('month', TIMESTAMP '2020-01-15 10:00:00', TIMESTAMP '2020-02-15 09:59:59')", "0"),
        ("date_diff('year', DATE '2020-02-29', DATE '2021-02-28')", "1"),
        ("date_diff('year', DATE '2000-06-30', DATE '2020-06-29')", "19"),
        ("date_diff('quarter', DATE '2020-01-01', DATE '2020-12-31')", "3"),
        ("date_diff('week', DATE '2020-01-01', DATE '2020-01-14')", "1"),
        // A date with a timestamp.
        ("date_diff('hour', DATE '2020-01-01', TIMESTAMP '2020-01-02 12:00:00')", "36"),
        ("date_diff('day', NULL, DATE '2020-01-01')", "NULL"),
    ])
    .await;
    refuse(&[
        (
            "date_diff('hour', DATE '2020-01-01', DATE '2020-01-02')",
            &["date_diff", "'hour'"],
        ),
        (
            "date_diff('days', DATE '2020-01-01', DATE '2020-01-02')",
            &["date_diff", "'days'"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn parsing_and_formatting() {
    check(&[
        ("date_parse('2022/10/20/05', '%Y/%m/%d/%H')", "2022-10-20T05:00:00"), // docs
        ("date_format(TIMESTAMP '2022-10-20 05:10:00', '%m-%d-%Y %H')", "10-20-2022 05"), // docs
        ("date_parse('3-Jan-07 12:05 am', '%e-%b-%y %h:%i %p')", "2007-01-03T00:05:00"),
        ("date_parse('70', '%y')", "1970-01-01T00:00:00"), // docs, in words
        ("date_parse('69', '%y')", "2069-01-01T00:00:00"), // docs, in words
        ("date_parse('29 February', '%d %M')", "2000-02-29T00:00:00"),
        ("date_parse('13:45:06.789123', '%T.%f')", "1970-01-01T13:45:06.789"),
        ("date_parse('2020-W10', '%x-W%v')", "2020-03-02T00:00:00"),
        ("date_parse(NULL, '%Y')", "NULL"),
        ("date_parse('2020', NULL)", "NULL"),
        ("date_parse(arrow_cast('2020', 'Utf8View'), '%Y')", "2020-01-01T00:00:00"),
        ("date_parse(arrow_cast('2020', 'LargeUtf8'), '%Y')", "2020-01-01T00:00:00"),
        ("date_parse(arrow_cast('2020', 'Dictionary(Int32, Utf8)'), '%Y')", "2020-01-01T00:00:00"),
        ("date_parse(s, f) FROM (VALUES ('2020', '%Y'), ('05', '%m'), (NULL, '%Y')) AS t(s, f)",
         "2020-01-01T00:00:00 ; 2000-05-01T00:00:00 ; NULL"),
        ("date_format(TIMESTAMP '2001-01-09 13:04:05.321987', '%a %b %c %d %e %f %H %h %I %i %j %k %l')",
         "Tue Jan 1 09 9 321000 13 01 01 04 009 13 1"),
        ("date_format(TIMESTAMP '2001-01-09 00:04:05', '%M %m %p %r %S %s %T %v %W %x %Y %y %% %q')",
         "January 01 AM 12:04:05 AM 05 05 00:04:05 02 Tuesday 2001 2001 01 % q"),
        ("date_format(DATE '2022-10-20', '%Y%m%d')", "20221020"),
        ("date_format(CAST(NULL AS DATE), '%Y')", "NULL"),
    ])
    .await;
    refuse(&[
        (
            "date_parse('2022-13-01', '%Y-%m-%d')",
            &["date_parse", "'2022-13-01'", "'%Y-%m-%d'"],
        ),
        (
            "date_parse('2022-02-30', '%Y-%m-%d')",
            &["date_parse", "'2022-02-30'"],
        ),
        (
            "date_parse('2022-02', '%Y-%m-%d')",
            &["date_parse", "too short"],
        ),
        (
            "date_parse('2022-02-01 x', '%Y-%m-%d')",
            &["date_parse", "' x'"],
        ),
        (
            "date_parse('Monday 2022-10-20', '%W %Y-%m-%d')",
            &["date_parse", "no such date"],
        ),
        (
            "date_parse('2022', '%U')",
            &["date_parse", "%U is not supported"],
        ),
        (
            "date_format(DATE '2020-01-01', '%w')",
            &["date_format", "%w is not supported"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn iso_8601() {
    check(&[
        ("from_iso8601_date('2020-05-11')", "2020-05-11"), // docs
        ("from_iso8601_date('2020-W10')", "2020-03-02"),   // docs
        ("from_iso8601_date('2020-123')", "2020-05-02"),   // docs
        ("from_iso8601_date('2020-W10-7')", "2020-03-08"),
        ("from_iso8601_date('2020-05')", "2020-05-01"),
        ("from_iso8601_date('2020')", "2020-01-01"),
        ("from_iso8601_date(NULL)", "NULL"),
        (
            "from_iso8601_timestamp('2020-05-11')",
            "2020-05-11T00:00:00Z",
        ), // docs, with UTC as session zone
        (
            "from_iso8601_timestamp('2020-05-11T11:15:05')",
            "2020-05-11T11:15:05Z",
        ), // docs, likewise
        (
            "from_iso8601_timestamp('2020-05-11T11:15:05.055+01:00')",
            "2020-05-11T10:15:05.055Z",
        ), // docs
        (
            "from_iso8601_timestamp('2020-05-11T11:15Z')",
            "2020-05-11T11:15:00Z",
        ),
        (
            "from_iso8601_timestamp('2020-05-11T11-0530')",
            "2020-05-11T16:30:00Z",
        ),
        (
            "from_iso8601_timestamp('2020-05-11T11:15:05,5Z')",
            "2020-05-11T11:15:05.500Z",
        ),
        (
            "from_iso8601_timestamp('2020-05-11T11:15:05.123456789Z')",
            "2020-05-11T11:15:05.123Z",
        ),
        ("from_iso8601_timestamp(NULL)", "NULL"),
    ])
    .await;
    refuse(&[
        (
            "from_iso8601_date('2020-5-11')",
            &["from_iso8601_date", "'2020-5-11'"],
        ),
        (
            "from_iso8601_date('2020-W60')",
            &["from_iso8601_date", "'2020-W60'"],
        ),
        (
            "from_iso8601_date('2021-366')",
            &["from_iso8601_date", "'2021-366'"],
        ),
        ("from_iso8601_date('２０２０')", &["from_iso8601_date"]),
        (
            "from_iso8601_timestamp('2020-05-11 11:15')",
            &["from_iso8601_timestamp", "'2020-05-11 11:15'"],
        ),
        (
            "from_iso8601_timestamp('2020-05-11T11:15:05.Z')",
            &["from_iso8601_timestamp"],
        ),
        (
            "from_iso8601_timestamp('2020-05-11T25:00')",
            &["from_iso8601_timestamp"],
        ),
        (
            "from_iso8601_timestamp('2020-05-11T11:00+é0:00')",
            &["from_iso8601_timestamp"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn other_dates() {
    check(&[
        ("last_day_of_month(DATE '2020-02-01')", "2020-02-29"),
        (
            "last_day_of_month(TIMESTAMP '2021-12-31 23:59:59')",
            "2021-12-31",
        ),
        ("last_day_of_month(NULL)", "NULL"),
        ("date('2020-02-01')", "2020-02-01"),
        ("date(TIMESTAMP '2021-12-31 23:59:59')", "2021-12-31"),
        ("date(NULL)", "NULL"),
        // Half past eleven in UTC is the next day in Berlin.
        (
            "date(arrow_cast('2022-12-31T23:30:00Z', 'Timestamp(Second, Some(\"Europe/Berlin\"))'))",
            "2023-01-01",
        ),
        (
            "date_format(arrow_cast('2022-12-31T23:30:00Z', 'Timestamp(Second, Some(\"Europe/Berlin\"))'), '%Y-%m-%d %H')",
            "2023-01-01 00",
        ),
        ("to_unixtime(TIMESTAMP '1970-01-01 00:00:01.5')", "1.5"),
        ("to_unixtime(DATE '1970-01-02')", "86400.0"),
        ("to_unixtime(NULL)", "NULL"),
    ])
    .await;
    refuse(&[("date('soon')", &["soon"]), ("date(true)", &["date"])]).await;
}
