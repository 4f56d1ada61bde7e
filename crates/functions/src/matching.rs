//! What records are compared by: normal forms of values, and how alike two values are.
//!
//! Similarities go from 0 (nothing in common) to 1 (equal), and are NULL where a side is.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int32Array, StringBuilder, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of};
use crate::sample::mix;

mod edits;

use edits::Edits;

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::Text;
    let one = Params::Kinds(&[Text], 1);
    let two = Params::Kinds(&[Text, Text], 2);
    let float = |_: &[DataType]| Ok(DataType::Float32);
    vec![
        Function::new("match_normalize", one, |_| Ok(DataType::Utf8), normalize).udf(),
        Function::new("match_shape", one, |_| Ok(DataType::Int32), shape).udf(),
        Function::new("match_number", one, |_| Ok(DataType::Float64), number).udf(),
        Function::new(
            "match_hash",
            Params::Custom(texts),
            |_| Ok(DataType::UInt64),
            hash,
        )
        .udf(),
        Function::new(
            "damerau_levenshtein_distance",
            two,
            |_| Ok(DataType::Int32),
            |call| {
                let mut edits = Edits::default();
                pairs(call, |a, b| {
                    i32::try_from(edits.distance(a, b)).unwrap_or(i32::MAX)
                })
                .map(|v| Arc::new(Int32Array::from(v)) as ArrayRef)
            },
        )
        .udf(),
        Function::new("damerau_levenshtein_similarity", two, float, |call| {
            let mut edits = Edits::default();
            floats(call, |a, b| edits.similarity(a, b))
        })
        .udf(),
        Function::new("jaro_winkler_similarity", two, float, |call| {
            let mut edits = Edits::default();
            floats(call, |a, b| edits.jaro_winkler(a, b))
        })
        .udf(),
        Function::new("qgram_similarity", two, float, |call| {
            let mut grams = Grams::default();
            floats(call, |a, b| grams.cosine(a, b))
        })
        .udf(),
        Function::new("edit_similarity", two, float, |call| {
            let mut edits = Edits::default();
            floats(call, |a, b| edit(&mut edits, a, b))
        })
        .udf(),
        Function::new("string_similarity", two, float, |call| {
            let (mut edits, mut grams) = (Edits::default(), Grams::default());
            floats(call, |a, b| {
                let edit = edit(&mut edits, a, b);
                // Words in another order are what the other two do not see.
                if edit < 0.85 && (a.contains(' ') || b.contains(' ')) {
                    edit.max(grams.cosine(a, b))
                } else {
                    edit
                }
            })
        })
        .udf(),
    ]
}

/// The greater of the edit similarity and a stretched Jaro–Winkler similarity, which is kinder to what
/// begins alike.
fn edit(edits: &mut Edits, a: &str, b: &str) -> f32 {
    if a == b {
        return 1.0;
    }
    let winkler = (edits.jaro_winkler(a, b) - 0.7) / 0.3 * 0.9;
    edits.similarity(a, b).max(winkler).clamp(0.0, 1.0)
}

fn texts(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.is_empty() {
        return plan_err!("{name} takes at least one argument");
    }
    all_of(name, &vec![Kind::Text; types.len()], types)
}

fn pairs<T>(call: &Call<'_>, mut of: impl FnMut(&str, &str) -> T) -> Result<Vec<Option<T>>> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    Ok((0..call.rows)
        .map(|row| Some(of(left.get(row)?, right.get(row)?)))
        .collect())
}

fn floats(call: &Call<'_>, of: impl FnMut(&str, &str) -> f32) -> Result<ArrayRef> {
    Ok(Arc::new(Float32Array::from(pairs(call, of)?)))
}

/// What stands for no value, in normal form.
const NOTHING: [&str; 7] = ["", "nan", "null", "none", "na", "n a", "unknown"];

fn normalize(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 12);
    let mut buffer = String::new();
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            out.append_null();
            continue;
        };
        normalize_into(text, &mut buffer);
        if NOTHING.contains(&buffer.as_str()) {
            out.append_null();
        } else {
            out.append_value(&buffer);
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Compatibility forms taken apart (NFKD), without marks, in lower case, with `and` for `&`, and one space
/// for whatever is neither a letter nor a digit; apostrophes vanish.
pub fn normalize_into(text: &str, out: &mut String) {
    out.clear();
    let mut gap = false;
    let mut push = |c: char, out: &mut String| match c {
        '\'' => {}
        '&' => {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str("and");
            gap = true;
        }
        c if c.is_alphanumeric() => {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        }
        _ => gap = true,
    };
    if text.is_ascii() {
        for byte in text.bytes() {
            push(char::from(byte.to_ascii_lowercase()), out);
        }
        return;
    }
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        for c in c.to_lowercase() {
            push(c, out);
        }
    }
}

/// [`match_shape`](self)'s bits: only digits; a digit among others or not; white space; U+FFFD, which stands
/// for bytes that could not be read; and how many words there are, from 16 on.
pub const DIGITS: i32 = 1;
/// Holds a digit.
pub const DIGIT: i32 = 2;
/// Holds white space within.
pub const SPACE: i32 = 4;
/// Holds U+FFFD.
pub const BROKEN: i32 = 8;

/// One word more.
pub const WORD: i32 = 16;

fn shape(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let shapes: Int32Array = (0..call.rows)
        .map(|row| {
            let text = texts.get(row)?.trim();
            let mut bits = if text.is_empty() { 0 } else { DIGITS };
            for c in text.chars() {
                if c.is_ascii_digit() {
                    bits |= DIGIT;
                    continue;
                }
                bits &= !DIGITS;
                if c.is_whitespace() {
                    bits |= SPACE;
                } else if c == char::REPLACEMENT_CHARACTER {
                    bits |= BROKEN;
                }
            }
            let words = text.split_whitespace().count().min(1 << 20) as i32;
            Some(bits | (words * WORD))
        })
        .collect();
    Ok(Arc::new(shapes))
}

fn number(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let numbers: Float64Array = (0..call.rows)
        .map(|row| parse_number(texts.get(row)?))
        .collect();
    Ok(Arc::new(numbers))
}

/// The number in a text that is one but for at most four characters on either side: `$1,234.50`, `12 %`.
pub fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let start = text
        .char_indices()
        .take(5)
        .find(|(_, c)| c.is_ascii_digit() || *c == '-')
        .map(|(at, _)| at)?;
    let rest = text.get(start..)?;
    let (sign, rest) = match rest.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, rest),
    };
    let mut digits = String::new();
    let (mut end, mut point) = (0, false);
    for (at, c) in rest.char_indices() {
        match c {
            '0'..='9' => {
                digits.push(c);
                end = at + 1;
            }
            ',' if !point => {}
            '.' if !point => {
                point = true;
                digits.push(c);
            }
            _ => break,
        }
    }
    let tail = rest.get(end..)?;
    if end == 0 || tail.chars().count() > 4 || tail.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let value: f64 = digits.trim_end_matches('.').parse().ok()?;
    value.is_finite().then_some(sign * value)
}

/// One number for all the texts; NULL where one of them is.
fn hash(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = (0..call.len()).map(|at| call.text(at));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let hashes: UInt64Array = (0..call.rows)
        .map(|row| {
            texts.iter().try_fold(0_u64, |sum, texts| {
                let text = texts.get(row).filter(|text| !text.is_empty())?;
                Some(mix(sum.rotate_left(23) ^ text_hash(text)))
            })
        })
        .collect();
    Ok(Arc::new(hashes))
}

/// Eight bytes at a time, so that it takes little beside reading the text.
fn text_hash(text: &str) -> u64 {
    let mut sum = text.len() as u64 ^ 0x9E37_79B9_7F4A_7C15;
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        sum ^= sum >> 32;
    }
    sum
}

/// The 3-grams of a normalised text, with `#` around each word, each as one number: three characters of 21 bits.
pub fn grams(text: &str, mut tell: impl FnMut(u64)) {
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (mut first, mut second) = (None, Some(u64::from('#')));
        let mut told = false;
        for c in word.chars().chain(std::iter::once('#')) {
            let third = u64::from(c);
            if let (Some(first), Some(second)) = (first, second) {
                tell(first << 42 | second << 21 | third);
                told = true;
            }
            first = second;
            second = Some(third);
        }
        debug_assert!(told);
    }
}

/// The cosine of two texts' sets of 3-grams.
#[derive(Default)]
struct Grams {
    left: Vec<u64>,
    right: Vec<u64>,
}

impl Grams {
    fn cosine(&mut self, a: &str, b: &str) -> f32 {
        for (text, list) in [(a, &mut self.left), (b, &mut self.right)] {
            list.clear();
            grams(text, |gram| list.push(gram));
            list.sort_unstable();
            list.dedup();
        }
        if self.left.is_empty() || self.right.is_empty() {
            return 0.0;
        }
        let mut others = self.right.iter().copied().peekable();
        let mut common = 0_u32;
        for gram in &self.left {
            while others.next_if(|other| other < gram).is_some() {}
            common += u32::from(others.next_if_eq(gram).is_some());
        }
        common as f32 / ((self.left.len() * self.right.len()) as f32).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let mut out = String::new();
        normalize_into(text, &mut out);
        out
    }

    #[test]
    fn values_have_normal_forms() {
        assert_eq!(
            normal("  Müller & Söhne,  O'Neill_x "),
            "muller and sohne oneill x"
        );
        assert_eq!(normal("ﬁne №5"), "fine no5");
        assert_eq!(normal("--"), "");
        assert_eq!(normal("日本 語"), "日本 語");
    }

    // As Python's re.fullmatch(r'[^\d\-]{0,4}(-?[\d,]*\.?\d+)[^\d]{0,4}', s.strip()).
    #[test]
    fn numbers_are_found_within_texts() {
        assert_eq!(parse_number("$1,234.50"), Some(1234.5));
        assert_eq!(parse_number(" -12 % "), Some(-12.0));
        assert_eq!(parse_number("007"), Some(7.0));
        assert_eq!(parse_number("12/05/1999"), None);
        assert_eq!(parse_number("about 12"), None);
        assert_eq!(parse_number("12 miles"), None);
        assert_eq!(parse_number("x"), None);
        assert_eq!(parse_number(""), None);
    }

    #[test]
    fn grams_are_padded_words() {
        let mut found = Vec::new();
        grams("ab c", |g| {
            let part = |at: u32| char::from_u32((g >> at & 0x1F_FFFF) as u32).unwrap();
            found.push([part(42), part(21), part(0)].iter().collect::<String>());
        });
        assert_eq!(found, ["#ab", "ab#", "#c#"]);
    }

    // 2 of 4 and 4 grams in common: 2 / sqrt(16).
    #[test]
    fn sets_of_grams_are_compared() {
        let mut grams = Grams::default();
        assert!(
            (grams.cosine("abcd", "abxd") - 0.25).abs() < 1e-6,
            "{}",
            grams.cosine("abcd", "abxd")
        );
        assert!((grams.cosine("smith john", "john smith") - 1.0).abs() < 1e-6);
    }
}
