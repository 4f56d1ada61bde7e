//! The type of a column as a dynamic frame has it: values that disagree stay side by side.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use mastic_schema::choice::{choice_of, codes as codes_of};
use mastic_schema::hive::{UTC, list_of, map_of};
use mastic_schema::merge::widen;

use super::{Choices, Kind, Node};
use crate::value;

/// What a format says of a value's type, by which values are told to disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// The type itself (JSON): a number among strings is a number.
    Values,
    /// Only its text (CSV, logs, XML): `12` among words is a word, a word among numbers is odd.
    Text,
}

impl Node {
    /// The type that keeps every value as it was found. Values of JSON that disagree are a choice, down
    /// to the fields of objects and the elements of arrays. Text is of the type that more than half of a
    /// column's values have, and what is not is a string beside it; a column that is mostly text is a
    /// string, and so is one of numbers of which any is a code (`007`: digits behind a zero). Markers named in `nulls`
    /// count as nulls.
    pub fn choice_type(&self, nulls: &[String], choices: Choices, typing: Typing) -> DataType {
        let is_null = |marker: &str| nulls.iter().any(|n| n == marker);
        self.chosen(&is_null, choices, typing)
    }

    /// The field of that type: one of text says where its values are codes, so that what another file has of
    /// numbers in it are codes as well ([`mastic_schema::choice::choose_fields`]).
    pub fn choice_field(
        &self,
        name: &str,
        nulls: &[String],
        choices: Choices,
        typing: Typing,
    ) -> Field {
        self.marked(name, self.choice_type(nulls, choices, typing), typing)
    }

    fn marked(&self, name: &str, data_type: DataType, typing: Typing) -> Field {
        let codes = self.codes && typing == Typing::Text && data_type == DataType::Utf8;
        let field = Field::new(name, data_type, true);
        match codes {
            true => codes_of(field),
            false => field,
        }
    }

    /// Whether fewer than one in a thousand of the column's values are this marker.
    pub fn is_rare(&self, marker: &str) -> bool {
        let all: u64 = self.kinds.values().map(|s| s.count).sum();
        let count = self.markers.get(marker).copied().unwrap_or_default();
        count.saturating_mul(1000) < all
    }

    fn chosen(&self, is_null: &dyn Fn(&str) -> bool, choices: Choices, typing: Typing) -> DataType {
        let mut types = match typing {
            Typing::Values => self.typed_scalars(),
            Typing::Text => vec![self.text_scalars(is_null, choices)],
        };
        if self.kinds.contains_key(&Kind::Object) {
            types.push(self.chosen_object(is_null, choices, typing));
        }
        if !self.kinds.contains_key(&Kind::Array) {
            return choice_of(types);
        }
        let item = match &self.element {
            Some(element) => element.chosen(is_null, choices, typing),
            None => DataType::Null,
        };
        if choices.single_is_array {
            types.push(item);
            return list_of(choice_of(types));
        }
        types.push(list_of(item));
        choice_of(types)
    }

    /// The types of JSON's values that are neither objects nor arrays.
    fn typed_scalars(&self) -> Vec<DataType> {
        let mut types = Vec::new();
        let mut text = DataType::Null;
        let mut numbers = false;
        for kind in self.kinds.keys() {
            match kind {
                Kind::Boolean => types.push(DataType::Boolean),
                Kind::Integer | Kind::LongInteger | Kind::Real => numbers = true,
                Kind::Object | Kind::Array => {}
                // A date among other strings is a string.
                kind => text = widen(&text, &moment_type(*kind).unwrap_or(DataType::Utf8)),
            }
        }
        if numbers {
            match self.number_type() {
                // What a double would round is kept as it is written, beside it.
                DataType::Utf8 => types.extend([DataType::Float64, DataType::Utf8]),
                data_type => types.push(data_type),
            }
        }
        types.push(text);
        types
    }

    /// The type of text: that of more than half of the values, beside a string for the rest.
    fn text_scalars(&self, is_null: &dyn Fn(&str) -> bool, choices: Choices) -> DataType {
        let mut scalars = self.clone_scalars();
        scalars.element = None;
        let plain = scalars.type_where(is_null, choices);
        if plain != DataType::Utf8 {
            return plain;
        }
        let order = choices.date_order.filter(|order| self.orders.allow(*order));
        let count = |wanted: &dyn Fn(Kind) -> bool| -> u64 {
            let kinds = scalars.kinds.iter().filter(|(kind, _)| wanted(**kind));
            kinds.map(|(_, s)| s.count).sum()
        };
        let nulls: u64 = self
            .markers
            .iter()
            .filter(|(marker, _)| is_null(marker))
            .map(|(_, count)| *count)
            .sum();
        let all = count(&|_| true).saturating_sub(nulls);
        let numbers = |kind| {
            matches!(
                kind,
                Kind::Integer | Kind::LongInteger | Kind::Real | Kind::Infinite
            )
        };
        let moments = |kind| match kind {
            Kind::Date | Kind::Timestamp => true,
            Kind::OrderedDate | Kind::OrderedTimestamp => order.is_some(),
            _ => false,
        };
        let instants = |kind| match kind {
            Kind::Instant => true,
            Kind::OrderedInstant => order.is_some(),
            _ => false,
        };
        let most = |wanted: &dyn Fn(Kind) -> bool| count(wanted).saturating_mul(2) > all;
        let main = if most(&|kind| kind == Kind::Boolean) {
            DataType::Boolean
        } else if most(&numbers) {
            match self.codes {
                true => DataType::Utf8,
                false => self.number_type(),
            }
        } else if most(&moments) {
            let kinds = scalars.kinds.keys().filter(|kind| moments(**kind));
            kinds.fold(DataType::Null, |all, kind| {
                widen(&all, &moment_type(*kind).unwrap_or(DataType::Utf8))
            })
        } else if most(&instants) {
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
        } else {
            DataType::Utf8
        };
        choice_of([main, DataType::Utf8])
    }

    /// What was seen, but for objects and arrays.
    fn clone_scalars(&self) -> Node {
        let kinds = self.kinds.iter();
        let kinds = kinds.filter(|(kind, _)| !matches!(kind, Kind::Object | Kind::Array));
        Node {
            kinds: kinds.map(|(kind, s)| (*kind, s.clone())).collect(),
            markers: self.markers.clone(),
            flags: self.flags,
            orders: self.orders,
            digits: self.digits,
            typed: self.typed,
            ..Node::default()
        }
    }

    fn chosen_object(
        &self,
        is_null: &dyn Fn(&str) -> bool,
        choices: Choices,
        typing: Typing,
    ) -> DataType {
        let own = |(name, node): &(String, Node)| {
            node.marked(name, node.chosen(is_null, choices, typing), typing)
        };
        let fields: Fields = self.fields.iter().map(own).collect();
        // What is a map in a table is one in a frame.
        if self.is_sparse() && matches!(self.object_type(is_null, choices), DataType::Map(..)) {
            let values = fields.iter().map(|f| f.data_type().clone());
            return map_of(DataType::Utf8, choice_of(values));
        }
        DataType::Struct(fields)
    }
}

/// The type of a date or time.
fn moment_type(kind: Kind) -> Option<DataType> {
    Some(match kind {
        Kind::Date | Kind::OrderedDate => DataType::Date32,
        Kind::Timestamp | Kind::OrderedTimestamp => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        Kind::Instant | Kind::OrderedInstant => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
        }
        _ => return None,
    })
}

/// The type of one number as JSON has it, on its own; nothing where none holds it as it is written.
pub(crate) fn number_alone(text: &str) -> Option<DataType> {
    value::number(text)?;
    let mut node = Node::default();
    node.see_number(1, text);
    let data_type = node.number_type();
    let numbers = node.is_number() && data_type != DataType::Utf8;
    numbers.then_some(data_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastic_schema::choice::format_type;

    fn text(values: &[(&str, usize)], nulls: &[&str]) -> String {
        let mut node = Node::default();
        for (value, times) in values {
            for line in 0..*times {
                node.see_text(line as u64 + 1, value);
            }
        }
        let nulls: Vec<String> = nulls.iter().map(|s| (*s).to_owned()).collect();
        format_type(&node.choice_type(&nulls, Choices::default(), Typing::Text))
    }

    #[test]
    fn text_is_of_the_type_that_most_values_have() {
        for (values, expected) in [
            (&[("1", 3), ("x", 1)][..], "choice<bigint,string>"),
            (&[("1", 1), ("x", 1)], "string"),
            (&[("1", 2), ("2.5", 2), ("x", 3)], "choice<double,string>"),
            (&[("1", 2), ("true", 1)], "choice<bigint,string>"),
            (
                &[("2024-01-01", 2), ("2024-01-01 10:00:00", 1), ("", 9)],
                "timestamp",
            ),
            (
                &[("2024-01-01", 2), ("2024-01-01 10:00:00", 2), ("x", 3)],
                "choice<timestamp,string>",
            ),
            (&[("n/a", 1), ("1", 2000)], "choice<bigint,string>"),
            (&[("NA", 5), ("1", 2), ("x", 1)], "choice<bigint,string>"),
            (&[("yes", 4), ("maybe", 1)], "string"),
            (&[("yes", 4), ("no", 1)], "boolean"),
            // DuckDB 2.0's sniffer takes it for VARCHAR, too.
            (&[("007", 1), ("8", 9)], "string"),
            (&[("01/02", 1), ("8", 9)], "choice<bigint,string>"),
        ] {
            assert_eq!(text(values, &["NA"]), expected, "{values:?}");
        }
    }

    #[test]
    fn numbers_have_types_of_their_own() {
        for (number, expected) in [
            ("7", Some("bigint")),
            ("12345678901234567890", Some("decimal(38,0)")),
            ("1.5e3", Some("double")),
            ("1e999", None),
            ("123456789012345678901234567890123456789012", None),
        ] {
            let found = number_alone(number).map(|t| format_type(&t));
            assert_eq!(found.as_deref(), expected, "{number}");
        }
    }
}
