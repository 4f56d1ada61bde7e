//! Words and characters: `soundex`, `title_case`, `normalize`, `luhn_check`, and text from bytes and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use unicode_normalization::UnicodeNormalization;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{boolean, booleans, bytes, texts, varbinary, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Bytes, Text};
    let one = Params::Kinds(&[Text], 1);
    vec![
        Function::new("soundex", one, varchar, soundex).udf(),
        Function::new("title_case", one, varchar, title_case).udf(),
        Function::new("luhn_check", one, boolean, luhn_check).udf(),
        Function::new(
            "normalize",
            Params::Kinds(&[Text, Text], 1),
            varchar,
            normalize,
        )
        .udf(),
        Function::new("char2hexint", one, varchar, char2hexint).udf(),
        Function::new("to_utf8", one, varbinary, to_utf8).udf(),
        Function::new(
            "from_utf8",
            Params::Kinds(&[Bytes, Text], 1),
            varchar,
            from_utf8,
        )
        .udf(),
    ]
}

/// The American Soundex code: a letter and three digits. Letters of one sound count once, also over an H or W
/// between them.
fn soundex(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        let Some(value) = values.get(row) else {
            return Ok(None);
        };
        if let Some(c) = value.chars().find(|c| c.is_alphabetic() && !c.is_ascii()) {
            return exec_err!(
                "soundex: '{value}' has the letter '{c}', which is not one of A to Z"
            );
        }
        let mut letters = value
            .chars()
            .filter(char::is_ascii_alphabetic)
            .map(|c| c.to_ascii_uppercase());
        let Some(first) = letters.next() else {
            return Ok(Some(String::new()));
        };
        let mut code = String::from(first);
        let mut last = sound(first);
        for letter in letters {
            if matches!(letter, 'H' | 'W') {
                continue;
            }
            let sound = sound(letter);
            if let Some(digit) = sound.filter(|_| sound != last) {
                code.push(digit);
                if code.len() == 4 {
                    break;
                }
            }
            last = sound;
        }
        Ok(Some(format!("{code:0<4}")))
    })
}

fn sound(letter: char) -> Option<char> {
    Some(match letter {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        _ => return None,
    })
}

/// Words are what stands between characters that are neither letters nor digits.
fn title_case(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        Ok(values.get(row).map(|value| {
            let mut out = String::with_capacity(value.len());
            let mut within = false;
            for c in value.chars() {
                if within {
                    out.extend(c.to_lowercase());
                } else {
                    out.extend(c.to_uppercase());
                }
                within = c.is_alphanumeric();
            }
            out
        }))
    })
}

/// Whether the last digit is the check digit of those before it.
fn luhn_check(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    booleans(call, |row| {
        let Some(value) = values.get(row) else {
            return Ok(None);
        };
        if !value.bytes().all(|b| b.is_ascii_digit()) {
            return exec_err!("luhn_check: '{value}' has characters that are not digits");
        }
        let sum: u64 = value
            .bytes()
            .rev()
            .enumerate()
            .map(|(i, b)| {
                let digit = u64::from(b - b'0') << (i % 2);
                digit / 10 + digit % 10
            })
            .sum();
        Ok(Some(!value.is_empty() && sum.is_multiple_of(10)))
    })
}

fn normalize(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let forms = (call.len() > 1).then(|| call.text(1)).transpose()?;
    texts(call, |row| {
        let form = forms.map_or(Some("NFC"), |f| f.get(row));
        let (Some(value), Some(form)) = (values.get(row), form) else {
            return Ok(None);
        };
        Ok(Some(match form.to_ascii_uppercase().as_str() {
            "NFC" => value.nfc().collect::<String>(),
            "NFD" => value.nfd().collect(),
            "NFKC" => value.nfkc().collect(),
            "NFKD" => value.nfkd().collect(),
            _ => {
                return exec_err!(
                    "normalize: '{form}' is not a form; it is one of NFC, NFD, NFKC, NFKD"
                );
            }
        }))
    })
}

/// The text's UTF-16 code units in hexadecimal.
fn char2hexint(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        let hex = |text: &str| {
            text.encode_utf16()
                .map(|unit| format!("{unit:04X}"))
                .collect::<String>()
        };
        Ok(values.get(row).map(hex))
    })
}

fn to_utf8(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    bytes(call, |row| Ok(values.get(row)))
}

/// What is no UTF-8 becomes U+FFFD, or the replacement: one character or none.
fn from_utf8(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    let with = (call.len() > 1).then(|| call.text(1)).transpose()?;
    texts(call, |row| {
        let with = with.map_or(Some("\u{FFFD}"), |w| w.get(row));
        let Some(with) = with.filter(|_| values.is_valid(row)) else {
            return Ok(None);
        };
        if with.chars().count() > 1 {
            return exec_err!("from_utf8: the replacement '{with}' is more than one character");
        }
        let mut out = String::with_capacity(values.value(row).len());
        for chunk in values.value(row).utf8_chunks() {
            out.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                out.push_str(with);
            }
        }
        Ok(Some(out))
    })
}
