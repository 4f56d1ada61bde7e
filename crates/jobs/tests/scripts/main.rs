//! Scripts: what they are read as, what they plan to, and what is said of mistakes in them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

mod bad;
mod connections;
mod enrich;
mod good;
mod matching;
mod runs;
mod samples;
mod shape;
mod support;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is in the file, the answer is a script or mistakes with places that exist.
    #[test]
    fn any_text_is_answered(text in "(?s).{0,300}") {
        answered(&text);
    }

    /// Texts made of what scripts are made of get further in.
    #[test]
    fn any_pieces_of_scripts_are_answered(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        answered(&pieces.concat());
    }
}

const PIECES: &[&str] = &[
    "sources:",
    "frames:",
    "sinks:",
    "parameters:",
    "name: x",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\n  - ",
    "\n    - ",
    "a: ",
    "b: db.t",
    "from: a",
    "filter: ",
    "map: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "${",
    "${p}",
    "$${",
    "'",
    "\"",
    "|\n",
    ">\n",
    "sql: ",
    "select 1",
    "é",
    "\t",
    "# c",
    "null",
    "~",
    "&x ",
    "*x",
    "!t ",
    "? ",
    "- ",
    "->",
    "`",
    "---\n",
    "join: ",
    "on: ",
    "path: ",
    "connection: ",
    "postgresql://a:é@b@c/",
    "\r\n",
    "\u{feff}",
    "1",
    "true",
];

fn answered(text: &str) {
    match support::parse(text, &[("p", "1")]) {
        Ok(script) => {
            let _ = mastic_jobs::explain(&script, None);
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for error in &errors.0 {
                assert!(
                    error.source.text().get(error.span.range()).is_some(),
                    "{error:?}"
                );
                assert!(error.render().contains(&error.message));
            }
        }
    }
}
