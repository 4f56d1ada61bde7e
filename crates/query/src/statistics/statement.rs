//! `ANALYZE` and `SHOW STATS`: Hive's and Trino's statements.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token};
use mastic_catalog::Table;

use super::{analyze, show};
use crate::error::{QueryError, Result};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::statement::no_table;
use crate::table::LakeTable;

/// A statement about statistics.
#[derive(Debug, PartialEq)]
struct Request {
    table: TableReference,
    /// Where the table's name is.
    place: Location,
    what: What,
}

#[derive(Debug, PartialEq)]
enum What {
    /// `ANALYZE`: of these columns, or of all.
    Count(Option<Vec<Ident>>),
    /// `SHOW STATS FOR`.
    Show,
}

/// Answers a statement about statistics; none where the text is another statement.
pub(crate) async fn answer(
    session: &Session,
    snapshot: &Snapshot,
    text: &str,
) -> Result<Option<DataFrame>> {
    let Some(request) = parse(text)? else {
        return Ok(None);
    };
    let table = find(session, snapshot, &request).await?;
    let provider = LakeTable::new(
        table.clone(),
        session.catalog().clone(),
        session.stores().clone(),
    )?;
    let schema = datafusion::catalog::TableProvider::schema(&provider);
    let batch = match request.what {
        What::Count(columns) => {
            let columns = match columns {
                None => None,
                Some(names) => Some(
                    names
                        .iter()
                        .map(|name| {
                            analyze::column(&table, &schema, &name.value)
                                .map_err(|e| at(e, name.span.start))
                        })
                        .collect::<Result<Vec<_>>>()?,
                ),
            };
            let counted = analyze::count_table(session, table, columns.as_deref()).await?;
            show::counted(&counted, &schema, columns.as_deref())?
        }
        What::Show => {
            let (database, name) = (&table.database_name, &table.name);
            let kept = session
                .catalog()
                .get_column_statistics(database, name)
                .await?;
            let Some(kept) = kept else {
                return Err(QueryError::Statement {
                    message: format!("no statistics are kept of {database}.{name}"),
                    place: None,
                    hint: Some(format!(
                        "`ANALYZE TABLE {} COMPUTE STATISTICS FOR ALL COLUMNS` counts them",
                        TableReference::partial(database.as_str(), name.as_str())
                            .to_quoted_string()
                    )),
                });
            };
            let found = provider.files(&[]).await?.found;
            let current = super::fingerprint::fingerprint(&table, &found) == kept.fingerprint;
            show::kept(&kept, &schema, current)?
        }
    };
    Ok(Some(session.context().read_batch(batch)?))
}

/// The table that a statement is about.
async fn find(session: &Session, snapshot: &Snapshot, request: &Request) -> Result<Arc<Table>> {
    let table = &request.table;
    let missing = || {
        let full = match (table.schema(), session.database()) {
            (Some(database), _) | (None, Some(database)) => format!("{database}.{}", table.table()),
            (None, None) => table.table().to_owned(),
        };
        no_table(session, snapshot, &full, place(request.place))
    };
    if table
        .catalog()
        .is_some_and(|name| name != crate::session::CATALOG)
    {
        return Err(missing());
    }
    let database = table
        .schema()
        .or(session.database())
        .unwrap_or(crate::session::DEFAULT_DATABASE);
    snapshot
        .table(database, table.table())
        .await?
        .ok_or_else(missing)
}

fn at(error: QueryError, location: Location) -> QueryError {
    match error {
        QueryError::Statement { message, hint, .. } => QueryError::Statement {
            message,
            place: place(location),
            hint,
        },
        other => other,
    }
}

fn place(location: Location) -> Option<(u64, u64)> {
    (location.line > 0).then_some((location.line, location.column))
}

/// `ANALYZE [TABLE] t [COMPUTE STATISTICS] [FOR [ALL] COLUMNS [a, b…]]` (Hive; `ALL` is Spark's, and `ANALYZE t` Trino's)
/// or `SHOW STATS FOR t` (Trino); none where the text begins otherwise.
fn parse(text: &str) -> Result<Option<Request>> {
    // What is no SQL at all is told by the parser of all other statements.
    let Ok(mut parser) = Parser::new(&GenericDialect {}).try_with_sql(text) else {
        return Ok(None);
    };
    let parser = &mut parser;
    let show = if parser.parse_keyword(Keyword::ANALYZE) {
        false
    } else if parser.parse_keyword(Keyword::SHOW) && word(parser, "STATS") {
        true
    } else {
        return Ok(None);
    };
    request(parser, show).map(Some)
}

fn no_sql(error: ParserError) -> QueryError {
    DataFusionError::SQL(Box::new(error), None).into()
}

fn not_built(what: &str) -> QueryError {
    QueryError::Unsupported(format!("{what} is not built"))
}

/// Takes a word that is no keyword of the parser's.
fn word(parser: &mut Parser<'_>, wanted: &str) -> bool {
    let found = matches!(&parser.peek_token_ref().token, Token::Word(w)
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(wanted));
    if found {
        parser.advance_token();
    }
    found
}

/// The rest of a statement.
fn request(parser: &mut Parser<'_>, show: bool) -> Result<Request> {
    if show {
        parser.expect_keyword(Keyword::FOR).map_err(no_sql)?;
        if parser.peek_token_ref().token == Token::LParen {
            return Err(not_built("SHOW STATS FOR a query, other than a table,"));
        }
    } else {
        let _ = parser.parse_keyword(Keyword::TABLE);
    }
    let place = parser.peek_token_ref().span.start;
    let name = parser.parse_object_name(false).map_err(no_sql)?;
    let table = object_name_to_table_reference(name, true)?;
    let what = if show {
        What::Show
    } else {
        What::Count(columns(parser)?)
    };
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token != Token::EOF {
        let found = parser.peek_token_ref().clone();
        return parser.expected("end of statement", found).map_err(no_sql);
    }
    Ok(Request { table, place, what })
}

/// What of a table `ANALYZE` is to count: these columns, or all.
fn columns(parser: &mut Parser<'_>) -> Result<Option<Vec<Ident>>> {
    if parser.parse_keyword(Keyword::PARTITION) {
        return Err(not_built(
            "ANALYZE of some partitions, other than of a whole table,",
        ));
    }
    if parser.parse_keyword(Keyword::COMPUTE) {
        parser.expect_keyword(Keyword::STATISTICS).map_err(no_sql)?;
    }
    if parser.parse_keyword(Keyword::NOSCAN) {
        return Err(not_built("ANALYZE without reading (NOSCAN)"));
    }
    if !parser.parse_keyword(Keyword::FOR) {
        return Ok(None);
    }
    let all = parser.parse_keyword(Keyword::ALL);
    parser.expect_keyword(Keyword::COLUMNS).map_err(no_sql)?;
    if all || matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon) {
        return Ok(None);
    }
    let names = parser.parse_comma_separated(Parser::parse_identifier);
    names.map(Some).map_err(no_sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<Vec<String>>) {
        let request = parse(text).unwrap().unwrap();
        let What::Count(columns) = request.what else {
            panic!("{text} counts nothing");
        };
        let columns = columns.map(|c| c.into_iter().map(|c| c.value).collect());
        (request.table.to_quoted_string(), columns)
    }

    #[test]
    fn the_statements_of_hive_spark_and_trino() {
        let all = ("d.t".to_owned(), None);
        for text in [
            "ANALYZE TABLE d.t COMPUTE STATISTICS",
            "ANALYZE TABLE d.t COMPUTE STATISTICS FOR COLUMNS;",
            "analyze table D.T compute statistics for all columns ;",
            "-- all\nANALYZE d.t",
        ] {
            assert_eq!(parsed(text), all, "{text}");
        }
        assert_eq!(
            parsed("ANALYZE TABLE \"d\".`T x` COMPUTE STATISTICS FOR COLUMNS a, \"B c\""),
            (
                "d.\"T x\"".to_owned(),
                Some(vec!["a".to_owned(), "B c".to_owned()])
            )
        );
        let show = parse("SHOW STATS FOR t").unwrap().unwrap();
        assert_eq!(
            (show.table, show.what),
            (TableReference::bare("t"), What::Show)
        );
    }

    #[test]
    fn other_statements_are_not_its_own() {
        for text in [
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "SHOW \"STATS\"",
            "SELECT 1",
            "",
            "'",
        ] {
            assert_eq!(parse(text).unwrap(), None, "{text}");
        }
    }
}
