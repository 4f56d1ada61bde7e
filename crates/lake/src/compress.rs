//! Compression, told by magic bytes and read member by member.
//!
//! Files that were made by appending one compressed file to another are common in lakes. All of
//! their members are read: DataFusion's own readers stop after the first for bzip2, xz and zstd.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

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
            Compression::Snappy => "snappy",
            Compression::Zip => "zip",
        })
    }
}

/// Bytes that tell every compression apart.
pub const MAGIC_LENGTH: usize = 10;

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
            [b'P', b'K', 3, 4, ..] => Compression::Zip,
            _ => Compression::None,
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
            Compression::Zip => Box::new(ZipReader::new(BufReader::with_capacity(BUFFER, raw))),
        })
    }
}

/// Reads the one file of a zip archive from its front, as a stream.
struct ZipReader<R> {
    raw: Option<R>,
    open: Option<Box<dyn Read + Send>>,
}

impl<R: BufRead + Send + 'static> ZipReader<R> {
    fn new(raw: R) -> Self {
        ZipReader {
            raw: Some(raw),
            open: None,
        }
    }

    /// Reads the local header and opens what follows it.
    fn start(&mut self) -> io::Result<()> {
        let Some(raw) = self.raw.take() else {
            return Ok(());
        };
        self.open = Some(Box::new(zip_entry(raw)?));
        Ok(())
    }
}

impl<R: BufRead + Send + 'static> Read for ZipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.start()?;
        match &mut self.open {
            Some(open) => open.read(buffer),
            None => Ok(0),
        }
    }
}

/// Holds the archive in memory: a zip's directory, which alone tells how many files it has, is at
/// its end. Glue allows one file a zip, and such files are small next to what lakes hold.
fn zip_entry(mut raw: impl Read) -> io::Result<impl Read + Send> {
    let bad = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let mut bytes = Vec::new();
    raw.read_to_end(&mut bytes)?;
    let mut archive =
        zip::ZipArchive::new(io::Cursor::new(bytes)).map_err(|e| bad(e.to_string()))?;
    let mut data = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| bad(e.to_string()))?;
        let hidden = entry.name().starts_with("__MACOSX/");
        if entry.is_file() && !hidden {
            data.push(index);
        }
    }
    let [index] = data.as_slice() else {
        return Err(bad(format!(
            "the zip archive holds {} files, and only archives of one file can be read",
            data.len()
        )));
    };
    ZipEntry::open(archive, *index)
}

type Archive = zip::ZipArchive<io::Cursor<Vec<u8>>>;

/// The decompressed bytes of one entry, in pieces.
struct ZipEntry {
    inner: Box<dyn Read + Send>,
}

impl ZipEntry {
    fn open(mut archive: Archive, index: usize) -> io::Result<Self> {
        let bad = |e: zip::result::ZipError| io::Error::new(io::ErrorKind::InvalidData, e);
        let (start, length, method, size, crc) = {
            let entry = archive.by_index_raw(index).map_err(bad)?;
            (
                entry.data_start(),
                entry.compressed_size(),
                entry.compression(),
                entry.size(),
                entry.crc32(),
            )
        };
        let start = start.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the zip entry has no data")
        })?;
        let mut cursor = archive.into_inner();
        cursor.set_position(start);
        let stored = cursor.take(length);
        let inner: Box<dyn Read + Send> = match method {
            zip::CompressionMethod::Stored => Box::new(stored),
            zip::CompressionMethod::Deflated => Box::new(flate2::read::DeflateDecoder::new(stored)),
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!(
                        "the zip entry is compressed with {other}, and only deflate can be read"
                    ),
                ));
            }
        };
        Ok(ZipEntry {
            inner: Box::new(Checked {
                inner,
                left: size,
                sum: flate2::Crc::new(),
                expected: crc,
            }),
        })
    }
}

impl Read for ZipEntry {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

/// Holds a zip entry to the size and checksum that its directory gives.
struct Checked {
    inner: Box<dyn Read + Send>,
    left: u64,
    sum: flate2::Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bad = |m: &str| Err(io::Error::new(io::ErrorKind::InvalidData, m.to_owned()));
        let count = self.inner.read(buffer)?;
        if count == 0 {
            return if buffer.is_empty() || (self.left == 0 && self.sum.sum() == self.expected) {
                Ok(0)
            } else if self.left > 0 {
                bad("the zip entry is cut short")
            } else {
                bad("the zip entry does not match its checksum")
            };
        }
        self.sum.update(&buffer[..count]);
        let Some(left) = self.left.checked_sub(count as u64) else {
            return bad("the zip entry is longer than its directory says");
        };
        self.left = left;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
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

    const STREAMS: [Compression; 6] = [
        Compression::None,
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Xz,
        Compression::Zstd,
        Compression::Snappy,
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
}
