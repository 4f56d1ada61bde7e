//! What is read of a database: a table, or what a query gives.

use std::fmt;

use datafusion::common::TableReference;

use crate::column::quoted;

/// A table or view, or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relation {
    /// A table or view: `table` or `schema.table`, spelled as the database has it. A part with a dot in it stands in
    /// double quotes.
    Table(String),
    /// A query in the database's SQL.
    Query(String),
}

impl Relation {
    /// What stands behind FROM.
    pub(crate) fn clause(&self) -> String {
        match self {
            Self::Table(name) => {
                let reference = TableReference::parse_str_normalized(name, true);
                let parts = [reference.catalog(), reference.schema()];
                let parts = parts.into_iter().flatten().chain([reference.table()]);
                parts.map(quoted).collect::<Vec<_>>().join(".")
            }
            // On lines of its own: it may end in a comment.
            Self::Query(query) => {
                let query = query.trim().trim_end_matches([';', ' ', '\n', '\t', '\r']);
                format!("(\n{query}\n) AS q")
            }
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "table {name}"),
            Self::Query(_) => f.write_str("the query"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_part_by_part() {
        let clause = |name: &str| Relation::Table(name.to_owned()).clause();
        assert_eq!(clause("users"), "\"users\"");
        assert_eq!(clause("public.Users"), "\"public\".\"Users\"");
        assert_eq!(clause("\"my.table\""), "\"my.table\"");
        assert_eq!(clause("a b;drop"), "\"a b;drop\"");
        assert_eq!(clause("x\" y"), "\"x\"\" y\"");
    }

    #[test]
    fn a_query_may_end_in_a_semicolon_or_a_comment() {
        let clause = |query: &str| Relation::Query(query.to_owned()).clause();
        assert_eq!(clause("select 1;\n"), "(\nselect 1\n) AS q");
        assert_eq!(clause("select 1 -- one"), "(\nselect 1 -- one\n) AS q");
    }
}
