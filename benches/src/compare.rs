//! Whether two programs gave the same answer.

use std::{
    cmp::Ordering,
    fmt::{self, Display, Formatter},
    fs,
    path::Path,
};

use crate::Outcome;

/// Numbers count as the same when they differ by less than one of these: an average of decimals has four or six digits
/// after the point in one engine, and is a double in another.
const ABSOLUTE: f64 = 1e-4;
const RELATIVE: f64 = 1e-6;

/// Compares two CSV files with a header, without regard to the order of rows. What differs, if something does.
pub(crate) fn csv_files(ours: &Path, theirs: &Path) -> Outcome<Option<String>> {
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    Ok(difference(&read(ours)?, &read(theirs)?))
}

/// Whether two numbers are the same but for rounding.
pub(crate) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= ABSOLUTE.max(RELATIVE * b.abs())
}

fn difference(ours: &str, theirs: &str) -> Option<String> {
    let (mut ours, mut theirs) = (rows(ours), rows(theirs));
    if ours.len() != theirs.len() {
        return Some(format!("{} rows, not {}", ours.len(), theirs.len()));
    }
    ours.sort_by(|a, b| order(a, b));
    theirs.sort_by(|a, b| order(a, b));
    for (a, b) in ours.iter().zip(&theirs) {
        if a.len() != b.len() {
            return Some(format!("{} columns, not {}", a.len(), b.len()));
        }
        if let Some((a, b)) = a.iter().zip(b).find(|(a, b)| !a.same(b)) {
            return Some(format!("{a}, not {b}"));
        }
    }
    None
}

enum Cell {
    Text(String),
    Number(f64),
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Cell {
    fn new(text: &str) -> Self {
        match text.parse() {
            Ok(number) => Self::Number(number),
            // A date is a timestamp at midnight in some engines.
            Err(_) => Self::Text(
                text.trim_end_matches(" 00:00:00")
                    .trim_end_matches("T00:00:00")
                    .to_owned(),
            ),
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => close(*a, *b),
            _ => false,
        }
    }
}

/// By the texts first: they are the same in both files to the last letter, and a number may be not.
fn order(a: &[Cell], b: &[Cell]) -> Ordering {
    let texts = |row: &[Cell]| -> Vec<String> {
        row.iter()
            .filter_map(|c| {
                if let Cell::Text(t) = c {
                    Some(t.clone())
                } else {
                    None
                }
            })
            .collect()
    };
    texts(a).cmp(&texts(b)).then_with(|| {
        let number = |c: &Cell| if let Cell::Number(n) = c { *n } else { 0.0 };
        let differ = a
            .iter()
            .zip(b)
            .map(|(a, b)| number(a).total_cmp(&number(b)));
        differ.fold(Ordering::Equal, Ordering::then)
    })
}

/// The rows of a CSV text, but for its header.
fn rows(text: &str) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => {
                row.push(Cell::new(&cell));
                cell.clear();
            }
            '\n' if !quoted => {
                row.push(Cell::new(&cell));
                cell.clear();
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => cell.push(other),
        }
    }
    if !row.is_empty() || !cell.is_empty() {
        row.push(Cell::new(&cell));
        rows.push(row);
    }
    if !rows.is_empty() {
        rows.remove(0);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn order_and_rounding_do_not_matter() {
        let ours = "a,b,d\nx,1.00,1995-01-01\n\"y, \"\"z\"\"\",0.333333,\n";
        let theirs = "A,B,D\r\n\"y, \"\"z\"\"\",0.33333333333,\r\nx,1,1995-01-01 00:00:00";
        assert_eq!(difference(ours, theirs), None);
    }

    #[test]
    fn values_rows_and_columns_matter() {
        let theirs = "a,b\nx,1\ny,2\n";
        for ours in [
            "a,b\nx,1\ny,2.01\n",
            "a,b\nx,1\nz,2\n",
            "a,b\nx,1\n",
            "a\nx\ny\n",
            "a,b\nx,\ny,2\n",
            "",
        ] {
            assert!(difference(ours, theirs).is_some(), "{ours:?}");
        }
    }
}
