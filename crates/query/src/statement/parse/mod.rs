//! Reads statements that are no queries.
//!
//! Sources of the grammar: "DDL statements" and "SQL reference" of the Athena user guide; the Hive language manual, where
//! that is silent.

mod alter;
mod database;
mod explain;
mod prepare;
mod show;
mod table;
mod view;

use super::command::{Command, Located};
use super::lexer::{Escapes, Token};
use super::words::Words;
use crate::error::{QueryError, Result};

/// What a text asks for; none where it is a query, or a statement that others read.
///
/// # Errors
/// When it begins like a statement of ours and does not go on so, or is one that Mastic does not have.
pub(super) fn parse(text: &str) -> Result<Option<Command>> {
    let mut words = Words::new(text, Escapes::Hive);
    let words = &mut words;
    let Token::Word(first) = words.peek() else {
        return Ok(None);
    };
    let first = first.to_ascii_uppercase();
    if !STATEMENTS.contains(&first.as_str()) {
        refuse(&first, words)?;
        return Ok(None);
    }
    let begin = words.clone();
    words.advance();
    match first.as_str() {
        "CREATE" => create(words),
        "DROP" => drop(words).map(Some),
        "ALTER" => alter::alter(words).map(Some),
        "MSCK" => alter::repair(words).map(Some),
        "SHOW" => show::show(words),
        "DESCRIBE" | "DESC" => show::describe(words),
        "PREPARE" => prepare::prepare(words).map(Some),
        "EXECUTE" => prepare::execute(words).map(Some),
        "DEALLOCATE" => prepare::deallocate(words).map(Some),
        "EXPLAIN" => explain::explain(words).map(Some),
        "USE" => Err(QueryError::Statement {
            message: "USE changes nothing here: each statement stands for itself".into(),
            place: None,
            hint: Some(
                "write `database.table`, or choose the database with `mastic sql --database NAME`"
                    .into(),
            ),
        }),
        _ => {
            *words = begin;
            Ok(None)
        }
    }
}

/// What statements begin with that are read here.
const STATEMENTS: [&str; 12] = [
    "CREATE",
    "DROP",
    "ALTER",
    "MSCK",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "EXPLAIN",
    "USE",
];

/// What statements begin with that are read elsewhere.
const QUERIES: [&str; 8] = [
    "SELECT", "WITH", "VALUES", "TABLE", "FROM", "ANALYZE", "INSERT", "UNLOAD",
];

/// Says so where a text begins with what is no statement at all, or one that Mastic does not have.
fn refuse(first: &str, words: &Words<'_>) -> Result<()> {
    if QUERIES.contains(&first) {
        return Ok(());
    }
    let named = |what: &str, hint: Option<&str>| {
        Err(words.wrong(
            words.at(),
            format!("{what} is not built"),
            hint.map(str::to_owned),
        ))
    };
    const FILES: &str =
        "tables of files are changed by `INSERT OVERWRITE` or a run of `mastic run`";
    match first {
        "MERGE" | "UPDATE" => named(
            &format!("{first}, which needs Iceberg tables,"),
            Some(FILES),
        ),
        "DELETE" => named(
            "DELETE, which needs Iceberg tables,",
            Some(
                "`ALTER TABLE … DROP PARTITION` leaves a partition out, and `INSERT OVERWRITE` writes its rows anew",
            ),
        ),
        "OPTIMIZE" | "VACUUM" => named(&format!("{first}, which needs Iceberg tables,"), None),
        "TRUNCATE" => named(
            "TRUNCATE",
            Some("Athena has none either: drop the table or its partitions"),
        ),
        "GRANT" | "REVOKE" | "DENY" => named(
            first,
            Some("who may read is said by the permissions of the files and of the catalog's store"),
        ),
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" => named(
            &format!("{first}: transactions over several statements"),
            Some("each statement is one transaction"),
        ),
        "CALL" | "DO" => named(
            &format!("{first}: stored procedures"),
            Some("`mastic run` runs scripts"),
        ),
        "SET" | "RESET" => named(&format!("{first}: settings of a session"), None),
        "LOCK" | "UNLOCK" | "EXPORT" | "IMPORT" | "LOAD" | "COMMENT" | "REFRESH" | "CACHE"
        | "KILL" | "COPY" | "ATTACH" | "DETACH" | "PRAGMA" | "REINDEX" | "CLUSTER" | "LISTEN"
        | "NOTIFY" | "DECLARE" | "FETCH" | "CLOSE" | "REPLACE" | "RENAME" | "INSTALL" | "PURGE" => {
            named(first, None)
        }
        _ => {
            let known = STATEMENTS.iter().chain(&QUERIES).copied();
            let known = known.filter(|word| *word != "FROM" && *word != "TABLE");
            let hint =
                crate::error::closest(first, known).map(|near| format!("did you mean {near}?"));
            Err(words.wrong(
                words.at(),
                format!("no statement begins with '{}'", super::words::shortened(first)),
                hint.or_else(|| {
                    Some("statements begin with SELECT, WITH, SHOW, DESCRIBE, CREATE, ALTER, DROP, INSERT, …".into())
                }),
            ))
        }
    }
}

fn create(words: &mut Words<'_>) -> Result<Option<Command>> {
    if words.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
        return database::create(words).map(Some);
    }
    let or_replace = words.eat_all(&["OR", "REPLACE"]);
    if words.eat("VIEW") {
        return view::create(words, or_replace).map(Some);
    }
    if or_replace {
        not_an_object(words, "CREATE OR REPLACE")?;
        return Err(words.expected("VIEW", &["VIEW"]));
    }
    let external = words.eat("EXTERNAL");
    if words.eat("TABLE") {
        return table::create(words, external);
    }
    not_an_object(words, "CREATE")?;
    Err(words.expected(
        if external {
            "TABLE"
        } else {
            "DATABASE, EXTERNAL TABLE, TABLE or VIEW"
        },
        &["DATABASE", "SCHEMA", "EXTERNAL", "TABLE", "VIEW"],
    ))
}

/// Says so where what is to be made, changed or dropped is none of what a catalog has.
fn not_an_object(words: &Words<'_>, verb: &str) -> Result<()> {
    const OTHERS: [&str; 20] = [
        "INDEX",
        "UNIQUE",
        "FUNCTION",
        "TEMPORARY",
        "TEMP",
        "MACRO",
        "PROCEDURE",
        "ROLE",
        "USER",
        "SEQUENCE",
        "TRIGGER",
        "TYPE",
        "DOMAIN",
        "EXTENSION",
        "MATERIALIZED",
        "TABLESPACE",
        "CATALOG",
        "CONNECTION",
        "POLICY",
        "AGGREGATE",
    ];
    for other in OTHERS {
        if words.is(other) {
            return Err(words.wrong(words.at(), format!("{verb} {other} is not built"), None));
        }
    }
    Ok(())
}

fn drop(words: &mut Words<'_>) -> Result<Command> {
    use super::command::Kind;
    if words.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
        return database::drop(words);
    }
    let what = if words.eat("TABLE") {
        Kind::Table
    } else if words.eat("VIEW") {
        Kind::View
    } else {
        not_an_object(words, "DROP")?;
        return Err(words.expected(
            "DATABASE, TABLE or VIEW",
            &["DATABASE", "SCHEMA", "TABLE", "VIEW"],
        ));
    };
    let if_exists = words.if_exists();
    let name = words.table_name()?;
    // Hive's: there is no trash to pass by.
    words.eat("PURGE");
    words.end()?;
    Ok(Command::Drop {
        what,
        name,
        if_exists,
    })
}

/// `LOCATION '…'`, behind the keyword.
fn location(words: &mut Words<'_>) -> Result<Located> {
    let start = words.at();
    let url = words.string("a location")?;
    Ok(Located { url, start })
}
