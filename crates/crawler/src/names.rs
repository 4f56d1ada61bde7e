//! What the names of files in one folder say: which belong together, and the globs that tell them
//! from the others.

use std::collections::BTreeSet;

/// How many names of one group are kept one by one. Those beyond are let in by a glob, where one tells them
/// from the others; by exact names alone they are not.
const EXACT: usize = 100_000;

/// The names of a group of files in one folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    exact: BTreeSet<String>,
}

impl Names {
    pub(crate) fn add(&mut self, name: &str) {
        if self.exact.len() < EXACT {
            self.exact.insert(name.to_owned());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    pub(crate) fn absorb(&mut self, other: Names) {
        for name in other.exact {
            if self.exact.len() >= EXACT {
                return;
            }
            self.exact.insert(name);
        }
    }

    /// What the names begin with, but for numbers: `orders` of `orders_2019.csv`, `orders_2020.csv`; or
    /// what they end with: `orders` of `2019_orders.csv`, `2020_orders.csv`.
    pub(crate) fn stem(&self) -> Option<String> {
        let bases: Vec<&str> = self.exact.iter().map(|n| base(n)).collect();
        let (first, rest) = bases.split_first()?;
        if rest.is_empty() {
            return (!first.is_empty()).then(|| (*first).to_owned());
        }
        let not_alphabetic = |c: char| !c.is_alphabetic();
        let begins = shared(first.chars(), rest.iter().map(|b| b.chars()));
        let begins = begins.trim_end_matches(not_alphabetic);
        if !begins.is_empty() {
            return Some(begins.to_owned());
        }
        let ends = shared(first.chars().rev(), rest.iter().map(|b| b.chars().rev()));
        let ends: String = ends.chars().rev().collect();
        let ends = ends.trim_start_matches(not_alphabetic);
        (!ends.is_empty()).then(|| ends.to_owned())
    }

    /// Globs that let these names in and none of the others.
    pub(crate) fn patterns<'a>(
        &self,
        others: impl Iterator<Item = &'a Names> + Clone,
    ) -> BTreeSet<String> {
        let clashes = |globs: &BTreeSet<String>| {
            others
                .clone()
                .flat_map(|o| &o.exact)
                .any(|name| mastic_lake::list::fits(name, globs))
        };
        if self.exact.len() < 2 {
            return self.exact.clone();
        }
        let endings: BTreeSet<&str> = self
            .exact
            .iter()
            .map(|n| n.find('.').map_or("", |dot| &n[dot..]))
            .collect();
        let plain = |s: &str| !s.contains(['*', '?', '[', '{', '\\']);
        if let (Some(stem), Some(ending), 1) = (self.stem(), endings.first(), endings.len())
            && plain(&stem)
            && plain(ending)
        {
            for glob in [format!("{stem}*{ending}"), format!("*{stem}{ending}")] {
                let glob = [glob].into();
                let all = self
                    .exact
                    .iter()
                    .all(|name| mastic_lake::list::fits(name, &glob));
                if all && !clashes(&glob) {
                    return glob;
                }
            }
        }
        self.exact.clone()
    }
}

fn base(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// What all of these begin with.
fn shared<I: Iterator<Item = char> + Clone>(first: I, rest: impl Iterator<Item = I>) -> String {
    let mut shared: Vec<char> = first.collect();
    for other in rest {
        let length = shared
            .iter()
            .zip(other)
            .take_while(|(a, b)| *a == b)
            .count();
        shared.truncate(length);
    }
    shared.into_iter().collect()
}

/// The family that a numbered name belongs to: `orders` of `orders_2019.csv`, of `orders-2020-01.csv`
/// and of `2021 orders.csv`; `None` for a name without numbers, or with nothing else.
pub(crate) fn family(name: &str) -> Option<String> {
    let base = base(name);
    let digit = |c: char| c.is_ascii_digit();
    let not_alphabetic = |c: char| !c.is_alphabetic();
    let (before, after) = (base.find(digit)?, base.rfind(digit)?);
    let before = base[..before].trim_end_matches(not_alphabetic);
    let after = base[after + 1..].trim_start_matches(not_alphabetic);
    let stem = if before.is_empty() { after } else { before };
    // Letters of a UUID or a hash are no word.
    let word = stem.chars().count() > 2
        && stem
            .chars()
            .any(|c| c.is_alphabetic() && !c.is_ascii_hexdigit());
    word.then(|| stem.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Names {
        let mut names = Names::default();
        for name in all {
            names.add(name);
        }
        names
    }

    #[test]
    fn names_share_stems_and_globs() {
        let orders = names(&["orders_2019.csv", "orders_2020.csv"]);
        assert_eq!(orders.stem(), Some("orders".into()));
        let stores = names(&["stores.csv"]);
        assert_eq!(
            orders.patterns([&stores].into_iter()),
            BTreeSet::from(["orders*.csv".to_owned()])
        );
        let clash = names(&["orders_extra.csv"]);
        assert_eq!(orders.patterns([&clash].into_iter()).len(), 2);
        assert_eq!(stores.stem(), Some("stores".into()));
        assert_eq!(names(&["2019.csv", "2020.csv"]).stem(), None);
        let later = names(&["2019_orders.csv", "2020_orders.csv"]);
        assert_eq!(later.stem(), Some("orders".into()));
        assert_eq!(
            later.patterns([&stores].into_iter()),
            BTreeSet::from(["*orders.csv".to_owned()])
        );
    }

    #[test]
    fn numbered_names_have_families() {
        assert_eq!(family("orders_2019.csv"), Some("orders".into()));
        assert_eq!(family("Orders-2020-01.csv.gz"), Some("orders".into()));
        assert_eq!(family("part-00000-a1b2.parquet"), Some("part".into()));
        assert_eq!(family("2021 orders.csv"), Some("orders".into()));
        assert_eq!(family("stores.csv"), None);
        assert_eq!(family("3f2a9dac-77e1-4c3b-9a7e-0123456789ab.csv"), None);
        assert_eq!(family("2019.csv"), None);
    }
}
