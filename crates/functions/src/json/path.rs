//! The paths that lake SQL uses: `$.store.book[0]["title"]`.

/// One step of a path. As in Trino, `[0]` and `.0` are the same, and lead both to element 0 of an
/// array and to the member `"0"` of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) index: Option<usize>,
}

/// A parsed path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix('$').ok_or("it does not begin with '$'")?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let name;
            if let Some(tail) = rest.strip_prefix('.') {
                let end = tail.find(['.', '[']).unwrap_or(tail.len());
                name = tail[..end].to_owned();
                rest = &tail[end..];
                if name.is_empty() {
                    return Err("a name is missing after '.'".to_owned());
                }
                if name.contains(['*', '?', '(', ')', '"', '\'', ']', '@', ' ']) {
                    return Err(format!("'{name}' is not a plain name"));
                }
            } else if let Some(tail) = rest.strip_prefix('[') {
                (name, rest) = bracket(tail)?;
            } else {
                return Err(format!("'.' or '[' should stand before '{rest}'"));
            }
            let index = name.parse().ok();
            steps.push(Step { name, index });
        }
        Ok(Self(steps))
    }
}

fn bracket(text: &str) -> Result<(String, &str), String> {
    let Some(quote) = text.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        let end = text.find(']').ok_or("a '[' is not closed")?;
        let index = &text[..end];
        if index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("'[{index}]' is neither an index nor a quoted name"));
        }
        return Ok((index.to_owned(), &text[end + 1..]));
    };
    let mut name = String::new();
    let mut chars = text[1..].chars();
    loop {
        match chars.next() {
            Some('\\') => match chars.next() {
                Some(c) if c == quote || c == '\\' => name.push(c),
                _ => return Err("a backslash must stand before a quote or a backslash".to_owned()),
            },
            Some(c) if c == quote => break,
            Some(c) => name.push(c),
            None => return Err(format!("a {quote} is not closed")),
        }
    }
    match chars.as_str().strip_prefix(']') {
        Some(rest) => Ok((name, rest)),
        None => Err("a '[' is not closed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_are_one() {
        let dotted = Path::parse("$.store.book[0].a-b").unwrap();
        assert_eq!(
            Path::parse(r#"$["store"]['book'][0]["a-b"]"#).unwrap(),
            dotted
        );
        assert_eq!(Path::parse("$").unwrap(), Path(vec![]));
        assert_eq!(
            Path::parse(r#"$["a\"]b"]"#).unwrap().steps()[0].name,
            r#"a"]b"#
        );
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for path in [
            "", "a", "$a", "$.", "$..a", "$.*", "$[*]", "$[-1]", "$[0", "$['a", "$['a'", "$[]",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
