//! `CREATE`, `DROP` and `ALTER DATABASE`.

use super::super::command::{Command, CreateDatabase};
use super::super::words::Words;
use super::location;
use crate::error::Result;

const NAME: &str = "the name of a database";

/// `[IF NOT EXISTS] name [COMMENT '…'] [LOCATION '…'] [WITH DBPROPERTIES (…)]`.
pub(super) fn create(words: &mut Words<'_>) -> Result<Command> {
    let if_not_exists = words.if_not_exists();
    let name = words.name(NAME)?;
    let mut made = CreateDatabase {
        name,
        if_not_exists,
        comment: None,
        location: None,
        properties: Vec::new(),
    };
    loop {
        if words.eat("COMMENT") {
            made.comment = Some(words.string("a comment")?);
        } else if words.eat("LOCATION") {
            made.location = Some(location(words)?);
        } else if words.eat_all(&["WITH", "DBPROPERTIES"]) || words.eat("DBPROPERTIES") {
            made.properties = words.properties()?;
        } else {
            break;
        }
    }
    words.end().map_err(|_| {
        words.expected(
            "COMMENT, LOCATION, WITH DBPROPERTIES or the end of the statement",
            &["COMMENT", "LOCATION", "WITH", "DBPROPERTIES"],
        )
    })?;
    Ok(Command::CreateDatabase(made))
}

/// `[IF EXISTS] name [RESTRICT | CASCADE]`.
pub(super) fn drop(words: &mut Words<'_>) -> Result<Command> {
    let if_exists = words.if_exists();
    let name = words.name(NAME)?;
    let cascade = words.eat_any(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
    words.end()?;
    Ok(Command::DropDatabase {
        name,
        if_exists,
        cascade,
    })
}

/// `name SET DBPROPERTIES (…)` or `name SET LOCATION '…'`.
pub(super) fn alter(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name(NAME)?;
    words.need("SET")?;
    let (mut properties, mut to) = (Vec::new(), None);
    if words.eat("DBPROPERTIES") {
        properties = words.properties()?;
    } else if words.eat("LOCATION") {
        to = Some(location(words)?);
    } else {
        return Err(words.expected("DBPROPERTIES or LOCATION", &["DBPROPERTIES", "LOCATION"]));
    }
    words.end()?;
    Ok(Command::AlterDatabase {
        name,
        properties,
        location: to,
    })
}
