//! Which data statistics are about.

use mastic_catalog::{Table, parameters};

use crate::table::FileSet;

/// FNV-1a of 128 bits (Fowler, Noll, Vo; draft-eastlake-fnv): the same in every build, and 128 bits are enough for no two
/// states of a table ever to be taken for each other by chance.
pub(crate) struct Fnv(u128);

impl Fnv {
    pub(crate) fn new() -> Self {
        Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u128::from(*byte);
            self.0 = self
                .0
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    /// A text with its length, so that no two sequences of texts run together alike.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    /// The hash of all that was added.
    pub(crate) fn value(&self) -> u128 {
        self.0
    }

    /// The same as 32 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        format!("{:032x}", self.0)
    }
}

/// A fingerprint of a table's definition (its version, and what the crawler said of its files) and of these files: their
/// URLs, sizes, times of change and entity tags, in whichever order they were listed.
pub(super) fn fingerprint(table: &Table, found: &FileSet) -> String {
    let mut all: u128 = 0;
    let mut count: u64 = 0;
    for (place, files) in &found.places {
        for file in files {
            let mut one = Fnv::new();
            one.text(place.store_url.as_str());
            one.text(file.meta.location.as_ref());
            one.bytes(&file.meta.size.to_le_bytes());
            let changed = file.meta.last_modified;
            one.bytes(&changed.timestamp().to_le_bytes());
            one.bytes(&changed.timestamp_subsec_nanos().to_le_bytes());
            one.text(file.meta.e_tag.as_deref().unwrap_or_default());
            // A sum does not depend on the order.
            all = all.wrapping_add(one.0);
            count += 1;
        }
    }
    let mut whole = Fnv::new();
    let version = table.version_id.unwrap_or_default();
    whole.bytes(&version.0.to_le_bytes());
    let known = table.parameters.get(parameters::FINGERPRINT);
    whole.text(known.map(String::as_str).unwrap_or_default());
    whole.bytes(&count.to_le_bytes());
    whole.bytes(&all.to_le_bytes());
    format!("{:032x}", whole.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_is_fnv() {
        // Test vectors of draft-eastlake-fnv-17, section 8.5 ("" and "a"), as Python's `fnvhash` has them too.
        let of = |text: &str| {
            let mut hash = Fnv::new();
            hash.bytes(text.as_bytes());
            format!("{:032x}", hash.0)
        };
        assert_eq!(of(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(of("a"), "d228cb696f1a8caf78912b704e4a8964");
    }
}
