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
    let table = find(session, snapshot, &request)?;
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
            let (found, _) = provider.files(&[]).await?;
            let current = super::fingerprint::fingerprint(&table, &found) == kept.fingerprint;
            show::kept(&kept, &schema, current)?
        }
    };
    Ok(Some(session.context().read_batch(batch)?))
}

/// The table that a statement is about.
fn find(session: &Session, snapshot: &Snapshot, request: &Request) -> Result<Arc<Table>> {
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
        .cloned()
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
    request(parser, show)
        .map_err(|e| QueryError::from(DataFusionError::SQL(Box::new(e), None)))
        .and_then(|request| match request {
            Ok(request) => Ok(Some(request)),
            Err(what) => Err(QueryError::Unsupported(what.to_owned())),
        })
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

/// The rest of a statement, or what of it is not built.
fn request(
    parser: &mut Parser<'_>,
    show: bool,
) -> Result<Result<Request, &'static str>, ParserError> {
    if show {
        parser.expect_keyword(Keyword::FOR)?;
        if parser.peek_token_ref().token == Token::LParen {
            return Ok(Err("SHOW STATS FOR a query is not built: name a table"));
        }
    } else {
        let _ = parser.parse_keyword(Keyword::TABLE);
    }
    let place = parser.peek_token_ref().span.start;
    let name = parser.parse_object_name(false)?;
    let table = object_name_to_table_reference(name, true)
        .map_err(|e| ParserError::ParserError(e.strip_backtrace()))?;
    let what = if show {
        What::Show
    } else {
        if parser.parse_keyword(Keyword::PARTITION) {
            return Ok(Err(
                "ANALYZE of single partitions is not built: statistics are of whole tables",
            ));
        }
        if parser.parse_keyword(Keyword::COMPUTE) {
            parser.expect_keyword(Keyword::STATISTICS)?;
        }
        if parser.parse_keyword(Keyword::NOSCAN) {
            return Ok(Err(
                "ANALYZE … NOSCAN is not built: what is known without reading, `mastic crawl` has written already",
            ));
        }
        let mut columns = None;
        if parser.parse_keyword(Keyword::FOR) {
            let all = parser.parse_keyword(Keyword::ALL);
            parser.expect_keyword(Keyword::COLUMNS)?;
            let ends = matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon);
            if !all && !ends {
                columns = Some(parser.parse_comma_separated(Parser::parse_identifier)?);
            }
        }
        What::Count(columns)
    };
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token != Token::EOF {
        let found = parser.peek_token_ref().clone();
        return parser.expected("end of statement", found);
    }
    Ok(Ok(Request { table, place, what }))
}
