//! Compressed files, made on the spot.

use std::io::{Cursor, Write};

/// A compression that a lake's files come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// None.
    Plain,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// Snappy's framing format.
    Snappy,
    /// A zip archive of one file.
    Zip,
}

impl Packing {
    /// All of them.
    pub const ALL: [Packing; 7] = [
        Packing::Plain,
        Packing::Gzip,
        Packing::Bzip2,
        Packing::Xz,
        Packing::Zstd,
        Packing::Snappy,
        Packing::Zip,
    ];

    /// The ending of such files, with its dot.
    pub fn ending(self) -> &'static str {
        match self {
            Packing::Plain => "",
            Packing::Gzip => ".gz",
            Packing::Bzip2 => ".bz2",
            Packing::Xz => ".xz",
            Packing::Zstd => ".zst",
            Packing::Snappy => ".sz",
            Packing::Zip => ".zip",
        }
    }

    /// Whether files that were packed one by one may be concatenated.
    pub fn concatenates(self) -> bool {
        self != Packing::Zip
    }

    /// Packs one member.
    pub fn pack(self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let bytes = bytes.as_ref();
        match self {
            Packing::Plain => bytes.to_vec(),
            Packing::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), Default::default());
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
            Packing::Bzip2 => {
                let mut writer = bzip2::write::BzEncoder::new(Vec::new(), Default::default());
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
            Packing::Xz => {
                let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 6);
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(bytes, 0).unwrap(),
            Packing::Snappy => {
                let mut writer = snap::write::FrameEncoder::new(Vec::new());
                writer.write_all(bytes).unwrap();
                writer.into_inner().unwrap()
            }
            Packing::Zip => zip(&[("inside", bytes)]),
        }
    }

    /// Packs members that follow each other, where the packing knows that; else one.
    pub fn pack_members(self, members: &[&str]) -> Vec<u8> {
        if self.concatenates() {
            members.iter().flat_map(|m| self.pack(m)).collect()
        } else {
            self.pack(members.concat())
        }
    }
}

/// A zip archive with these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
