//! `SHOW …` and `DESCRIBE`.

use super::super::command::{Command, Describe, Kind, Part, Show, Spec};
use super::super::lexer::Token;
use super::super::words::{Name, TableName, Words};
use super::alter::{comparison, partition, value};
use crate::error::Result;

const OBJECTS: [&str; 12] = [
    "DATABASES",
    "SCHEMAS",
    "TABLES",
    "VIEWS",
    "COLUMNS",
    "PARTITIONS",
    "TBLPROPERTIES",
    "CREATE",
    "FUNCTIONS",
    "STATS",
    "CATALOGS",
    "SESSION",
];

/// What follows `SHOW`; none where others answer it.
pub(super) fn show(words: &mut Words<'_>) -> Result<Option<Command>> {
    if words.is("STATS") {
        return Ok(None);
    }
    let show = if words.eat_any(&["DATABASES", "SCHEMAS"]).is_some() {
        Show::Databases {
            pattern: pattern(words)?,
        }
    } else if words.eat("TABLES") {
        tables(words, Kind::Table)?
    } else if words.eat("VIEWS") {
        tables(words, Kind::View)?
    } else if words.eat("COLUMNS") {
        let table = of_table(words)?;
        Show::Columns {
            table,
            pattern: pattern(words)?,
        }
    } else if words.eat("PARTITIONS") {
        words.eat_any(&["FROM", "IN"]);
        let table = words.table_name()?;
        let spec = if words.is("PARTITION") {
            partition(words)?
        } else if words.eat("WHERE") {
            conditions(words)?
        } else {
            Vec::new()
        };
        Show::Partitions { table, spec }
    } else if words.eat("TBLPROPERTIES") {
        let table = words.table_name()?;
        let name = words
            .is_symbol("(")
            .then(|| words.list(|words| words.loose("a property's name")))
            .transpose()?
            .and_then(|names| names.into_iter().next());
        Show::Properties { table, name }
    } else if words.eat("CREATE") {
        if words.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            Show::CreateDatabase(words.name("the name of a database")?)
        } else {
            let kind = if words.eat("TABLE") {
                Some(Kind::Table)
            } else if words.eat("VIEW") {
                Some(Kind::View)
            } else {
                return Err(words.expected(
                    "TABLE, VIEW or DATABASE",
                    &["TABLE", "VIEW", "DATABASE", "SCHEMA"],
                ));
            };
            Show::Create {
                kind,
                table: words.table_name()?,
            }
        }
    } else if words.eat("FUNCTIONS") {
        Show::Functions {
            pattern: pattern(words)?,
        }
    } else {
        const OTHERS: [&str; 14] = [
            "CATALOGS",
            "SESSION",
            "GRANTS",
            "ROLES",
            "ROLE",
            "INDEX",
            "INDEXES",
            "TRANSACTIONS",
            "LOCKS",
            "CONF",
            "COMPACTIONS",
            "CURRENT",
            "MATERIALIZED",
            "BRANCHES",
        ];
        if let Some(other) = OTHERS.into_iter().find(|other| words.is(other)) {
            return Err(words.wrong(words.at(), format!("SHOW {other} is not built"), None));
        }
        return Err(words.expected(
            "DATABASES, TABLES, VIEWS, COLUMNS, PARTITIONS, TBLPROPERTIES, CREATE, FUNCTIONS or STATS",
            &OBJECTS,
        ));
    };
    words.end()?;
    Ok(Some(Command::Show(show)))
}

/// `[LIKE] 'pattern'`.
fn pattern(words: &mut Words<'_>) -> Result<Option<String>> {
    let like = words.eat("LIKE");
    if like || matches!(words.peek(), Token::Quoted(_, '\'' | '"')) {
        return words.string("a pattern").map(Some);
    }
    Ok(None)
}

fn tables(words: &mut Words<'_>, kind: Kind) -> Result<Show> {
    let database = words
        .eat_any(&["IN", "FROM"])
        .map(|_| database(words))
        .transpose()?;
    Ok(Show::Tables {
        kind,
        database,
        pattern: pattern(words)?,
    })
}

/// A database, in the catalog that it may name.
fn database(words: &mut Words<'_>) -> Result<Name> {
    let mut name = words.name("the name of a database")?;
    if name.value.eq_ignore_ascii_case(crate::session::CATALOG) && words.eat_symbol(".") {
        name = words.name("the name of a database")?;
    }
    Ok(name)
}

/// `FROM|IN table [FROM|IN database]`.
fn of_table(words: &mut Words<'_>) -> Result<TableName> {
    if words.eat_any(&["FROM", "IN"]).is_none() {
        return Err(words.expected("FROM or IN", &["FROM", "IN"]));
    }
    let mut table = words.table_name()?;
    if words.eat_any(&["FROM", "IN"]).is_some() {
        table.database = Some(database(words)?.value.to_lowercase());
    }
    Ok(table)
}

/// `key = value AND …`.
fn conditions(words: &mut Words<'_>) -> Result<Spec> {
    let mut all = Vec::new();
    loop {
        let key = words.name("a partition key")?;
        let op = comparison(words)?;
        all.push(Part {
            key,
            op,
            value: value(words)?,
        });
        if !words.eat("AND") {
            return Ok(all);
        }
    }
}

/// What follows `DESCRIBE`; none where it is a query's.
pub(super) fn describe(words: &mut Words<'_>) -> Result<Option<Command>> {
    if words.is("SELECT") || words.is("WITH") || words.is_symbol("(") {
        return Err(words.wrong(
            words.at(),
            "DESCRIBE is of tables and views".to_owned(),
            Some("write EXPLAIN before a query".to_owned()),
        ));
    }
    if words.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
        words.eat("EXTENDED");
        let name = words.name("the name of a database")?;
        words.end()?;
        return Ok(Some(Command::Show(Show::CreateDatabase(name))));
    }
    let everything = words.eat_any(&["EXTENDED", "FORMATTED"]).is_some();
    words.eat("TABLE");
    // `table column` and `database.table column`, as in Hive.
    let table = words.table_name()?;
    let partition = words
        .is("PARTITION")
        .then(|| partition(words))
        .transpose()?;
    let mut column = Vec::new();
    if matches!(words.peek(), Token::Word(_) | Token::Quoted(_, '`' | '"')) {
        column.push(words.name("the name of a column")?);
        while words.eat_symbol(".") {
            column.push(words.name("the name of a field")?);
        }
    }
    words.end()?;
    Ok(Some(Command::Describe(Describe {
        table,
        everything,
        partition,
        column,
    })))
}
