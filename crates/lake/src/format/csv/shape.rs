//! What cells look like: by which a dialect is judged, and a header told from the rows below it.

use crate::value;

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Empty,
    /// A null marker.
    Marker,
    /// A number, also with thousands separators, a percent sign or a currency.
    Number,
    /// A date, a time or both.
    Time,
    /// `true` and `false`.
    Boolean,
    /// Digits that are no number: an id, a telephone number, a version.
    Code,
    /// A word or a name without blanks.
    Word,
    /// Words.
    Text,
    /// What a cell rarely is: with quotes left over, or other delimiters within.
    Odd,
}

impl Shape {
    /// Whether the shape is one that a header rarely has.
    pub(super) fn is_value(self) -> bool {
        matches!(self, Shape::Number | Shape::Time | Shape::Boolean)
    }

    /// How well a dialect explains the text that gives it such a cell, from 0 to 1.
    pub(super) fn worth(self) -> f64 {
        match self {
            Shape::Number | Shape::Time | Shape::Boolean => 1.0,
            Shape::Marker => 0.95,
            Shape::Word | Shape::Code => 0.9,
            Shape::Empty => 0.85,
            Shape::Text => 0.8,
            Shape::Odd => 0.2,
        }
    }
}

/// The shape of a cell; `quoted` where it stood in quotes, within which anything may stand.
pub(super) fn shape(cell: &[u8], quoted: bool) -> Shape {
    let cell = cell.trim_ascii();
    let Some(first) = cell.first() else {
        return Shape::Empty;
    };
    let Ok(text) = std::str::from_utf8(cell) else {
        return Shape::Odd;
    };
    if first.is_ascii_digit() || matches!(first, b'-' | b'.' | b'+' | b'(' | b'$') {
        if value::number(text).is_some() || loose_number(cell) {
            return Shape::Number;
        }
        if is_time(text) {
            return Shape::Time;
        }
        if value::is_null_marker(text) {
            return Shape::Marker;
        }
        let code = |b: &u8| b.is_ascii_alphanumeric() || b"-+._/()".contains(b);
        if cell.iter().all(code) {
            return Shape::Code;
        }
    } else {
        if text.len() <= 5
            && (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"))
        {
            return Shape::Boolean;
        }
        if value::is_null_marker(text) {
            return Shape::Marker;
        }
        if text.len() <= 45 && value::instant(text).is_some() {
            return Shape::Time;
        }
        if loose_number(cell) {
            return Shape::Number;
        }
    }
    words(cell, quoted)
}

fn words(cell: &[u8], quoted: bool) -> Shape {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b >= 128 || b"_-.".contains(b);
    if cell.iter().all(word) {
        return Shape::Word;
    }
    if quoted {
        return Shape::Text;
    }
    let (mut quotes, mut others) = (0, 0);
    for (i, byte) in cell.iter().enumerate() {
        match byte {
            b'"' => quotes += 1,
            b'\t' | b'|' | b';' | 1 => others += 1,
            // A comma with a blank behind it is a writer's, one without a program's.
            b',' if cell.get(i + 1) != Some(&b' ') => others += 1,
            _ => {}
        }
    }
    // One of a pair of quotes, the other of which is in the next cell.
    if cell[0] == b'\'' && cell.last() != Some(&b'\'') {
        return Shape::Odd;
    }
    let edges = cell[0] == b'"' || cell.last() == Some(&b'"');
    let address = cell.starts_with(b"http") || cell.starts_with(b"{") || cell.starts_with(b"[");
    if quotes % 2 == 1 || (edges && quotes > 0) || (others > 0 && !address) {
        Shape::Odd
    } else {
        Shape::Text
    }
}

fn is_time(text: &str) -> bool {
    text.len() <= 45
        && (value::instant(text).is_some()
            || value::ordered(text).is_some()
            || is_clock(text.as_bytes()))
}

/// `hh:mm` and `hh:mm:ss`.
fn is_clock(cell: &[u8]) -> bool {
    let parts = cell.split(|b| *b == b':');
    let mut count = 0;
    for part in parts {
        count += 1;
        let digits = part.iter().take_while(|b| b.is_ascii_digit()).count();
        let rest = &part[digits..];
        let fine = match count {
            1 => (1..3).contains(&digits) && rest.is_empty(),
            _ => digits == 2 && (rest.is_empty() || rest[0] == b'.' && count == 3),
        };
        if !fine {
            return false;
        }
    }
    (2..4).contains(&count)
}

/// Numbers as people write them: `1,234.50`, `1.234,50`, `12,5`, `45 %`, `$3`, `€ 5`, `(3.0)`, `+4`.
fn loose_number(cell: &[u8]) -> bool {
    let trimmed = |cell: &[u8]| -> (usize, usize) {
        let symbols = |c: char| "$€£¥%()+-~<> \u{a0}".contains(c);
        let text = std::str::from_utf8(cell).unwrap_or_default();
        let left = text.trim_start_matches(symbols);
        let body = left.trim_end_matches(symbols);
        (text.len() - left.len(), body.len())
    };
    let (from, length) = trimmed(cell);
    let body = &cell[from..from + length];
    // Signs and symbols around it are few.
    if body.is_empty() || cell.len() - length > 6 || !body[0].is_ascii_digit() && body[0] != b'.' {
        return false;
    }
    let mut digits = 0;
    let mut marks = 0;
    let mut last_mark = 0;
    for (i, byte) in body.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b',' | b'.' | b'\'' => {
                // Between two marks stand three digits.
                if marks > 0 && i - last_mark != 4 {
                    return false;
                }
                marks += 1;
                last_mark = i;
            }
            _ => return false,
        }
    }
    // More marks than one are thousands: `1.2.3` is a version.
    digits > 0
        && (marks < 2
            || body.len() - last_mark <= 4
                && body[..4.min(body.len())]
                    .iter()
                    .any(|b| !b.is_ascii_digit()))
}

/// Words that name columns in tables of all kinds. They speak for a header where types do not.
const HEADER_WORDS: &[&str] = &[
    "id",
    "name",
    "date",
    "code",
    "type",
    "value",
    "year",
    "month",
    "day",
    "time",
    "title",
    "city",
    "state",
    "country",
    "region",
    "address",
    "email",
    "phone",
    "url",
    "description",
    "category",
    "status",
    "first",
    "last",
    "number",
    "no",
    "key",
    "label",
    "class",
    "group",
    "lat",
    "lon",
    "latitude",
    "longitude",
    "amount",
    "price",
    "total",
    "count",
    "source",
    "comment",
    "notes",
    "gender",
    "sex",
    "age",
    "zip",
    "county",
    "species",
    "symbol",
    "abbreviation",
    "iso",
    "alpha",
    "language",
    "currency",
    "company",
    "department",
    "author",
    "text",
    "unit",
    "units",
    "start",
    "end",
    "from",
    "to",
    "timestamp",
    "datetime",
    "user",
    "username",
    "firstname",
    "lastname",
    "nom",
    "datum",
    "nombre",
    "fecha",
    "rank",
    "score",
    "level",
    "parent",
    "index",
    "version",
    "street",
    "postcode",
    "capital",
    "continent",
    "population",
    "area",
    "question",
    "answer",
];

/// How many of a cell's words name columns, of how many.
pub(super) fn header_words(cell: &str) -> (usize, usize) {
    let mut of = 0;
    let mut known = 0;
    let mut word = String::new();
    for part in cell.split(|c: char| !c.is_alphabetic()) {
        // `firstName` is two words.
        let mut from = 0;
        let bytes = part.as_bytes();
        for at in 1..=bytes.len() {
            let hump = at == bytes.len()
                || bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase();
            if hump && part.is_char_boundary(at) && part.is_char_boundary(from) {
                word.clear();
                word.extend(part[from..at].chars().flat_map(char::to_lowercase));
                of += 1;
                known += usize::from(HEADER_WORDS.contains(&word.as_str()));
                from = at;
            }
        }
    }
    (known, of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_cells() {
        for (cell, expected) in [
            ("", Shape::Empty),
            ("12", Shape::Number),
            ("1,234.50", Shape::Number),
            ("12,5", Shape::Number),
            ("$3", Shape::Number),
            ("45 %", Shape::Number),
            ("€ 1.234,50", Shape::Number),
            ("1.2.3", Shape::Code),
            ("007", Shape::Number),
            ("10:30", Shape::Time),
            ("13/04/2024", Shape::Time),
            ("TRUE", Shape::Boolean),
            ("NA", Shape::Marker),
            ("customer_id", Shape::Word),
            ("New York", Shape::Text),
            ("a;b", Shape::Odd),
            ("x\"", Shape::Odd),
            ("a,b", Shape::Odd),
            ("Smith, John", Shape::Text),
        ] {
            assert_eq!(shape(cell.as_bytes(), false), expected, "{cell}");
        }
        assert_eq!(shape(b"a;b", true), Shape::Text);
        assert_eq!(header_words("firstName"), (2, 2));
        assert_eq!(header_words("Oslo"), (0, 1));
    }
}
