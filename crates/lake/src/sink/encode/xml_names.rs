//! Which names XML can hold, and what becomes of a field: an attribute, its element's text, or an element.

use arrow::datatypes::{DataType, Field, Fields, SchemaRef};

use super::super::options::{OutputOptions, XmlOutput};

/// What a field is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// An attribute of this name.
    Attribute(&'a str),
    /// The text of the element around it.
    Value,
    /// An element of its own name.
    Element,
}

/// What a field of this name is written as.
pub(super) fn role<'a>(xml: &XmlOutput, name: &'a str) -> Role<'a> {
    if name == xml.value_tag {
        return Role::Value;
    }
    match name.strip_prefix(xml.attribute_prefix.as_str()) {
        Some(rest) => Role::Attribute(rest),
        None => Role::Element,
    }
}

/// Whether an element or attribute can have this name: `Name` of XML 1.0 (fifth edition) without colons, which
/// "Namespaces in XML" keeps for names with a declared prefix.
pub(super) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(begins) && chars.all(continues)
}

fn begins(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn continues(c: char) -> bool {
    begins(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}'
            | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether the names that options give can be used.
pub(in crate::sink) fn check_options(options: &OutputOptions) -> Result<(), String> {
    let xml = &options.xml;
    for (option, name) in [("root_tag", &xml.root_tag), ("row_tag", &xml.row_tag)] {
        if !is_name(name) {
            return Err(format!(
                "{option} is '{name}', which no element of XML can be called"
            ));
        }
    }
    if xml.root_tag == xml.row_tag {
        return Err(format!(
            "root_tag and row_tag are both '{}', so that a record could not be told from the file",
            xml.row_tag
        ));
    }
    if xml.attribute_prefix.is_empty() {
        return Err("attribute_prefix is empty, so that every column would be an attribute".into());
    }
    match options.null.chars().find(|c| !is_char(*c)) {
        Some(c) => Err(format!(
            "null holds {}, which XML cannot",
            c.escape_unicode()
        )),
        None => Ok(()),
    }
}

/// `Char` of XML 1.0.
pub(super) fn is_char(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => c >= ' ',
    }
}

/// Whether XML can hold the columns: why not, by the first that it cannot.
pub(super) fn check(xml: &XmlOutput, schema: &SchemaRef) -> Result<(), String> {
    check_fields(xml, schema.fields(), "")
}

fn check_fields(xml: &XmlOutput, fields: &Fields, within: &str) -> Result<(), String> {
    for (at, field) in fields.iter().enumerate() {
        let path = match within {
            "" => field.name().clone(),
            _ => format!("{within}.{}", field.name()),
        };
        if fields.iter().take(at).any(|f| f.name() == field.name()) {
            return Err(format!(
                "there are two columns '{path}', which would be read as one list; rename one"
            ));
        }
        let nested = deep(field.data_type());
        match role(xml, field.name()) {
            Role::Value if nested => {
                return Err(format!(
                    "column '{path}' is named as the text of its element (value_tag), and is {}; rename it, or choose another value_tag",
                    kind(field)
                ));
            }
            Role::Attribute(_) if nested => {
                return Err(format!(
                    "column '{path}' begins as attributes do ('{}'), and is {}, which no attribute can hold; rename it, or choose another attribute_prefix",
                    xml.attribute_prefix,
                    kind(field)
                ));
            }
            Role::Attribute(name) if !is_name(name) => {
                return Err(format!(
                    "column '{path}' begins as attributes do ('{}'), and '{name}' is no name that an attribute can have; rename it, or choose another attribute_prefix",
                    xml.attribute_prefix
                ));
            }
            Role::Element if !is_name(field.name()) => {
                return Err(format!(
                    "column '{path}' has no name that an element of XML can have: they begin with a letter or underscore, and go on with letters, digits, '-', '.' and '_'; rename it, to '{}' for one",
                    suggested(field.name())
                ));
            }
            _ => {}
        }
        check_type(xml, field.data_type(), &path)?;
    }
    Ok(())
}

fn check_type(xml: &XmlOutput, data_type: &DataType, path: &str) -> Result<(), String> {
    match data_type {
        DataType::Struct(fields) => check_fields(xml, fields, path),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => check_type(xml, item.data_type(), path),
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else {
                return Ok(());
            };
            let [key, value] = pair.as_ref() else {
                return Ok(());
            };
            if deep(key.data_type()) {
                return Err(format!(
                    "column '{path}' is a map with keys that are {}, which XML cannot hold",
                    kind(key)
                ));
            }
            if let DataType::Struct(fields) = value.data_type()
                && let Some(clash) = fields
                    .iter()
                    .find(|f| role(xml, f.name()) == Role::Attribute("key"))
            {
                return Err(format!(
                    "column '{path}.{}' would be an attribute 'key', which is where a map's keys go; rename it",
                    clash.name()
                ));
            }
            check_type(xml, value.data_type(), path)
        }
        DataType::Dictionary(_, value) => check_type(xml, value, path),
        DataType::RunEndEncoded(_, value) => check_type(xml, value.data_type(), path),
        _ => Ok(()),
    }
}

fn deep(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => deep(value),
        DataType::RunEndEncoded(_, value) => deep(value.data_type()),
        other => other.is_nested(),
    }
}

fn kind(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Struct(_) => "a struct",
        DataType::Map(..) => "a map",
        _ => "a list",
    }
}

/// A name that XML can hold, like this one.
fn suggested(name: &str) -> String {
    let plain = |c: char| if continues(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    match is_name(&name) {
        true => name,
        false => format!("_{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use arrow::datatypes::Schema;

    fn told(name: &str, data_type: DataType) -> String {
        let schema = Arc::new(Schema::new(vec![Field::new(name, data_type, true)]));
        check(&XmlOutput::default(), &schema).unwrap_err()
    }

    #[test]
    fn names_are_xmls_or_refused_with_one_that_is() {
        for name in ["a", "_a", "größe", "a-b.c", "日本"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", "a b", "-a", "dc:title", "a<b", "×"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(told("2nd try", DataType::Utf8).contains("to '_2nd_try' for one"));
        let inner = DataType::Struct(vec![Field::new("a b", DataType::Utf8, true)].into());
        assert!(told("o", inner.clone()).contains("column 'o.a b'"));
        assert!(told("_o", inner.clone()).contains("no attribute can hold"));
        assert!(told("_VALUE", inner).contains("(value_tag), and is a struct"));
        assert!(told("_1", DataType::Utf8).contains("'1' is no name"));
    }
}
