//! Partition projection as a table's parameters say it.
//!
//! Source: "Set up partition projection" and "Supported types for partition projection", Athena user guide.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use mastic_catalog::Table;
use mastic_schema::names::closest;

use super::date::{Bound, Steps, Unit};
use super::pattern::Pattern;
use super::sequence::Sequence;
use super::template::Template;
use super::{KeyValues, ProjectedKey, Projection};
use crate::error::{QueryError, Result};
use crate::projection::sequence::Kind;

const PREFIX: &str = "projection.";
const ENABLED: &str = "projection.enabled";
const TEMPLATE: &str = "storage.location.template";
const TYPES: [&str; 4] = ["enum", "integer", "date", "injected"];
/// What can be said of a key, and of which types.
const PROPERTIES: [(&str, &[&str]); 7] = [
    ("type", &TYPES),
    ("values", &["enum"]),
    ("range", &["integer", "date"]),
    ("interval", &["integer", "date"]),
    ("digits", &["integer"]),
    ("format", &["date"]),
    ("interval.unit", &["date"]),
];
/// An integer has no more digits.
const MAX_DIGITS: u64 = 64;

/// The parameters of one table.
struct Settings<'a> {
    table: &'a Table,
    /// By their names in lower case.
    parameters: BTreeMap<String, &'a str>,
}

/// What a table's parameters say, `now` being the time in UTC; none where projection is not enabled.
pub(super) fn read(table: &Table, now: NaiveDateTime) -> Result<Option<Projection>> {
    let parameters: BTreeMap<String, &str> = table
        .parameters
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .filter(|(name, _)| name.starts_with(PREFIX) || name == TEMPLATE)
        .collect();
    let settings = Settings { table, parameters };
    match settings.parameters.get(ENABLED).map(|text| text.trim()) {
        None => return Ok(None),
        Some(text) if text.eq_ignore_ascii_case("false") => return Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => {}
        Some(text) => {
            return Err(settings.wrong(
                ENABLED,
                &format!("is '{text}', and true or false is wanted"),
                None,
            ));
        }
    }
    if table.partition_keys.is_empty() {
        return Err(settings.wrong(
            ENABLED,
            "is true, and the table has no partition keys",
            None,
        ));
    }
    settings.check_names()?;
    let keys = table
        .partition_keys
        .iter()
        .map(|key| {
            Ok(ProjectedKey {
                column: key.clone(),
                kind: Kind::of(key),
                values: settings.values(&key.name.to_lowercase(), now)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let root = table.location().unwrap_or_default();
    let template = match settings.parameters.get(TEMPLATE) {
        None => Template::hive(root, &table.partition_keys),
        Some(text) => Template::parse(text, &table.partition_keys)
            .map_err(|e| settings.wrong(TEMPLATE, &format!("is '{text}': {e}"), e.hint()))?,
    };
    Ok(Some(Projection {
        table: format!("{}.{}", table.database_name, table.name),
        keys,
        template,
    }))
}

impl Settings<'_> {
    fn wrong(&self, property: &str, what: &str, hint: Option<String>) -> QueryError {
        QueryError::Statement {
            message: format!(
                "the property {property} of {}.{} {what}",
                self.table.database_name, self.table.name
            ),
            place: None,
            hint,
        }
    }

    /// Properties that nothing reads were meant to be others.
    fn check_names(&self) -> Result<()> {
        let keys = &self.table.partition_keys;
        for name in self.parameters.keys() {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if name == ENABLED {
                continue;
            }
            // A key's own name may have dots.
            let own = keys.iter().find_map(|key| {
                rest.strip_prefix(&key.name.to_lowercase())
                    .and_then(|rest| rest.strip_prefix('.'))
            });
            if own.is_some_and(|own| PROPERTIES.iter().any(|(known, _)| *known == own)) {
                continue;
            }
            let known: Vec<String> = keys
                .iter()
                .flat_map(|key| {
                    let key = key.name.to_lowercase();
                    PROPERTIES
                        .iter()
                        .map(move |(property, _)| format!("{PREFIX}{key}.{property}"))
                })
                .chain([ENABLED.to_owned()])
                .collect();
            let close = closest(name, known.iter().map(String::as_str));
            let what = match own {
                Some(_) => "says nothing that is known of a projected key",
                None => "is about none of the partition keys",
            };
            return Err(self.wrong(name, what, close.map(|c| format!("did you mean '{c}'?"))));
        }
        Ok(())
    }

    fn get(&self, key: &str, property: &str) -> (String, Option<&str>) {
        let name = format!("{PREFIX}{key}.{property}");
        let value = self.parameters.get(&name).copied();
        (name, value)
    }

    fn required(&self, key: &str, property: &str) -> Result<(String, &str)> {
        match self.get(key, property) {
            (name, Some(value)) => Ok((name, value)),
            (name, None) => Err(self.wrong(&name, "is missing", None)),
        }
    }

    /// A whole number above zero.
    fn positive(&self, key: &str, property: &str) -> Result<Option<u64>> {
        let (name, value) = self.get(key, property);
        let Some(text) = value else { return Ok(None) };
        match text.trim().parse::<u64>() {
            Ok(n) if n > 0 && i64::try_from(n).is_ok() => Ok(Some(n)),
            _ => Err(self.wrong(
                &name,
                &format!("is '{text}', and a whole number above 0 is wanted"),
                None,
            )),
        }
    }

    fn range(&self, key: &str) -> Result<(String, &str, &str)> {
        let (name, text) = self.required(key, "range")?;
        match text.split_once(',') {
            Some((first, last)) if !last.contains(',') => Ok((name, first, last)),
            _ => Err(self.wrong(
                &name,
                &format!("is '{text}', and a first and a last value are wanted, with a comma between them"),
                None,
            )),
        }
    }

    fn values(&self, key: &str, now: NaiveDateTime) -> Result<KeyValues> {
        let (name, text) = match self.get(key, "type") {
            (name, Some(text)) => (name, text.trim().to_ascii_lowercase()),
            (name, None) => {
                return Err(self.wrong(
                    &name,
                    "is missing",
                    Some(format!(
                        "it is one of {}, for every partition key",
                        TYPES.join(", ")
                    )),
                ));
            }
        };
        if !TYPES.contains(&text.as_str()) {
            let close = closest(&text, TYPES).map(|c| format!("did you mean '{c}'?"));
            let hint = close.unwrap_or_else(|| format!("it is one of {}", TYPES.join(", ")));
            return Err(self.wrong(&name, &format!("is '{text}'"), Some(hint)));
        }
        for (property, types) in PROPERTIES {
            let (name, value) = self.get(key, property);
            if value.is_some() && !types.contains(&text.as_str()) {
                return Err(self.wrong(
                    &name,
                    &format!("is not for keys of the type {text}"),
                    Some(format!("it is for {}", types.join(" and "))),
                ));
            }
        }
        Ok(match text.as_str() {
            "enum" => KeyValues::Listed(self.enumerated(key)?),
            "integer" => KeyValues::Listed(self.integers(key)?),
            "date" => KeyValues::Listed(self.dates(key, now)?),
            _ => KeyValues::Injected,
        })
    }

    fn enumerated(&self, key: &str) -> Result<Sequence> {
        let (name, text) = self.required(key, "values")?;
        // White space is part of a value.
        let mut values: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for value in text.split(',') {
            if value.is_empty() {
                return Err(self.wrong(&name, "has an empty value", None));
            }
            if seen.insert(value) {
                values.push(value.to_owned());
            }
        }
        Ok(Sequence::Enum(values))
    }

    fn integers(&self, key: &str) -> Result<Sequence> {
        let (name, first, last) = self.range(key)?;
        let number = |text: &str| {
            text.trim().parse::<i64>().map_err(|_| {
                self.wrong(
                    &name,
                    &format!("has '{text}', which is no whole number of 64 bits"),
                    None,
                )
            })
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(self.wrong(&name, "ends before it begins", None));
        }
        let interval = self.positive(key, "interval")?.unwrap_or(1);
        let digits = self.positive(key, "digits")?.unwrap_or(0);
        if digits > MAX_DIGITS {
            let (name, _) = self.get(key, "digits");
            return Err(self.wrong(&name, &format!("is more than {MAX_DIGITS}"), None));
        }
        Ok(Sequence::Integer {
            first,
            last,
            interval,
            digits: usize::try_from(digits).unwrap_or(0),
        })
    }

    fn dates(&self, key: &str, now: NaiveDateTime) -> Result<Sequence> {
        let (format, text) = self.required(key, "format")?;
        let pattern = Pattern::compile(text)
            .map_err(|why| self.wrong(&format, &format!("is '{text}': {why}"), None))?;
        let (name, first, last) = self.range(key)?;
        let bound = |text: &str| {
            let bound = Bound::parse(text, &pattern)
                .map_err(|why| self.wrong(&name, &format!("cannot be read: {why}"), None))?;
            let at = bound.at(now, &pattern).ok_or_else(|| {
                self.wrong(
                    &name,
                    &format!("has '{text}', which is beyond all dates"),
                    None,
                )
            })?;
            Ok::<_, QueryError>((bound, at))
        };
        let ((from, start), (to, end)) = (bound(first)?, bound(last)?);
        // What moves with NOW may begin in the future: it is empty until then.
        if matches!((from, to), (Bound::At(_), Bound::At(_))) && start > end {
            return Err(self.wrong(&name, "ends before it begins", None));
        }
        let interval = self.positive(key, "interval")?;
        let (unit_name, unit) = self.get(key, "interval.unit");
        let unit = match unit {
            None => None,
            Some(text) => Some(Unit::parse(text.trim()).ok_or_else(|| {
                let known = Unit::NAMES.map(|(name, _)| name);
                let close = closest(text.trim(), known).map(|c| format!("did you mean '{c}'?"));
                let hint = close.unwrap_or_else(|| format!("it is one of {}", known.join(", ")));
                self.wrong(&unit_name, &format!("is '{text}'"), Some(hint))
            })?),
        };
        // By days or months where the format ends with them; anything else has to be said.
        let own = pattern
            .precision()
            .filter(|unit| matches!(unit, Unit::Days | Unit::Months));
        let said = |what: &str| {
            let (name, _) = self.get(key, what);
            let hint = "formats that end with days or months have steps of one, and all others have to say theirs";
            self.wrong(&name, "is missing", Some(hint.to_owned()))
        };
        let unit = match unit.or(own) {
            Some(unit) => unit,
            None => return Err(said("interval.unit")),
        };
        let interval = match (interval, own) {
            (Some(n), _) => n,
            (None, Some(_)) => 1,
            (None, None) => return Err(said("interval")),
        };
        Ok(Sequence::Date {
            steps: Steps::new(
                start,
                end,
                i64::try_from(interval).unwrap_or(i64::MAX),
                unit,
            ),
            pattern,
        })
    }
}
