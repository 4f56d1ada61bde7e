//! Decompression bombs: small files out of which comes more than any disk or memory holds.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::invalid;

/// From how many bytes on it matters how many there were before decompression: half of what a crawl looks at by default.
const HARMLESS: u64 = 32 << 20;

/// How many times its size a file may become. Logs and tables, however repetitive, stay under a hundred
/// times with any compression; DEFLATE ends at 1,032 times.
const RATIO: u64 = 300;

/// How many bytes have come out of a file, and how many went in.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    out: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
}

/// Counts the bytes that were taken from a file.
pub(crate) struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let taken = Arc::<AtomicU64>::default();
        let reader = Counted {
            inner,
            taken: taken.clone(),
        };
        (reader, taken)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Meter {
    /// An error where what came out is what comes out of a bomb.
    pub(crate) fn check(&self) -> io::Result<()> {
        let out = self.out.load(Ordering::Relaxed);
        let taken = self.taken.load(Ordering::Relaxed);
        if out < HARMLESS || out / RATIO <= taken {
            return Ok(());
        }
        Err(invalid(format!(
            "it is likely a decompression bomb: {} MiB came out of {taken} bytes of it, more than {RATIO} times as many, and it was not read on",
            out >> 20,
        )))
    }
}

/// Refuses to read a bomb to its end.
pub(crate) struct Metered {
    inner: Box<dyn Read + Send>,
    meter: Meter,
}

impl Metered {
    /// What is decompressed from a file of which so many bytes were taken, and the meter that stays behind.
    pub(crate) fn new(inner: Box<dyn Read + Send>, taken: Arc<AtomicU64>) -> (Self, Meter) {
        let meter = Meter {
            out: Arc::default(),
            taken,
        };
        let reader = Metered {
            inner,
            meter: meter.clone(),
        };
        (reader, meter)
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter.out.fetch_add(count as u64, Ordering::Relaxed);
        self.meter.check()?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn out_of(stored: u64, length: u64) -> io::Result<u64> {
        let taken = Arc::new(AtomicU64::new(stored));
        let (mut reader, _) = Metered::new(Box::new(io::repeat(b'x').take(length)), taken);
        io::copy(&mut reader, &mut io::sink())
    }

    #[test]
    fn bombs_are_told_by_their_figures() {
        let error = out_of(100_000, 200 << 20).unwrap_err().to_string();
        assert_eq!(
            error,
            "it is likely a decompression bomb: 32 MiB came out of 100000 bytes of it, more than 300 times as many, and it was not read on"
        );
        // Small ones are harmless, whatever their ratio; large ones are, where they were large before.
        assert!(out_of(10, 31 << 20).is_ok());
        assert!(out_of(1 << 20, 200 << 20).is_ok());
    }
}
