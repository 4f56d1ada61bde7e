//! What short texts look like, by which a null marker is told from a code that is spelled like one.

/// The longest text whose look is kept: no null marker is longer.
const LONGEST: usize = 8;
/// The kinds of characters: capitals, other letters, digits, and all else; by their sum.
const KINDS: usize = 16;

/// How many of a column's values have which look.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    /// By kinds of characters and length; empty where no short text was seen.
    counts: Vec<u64>,
}

/// The kinds of characters in a text, each as one bit.
fn kinds(text: &str) -> usize {
    text.bytes().fold(0, |all, byte| {
        all | match byte {
            b'A'..=b'Z' => 1,
            b'a'..=b'z' => 2,
            b'0'..=b'9' => 4,
            _ => 8,
        }
    })
}

impl Looks {
    /// Counts a value.
    pub fn see(&mut self, text: &str) {
        if text.len() > LONGEST || text.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            self.counts = vec![0; KINDS * (LONGEST + 1)];
        }
        self.counts[kinds(text) * (LONGEST + 1) + text.len()] += 1;
    }

    /// Whether half of all `of` values of the column look like `marker`: of the same kinds of
    /// characters and as long, or of capitals alone and of several lengths, as abbreviations are
    /// (`EMEA`, `APAC`, `LATAM` and `NA`).
    pub fn are_like(&self, marker: &str, of: u64) -> bool {
        if self.counts.is_empty() || marker.is_empty() || marker.len() > LONGEST {
            return false;
        }
        let kinds = kinds(marker);
        let from = kinds * (LONGEST + 1);
        let lengths = &self.counts[from..=from + LONGEST];
        let half = |count: u64| count > 0 && count.saturating_mul(2) >= of;
        // One letter is a flag (`M`, `F`), and no abbreviation.
        let short = &lengths[2..=5];
        let abbreviations = kinds == 1 && short.iter().filter(|count| **count > 0).count() > 1;
        half(lengths[marker.len()]) || abbreviations && half(short.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(values: &[&str], marker: &str) -> bool {
        let mut looks = Looks::default();
        for value in values {
            looks.see(value);
        }
        looks.are_like(marker, values.len() as u64)
    }

    #[test]
    fn codes_look_like_markers_and_names_do_not() {
        assert!(like(&["EU", "AS", "US"], "NA"));
        assert!(like(&["EMEA", "APAC", "LATAM"], "NA"));
        assert!(like(&["+"], "-"));
        assert!(!like(&["N14228", "N24211", "N619AA"], "NA"));
        assert!(!like(&["M", "F"], "NA"));
        assert!(!like(&["JFK", "LGA", "EWR"], "NA"));
        assert!(!like(&["male", "female"], "NA"));
        assert!(!like(&["Oslo", "LA", "Rome", "Bonn"], "NA"));
        assert!(!like(&[], "NA"));
        assert!(!like(&["ä"], "NA"));
    }
}
