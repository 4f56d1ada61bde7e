//! One file, read synchronously from a blocking thread.
//!
//! Decoders are plain iterators over [`Read`]; what is asynchronous about an object store ends
//! here. Every function of [`Input`] must be called from a thread where blocking is allowed
//! (`spawn_blocking`), never from a task of the runtime itself.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use datafusion::physical_plan::metrics::Count;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use crate::compress::{Compression, Counted, MAGIC_LENGTH, Metered};
use crate::error::{LakeError, Result};

/// A file of a store.
#[derive(Clone, Debug)]
pub struct Input {
    store: Arc<dyn ObjectStore>,
    /// What the listing said of the file.
    pub meta: ObjectMeta,
    /// The file's name in messages.
    pub url: String,
    handle: Handle,
    /// Counts the bytes that are read of it.
    read: Count,
}

/// The decompressed contents of a file.
pub struct Contents {
    /// How the whole file is compressed.
    pub compression: Compression,
    /// What was compressed.
    pub reader: Box<dyn Read + Send>,
    /// How many bytes of the file were read so far.
    pub(crate) taken: Arc<AtomicU64>,
}

impl Input {
    /// A file of `store`, to be read from blocking threads of the current runtime.
    pub fn new(store: Arc<dyn ObjectStore>, meta: ObjectMeta, url: String, handle: Handle) -> Self {
        Input {
            store,
            meta,
            url,
            handle,
            read: Count::new(),
        }
    }

    /// The same file, the bytes that are read of it counted here: as they are stored, before decompression.
    #[must_use]
    pub fn counted_by(mut self, read: Count) -> Self {
        self.read = read;
        self
    }

    /// The runtime that the file is read in.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn failed(&self, source: object_store::Error) -> LakeError {
        match source {
            object_store::Error::NotFound { .. } => LakeError::NotFound {
                url: self.url.clone(),
            },
            source => LakeError::Store {
                url: self.url.clone(),
                action: "read",
                source,
            },
        }
    }

    /// Something about this file's contents that is wrong.
    pub fn bad(&self, message: impl Into<String>) -> LakeError {
        LakeError::data(&self.url, message)
    }

    /// Whether the store still has the file that the listing told of. A file that cannot be asked for is
    /// told of where it is read.
    pub(crate) fn is_unchanged(&self) -> bool {
        let now = self.handle.block_on(self.store.head(&self.meta.location));
        now.map_or_else(
            |error| !matches!(error, object_store::Error::NotFound { .. }),
            |now| {
                let print = |meta: &ObjectMeta| (meta.size, meta.last_modified, meta.e_tag.clone());
                print(&now) == print(&self.meta)
            },
        )
    }

    /// The file's bytes as they are stored, from the first on.
    ///
    /// # Errors
    /// When the file is gone or the store refuses.
    pub fn raw(&self) -> Result<Box<dyn Read + Send>> {
        let result = self
            .handle
            .block_on(self.store.get(&self.meta.location))
            .map_err(|e| self.failed(e))?;
        let read = self.read.clone();
        Ok(match result.payload {
            GetResultPayload::File(file, _) => Box::new(CountedReader { of: file, read }),
            GetResultPayload::Stream(stream) => Box::new(CountedReader {
                of: StreamReader {
                    stream,
                    current: Bytes::new(),
                    handle: self.handle.clone(),
                },
                read,
            }),
        })
    }

    /// The file's contents, decompressed as its first bytes say.
    ///
    /// # Errors
    /// When the file is gone, the store refuses, or the compression's header is bad.
    pub fn contents(&self) -> Result<Contents> {
        let mut raw = self.raw()?;
        let mut head = Vec::with_capacity(MAGIC_LENGTH);
        let bad = |e: io::Error| self.bad(e.to_string());
        raw.by_ref()
            .take(MAGIC_LENGTH as u64)
            .read_to_end(&mut head)
            .map_err(bad)?;
        let compression = self.compression(&head);
        // Of an archive, all of it.
        let mut taken = Arc::new(AtomicU64::new(self.meta.size));
        let reader: Box<dyn Read + Send> = match compression {
            // Read by ranges: an archive's directory is at its end.
            Compression::Zip => Box::new(
                crate::compress::zip_entry(Ranges::new(self.clone()))
                    .map_err(|e| self.unreadable(&e))?,
            ),
            other => {
                let (raw, counted) = Counted::new(raw);
                taken = counted;
                let whole = Box::new(io::Cursor::new(head).chain(raw));
                other.reader(whole).map_err(|e| self.unreadable(&e))?
            }
        };
        Ok(Contents {
            compression,
            reader,
            taken,
        })
    }

    /// How the file is compressed, going by its first bytes and, for Snappy without magic bytes, its name.
    pub fn compression(&self, head: &[u8]) -> Compression {
        Compression::of_file(head, &self.url, self.meta.size)
    }

    /// Bytes `start..start + length` as they are stored.
    ///
    /// # Errors
    /// When the file is gone, is shorter, or the store refuses.
    pub fn range(&self, start: u64, length: u64) -> Result<Bytes> {
        let bytes = self
            .handle
            .block_on(
                self.store
                    .get_range(&self.meta.location, start..start + length),
            )
            .map_err(|e| self.failed(e))?;
        self.read.add(bytes.len());
        Ok(bytes)
    }

    /// All of the contents, decompressed, in memory: for formats that are read from their end and
    /// were compressed as a whole nonetheless.
    ///
    /// # Errors
    /// As [`Self::contents`], and when the compressed data is bad, is a bomb, or has more than 1 GiB.
    pub fn to_bytes(&self) -> Result<Bytes> {
        const MOST: u64 = 1 << 30;
        let contents = self.contents()?;
        let (reader, _) = Metered::new(contents.reader, contents.taken);
        let mut bytes = Vec::new();
        reader
            .take(MOST + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| self.unreadable(&e))?;
        if bytes.len() as u64 > MOST {
            return Err(self.bad(format!(
                "it has more than 1 GiB within its {} compression, and such a file is read from memory; store it uncompressed",
                contents.compression
            )));
        }
        Ok(bytes.into())
    }

    /// A read that failed in the middle of the file.
    pub fn unreadable(&self, error: &io::Error) -> LakeError {
        let message = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
            _ => error.to_string(),
        };
        self.bad(message)
    }

    /// The contents behind a buffer.
    ///
    /// # Errors
    /// As [`Self::contents`].
    pub fn buffered(&self) -> Result<BufReader<Box<dyn Read + Send>>> {
        Ok(BufReader::with_capacity(
            256 * 1024,
            self.contents()?.reader,
        ))
    }
}

/// A file that is read by ranges, wherever its reader goes.
struct Ranges {
    input: Input,
    at: u64,
    /// Where the bytes that were fetched last begin.
    from: u64,
    fetched: Bytes,
}

impl Ranges {
    fn new(input: Input) -> Self {
        Ranges {
            input,
            at: 0,
            from: 0,
            fetched: Bytes::new(),
        }
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 1 << 20;
        let size = self.input.meta.size;
        if self.at >= size || buffer.is_empty() {
            return Ok(0);
        }
        let within = self.at >= self.from && self.at - self.from < self.fetched.len() as u64;
        if !within {
            let length = STEP.min(size - self.at);
            self.fetched = self
                .input
                .range(self.at, length)
                .map_err(io::Error::other)?;
            self.from = self.at;
        }
        let skip = usize::try_from(self.at - self.from).map_err(io::Error::other)?;
        let have = self.fetched.get(skip..).unwrap_or_default();
        let count = buffer.len().min(have.len());
        buffer[..count].copy_from_slice(&have[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Ranges {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.input.meta.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A reader whose bytes are counted.
struct CountedReader<R> {
    of: R,
    read: Count,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.of.read(buffer)?;
        self.read.add(read);
        Ok(read)
    }
}

struct StreamReader {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    current: Bytes,
    handle: Handle,
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.handle.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(Ok(bytes)) => self.current = bytes,
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
