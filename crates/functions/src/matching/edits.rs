//! Edit distances, a machine word at a time.

/// Scratch space for comparing texts: where each character of a text stands, as bits.
pub(super) struct Edits {
    bits: Box<[u64; 128]>,
}

impl Default for Edits {
    fn default() -> Self {
        Self {
            bits: Box::new([0; 128]),
        }
    }
}

fn short(text: &str) -> bool {
    text.len() <= 64 && text.is_ascii()
}

impl Edits {
    fn set(&mut self, text: &str) {
        for (at, byte) in text.bytes().enumerate() {
            self.bits[usize::from(byte & 127)] |= 1 << at;
        }
    }

    fn unset(&mut self, text: &str) {
        for byte in text.bytes() {
            self.bits[usize::from(byte & 127)] = 0;
        }
    }

    /// Damerau–Levenshtein distance, restricted: no character is moved twice (optimal string alignment).
    pub(super) fn distance(&mut self, a: &str, b: &str) -> usize {
        if a == b {
            return 0;
        }
        if !(short(a) && short(b)) {
            return strsim::osa_distance(a, b);
        }
        if a.is_empty() || b.is_empty() {
            return a.len() + b.len();
        }
        self.set(a);
        let distance = self.hyyro(a.len(), b);
        self.unset(a);
        distance
    }

    /// Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances" (2003): one
    /// column of the table in a word of differences.
    fn hyyro(&self, length: usize, b: &str) -> usize {
        let last = 1_u64 << (length - 1);
        let (mut up, mut down, mut diagonal, mut before) = (u64::MAX, 0_u64, 0_u64, 0_u64);
        let mut distance = length;
        for byte in b.bytes() {
            let equal = self.bits[usize::from(byte & 127)];
            let swapped = ((!diagonal & equal) << 1) & before;
            diagonal = ((equal & up).wrapping_add(up) ^ up) | equal | down | swapped;
            let mut right = down | !(diagonal | up);
            let mut left = diagonal & up;
            distance += usize::from(right & last != 0);
            distance -= usize::from(left & last != 0);
            right = right << 1 | 1;
            left <<= 1;
            up = left | !(diagonal | right);
            down = right & diagonal;
            before = equal;
        }
        distance
    }

    /// One less the distance over the greater length.
    pub(super) fn similarity(&mut self, a: &str, b: &str) -> f32 {
        if a == b {
            return 1.0;
        }
        let length = match short(a) && short(b) {
            true => a.len().max(b.len()),
            false => a.chars().count().max(b.chars().count()),
        };
        1.0 - self.distance(a, b) as f32 / length.max(1) as f32
    }

    /// Jaro's similarity, raised for a common beginning of up to 4 characters where it is over 0.7.
    pub(super) fn jaro_winkler(&mut self, a: &str, b: &str) -> f32 {
        if a == b {
            return 1.0;
        }
        if !(short(a) && short(b)) {
            return strsim::jaro_winkler(a, b) as f32;
        }
        if a.is_empty() || b.is_empty() {
            return 0.0;
        }
        self.set(a);
        let jaro = self.jaro(a, b);
        self.unset(a);
        if jaro <= 0.7 {
            return jaro;
        }
        let same = a.bytes().zip(b.bytes()).take(4).take_while(|(x, y)| x == y);
        jaro + 0.1 * same.count() as f32 * (1.0 - jaro)
    }

    fn jaro(&self, a: &str, b: &str) -> f32 {
        let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
        let below = |n: usize| if n >= 64 { u64::MAX } else { (1_u64 << n) - 1 };
        let (mut of_a, mut of_b) = (0_u64, 0_u64);
        for (at, byte) in b.bytes().enumerate() {
            let window = below(at + reach + 1) & !below(at.saturating_sub(reach));
            let free = self.bits[usize::from(byte & 127)] & window & !of_a;
            if free != 0 {
                of_a |= free & free.wrapping_neg();
                of_b |= 1 << at;
            }
        }
        let common = of_a.count_ones();
        if common == 0 {
            return 0.0;
        }
        let matched = |text: &str, mask: u64| -> [u8; 64] {
            let mut out = [0; 64];
            let found = text
                .bytes()
                .enumerate()
                .filter(|(at, _)| mask >> at & 1 == 1);
            for (to, (_, byte)) in out.iter_mut().zip(found) {
                *to = byte;
            }
            out
        };
        let (left, right) = (matched(a, of_a), matched(b, of_b));
        let moved = left.iter().zip(&right).filter(|(x, y)| x != y).count() / 2;
        let common = common as f32;
        (common / a.len() as f32 + common / b.len() as f32 + (common - moved as f32) / common) / 3.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // rapidfuzz 3 (Python): OSA.distance, JaroWinkler.normalized_similarity.
    #[test]
    fn known_values() {
        let mut edits = Edits::default();
        assert_eq!(edits.distance("ca", "abc"), 3);
        assert_eq!(edits.distance("smith", "simth"), 1);
        assert_eq!(edits.distance("müller", "mueller"), 2);
        assert!((edits.jaro_winkler("martha", "marhta") - 0.961_111).abs() < 1e-5);
        assert!((edits.jaro_winkler("dixon", "dicksonx") - 0.813_333).abs() < 1e-5);
        assert!((edits.similarity("kitten", "sitting") - 0.571_428_6).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn as_the_slow_ones(a in "[a-d ]{0,70}", b in "[a-d ]{0,70}") {
            let mut edits = Edits::default();
            prop_assert_eq!(edits.distance(&a, &b), strsim::osa_distance(&a, &b));
            prop_assert!((f64::from(edits.jaro_winkler(&a, &b)) - strsim::jaro_winkler(&a, &b)).abs() < 1e-4);
        }
    }
}
