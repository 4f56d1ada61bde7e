//! Compression, told by magic bytes and read member by member.
//!
//! Files that were made by appending one compressed file to another are common in lakes. All of
//! their members are read: DataFusion's own readers stop after the first for bzip2, xz and zstd.

mod bomb;
mod lz4;
mod snappy;
mod zip;

use std::fmt;
use std::io::{self, BufReader, Read};

pub(crate) use self::bomb::{Counted, Metered};
pub(crate) use self::zip::zip_entry;

/// How a whole file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Snappy's framing format.
    Snappy,
    /// Snappy as Hadoop's codec writes it: blocks behind their lengths.
    HadoopSnappy,
    /// One block of Snappy and nothing around it.
    RawSnappy,
    /// LZ4's frame format.
    Lz4,
    /// A zip archive that holds one file.
    Zip,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Glue's names for `compressionType`, and the tools' own where Glue has none.
        f.write_str(match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
            Compression::Snappy | Compression::HadoopSnappy | Compression::RawSnappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zip => "zip",
        })
    }
}

/// Bytes that tell every compression apart.
pub const MAGIC_LENGTH: usize = 16;

impl Compression {
    /// The compression that a file's first bytes tell of.
    pub fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, ..] => Compression::Bzip2,
            // An empty bzip2 stream has the end-of-stream magic at once.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame may come first (pzstd writes one).
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [0xff, 6, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y', ..] => Compression::Snappy,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            // An archive of no files has only its directory's end.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Compression::Zip,
            _ => Compression::None,
        }
    }

    /// The compression of a file of this name and of `size` bytes. Beside what [`Self::of`] tells, Snappy
    /// without magic bytes is told where the name ends in `.snappy` and the lengths at the file's
    /// beginning agree with each other and with its size.
    pub fn of_file(head: &[u8], name: &str, size: u64) -> Compression {
        match Self::of(head) {
            Compression::None if ends_in_snappy(name) => snappy::without_magic(head, size),
            found => found,
        }
    }

    /// A reader of what was compressed.
    ///
    /// # Errors
    /// When the compression's own header is bad.
    pub fn reader(self, raw: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        const BUFFER: usize = 64 * 1024;
        Ok(match self {
            Compression::None => raw,
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(
                BufReader::with_capacity(BUFFER, raw),
            )),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(
                BufReader::with_capacity(BUFFER, raw),
            )),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(
                BufReader::with_capacity(BUFFER, raw),
            )),
            // Reads frame after frame, and reports a frame that is cut short.
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(
                BufReader::with_capacity(BUFFER, raw),
            )?),
            Compression::Snappy => Box::new(snap::read::FrameDecoder::new(raw)),
            Compression::HadoopSnappy => Box::new(snappy::HadoopReader::new(
                BufReader::with_capacity(BUFFER, raw),
            )),
            Compression::RawSnappy => Box::new(io::Cursor::new(snappy::whole(raw)?)),
            Compression::Lz4 => Box::new(lz4::Frames::new(BufReader::with_capacity(BUFFER, raw))),
            Compression::Zip => Box::new(zip::in_memory(raw)?),
        })
    }
}

fn ends_in_snappy(name: &str) -> bool {
    let name = name.as_bytes();
    const ENDING: &[u8] = b".snappy";
    name.len() >= ENDING.len() && name[name.len() - ENDING.len()..].eq_ignore_ascii_case(ENDING)
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ::zip;
    use proptest::prelude::*;
    use std::io::Write;

    fn compressed(with: Compression, text: &[u8]) -> Vec<u8> {
        match with {
            Compression::None => text.to_vec(),
            Compression::Gzip => {
                let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(text).unwrap();
                w.finish().unwrap()
            }
            Compression::Bzip2 => {
                let mut w = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                w.write_all(text).unwrap();
                w.finish().unwrap()
            }
            Compression::Xz => {
                let mut w = liblzma::write::XzEncoder::new(Vec::new(), 1);
                w.write_all(text).unwrap();
                w.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(text, 1).unwrap(),
            Compression::Snappy => {
                let mut w = snap::write::FrameEncoder::new(Vec::new());
                w.write_all(text).unwrap();
                w.into_inner().unwrap()
            }
            Compression::Lz4 => {
                let mut w = lz4_flex::frame::FrameEncoder::new(Vec::new());
                w.write_all(text).unwrap();
                w.finish().unwrap()
            }
            Compression::HadoopSnappy | Compression::RawSnappy => {
                unreachable!("these are read from what other programs wrote")
            }
            Compression::Zip => {
                let mut w = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
                w.start_file("a.csv", zip::write::SimpleFileOptions::default())
                    .unwrap();
                w.write_all(text).unwrap();
                w.finish().unwrap().into_inner()
            }
        }
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Compression::of(&bytes)
            .reader(Box::new(io::Cursor::new(bytes)))?
            .read_to_end(&mut out)?;
        Ok(out)
    }

    const STREAMS: [Compression; 7] = [
        Compression::None,
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Xz,
        Compression::Zstd,
        Compression::Snappy,
        Compression::Lz4,
    ];

    #[test]
    fn every_member_is_read() {
        for with in STREAMS {
            let mut two = compressed(with, b"a,b\n1,2\n");
            two.extend(compressed(with, b"3,4\n"));
            assert_eq!(read(two).unwrap(), b"a,b\n1,2\n3,4\n", "{with}");
        }
        let zip = compressed(Compression::Zip, b"a,b\n");
        assert_eq!(read(zip).unwrap(), b"a,b\n");
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let text: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
        for with in &STREAMS[1..] {
            let mut bytes = compressed(*with, &text);
            bytes.truncate(bytes.len() / 2);
            assert!(read(bytes).is_err(), "{with}");
        }
        let mut zip = compressed(Compression::Zip, &text);
        zip.truncate(zip.len() / 2);
        assert!(read(zip).is_err());
    }

    #[test]
    fn a_zip_of_two_files_says_so() {
        let mut w = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in ["a", "b"] {
            w.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
        }
        let error = read(w.finish().unwrap().into_inner()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the zip archive holds 2 files, and only archives of one file can be read"
        );
    }

    /// Bytes of hexadecimal digits.
    fn bytes(digits: &str) -> Vec<u8> {
        (0..digits.len() / 2)
            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// What other programs wrote: LZ4 by `lz4.frame` of Python's lz4 4.4.5 (with a checksum of the contents
    /// and without), Snappy by `snappy.compress` and `HadoopStreamCompressor` of python-snappy 0.7.3.
    const WRITTEN: [(&str, Compression, &str); 4] = [
        (
            "x.lz4",
            Compression::Lz4,
            "04224d186c4035000000000000005d2b0000009169642c6e616d650a3107004220310a32090032320a33090032330a340900b0340a352c6e616d6520350a0000000071f05d16",
        ),
        (
            "x",
            Compression::Lz4,
            "04224d186040822b0000009169642c6e616d650a3107004220310a32090032320a33090032330a340900b0340a352c6e616d6520350a00000000",
        ),
        (
            "x.csv.snappy",
            Compression::RawSnappy,
            "352069642c6e616d650a3105070c20310a32090908320a33090908330a34090928340a352c6e616d6520350a",
        ),
        (
            "x.csv.SNAPPY",
            Compression::HadoopSnappy,
            "000000350000002c352069642c6e616d650a3105070c20310a32090908320a33090908330a34090928340a352c6e616d6520350a",
        ),
    ];

    fn read_file(name: &str, bytes: &[u8]) -> io::Result<(Compression, Vec<u8>)> {
        let head = &bytes[..bytes.len().min(MAGIC_LENGTH)];
        let found = Compression::of_file(head, name, bytes.len() as u64);
        let mut out = Vec::new();
        found
            .reader(Box::new(io::Cursor::new(bytes.to_vec())))?
            .read_to_end(&mut out)?;
        Ok((found, out))
    }

    #[test]
    fn what_other_programs_compressed_is_read() {
        let text = "id,name\n1,name 1\n2,name 2\n3,name 3\n4,name 4\n5,name 5\n";
        for (name, expected, digits) in WRITTEN {
            let file = bytes(digits);
            let (found, out) = read_file(name, &file).unwrap();
            assert_eq!(
                (found, out.as_slice()),
                (expected, text.as_bytes()),
                "{name}"
            );
            // Cut anywhere behind what tells the compression, it is an error, never less data.
            for length in MAGIC_LENGTH..file.len() {
                if let Ok((found, _)) = read_file(name, &file[..length]) {
                    assert_eq!(found, Compression::None, "{name} at {length}");
                }
            }
        }
    }

    #[test]
    fn snappy_without_magic_needs_its_name_and_its_lengths() {
        let (_, _, digits) = WRITTEN[3];
        assert_eq!(
            Compression::of_file(&bytes(digits), "x.csv", 52),
            Compression::None
        );
        // What is text has no literal where Snappy begins with one.
        let text = b"name,city\nAnn,Oslo\n";
        let found = Compression::of_file(&text[..MAGIC_LENGTH], "x.snappy", text.len() as u64);
        assert_eq!(found, Compression::None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Damaged files are errors or other contents, within bounds, and nothing panics.
        #[test]
        fn damaged_files_do_not_panic(
            which in 0usize..11,
            at in 0usize..200,
            byte: u8,
            cut in 0usize..200,
        ) {
            let mut file = match which {
                0..7 => compressed(STREAMS[which], b"a,b\n1,2\n3,4\n"),
                7..11 => bytes(WRITTEN[which - 7].2),
                _ => Vec::new(),
            };
            let name = if which < 7 { "x" } else { WRITTEN[which - 7].0 };
            let length = file.len();
            file[at % length] = byte;
            file.truncate(length - cut % length);
            let head = &file[..file.len().min(MAGIC_LENGTH)];
            let found = Compression::of_file(head, name, file.len() as u64);
            if let Ok(reader) = found.reader(Box::new(io::Cursor::new(file.clone()))) {
                let mut out = Vec::new();
                let _ = reader.take(1 << 20).read_to_end(&mut out);
            }
        }
    }
}
