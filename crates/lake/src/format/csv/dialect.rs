//! Which dialect of CSV a text is in.
//!
//! After van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row and type
//! patterns" (2019): each dialect that the text may be in is tried, and the one wins under which its
//! rows have the most regular shape and its cells look the most like values. Beyond the paper,
//! columns have to be of one kind, titles and notes do not count against a dialect, and most files
//! take a short cut: one delimiter under which every row has as many cells, and no other there.

use std::borrow::Cow;

use super::CsvOptions;
use super::encoding;
use super::fit::{COMMON, Fit, share};
use super::forced::Forced;
use super::layout::{self, Layout, Rows, is_separator_line};
use super::lexer::Lexer;
use super::shape::{Shape, shape};
use crate::format::Head;

/// What else stands between cells in files. A letter, a digit, a point or a dash never does.
const RARE: &[u8] = b" :^~#%*&!$@=\x02\x1e\x1f";

/// How much of the head dialects are tried on, and how many rows of it; the winner is then held to
/// all of the head.
const SAMPLE: usize = 128 * 1024;
const ROWS: usize = 600;
/// How many rows of the head are looked at at all.
const MOST_ROWS: usize = 20_000;

/// Whether a byte stands where quotes do: at the edges of cells, in eight of ten cases. Doubled
/// within a cell (`'it''s'`) it is an escaped quote, which says nothing.
fn is_delimiter_at_edge(text: &[u8], quote: u8, delimiter: u8) -> bool {
    let (mut edges, mut others) = (0, 0);
    for at in memchr::memchr_iter(quote, text).take(2000) {
        let before = at.checked_sub(1).map(|i| text[i]);
        let after = text.get(at + 1).copied();
        let edge = |b: Option<u8>| b.is_none_or(|b| b == delimiter || b == b'\n' || b == b'\r');
        if edge(before) != edge(after) {
            edges += 1;
        } else if edge(before) || before != Some(quote) && after != Some(quote) {
            others += 1;
        }
    }
    edges >= 4 && edges * 10 >= (edges + others) * 8
}

/// The lines of a head that delimiters are looked for in.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty())
        .take(200)
}

/// The delimiters that a text may have: those that stand in enough of its lines.
fn candidates(text: &[u8]) -> Vec<u8> {
    let mut seen = [0usize; 128];
    let mut count = 0;
    for line in lines(text) {
        count += 1;
        let mut own = [false; 128];
        for byte in line.iter().take(4096).filter(|b| b.is_ascii()) {
            own[usize::from(*byte)] = true;
        }
        for (seen, own) in seen.iter_mut().zip(own) {
            *seen += usize::from(own);
        }
    }
    let often = |byte: &u8, part: usize| {
        let seen = seen[usize::from(*byte)];
        seen > 0 && seen * part >= count
    };
    // A table under a long title or with lines broken within quotes has fewer.
    let common = COMMON.iter().filter(|b| often(b, 8));
    let rare = RARE.iter().filter(|b| often(b, 2));
    common.chain(rare).copied().collect()
}

/// The ways in which a text may be quoted under a delimiter.
fn quotings(
    text: &[u8],
    delimiter: u8,
    double: bool,
    forced: &Forced,
) -> Vec<(Option<u8>, Option<u8>)> {
    if let Some(quote) = forced.quote {
        return vec![(Some(quote), None)];
    }
    let mut all = vec![(Some(b'"'), None)];
    if double {
        let before_quote = memchr::memmem::find(text, b"\\\"").is_some();
        let before_delimiter = memchr::memmem::find(text, &[b'\\', delimiter]).is_some();
        if before_quote || before_delimiter {
            all.push((Some(b'"'), Some(b'\\')));
        }
        all.push((None, None));
    } else if memchr::memmem::find(text, &[b'\\', delimiter]).is_some() {
        all.push((Some(b'"'), Some(b'\\')));
    }
    if memchr::memchr(b'\'', text).is_some() && is_delimiter_at_edge(text, b'\'', delimiter) {
        all.push((Some(b'\''), None));
        if memchr::memmem::find(text, b"\\'").is_some() {
            all.push((Some(b'\''), Some(b'\\')));
        }
    }
    all
}

/// Whether a blank is followed by another, or a line begins with one: text that is aligned.
fn is_aligned(text: &[u8]) -> bool {
    lines(text)
        .take(50)
        .filter(|line| {
            line.first() == Some(&b' ') || line.windows(2).any(|w| w == b"  " || w == b" \t")
        })
        .count()
        > 1
}

/// The best of the ways in which a text may be quoted.
fn best_quoting(text: &[u8], complete: bool, delimiter: u8, forced: &Forced) -> Option<Fit> {
    let double = memchr::memchr(b'"', text).is_some();
    let collapse = delimiter == b' ' && is_aligned(text);
    let mut best: Option<Fit> = None;
    for (quote, escape) in quotings(text, delimiter, double, forced) {
        let options = CsvOptions {
            delimiter,
            collapse,
            quote,
            escape,
            ..CsvOptions::default()
        };
        // Quotes that all come in pairs are quotes, whatever stands between them.
        let paired = best.as_ref().is_some_and(|b| !b.unclosed && !b.stray);
        if quote.is_none() && paired {
            continue;
        }
        let Some(fit) = Fit::of(text, complete, options, ROWS) else {
            continue;
        };
        // Quotes are what they seem to be unless the text is clearly the better without them.
        let better = best
            .as_ref()
            .is_none_or(|b| fit.score > b.score * if quote == Some(b'\'') { 1.01 } else { 1.1 });
        let escapes = escape.is_some()
            && quote == Some(b'"')
            && best.as_ref().is_some_and(|b| fit.score >= b.score * 0.999)
            && backslash_escapes(text);
        if better || escapes {
            let perfect = fit.is_perfect()
                && !(quote == Some(b'"') && (double || memchr::memchr(b'\'', text).is_some()));
            best = Some(fit);
            if perfect {
                break;
            }
        }
    }
    best
}

/// A dialect that was told.
pub(in crate::format) type Sniffed = (CsvOptions, f32, String);

/// The dialect of the head, how sure, and why; `None` where it is no table.
pub(in crate::format) fn sniff(head: &Head<'_>) -> Option<Sniffed> {
    sniff_with(head, &Forced::default())
}

/// The same, where parts of the dialect are given.
pub(in crate::format) fn sniff_with(head: &Head<'_>, forced: &Forced) -> Option<Sniffed> {
    let (text, fallback, name) = encoding::head(head.bytes, head.complete)?;
    // A head that is cut is cut at a line, so that no character and no row is halved.
    let whole = match memchr::memrchr(b'\n', &text) {
        Some(last) if !head.complete => &text[..=last],
        _ => &text[..],
    };
    let sample = if whole.len() > SAMPLE {
        let end = memchr::memrchr(b'\n', &whole[..SAMPLE]).map_or(SAMPLE, |at| at + 1);
        &whole[..end]
    } else {
        whole
    };
    let complete = head.complete && sample.len() == whole.len();
    let mut forced = forced.clone();
    if forced.delimiter.is_none()
        && let Some(line) = lines(sample).next()
    {
        let bare = line.trim_ascii();
        let bare = bare.strip_prefix(b"\"").unwrap_or(bare);
        if is_separator_line(bare) && bare.len() > 4 {
            forced.delimiter = Some(bare[4]);
        }
    }
    let bare = without_comments(sample);
    let found = choose(head, &bare, complete, &forced)?;
    let mut options = found.options.clone();
    if let Some(fallback) = fallback {
        options.encoding = Some(fallback.name().to_owned());
    }
    finish(head, whole, options, &found, name, &forced)
}

/// The lines that are no comments, by which dialects are told. Whether they are comments, the
/// dialect's own layout says later.
fn without_comments(sample: &[u8]) -> Cow<'_, [u8]> {
    let is_comment = |line: &[u8]| line.trim_ascii_start().first() == Some(&b'#');
    let all = || sample.split_inclusive(|b| *b == b'\n');
    if memchr::memchr(b'#', sample).is_none() {
        return Cow::Borrowed(sample);
    }
    let (mut count, mut comments) = (0, 0);
    for line in all().filter(|line| !line.trim_ascii().is_empty()) {
        count += 1;
        comments += usize::from(is_comment(line));
    }
    let top = all().take_while(|line| is_comment(line)).count();
    let few = comments * 3 <= count;
    if comments == 0 || comments + 2 > count || !(few || top > 1) {
        return Cow::Borrowed(sample);
    }
    let kept: Vec<&[u8]> = all().filter(|line| !is_comment(line)).collect();
    Cow::Owned(kept.concat())
}

/// The best dialect for a sample.
fn choose(head: &Head<'_>, sample: &[u8], complete: bool, forced: &Forced) -> Option<Fit> {
    if let Some(delimiter) = forced.delimiter {
        return best_quoting(sample, complete, delimiter, forced);
    }
    let candidates = candidates(sample);
    let mut fits: Vec<Fit> = candidates
        .iter()
        .filter(|d| COMMON.contains(d))
        .filter_map(|d| best_quoting(sample, complete, *d, forced))
        .filter(|fit| fit.width > 1)
        .collect();
    let sure = fits.iter().any(|fit| fit.is_perfect() && fit.score > 0.3);
    if !sure {
        let rare = candidates.iter().filter(|d| !COMMON.contains(d));
        fits.extend(
            rare.filter_map(|d| best_quoting(sample, complete, *d, forced))
                .filter(is_strong),
        );
    }
    let csv = calls_itself_csv(head);
    // No list would be the better explanation of a table that is beyond doubt.
    let single = if sure {
        None
    } else {
        single_column(head, sample, complete, csv || forced.single_column)
    };
    let best = fits
        .into_iter()
        .filter(|fit| is_enough(fit, head, csv, complete))
        .max_by(|a, b| {
            // `max_by` takes the last of equals, and the first delimiter should win.
            a.score
                .total_cmp(&b.score)
                .then(std::cmp::Ordering::Greater)
        });
    match (best, single) {
        (Some(best), Some(single)) => {
            let prefer = if best.is_common() {
                best.score < single.score * 0.3
            } else {
                best.score < single.score
            };
            Some(if prefer { single } else { best })
        }
        (best, single) => best.or(single),
    }
}

/// Whether a delimiter that hardly any file has is beyond doubt.
fn is_strong(fit: &Fit) -> bool {
    let many = fit.rows > 2 || fit.rows > 1 && fit.typed > 0;
    let sure = fit.width > 2 || fit.typed > 0;
    many && sure && fit.width > 1 && fit.exact >= 0.97 && fit.outside < 0.2 && fit.score > 0.15
}

/// Whether a text is a table at all.
fn is_enough(fit: &Fit, head: &Head<'_>, csv: bool, complete: bool) -> bool {
    if calls_itself_other(head) {
        // Code and documents are full of commas. A table among them is beyond doubt.
        return fit.rows > 3 && fit.exact >= 0.98 && fit.width > 2 && fit.typed > 0;
    }
    let rows = fit.rows > 1 || (complete && csv);
    // Rows may be ragged in what calls itself CSV, and a list of names in prose is not.
    let regular = if csv { 0.25 } else { 0.7 };
    rows && fit.exact >= regular && (csv || fit.outside <= 0.5) && (csv || fit.score > 0.08)
}

/// A list, in a file that calls itself CSV or whose lines are all of one kind of value: nothing else
/// would tell it from prose.
fn single_column(head: &Head<'_>, sample: &[u8], complete: bool, named: bool) -> Option<Fit> {
    let options = CsvOptions {
        // A delimiter that is not there, as far as can be told.
        delimiter: COMMON
            .iter()
            .copied()
            .find(|d| memchr::memchr(*d, sample).is_none())
            .unwrap_or(1),
        ..CsvOptions::default()
    };
    let options = CsvOptions {
        quote: if memchr::memchr(b'"', sample).is_some()
            && !is_delimiter_at_edge(sample, b'"', options.delimiter)
        {
            None
        } else {
            Some(b'"')
        },
        ..options
    };
    let rows = Rows::cut(sample, complete, &Lexer::new(&options, None), ROWS);
    let count = rows.len();
    if count < 2 || rows.unclosed {
        return None;
    }
    let shapes: Vec<Shape> = (0..count)
        .flat_map(|row| rows.batch.cells(row))
        .map(|cell| shape(cell, false))
        .collect();
    let typed = shapes.iter().filter(|s| s.is_value()).count();
    let typed = share(typed, count.saturating_sub(1).max(1)).min(1.0);
    let listed = head.name.to_ascii_lowercase();
    let listed = [".txt", ".dat", ".data"].iter().any(|e| listed.contains(e));
    if !(named || listed && typed >= 0.9) {
        return None;
    }
    Some(Fit {
        width: 1,
        rows: count,
        exact: 1.0,
        outside: 0.0,
        unclosed: false,
        stray: false,
        typed: 0,
        score: 0.15 + typed * 0.6,
        options,
    })
}

/// The dialect with all that the whole head tells.
fn finish(
    head: &Head<'_>,
    whole: &[u8],
    mut options: CsvOptions,
    found: &Fit,
    encoding: &str,
    forced: &Forced,
) -> Option<Sniffed> {
    // Quotes that come to no end further below are none.
    let mut exact = found.exact;
    if whole.len() > SAMPLE {
        let mut all = Fit::of(whole, head.complete, options.clone(), MOST_ROWS)?;
        if all.unclosed && options.quote.is_some() && forced.quote.is_none() {
            let bare = CsvOptions {
                quote: None,
                escape: None,
                ..options.clone()
            };
            if let Some(without) = Fit::of(whole, head.complete, bare.clone(), MOST_ROWS)
                && without.exact >= all.exact * 0.95
            {
                options = bare;
                all = without;
            }
        }
        exact = all.exact;
    }
    options.per_file = true;
    let end = whole.len().min(layout::HEAD);
    let layout = layout::find(&whole[..end], head.complete && end == whole.len(), &options);
    options.header = forced.header.unwrap_or(layout.header.header);
    options.comment = layout.comment;
    options.preamble = layout.line.saturating_sub(1);
    let reason = reason(&options, &layout, exact, encoding);
    #[allow(clippy::cast_possible_truncation)] // a share
    let certainty = (0.9 * exact * (1.0 - found.outside * 0.5)) as f32;
    Some((options, certainty, reason))
}

fn character(byte: u8) -> String {
    match byte {
        b'\t' => "tabs".to_owned(),
        b' ' => "blanks".to_owned(),
        1..32 => format!("\\u{byte:04x}"),
        c => format!("'{}'", char::from(c)),
    }
}

fn reason(options: &CsvOptions, layout: &Layout, exact: f64, encoding: &str) -> String {
    let mut reason = if layout.width < 2 {
        "1 column".to_owned()
    } else {
        format!(
            "{} columns between {} in {:.0} % of rows",
            layout.width,
            character(options.delimiter),
            exact * 100.0
        )
    };
    match (options.quote, options.escape) {
        (Some(b'"'), None) => {}
        (Some(quote), None) => reason.push_str(&format!(", quoted with {}", character(quote))),
        (_, Some(_)) => reason.push_str(", quotes escaped with a backslash"),
        (None, None) => reason.push_str(", never quoted"),
    }
    if options.preamble > 0 {
        reason.push_str(&format!("; the table begins in line {}", layout.line));
    }
    if let Some(comment) = options.comment {
        reason.push_str(&format!("; comments begin with {}", character(comment)));
    }
    if encoding != "UTF-8" {
        reason.push_str(&format!("; {encoding}"));
    }
    reason.push_str("; ");
    reason.push_str(layout.header.why);
    reason
}

/// What keeps a text from being a table at all, where one thing does.
pub(in crate::format) fn problem(head: &Head<'_>) -> Option<String> {
    let rows = Rows::cut(
        head.bytes,
        head.complete,
        &Lexer::new(&CsvOptions::default(), None),
        MOST_ROWS,
    );
    let line = 1 + super::lexer::lines(&head.bytes[..rows.used]);
    (rows.unclosed && head.complete)
        .then(|| format!("a quote is opened in this row and never closed, line {line}"))
}

fn calls_itself_csv(head: &Head<'_>) -> bool {
    let name = head.name.to_ascii_lowercase();
    [".csv", ".tsv", ".tab", ".psv"]
        .iter()
        .any(|ending| name.contains(ending))
}

/// Whether a file's name says that it is no table: a hint that only strong evidence overrules.
fn calls_itself_other(head: &Head<'_>) -> bool {
    const OTHERS: [&str; 32] = [
        "py",
        "rs",
        "js",
        "ts",
        "java",
        "c",
        "h",
        "cpp",
        "go",
        "rb",
        "pl",
        "sh",
        "bat",
        "html",
        "htm",
        "css",
        "md",
        "rst",
        "tex",
        "yaml",
        "yml",
        "toml",
        "ini",
        "cfg",
        "conf",
        "properties",
        "sql",
        "log",
        "ipynb",
        "r",
        "scala",
        "kt",
    ];
    let ending = head
        .name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| OTHERS.contains(&ending.as_str()))
}

/// Whether quotes within quotes are escaped with backslashes: `\"` occurs, and not only before a
/// delimiter, where a backslash may be the last character of a cell.
fn backslash_escapes(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"\\\"").any(|at| {
        text.get(at + 2)
            // A quote may be the other half of a doubled one.
            .is_some_and(|c| !COMMON.contains(c) && !matches!(c, b'\n' | b'\r' | b'"'))
    })
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
            ("a^b^c\n1^2^x\n3^4^y\n5^6^z\n", Some(('^', true))),
            ("a%b%c\n1%2%x\n3%4%y\n5%6%z\n", Some(('%', true))),
            ("x y z\n1 2 3\n4 5 6\n7 8 9\n", Some((' ', true))),
            (
                " x   y z\n 1   2 3\n40   5 6\n 7   8 9\n",
                Some((' ', true)),
            ),
            ("sep=;\na;b\n1;2\n", Some((';', true))),
            (
                "when,n\n2020-01-01 10:00:00,5\n2020-01-02 11:00:00,6\n",
                Some((',', true)),
            ),
        ] {
            assert_eq!(sniffed(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes() {
        let quote = |text: &str| {
            let head = Head {
                bytes: text.as_bytes(),
                complete: true,
                name: "x.csv",
            };
            let (options, ..) = sniff(&head).unwrap();
            (
                options.quote.map(char::from),
                options.escape.map(char::from),
            )
        };
        assert_eq!(
            quote("a,b\n'x, y','z'\n'p','q, r'\n'1','2'\n"),
            (Some('\''), None)
        );
        let doubled = "1,'bob','it''s, 1'\n".repeat(20);
        assert_eq!(
            quote(&format!("id,name,txt\n{doubled}")),
            (Some('\''), None)
        );
        assert_eq!(
            quote("a,b\n\"x \\\"y\\\", z\",1\n\"p\",2\n"),
            (Some('"'), Some('\\'))
        );
        assert_eq!(
            quote("a\tb\tc\n1\t\"Heroes\t2\n3\tx\t4\n5\ty\t6\n7\tz\t8\n"),
            (None, None)
        );
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
