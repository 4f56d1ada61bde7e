//! Other threads that decode pieces of one file.

use std::sync::mpsc::{Receiver, sync_channel};

use tokio::runtime::Handle;

/// How much text a thread decodes at a time.
const PIECE: usize = 2 * 1024 * 1024;
/// What a wrong cut counts, of which every right one takes one off.
const MISS: usize = 4;
/// At so many the text is not cut any more.
const MISSES: usize = 32;

/// Threads that may decode a file.
#[derive(Debug, Clone)]
pub(super) struct Threads {
    /// How many.
    pub(super) count: usize,
    /// Where they are found.
    pub(super) handle: Handle,
    /// How many bytes one takes at a time.
    pub(super) piece: usize,
}

impl Threads {
    /// Blocking threads of a runtime.
    pub(super) fn new(count: usize, handle: Handle) -> Threads {
        Threads {
            count,
            handle,
            piece: PIECE,
        }
    }

    /// Works on one of the threads; what it made, unless it made nothing or panicked.
    pub(super) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Receiver<T> {
        let (sender, receiver) = sync_channel(1);
        self.handle.spawn_blocking(move || {
            if let Some(made) = work() {
                // Where nobody listens, nobody misses it.
                let _ = sender.send(made);
            }
        });
        receiver
    }
}

/// How often a file was cut wrong of late.
#[derive(Debug, Default)]
pub(super) struct Misses(usize);

impl Misses {
    /// A cut was right.
    pub(super) fn right(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// A cut was wrong; whether it is worth while to go on.
    pub(super) fn wrong(&mut self) -> bool {
        self.0 += MISS;
        self.0 < MISSES
    }
}
