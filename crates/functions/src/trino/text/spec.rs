//! The format strings of Java's `Formatter`.

use std::fmt::Write;

/// No width or precision is larger, so that a format cannot ask for gigabytes.
const WIDEST: usize = 10_000;

/// One `%…` of a format.
#[derive(Debug, Default, Clone)]
pub(super) struct Spec {
    /// Which argument, from 0; the next one if it is not said.
    pub(super) index: Option<usize>,
    /// The same argument as the one before (`%<s`).
    pub(super) again: bool,
    pub(super) left: bool,
    pub(super) plus: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) comma: bool,
    pub(super) paren: bool,
    pub(super) alternate: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    /// The letter, and the letter behind a `t`.
    pub(super) conversion: char,
    pub(super) moment: Option<char>,
    pub(super) upper: bool,
}

/// What a format is made of.
pub(super) enum Piece {
    Text(String),
    Value(Spec),
}

/// The pieces of a format, or what is wrong with it.
pub(super) fn parse(format: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            plain.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut digits = String::new();
        while let Some(d) = chars.next_if(char::is_ascii_digit) {
            digits.push(d);
        }
        if chars.next_if_eq(&'$').is_some() {
            let index: usize = digits
                .parse()
                .map_err(|_| "a '$' without a number".to_owned())?;
            spec.index = Some(index.checked_sub(1).ok_or("arguments count from 1")?);
            digits.clear();
        } else if digits.starts_with('0') {
            spec.zero = true;
            digits.remove(0);
        }
        if digits.is_empty() {
            while let Some(flag) = chars.next_if(|c| "-#+ 0,(<".contains(*c)) {
                let set = match flag {
                    '-' => &mut spec.left,
                    '#' => &mut spec.alternate,
                    '+' => &mut spec.plus,
                    ' ' => &mut spec.space,
                    '0' => &mut spec.zero,
                    ',' => &mut spec.comma,
                    '(' => &mut spec.paren,
                    _ => &mut spec.again,
                };
                if std::mem::replace(set, true) {
                    return Err(format!("the flag '{flag}' stands twice"));
                }
            }
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
        }
        spec.width = bounded(&digits)?;
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            spec.precision = bounded(&digits)?;
            if spec.precision.is_none() {
                return Err("no number follows a '.'".to_owned());
            }
        }
        let letter = chars.next().ok_or("nothing follows the last '%'")?;
        spec.upper = letter.is_ascii_uppercase();
        spec.conversion = letter.to_ascii_lowercase();
        if (spec.left || spec.zero) && spec.width.is_none() {
            return Err(format!("'%…{letter}' has a flag that needs a width"));
        }
        if spec.left && spec.zero {
            return Err("the flags '-' and '0' exclude each other".to_owned());
        }
        match spec.conversion {
            'n' => {
                plain.push('\n');
                continue;
            }
            '%' => {
                let width = spec.width.unwrap_or(1);
                if spec.left {
                    let _ = write!(plain, "{:<width$}", "%");
                } else {
                    let _ = write!(plain, "{:>width$}", "%");
                }
                continue;
            }
            't' => spec.moment = Some(chars.next().ok_or("nothing follows a 't'")?),
            'd' | 'x' | 'o' if spec.precision.is_some() => {
                return Err(format!("'{letter}' has no precision"));
            }
            's' | 'b' | 'c' if spec.plus || spec.comma || spec.paren || spec.zero || spec.space => {
                return Err(format!("'{letter}' does not take that flag"));
            }
            's' | 'd' | 'x' | 'o' | 'f' | 'e' | 'g' | 'b' | 'c' => {}
            _ => return Err(format!("there is no '%{letter}'")),
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Value(spec));
    }
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

fn bounded(digits: &str) -> Result<Option<usize>, String> {
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(n) if n <= WIDEST => Ok(Some(n)),
        _ => Err(format!("{digits} is too wide; {WIDEST} is the most")),
    }
}
