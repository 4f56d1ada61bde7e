//! Where Avro's records end, told from the writer's schema alone.
//!
//! The decoder believes a block's count of records. Where more bytes follow them, it waits for ever for somebody to
//! take them (arrow-avro 59), so a block is measured before it gets there. "Binary encoding" of the Apache Avro
//! specification says how long each value is.

use std::collections::HashMap;

use serde_json::Value;

/// How deep types and values may be nested.
const MAX_DEPTH: usize = 128;
/// How many values of no bytes may be in a block's arrays and maps.
const MAX_EMPTY: u64 = 1 << 20;

/// How long a value is.
#[derive(Debug)]
enum Shape {
    /// As many bytes.
    Fixed(usize),
    /// A number of variable length.
    Number,
    /// As many bytes as a number before them says.
    Counted,
    /// One after another.
    Record(Vec<Shape>),
    /// The one that a number before it says.
    Union(Vec<Shape>),
    /// Blocks of a count and as many values.
    Items(Box<Shape>),
    /// The named type in this place.
    Named(usize),
}

/// The length of a writer's records.
#[derive(Debug)]
pub(super) struct Skipper {
    root: Shape,
    named: Vec<Shape>,
    /// Whether a record has no bytes at all.
    empty: bool,
}

/// Why records do not fill a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// They are longer, or no records.
    Damaged,
    /// They end after so many bytes.
    Short(usize),
}

#[derive(Default)]
struct Names {
    places: HashMap<String, usize>,
    shapes: Vec<Option<Shape>>,
}

impl Skipper {
    /// Of a schema as a file's header has it; nothing where it is none.
    pub(super) fn new(schema: &[u8]) -> Option<Self> {
        let schema: Value = serde_json::from_slice(schema).ok()?;
        let mut names = Names::default();
        let root = names.shape(&schema, "", 0)?;
        let named = names.shapes.into_iter().collect::<Option<Vec<_>>>()?;
        let mut skipper = Skipper {
            root,
            named,
            empty: false,
        };
        skipper.empty = skipper.is_empty(&skipper.root, 0);
        Some(skipper)
    }

    /// Whether `count` records are exactly these bytes.
    pub(super) fn measure(&self, data: &[u8], count: u64) -> Result<(), Unfit> {
        let mut walk = Walk {
            data,
            at: 0,
            empty: 0,
        };
        for _ in 0..if self.empty { 0 } else { count } {
            walk.pass(self, &self.root, 0).ok_or(Unfit::Damaged)?;
        }
        match walk.at == data.len() {
            true => Ok(()),
            false => Err(Unfit::Short(walk.at)),
        }
    }

    /// Whether a value of this shape never has a byte.
    fn is_empty(&self, shape: &Shape, depth: usize) -> bool {
        match shape {
            Shape::Fixed(length) => *length == 0,
            Shape::Record(all) => all.iter().all(|s| self.is_empty(s, depth + 1)),
            Shape::Named(at) if depth < MAX_DEPTH => self
                .named
                .get(*at)
                .is_some_and(|shape| self.is_empty(shape, depth + 1)),
            _ => false,
        }
    }
}

impl Names {
    fn shape(&mut self, schema: &Value, space: &str, depth: usize) -> Option<Shape> {
        if depth > MAX_DEPTH {
            return None;
        }
        match schema {
            Value::String(name) => self.plain(name, space),
            Value::Array(all) => {
                let all = all.iter().map(|s| self.shape(s, space, depth + 1));
                Some(Shape::Union(all.collect::<Option<_>>()?))
            }
            Value::Object(object) => {
                let kind = match object.get("type")? {
                    Value::String(kind) => kind.as_str(),
                    nested => return self.shape(nested, space, depth + 1),
                };
                match kind {
                    "array" => {
                        let items = self.shape(object.get("items")?, space, depth + 1)?;
                        Some(Shape::Items(Box::new(items)))
                    }
                    "map" => {
                        let value = self.shape(object.get("values")?, space, depth + 1)?;
                        let entry = Shape::Record(vec![Shape::Counted, value]);
                        Some(Shape::Items(Box::new(entry)))
                    }
                    "record" | "error" | "enum" | "fixed" => {
                        let name = object.get("name")?.as_str()?;
                        let own = object.get("namespace").and_then(Value::as_str);
                        let full = full(name, own.unwrap_or(space));
                        let space = full.rsplit_once('.').map_or("", |(space, _)| space);
                        let at = self.shapes.len();
                        self.shapes.push(None);
                        self.places.insert(full.clone(), at);
                        let shape = match kind {
                            "enum" => Shape::Number,
                            "fixed" => {
                                let size = object.get("size")?.as_u64()?;
                                Shape::Fixed(usize::try_from(size).ok()?)
                            }
                            _ => {
                                let fields = object.get("fields")?.as_array()?.iter();
                                let fields =
                                    fields.map(|f| self.shape(f.get("type")?, space, depth + 1));
                                Shape::Record(fields.collect::<Option<_>>()?)
                            }
                        };
                        *self.shapes.get_mut(at)? = Some(shape);
                        Some(Shape::Named(at))
                    }
                    plain => self.plain(plain, space),
                }
            }
            _ => None,
        }
    }

    fn plain(&self, name: &str, space: &str) -> Option<Shape> {
        Some(match name {
            "null" => Shape::Fixed(0),
            "boolean" => Shape::Fixed(1),
            "int" | "long" => Shape::Number,
            "float" => Shape::Fixed(4),
            "double" => Shape::Fixed(8),
            "bytes" | "string" => Shape::Counted,
            name => {
                let place = self.places.get(&full(name, space));
                Shape::Named(*place.or_else(|| self.places.get(name))?)
            }
        })
    }
}

fn full(name: &str, space: &str) -> String {
    match name.contains('.') || space.is_empty() {
        true => name.to_owned(),
        false => format!("{space}.{name}"),
    }
}

struct Walk<'a> {
    data: &'a [u8],
    at: usize,
    empty: u64,
}

impl Walk<'_> {
    fn bytes(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.data.len()).then_some(())
    }

    fn number(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.data.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let half = i64::try_from(value >> 1).ok()?;
                return Some(if value & 1 == 1 { -half - 1 } else { half });
            }
        }
        None
    }

    fn pass(&mut self, skipper: &Skipper, shape: &Shape, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match shape {
            Shape::Fixed(length) => self.bytes(*length),
            Shape::Number => self.number().map(drop),
            Shape::Counted => {
                let length = self.number()?;
                self.bytes(usize::try_from(length).ok()?)
            }
            Shape::Record(all) => {
                for shape in all {
                    self.pass(skipper, shape, depth + 1)?;
                }
                Some(())
            }
            Shape::Union(all) => {
                let which = usize::try_from(self.number()?).ok()?;
                self.pass(skipper, all.get(which)?, depth + 1)
            }
            Shape::Items(item) => loop {
                let mut count = self.number()?;
                if count == 0 {
                    return Some(());
                }
                if count < 0 {
                    // The bytes of this piece follow, for who wants to leave it out.
                    self.number()?;
                    count = count.checked_neg()?;
                }
                for _ in 0..count {
                    let from = self.at;
                    self.pass(skipper, item, depth + 1)?;
                    if self.at == from {
                        self.empty += 1;
                        if self.empty > MAX_EMPTY {
                            return None;
                        }
                    }
                }
            },
            Shape::Named(at) => self.pass(skipper, skipper.named.get(*at)?, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn measure(schema: &str, data: &[u8], count: u64) -> Result<(), Unfit> {
        Skipper::new(schema.as_bytes())
            .unwrap()
            .measure(data, count)
    }

    /// The bytes are those of the specification's own examples, "Binary encoding".
    #[test]
    fn values_are_as_long_as_the_specification_says() {
        let record = r#"{"type":"record","name":"test","fields":[
            {"name":"a","type":"long"},{"name":"b","type":"string"}]}"#;
        let one = [0x36, 0x06, 0x66, 0x6f, 0x6f];
        assert_eq!(measure(record, &one, 1), Ok(()));
        assert_eq!(measure(record, &[one, one].concat(), 2), Ok(()));
        assert_eq!(
            measure(record, &[one, one].concat(), 1),
            Err(Unfit::Short(5))
        );
        assert_eq!(measure(record, &one, 2), Err(Unfit::Damaged));
        let array = r#"{"type":"array","items":"long"}"#;
        assert_eq!(measure(array, &[0x04, 0x06, 0x36, 0x00], 1), Ok(()));
        let union = r#"["null","string"]"#;
        assert_eq!(measure(union, &[0x00, 0x02, 0x02, 0x61], 2), Ok(()));
        assert_eq!(measure(union, &[0x04], 1), Err(Unfit::Damaged));
    }

    #[test]
    fn names_lead_to_types() {
        let schema = r#"{"type":"record","name":"r","namespace":"x.y","fields":[
            {"name":"a","type":{"type":"fixed","name":"f","size":3}},
            {"name":"b","type":["null","f","x.y.f"]},
            {"name":"m","type":{"type":"map","values":{"type":"enum","name":"z.e","symbols":["q"]}}},
            {"name":"n","type":["null","r"]}]}"#;
        let one = [1, 2, 3, 2, 4, 5, 6, 1, 6, 2, b'k', 0, 0, 0];
        assert_eq!(measure(schema, &one, 1), Ok(()));
        assert!(
            Skipper::new(br#"{"type":"record","name":"r","fields":[{"name":"a","type":"q"}]}"#)
                .is_none()
        );
        let nothing = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"null"}]}"#;
        assert_eq!(measure(nothing, &[], u64::MAX), Ok(()));
        assert_eq!(measure(nothing, &[0], 7), Err(Unfit::Short(0)));
        let absurd = r#"{"type":"array","items":"null"}"#;
        let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
        assert_eq!(measure(absurd, &huge, 1), Err(Unfit::Damaged));
    }
}
