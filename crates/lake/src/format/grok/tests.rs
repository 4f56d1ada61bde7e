//! Log formats, on lines from their own documentation, and patterns that people write.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use mastic_schema::hive::format_type;
use proptest::prelude::*;

use super::pattern::Pattern;
use super::*;

fn head(text: &str) -> Head<'_> {
    Head {
        bytes: text.as_bytes(),
        complete: true,
        name: "x.log",
    }
}

fn grok(pattern: &str, custom_patterns: &str) -> GrokOptions {
    GrokOptions {
        classification: "own".into(),
        pattern: pattern.into(),
        custom_patterns: custom_patterns.into(),
        missing: None,
        strict: false,
    }
}

#[test]
fn a_strict_log_has_no_other_lines() {
    let mut options = grok("%{WORD:a} %{INT:b}", "");
    let text = "x 1\nnonsense\ny 2\n";
    assert_eq!(read(text, &options).unwrap()[0].num_rows(), 3);
    options.strict = true;
    assert_eq!(
        read(text, &options).unwrap_err().to_string(),
        "f, line 2: the line does not match the grok pattern of own, and StrictMode is true"
    );
    assert_eq!(read("x 1\ny 2\n", &options).unwrap()[0].num_rows(), 2);
}

fn read(text: &str, options: &GrokOptions) -> Result<Vec<RecordBatch>> {
    let (inference, _) = infer("f", text.as_bytes(), options, &Limits::default())?;
    let columns: Vec<Field> = inference
        .fields
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    let decode = Decode {
        file: "f".into(),
        projection: (0..columns.len()).collect(),
        schema: Arc::new(Schema::new(columns)),
        batch_size: 100,
        frame: None,
        predicate: None,
    };
    Decoder::new(text.as_bytes(), options, &decode)?.collect()
}

/// The columns that have a value in the first row, with it.
fn first_row(text: &str, options: &GrokOptions) -> Vec<String> {
    let batch = read(text, options).unwrap().remove(0);
    let mut values = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_valid(0) {
            let shown = arrow::util::display::array_value_to_string(column, 0).unwrap();
            values.push(format!("{}={shown}", field.name()));
        }
    }
    values
}

/// Each line is an example of the format's own documentation, or was written by its program.
const SAMPLES: &[(&str, &str, &[&str])] = &[
    (
        "apache",
        r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
        &[
            "clientip=127.0.0.1",
            "auth=frank",
            "verb=GET",
            "request=/apache_pb.gif",
            "response=200",
            "bytes=2326",
        ],
    ),
    (
        "combined_apache",
        r#"2001:db8::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=\"c\" HTTP/1.1" 304 - "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#,
        &[
            "clientip=2001:db8::1",
            "agent=Mozilla/4.08 [en] (Win98; I ;Nav)",
            "referrer=http://www.example.com/start.html",
            "httpversion=1.1",
        ],
    ),
    (
        "combined_apache",
        r#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "\x16\x03\x01" 400 226 "-" "-""#,
        &[r"rawrequest=\x16\x03\x01", "response=400"],
    ),
    (
        "linux_kernel",
        "[    0.004000] console [tty0] enabled",
        &["timestamp=0.004", "message=console [tty0] enabled"],
    ),
    (
        "microsoft_log",
        "192.168.114.201, -, 03/20/01, 7:55:20, W3SVC2, SALES1, 172.21.13.45, 4502, 163, 3223, 200, 0, GET, /DeptLogo.gif, -,",
        &[
            "client_ip=192.168.114.201",
            "time_taken=4502",
            "status=200",
            "target=/DeptLogo.gif",
        ],
    ),
    (
        "ruby_logger",
        "I, [1999-03-03T02:34:24.895701 #19074]  INFO -- Main: info.",
        &[
            "pid=19074",
            "loglevel=INFO",
            "progname=Main",
            "message=info.",
        ],
    ),
    (
        "squid",
        "1286536309.586    921 192.168.0.68 TCP_MISS/200 507 POST http://rcv-srv37.inplay.tubemogul.co/StreamReceiver/services - DIRECT/174.129.41.128 application/xml",
        &[
            "duration=921",
            "cache_result=TCP_MISS",
            "status_code=200",
            "hierarchy_code=DIRECT",
        ],
    ),
    (
        "redismonlog",
        r#"1339518083.107412 [0 127.0.0.1:60866] "keys" "*""#,
        &[
            "database=0",
            "client=127.0.0.1",
            "command=keys",
            "params=\"*\"",
        ],
    ),
    (
        "redislog",
        "26571:M 27 Dec 2015 11:19:38.835 * DB loaded from disk: 0.000 seconds",
        &[
            "pid=26571",
            "role=M",
            "level=*",
            "message=DB loaded from disk: 0.000 seconds",
        ],
    ),
    (
        "s3_access_log",
        r#"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be DOC-EXAMPLE-BUCKET1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /DOC-EXAMPLE-BUCKET1?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader DOC-EXAMPLE-BUCKET1.s3.us-west-1.amazonaws.com TLSV1.2 arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes"#,
        &[
            "operation=REST.GET.VERSIONING",
            "httpstatus=200",
            "bytessent=113",
            "useragent=S3Console/0.4",
            "tlsversion=TLSV1.2",
        ],
    ),
    (
        "alb_access_log",
        r#"https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#,
        &[
            "type=https",
            "client_port=2817",
            "target_ip=10.0.0.1",
            "elb_status_code=200",
            "request_verb=GET",
            "domain_name=www.example.com",
        ],
    ),
    (
        "elb_access_log",
        r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -"#,
        &[
            "elb_name=my-loadbalancer",
            "request_port=2817",
            "sent_bytes=29",
            "url=http://www.example.com:80/",
        ],
    ),
    (
        "nginx_error",
        "2020/04/26 13:00:11 [error] 10#11: *3 open() \"/usr/share/nginx/html/x\" failed (2: No such file or directory)",
        &["loglevel=error", "pid=10", "tid=11", "connection=3"],
    ),
    (
        "apache_error",
        "[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] File does not exist: /usr/local/apache2/htdocs/favicon.ico",
        &[
            "module=core",
            "loglevel=error",
            "pid=35708",
            "client=72.15.99.187",
        ],
    ),
    (
        "apache_error",
        "[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] client denied by server configuration: /export/home/live/ap/htdocs/test",
        &["loglevel=error", "client=127.0.0.1"],
    ),
    (
        "syslog_rfc5424",
        r#"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App]lication" eventID="1011"] BOMAn application event log entry..."#,
        &[
            "priority=165",
            "app=evntslog",
            "msgid=ID47",
            "message=BOMAn application event log entry...",
        ],
    ),
    (
        "syslog",
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        &[
            "priority=34",
            "host=mymachine",
            "program=su",
            "message='su root' failed for lonvick on /dev/pts/8",
        ],
    ),
    (
        "syslog",
        "Feb  5 17:32:18 10.0.0.99 CRON[1234]: (root) CMD (true)",
        &["timestamp=Feb  5 17:32:18", "program=CRON", "pid=1234"],
    ),
    (
        "w3c_extended",
        "#Software: Microsoft Internet Information Services 6.0\n#Version: 1.0\n#Fields: date time c-ip cs(User-Agent) sc-status\n2001-05-02 17:42:15 172.22.255.255 Mozilla/4.0+(compatible) 200",
        &[
            "date=2001-05-02",
            "c_ip=172.22.255.255",
            "cs_user_agent=Mozilla/4.0+(compatible)",
            "sc_status=200",
        ],
    ),
];

#[test]
fn every_format_knows_its_own_lines() {
    for (name, line, values) in SAMPLES {
        let (options, certainty, _) =
            sniff(&head(line)).unwrap_or_else(|| panic!("{name}: {line}"));
        assert_eq!(
            (options.classification.as_str(), certainty),
            (*name, 1.0),
            "{line}"
        );
        let row = first_row(line, &options);
        for value in *values {
            assert!(row.iter().any(|v| v == value), "{name}: {value} in {row:?}");
        }
    }
}

#[test]
fn every_format_is_matched_in_one_pass() {
    for format in builtin::FORMATS {
        let pattern = Pattern::compile(format.pattern, "").unwrap();
        assert!(pattern.expression().is_some(), "{}", format.name);
    }
}

/// What each capture holds, by both ways.
fn both_ways(pattern: &str, line: &str) -> [Option<Vec<Option<String>>>; 2] {
    let narrow = Pattern::compile(pattern, "").unwrap();
    let wide = Pattern::compile(pattern, "").unwrap().widened();
    [narrow, wide].map(|pattern| {
        let mut values = vec![None; pattern.captures().len()];
        let matched = pattern.matcher().captures(line, |i, text| {
            values[i] = text.map(str::to_owned);
            Ok::<(), ()>(())
        });
        matched.unwrap().then_some(values)
    })
}

#[test]
fn the_narrower_pattern_gives_what_the_wider_one_gives() {
    for (pattern, _) in builtin::NARROWER {
        for (_, line, _) in SAMPLES {
            let [narrow, wide] = both_ways(pattern, line);
            assert_eq!(narrow, wide, "{line}");
        }
    }
}

#[test]
fn other_texts_are_no_logs() {
    for text in [
        "a,b\n1,2\n",
        "The quick brown fox\njumps over the lazy dog\n",
        "<a><b>1</b></a>",
        "2024-01-01 10:00:00,error,disk\n",
        "id name\n1 x\n",
        "",
        "#Fields:\n1\n",
    ] {
        assert!(sniff(&head(text)).is_none(), "{text}");
    }
}

#[test]
fn types_come_from_values_and_from_the_pattern() {
    let text = "1 5 x 1.5 yes\n2 - y NaN no\n";
    let options = grok(
        "%{INT:a:int} %{NOTSPACE:b} %{WORD:c} %{NOTSPACE:d} %{WORD:e:string}",
        "",
    );
    let (inference, _) = infer("f", text.as_bytes(), &options, &Limits::default()).unwrap();
    let types: Vec<String> = inference
        .fields
        .iter()
        .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
        .collect();
    assert_eq!(
        types,
        ["a int", "b bigint", "c string", "d double", "e string"]
    );
    let shown = pretty_format_batches(&read(text, &options).unwrap())
        .unwrap()
        .to_string();
    assert_eq!(shown.lines().nth(4).unwrap().replace(' ', ""), "|2||y||no|");
}

#[test]
fn patterns_are_those_of_glue() {
    // The example of Glue's page.
    let options = grok(
        "%{TIMESTAMP_ISO8601:timestamp} \\[%{MESSAGEPREFIX:message_prefix}\\] %{CRAWLERLOGLEVEL:loglevel} : %{GREEDYDATA:message}",
        "CRAWLERLOGLEVEL (BENCHMARK|ERROR|WARN|INFO|TRACE)\nMESSAGEPREFIX .*-.*-.*-.*-.*",
    );
    let row = first_row(
        "2017-03-30 12:00:05 [a-b-c-d-e] INFO : Crawl started\n",
        &options,
    );
    assert_eq!(
        row,
        [
            "timestamp=2017-03-30T12:00:05",
            "message_prefix=a-b-c-d-e",
            "loglevel=INFO",
            "message=Crawl started"
        ]
    );
    // Look-around, a column that two groups fill, one that the expression names, a pattern found anywhere.
    let options = grok(
        "(?:user=%{WORD:who}|by %{IP:who}) n=%{NUMBER:n} (?<rest>\\S+)",
        "",
    );
    assert_eq!(
        first_row("log: by 10.0.0.1 n=4.5 x;\n", &options),
        ["who=10.0.0.1", "n=4.5", "rest=x;"]
    );
    assert_eq!(
        first_row("user=ann n=4 x;\n", &options),
        ["who=ann", "n=4", "rest=x;"]
    );
    // A custom pattern may be built on the one whose name it takes.
    let options = grok("^%{WORD:w}$", "WORD <%{WORD}>");
    assert_eq!(first_row("<a>\n", &options), ["w=<a>"]);
}

#[test]
fn bad_patterns_say_so() {
    for (pattern, custom, told) in [
        (
            "%{NUMBR:n}",
            "",
            "there is no grok pattern 'NUMBR' (did you mean 'NUMBER'?)",
        ),
        (
            "%{INT:n:number}",
            "",
            "there is no grok type 'number'; there are byte, boolean, double, short, int, long, float and string",
        ),
        ("%{INT:n", "", "'%{INT:n' is not closed"),
        ("%{INT}", "", "the pattern names no column"),
        ("(%{INT:n}", "", "the expression is bad: unclosed group"),
        (
            "%{A:n}",
            "A %{B}\nB %{A}",
            "the custom pattern 'A' refers to itself",
        ),
        (
            "%{A:n}",
            "A",
            "the custom pattern 'A' has a name and no expression",
        ),
        (
            "(?:a{999}){999}%{INT:n}",
            "",
            "the pattern compiles to more than 16 MiB",
        ),
    ] {
        assert_eq!(
            grok(pattern, custom).check().unwrap_err().to_string(),
            told,
            "{pattern}"
        );
    }
    // Names that double with each line: two to the 40 bytes, were they written out.
    let doubling: String = (0..40)
        .map(|i| format!("P{i} %{{P{0}}}%{{P{0}}}\n", i + 1))
        .collect();
    let error = grok("%{P0:n}", &format!("{doubling}P40 x"))
        .check()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pattern grows beyond 256 KiB when its names are replaced"
    );
}

#[test]
fn lines_that_do_not_match_are_told() {
    let line = SAMPLES[0].1;
    let mut text = format!("{line}\n\n").repeat(30);
    text.push_str("oops\n");
    let (options, certainty, _) = sniff(&head(&text)).unwrap();
    assert!(certainty > 0.9 && certainty < 1.0);
    let (inference, mismatches) =
        infer("f", text.as_bytes(), &options, &Limits::default()).unwrap();
    assert_eq!(inference.rows, 31);
    assert_eq!(
        mismatches.told().unwrap(),
        "; 1 line does not match, the first is line 61: each is a row of nulls"
    );
    let rows = read(&text, &options).unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 31);
    let last = rows.last().unwrap();
    let row = last.num_rows() - 1;
    let null = |c: &arrow::array::ArrayRef| c.logical_nulls().is_some_and(|n| n.is_null(row));
    assert!(last.columns().iter().all(null));
    let half = format!("{line}\nx\n");
    assert!(sniff(&head(&half)).is_none());
    assert!((super::certainty(&head(&half), &options).unwrap().0 - 0.5).abs() < 0.01);
}

#[test]
fn bytes_that_are_no_utf_8_are_latin() {
    let mut line = SAMPLES[0].1.as_bytes().to_vec();
    let at = line.iter().position(|b| *b == b'_').unwrap();
    line[at] = 0xe9;
    let (inference, mismatches) = infer(
        "f",
        line.as_slice(),
        &known("apache").unwrap(),
        &Limits::default(),
    )
    .unwrap();
    assert_eq!((inference.rows, mismatches.count), (1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_is_a_log_or_none(text in "[\\[\\]\"<>#%a-zA-Z0-9:/., -]{0,80}", from in 0usize..SAMPLES.len(), cut in 0usize..60, at in 0usize..60) {
        // A line that is one, with something else in the middle.
        let sample = SAMPLES[from].1;
        let at = at.min(sample.len());
        prop_assume!(sample.is_char_boundary(at));
        let end = (at + cut).min(sample.len());
        let line = format!("{}{text}{}", &sample[..at], &sample[end..]);
        if let Some((options, ..)) = sniff(&head(&line)) {
            let rows: usize = read(&line, &options).unwrap().iter().map(RecordBatch::num_rows).sum();
            prop_assert!(rows > 0);
        }
    }

    #[test]
    fn narrower_and_wider_agree(request in "[A-Z/a \\\\\"\\-HTP.1]{0,20}", rest in "[ \"a\\\\-]{0,8}") {
        let line = format!("h - - [10/Oct/2000:13:55:36 +0000] \"{request}\" 200 - \"{rest}\" \"x\"");
        let [narrow, wide] = both_ways("^%{COMBINEDAPACHELOG}$", &line);
        prop_assert_eq!(narrow, wide);
    }

    #[test]
    fn any_pattern_is_compiled_or_refused(pattern in "[%{}A-Za-z:()\\[\\]*+?|\\\\^$<>=!0-9 ,.]{0,30}", line in "[a-z0-9 ]{0,20}") {
        if grok(&pattern, "A a%{INT:n}").check().is_ok() {
            let _ = read(&line, &grok(&pattern, "A a%{INT:n}"));
        }
    }
}
