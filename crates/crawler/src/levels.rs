//! What a level of folders stands for: a Hive key, a part of a date, or something else.

use mastic_catalog::HIVE_DEFAULT_PARTITION;
use mastic_lake::list::hive_folder;
use mastic_lake::value;

/// What a folder's name says of the level that it is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    /// `key=value`, by the key in lower case.
    Hive(String),
    /// `2024`.
    Year,
    /// `07`: below a year a month, below that a day, below that an hour.
    Number,
    /// Anything else.
    Other,
}

impl Level {
    /// What `folder` says, below a folder that is named `above`.
    pub(crate) fn of(folder: &str, above: &str) -> Level {
        if let Some((key, _)) = hive_folder(folder) {
            return Level::Hive(key);
        }
        match (number(folder), folder.len()) {
            (Some(year), 4) if (1900..2200).contains(&year) => Level::Year,
            // `01` and `12` alone may be anything; below a date they are a part of it.
            (Some(part), 1 | 2) if part < 32 && is_part(above) => Level::Number,
            _ => Level::Other,
        }
    }

    /// The value that a folder gives its level's key.
    pub(crate) fn value_of(&self, folder: &str) -> String {
        match self {
            Level::Hive(_) => {
                hive_folder(folder).map_or_else(|| folder.to_owned(), |(_, value)| value)
            }
            _ => folder.to_owned(),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Whether a folder is itself a part of a date that another may lie below.
fn is_part(folder: &str) -> bool {
    let text = match hive_folder(folder) {
        Some((key, value)) if is_date_part(&key) => value,
        Some(_) => return false,
        None => folder.to_owned(),
    };
    match (number(&text), text.len()) {
        (Some(year), 4) => (1900..2200).contains(&year),
        (Some(part), 1 | 2) => part < 32,
        _ => false,
    }
}

/// The names of the keys that levels stand for: `year`, `month`, `day` and `hour` where folders are dates,
/// `partition_0`, `partition_1`… where they say nothing (Glue's names).
pub(crate) fn key_names(levels: &[Level]) -> Vec<String> {
    const PARTS: [&str; 4] = ["year", "month", "day", "hour"];
    let mut others = 0;
    let mut part = None;
    levels
        .iter()
        .map(|level| {
            let next = match level {
                Level::Hive(key) => {
                    part = PARTS.iter().position(|p| p == key);
                    return key.clone();
                }
                Level::Year => Some(0),
                Level::Number => part.map(|above| above + 1),
                Level::Other => None,
            };
            part = next.filter(|at| *at < PARTS.len());
            match part {
                Some(at) => PARTS[at].to_owned(),
                None => {
                    others += 1;
                    format!("partition_{}", others - 1)
                }
            }
        })
        .collect()
}

/// Whether a column's name is that of a part of a date.
pub(crate) fn is_date_part(name: &str) -> bool {
    ["year", "month", "day", "hour"]
        .iter()
        .any(|part| name.eq_ignore_ascii_case(part))
}

/// What the values of a key have in common, told one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyType {
    known: bool,
    part: bool,
    integer: bool,
    date: bool,
}

impl KeyType {
    /// A key with this name, of which no value was seen.
    pub(crate) fn new(name: &str) -> Self {
        KeyType {
            known: false,
            part: is_date_part(name),
            integer: true,
            date: true,
        }
    }

    pub(crate) fn see(&mut self, text: &str) {
        if text == HIVE_DEFAULT_PARTITION || text.is_empty() {
            return;
        }
        self.known = true;
        self.part = self.part && text.len() < 10 && text.bytes().all(|b| b.is_ascii_digit());
        self.integer = self.integer && value::number(text) == Some(value::Number::Integer);
        self.date = self.date && value::date(text).is_some();
    }

    /// The Hive type. Parts of dates are numbers even as `07`; any other value with a leading zero keeps
    /// it, as a string.
    pub(crate) fn hive_type(self) -> &'static str {
        match self {
            KeyType { known: false, .. } => "string",
            KeyType { part: true, .. } => "int",
            KeyType { integer: true, .. } => "bigint",
            KeyType { date: true, .. } => "date",
            _ => "string",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_their_level() {
        assert_eq!(Level::of("Year=2", "x"), Level::Hive("year".into()));
        assert_eq!(Level::of("2024", "logs"), Level::Year);
        assert_eq!(Level::of("01", "2024"), Level::Number);
        assert_eq!(Level::of("01", "year=2024"), Level::Number);
        assert_eq!(Level::of("01", "logs"), Level::Other);
        assert_eq!(Level::of("32", "2024"), Level::Other);
        assert_eq!(
            hive_folder("dt=2024-01-01 10%3A00"),
            Some(("dt".into(), "2024-01-01 10:00".into()))
        );
    }

    #[test]
    fn levels_have_names() {
        use Level::{Number, Other, Year};
        let hive = |key: &str| Level::Hive(key.into());
        for (levels, names) in [
            (vec![Year, Number, Number, Number], "year month day hour"),
            (vec![Other, Year, Other], "partition_0 year partition_1"),
            (vec![hive("year"), Number], "year month"),
            (vec![Number, hive("k")], "partition_0 k"),
            (
                vec![Year, Number, Number, Number, Number],
                "year month day hour partition_0",
            ),
        ] {
            assert_eq!(key_names(&levels).join(" "), names);
        }
    }

    #[test]
    fn keys_are_typed() {
        let of = |name, values: &[&str]| {
            let mut key = KeyType::new(name);
            values.iter().for_each(|v| key.see(v));
            key.hive_type()
        };
        assert_eq!(of("month", &["01", "12"]), "int");
        assert_eq!(of("store", &["01", "12"]), "string");
        assert_eq!(of("store", &["1", HIVE_DEFAULT_PARTITION]), "bigint");
        assert_eq!(of("dt", &["2024-01-01"]), "date");
        assert_eq!(of("dt", &[HIVE_DEFAULT_PARTITION]), "string");
    }
}
