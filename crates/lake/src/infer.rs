//! What the values of a column have in common.
//!
//! A [`Node`] watches every value of a column (or of a field of a nested document) and counts what
//! each one is. Only at the end is a type chosen, so one odd value never hides the others, and
//! the first value of each kind is kept to say why a column came out as it did.

mod choose;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use mastic_schema::hive::{UTC, list_of, map_of};
use mastic_schema::merge::widen;

pub use self::choose::Typing;
pub(crate) use self::choose::number_alone;
use crate::format::is_code;
use crate::value::{self, Calendar, DateOrder, Digits, Looks, Number, Orders};

/// The kinds of values that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `true` and `false`.
    Boolean,
    /// `yes`, `no`, `Y`, `N`, `T` or `F`, which are booleans where their column has nothing else.
    Flag,
    /// An integer of 64 bits.
    Integer,
    /// An integer of up to 38 digits.
    LongInteger,
    /// A number with a fraction or an exponent.
    Real,
    /// Infinity in a text format, a number where the column's other values are.
    Infinite,
    /// A date.
    Date,
    /// A timestamp without a zone.
    Timestamp,
    /// A timestamp with an offset: an instant.
    Instant,
    /// A date such as `03/04/2024`: its file decides what comes first.
    OrderedDate,
    /// The same with a time.
    OrderedTimestamp,
    /// The same with a time and an offset.
    OrderedInstant,
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
            Kind::Flag => "yes or no",
            Kind::Integer => "bigint",
            Kind::LongInteger => "integer beyond 64 bits",
            Kind::Real => "double",
            Kind::Infinite => "infinity",
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
            Kind::Instant => "timestamp with an offset",
            Kind::OrderedDate => "date in one order or another",
            Kind::OrderedTimestamp => "timestamp in one order or another",
            Kind::OrderedInstant => "instant in one order or another",
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
    /// What the words look like that are no null markers.
    looks: Looks,
    fields: Vec<(String, Node)>,
    index: HashMap<String, usize>,
    element: Option<Box<Node>>,
    /// Which of the words were seen that are booleans in pairs.
    flags: u8,
    /// In which orders its dates can be read.
    orders: Orders,
    digits: Digits,
    /// Whether numbers are a format's own, and not told by their looks.
    typed: bool,
    /// How many times have digits beyond the microsecond.
    finer: u64,
    /// Whether any text is a code: digits behind a zero.
    codes: bool,
}

/// How a node's type is chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices {
    /// XML cannot tell an array of one element from a single value: take both as the array.
    pub single_is_array: bool,
    /// What comes first in dates that do not tell.
    pub date_order: Option<DateOrder>,
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
        self.typed = true;
        let kind = self.number(text);
        self.saw(kind.unwrap_or(Kind::Text), line, text);
    }

    /// A string of a format that has strings: a date, a timestamp or text, never a number.
    pub fn see_string(&mut self, line: u64, text: &str) {
        let kind = moment(text).unwrap_or(Kind::Text);
        self.codes |= kind == Kind::Text && is_code(text);
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
            self.number(text).or_else(|| self.moment(text))
        } else {
            self.word(first, text)
        };
        match kind {
            Some(kind) => {
                if matches!(kind, Kind::Boolean | Kind::Flag) {
                    self.looks.see(text);
                }
                self.saw(kind, line, text);
            }
            None if value::is_null_marker(text) => {
                match self.markers.get_mut(text) {
                    Some(count) => *count += 1,
                    None => {
                        self.markers.insert(text.to_owned(), 1);
                    }
                }
                self.saw(Kind::Marker, line, text);
            }
            None if value::infinite(text) => self.saw(Kind::Infinite, line, text),
            None => {
                self.looks.see(text);
                self.codes |= is_code(text);
                self.saw(Kind::Text, line, text);
            }
        }
    }

    /// A number that a column can hold.
    fn number(&mut self, text: &str) -> Option<Kind> {
        match value::number(text)? {
            Number::Integer => {
                self.digits.see_integer(text, false);
                Some(Kind::Integer)
            }
            Number::Long(digits) if digits <= 38 => {
                self.digits.see_integer(text, true);
                Some(Kind::LongInteger)
            }
            Number::Long(_) => None,
            Number::Real => {
                self.digits.see_real(text);
                Some(Kind::Real)
            }
        }
    }

    /// What begins with a letter: a boolean, or a date that names its month or weekday.
    fn word(&mut self, first: u8, text: &str) -> Option<Kind> {
        match first {
            b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'n' | b'N' if text.len() <= 5 => {
                if let Some(flag) = value::flag(text) {
                    self.flags |= flag;
                    return Some(Kind::Flag);
                }
                value::boolean(text).map(|_| Kind::Boolean)
            }
            _ => moment(text),
        }
    }

    /// A date or a time that begins with a digit.
    fn moment(&mut self, text: &str) -> Option<Kind> {
        if let Some(kind) = moment(text) {
            self.finer += u64::from(value::is_finer(text));
            return Some(kind);
        }
        let ordered = value::ordered(text)?;
        self.orders.see(&ordered);
        Some(match ordered.time() {
            None => Kind::OrderedDate,
            Some(false) => Kind::OrderedTimestamp,
            Some(true) => Kind::OrderedInstant,
        })
    }

    /// In which orders the dates can be read that do not tell theirs.
    pub fn date_orders(&self) -> Orders {
        self.orders
    }

    /// Whether every value is a number.
    fn is_number(&self) -> bool {
        self.kinds.keys().all(|k| {
            matches!(
                k,
                Kind::Integer | Kind::LongInteger | Kind::Real | Kind::Infinite | Kind::Marker
            )
        })
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
            && self.kinds.keys().any(|k| *k != Kind::Marker)
            && self.type_where(&|_| true, Choices::default()) != DataType::Utf8;
        self.markers
            .keys()
            .filter(move |_| typed)
            .map(String::as_str)
    }

    /// Whether a null marker is a value like the others, should this be a column of text: where they
    /// look like it (`NA` among `EU` and `AS`). Where there are only markers, others like it.
    pub fn looks_like(&self, marker: &str) -> bool {
        let values = self.kinds.iter().filter(|(k, _)| **k != Kind::Marker);
        let count: u64 = values.map(|(_, s)| s.count).sum();
        if count > 0 {
            return self.looks.are_like(marker, count);
        }
        let mut others = Looks::default();
        let mut count = 0;
        for other in self.markers.keys().filter(|m| *m != marker) {
            others.see(other);
            count += 1;
        }
        others.are_like(marker, count)
    }

    /// Every null marker seen.
    pub fn markers(&self) -> impl Iterator<Item = &str> {
        self.markers.keys().map(String::as_str)
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
        self.type_where(&|marker| nulls.iter().any(|n| n == marker), choices)
    }

    fn type_where(&self, is_null: &dyn Fn(&str) -> bool, choices: Choices) -> DataType {
        // Markers alone say nothing of a column's type: another file of the table may.
        let marked = self.kinds.len() > 1 && self.markers.keys().any(|m| !is_null(m));
        let mut merged = DataType::Null;
        let is_number = self.is_number();
        // The order that every one of the column's dates can be read with.
        let order = choices.date_order.filter(|order| self.orders.allow(*order));
        for kind in self.kinds.keys() {
            let next = match kind {
                Kind::OrderedDate | Kind::OrderedTimestamp | Kind::OrderedInstant
                    if order.is_none() =>
                {
                    DataType::Utf8
                }
                Kind::Flag if value::flags_are_boolean(self.flags) => DataType::Boolean,
                Kind::Flag => DataType::Utf8,
                Kind::Infinite if !is_number || self.kinds.len() < 2 => DataType::Utf8,
                Kind::Integer | Kind::LongInteger | Kind::Real | Kind::Infinite => {
                    self.number_type()
                }
                Kind::Marker if !marked => continue,
                Kind::Marker | Kind::Text => DataType::Utf8,
                Kind::Boolean => DataType::Boolean,
                Kind::Date | Kind::OrderedDate => DataType::Date32,
                Kind::Timestamp | Kind::OrderedTimestamp => {
                    DataType::Timestamp(TimeUnit::Microsecond, None)
                }
                Kind::Instant | Kind::OrderedInstant => {
                    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
                }
                Kind::Object => self.object_type(is_null, choices),
                Kind::Array => list_of(match &self.element {
                    Some(element) => element.type_where(is_null, choices),
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
                (before, next) => widen(&before, &next),
            };
        }
        merged
    }

    fn number_type(&self) -> DataType {
        let infinite = self.kinds.contains_key(&Kind::Infinite);
        self.digits.data_type(infinite, !self.typed)
    }

    /// Whether all values are numbers that no type of numbers holds exactly.
    pub fn is_inexact(&self) -> bool {
        let numbers = |k: &Kind| matches!(k, Kind::Integer | Kind::LongInteger | Kind::Real);
        self.is_number() && self.kinds.keys().any(numbers) && self.number_type() == DataType::Utf8
    }

    /// How many times have digits beyond the microsecond, which are cut off.
    pub fn finer_times(&self) -> u64 {
        self.finer
    }

    fn object_type(&self, is_null: &dyn Fn(&str) -> bool, choices: Choices) -> DataType {
        let fields: Fields = self
            .fields
            .iter()
            .map(|(name, node)| Field::new(name, node.type_where(is_null, choices), true))
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
        if !self.is_sparse() {
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

    /// Whether there are many keys, each in few objects.
    fn is_sparse(&self) -> bool {
        let objects = self.kinds.get(&Kind::Object).map_or(0, |s| s.count);
        let filled: u64 = self.fields.iter().map(|(_, n)| n.seen()).sum();
        let all = objects.saturating_mul(self.fields.len() as u64);
        self.fields.len() > MAP_KEYS && filled.saturating_mul(2) < all
    }

    fn seen(&self) -> u64 {
        self.nulls + self.kinds.values().map(|s| s.count).sum::<u64>()
    }
}

fn moment(text: &str) -> Option<Kind> {
    Some(match value::instant(text)? {
        Calendar::Date(_) => Kind::Date,
        Calendar::Moment(m) if m.zoned => Kind::Instant,
        Calendar::Moment(_) => Kind::Timestamp,
    })
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
            (&["1.5", "-inf"], "double"),
            (&["inf"], "string"),
            (&["1e5", "2"], "double"),
            (&["yes", "No"], "boolean"),
            (&["Y", "N"], "boolean"),
            (&["F", "F"], "string"),
            (&["Y", "true"], "string"),
            (&["12 June 1998", "June 13, 1998"], "date"),
            (&["12345678901234567.25", "1.50", "-3.00"], "decimal(19,2)"),
            (&["0.12345678901234567", "1.5"], "double"),
            (&["9007199254740993", "1.5"], "decimal(20,1)"),
            (&["9007199254740992", "1.5"], "double"),
            (&["9223372036854775807", "0.25", ""], "decimal(21,2)"),
            (&["12345678901234567890", "1.5"], "decimal(38,1)"),
            (&["0.1234567890123456789", "2"], "decimal(38,19)"),
            (&["0.1234567890123456789", "1.5"], "decimal(20,19)"),
            (&["9007199254740993", "1e5"], "string"),
            (&["9007199254740993", "inf"], "string"),
            (&["1.2345678901234567890e5", "2"], "double"),
            (
                &["12345678901234567890", "0.12345678901234567890"],
                "string",
            ),
            (&["13/04/2024", "25/12/2024"], "string"),
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
    fn dates_of_either_order_need_an_order() {
        let given = |values: &[&str], date_order| {
            let choices = Choices {
                date_order,
                ..Choices::default()
            };
            mastic_schema::hive::format_type(&column(values).data_type(&[], choices))
        };
        let day = Some(DateOrder::DayFirst);
        let month = Some(DateOrder::MonthFirst);
        assert_eq!(given(&["13/04/2024", "1/2/2024"], day), "date");
        assert_eq!(given(&["13/04/2024", "1/2/2024"], month), "string");
        assert_eq!(given(&["1/2/2024 4:30 PM", "3/4/2024"], month), "timestamp");
        assert_eq!(given(&["13/04/2024", "04/13/2024"], day), "string");
        assert_eq!(given(&["24-01-31", "24-02-29"], day), "string");
        assert_eq!(given(&["24-01-31", "99-01-01"], day), "string");
        let year = Some(DateOrder::YearFirst);
        assert_eq!(given(&["24-01-31", "99-01-01"], year), "date");
    }

    #[test]
    fn the_first_odd_value_is_kept() {
        let node = column(&["1", "2", "n.k.", "x"]);
        let odd = &node.sightings()[&Kind::Text];
        assert_eq!((odd.count, odd.line, odd.value.as_str()), (2, 3, "n.k."));
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
