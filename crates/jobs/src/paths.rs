//! Paths and URLs, compared as places.

/// The path in a form in which the same place is the same text: no `file://`, no `.` and `..`, no
/// doubled or closing slash, local paths from the root.
pub(crate) fn normal(path: &str) -> String {
    let (scheme, rest) = match path.split_once("://") {
        Some((scheme, rest)) if !scheme.eq_ignore_ascii_case("file") => {
            (format!("{}://", scheme.to_lowercase()), rest.to_owned())
        }
        Some((_, rest)) => (String::new(), rest.to_owned()),
        None => (String::new(), path.to_owned()),
    };
    let rest = if scheme.is_empty() && !rest.starts_with('/') {
        let here = std::env::current_dir().unwrap_or_default();
        format!("{}/{rest}", here.display())
    } else {
        rest
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            // In a bucket `..` is a name like any other.
            ".." if scheme.is_empty() => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if scheme.is_empty() { "/" } else { &scheme };
    format!("{root}{}", parts.join("/"))
}

/// Whether one place is another or lies in it; both normal.
pub(crate) fn inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_the_same_text() {
        assert_eq!(normal("/a/./b//c/"), "/a/b/c");
        assert_eq!(normal("file:///a/x/../b"), "/a/b");
        assert_eq!(normal("S3://bucket/a//b/"), "s3://bucket/a/b");
        assert_eq!(normal("x"), normal("./x/"));
    }

    #[test]
    fn a_name_that_begins_alike_is_another_place() {
        assert!(inside("/a/b", "/a"));
        assert!(inside("/a", "/a"));
        assert!(!inside("/ab", "/a"));
    }
}
