//! The few places where the two databases speak differently.

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// That an expression is among the strings of an `Arg::List`.
    pub(crate) fn in_list(self, expression: &str, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("({expression} IN (SELECT value FROM json_each({parameter})))"),
            Self::Postgres => format!("({expression} = ANY ({parameter}))"),
        }
    }

    /// A query for the rows for which the condition is true and the column is one of the strings of an `Arg::List`; there
    /// is at most one row for each, and none is given twice. On PostgreSQL each is looked up by itself: until the table
    /// is analyzed, it would take reading everything that the condition leaves for cheaper than a long list of look-ups.
    pub(crate) fn select_by_list(
        self,
        columns: &str,
        table: &str,
        condition: &str,
        column: &str,
        parameter: &str,
    ) -> String {
        match self {
            Self::Sqlite => format!(
                "SELECT {columns} FROM {table} WHERE {condition} AND {}",
                self.in_list(column, parameter)
            ),
            Self::Postgres => format!(
                "SELECT {columns} FROM unnest({parameter}::text[]) AS asked (one)
                 CROSS JOIN LATERAL (
                     SELECT {columns} FROM {table} WHERE {condition} AND {column} = asked.one LIMIT 1
                 ) AS found"
            ),
        }
    }

    /// One string of the JSON array in a column; NULL if it is null or not there.
    pub(crate) fn json_element(self, column: &str, index: usize) -> String {
        match self {
            Self::Sqlite => format!("({column} ->> {index})"),
            Self::Postgres => format!("(({column}::jsonb ->> {index}) COLLATE \"C\")"),
        }
    }

    /// Rows in one INSERT. PostgreSQL answers across a network, so many. SQLite is at hand, and looks each numbered
    /// parameter up in a list: with 3,500 of them, writing 100,000 partitions took 21 s.
    pub(crate) fn rows_per_insert(self) -> usize {
        match self {
            Self::Sqlite => 25,
            Self::Postgres => 500,
        }
    }

    /// How a transaction that only reads begins: it sees one state throughout.
    pub(crate) fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// How a transaction that writes begins. SQLite has one writer; on PostgreSQL, locks taken next serve
    /// (`Tx::lock`), and each statement after them sees what was committed before.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }
}
