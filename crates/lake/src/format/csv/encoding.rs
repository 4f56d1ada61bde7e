//! From the bytes of a file to UTF-8, as a stream.
//!
//! Every file tells its own encoding as far as bytes can: a byte order mark, the pattern of zero
//! bytes of UTF-16, or being valid UTF-8. Only what is none of these is read in the encoding that is
//! given or guessed, and line by line: a line that is valid UTF-8 is that, since hardly any text of
//! another encoding is by chance. So files of several encodings can be one table.

use std::borrow::Cow;
use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How much of a file its encoding is told by, when it is opened.
const PEEK: usize = 4096;
const CHUNK: usize = 64 * 1024;
/// How many bytes of lines that are not UTF-8 their encoding is guessed by.
const GUESSED_BY: usize = 32 * 1024;
/// A line that is longer is cut where it is safe, or anywhere.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// The encoding that a file's first bytes tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A mark of so many bytes, and UTF-8.
    Utf8Mark,
    /// UTF-16, with a mark or without.
    Utf16(&'static Encoding, usize),
    /// None of these.
    Nothing,
}

/// What the first bytes tell.
pub(super) fn told(head: &[u8]) -> Told {
    match head {
        [0xef, 0xbb, 0xbf, ..] => Told::Utf8Mark,
        [0xff, 0xfe, ..] => Told::Utf16(UTF_16LE, 2),
        [0xfe, 0xff, ..] => Told::Utf16(UTF_16BE, 2),
        _ => match without_mark(&head[..head.len().min(PEEK)]) {
            Some(encoding) => Told::Utf16(encoding, 0),
            None => Told::Nothing,
        },
    }
}

/// UTF-16 without a mark: tables are full of ASCII, of which every other byte is zero.
fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    if head.len() < 8 || !head.contains(&0) {
        return None;
    }
    let pairs = head.len() / 2;
    let zeros = |odd: usize| {
        let bytes = head.iter().skip(odd).step_by(2);
        bytes.filter(|b| **b == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let encoding = match (even, odd) {
        (0, _) if odd * 10 >= pairs * 4 => UTF_16LE,
        (_, 0) if even * 10 >= pairs * 4 => UTF_16BE,
        _ => return None,
    };
    // A zero byte is half of a character, so that the text itself has none.
    let (text, bad) = encoding.decode_without_bom_handling(&head[..pairs * 2]);
    let binary = text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    (!bad && !binary).then_some(encoding)
}

/// The likely encoding of bytes that are not UTF-8.
pub(super) fn guess(bytes: &[u8]) -> &'static Encoding {
    // ASCII tells nothing, and lines that are UTF-8 would mislead.
    let mut telling = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if telling.len() > GUESSED_BY {
            break;
        }
        if std::str::from_utf8(line).is_err() {
            telling.extend_from_slice(&line[..line.len().min(GUESSED_BY)]);
        }
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&telling, true);
    let guessed = detector.guess(None, Utf8Detection::Deny);
    // A guess that its own bytes contradict is none. Windows-1252 has a character for every byte.
    let (_, bad) = guessed.decode_without_bom_handling(bytes);
    // Encodings of the Latin script differ in a few letters: some accents, a `µ` or a `£` tell nothing
    // of which it is, and then it is the one that most files are in.
    let letters = telling.iter().filter(|b| !b.is_ascii()).count();
    let unsure = letters < SURE && LATIN.contains(&guessed.name());
    if bad || unsure { WINDOWS_1252 } else { guessed }
}

/// How many letters beyond ASCII make a guess between encodings of the Latin script.
const SURE: usize = 64;

/// Encodings of the Latin script beside Windows-1252.
const LATIN: [&str; 9] = [
    "windows-1250",
    "windows-1254",
    "windows-1257",
    "windows-1258",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-10",
    "ISO-8859-13",
];

/// The encoding of that name, as the WHATWG's list has it.
pub(super) fn of_name(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.trim().as_bytes())
}

/// A beginning as UTF-8, the encoding of its lines that are not, and what it is to be called.
pub(super) type TextHead<'a> = (Cow<'a, [u8]>, Option<&'static Encoding>, &'static str);

/// The beginning of a file as UTF-8, and the encoding that it needs where it is neither UTF-8 nor
/// UTF-16; `None` where it is no text.
pub(super) fn head(bytes: &[u8], complete: bool) -> Option<TextHead<'_>> {
    let (text, fallback, name): (Cow<'_, [u8]>, _, _) = match told(bytes) {
        Told::Utf8Mark => (Cow::Borrowed(&bytes[3..]), None, "UTF-8 by its mark"),
        Told::Utf16(encoding, skip) => {
            let whole = skip + (bytes.len() - skip) / 2 * 2;
            let mut reader = Utf8Reader::new(&bytes[..whole], None);
            let mut text = Vec::with_capacity(bytes.len());
            reader.read_to_end(&mut text).ok()?;
            (Cow::Owned(text), None, encoding.name())
        }
        Told::Nothing => (Cow::Borrowed(bytes), None, "UTF-8"),
    };
    let valid = match std::str::from_utf8(&text) {
        Ok(_) => true,
        // The head may end within a character.
        Err(error) => error.error_len().is_none() && !complete,
    };
    if valid {
        return (!text.contains(&0)).then_some((text, fallback, name));
    }
    // Hardly any text has control characters; nearly every binary file does.
    let controls = text
        .iter()
        .filter(|b| **b < 32 && !matches!(**b, b'\n' | b'\r' | b'\t' | 1 | 0x1e | 0x1f))
        .count();
    if controls * 1000 > text.len() {
        return None;
    }
    let encoding = guess(&text);
    let mut reader = Utf8Reader::new(&*text, Some(encoding));
    let mut decoded = Vec::with_capacity(text.len() + text.len() / 8);
    reader.read_to_end(&mut decoded).ok()?;
    (!decoded.contains(&0)).then_some((Cow::Owned(decoded), Some(encoding), encoding.name()))
}

enum Mode {
    /// The first bytes were not seen yet.
    Start,
    /// As it is: the caller tells what is not UTF-8.
    Plain,
    /// Line by line, what is not UTF-8 in an encoding, which is guessed where there is none.
    Lines,
    Utf16(Box<Decoder>),
}

/// Reads a file as UTF-8.
pub(super) struct Utf8Reader<R> {
    reader: R,
    mode: Mode,
    /// The encoding of lines that are not UTF-8.
    fallback: Option<&'static Encoding>,
    /// Whether a fallback is guessed where none is given.
    guesses: bool,
    raw: Vec<u8>,
    /// How much of `raw` is filled.
    filled: usize,
    out: Vec<u8>,
    given: usize,
    eof: bool,
    /// Whether all was decoded.
    done: bool,
    total: u64,
}

impl<R: Read> Utf8Reader<R> {
    /// Lines that are not UTF-8 are read in `fallback`; without one, they are left as they are.
    pub(super) fn new(reader: R, fallback: Option<&'static Encoding>) -> Self {
        Utf8Reader {
            reader,
            mode: Mode::Start,
            fallback,
            guesses: false,
            raw: Vec::new(),
            filled: 0,
            out: Vec::new(),
            given: 0,
            eof: false,
            done: false,
            total: 0,
        }
    }

    /// Guesses an encoding where a line is not UTF-8 and none was given.
    pub(super) fn guessing(mut self) -> Self {
        self.guesses = true;
        self
    }

    /// The encoding of the lines that were not UTF-8.
    pub(super) fn fallback(&self) -> Option<&'static Encoding> {
        self.fallback
    }

    /// Bytes read from the file so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn refill(&mut self, size: usize) -> io::Result<()> {
        if self.raw.len() < size {
            self.raw.resize(size, 0);
        }
        while self.filled < size && !self.eof {
            match self.reader.read(&mut self.raw[self.filled..size]) {
                Ok(0) => self.eof = true,
                Ok(count) => {
                    self.filled += count;
                    self.total += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn start(&mut self) -> io::Result<()> {
        self.refill(PEEK)?;
        let skip = match told(&self.raw[..self.filled]) {
            Told::Utf8Mark => {
                self.mode = Mode::Plain;
                3
            }
            Told::Utf16(encoding, mark) => {
                self.mode = Mode::Utf16(Box::new(encoding.new_decoder_without_bom_handling()));
                mark
            }
            Told::Nothing => {
                self.mode = Mode::Plain;
                0
            }
        };
        if matches!(self.mode, Mode::Plain) && (self.guesses || self.fallback.is_some()) {
            self.mode = Mode::Lines;
        }
        self.raw.copy_within(skip..self.filled, 0);
        self.filled -= skip;
        Ok(())
    }

    /// Decodes more into `out`, which is empty.
    fn advance(&mut self) -> io::Result<()> {
        self.out.clear();
        self.given = 0;
        self.refill(CHUNK)?;
        if let Mode::Utf16(decoder) = &mut self.mode {
            let input = &self.raw[..self.filled];
            let need = decoder.max_utf8_buffer_length(input.len());
            self.out.resize(need.unwrap_or(input.len() * 3 + 16), 0);
            let (result, read, written, _) = decoder.decode_to_utf8(input, &mut self.out, self.eof);
            debug_assert!(result == CoderResult::InputEmpty);
            self.out.truncate(written);
            self.raw.copy_within(read..self.filled, 0);
            self.filled -= read;
            return Ok(());
        }
        loop {
            let input = &self.raw[..self.filled];
            let cut = if self.eof {
                Some(input.len())
            } else {
                memchr::memrchr2(b'\n', b'\r', input).map(|at| at + 1)
            };
            let cut = match cut {
                Some(cut) => cut,
                None if self.filled < MAX_LINE => {
                    let size = self.filled * 2;
                    self.refill(size)?;
                    continue;
                }
                // No character of any encoding goes on with a byte below '0'.
                None => input
                    .iter()
                    .rposition(|b| *b < b'0')
                    .map_or(input.len(), |at| at + 1),
            };
            self.lines(cut);
            self.raw.copy_within(cut..self.filled, 0);
            self.filled -= cut;
            return Ok(());
        }
    }

    fn lines(&mut self, cut: usize) {
        let text = &self.raw[..cut];
        if std::str::from_utf8(text).is_ok() {
            self.out.extend_from_slice(text);
            return;
        }
        let mut at = 0;
        while at < text.len() {
            let end = memchr::memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |e| at + e + 1);
            let line = &text[at..end];
            if std::str::from_utf8(line).is_ok() {
                self.out.extend_from_slice(line);
            } else {
                let rest = &text[at..];
                let encoding = *self.fallback.get_or_insert_with(|| guess(rest));
                let (decoded, _) = encoding.decode_without_bom_handling(line);
                self.out.extend_from_slice(decoded.as_bytes());
            }
            at = end;
        }
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if matches!(self.mode, Mode::Start) {
            self.start()?;
        }
        if matches!(self.mode, Mode::Plain) {
            if self.given < self.filled {
                let count = buffer.len().min(self.filled - self.given);
                buffer[..count].copy_from_slice(&self.raw[self.given..self.given + count]);
                self.given += count;
                return Ok(count);
            }
            let count = self.reader.read(buffer)?;
            self.total += count as u64;
            return Ok(count);
        }
        while self.given == self.out.len() {
            if self.done {
                return Ok(0);
            }
            self.advance()?;
            self.done = self.eof;
        }
        let count = buffer.len().min(self.out.len() - self.given);
        buffer[..count].copy_from_slice(&self.out[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A reader that gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn decoded(bytes: &[u8], fallback: Option<&'static Encoding>, drip: usize) -> String {
        let mut out = Vec::new();
        Utf8Reader::new(Drip(bytes, drip), fallback)
            .guessing()
            .read_to_end(&mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        let units = mark.encode_utf16().chain(text.encode_utf16());
        units
            .flat_map(|u| {
                if little {
                    u.to_le_bytes()
                } else {
                    u.to_be_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn marks_and_their_absence() {
        let text = "name,city\nJosé,Łódź\n";
        for (bytes, what) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "a mark"),
            (utf16(text, true, true), "UTF-16LE"),
            (utf16(text, false, true), "UTF-16BE"),
            (utf16(text, true, false), "UTF-16LE without a mark"),
            (utf16(text, false, false), "UTF-16BE without a mark"),
        ] {
            assert_eq!(decoded(&bytes, None, 7), text, "{what}");
        }
    }

    #[test]
    fn each_line_is_in_its_own_encoding() {
        let mut bytes = "é,1\n".as_bytes().to_vec();
        bytes.extend_from_slice(b"\xe9,2\n\xfc");
        assert_eq!(decoded(&bytes, Some(WINDOWS_1252), 3), "é,1\né,2\nü");
    }

    #[test]
    fn binary_is_no_text() {
        assert!(head(b"\x00\x01\x02\x03\xff", true).is_none());
        assert!(head(b"\xff\xd8\xff\xe0\x10\x02\x08\x05", true).is_none());
        let (text, fallback, _) = head(b"caf\xe9,1\n", true).unwrap();
        assert_eq!(&*text, "café,1\n".as_bytes());
        assert!(fallback.is_some());
    }

    proptest! {
        /// UTF-8 passes as it is, and UTF-16 comes out as it went in, wherever reads are cut.
        #[test]
        fn nothing_is_lost(text in "[a-z,\n]{4}[a-zäé€😀,\n]{0,200}", drip in 1usize..50, little: bool) {
            prop_assert_eq!(&decoded(text.as_bytes(), None, drip), &text);
            prop_assert_eq!(&decoded(&utf16(&text, little, true), None, drip), &text);
        }

        /// Every byte has a character in Windows-1252.
        #[test]
        fn single_bytes_are_decoded(lines in proptest::collection::vec("[a-zäéü,]{0,20}", 1..20), drip in 1usize..50) {
            let text = lines.join("\n");
            let (bytes, _, bad) = WINDOWS_1252.encode(&text);
            prop_assert!(!bad);
            let valid = bytes.split(|b| *b == b'\n').any(|l| std::str::from_utf8(l).is_ok() && !l.is_ascii());
            prop_assume!(!valid);
            prop_assert_eq!(decoded(&bytes, Some(WINDOWS_1252), drip), text);
        }

        #[test]
        fn junk_becomes_text(bytes in proptest::collection::vec(any::<u8>(), 0..300), drip in 1usize..50) {
            let _ = (decoded(&bytes, None, drip), head(&bytes, true));
        }
    }
}
