//! Log formats that are known without being told of.
//!
//! Glue's own come first and in its order ("Adding classifiers to a crawler", AWS Glue developer guide); what
//! they look for is not published, so each follows the format's own documentation. All are written without
//! look-around and are anchored, so that a line is matched in one pass.

use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};

use super::pattern::Pattern;

/// A log format.
pub(super) struct Builtin {
    /// The classification.
    pub(super) name: &'static str,
    /// What whole lines match.
    pub(super) pattern: &'static str,
}

/// Patterns by name, in place of those that the `grok` crate brings under the same names: those are older
/// than the formats are now, or need look-around that a whole line makes needless.
pub(super) const PATTERNS: &[(&str, &str)] = &[
    ("LOG_HOST", r"[0-9A-Za-z:._%-]+"),
    // Without Unicode's letters and spaces, whose tables make expressions large and slow.
    ("LOG_WORD", r"[A-Za-z0-9_-]+"),
    ("LOG_TOKEN", r"[^ ]+"),
    ("LOG_NUMBER", r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"),
    ("LOG_QUOTED", r#"(?:[^"\\]|\\.)*"#),
    (
        "LOG_HTTPDATE",
        r"[0-3]?[0-9]/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}",
    ),
    (
        "LOG_CTIME",
        r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)? [0-9]{4}",
    ),
    (
        "LOG_ISO8601",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    ),
    (
        "LOG_REQUEST",
        r#"(?:%{LOG_WORD:verb} %{LOG_TOKEN:request}(?: HTTP/%{LOG_NUMBER:httpversion})?|%{LOG_QUOTED:rawrequest})"#,
    ),
    // "Log Files", Apache HTTP Server documentation.
    (
        "COMMONAPACHELOG",
        r#"%{LOG_HOST:clientip} %{LOG_TOKEN:ident} %{LOG_TOKEN:auth} \[%{LOG_HTTPDATE:timestamp}\] "%{LOG_REQUEST}" %{INT:response} (?:%{INT:bytes}|-)"#,
    ),
    (
        "COMBINEDAPACHELOG",
        r#"%{COMMONAPACHELOG} "%{LOG_QUOTED:referrer}" "%{LOG_QUOTED:agent}""#,
    ),
    (
        "LOG_COMMON_NARROW",
        r#"%{LOG_HOST:clientip} %{LOG_TOKEN:ident} %{LOG_TOKEN:auth} \[(?<timestamp>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "(?<verb>[A-Za-z0-9_-]+) (?<request>[^ "\\]+)(?: HTTP/(?<httpversion>[0-9]+(?:\.[0-9]+)?))?" (?<response>[0-9]+) (?:(?<bytes>[0-9]+)|-)"#,
    ),
    ("HTTPD_COMMONLOG", "%{COMMONAPACHELOG}"),
    ("HTTPD_COMBINEDLOG", "%{COMBINEDAPACHELOG}"),
    // "Log Files: Error Log", Apache HTTP Server documentation, as versions 2.2 and 2.4 write it.
    (
        "APACHEERRORLOG",
        r"\[%{LOG_CTIME:timestamp}\] \[(?:%{LOG_WORD:module}:)?%{LOG_WORD:loglevel}\](?: \[pid %{INT:pid}(?::tid %{INT:tid})?\])?(?: \[client %{LOG_HOST:client}\])? %{GREEDYDATA:message}",
    ),
    // As `dmesg` prints the kernel's ring buffer.
    (
        "KERNELLOG",
        r"(?:<[0-9]{1,3}>)?\[ *%{LOG_NUMBER:timestamp}\](?:\[ *[CT][0-9]+\])? %{GREEDYDATA:message}",
    ),
    // "IIS Log File Format", Microsoft.
    (
        "MICROSOFTLOG",
        r"%{LOG_HOST:client_ip}, (?<user>[^,]*), (?<date>[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}), (?<time>[0-9]{1,2}:[0-9]{2}:[0-9]{2}), (?<service>[^,]*), (?<server>[^,]*), %{LOG_HOST:server_ip}, %{INT:time_taken}, %{INT:bytes_received}, %{INT:bytes_sent}, %{INT:status}, %{INT:windows_status}, (?<request>[^,]*), (?<target>[^,]*), (?<parameters>.*?),?",
    ),
    // Ruby's `Logger::Formatter`.
    (
        "RUBYLOG",
        r"[DFEWIA], \[%{LOG_ISO8601:timestamp} #%{INT:pid}\] +%{LOG_WORD:loglevel} -- (?<progname>[^:]*): %{GREEDYDATA:message}",
    ),
    // "Squid native access.log", Squid's wiki.
    (
        "SQUIDLOG",
        r"%{LOG_NUMBER:timestamp} +%{INT:duration} %{LOG_HOST:client_address} (?<cache_result>[A-Z_]+)/%{INT:status_code} %{INT:bytes} (?<request_method>[A-Z_-]+) %{LOG_TOKEN:url} %{LOG_TOKEN:user} (?<hierarchy_code>[A-Z_]+)/%{LOG_TOKEN:server} %{LOG_TOKEN:content_type}",
    ),
    // "MONITOR" and "Redis log format", Redis documentation; before 3.0 the process stood in brackets.
    (
        "REDISMONITOR",
        r#"%{LOG_NUMBER:timestamp} \[%{INT:database} (?:lua|unix:[^\]]*|\[?%{LOG_HOST:client}\]?:%{INT:port})\] "(?<command>[^"]*)" ?%{GREEDYDATA:params}"#,
    ),
    (
        "REDISSERVER",
        r"(?:\[%{INT:pid}\]|%{INT:pid}:(?<role>[XCSM])) (?<timestamp>[0-3]?[0-9] [A-Z][a-z]{2} (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?) (?<level>[.*#-]) %{GREEDYDATA:message}",
    ),
    // RFC 5424, section 6.
    (
        "SYSLOG5424",
        r#"<%{INT:priority}>%{INT:version} (?:%{LOG_ISO8601:timestamp}|-) %{LOG_TOKEN:host} %{LOG_TOKEN:app} %{LOG_TOKEN:proc} %{LOG_TOKEN:msgid} (?<structured_data>-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\])+)(?: %{GREEDYDATA:message})?"#,
    ),
    // RFC 3164, section 4, with the priority that files leave out, and the timestamps that newer daemons write.
    (
        "SYSLOG3164",
        r"(?:<%{INT:priority}>)?(?<timestamp>[A-Z][a-z]{2} [ 0-3]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})) %{LOG_HOST:host} (?<program>[^\s:\[\]]+)(?:\[%{INT:pid}\])?: ?%{GREEDYDATA:message}",
    ),
    // "Core functionality: error_log", nginx documentation.
    (
        "NGINXERRORLOG",
        r"(?<timestamp>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[%{LOG_WORD:loglevel}\] %{INT:pid}#%{INT:tid}:(?: \*%{INT:connection})? %{GREEDYDATA:message}",
    ),
    // "Amazon S3 server access log format"; columns by the names of Athena's page on these logs.
    (
        "S3_ACCESS_LOG",
        r#"(?<bucketowner>[0-9a-f]{32,64}|-) %{LOG_TOKEN:bucket_name} \[%{LOG_HTTPDATE:requestdatetime}\] %{LOG_TOKEN:remoteip} %{LOG_TOKEN:requester} %{LOG_TOKEN:requestid} (?<operation>[A-Z0-9]+\.[\w.\-]+) %{LOG_TOKEN:key} (?:"%{LOG_QUOTED:request_uri}"|-) (?:%{INT:httpstatus}|-) %{LOG_TOKEN:errorcode} (?:%{INT:bytessent}|-) (?:%{INT:objectsize}|-) (?:%{INT:totaltime}|-) (?:%{INT:turnaroundtime}|-) (?:"%{LOG_QUOTED:referrer}"|-) (?:"%{LOG_QUOTED:useragent}"|-) %{LOG_TOKEN:versionid}(?: %{LOG_TOKEN:hostid} %{LOG_TOKEN:sigv} %{LOG_TOKEN:ciphersuite} %{LOG_TOKEN:authtype} %{LOG_TOKEN:endpoint} %{LOG_TOKEN:tlsversion})?(?: .*)?"#,
    ),
    // "Access logs for your Application Load Balancer" and "… Classic Load Balancer".
    (
        "ALB_ACCESS_LOG",
        r#"(?<type>https?|h2|grpcs|wss?) %{LOG_ISO8601:time} %{LOG_TOKEN:elb} %{LOG_HOST:client_ip}:%{INT:client_port} (?:%{LOG_HOST:target_ip}:%{INT:target_port}|-) %{LOG_NUMBER:request_processing_time} %{LOG_NUMBER:target_processing_time} %{LOG_NUMBER:response_processing_time} (?:%{INT:elb_status_code}|-) (?:%{INT:target_status_code}|-) %{INT:received_bytes} %{INT:sent_bytes} "(?<request_verb>[^ "]*) (?<request_url>[^"]*?) (?<request_proto>- ?|[^ "]*)" "%{LOG_QUOTED:user_agent}" %{LOG_TOKEN:ssl_cipher} %{LOG_TOKEN:ssl_protocol} %{LOG_TOKEN:target_group_arn} "%{LOG_QUOTED:trace_id}" "%{LOG_QUOTED:domain_name}" "%{LOG_QUOTED:chosen_cert_arn}" %{LOG_TOKEN:matched_rule_priority} %{LOG_TOKEN:request_creation_time} "%{LOG_QUOTED:actions_executed}" "%{LOG_QUOTED:redirect_url}" "%{LOG_QUOTED:lambda_error_reason}"(?: "%{LOG_QUOTED:target_port_list}" "%{LOG_QUOTED:target_status_code_list}" "%{LOG_QUOTED:classification}" "%{LOG_QUOTED:classification_reason}")?(?: .*)?"#,
    ),
    (
        "ELB_ACCESS_LOG",
        r#"%{LOG_ISO8601:timestamp} %{LOG_TOKEN:elb_name} %{LOG_HOST:request_ip}:%{INT:request_port} (?:%{LOG_HOST:backend_ip}:%{INT:backend_port}|-) %{LOG_NUMBER:request_processing_time} %{LOG_NUMBER:backend_processing_time} %{LOG_NUMBER:client_response_time} (?:%{INT:elb_response_code}|-) (?:%{INT:backend_response_code}|-) %{INT:received_bytes} %{INT:sent_bytes} "(?<request_verb>[^ "]*) (?<url>[^"]*?) (?<protocol>- ?|[^ "]*)"(?: "%{LOG_QUOTED:user_agent}" %{LOG_TOKEN:ssl_cipher} %{LOG_TOKEN:ssl_protocol})?"#,
    ),
];

/// The formats in the order in which they are asked.
pub(super) const FORMATS: &[Builtin] = &[
    of("combined_apache", "^%{COMBINEDAPACHELOG}$"),
    of("apache", "^%{COMMONAPACHELOG}$"),
    of("linux_kernel", "^%{KERNELLOG}$"),
    of("microsoft_log", "^%{MICROSOFTLOG}$"),
    of("ruby_logger", "^%{RUBYLOG}$"),
    of("squid", "^%{SQUIDLOG}$"),
    of("redismonlog", "^%{REDISMONITOR}$"),
    of("redislog", "^%{REDISSERVER}$"),
    // Beyond Glue's.
    of("s3_access_log", "^%{S3_ACCESS_LOG}$"),
    of("alb_access_log", "^%{ALB_ACCESS_LOG}$"),
    of("elb_access_log", "^%{ELB_ACCESS_LOG}$"),
    of("nginx_error", "^%{NGINXERRORLOG}$"),
    of("apache_error", "^%{APACHEERRORLOG}$"),
    of("syslog_rfc5424", "^%{SYSLOG5424}$"),
    of("syslog", "^%{SYSLOG3164}$"),
];

/// For a pattern, a narrower one that most lines match, and match in the same way: it leaves no choice at
/// any character, and so takes a third of the time. The lines that it does not match are given to the other.
pub(super) const NARROWER: &[(&str, &str)] = &[
    (
        "^%{COMBINEDAPACHELOG}$",
        r#"^%{LOG_COMMON_NARROW} "(?<referrer>[^"\\]*)" "(?<agent>[^"\\]*)"$"#,
    ),
    ("^%{COMMONAPACHELOG}$", "^%{LOG_COMMON_NARROW}$"),
];

const fn of(name: &'static str, pattern: &'static str) -> Builtin {
    Builtin { name, pattern }
}

/// The formats whose pattern one of these lines matches: all patterns at once, on a few lines, so that files
/// of other kinds are not held up.
pub(super) fn candidates(lines: &[&str]) -> Vec<&'static Builtin> {
    static ALL: LazyLock<RegexSet> = LazyLock::new(|| {
        let expressions = FORMATS.iter().filter_map(|f| {
            let pattern = Pattern::compile(f.pattern, "").ok()?;
            pattern.expression().map(str::to_owned)
        });
        let expressions: Vec<String> = expressions.collect();
        let set = RegexSetBuilder::new(expressions)
            .size_limit(64 << 20)
            .build();
        set.unwrap_or_else(|_| RegexSet::empty())
    });
    let mut found = vec![false; FORMATS.len()];
    for line in lines {
        for at in ALL.matches(line) {
            if let Some(found) = found.get_mut(at) {
                *found = true;
            }
        }
    }
    let with = FORMATS.iter().zip(found);
    with.filter(|(_, found)| *found).map(|(f, _)| f).collect()
}
