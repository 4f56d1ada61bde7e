//! How well clusters fit what is true, over pairs of records: the pairs that share a cluster beside the pairs that are
//! the same.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use csv::StringRecord;

use crate::Outcome;

/// A cluster for each row, rows being numbered from 0: those of the first table, then those of the second.
pub(crate) struct Clusters {
    of: Vec<u64>,
}

/// What is true.
pub(crate) struct Truth {
    /// All pairs that are the same, the lower row first, in order.
    pairs: Vec<(u32, u32)>,
    /// Rows of the first table.
    left: usize,
    /// Rows of the second, where two tables are linked. Only pairs across them count.
    right: usize,
}

/// Shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
}

impl Truth {
    /// Of one table, from a file that says which entity each row is, by a number, in the rows' order.
    pub(crate) fn of_entities(path: &Path) -> Outcome<Self> {
        let mut rows: Vec<(u64, u32)> = Vec::new();
        for line in BufReader::new(File::open(path)?).lines() {
            let entity = line?.parse()?;
            rows.push((entity, u32::try_from(rows.len())?));
        }
        let left = rows.len();
        rows.sort_unstable();
        let mut pairs = Vec::new();
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            for (at, &(_, a)) in same.iter().enumerate() {
                pairs.extend(same[at + 1..].iter().map(|&(_, b)| (a, b)));
            }
        }
        pairs.sort_unstable();
        Ok(Self {
            pairs,
            left,
            right: 0,
        })
    }

    /// Of two tables with so many rows, from a file of pairs of row numbers, each table's from 0.
    pub(crate) fn of_links(path: &Path, left: usize, right: usize) -> Outcome<Self> {
        let mut pairs = Vec::new();
        for record in csv::Reader::from_path(path)?.deserialize() {
            let (a, b): (u32, u32) = record?;
            pairs.push((a, b + u32::try_from(left)?));
        }
        pairs.sort_unstable();
        pairs.dedup();
        Ok(Self { pairs, left, right })
    }

    pub(crate) fn rows(&self) -> usize {
        self.left + self.right
    }

    pub(crate) fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// How the clusters fit.
    pub(crate) fn score(&self, clusters: &Clusters) -> Score {
        let mut sizes: HashMap<u64, (u64, u64)> = HashMap::new();
        for (row, &cluster) in clusters.of.iter().enumerate() {
            let size = sizes.entry(cluster).or_default();
            if row < self.left {
                size.0 += 1;
            } else {
                size.1 += 1;
            }
        }
        let found: u64 = sizes
            .values()
            .map(|&(a, b)| {
                if self.right == 0 {
                    a * (a - 1) / 2
                } else {
                    a * b
                }
            })
            .sum();
        let of = |row: u32| clusters.of.get(row as usize);
        let right = self.pairs.iter().filter(|&&(a, b)| of(a) == of(b)).count();
        Score::new(right as f64, found as f64, self.pairs.len() as f64)
    }

    /// The share of the true pairs that were compared at all, and how many pairs were, from a CSV file whose columns
    /// `left_row` and `right_row` number the rows, as clusters are.
    pub(crate) fn blocking_recall(&self, path: &Path) -> Outcome<(f64, u64)> {
        let mut reader = csv::Reader::from_path(path)?;
        let header = reader.headers()?.clone();
        let (at_a, at_b) = (
            column(&header, "left_row", path)?,
            column(&header, "right_row", path)?,
        );
        let mut compared = 0;
        let mut met = vec![false; self.pairs.len()];
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            compared += 1;
            let number = |at: usize| -> Outcome<u32> {
                let text = record.get(at).unwrap_or_default();
                Ok(text
                    .parse()
                    .map_err(|_| format!("{}: '{text}' is no row number", path.display()))?)
            };
            let (a, b) = (number(at_a)?, number(at_b)?);
            if let Ok(at) = self.pairs.binary_search(&(a.min(b), a.max(b))) {
                met[at] = true;
            }
        }
        let met = met.iter().filter(|&&met| met).count();
        Ok((met as f64 / self.pairs.len().max(1) as f64, compared))
    }
}

impl Score {
    fn new(right: f64, found: f64, there: f64) -> Self {
        let share = |of: f64| if of > 0.0 { right / of } else { 0.0 };
        Self {
            precision: share(found),
            recall: share(there),
            f1: if right > 0.0 {
                2.0 * right / (found + there)
            } else {
                0.0
            },
        }
    }
}

impl Clusters {
    /// From a peer's file with the columns `source` (0 or 1), `row` (from 0) and the one named, in any order of rows.
    pub(crate) fn of_rows(path: &Path, name: &str, truth: &Truth) -> Outcome<Self> {
        let mut reader = csv::Reader::from_path(path)?;
        let header = reader.headers()?.clone();
        let (source, row, cluster) = (
            column(&header, "source", path)?,
            column(&header, "row", path)?,
            column(&header, name, path)?,
        );
        let mut names = Numbers::default();
        let mut of = vec![None; truth.rows()];
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            let at: usize = record.get(row).unwrap_or_default().parse()?;
            let at = if record.get(source) == Some("1") {
                at + truth.left
            } else {
                at
            };
            let place = of
                .get_mut(at)
                .ok_or_else(|| format!("{}: there is no row {at}", path.display()))?;
            *place = Some(names.of(record.get(cluster).unwrap_or_default()));
        }
        Self::complete(of, path)
    }

    /// From the rows themselves with `match_id`, and `source` where two tables were linked, in any order: Mastic is
    /// given no numbers to carry along, so rows are told apart by what is in them. Rows with the same values are as good as
    /// each other.
    pub(crate) fn of_values(path: &Path, tables: &[&Path], truth: &Truth) -> Outcome<Self> {
        let mut waiting = Waiting::default();
        let mut header = StringRecord::new();
        for (source, table) in tables.iter().enumerate() {
            let mut reader = csv::Reader::from_path(table)?;
            header.clone_from(reader.headers()?);
            let mut record = StringRecord::new();
            while reader.read_record(&mut record)? {
                waiting.push(values(source, record.iter()))?;
            }
        }

        let mut reader = csv::Reader::from_path(path)?;
        let out = reader.headers()?.clone();
        let at = header
            .iter()
            .map(|name| column(&out, name, path))
            .collect::<Outcome<Vec<usize>>>()?;
        let cluster = column(&out, "match_id", path)?;
        let source = if tables.len() > 1 {
            Some(column(&out, "source", path)?)
        } else {
            None
        };
        let mut names = Numbers::default();
        let mut of = vec![None; truth.rows()];
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            let cells = || at.iter().map(|&at| record.get(at).unwrap_or_default());
            let named = source.map(|at| record.get(at).unwrap_or_default());
            let table = named.map_or(Ok(0), |name| which(name, tables))?;
            let row = waiting.take(values(table, cells()));
            let Some(row) = row else {
                let cells: Vec<&str> = cells().collect();
                return Err(format!(
                    "{}: no such row was given: {}",
                    path.display(),
                    cells.join(",")
                )
                .into());
            };
            of[row as usize] = Some(names.of(record.get(cluster).unwrap_or_default()));
        }
        Self::complete(of, path)
    }

    fn complete(of: Vec<Option<u64>>, path: &Path) -> Outcome<Self> {
        let missing = of.iter().filter(|cluster| cluster.is_none()).count();
        if missing > 0 {
            return Err(format!(
                "{}: {missing} of {} rows are missing",
                path.display(),
                of.len()
            )
            .into());
        }
        Ok(Self {
            of: of.into_iter().flatten().collect(),
        })
    }
}

/// Rows that were given and have not come back yet, by their values, in a few bytes each.
#[derive(Default)]
struct Waiting {
    /// One of the rows with these values.
    first: HashMap<u64, u32>,
    /// For each row another one with the same values; itself where there is none.
    other: Vec<u32>,
}

impl Waiting {
    fn push(&mut self, values: u64) -> Outcome<()> {
        let row = u32::try_from(self.other.len())?;
        let other = self.first.insert(values, row);
        self.other.push(other.unwrap_or(row));
        Ok(())
    }

    fn take(&mut self, values: u64) -> Option<u32> {
        let row = *self.first.get(&values)?;
        match self.other.get(row as usize) {
            Some(&other) if other != row => self.first.insert(values, other),
            _ => self.first.remove(&values),
        };
        Some(row)
    }
}

/// Numbers for names, so that a cluster takes eight bytes a row. No name is a cluster of its own.
#[derive(Default)]
struct Numbers {
    known: HashMap<String, u64>,
    next: u64,
}

impl Numbers {
    fn of(&mut self, name: &str) -> u64 {
        if let Some(&number) = self.known.get(name) {
            return number;
        }
        let number = self.next;
        self.next += 1;
        if !name.is_empty() {
            self.known.insert(name.to_owned(), number);
        }
        number
    }
}

/// Which of the tables `source` names: by its path, or its file's name with or without the ending.
fn which(name: &str, tables: &[&Path]) -> Outcome<usize> {
    let named = |path: &&Path| {
        let parts = [path.file_stem(), path.file_name(), Some(path.as_os_str())];
        parts.into_iter().flatten().any(|part| part == name)
    };
    let at = tables.iter().position(named);
    Ok(at.ok_or_else(|| format!("source '{name}' names none of the tables"))?)
}

fn column(header: &StringRecord, name: &str, path: &Path) -> Outcome<usize> {
    let at = header.iter().position(|h| h.trim() == name);
    Ok(at.ok_or_else(|| format!("{} has no column '{name}'", path.display()))?)
}

/// A row's values as one number, the same when a program writes a number or a date in another way than it read it.
fn values<'a>(source: usize, cells: impl Iterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ source as u64;
    let mut byte = |b: u8| hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    for cell in cells {
        let cell = cell
            .trim()
            .trim_end_matches(" 00:00:00")
            .trim_end_matches("T00:00:00");
        match cell.parse::<f64>() {
            Ok(number) => number
                .to_bits()
                .to_le_bytes()
                .into_iter()
                .for_each(&mut byte),
            Err(_) => cell.bytes().for_each(&mut byte),
        }
        byte(0xff);
    }
    hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::PathBuf};

    use super::{Clusters, Score, Truth};

    fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// By hand: true are 0-1, 0-5, 1-5 and 2-3; found are 0-1, 5-3, 5-2 and 3-2, of which two are right.
    #[test]
    fn pairs_within_a_table() {
        let dir = tempfile::tempdir().unwrap();
        let truth = Truth::of_entities(&file(&dir, "truth", "7\n7\n8\n8\n9\n7\n")).unwrap();
        assert_eq!((truth.rows(), truth.pairs()), (6, 4));
        let out = file(
            &dir,
            "out.csv",
            "row,source,cluster\n4,0,9\n0,0,x\n1,0,x\n5,0,y\n3,0,y\n2,0,y\n",
        );
        let score = truth.score(&Clusters::of_rows(&out, "cluster", &truth).unwrap());
        assert_eq!(
            score,
            Score {
                precision: 0.5,
                recall: 0.5,
                f1: 0.5
            }
        );
        let pairs = file(
            &dir,
            "pairs.csv",
            "left_row,right_row,score\n5,0,1\n2,3,1\n3,4,1\n",
        );
        assert_eq!(truth.blocking_recall(&pairs).unwrap(), (0.5, 3));
    }

    /// By hand: only pairs across the tables count, so that a cluster of two left rows and one right row has two.
    #[test]
    fn pairs_across_tables_by_their_values() {
        let dir = tempfile::tempdir().unwrap();
        let left = file(&dir, "left.csv", "name,price\nx,1\ny,2.50\nx,1\n");
        let right = file(&dir, "right.csv", "name,price\nx,1\nz,\n");
        let truth = Truth::of_links(&file(&dir, "truth", "left,right\n0,0\n1,1\n"), 3, 2).unwrap();
        let out = file(
            &dir,
            "out.csv",
            "match_id,source,name,price\n1,right,x,1.0\n1,left,x,1.0\n1,left,x,1.0\n2,left,y,2.5\n3,right,z,\n",
        );
        let clusters = Clusters::of_values(&out, &[&left, &right], &truth).unwrap();
        let score = truth.score(&clusters);
        assert_eq!(
            score,
            Score {
                precision: 0.5,
                recall: 0.5,
                f1: 0.5
            }
        );
        let pairs = file(&dir, "pairs.csv", "left_row,right_row\n1,3\n0,3\n");
        assert_eq!(truth.blocking_recall(&pairs).unwrap(), (0.5, 2));
    }

    #[test]
    fn rows_that_are_missing_or_were_not_there_are_said() {
        let dir = tempfile::tempdir().unwrap();
        let table = file(&dir, "t.csv", "name\na\nb\n");
        let truth = Truth::of_entities(&file(&dir, "truth", "1\n2\n")).unwrap();
        let wrong = |text| {
            let out = file(&dir, "out.csv", text);
            Clusters::of_values(&out, &[&table], &truth)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(wrong("name,match_id\na,1\n").contains("1 of 2 rows are missing"));
        assert!(wrong("name,match_id\na,1\nc,2\n").contains("no such row was given: c"));
        assert!(wrong("name\na\nb\n").contains("has no column 'match_id'"));
    }
}
