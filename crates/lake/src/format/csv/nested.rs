//! Arrays, maps and structs as Hive's `LazySimpleSerDe` writes them into a cell: their parts stand between delimiters, one
//! for each level (Hive's `LazyArray`, `LazyMap`, `LazyStruct`; the usual ones are the characters 2, 3, 4 …).

use arrow::datatypes::DataType;

/// What Hive writes for null.
const NULL: &str = "\\N";

/// The same value as JSON, which is how nested cells are read otherwise; none where a type is nested deeper than there are
/// delimiters.
pub(super) fn to_json(text: &str, data_type: &DataType, delimiters: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(text.len() * 2);
    write(text, data_type, delimiters, &mut out)?;
    Some(out)
}

fn write(text: &str, data_type: &DataType, delimiters: &[u8], out: &mut String) -> Option<()> {
    let is_text = matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary
    );
    if text == NULL || text.is_empty() && !is_text {
        out.push_str("null");
        return Some(());
    }
    match data_type {
        DataType::List(item) => {
            let (own, inner) = delimiters.split_first()?;
            out.push('[');
            for (at, part) in text.split(char::from(*own)).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(part, item.data_type(), inner, out)?;
            }
            out.push(']');
        }
        DataType::Struct(fields) => {
            let (own, inner) = delimiters.split_first()?;
            out.push('{');
            let parts = text.split(char::from(*own));
            for (at, (part, field)) in parts.zip(fields).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quoted(field.name(), out);
                out.push(':');
                write(part, field.data_type(), inner, out)?;
            }
            out.push('}');
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else {
                return None;
            };
            let value = pair.get(1)?.data_type();
            let (own, inner) = delimiters.split_first()?;
            let (between, inner) = inner.split_first()?;
            out.push('{');
            for (at, part) in text.split(char::from(*own)).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let (key, part) = part
                    .split_once(char::from(*between))
                    .unwrap_or((part, NULL));
                quoted(key, out);
                out.push(':');
                write(part, value, inner, out)?;
            }
            out.push('}');
        }
        DataType::Boolean => out.push_str(&text.to_ascii_lowercase()),
        other if other.is_numeric() => out.push_str(text.trim()),
        _ => quoted(text, out),
    }
    Some(())
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use mastic_schema::hive::parse_type;

    use super::to_json;

    // Levels and delimiters as the Hive wiki has them ("DDL", "Row Formats"): items by 2, keys by 3, then 4.
    #[test]
    fn each_level_has_its_delimiter() {
        for (hive, text, json) in [
            ("array<int>", "1\u{2}\\N\u{2}3", "[1,null,3]"),
            ("array<string>", "a\u{2}\u{2}\"", r#"["a","","\""]"#),
            (
                "map<string,double>",
                "k\u{3}1.5\u{2}l\u{3}\\N",
                r#"{"k":1.5,"l":null}"#,
            ),
            (
                "struct<a:int,b:string,c:date>",
                "1\u{2}x",
                r#"{"a":1,"b":"x"}"#,
            ),
            (
                "array<struct<a:int,b:boolean>>",
                "1\u{3}TRUE\u{2}2\u{3}false",
                r#"[{"a":1,"b":true},{"a":2,"b":false}]"#,
            ),
            ("map<string,array<int>>", "k\u{3}1\u{4}2", r#"{"k":[1,2]}"#),
        ] {
            let data_type = parse_type(hive).unwrap();
            let delimiters = [2, 3, 4, 5, 6, 7, 8];
            assert_eq!(
                to_json(text, &data_type, &delimiters).unwrap(),
                json,
                "{hive}"
            );
        }
        assert_eq!(to_json("1", &parse_type("array<int>").unwrap(), &[]), None);
    }
}
