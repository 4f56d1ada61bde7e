//! Which dialect of CSV a text is in.

use super::rows::Rows;
use crate::format::Head;
use crate::value;

/// A dialect of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// What stands between cells.
    pub delimiter: u8,
    /// What cells may be quoted with.
    pub quote: Option<u8>,
    /// What escapes a quote within quotes, where quotes are not doubled.
    pub escape: Option<u8>,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Cells that stand for null, beside the empty cell.
    pub null_markers: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            header: true,
            null_markers: Vec::new(),
        }
    }
}

/// Glue's five, in the order in which ties are broken.
const DELIMITERS: &[u8] = b",\t;|\x01";

/// How many rows of the head are looked at.
const ROWS: usize = 200;

struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that most rows have.
    width: usize,
    /// The share of rows that have as many.
    regular: f64,
}

fn table(head: &Head<'_>, options: &CsvOptions) -> Option<Table> {
    // A head that is cut is cut at a line, so that no character is halved.
    let whole = match memchr::memrchr(b'\n', head.bytes) {
        Some(last) if !head.complete => &head.bytes[..=last],
        _ => head.bytes,
    };
    let mut reader = Rows::new(whole, options);
    if !head.complete {
        reader = reader.cut_off();
    }
    let count = reader.read("", ROWS).ok()?;
    let mut rows: Vec<Vec<String>> = (0..count)
        .map(|row| reader.row(row).map(str::to_owned).collect())
        .collect();
    if !head.complete && count > 1 && count < ROWS {
        // The head ends within its last row.
        rows.pop();
    }
    let mut widths: Vec<usize> = rows.iter().map(Vec::len).collect();
    widths.sort_unstable();
    let width = *widths.get(widths.len() / 2)?;
    #[allow(clippy::cast_precision_loss)] // at most ROWS
    let regular = widths.iter().filter(|w| **w == width).count() as f64 / widths.len() as f64;
    Some(Table {
        rows,
        width,
        regular,
    })
}

/// The dialect of the head, how sure, and why; `None` where it is no table.
pub(in crate::format) fn sniff(head: &Head<'_>) -> Option<(CsvOptions, f32, String)> {
    if head.bytes.contains(&0) {
        return None;
    }
    let text = match std::str::from_utf8(head.bytes) {
        Ok(_) => true,
        // The head may end within a character.
        Err(error) => error.error_len().is_none(),
    };
    if !text {
        return None;
    }
    let (delimiter, found) = DELIMITERS
        .iter()
        .filter(|delimiter| memchr::memchr(**delimiter, head.bytes).is_some())
        .filter_map(|delimiter| {
            let options = CsvOptions {
                delimiter: *delimiter,
                ..CsvOptions::default()
            };
            let table = table(head, &options)?;
            let enough = table.rows.len() > 1 || (head.complete && calls_itself_csv(head));
            (table.width > 1 && enough).then_some((*delimiter, table))
        })
        .max_by(|(_, a), (_, b)| {
            // Regularity decides, in steps that a few ragged rows do not tip; then width.
            let steps = |t: &Table| (t.regular * 20.0).floor();
            // `max_by` takes the last of equals, and the first delimiter should win.
            steps(a)
                .total_cmp(&steps(b))
                .then(a.width.cmp(&b.width))
                .then(std::cmp::Ordering::Greater)
        })
        .or_else(|| single_column(head))?;
    if found.regular < 0.7 {
        return None;
    }
    let escape = backslash_escapes(head.bytes).then_some(b'\\');
    let mut options = CsvOptions {
        delimiter,
        escape,
        ..CsvOptions::default()
    };
    let found = if escape.is_some() {
        table(head, &options)?
    } else {
        found
    };
    let (header, why) = header(&found.rows);
    options.header = header;
    let name = match delimiter {
        b'\t' => "tabs".to_owned(),
        1 => "\\u0001".to_owned(),
        c => format!("'{}'", char::from(c)),
    };
    let reason = format!(
        "{} columns between {name} in {:.0} % of rows; {why}",
        found.width,
        found.regular * 100.0
    );
    #[allow(clippy::cast_possible_truncation)] // a share
    Some((options, (0.9 * found.regular) as f32, reason))
}

/// What keeps a text from being a table at all, where one thing does.
pub(in crate::format) fn problem(head: &Head<'_>) -> Option<String> {
    let mut reader = Rows::new(head.bytes, &CsvOptions::default());
    match reader.read("", usize::MAX) {
        Err(crate::LakeError::Data { line, message, .. }) if head.complete => {
            Some(format!("{message}, line {}", line.unwrap_or(1)))
        }
        _ => None,
    }
}

/// A list under a name, in a file that calls itself CSV: nothing else would tell it from prose.
fn single_column(head: &Head<'_>) -> Option<(u8, Table)> {
    if !calls_itself_csv(head) {
        return None;
    }
    let table = table(head, &CsvOptions::default())?;
    (table.width == 1 && table.rows.len() > 1).then_some((b',', table))
}

fn calls_itself_csv(head: &Head<'_>) -> bool {
    let name = head.name.to_ascii_lowercase();
    [".csv", ".tsv"].iter().any(|ending| name.contains(ending))
}

/// Whether quotes within quotes are escaped with backslashes: `\"` occurs, and not only before a
/// delimiter, where a backslash may be the last character of a cell.
fn backslash_escapes(text: &[u8]) -> bool {
    let mut inside = 0;
    for at in memchr::memmem::find_iter(text, b"\\\"") {
        match text.get(at + 2) {
            Some(c) if !DELIMITERS.contains(c) && *c != b'\n' && *c != b'\r' => inside += 1,
            _ => {}
        }
    }
    inside > 0
}

fn typed(cell: &str) -> bool {
    let cell = cell.trim();
    value::number(cell).is_some()
        || value::boolean(cell).is_some()
        || value::date(cell).is_some()
        || value::timestamp(cell).is_some()
}

/// Whether the first row names the columns. Glue wants another row with a value that is no text;
/// files whose every column is text have headers too, so those are told by their names' shape and
/// by the names not being values of their columns.
fn header(rows: &[Vec<String>]) -> (bool, &'static str) {
    let Some((first, rest)) = rows.split_first() else {
        return (false, "no rows");
    };
    let named = first.iter().all(|cell| {
        let cell = cell.trim();
        cell.chars().count() < 150 && !typed(cell)
    });
    let empty = first.iter().filter(|cell| cell.trim().is_empty()).count();
    if !named || empty * 2 > first.len() {
        return (
            false,
            "the first row holds values, so the columns are col0, col1 …",
        );
    }
    let mut sorted: Vec<&str> = first.iter().map(|c| c.trim()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let distinct = sorted.len() * 10 >= first.len() * 9;
    let typed_below = (0..first.len()).any(|i| {
        // A file appended to another brings its header along, which is no value.
        let cells = rest.iter().filter(|row| *row != first);
        let cells = cells.filter_map(|row| row.get(i)).map(|c| c.trim());
        let (mut values, mut typed_values) = (0, 0);
        for cell in cells.filter(|c| !c.is_empty() && !value::NULL_MARKERS.contains(c)) {
            values += 1;
            typed_values += usize::from(typed(cell));
        }
        values > 0 && typed_values * 10 >= values * 8
    });
    if typed_below {
        return (
            true,
            "the first row is names, and below it are numbers or dates",
        );
    }
    let recurs = first.iter().enumerate().any(|(i, name)| {
        !name.trim().is_empty() && rest.iter().any(|row| row.get(i).is_some_and(|c| c == name))
    });
    let like_names = first.iter().all(|cell| {
        let cell = cell.trim();
        cell.chars().count() <= 64
            && cell
                .chars()
                .all(|c| c.is_alphanumeric() || " _-./()#%&'".contains(c))
    });
    let edge = |i: usize| i == 0 || i + 1 == first.len();
    let filled = first
        .iter()
        .enumerate()
        .all(|(i, c)| !c.trim().is_empty() || edge(i));
    if distinct && filled && !recurs && like_names {
        (
            true,
            "the first row looks like names and recurs in no column",
        )
    } else {
        (
            false,
            "the first row looks like the others, so the columns are col0, col1 …",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sniffed(text: &str) -> Option<(char, bool)> {
        let head = Head {
            bytes: text.as_bytes(),
            complete: true,
            name: "x.csv",
        };
        sniff(&head).map(|(o, ..)| (char::from(o.delimiter), o.header))
    }

    #[test]
    fn delimiters_and_headers() {
        for (text, expected) in [
            ("a,b\n1,2\n3,4\n", Some((',', true))),
            ("a;b;c\n1,5;2;3\n2,5;3;4\n", Some((';', true))),
            ("a\tb\n1\t2\n", Some(('\t', true))),
            ("1|2\n3|4\n", Some(('|', false))),
            ("name,city\nAnn,Oslo\nBob,Rome\n", Some((',', true))),
            ("Ann,Oslo\nBob,Rome\nAnn,Rome\n", Some((',', false))),
            (
                "a,b\n\"x, y\",\"line\nbreak\"\n\"p\",\"q\"\n",
                Some((',', true)),
            ),
            ("id\n1\n2\n", Some((',', true))),
            ("day,val,val\n1,2,3\n4,5,6\n", Some((',', true))),
            ("id,,x\n1,a,3\n2,b,4\n", Some((',', true))),
            ("id,name\n", Some((',', true))),
        ] {
            assert_eq!(sniffed(text), expected, "{text}");
        }
    }

    #[test]
    fn prose_is_no_table() {
        let prose = "# Read me\n\nThis is prose, with a comma, or two.\nAnother line\nand another, with one.\nThe end.\n";
        let head = Head {
            bytes: prose.as_bytes(),
            complete: true,
            name: "README.md",
        };
        assert!(sniff(&head).is_none());
        assert_eq!(sniffed("\u{0}\u{1}\u{2}"), None);
    }
}
