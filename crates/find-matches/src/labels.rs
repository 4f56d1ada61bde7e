//! What people say of pairs: Glue's label file.
//!
//! Its columns are `labeling_set_id`, `label` and then the table's (Glue's guide, "Teaching the Find Matches
//! transform"). Rows of one set with the same label are the same thing, with different labels they are not; rows of
//! different sets say nothing of each other. A row with an empty label is not used.

mod kept;
mod tie;

use datafusion::dataframe::DataFrame;
use hashbrown::HashMap;

use crate::blocking::{Sides, pair};
use crate::error::{MatchError, Result};

pub use kept::KeptLabels;
pub(crate) use tie::tie;

/// The column of sets.
pub const LABELING_SET_ID: &str = "labeling_set_id";
/// The column of labels.
pub const LABEL: &str = "label";

/// The most rows that a label file may have.
const MOST_ROWS: usize = 200_000;
/// The most rows of one set: their pairs grow with the square. Glue advises 50.
const MOST_IN_A_SET: usize = 1_000;

/// A label file.
#[derive(Debug, Clone)]
pub struct Labels {
    /// What it is called in messages.
    pub name: String,
    /// Its rows. Values may be text, or of the table's types.
    pub rows: DataFrame,
    /// The column with each row's line, if there is one.
    pub line: Option<String>,
    /// Whether rows that the table does not have are left out. Otherwise they are errors, for a label file is of its table.
    pub partial: bool,
}

/// A row of a label file, and the row of the table that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tied {
    pub(crate) set: String,
    /// Empty where the row is not used.
    pub(crate) label: String,
    /// Its line, or place from 1.
    pub(crate) line: u64,
    pub(crate) row: u32,
}

/// What a pair was labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) pair: u64,
    pub(crate) is_match: bool,
    /// The number of its set, from 0 in the order of the file.
    pub(crate) set: u32,
}

/// All labelled pairs, each once, ordered by pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labelled {
    pub(crate) pairs: Vec<Label>,
    /// Pairs of sets whose rows have no label: somebody was asked, and did not know.
    pub(crate) unsure: Vec<u64>,
    /// How many sets there are.
    pub(crate) sets: u32,
}

/// Where something is said.
fn place(name: &str, a: &Tied, b: &Tied) -> String {
    format!(
        "labelling set '{}' of {name}, lines {} and {},",
        a.set, a.line, b.line
    )
}

impl Labelled {
    /// The pairs of the rows, if they do not contradict each other.
    ///
    /// # Errors
    /// When a pair is said to match and not to match, be it through other pairs; when one-to-one linking is asked for
    /// and a record has two partners; when a set is too great.
    pub(crate) fn new(name: &str, rows: &[Tied], sides: Sides, one_to_one: bool) -> Result<Self> {
        let mut sets: Vec<(&str, Vec<&Tied>)> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for row in rows {
            let at = *known.entry(&row.set).or_insert_with(|| {
                sets.push((&row.set, Vec::new()));
                sets.len() - 1
            });
            sets[at].1.push(row);
        }
        let mut out = Labelled {
            sets: u32::try_from(sets.len()).unwrap_or(u32::MAX),
            ..Labelled::default()
        };
        // For each pair, what was said of it first, by which rows.
        let mut said: HashMap<u64, (bool, &Tied, &Tied)> = HashMap::new();
        for ((set, rows), number) in sets.iter().zip(0_u32..) {
            if rows.len() > MOST_IN_A_SET {
                return Err(MatchError::Label(format!(
                    "labelling set '{set}' of {name} has {} rows, more than {MOST_IN_A_SET}: make several sets of it",
                    rows.len()
                )));
            }
            for (at, a) in rows.iter().enumerate() {
                for b in &rows[at + 1..] {
                    if a.row == b.row {
                        return Err(MatchError::Label(format!(
                            "{} are the same row of the table: a set names each of its rows once",
                            place(name, a, b)
                        )));
                    }
                    let key = pair(a.row, b.row);
                    if a.label.is_empty() || b.label.is_empty() {
                        out.unsure.push(key);
                        continue;
                    }
                    let is_match = a.label == b.label;
                    match said.get(&key) {
                        Some((before, ..)) if *before == is_match => {}
                        Some((_, x, y)) => {
                            return Err(MatchError::Label(format!(
                                "{} says that two rows {}, and {} that they {}",
                                place(name, a, b),
                                word(is_match),
                                place(name, x, y),
                                word(!is_match)
                            )));
                        }
                        None => {
                            said.insert(key, (is_match, a, b));
                            // A set may say of two rows of one table that they match; linking has no such pairs.
                            if sides.may(a.row, b.row) {
                                out.pairs.push(Label {
                                    pair: key,
                                    is_match,
                                    set: number,
                                });
                            }
                        }
                    }
                }
            }
        }
        consistent(name, &said)?;
        if one_to_one {
            one_partner(name, &said, sides)?;
        }
        out.pairs.sort_unstable_by_key(|label| label.pair);
        out.unsure.sort_unstable();
        out.unsure.dedup();
        out.unsure.retain(|pair| !said.contains_key(pair));
        Ok(out)
    }

    /// How many pairs are labelled as matches.
    pub(crate) fn matches(&self) -> usize {
        self.pairs.iter().filter(|l| l.is_match).count()
    }
}

fn word(is_match: bool) -> &'static str {
    if is_match { "match" } else { "do not match" }
}

type Said<'a> = HashMap<u64, (bool, &'a Tied, &'a Tied)>;

/// The matches, in the order of the file.
fn matches<'a>(said: &Said<'a>) -> Vec<(&'a Tied, &'a Tied)> {
    let mut out: Vec<_> = said.values().filter(|s| s.0).map(|s| (s.1, s.2)).collect();
    out.sort_by_key(|(a, b)| (a.line, b.line));
    out
}

/// That no pair that is no match is one through others.
fn consistent(name: &str, said: &Said<'_>) -> Result<()> {
    let mut parent: HashMap<u32, u32> = HashMap::new();
    fn find(parent: &mut HashMap<u32, u32>, mut row: u32) -> u32 {
        while let Some(above) = parent.get(&row).copied().filter(|above| *above != row) {
            let higher = parent.get(&above).copied().unwrap_or(above);
            parent.insert(row, higher);
            row = above;
        }
        row
    }
    for (a, b) in matches(said) {
        let (x, y) = (find(&mut parent, a.row), find(&mut parent, b.row));
        parent.insert(x.max(y), x.min(y));
    }
    let mut apart: Vec<_> = said.values().filter(|s| !s.0).collect();
    apart.sort_by_key(|(_, a, b)| (a.line, b.line));
    for (_, a, b) in apart {
        if find(&mut parent, a.row) == find(&mut parent, b.row) {
            return Err(MatchError::Label(format!(
                "{} says that two rows do not match, and the labels of other rows, taken together, that they do",
                place(name, a, b)
            )));
        }
    }
    Ok(())
}

/// That linking one to one, no record has two partners.
fn one_partner(name: &str, said: &Said<'_>, sides: Sides) -> Result<()> {
    let mut partner: HashMap<u32, (&Tied, &Tied)> = HashMap::new();
    for (a, b) in matches(said) {
        if !sides.may(a.row, b.row) {
            return Err(MatchError::Label(format!(
                "{} says that two records of one table match, but linking is one to one",
                place(name, a, b)
            )));
        }
        for row in [a.row, b.row] {
            if let Some((x, y)) = partner.insert(row, (a, b)) {
                return Err(MatchError::Label(format!(
                    "{} and {} give a record two partners, but linking is one to one",
                    place(name, x, y),
                    place(name, a, b)
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tied(rows: &[(&str, &str, u32)]) -> Vec<Tied> {
        let each = rows.iter().zip(2_u64..);
        each.map(|((set, label, row), line)| Tied {
            set: (*set).into(),
            label: (*label).into(),
            line,
            row: *row,
        })
        .collect()
    }

    const ONE: Sides = Sides {
        rows: 100,
        split: None,
    };

    fn of(rows: &[(&str, &str, u32)]) -> Result<Labelled> {
        Labelled::new("labels.csv", &tied(rows), ONE, false)
    }

    // Glue's guide: "Within a labeling set, records with the same label match, and with different labels do not".
    #[test]
    fn pairs_of_a_set() {
        let found = of(&[
            ("s1", "A", 4),
            ("s1", "A", 2),
            ("s1", "B", 7),
            ("s2", "A", 9),
            ("s2", "", 8),
        ])
        .unwrap();
        let pairs: Vec<_> = found.pairs.iter().map(|l| (l.pair, l.is_match)).collect();
        assert_eq!(
            pairs,
            [(pair(2, 4), true), (pair(2, 7), false), (pair(4, 7), false)]
        );
        assert_eq!((found.unsure, found.sets), (vec![pair(8, 9)], 2));
    }

    #[test]
    fn contradictions_are_told_with_set_and_line() {
        let told = |rows| of(rows).unwrap_err().to_string();
        let direct = told(&[
            ("s1", "A", 1),
            ("s1", "A", 2),
            ("s2", "A", 2),
            ("s2", "B", 1),
        ]);
        assert_eq!(
            direct,
            "labelling set 's2' of labels.csv, lines 4 and 5, says that two rows do not match, and labelling set 's1' \
             of labels.csv, lines 2 and 3, that they match"
        );
        let through = told(&[
            ("s1", "A", 1),
            ("s1", "A", 2),
            ("s2", "x", 2),
            ("s2", "x", 3),
            ("s3", "A", 1),
            ("s3", "B", 3),
        ]);
        assert!(
            through.starts_with("labelling set 's3' of labels.csv, lines 6 and 7,"),
            "{through}"
        );
        assert!(through.contains("taken together"), "{through}");
        let twice = told(&[("s1", "A", 1), ("s1", "B", 1)]);
        assert!(twice.contains("the same row of the table"), "{twice}");
    }

    #[test]
    fn one_to_one_has_one_partner() {
        let sides = Sides {
            rows: 20,
            split: Some(10),
        };
        let rows = tied(&[("1", "A", 1), ("1", "A", 11), ("2", "A", 1), ("2", "A", 12)]);
        assert!(Labelled::new("l", &rows, sides, false).is_ok());
        let told = Labelled::new("l", &rows, sides, true).unwrap_err();
        assert!(told.to_string().contains("two partners"), "{told}");
        let rows = tied(&[("1", "A", 1), ("1", "A", 2)]);
        assert!(
            Labelled::new("l", &rows, sides, false)
                .unwrap()
                .pairs
                .is_empty()
        );
        assert!(Labelled::new("l", &rows, sides, true).is_err());
    }

    proptest! {
        // Labels made from a partition never contradict each other; one pair turned round always does.
        #[test]
        fn a_partition_is_no_contradiction(entities in prop::collection::vec(0_u32..4, 3..9), sets in prop::collection::vec(prop::collection::btree_set(0_u32..9, 2..5), 1..6)) {
            let n = entities.len() as u32;
            let mut rows = Vec::new();
            for (number, set) in sets.iter().enumerate() {
                for row in set.iter().filter(|row| **row < n) {
                    rows.push(Tied { set: number.to_string(), label: entities[*row as usize].to_string(), line: rows.len() as u64 + 2, row: *row });
                }
            }
            let found = Labelled::new("l", &rows, ONE, false).unwrap();
            for label in &found.pairs {
                let (a, b) = crate::blocking::rows(label.pair);
                prop_assert_eq!(label.is_match, entities[a as usize] == entities[b as usize]);
            }
            if let Some(label) = found.pairs.first() {
                let (a, b) = crate::blocking::rows(label.pair);
                for (row, label) in [(a, "x"), (b, if label.is_match { "y" } else { "x" })] {
                    rows.push(Tied { set: "last".into(), label: label.into(), line: 99, row });
                }
                prop_assert!(Labelled::new("l", &rows, ONE, false).is_err());
            }
        }
    }
}
