//! What a level of folders stands for: a Hive key, a part of a date, or something else.

use mastic_catalog::HIVE_DEFAULT_PARTITION;
use mastic_lake::list::hive_folder;
use mastic_lake::value;

/// A level of folders between a table and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// `key=value`.
    Hive(String),
    /// `2024`, below it `07`, below that `31`, below that `23`.
    Date(DatePart),
    /// Anything else.
    Other,
}

/// A part of a date that folders are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    Hour,
}

impl DatePart {
    pub(crate) fn name(self) -> &'static str {
        match self {
            DatePart::Year => "year",
            DatePart::Month => "month",
            DatePart::Day => "day",
            DatePart::Hour => "hour",
        }
    }

    fn holds(self, text: &str) -> bool {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let Ok(number) = text.parse::<u32>() else {
            return false;
        };
        digits
            && match self {
                DatePart::Year => text.len() == 4 && (1900..2200).contains(&number),
                DatePart::Month => text.len() <= 2 && (1..=12).contains(&number),
                DatePart::Day => text.len() <= 2 && (1..=31).contains(&number),
                DatePart::Hour => text.len() <= 2 && number <= 23,
            }
    }

    /// The part that comes below another; a year may be anywhere.
    fn below(above: Option<DatePart>) -> DatePart {
        match above {
            Some(DatePart::Year) => DatePart::Month,
            Some(DatePart::Month) => DatePart::Day,
            Some(DatePart::Day) => DatePart::Hour,
            Some(DatePart::Hour) | None => DatePart::Year,
        }
    }
}

/// Whether a column's name is that of a part of a date.
pub(crate) fn is_date_part(name: &str) -> bool {
    ["year", "month", "day", "hour"]
        .iter()
        .any(|part| name.eq_ignore_ascii_case(part))
}

/// What the folders on one level stand for; `above` is the level above.
pub(crate) fn level<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    above: Option<&Level>,
) -> Level {
    let mut keys = names
        .clone()
        .map(|name| hive_folder(name).map(|(key, _)| key));
    if let Some(Some(first)) = keys.next()
        && keys.all(|key| key.as_ref() == Some(&first))
    {
        return Level::Hive(first);
    }
    let part = DatePart::below(match above {
        Some(Level::Date(part)) => Some(*part),
        _ => None,
    });
    let mut names = names.peekable();
    if names.peek().is_some() && names.all(|name| part.holds(name)) {
        Level::Date(part)
    } else {
        Level::Other
    }
}

/// The value that a folder gives its level's key.
pub(crate) fn value_of(level: &Level, folder: &str) -> String {
    match level {
        Level::Hive(_) => hive_folder(folder).map_or_else(|| folder.to_owned(), |(_, value)| value),
        _ => folder.to_owned(),
    }
}

/// The Hive type of a key with these values. Parts of dates are numbers even as `07`; any other
/// value with a leading zero keeps it, as a string.
pub(crate) fn key_type<'a>(
    name: &str,
    values: impl Iterator<Item = &'a str> + Clone,
) -> &'static str {
    let known = values.filter(|v| *v != HIVE_DEFAULT_PARTITION && !v.is_empty());
    let all = |test: &dyn Fn(&str) -> bool| {
        let mut values = known.clone().peekable();
        values.peek().is_some() && values.all(test)
    };
    let digits = |v: &str| !v.is_empty() && v.len() < 10 && v.bytes().all(|b| b.is_ascii_digit());
    if is_date_part(name) && all(&digits) {
        "int"
    } else if all(&|v| value::number(v) == Some(value::Number::Integer)) {
        "bigint"
    } else if all(&|v| value::date(v).is_some()) {
        "date"
    } else {
        "string"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_their_level() {
        let of =
            |names: &[&str], above: Option<Level>| level(names.iter().copied(), above.as_ref());
        assert_eq!(of(&["year=1", "Year=2"], None), Level::Hive("year".into()));
        assert_eq!(of(&["2023", "2024"], None), Level::Date(DatePart::Year));
        assert_eq!(
            of(&["01", "12"], Some(Level::Date(DatePart::Year))),
            Level::Date(DatePart::Month)
        );
        assert_eq!(of(&["01", "12"], None), Level::Other);
        assert_eq!(of(&["13"], Some(Level::Date(DatePart::Year))), Level::Other);
        assert_eq!(of(&["a=1", "b=2"], None), Level::Other);
        assert_eq!(
            hive_folder("dt=2024-01-01 10%3A00"),
            Some(("dt".into(), "2024-01-01 10:00".into()))
        );
    }

    #[test]
    fn keys_are_typed() {
        let of = |name, values: &[&str]| key_type(name, values.iter().copied());
        assert_eq!(of("month", &["01", "12"]), "int");
        assert_eq!(of("store", &["01", "12"]), "string");
        assert_eq!(of("store", &["1", HIVE_DEFAULT_PARTITION]), "bigint");
        assert_eq!(of("dt", &["2024-01-01"]), "date");
        assert_eq!(of("dt", &[HIVE_DEFAULT_PARTITION]), "string");
    }
}
