//! Decompression bombs: small files out of which comes more than any disk or memory holds.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::invalid;

/// From how many bytes on it matters how many there were before decompression: half of what a crawl looks at by default.
const HARMLESS: u64 = 32 << 20;

/// How many times its size a file may become. Logs and tables, however repetitive, stay under a hundred
/// times with any compression; DEFLATE ends at 1,032 times.
const RATIO: u64 = 500;

/// How many bytes have come out of a file, and how many went in.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    out: Arc<AtomicU64>,
    stored: u64,
}

impl Meter {
    /// An error where what came out is what comes out of a bomb.
    pub(crate) fn check(&self) -> io::Result<()> {
        let out = self.out.load(Ordering::Relaxed);
        if out < HARMLESS || out / RATIO <= self.stored {
            return Ok(());
        }
        Err(invalid(format!(
            "it is likely a decompression bomb: {} MiB came out of its {} bytes, more than {RATIO} times as many, and it was not read on",
            out >> 20,
            self.stored,
        )))
    }
}

/// Refuses to read a bomb to its end.
pub(crate) struct Metered {
    inner: Box<dyn Read + Send>,
    meter: Meter,
}

impl Metered {
    /// What is decompressed from a file of `stored` bytes, and the meter that stays behind.
    pub(crate) fn new(inner: Box<dyn Read + Send>, stored: u64) -> (Self, Meter) {
        let meter = Meter {
            out: Arc::default(),
            stored,
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
        let (mut reader, _) = Metered::new(Box::new(io::repeat(b'x').take(length)), stored);
        io::copy(&mut reader, &mut io::sink())
    }

    #[test]
    fn bombs_are_told_by_their_figures() {
        let error = out_of(100_000, 200 << 20).unwrap_err().to_string();
        assert_eq!(
            error,
            "it is likely a decompression bomb: 64 MiB came out of its 100000 bytes, more than 500 times as many, and it was not read on"
        );
        // Small ones are harmless, whatever their ratio; large ones are, where they were large before.
        assert!(out_of(10, 63 << 20).is_ok());
        assert!(out_of(1 << 20, 200 << 20).is_ok());
    }
}
