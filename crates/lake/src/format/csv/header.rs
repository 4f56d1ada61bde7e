//! Whether a table's first row names its columns.
//!
//! Glue wants another row with a value that is no text. Files whose every column is text have headers
//! too: those are told by what their cells say, by not recurring in their columns, and by looking
//! other than the cells below.

use std::collections::HashSet;

use super::batch::Batch;
use super::shape::{Shape, header_words, shape};

/// Whether there is a header, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) header: bool,
    pub(super) why: &'static str,
}

/// How many rows below are compared with the first, and how many columns.
const ROWS: usize = 40;
const COLUMNS: usize = 200;
/// How many rows are searched for what the first row says.
const RECURRENCE: usize = 300;

struct Column<'a> {
    name: &'a [u8],
    shape: Shape,
    below: Vec<(&'a [u8], Shape)>,
}

impl Column<'_> {
    fn share(&self, fits: impl Fn(Shape) -> bool) -> f64 {
        let own = |s: &Shape| !matches!(s, Shape::Empty | Shape::Marker);
        let shapes = || self.below.iter().map(|(_, s)| *s).filter(own);
        let all = shapes().count();
        if all == 0 {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss)] // at most ROWS
        let share = shapes().filter(|s| fits(*s)).count() as f64 / all as f64;
        share
    }

    fn is_typed(&self) -> bool {
        self.share(Shape::is_value) >= 0.8
    }
}

fn no(why: &'static str) -> Verdict {
    Verdict { header: false, why }
}

fn yes(why: &'static str) -> Verdict {
    Verdict { header: true, why }
}

/// Judges the row at `at`.
pub(super) fn judge(batch: &Batch, at: usize, width: usize) -> Verdict {
    if at >= batch.len() {
        return no("there are no rows");
    }
    let first: Vec<&[u8]> = batch.cells(at).map(<[u8]>::trim_ascii).collect();
    // R's rows have one cell more than their header, at the beginning.
    let shift = usize::from(
        first.len() + 1 == width
            && batch.len() > at + 1
            && (at + 1..batch.len()).all(|row| batch.width(row) == width),
    );
    // A file appended to another brings its header along, which is no row.
    let rows: Vec<usize> = (at + 1..batch.len())
        .filter(|row| {
            !batch
                .cells(*row)
                .map(<[u8]>::trim_ascii)
                .eq(first.iter().copied())
        })
        .collect();
    let mut columns: Vec<Column<'_>> = first
        .iter()
        .take(COLUMNS)
        .map(|name| Column {
            name,
            shape: shape(name, false),
            below: Vec::new(),
        })
        .collect();
    for row in rows.iter().take(ROWS) {
        for (column, cell) in columns.iter_mut().zip(batch.cells(*row).skip(shift)) {
            let cell = cell.trim_ascii();
            column.below.push((cell, shape(cell, true)));
        }
    }
    let empty = first.iter().filter(|c| c.is_empty()).count();
    if empty * 2 > first.len() {
        return no("the first row is mostly empty, so the columns are col0, col1 …");
    }
    let values = columns.iter().filter(|c| c.shape.is_value()).count();
    if values > 0 {
        return if counts_up(&columns) {
            yes("the first row is names, and years, dates or numbers that count up")
        } else {
            no("the first row holds values, so the columns are col0, col1 …")
        };
    }
    let long = |limit| first.iter().any(|c| c.len() > limit);
    let named = |c: &Column<'_>| !matches!(c.shape, Shape::Empty | Shape::Marker);
    let typed = columns.iter().any(|c| named(c) && c.is_typed());
    if typed && !long(600) {
        return yes("the first row is names, and below it are numbers or dates");
    }
    of_text(batch, at, &columns, &rows, shift, long(150))
}

/// Years, dates or numbers as names: each is more than the one before it, and their columns do not
/// hold the like of them.
fn counts_up(columns: &[Column<'_>]) -> bool {
    let (values, names): (Vec<&Column<'_>>, Vec<&Column<'_>>) =
        columns.iter().partition(|c| c.shape.is_value());
    let spoken = names
        .iter()
        .filter(|c| matches!(c.shape, Shape::Word | Shape::Text))
        .count();
    if spoken == 0 {
        return false;
    }
    let recurs = names
        .iter()
        .any(|c| !c.name.is_empty() && c.below.iter().any(|(cell, _)| *cell == c.name));
    if recurs {
        return false;
    }
    if values.iter().all(|c| c.shape == Shape::Time) {
        return values.len() > 1 && values.iter().all(|c| c.share(|s| s == Shape::Time) < 0.5);
    }
    let number = |cell: &[u8]| std::str::from_utf8(cell).ok()?.parse::<i64>().ok();
    let numbers: Option<Vec<i64>> = values.iter().map(|c| number(c.name)).collect();
    let Some(numbers) = numbers else {
        return false;
    };
    // Numbers of things: longer than whatever stands below them, or of another kind.
    let longer = |c: &&Column<'_>| {
        let filled = c.below.iter().filter(|(cell, _)| !cell.is_empty());
        let (mut count, mut shorter) = (0, 0);
        for (cell, shape) in filled {
            count += 1;
            shorter += usize::from(cell.len() + 2 < c.name.len() || *shape != Shape::Number);
        }
        count > 1 && shorter == count
    };
    if numbers.len() > 2 && values.iter().all(longer) {
        return true;
    }
    let up = numbers.windows(2).all(|w| w[0] < w[1]);
    let down = numbers.windows(2).all(|w| w[0] > w[1]);
    if !(up || down) {
        return false;
    }
    let year = |n: i64| (1800..=2100).contains(&n);
    if numbers.iter().all(|n| year(*n)) {
        let like = values.iter().filter(|c| {
            let years = c
                .below
                .iter()
                .filter(|(cell, _)| number(cell).is_some_and(year));
            let count = years.count();
            count > 0 && count * 2 >= c.below.len()
        });
        return like.count() * 2 < values.len();
    }
    // 1, 2, 3 …: as the names of repetitions, not as the first row's values.
    let steps = numbers.windows(2).all(|w| w[1] - w[0] == 1);
    steps
        && numbers.len() > 2
        && numbers[0] <= 1
        && !values.iter().all(|c| {
            c.below
                .first()
                .is_some_and(|(cell, _)| number(cell).is_some_and(|n| n <= 1))
        })
}

/// Where all columns are text.
fn of_text(
    batch: &Batch,
    at: usize,
    columns: &[Column<'_>],
    rows: &[usize],
    shift: usize,
    long: bool,
) -> Verdict {
    let names: Vec<&[u8]> = columns
        .iter()
        .map(|c| c.name)
        .filter(|n| !n.is_empty())
        .collect();
    let distinct: HashSet<&[u8]> = names.iter().copied().collect();
    let recurs = rows.iter().take(RECURRENCE).any(|row| {
        let cells = batch.cells(*row).skip(shift).map(<[u8]>::trim_ascii);
        cells
            .zip(columns)
            .any(|(cell, column)| !cell.is_empty() && cell == column.name)
    });
    let edge = |i: usize| i == 0 || i + 1 == columns.len();
    let filled = columns
        .iter()
        .enumerate()
        .all(|(i, c)| !c.name.is_empty() || edge(i));
    let mut like_names = true;
    let (mut known, mut spoken) = (0, 0);
    for name in &names {
        let Ok(name) = std::str::from_utf8(name) else {
            like_names = false;
            continue;
        };
        let length = name.chars().count();
        like_names &= length <= 64
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || " _-./()#%&':?[]*+$<>=@\u{ba}\u{b0}".contains(c));
        let (hits, of) = header_words(name);
        known += usize::from(hits > 0 && of <= hits * 3);
        spoken += 1;
    }
    let mut score: i32 = 0;
    if spoken > 0 && known * 3 >= spoken {
        score += 3;
    } else if known > 0 {
        score += 1;
    }
    score += columns.iter().map(contrast).sum::<i32>().clamp(-6, 6);
    if recurs {
        score -= 4;
    }
    if distinct.len() * 10 < names.len() * 9 {
        score -= 3;
    }
    if !like_names {
        score -= 2;
    }
    if !filled {
        score -= 2;
    }
    if long {
        score -= 4;
    }
    // One row alone is names where it looks like them.
    let alone = batch.len() == at + 1;
    if score >= 0 && (like_names || score > 1) && (!alone || like_names) {
        if score > 0 {
            yes("the first row looks like names, and other than the rows below")
        } else {
            yes("the first row looks like names and recurs in no column")
        }
    } else {
        no("the first row looks like the others, so the columns are col0, col1 …")
    }
}

/// The characters that a cell is made of.
fn pattern(cell: &[u8]) -> u8 {
    cell.iter().fold(0, |all, byte| {
        all | match byte {
            b'0'..=b'9' => 1,
            b'A'..=b'Z' => 2,
            b'a'..=b'z' => 4,
            b' ' => 8,
            b'@' => 16,
            b'/' => 32,
            128.. => 64,
            _ => 128,
        }
    })
}

/// Whether a name looks other than its column: above nothing for names, below nothing for rows.
fn contrast(column: &Column<'_>) -> i32 {
    let cells: Vec<&[u8]> = column
        .below
        .iter()
        .map(|(cell, _)| *cell)
        .filter(|c| !c.is_empty())
        .collect();
    if cells.len() < 4 || column.name.is_empty() {
        return 0;
    }
    let name = column.name;
    let own = pattern(name);
    let all =
        |bit: u8| cells.iter().filter(|c| pattern(c) & bit != 0).count() * 10 >= cells.len() * 9;
    // Digits, at signs and slashes in every cell, and none in the name.
    for (bit, weight) in [(16, 3), (1, 2), (32, 1)] {
        if all(bit) {
            return if own & bit == 0 { weight } else { -weight };
        }
    }
    let length = cells[0].len();
    let uniform = cells
        .iter()
        .all(|c| c.len() == length && pattern(c) == pattern(cells[0]));
    if uniform && cells.len() >= 5 {
        return if name.len() == length && own == pattern(cells[0]) {
            -2
        } else {
            2
        };
    }
    // All the cells are in one case, and the name in another.
    let letters = |p: u8| p & 6;
    let one_case = letters(pattern(cells[0]));
    if (one_case == 2 || one_case == 4) && cells.iter().all(|c| letters(pattern(c)) == one_case) {
        return if letters(own) == one_case { 0 } else { 2 };
    }
    // Names are in lower case or capitals where the cells are not.
    let capital = |c: &[u8]| c.first().is_some_and(u8::is_ascii_uppercase);
    if cells.iter().all(|c| capital(c)) && letters(own) == 4 {
        return 1;
    }
    // Names are short, and texts are long.
    let mean = cells.iter().map(|c| c.len()).sum::<usize>() / cells.len();
    i32::from(mean > 25 && name.len() * 3 < mean)
}

#[cfg(test)]
mod tests {
    use super::super::CsvOptions;
    use super::super::layout::find;

    #[test]
    fn names_and_values() {
        for (text, expected) in [
            ("name,city\nAnn,Oslo\nBob,Rome\n", true),
            ("Ann,Oslo\nBob,Rome\nAnn,Rome\n", false),
            (
                "AL,Alabama\nAK,Alaska\nAZ,Arizona\nAR,Arkansas\nCA,California\nCO,Colorado\n",
                false,
            ),
            (
                "country,1990,1991,1992\nNorway,4.2,4.3,4.4\nItaly,5,6,7\n",
                true,
            ),
            ("Ann,1990,1991\nBob,1992,1995\n", false),
            ("State,1/22/20,1/23/20\nOhio,1,2\nIowa,0,3\n", true),
            ("A,2020-01-01,2020-01-05\nB,2020-02-01,2020-02-05\n", false),
            ("day,val,val\n1,2,3\n4,5,6\n", true),
            ("id,,x\n1,a,3\n2,b,4\n", true),
            ("mail,who\na@b.c,Ann\nd@e.f,Bob\ng@h.i,Cy\nj@k.l,Di\n", true),
            (
                "a@b.c,Ann\nd@e.f,Bob\ng@h.i,Cy\nj@k.l,Di\nm@n.o,Ed\n",
                false,
            ),
            ("1,2\n3,4\n", false),
            ("id,100022,100025,100047\na,0,1,0\nb,1,1,0\n", true),
            (
                "id,1002,1001,1004\na,TRUE,FALSE,TRUE\nb,TRUE,TRUE,TRUE\n",
                true,
            ),
        ] {
            let layout = find(text.as_bytes(), true, &CsvOptions::default());
            assert_eq!(layout.header.header, expected, "{text}");
        }
    }
}
