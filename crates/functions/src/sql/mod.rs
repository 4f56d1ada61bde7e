//! Statements as Athena's users write them: how their text is read, and what of it is written anew for
//! DataFusion's planner.
//!
//! [`parse`] reads, [`rewrite`] replaces what needs no types, and [`planners`] and [`relation_planner`] give
//! meaning to what does. A session needs all four.

mod cast;
mod dialect;
mod make;
mod planner;
mod rewrite;
mod travel;
mod types;
mod unnest;

use std::collections::VecDeque;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

pub use dialect::AthenaDialect;
pub use planner::planners;
pub use rewrite::{REWRITTEN, rewrite};
pub use unnest::relation_planner;

/// Reads the statements of a text: DataFusion's SQL, with lambdas and with types written as Trino writes them.
///
/// # Errors
/// When the text is no SQL; the message ends with the place.
pub fn parse(text: &str) -> Result<VecDeque<Statement>, DataFusionError> {
    let mut tokens = Tokenizer::new(&AthenaDialect, text)
        .tokenize_with_location()
        .map_err(|e| {
            // DataFusion's own parser says it.
            match DFParserBuilder::new(text)
                .with_dialect(&AthenaDialect)
                .build()
            {
                Err(error) => error,
                Ok(_) => DataFusionError::Plan(e.to_string()),
            }
        })?;
    types::in_angle_brackets(&mut tokens);
    let dialect: &dyn Dialect = match travel::without_for(&mut tokens) {
        true => &dialect::TravelDialect,
        false => &AthenaDialect,
    };
    DFParserBuilder::new(tokens)
        .with_dialect(dialect)
        .build()?
        .parse_statements()
}
