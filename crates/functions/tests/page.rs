//! `docs/functions.md` lists Trino's functions with ours beside them. It is made from `page/trino.txt`, which is
//! held against what is registered; `UPDATE_PAGE=1 cargo test -p mastic-functions --test page` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// What is no function but syntax, and so is in no registry.
const SYNTAX: [&str; 7] = [
    "case",
    "cast",
    "extract",
    "position",
    "try_cast",
    "localtime",
    "localtimestamp",
];

struct Line<'a> {
    name: &'a str,
    verdict: &'a str,
    how: &'a str,
}

fn topics(text: &str) -> Vec<(&str, Vec<Line<'_>>)> {
    let mut topics: Vec<(&str, Vec<Line<'_>>)> = Vec::new();
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        if let Some(topic) = line.strip_prefix('[') {
            topics.push((topic.trim_end_matches(']'), Vec::new()));
            continue;
        }
        let (name, rest) = line.split_once(" = ").unwrap();
        let (verdict, how) = rest.split_once(": ").unwrap_or((rest, ""));
        assert!(
            ["same", "different", "missing"].contains(&verdict),
            "{line}"
        );
        assert_eq!(verdict == "same", how.is_empty(), "{line}");
        topics
            .last_mut()
            .unwrap()
            .1
            .push(Line { name, verdict, how });
    }
    topics
}

fn page(topics: &[(&str, Vec<Line<'_>>)]) -> String {
    let count = |verdict: &str| {
        let lines = topics.iter().flat_map(|(_, lines)| lines);
        lines.filter(|l| l.verdict == verdict).count()
    };
    let mut out = String::new();
    writeln!(
        out,
        "# The functions of Trino, and ours\n\nAthena's engine is Trino. Of its functions, {} are the same here, {} differ in what is said beside them, and {} are\nmissing. Its operators mean the same too: `/` of integers cuts, a result that does not fit is an error, `a[i]` counts\nfrom 1 and fails where there is nothing. What DataFusion has beyond these can be called as well.\n\nA test makes this page and holds it against what is registered: `crates/functions/tests/page.rs`.",
        count("same"),
        count("different"),
        count("missing")
    )
    .unwrap();
    for (topic, lines) in topics {
        writeln!(out, "\n## {topic}\n\n| function | here | |\n|---|---|---|").unwrap();
        for Line { name, verdict, how } in lines {
            writeln!(out, "| `{name}` | {verdict} | {how} |").unwrap();
        }
    }
    out
}

#[test]
fn the_page_says_what_there_is() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(here.join("tests/page/trino.txt")).unwrap();
    let topics = topics(&text);
    let session = common::session();
    let state = session.state();
    let known: BTreeSet<&str> = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .chain(state.higher_order_functions().keys())
        .map(String::as_str)
        .chain(mastic_functions::sql::REWRITTEN)
        .chain(SYNTAX)
        .collect();
    for line in topics.iter().flat_map(|(_, lines)| lines) {
        if line.name.contains(' ') {
            continue;
        }
        assert_eq!(
            known.contains(line.name.to_lowercase().as_str()),
            line.verdict != "missing",
            "{} is said to be {}",
            line.name,
            line.verdict
        );
    }
    let path = here.join("../../docs/functions.md");
    let page = page(&topics);
    if std::env::var_os("UPDATE_PAGE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/functions.md is out of date: UPDATE_PAGE=1 cargo test -p mastic-functions --test page"
    );
}
