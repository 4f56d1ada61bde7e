//! `PREPARE`, `EXECUTE` and `DEALLOCATE`.
//!
//! Prepared statements are kept in the catalog, so that another process can execute them, as Athena keeps them in a
//! workgroup.

use datafusion::dataframe::DataFrame;

use super::super::words::Name;
use super::super::{parameters, parse};
use super::Context;
use crate::error::{QueryError, Result};

/// Where they are kept in the catalog's memory.
const SCOPE: &str = "sql:prepared/primary";
/// How long a name may be (Athena's `StatementName`).
const LONGEST_NAME: usize = 256;
/// How many are read at once, to find the nearest name.
const SHOWN: usize = 1_000;

/// `PREPARE name FROM statement`.
pub(super) async fn prepare(
    context: &Context<'_>,
    name: &Name,
    statement: &str,
    start: usize,
) -> Result<DataFrame> {
    if name.value.chars().count() > LONGEST_NAME {
        let message = format!("the name has more than {LONGEST_NAME} characters");
        return Err(context.wrong(name.start, message, None));
    }
    let marks = parameters::marks(statement).len();
    match parse::parse(statement) {
        Ok(Some(command)) if command.is_of_prepared() => {
            let message =
                "a prepared statement cannot be prepared or executed by another".to_owned();
            return Err(context.wrong(start, message, None));
        }
        Ok(Some(_)) => {}
        Ok(None) => {
            super::super::misspelt::parse(statement)
                .map_err(|e| super::super::shifted(context.text, start, e))?;
        }
        Err(error) => return Err(super::super::shifted(context.text, start, error)),
    }
    let item = (name.value.clone(), statement.as_bytes().to_vec());
    context
        .session
        .catalog()
        .remember(SCOPE, vec![item])
        .await?;
    context.status(format!(
        "prepared {} with {}",
        name.value,
        super::counted(marks, "parameter")
    ))
}

/// `EXECUTE name USING …`: the statement, and the values of its question marks.
pub(in crate::statement) async fn prepared(context: &Context<'_>, name: &Name) -> Result<String> {
    let catalog = context.session.catalog();
    let found = catalog
        .recall_items(SCOPE, std::slice::from_ref(&name.value))
        .await?;
    match found.into_iter().next() {
        Some((_, statement)) => String::from_utf8(statement).map_err(|e| {
            QueryError::Unsupported(format!(
                "the prepared statement {} is no text: {e}",
                name.value
            ))
        }),
        None => Err(missing(context, name).await?),
    }
}

/// `DEALLOCATE PREPARE name`.
pub(super) async fn deallocate(context: &Context<'_>, name: &Name) -> Result<DataFrame> {
    prepared(context, name).await?;
    let catalog = context.session.catalog();
    catalog
        .forget(SCOPE, std::slice::from_ref(&name.value))
        .await?;
    context.status(format!("forgot the prepared statement {}", name.value))
}

async fn missing(context: &Context<'_>, name: &Name) -> Result<QueryError> {
    let known = context.session.catalog().recall(SCOPE, None, SHOWN).await?;
    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    let hint = crate::error::meant(&name.value, &names)
        .unwrap_or_else(|| "`PREPARE name FROM statement` makes one".to_owned());
    let message = format!("there is no prepared statement '{}'", name.value);
    Ok(context.wrong(name.start, message, Some(hint)))
}
