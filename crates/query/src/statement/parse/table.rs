//! `CREATE EXTERNAL TABLE`.

use super::super::command::{
    Buckets, ColumnDef, Command, CreateTable, Delimited, RowFormat, Stored,
};
use super::super::lexer::Token;
use super::super::words::Words;
use super::location;
use crate::error::{QueryError, Result};

/// How deep a type may be nested.
const MAX_DEPTH: usize = 100;

/// What may stand behind the columns.
const CLAUSES: [&str; 9] = [
    "COMMENT",
    "PARTITIONED",
    "CLUSTERED",
    "SORTED",
    "ROW",
    "WITH",
    "STORED",
    "LOCATION",
    "TBLPROPERTIES",
];

/// What follows `CREATE [EXTERNAL] TABLE`; none where it is one by a query.
pub(super) fn create(words: &mut Words<'_>, external: bool) -> Result<Option<Command>> {
    let if_not_exists = words.if_not_exists();
    let name = words.table_name()?;
    if !external && (words.is("AS") || words.is("WITH")) {
        return Ok(None);
    }
    if words.is("LIKE") {
        return Err(words.wrong(
            words.at(),
            "CREATE TABLE … LIKE is not built".to_owned(),
            Some("`SHOW CREATE TABLE` writes a statement to begin from".to_owned()),
        ));
    }
    let mut table = CreateTable {
        if_not_exists,
        columns: Vec::new(),
        comment: None,
        partitioned: Vec::new(),
        buckets: None,
        row_format: None,
        serde_properties: Vec::new(),
        stored: None,
        location: None,
        properties: Vec::new(),
        name,
    };
    if words.is_symbol("(") {
        table.columns = words.list(|words| column(words, true))?;
    }
    let mut seen = Vec::new();
    loop {
        let at = words.at();
        let Some(clause) = CLAUSES.into_iter().find(|clause| words.is(clause)) else {
            break;
        };
        if seen.contains(&clause) {
            return Err(words.wrong(at, format!("{clause} is there twice"), None));
        }
        seen.push(clause);
        words.advance();
        self::clause(words, clause, &mut table)?;
    }
    if words.is("AS") {
        let message = if external {
            "CREATE EXTERNAL TABLE has no query: the table's files are there already"
        } else {
            "a table made by a query has no columns or clauses of its own"
        };
        let hint = "write CREATE TABLE name WITH (format = 'PARQUET', …) AS SELECT …";
        return Err(words.wrong(words.at(), message.to_owned(), Some(hint.to_owned())));
    }
    words.end().map_err(|e| {
        several(e, || {
            words.expected("another clause or the end of the statement", &CLAUSES)
        })
    })?;
    let iceberg = table.properties.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg")
    });
    if iceberg {
        return Err(QueryError::Unsupported(
            "Iceberg tables ('table_type' = 'ICEBERG') are not built: a table is a folder of files"
                .into(),
        ));
    }
    if !external {
        return Err(words.wrong(
            0,
            "CREATE TABLE needs the word EXTERNAL, or a query: as in Athena, dropping a table never deletes files"
                .to_owned(),
            Some("write CREATE EXTERNAL TABLE … LOCATION '…', or CREATE TABLE … AS SELECT …".to_owned()),
        ));
    }
    Ok(Some(Command::CreateTable(Box::new(table))))
}

/// The error that there are several statements as it is, and any other as this one.
fn several(error: QueryError, other: impl FnOnce() -> QueryError) -> QueryError {
    match error {
        QueryError::Unsupported(_) => error,
        _ => other(),
    }
}

fn clause(words: &mut Words<'_>, clause: &str, table: &mut CreateTable) -> Result<()> {
    match clause {
        "COMMENT" => table.comment = Some(words.string("a comment")?),
        "PARTITIONED" => {
            words.need("BY")?;
            table.partitioned = words.list(|words| column(words, false))?;
        }
        "CLUSTERED" => {
            words.need("BY")?;
            let mut buckets = Buckets {
                columns: words.list(|words| words.name("the name of a column"))?,
                ..Buckets::default()
            };
            if words.eat("SORTED") {
                words.need("BY")?;
                buckets.sorted = words.list(|words| {
                    let name = words.name("the name of a column")?;
                    Ok((name, words.eat_any(&["ASC", "DESC"]) != Some("DESC")))
                })?;
            }
            words.need("INTO")?;
            let at = words.at();
            let count = words.integer("a number of buckets")?;
            buckets.count = i32::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(|| words.wrong(at, format!("{count} is no number of buckets"), None))?;
            words.need("BUCKETS")?;
            table.buckets = Some(buckets);
        }
        "SORTED" => {
            return Err(words.expected("CLUSTERED BY (…) before SORTED BY", &[]));
        }
        "ROW" => {
            words.need("FORMAT")?;
            if words.eat("DELIMITED") {
                table.row_format = Some(RowFormat::Delimited(delimited(words)?));
            } else if words.eat("SERDE") {
                let start = words.at();
                let class = words.string("the class of a SerDe")?;
                table.row_format = Some(RowFormat::Serde { class, start });
            } else {
                return Err(words.expected("DELIMITED or SERDE", &["DELIMITED", "SERDE"]));
            }
        }
        "WITH" => {
            words.need("SERDEPROPERTIES")?;
            table.serde_properties = words.properties()?;
        }
        "STORED" => {
            if words.is("BY") {
                return Err(words.wrong(
                    words.at(),
                    "STORED BY, a storage handler's table, is not built".to_owned(),
                    Some("`mastic run` reads databases as sources".to_owned()),
                ));
            }
            words.need("AS")?;
            table.stored = Some(if words.eat("INPUTFORMAT") {
                let input = words.string("the class of an input format")?;
                words.need("OUTPUTFORMAT")?;
                let output = words.string("the class of an output format")?;
                Stored::Classes { input, output }
            } else {
                Stored::Named(words.name("the name of a format")?)
            });
        }
        "LOCATION" => table.location = Some(location(words)?),
        _ => table.properties = words.properties()?,
    }
    Ok(())
}

/// `FIELDS TERMINATED BY … [ESCAPED BY …] COLLECTION ITEMS TERMINATED BY …` and so on.
fn delimited(words: &mut Words<'_>) -> Result<Delimited> {
    let mut all = Delimited::default();
    let by = |words: &mut Words<'_>| {
        words.need("TERMINATED")?;
        words.need("BY")?;
        words.string("a delimiter").map(Some)
    };
    loop {
        if words.eat("FIELDS") {
            all.fields = by(words)?;
        } else if words.eat_all(&["ESCAPED", "BY"]) {
            all.escape = Some(words.string("an escape")?);
        } else if words.eat_all(&["COLLECTION", "ITEMS"]) {
            all.items = by(words)?;
        } else if words.eat_all(&["MAP", "KEYS"]) {
            all.keys = by(words)?;
        } else if words.eat("LINES") {
            all.lines = by(words)?;
        } else if words.eat_all(&["NULL", "DEFINED", "AS"]) {
            all.null = Some(words.string("the text that is null")?);
        } else {
            return Ok(all);
        }
    }
}

/// `name type [COMMENT '…']`.
pub(super) fn column(words: &mut Words<'_>, of_files: bool) -> Result<ColumnDef> {
    let name = words.name("the name of a column")?;
    if !of_files && (words.is_symbol(",") || words.is_symbol(")") || words.is_symbol("(")) {
        let message = format!("the partition key '{}' has no type", name.value);
        let hint = "write `name type`; transforms such as day(…) are Iceberg's, which is not built";
        return Err(words.wrong(name.start, message, Some(hint.to_owned())));
    }
    let start = words.at();
    let hive_type = data_type(words, 0)?;
    mastic_schema::hive::parse_type(&hive_type)
        .map_err(|e| words.wrong(start, e.to_string(), None))?;
    let constraint = ["NOT", "PRIMARY", "UNIQUE", "DEFAULT", "CHECK", "REFERENCES"];
    if let Some(word) = constraint.into_iter().find(|word| words.is(word)) {
        return Err(words.wrong(
            words.at(),
            format!("constraints of columns ({word} …) are not built: files have none"),
            None,
        ));
    }
    let comment = if words.eat("COMMENT") {
        Some(words.string("a comment")?)
    } else {
        None
    };
    Ok(ColumnDef {
        name,
        hive_type,
        comment,
    })
}

/// A type, as catalogs write it: names of types in lower case, without blanks.
pub(super) fn data_type(words: &mut Words<'_>, depth: usize) -> Result<String> {
    if depth > MAX_DEPTH {
        return Err(words.wrong(words.at(), "the type is nested too deeply".to_owned(), None));
    }
    let start = words.at();
    let Token::Word(word) = words.peek() else {
        return Err(words.expected("a type", &[]));
    };
    let mut text = word.to_ascii_lowercase();
    words.advance();
    match text.as_str() {
        "array" | "map" | "struct" if words.is_symbol("<>") => {
            return Err(words.wrong(words.at(), format!("{text}<> is empty"), None));
        }
        "array" | "map" | "struct" => {
            if words.is_symbol("(") {
                let message = format!("the parts of {text} stand between < and >");
                return Err(words.wrong(words.at(), message, None));
            }
            words.need_symbol("<")?;
            text.push('<');
            loop {
                if text.starts_with("struct") {
                    let name = words.name("the name of a field")?;
                    words.need_symbol(":")?;
                    text.push_str(&mastic_schema::hive::format_name(&name.value));
                    text.push(':');
                }
                text.push_str(&data_type(words, depth + 1)?);
                // Hive lets fields have comments, and keeps none of them.
                if words.eat("COMMENT") {
                    words.string("a comment")?;
                }
                if !words.eat_symbol(",") {
                    break;
                }
                text.push(',');
            }
            if !words.eat_symbol(">") {
                return Err(words.expected("',' or '>'", &[]));
            }
            text.push('>');
        }
        "row" => {
            let hint = "in tables it is struct<name:type, …>";
            return Err(words.wrong(
                start,
                "row is a type of queries".to_owned(),
                Some(hint.to_owned()),
            ));
        }
        _ => {
            if text == "double" {
                words.eat("PRECISION");
            }
            if text == "integer" {
                text = "int".to_owned();
            }
            if words.is_symbol("(") {
                let numbers = words.list(|words| words.integer("a number"))?;
                let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
                text.push_str(&format!("({})", numbers.join(",")));
            }
            if text.starts_with("timestamp") && words.eat_all(&["WITH", "LOCAL", "TIME", "ZONE"]) {
                text.push_str(" with local time zone");
            }
        }
    }
    Ok(text)
}
