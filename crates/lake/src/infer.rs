//! What the values of a column have in common.
//!
//! A [`Node`] watches every value of a column (or of a field of a nested document) and counts what
//! each one is. Only at the end is a type chosen, so one odd value never hides the others, and
//! the first value of each kind is kept to say why a column came out as it did.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use mastic_schema::hive::{UTC, list_of, map_of};
use mastic_schema::merge::widen;

use crate::value::{self, Number};

/// The kinds of values that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `true` and `false`.
    Boolean,
    /// An integer of 64 bits.
    Integer,
    /// An integer of up to 38 digits.
    LongInteger,
    /// A number with a fraction or an exponent.
    Real,
    /// A date.
    Date,
    /// A timestamp without a zone.
    Timestamp,
    /// A timestamp with an offset: an instant.
    Instant,
    /// A null marker in a text format (`NA`), which is text until another column says otherwise.
    Marker,
    /// Any other text.
    Text,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "bigint",
            Kind::LongInteger => "integer beyond 64 bits",
            Kind::Real => "double",
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
            Kind::Instant => "timestamp with an offset",
            Kind::Marker => "null marker",
            Kind::Text => "text",
            Kind::Object => "object",
            Kind::Array => "array",
        })
    }
}

/// The first value of a kind, where it stood, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// How many values of the kind there were.
    pub count: u64,
    /// The first one's line, from 1.
    pub line: u64,
    /// The first one, cut to a length that can be shown.
    pub value: String,
    /// Whether any other differs from it.
    pub varied: bool,
}

/// How long a value is shown.
const SHOWN: usize = 40;

/// An object with more distinct keys than this may be a map.
const MAP_KEYS: usize = 24;

/// What was seen in one column or field.
#[derive(Debug, Clone, Default)]
pub struct Node {
    kinds: BTreeMap<Kind, Sighting>,
    nulls: u64,
    markers: BTreeMap<String, u64>,
    fields: Vec<(String, Node)>,
    index: HashMap<String, usize>,
    element: Option<Box<Node>>,
}

/// How a node's type is chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices {
    /// XML cannot tell an array of one element from a single value: take both as the array.
    pub single_is_array: bool,
}

impl Node {
    fn saw(&mut self, kind: Kind, line: u64, value: &str) {
        match self.kinds.get_mut(&kind) {
            Some(sighting) => {
                sighting.count += 1;
                sighting.varied = sighting.varied || sighting.value != value;
            }
            None => {
                let mut shown: String = value.chars().take(SHOWN).collect();
                if shown.len() < value.len() {
                    shown.push('…');
                }
                self.kinds.insert(
                    kind,
                    Sighting {
                        count: 1,
                        line,
                        value: shown,
                        varied: false,
                    },
                );
            }
        }
    }

    /// A null, or a field of CSV with nothing in it.
    pub fn see_null(&mut self) {
        self.nulls += 1;
    }

    /// `true` or `false`.
    pub fn see_boolean(&mut self, line: u64, value: bool) {
        self.saw(Kind::Boolean, line, if value { "true" } else { "false" });
    }

    /// A JSON number as written.
    pub fn see_number(&mut self, line: u64, text: &str) {
        let kind = match value::number(text) {
            Some(Number::Integer) => Kind::Integer,
            Some(Number::Long(digits)) if digits <= 38 => Kind::LongInteger,
            Some(Number::Real) => Kind::Real,
            _ => Kind::Text,
        };
        self.saw(kind, line, text);
    }

    /// A string of a format that has strings: a date, a timestamp or text, never a number.
    pub fn see_string(&mut self, line: u64, text: &str) {
        let kind = moment(text).unwrap_or(Kind::Text);
        self.saw(kind, line, text);
    }

    /// A piece of text of a format that has nothing else (CSV).
    pub fn see_text(&mut self, line: u64, text: &str) {
        if text.is_empty() {
            return self.see_null();
        }
        // Most cells are numbers or begin like none: look at the first byte before anything else.
        let first = text.as_bytes()[0];
        let kind = if first.is_ascii_digit() || matches!(first, b'-' | b'.') {
            match value::number(text) {
                Some(Number::Integer) => Some(Kind::Integer),
                Some(Number::Long(digits)) if digits <= 38 => Some(Kind::LongInteger),
                Some(Number::Real) => Some(Kind::Real),
                _ => moment(text),
            }
        } else {
            value::boolean(text).map(|_| Kind::Boolean)
        };
        match kind {
            Some(kind) => self.saw(kind, line, text),
            None if value::NULL_MARKERS.contains(&text) => {
                *self.markers.entry(text.to_owned()).or_default() += 1;
                self.saw(Kind::Marker, line, text);
            }
            None => self.saw(Kind::Text, line, text),
        }
    }

    /// An object. Its fields are then seen through [`Self::field`].
    pub fn see_object(&mut self, line: u64) {
        self.saw(Kind::Object, line, "{…}");
    }

    /// The node of the field `name`, new where it was never seen.
    pub fn field(&mut self, name: &str) -> &mut Node {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.index.insert(name.to_owned(), self.fields.len());
                self.fields.push((name.to_owned(), Node::default()));
                self.fields.len() - 1
            }
        };
        &mut self.fields[at].1
    }

    /// The node of field number `hint`, where its name is `name`; else as [`Self::field`].
    /// Records of a file mostly have the same fields in the same order.
    pub fn field_at(&mut self, hint: usize, name: &str) -> &mut Node {
        match self.fields.get(hint) {
            Some((known, _)) if known == name => &mut self.fields[hint].1,
            _ => self.field(name),
        }
    }

    /// An array. Its elements are then seen through [`Self::element`].
    pub fn see_array(&mut self, line: u64) {
        self.saw(Kind::Array, line, "[…]");
    }

    /// The node of the elements of arrays.
    pub fn element(&mut self) -> &mut Node {
        self.element.get_or_insert_default()
    }

    /// The fields seen, in the order of their first sight.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.fields.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// What was seen, kind by kind.
    pub fn sightings(&self) -> &BTreeMap<Kind, Sighting> {
        &self.kinds
    }

    /// How many values were null.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// The null markers among the values of a column that are otherwise of one type.
    /// In a column of text `NA` may be North America; in a column of numbers it is a null.
    pub fn telling_markers(&self) -> impl Iterator<Item = &str> {
        let typed = self
            .kinds
            .keys()
            .all(|k| !matches!(k, Kind::Text | Kind::Object | Kind::Array))
            && self.kinds.keys().any(|k| *k != Kind::Marker);
        self.markers
            .keys()
            .filter(move |_| typed)
            .map(String::as_str)
    }

    /// The null markers of a column that has no other values: they are nulls where other files of the
    /// table give the column a type.
    pub fn lone_markers(&self) -> impl Iterator<Item = &str> {
        let lone = self.kinds.keys().all(|k| *k == Kind::Marker);
        self.markers
            .keys()
            .filter(move |_| lone)
            .map(String::as_str)
    }

    /// The narrowest type that holds every value seen; markers named in `nulls` count as nulls.
    pub fn data_type(&self, nulls: &[String], choices: Choices) -> DataType {
        // Markers alone say nothing of a column's type: another file of the table may.
        let marked = self.kinds.len() > 1 && self.markers.keys().any(|m| !nulls.contains(m));
        let mut merged = DataType::Null;
        for kind in self.kinds.keys() {
            let next = match kind {
                Kind::Marker if !marked => continue,
                Kind::Marker | Kind::Text => DataType::Utf8,
                Kind::Boolean => DataType::Boolean,
                Kind::Integer => DataType::Int64,
                Kind::LongInteger => DataType::Decimal128(38, 0),
                Kind::Real => DataType::Float64,
                Kind::Date => DataType::Date32,
                Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
                Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
                Kind::Object => self.object_type(nulls, choices),
                Kind::Array => list_of(match &self.element {
                    Some(element) => element.data_type(nulls, choices),
                    None => DataType::Null,
                }),
            };
            // Booleans come first in the order of kinds, text is reached from any type, and so the
            // order in which kinds are merged does not matter.
            merged = match (merged, next) {
                (DataType::Null, next) => next,
                (single, DataType::List(item)) if choices.single_is_array => {
                    list_of(widen(&single, item.data_type()))
                }
                // 39-digit sums of decimals and doubles would silently lose digits.
                (DataType::Decimal128(..), DataType::Float64) => DataType::Float64,
                (before, next) => widen(&before, &next),
            };
        }
        merged
    }

    fn object_type(&self, nulls: &[String], choices: Choices) -> DataType {
        let fields: Fields = self
            .fields
            .iter()
            .map(|(name, node)| Field::new(name, node.data_type(nulls, choices), true))
            .collect();
        match self.map_value(&fields) {
            Some(value) => map_of(DataType::Utf8, value),
            None => DataType::Struct(fields),
        }
    }

    /// The type of the values, where this object is a map: many keys, each in few objects, and
    /// all values of one type. So a country's translations by language are one column of maps,
    /// not a hundred columns.
    fn map_value(&self, fields: &Fields) -> Option<DataType> {
        let objects = self.kinds.get(&Kind::Object)?.count;
        let filled: u64 = self.fields.iter().map(|(_, n)| n.seen()).sum();
        let many = fields.len() > MAP_KEYS;
        let sparse = filled.saturating_mul(2) < objects.saturating_mul(fields.len() as u64);
        if !(many && sparse) {
            return None;
        }
        let value = fields
            .iter()
            .fold(DataType::Null, |all, f| widen(&all, f.data_type()));
        let lost = value == DataType::Utf8
            && fields
                .iter()
                .any(|f| !matches!(f.data_type(), DataType::Utf8 | DataType::Null));
        (!lost).then_some(value)
    }

    fn seen(&self) -> u64 {
        self.nulls + self.kinds.values().map(|s| s.count).sum::<u64>()
    }
}

fn moment(text: &str) -> Option<Kind> {
    // Years have four digits: no other text needs a closer look.
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes.len() > 35 || bytes[4] != b'-' {
        return None;
    }
    if value::date(text).is_some() {
        Some(Kind::Date)
    } else {
        value::timestamp(text).map(|m| {
            if m.zoned {
                Kind::Instant
            } else {
                Kind::Timestamp
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[&str]) -> Node {
        let mut node = Node::default();
        for (line, value) in values.iter().enumerate() {
            node.see_text(line as u64 + 1, value);
        }
        node
    }

    fn inferred(values: &[&str], nulls: &[&str]) -> String {
        let nulls: Vec<String> = nulls.iter().map(|s| (*s).to_owned()).collect();
        mastic_schema::hive::format_type(&column(values).data_type(&nulls, Choices::default()))
    }

    #[test]
    fn text_columns_get_the_narrowest_type() {
        for (values, expected) in [
            (&["1", "", "-2"][..], "bigint"),
            (&["1", "2.5"], "double"),
            (&["01234", "55555"], "string"),
            (&["true", "FALSE"], "boolean"),
            (&["true", "1"], "string"),
            (&["2024-01-01", "2024-02-30"], "string"),
            (&["2024-01-01", "2024-01-01 10:00:00"], "timestamp"),
            (&["2024-01-01T10:00:00Z"], "timestamp with local time zone"),
            (&["12345678901234567890", "1"], "decimal(38,0)"),
            (&["555-0100", "1"], "string"),
            (&["", ""], "string"),
        ] {
            assert_eq!(inferred(values, &[]), expected, "{values:?}");
        }
    }

    #[test]
    fn markers_are_nulls_where_other_values_say_so() {
        let numbers = column(&["1", "NA", "3"]);
        assert_eq!(numbers.telling_markers().collect::<Vec<_>>(), ["NA"]);
        let continents = column(&["EU", "NA"]);
        assert_eq!(continents.telling_markers().count(), 0);
        let nothing = column(&["NA", "NA"]);
        assert_eq!(nothing.telling_markers().count(), 0);
        assert_eq!(inferred(&["1", "NA"], &["NA"]), "bigint");
        assert_eq!(inferred(&["1", "NA"], &[]), "string");
    }

    #[test]
    fn the_first_odd_value_is_kept() {
        let node = column(&["1", "2", "n.a.", "x"]);
        let odd = &node.sightings()[&Kind::Text];
        assert_eq!((odd.count, odd.line, odd.value.as_str()), (2, 3, "n.a."));
    }

    #[test]
    fn an_object_with_many_varying_keys_is_a_map() {
        let mut node = Node::default();
        for i in 0..50u64 {
            node.see_object(i);
            node.field(&format!("k{i}")).see_string(i, "v");
        }
        assert_eq!(
            node.data_type(&[], Choices::default()),
            map_of(DataType::Utf8, DataType::Utf8)
        );
    }
}
