//! Which of a file's last rows are notes about the table, and not its rows.

use super::shape::{Shape, shape};

/// How many rows at the end of a file may be notes.
pub(super) const MOST: usize = 32;

/// Words that notes begin with.
const WORDS: &[&str] = &[
    "source",
    "sources",
    "note",
    "notes",
    "footnote",
    "footnotes",
    "data from",
    "data source",
    "data extracted",
    "last updated",
    "updated",
    "generated",
    "created",
    "exported",
    "copyright",
    "©",
    "(c)",
    "*",
    "†",
    "‡",
    "http://",
    "https://",
    "see ",
    "for more",
    "for further",
    "prepared by",
    "quelle",
    "stand:",
    "fuente",
    "nota",
    "bron",
    "report generated",
    "end of",
    "e.o.f",
    "eof",
    "total:",
    "totals:",
    "grand total:",
    "disclaimer",
    "contact",
    "prepared",
    "accessed",
    "date of",
    "figures",
    "legend",
    "key:",
];

/// Whether a row of a table of `width` columns has one cell that is no value, and nothing else.
pub(super) fn is_lone<'a>(mut cells: impl Iterator<Item = &'a str>, width: usize) -> bool {
    let Some(first) = cells.next() else {
        return false;
    };
    width > 1 && !first.trim().is_empty() && cells.all(|c| c.trim().is_empty())
}

fn is_value(cells: &[&str]) -> bool {
    let value = |c: &&str| shape(c.as_bytes(), true).is_value();
    cells.first().is_some_and(value)
}

fn is_total(cells: &[&str]) -> bool {
    let total = |c: &&str| c.trim().to_lowercase().starts_with("total");
    cells.first().is_some_and(total)
}

/// Several words: what stands in a cell alone at the end of a table and is one, is no row.
fn is_sentence(cell: &str) -> bool {
    cell.split_whitespace().count() > 2
}

fn says_note(cell: &str) -> bool {
    let cell = cell.trim().to_lowercase();
    WORDS.iter().any(|word| {
        cell.strip_prefix(word).is_some_and(|rest| {
            // `Sources` is a word, `Sourceforge` another.
            !word.ends_with(char::is_alphanumeric)
                || rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
        })
    })
}

/// Which columns have values that are no text, as the rows of a table tell.
fn typed(rows: &[(Vec<&str>, bool)], width: usize) -> Vec<bool> {
    let column = |i: usize| {
        let (mut values, mut all) = (0, 0);
        for cell in rows.iter().filter_map(|(cells, _)| cells.get(i)) {
            match shape(cell.as_bytes(), true) {
                Shape::Empty | Shape::Marker => {}
                shape => {
                    all += 1;
                    values += usize::from(shape.is_value());
                }
            }
        }
        all > 0 && values * 10 >= all * 8
    };
    (0..width).map(column).collect()
}

/// A row that is none of a table with such columns: too short for them, or with words in them.
fn is_unlike(cells: &[&str], typed: &[bool]) -> bool {
    let last = typed.iter().rposition(|t| *t);
    let words = |(cell, typed): (&&str, &bool)| {
        *typed
            && !matches!(shape(cell.as_bytes(), true), Shape::Empty | Shape::Marker)
            && !shape(cell.as_bytes(), true).is_value()
    };
    last.is_some_and(|last| cells.len() <= last) && !is_value(cells)
        || cells.iter().zip(typed).any(words)
}

/// Where the notes begin that stand behind a blank line, however many cells their commas make: the
/// first is short or says what it is, and none fits the types of the columns.
fn block(rows: &[(Vec<&str>, bool)], width: usize) -> usize {
    let is_empty = |cells: &[&str]| cells.iter().all(|c| c.trim().is_empty());
    let mut best = rows.len();
    for at in (1..rows.len()).rev() {
        let (cells, blank) = &rows[at];
        let apart = *blank || is_empty(&rows[at - 1].0);
        if !apart || is_empty(cells) {
            continue;
        }
        let begins = cells.len() < width && !is_value(cells)
            || is_lone(cells.iter().copied(), width)
            || says_note(cells.first().unwrap_or(&""))
            || is_total(cells);
        let typed = typed(&rows[..at], width);
        let unlike = rows[at..best]
            .iter()
            .all(|(cells, _)| is_empty(cells) || is_unlike(cells, &typed));
        if !(begins && unlike) {
            break;
        }
        best = at;
    }
    while best < rows.len() && best > 0 && is_empty(&rows[best - 1].0) {
        best -= 1;
    }
    best
}

/// How many of the last `rows` are notes; each with whether a blank line stands before it.
/// `lone` tells whether a row with a single cell stands among the rows before them, where such a row
/// is nothing special.
pub(super) fn find(rows: &[(Vec<&str>, bool)], width: usize, lone: bool) -> usize {
    if width < 2 {
        return 0;
    }
    let is_short = |cells: &Vec<&str>| cells.len() < width;
    let is_lone = |cells: &Vec<&str>| is_lone(cells.iter().copied(), width);
    let is_empty = |cells: &Vec<&str>| cells.iter().all(|c| c.trim().is_empty());
    let noted = |cells: &Vec<&str>| cells.first().is_some_and(|c| says_note(c));
    // Whatever follows a blank line and has not the width of the table.
    let end = block(rows, width);
    let mut from = end;
    while from > 0 {
        let (cells, _) = &rows[from - 1];
        let like_note = is_lone(cells) && !is_value(cells)
            || is_empty(cells)
            || (is_short(cells) && noted(cells));
        let total = is_total(cells);
        let apart = rows[from - 1].1 || from > 1 && is_empty(&rows[from - 2].0);
        if like_note || (total && apart) || (noted(cells) && apart) {
            from -= 1;
        } else if is_short(cells) && rows[from - 1].1 && !is_value(cells) {
            // A sentence with commas, cut into cells.
            from -= 1;
        } else {
            break;
        }
    }
    // From the top: the first row that shows why it is none.
    let mut at = from;
    while at < end {
        let (cells, apart) = &rows[at];
        let apart = *apart || at > 0 && is_empty(&rows[at - 1].0);
        let narrow =
            cells.len() == 1 && width > 2 && !lone && cells.first().is_some_and(|c| is_sentence(c));
        let sure = is_empty(cells)
            || noted(cells)
            || apart
                && (is_short(cells) && !is_value(cells)
                    || is_lone(cells) && !is_value(cells)
                    || is_total(cells))
            || narrow;
        if sure {
            break;
        }
        at += 1;
    }
    // Empty rows alone at the end are rows of nothing; with a note behind them they are a gap.
    if rows[at..].iter().all(|(cells, _)| is_empty(cells)) {
        return 0;
    }
    rows.len() - at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(text: &str) -> usize {
        let mut apart = false;
        let mut rows: Vec<(Vec<&str>, bool)> = Vec::new();
        for line in text.lines() {
            if line.is_empty() {
                apart = true;
            } else {
                rows.push((line.split(',').collect(), apart));
                apart = false;
            }
        }
        find(&rows, 3, false)
    }

    #[test]
    fn notes_are_told_from_rows() {
        for (text, expected) in [
            ("1,2,3\n4,5,6", 0),
            ("1,2,3\n4,,", 0),
            ("1,2,3\nSource: somebody", 1),
            ("1,2,3\n\nAll figures in tons", 1),
            ("1,2,3\n\nTotal,2,3", 1),
            ("1,2,3\nTotal,2,3", 0),
            ("1,2,3\n,,\n,,\nNote: x,,", 3),
            ("1,2,3\nend of the table", 1),
            ("1,2,3\n4", 0),
            ("1,2,3\n\n4,x", 0),
            ("1,2,3\n4,5", 0),
            ("1,2,3\n,,", 0),
            ("1,2,3\n\nData, from somewhere", 1),
            ("1,2,3\n\nSource: x\nNote, of, this", 2),
            ("1,2,3\n\nSource: x\n4,5,6", 0),
            ("x,2,3\ny,4,5\n\nAs said\nz,6,7", 0),
            ("x,2,3\n,,\nData, from x\nof, this, kind", 3),
            ("x,2,3\nTotal: 2", 1),
        ] {
            assert_eq!(notes(text), expected, "{text}");
        }
    }
}
