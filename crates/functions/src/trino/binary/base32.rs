//! Base32 (RFC 4648), with padding.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The text of some bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut word = 0_u64;
        for i in 0..5 {
            word = word << 8 | u64::from(chunk.get(i).copied().unwrap_or(0));
        }
        let digits = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            let digit = (word >> (35 - 5 * i)) & 31;
            let c = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            out.push(if i < digits { char::from(c) } else { '=' });
        }
    }
    out
}

/// The bytes of a text, or why it has none. Padding may be left out.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 6 || matches!(digits.len() % 8, 1 | 3 | 6) {
        return Err("its length is none that base32 has".to_owned());
    }
    let mut out = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut word, mut held) = (0_u32, 0);
    for c in digits.chars() {
        let digit = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            '2'..='7' => c as u32 - '2' as u32 + 26,
            _ => return Err(format!("'{c}' is no base32 digit")),
        };
        word = word << 5 | digit;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push((word >> held) as u8);
            word &= (1 << held) - 1;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "MY======"),
            ("fo", "MZXQ===="),
            ("foo", "MZXW6==="),
            ("foob", "MZXW6YQ="),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
        }
        assert!(decode("M").is_err());
        assert!(decode("my").is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn takes_any_text(text in ".{0,20}") {
            let _ = decode(&text);
        }
    }
}
