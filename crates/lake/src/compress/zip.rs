//! Zip archives that hold one file.

use std::io::{self, Read, Seek};

use super::invalid;

/// What an archive that is only a stream may have: it is held in memory.
const MAX_STREAMED: u64 = 256 << 20;

/// The one file of an archive that comes as a stream.
pub(super) fn in_memory(raw: impl Read) -> io::Result<impl Read + Send> {
    let mut bytes = Vec::new();
    raw.take(MAX_STREAMED + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_STREAMED {
        return Err(invalid("the zip archive is longer than 256 MiB"));
    }
    zip_entry(io::Cursor::new(bytes))
}

/// The one file of an archive. Its directory, which alone tells how many files it has, is at its end.
/// Glue allows one file a zip.
pub(crate) fn zip_entry<R: Read + Seek + Send + 'static>(
    raw: R,
) -> io::Result<impl Read + Send + use<R>> {
    let bad = |message: String| invalid(message);
    let mut archive = zip::ZipArchive::new(raw).map_err(|e| bad(told(&e)))?;
    let mut data = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| bad(told(&e)))?;
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

fn told(error: &zip::result::ZipError) -> String {
    match error {
        zip::result::ZipError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            "the file is cut short".to_owned()
        }
        zip::result::ZipError::InvalidArchive(_) => {
            format!("the zip archive is bad or cut short: {error}")
        }
        other => other.to_string(),
    }
}

/// The decompressed bytes of one entry, in pieces.
struct ZipEntry {
    inner: Box<dyn Read + Send>,
}

impl ZipEntry {
    fn open<R: Read + Seek + Send + 'static>(
        mut archive: zip::ZipArchive<R>,
        index: usize,
    ) -> io::Result<Self> {
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
        let mut raw = archive.into_inner();
        raw.seek(io::SeekFrom::Start(start))?;
        let stored = raw.take(length);
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
