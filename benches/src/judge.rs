//! Holding what a program says of a CSV file against what a person found in it.

use serde::Deserialize;

/// A file, and what a careful person reads in it.
#[derive(Deserialize)]
pub(crate) struct Entry {
    /// Where it is, below the folder of all archives.
    pub(crate) path: String,
    /// Whether it is kept from those who tune: counted, never named.
    pub(crate) held_out: bool,
    /// What it is an example of.
    pub(crate) tags: Vec<String>,
    /// The ways to see it, any of which is right: more than one where nobody could say if it has a header.
    pub(crate) views: Vec<View>,
}

/// One way to see a file.
#[derive(Deserialize)]
pub(crate) struct View {
    /// The names in the header; none without one.
    names: Option<Vec<String>>,
    /// Columns.
    width: usize,
    /// Numbers of rows, any of which is right: rows of nothing but delimiters may count or not.
    rows: Vec<u64>,
    /// For each column the types, any of which is right. `any`: nothing in it tells.
    types: Vec<Vec<String>>,
    /// Some row is longer than the header: columns may follow for what is in it.
    extra_ok: bool,
}

/// What a program says of a file.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Its names of the columns.
    pub(crate) names: Vec<String>,
    /// Its types of the columns, in its own words.
    pub(crate) types: Vec<String>,
    /// The rows it reads.
    pub(crate) rows: Option<u64>,
    /// Why it has no answer.
    pub(crate) error: Option<String>,
}

impl Answer {
    /// None, and why.
    pub(crate) fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

/// What is right in an answer.
#[derive(Debug, Default)]
pub(crate) struct Score {
    /// The number of columns, and their names.
    pub(crate) names: bool,
    /// The number of rows.
    pub(crate) rows: bool,
    /// Columns there are.
    pub(crate) columns: usize,
    /// Columns of the right type.
    pub(crate) right_types: usize,
    /// What is wrong, in words.
    pub(crate) why: Vec<String>,
}

impl Score {
    /// Whether each column's type is right.
    pub(crate) fn types(&self) -> bool {
        self.columns > 0 && self.right_types == self.columns
    }

    /// Whether everything is.
    pub(crate) fn all(&self) -> bool {
        self.names && self.rows && self.types()
    }
}

/// The score of an answer under the view that suits it best.
pub(crate) fn judge(entry: &Entry, answer: &Answer) -> Score {
    let best = entry
        .views
        .iter()
        .map(|view| under(view, answer))
        .max_by_key(|s| (usize::from(s.names) + usize::from(s.rows), s.right_types));
    best.unwrap_or_default()
}

fn under(view: &View, answer: &Answer) -> Score {
    let mut score = Score {
        columns: view.width,
        ..Score::default()
    };
    if let Some(error) = &answer.error {
        score.why.push(error.clone());
        return score;
    }
    let enough =
        answer.names.len() == view.width || (view.extra_ok && answer.names.len() > view.width);
    if enough {
        let wrong = wrong_name(view, &answer.names);
        score.names = wrong.is_none();
        score.why.extend(wrong);
    } else {
        score.why.push(format!(
            "{} columns where {} are",
            answer.names.len(),
            view.width
        ));
    }
    score.rows = answer.rows.is_some_and(|rows| view.rows.contains(&rows));
    if !score.rows {
        score.why.push(format!(
            "{} rows where {} are",
            answer
                .rows
                .map_or_else(|| "no".to_owned(), |r| r.to_string()),
            view.rows.first().copied().unwrap_or_default()
        ));
    }
    if answer.types.len() >= view.width {
        for (at, (right, said)) in view.types.iter().zip(&answer.types).enumerate() {
            let kind = kind(said);
            if right.iter().any(|r| r == "any" || r == kind) {
                score.right_types += 1;
            } else {
                let name = answer.names.get(at).map_or("?", String::as_str);
                score
                    .why
                    .push(format!("'{name}' is {kind}, not {}", right.join(" or ")));
            }
        }
    }
    score
}

/// The first name that is not as in the file. Products normalise names and number repeated ones, each in its way; an
/// empty name may become any.
fn wrong_name(view: &View, said: &[String]) -> Option<String> {
    let names: Vec<String> = view.names.as_ref()?.iter().map(|n| plain(n)).collect();
    names.iter().zip(said).find_map(|(name, said)| {
        let plain = plain(said);
        let repeated = names.iter().filter(|n| *n == name).count() > 1;
        let right =
            name.is_empty() || *name == plain || (repeated && plain.starts_with(name.as_str()));
        (!right).then(|| format!("a column is '{said}', not '{name}'"))
    })
}

/// Lower case, with an underscore for each run of what is neither letter nor digit, and none at the ends.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let parts: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}

/// A product's type in the words of the truth. What the truth has no word for (times of day, UUIDs, JSON) is text there.
fn kind(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let base: &str = said.split(['(', ' ', '<']).next().unwrap_or_default();
    let zoned = said.contains("zone") && !said.contains("time_zone=none");
    match base {
        "timestamptz" => "timestamptz",
        "timestamp" | "datetime" if zoned || said.contains("utc") => "timestamptz",
        "timestamp" | "datetime" | "timestamp_s" | "timestamp_ms" | "timestamp_ns" => "timestamp",
        "boolean" | "bool" => "boolean",
        "tinyint" | "smallint" | "int" | "integer" | "bigint" | "int8" | "int16" | "int32"
        | "int64" | "uint8" | "uint16" | "uint32" | "uint64" | "ubigint" => "bigint",
        "double" | "float" | "real" | "float32" | "float64" => "double",
        "decimal" | "hugeint" | "int128" | "uhugeint" | "bignum" => "decimal",
        "date" => "date",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails panics")]

    use super::*;

    fn entry(text: &str) -> Entry {
        serde_json::from_str(text).unwrap()
    }

    fn answer(names: &[&str], types: &[&str], rows: u64) -> Answer {
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect();
        Answer {
            names: owned(names),
            types: owned(types),
            rows: Some(rows),
            error: None,
        }
    }

    const TWO: &str = r#"{"path": "p", "held_out": false, "tags": [], "views": [{
        "names": ["Unit Price ", "", "unit price"], "width": 3, "rows": [3, 2],
        "types": [["double", "decimal"], ["any"], ["timestamptz"]], "extra_ok": false}]}"#;

    #[test]
    fn all_that_is_right_counts() {
        let zoned = "TIMESTAMP WITH TIME ZONE";
        let score = judge(
            &entry(TWO),
            &answer(
                &["unit_price", "column1", "unit price_2"],
                &["decimal(5,2)", "int", zoned],
                2,
            ),
        );
        assert!(score.all(), "{:?}", score.why);
    }

    #[test]
    fn each_fault_is_seen() {
        let fine = ["unit price", "x", "unit price_2"];
        let types = ["double", "string", "timestamptz"];
        for (said, why) in [
            (
                answer(&["unit", "x", "unit price"], &types, 3),
                "a column is 'unit', not 'unit_price'",
            ),
            (answer(&fine[..2], &types[..2], 3), "2 columns where 3 are"),
            (answer(&fine, &types, 4), "4 rows where 3 are"),
            (
                answer(&fine, &["double", "string", "timestamp"], 3),
                "'unit price_2' is timestamp, not timestamptz",
            ),
            (Answer::failed("no table".into()), "no table"),
        ] {
            let score = judge(&entry(TWO), &said);
            assert!(!score.all());
            assert_eq!(score.why, [why]);
        }
    }

    #[test]
    fn either_view_is_right_where_nobody_could_say() {
        let open = r#"{"path": "p", "held_out": false, "tags": [], "views": [
            {"names": ["A"], "width": 1, "rows": [1], "types": [["string"]], "extra_ok": false},
            {"names": null, "width": 1, "rows": [2], "types": [["string"]], "extra_ok": false}]}"#;
        for said in [
            answer(&["a"], &["string"], 1),
            answer(&["col0"], &["VARCHAR"], 2),
        ] {
            assert!(judge(&entry(open), &said).all());
        }
        assert!(!judge(&entry(open), &answer(&["b"], &["string"], 1)).all());
    }
}
