//! Names: how Glue normalises them, and which known name a mistyped one was meant to be.

use std::collections::HashSet;

/// The longest table name that Glue's crawler makes ("Crawler properties", Glue developer guide).
pub const MAX_TABLE_NAME: usize = 128;

/// The known name closest to `name`, where one is close enough to suggest.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            (
                strsim::damerau_levenshtein(&wanted, &lower),
                strsim::jaro_winkler(&wanted, &lower),
                candidate,
            )
        })
        // A third of the letters may differ, or the name may be another's beginning.
        .filter(|(edits, jaro, candidate)| {
            *edits <= (wanted.chars().count().max(candidate.chars().count()) / 3).max(1)
                || *jaro >= 0.9
        })
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, candidate)| candidate.to_owned())
}

/// A table name as Glue's crawler makes it: lower case, every character that is no letter, digit
/// or underscore turned into an underscore, at most [`MAX_TABLE_NAME`] characters.
pub fn table_name(raw: &str) -> String {
    let name: String = raw
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_lowercase().next().unwrap_or(c)
            } else {
                '_'
            }
        })
        .take(MAX_TABLE_NAME)
        .collect();
    if name.is_empty() {
        "table".to_owned()
    } else {
        name
    }
}

/// Column names for a schema found in files: lower case, as Hive and Athena need them. Files bind
/// to columns by name without regard to case (exact case first), so nothing else has to be kept.
/// A name that is there in lower case already is left to that one, and the other spellings keep
/// their own case, by which files still bind to them; a true duplicate or an empty name is numbered
/// by its position, so that no two columns ever share a name.
pub fn column_names<'a>(raw: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let raw: Vec<&str> = raw.into_iter().map(str::trim).collect();
    let own: HashSet<&str> = raw
        .iter()
        .copied()
        .filter(|n| *n == n.to_lowercase())
        .collect();
    let mut taken = HashSet::new();
    raw.iter()
        .enumerate()
        .map(|(position, name)| {
            let name = *name;
            let lower = name.to_lowercase();
            let spoken_for = lower != name && own.contains(lower.as_str());
            let mut chosen = [lower.as_str(), name]
                .into_iter()
                .skip(usize::from(spoken_for))
                .find(|n| !n.is_empty() && !taken.contains(*n))
                .map(str::to_owned);
            let mut suffix = position;
            while chosen.is_none() {
                let numbered = if name.is_empty() {
                    format!("col{suffix}")
                } else {
                    format!("{lower}_{suffix}")
                };
                if !taken.contains(&numbered) {
                    chosen = Some(numbered);
                }
                suffix += 1;
            }
            let chosen = chosen.unwrap_or_default();
            taken.insert(chosen.clone());
            chosen
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let known = ["flights", "planes", "airports"];
        assert_eq!(closest("fligths", known), Some("flights".into()));
        assert_eq!(closest("PLANE", known), Some("planes".into()));
        assert_eq!(closest("orders", known), None);
    }

    #[test]
    fn column_names_never_collide() {
        assert_eq!(
            column_names(["Title", "title", "title", "", "IMDB Rating"]),
            ["Title", "title", "title_2", "col3", "imdb rating"]
        );
        assert_eq!(column_names(["title", "Title"]), ["title", "Title"]);
        assert_eq!(column_names(["Id", "ID"]), ["id", "ID"]);
    }

    #[test]
    fn table_names_follow_glue() {
        assert_eq!(table_name("Daily-Sales 2024.csv"), "daily_sales_2024_csv");
        assert_eq!(table_name(&"x".repeat(300)).len(), MAX_TABLE_NAME);
        assert_eq!(table_name(""), "table");
    }
}
