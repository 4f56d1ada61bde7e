//! Text in other encodings than UTF-8, where a file says so itself.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes tell the encoding.
const TELLING: usize = 256;
const CHUNK: usize = 64 * 1024;

/// The encoding that the beginning of a text tells of: by a byte-order mark, by the zero bytes that UTF-16
/// has where JSON and XML have ASCII, or by XML's own declaration. `None` is UTF-8.
pub(super) fn encoding_of(head: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return (encoding != UTF_8).then_some(encoding);
    }
    match head {
        [b'{' | b'[' | b'<', 0, other, ..] if *other != 0 || head.get(3) == Some(&0) => {
            Some(UTF_16LE)
        }
        [0, b'{' | b'[' | b'<', 0, ..] => Some(UTF_16BE),
        [b'<', b'?', b'x', b'm', b'l', ..] => declared(head),
        _ => None,
    }
}

fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = &head[..head.len().min(TELLING)];
    let end = memchr::memmem::find(declaration, b"?>")?;
    let declaration = std::str::from_utf8(&declaration[..end]).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = rest[1..].split(quote).next()?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A declaration in ASCII that says UTF-16 is wrong: it was transcoded, and left as it was.
    let ascii = encoding.is_ascii_compatible() && encoding != UTF_8;
    ascii.then_some(encoding)
}

/// The head as UTF-8, where its encoding is another.
pub(super) fn head_as_utf8(head: &[u8]) -> Option<Vec<u8>> {
    let encoding = encoding_of(head)?;
    let mut text = String::with_capacity(head.len() * 2);
    let mut decoder = encoding.new_decoder_with_bom_removal();
    // What is cut within a character is left out.
    let _ = decoder.decode_to_string(head, &mut text, false);
    Some(text.into_bytes())
}

/// A text as UTF-8, whichever encoding it says it is in.
///
/// # Errors
/// When the first bytes cannot be read.
pub(super) fn utf8(reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    utf8_in(reader, None)
}

/// The same, for a text in an encoding of this name (in the WHATWG's list), whatever it says itself.
///
/// # Errors
/// When the first bytes cannot be read.
pub(super) fn utf8_in(
    reader: Box<dyn Read + Send>,
    label: Option<&str>,
) -> io::Result<Box<dyn Read + Send>> {
    let given = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    let mut reader = reader;
    let mut head = Vec::with_capacity(TELLING);
    reader
        .by_ref()
        .take(TELLING as u64)
        .read_to_end(&mut head)?;
    let encoding = given.or_else(|| encoding_of(&head));
    let whole = io::Cursor::new(head).chain(reader);
    Ok(match encoding {
        None => Box::new(whole),
        Some(encoding) => Box::new(Transcoder {
            raw: BufReader::with_capacity(CHUNK, whole),
            decoder: encoding.new_decoder_with_bom_removal(),
            text: Vec::new(),
            at: 0,
            ended: false,
        }),
    })
}

struct Transcoder<R> {
    raw: BufReader<R>,
    decoder: Decoder,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Transcoder<R> {
    fn advance(&mut self) -> io::Result<()> {
        let raw = self.raw.fill_buf()?;
        let last = raw.is_empty();
        // Three bytes for each is the most that any encoding needs.
        self.text.resize(CHUNK * 3 + 16, 0);
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(raw, &mut self.text, last);
        self.raw.consume(read);
        self.text.truncate(written);
        self.at = 0;
        match result {
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the text is not {}", self.decoder.encoding().name()),
            )),
            DecoderResult::InputEmpty => {
                self.ended = last;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.advance()?;
        }
        let count = buffer.len().min(self.text.len() - self.at);
        buffer[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        utf8(Box::new(io::Cursor::new(bytes)))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        let units = mark.into_iter().chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn files_say_what_they_are_in() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>".to_vec();
        assert!(read(latin).unwrap().ends_with("<a>é</a>"));
        assert_eq!(read(b"{\"a\": 1}".to_vec()).unwrap(), "{\"a\": 1}");
        let mut broken = utf16("[{\"a\": 1}]", false, true);
        broken.extend([0x00, 0xd8, 0x20, 0x00]);
        assert_eq!(
            read(broken).unwrap_err().to_string(),
            "the text is not UTF-16LE"
        );
    }

    proptest! {
        #[test]
        fn utf_16_is_read_as_it_was_written(rest in "\\PC{0,20}", times in 1usize..4000, big: bool, mark: bool) {
            let text = format!("{{{}", rest.repeat(times));
            prop_assume!(mark || text.as_bytes().get(1).is_some_and(|b| (1..128).contains(b)));
            prop_assert_eq!(read(utf16(&text, big, mark)).unwrap(), text);
        }

        #[test]
        fn any_bytes_are_text_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(bytes.clone());
            let _ = head_as_utf8(&bytes);
        }
    }
}
