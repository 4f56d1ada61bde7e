//! Following a path through JSON text without building the value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::Step;

/// What `path` leads to in `text`; nothing if it leads nowhere or the text is not JSON. Of members
/// with the same name the first counts, as in Trino.
pub(super) fn find<'j>(text: &'j str, path: &[Step]) -> Option<&'j RawValue> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = Seek(path).deserialize(&mut json).ok()?;
    json.end().ok()?;
    found
}

struct Seek<'p>(&'p [Step]);

impl<'j> DeserializeSeed<'j> for Seek<'_> {
    type Value = Option<&'j RawValue>;

    fn deserialize<D: Deserializer<'j>>(self, json: D) -> Result<Self::Value, D::Error> {
        use serde::Deserialize;
        match self.0.split_first() {
            None => <&RawValue>::deserialize(json).map(Some),
            Some((step, rest)) => json.deserialize_any(At { step, rest }),
        }
    }
}

struct At<'p> {
    step: &'p Step,
    rest: &'p [Step],
}

impl<'j> Visitor<'j> for At<'_> {
    type Value = Option<&'j RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut seen = false;
        while let Some(matches) = map.next_key_seed(Named(&self.step.name))? {
            if matches && !seen {
                seen = true;
                found = map.next_value_seed(Seek(self.rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        for i in 0.. {
            if Some(i) == self.step.index {
                match seq.next_element_seed(Seek(self.rest))? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    // A path cannot go on into a scalar.
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member's name is this one.
struct Named<'p>(&'p str);

impl<'j> DeserializeSeed<'j> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'j>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// Members of an object or array; 0 for a scalar; nothing if the text is not JSON.
pub(super) fn size(text: &str) -> Option<i64> {
    let mut json = serde_json::Deserializer::from_str(text);
    let size = json.deserialize_any(Size).ok()?;
    json.end().ok()?;
    Some(size)
}

struct Size;

impl<'j> Visitor<'j> for Size {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<i64, A::Error> {
        let mut n = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            n += 1;
        }
        Ok(n)
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<i64, A::Error> {
        let mut n = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            n += 1;
        }
        Ok(n)
    }

    fn visit_bool<E>(self, _: bool) -> Result<i64, E> {
        Ok(0)
    }
    fn visit_i64<E>(self, _: i64) -> Result<i64, E> {
        Ok(0)
    }
    fn visit_u64<E>(self, _: u64) -> Result<i64, E> {
        Ok(0)
    }
    fn visit_f64<E>(self, _: f64) -> Result<i64, E> {
        Ok(0)
    }
    fn visit_str<E>(self, _: &str) -> Result<i64, E> {
        Ok(0)
    }
    fn visit_unit<E>(self) -> Result<i64, E> {
        Ok(0)
    }
}

/// Valid JSON without the blanks between its tokens. Numbers and escapes stay as they were written.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if matches!(c, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            quoted = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::path::Path;
    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab\"\\\\ é]{1,2}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Finding by path in text is what serde_json finds in the parsed value.
        #[test]
        fn finds_what_the_value_holds(value in json(), names in prop::collection::vec("[ab\"\\\\ é]{1,2}|[0-3]", 0..3)) {
            let path: String = names
                .iter()
                .map(|n| format!("[\"{}\"]", n.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect();
            let path = Path::parse(&format!("${path}")).unwrap();
            let mut expected = Some(&value);
            for name in &names {
                expected = expected.and_then(|v| match v {
                    Value::Array(a) => name.parse::<usize>().ok().and_then(|i| a.get(i)),
                    other => other.get(name),
                });
            }
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let found = find(&text, path.steps()).map(|f| compact(f.get()));
                prop_assert_eq!(found, expected.map(Value::to_string));
            }
        }
    }
}
