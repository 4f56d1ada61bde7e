//! One stream of a stripe: raw bytes that become compressed blocks as they come.

use super::codec::{BLOCK, Codec};
use super::error::Result;

/// The bytes of one stream of the current stripe.
#[derive(Default)]
pub(super) struct OutStream {
    /// What was compressed.
    packed: Vec<u8>,
    /// What is still to be.
    raw: Vec<u8>,
}

impl OutStream {
    /// Where encoders put their bytes.
    pub(super) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// Compresses the blocks that are full.
    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        if codec.is_none() {
            return Ok(());
        }
        let full = self.raw.len() - self.raw.len() % BLOCK;
        if let Some(blocks @ [_, ..]) = self.raw.get(..full) {
            codec.write(blocks, &mut self.packed)?;
            self.raw.drain(..full);
        }
        Ok(())
    }

    /// Moves the whole stream to `out`, and returns its length. The next stripe begins with nothing.
    pub(super) fn finish(&mut self, codec: &mut Codec, out: &mut Vec<u8>) -> Result<u64> {
        let before = out.len();
        out.append(&mut self.packed);
        codec.write(&self.raw, out)?;
        *self = OutStream::default();
        Ok((out.len() - before) as u64)
    }

    /// The stream's length so far; what is not compressed yet counts as it is.
    pub(super) fn size(&self) -> usize {
        self.packed.len() + self.raw.len()
    }

    /// The memory in use.
    pub(super) fn memory(&self) -> usize {
        self.packed.capacity() + self.raw.capacity()
    }
}
