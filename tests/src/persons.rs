//! Tables of persons with known truth, for the tests of matching.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Numbers that look like chance (Knuth's MMIX generator), the same in every run.
pub struct Chance(pub u64);

impl Chance {
    /// A number below another.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    /// A word that means nothing.
    pub fn word(&mut self) -> String {
        const PARTS: [&str; 20] = [
            "ka", "ro", "mi", "te", "lan", "dor", "vel", "sun", "par", "ne", "thi", "gor", "bal",
            "wen", "ce", "lia", "mor", "ti", "pra", "no",
        ];
        (0..2 + self.below(3))
            .map(|_| PARTS[self.below(PARTS.len())])
            .collect()
    }

    /// The text with a mistake: another character, one left out, or two exchanged.
    pub fn mistake(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        if letters.len() < 2 {
            return text.to_owned();
        }
        let at = self.below(letters.len() - 1);
        match self.below(3) {
            0 => letters[at] = (b'a' + self.below(26) as u8) as char,
            1 => letters.swap(at, at + 1),
            _ => {
                letters.remove(at);
            }
        }
        letters.into_iter().collect()
    }
}

/// The first line of the table.
pub const HEADER: &str = "id,first,last,street,city,born\n";

/// Persons, of whom every fourth is there once more, written down by somebody else. The entity of each row.
pub fn persons(count: usize, duplicates: bool) -> (String, Vec<usize>) {
    let mut chance = Chance(7);
    let (firsts, lasts, cities): (Vec<_>, Vec<_>, Vec<_>) = {
        let mut words = |n: usize| (0..n).map(|_| chance.word()).collect::<Vec<_>>();
        (words(120), words(600), words(60))
    };
    let mut rows = Vec::new();
    for person in 0..count {
        let row = [
            firsts[chance.below(firsts.len())].clone(),
            lasts[chance.below(lasts.len())].clone(),
            format!("{} {} road", 1 + chance.below(200), chance.word()),
            cities[chance.below(cities.len())].clone(),
            format!(
                "{}-{:02}-{:02}",
                1930 + chance.below(70),
                1 + chance.below(12),
                1 + chance.below(28)
            ),
        ];
        if duplicates && person % 4 == 0 {
            let copy = row.each_ref().map(|value| match chance.below(10) {
                0 => String::new(),
                1 | 2 => chance.mistake(value),
                _ => value.clone(),
            });
            rows.push((person, copy));
        }
        rows.push((person, row));
    }
    for at in (1..rows.len()).rev() {
        rows.swap(at, chance.below(at + 1));
    }
    let mut text = HEADER.to_owned();
    for (at, (_, row)) in rows.iter().enumerate() {
        writeln!(text, "{at},{}", row.join(",")).unwrap();
    }
    (text, rows.into_iter().map(|(person, _)| person).collect())
}

/// The values of a column of a CSV file without quotes.
pub fn column(text: &str, name: &str) -> Vec<String> {
    let mut lines = text.lines();
    let at = lines
        .next()
        .unwrap()
        .split(',')
        .position(|n| n == name)
        .unwrap_or_else(|| panic!("no {name}"));
    lines
        .map(|line| line.split(',').nth(at).unwrap().to_owned())
        .collect()
}

/// F1 of the pairs of rows that are of one entity.
pub fn f1(found: &[String], truth: &[usize]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let pairs = |sizes: BTreeMap<String, usize>| {
        sizes.values().map(|n| n * (n - 1) / 2).sum::<usize>() as f64
    };
    let count = |keys: Vec<String>| {
        let mut sizes = BTreeMap::new();
        keys.into_iter()
            .for_each(|key| *sizes.entry(key).or_insert(0) += 1);
        pairs(sizes)
    };
    let both = count(
        found
            .iter()
            .zip(truth)
            .map(|(a, b)| format!("{a} {b}"))
            .collect(),
    );
    let (ours, theirs) = (
        count(found.to_vec()),
        count(truth.iter().map(usize::to_string).collect()),
    );
    2.0 * both / (ours + theirs)
}
