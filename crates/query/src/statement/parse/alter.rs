//! `ALTER DATABASE`, `ALTER TABLE` and `MSCK REPAIR TABLE`.

use mastic_catalog::{CompareOp, HIVE_DEFAULT_PARTITION};

use super::super::command::{Alter, Command, Part, Position, Spec};
use super::super::words::Words;
use super::table::column;
use super::{database, location, not_an_object};
use crate::error::Result;

/// What follows `ALTER`.
pub(super) fn alter(words: &mut Words<'_>) -> Result<Command> {
    if words.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
        return database::alter(words);
    }
    if words.is("VIEW") {
        let hint = "write CREATE OR REPLACE VIEW … AS, or DROP VIEW";
        return Err(words.wrong(
            words.at(),
            "ALTER VIEW is not built".to_owned(),
            Some(hint.to_owned()),
        ));
    }
    if !words.eat("TABLE") {
        not_an_object(words, "ALTER")?;
        return Err(words.expected("DATABASE or TABLE", &["DATABASE", "SCHEMA", "TABLE"]));
    }
    let if_exists = words.if_exists();
    let table = words.table_name()?;
    let action = action(words)?;
    words.end()?;
    Ok(Command::AlterTable {
        table,
        if_exists,
        action,
    })
}

fn action(words: &mut Words<'_>) -> Result<Alter> {
    if words.is("PARTITION") {
        let partition = partition(words)?;
        if words.eat("RENAME") {
            words.need("TO")?;
            return Ok(Alter::RenamePartition {
                from: partition,
                to: self::partition(words)?,
            });
        }
        if words.eat("SET") {
            words.need("LOCATION")?;
            return Ok(Alter::SetLocation {
                partition: Some(partition),
                location: location(words)?,
            });
        }
        return Err(words.expected("RENAME TO or SET LOCATION", &["RENAME", "SET"]));
    }
    if words.eat("ADD") {
        return add(words);
    }
    if words.eat("DROP") {
        if words.eat("COLUMN") {
            return Ok(Alter::DropColumn(words.name("the name of a column")?));
        }
        let if_exists = words.if_exists();
        if !words.is("PARTITION") {
            return Err(words.expected("PARTITION or COLUMN", &["PARTITION", "COLUMN", "IF"]));
        }
        let mut partitions = Vec::new();
        // Athena's users write them with and without commas.
        while words.is("PARTITION") {
            partitions.push(partition(words)?);
            words.eat_symbol(",");
        }
        words.eat("PURGE");
        return Ok(Alter::DropPartitions {
            if_exists,
            partitions,
        });
    }
    if words.eat("REPLACE") {
        words.need("COLUMNS")?;
        let columns = words.list(|words| column(words, true))?;
        words.eat_any(&["RESTRICT", "CASCADE"]);
        return Ok(Alter::ReplaceColumns(columns));
    }
    if words.eat("CHANGE") {
        words.eat("COLUMN");
        return change(words);
    }
    if words.eat("SET") {
        return set(words);
    }
    if words.eat("UNSET") {
        words.need("TBLPROPERTIES")?;
        let if_exists = words.if_exists();
        let names = words.list(|words| words.loose("a property's name"))?;
        return Ok(Alter::UnsetProperties { if_exists, names });
    }
    if words.eat("RENAME") {
        words.need("TO")?;
        return Ok(Alter::RenameTo(words.table_name()?));
    }
    const OTHERS: [&str; 11] = [
        "CLUSTERED",
        "NOT",
        "SKEWED",
        "TOUCH",
        "ARCHIVE",
        "UNARCHIVE",
        "COMPACT",
        "CONCATENATE",
        "EXCHANGE",
        "ENABLE",
        "RECOVER",
    ];
    if let Some(other) = OTHERS.into_iter().find(|other| words.is(other)) {
        let hint = (other == "RECOVER").then(|| "write MSCK REPAIR TABLE".to_owned());
        return Err(words.wrong(
            words.at(),
            format!("ALTER TABLE … {other} is not built"),
            hint,
        ));
    }
    Err(words.expected(
        "ADD, DROP, REPLACE, CHANGE, SET, UNSET, RENAME or PARTITION",
        &[
            "ADD",
            "DROP",
            "REPLACE",
            "CHANGE",
            "SET",
            "UNSET",
            "RENAME",
            "PARTITION",
        ],
    ))
}

fn add(words: &mut Words<'_>) -> Result<Alter> {
    if words.eat_any(&["COLUMNS", "COLUMN"]).is_some() {
        let columns = if words.is_symbol("(") {
            words.list(|words| column(words, true))?
        } else {
            vec![column(words, true)?]
        };
        words.eat_any(&["RESTRICT", "CASCADE"]);
        return Ok(Alter::AddColumns(columns));
    }
    let if_not_exists = words.if_not_exists();
    if !words.is("PARTITION") {
        return Err(words.expected("PARTITION or COLUMNS", &["PARTITION", "COLUMNS", "IF"]));
    }
    let mut partitions = Vec::new();
    while words.is("PARTITION") {
        let partition = partition(words)?;
        let place = words.eat("LOCATION").then(|| location(words)).transpose()?;
        partitions.push((partition, place));
        words.eat_symbol(",");
    }
    Ok(Alter::AddPartitions {
        if_not_exists,
        partitions,
    })
}

fn change(words: &mut Words<'_>) -> Result<Alter> {
    let old = words.name("the name of a column")?;
    let new = column(words, true)?;
    let position = if words.eat("FIRST") {
        Some(Position::First)
    } else if words.eat("AFTER") {
        Some(Position::After(words.name("the name of a column")?))
    } else {
        None
    };
    words.eat_any(&["RESTRICT", "CASCADE"]);
    Ok(Alter::ChangeColumn { old, new, position })
}

fn set(words: &mut Words<'_>) -> Result<Alter> {
    if words.eat("TBLPROPERTIES") {
        return Ok(Alter::SetProperties(words.properties()?));
    }
    if words.eat("LOCATION") {
        return Ok(Alter::SetLocation {
            partition: None,
            location: location(words)?,
        });
    }
    if words.eat("SERDEPROPERTIES") {
        return Ok(Alter::SetSerde {
            class: None,
            properties: words.properties()?,
        });
    }
    if words.eat("SERDE") {
        let start = words.at();
        let class = words.string("the class of a SerDe")?;
        let properties = if words.eat_all(&["WITH", "SERDEPROPERTIES"]) {
            words.properties()?
        } else {
            Vec::new()
        };
        return Ok(Alter::SetSerde {
            class: Some((class, start)),
            properties,
        });
    }
    if words.is("FILEFORMAT") {
        return Err(words.wrong(
            words.at(),
            "ALTER TABLE … SET FILEFORMAT is not built".to_owned(),
            Some("make the table anew: SHOW CREATE TABLE writes its statement".to_owned()),
        ));
    }
    Err(words.expected(
        "TBLPROPERTIES, LOCATION, SERDE or SERDEPROPERTIES",
        &["TBLPROPERTIES", "LOCATION", "SERDE", "SERDEPROPERTIES"],
    ))
}

/// `MSCK [REPAIR] TABLE name [ADD | DROP | SYNC PARTITIONS]`, behind the first word.
pub(super) fn repair(words: &mut Words<'_>) -> Result<Command> {
    words.need("REPAIR")?;
    words.need("TABLE")?;
    let table = words.table_name()?;
    let what = words.eat_any(&["ADD", "DROP", "SYNC"]);
    if what.is_some() {
        words.need("PARTITIONS")?;
    }
    words.end()?;
    Ok(Command::Repair {
        table,
        add: what != Some("DROP"),
        drop: matches!(what, Some("DROP" | "SYNC")),
    })
}

/// `PARTITION (key = value, …)`.
pub(super) fn partition(words: &mut Words<'_>) -> Result<Spec> {
    words.need("PARTITION")?;
    words.list(part)
}

fn part(words: &mut Words<'_>) -> Result<Part> {
    let key = words.name("a partition key")?;
    let op = comparison(words)?;
    Ok(Part {
        key,
        op,
        value: value(words)?,
    })
}

/// A comparison.
pub(super) fn comparison(words: &mut Words<'_>) -> Result<CompareOp> {
    for (symbol, op) in [
        ("=", CompareOp::Eq),
        ("<>", CompareOp::Ne),
        ("!=", CompareOp::Ne),
        ("<=", CompareOp::Le),
        (">=", CompareOp::Ge),
        ("<", CompareOp::Lt),
        (">", CompareOp::Gt),
    ] {
        if words.eat_symbol(symbol) {
            return Ok(op);
        }
    }
    Err(words.expected("'='", &[]))
}

/// A key's value, as a catalog keeps it.
pub(super) fn value(words: &mut Words<'_>) -> Result<String> {
    if words.eat("NULL") {
        return Ok(HIVE_DEFAULT_PARTITION.to_owned());
    }
    // DATE '2024-01-01' is written as the text is.
    words.eat_any(&["DATE", "TIMESTAMP"]);
    let value = words.loose("a value")?;
    Ok(if value.is_empty() {
        HIVE_DEFAULT_PARTITION.to_owned()
    } else {
        value
    })
}
