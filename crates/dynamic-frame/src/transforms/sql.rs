//! Plain SQL over frames.

use std::sync::Arc;

use arrow::datatypes::Fields;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use mastic_schema::choice::alternatives;
use mastic_schema::names;

use crate::expression::{find_word, from_engine};
use crate::{DynamicFrame, FrameError, Result};

impl DynamicFrame {
    /// The answer of a query over named frames, as a frame. The query sees these frames and
    /// nothing else; it is one `SELECT`, however long.
    ///
    /// # Errors
    /// When the text is no query, or names a frame or field that does not exist.
    pub async fn sql<'a>(
        state: &SessionState,
        query: &str,
        frames: impl IntoIterator<Item = (&'a str, Self)>,
    ) -> Result<Self> {
        let frames: Vec<(&str, Self)> = frames.into_iter().collect();
        let statement = parse(state, query)?;
        for name in references(state, query, &statement)? {
            let TableReference::Bare { table } = &name else {
                return Err(unknown(query, &name.to_string(), &frames));
            };
            if !frames.iter().any(|(known, _)| *known == table.as_ref()) {
                return Err(unknown(query, table, &frames));
            }
        }

        let choices: Vec<(String, Fields)> = frames
            .iter()
            .flat_map(|(_, frame)| frame.fields())
            .filter_map(|f| Some((f.name().clone(), alternatives(f.data_type())?.clone())))
            .collect();
        let schema = MemorySchemaProvider::new();
        for (name, frame) in frames {
            schema.register_table(name.to_owned(), frame.into_dataframe().into_view())?;
        }
        let mut own = with_only(state, schema)?;
        own.config_mut().options_mut().sql_parser.collect_spans = true;
        let plan = own
            .statement_to_plan(statement)
            .await
            .map_err(|error| from_engine(query, &error, &datafusion::common::DFSchema::empty()))
            .map_err(|error| about_choices(error, &choices))?;
        // What the planner leaves to the analyzer: types that do not go together.
        if !choices.is_empty() {
            state
                .analyzer()
                .execute_and_check(plan.clone(), state.config_options(), |_, _| {})
                .map_err(|error| from_engine(query, &error, &datafusion::common::DFSchema::empty()))
                .map_err(|error| about_choices(error, &choices))?;
        }
        Self::new(DataFrame::new(state.clone(), plan)).map_err(|error| match error {
            FrameError::FieldExists { path } => FrameError::Expression {
                text: query.to_owned(),
                message: format!("the answer has two fields '{path}'"),
                span: None,
                did_you_mean: None,
                hint: Some(format!("give one of them a name: {path} AS other_name")),
            },
            other => other,
        })
    }
}

/// The error, with a word about choices where types do not go together and the query reads one.
fn about_choices(error: FrameError, choices: &[(String, Fields)]) -> FrameError {
    match error {
        FrameError::Expression {
            text,
            message,
            span,
            did_you_mean: None,
            hint,
        } if message.contains("Struct") => {
            let read = choices.iter().find(|(n, _)| find_word(&text, n).is_some());
            let told = read.map(|(name, all)| {
                let names: Vec<&str> = all.iter().map(|f| f.name().as_str()).collect();
                let first = names.first().copied().unwrap_or_default();
                format!(
                    "'{name}' is a choice of {}, which SQL sees as a struct: write {name}.{first}, or resolve it \
                     first",
                    names.join(", ")
                )
            });
            FrameError::Expression {
                text,
                message,
                span,
                did_you_mean: None,
                hint: told.or(hint),
            }
        }
        other => other,
    }
}

/// The names of the frames that a query reads, as it writes them (lowered unless quoted).
///
/// # Errors
/// When the text is no query.
pub fn sql_frames(state: &SessionState, query: &str) -> Result<Vec<String>> {
    let statement = parse(state, query)?;
    let names = references(state, query, &statement)?;
    Ok(names
        .into_iter()
        .map(|n| match n {
            TableReference::Bare { table } => table.to_string(),
            other => other.to_string(),
        })
        .collect())
}

fn parse(state: &SessionState, query: &str) -> Result<Statement> {
    let dialect = state.config_options().sql_parser.dialect;
    let empty = datafusion::common::DFSchema::empty();
    let statement = state
        .sql_to_statement(query, &dialect)
        .map_err(|error| from_engine(query, &error, &empty))?;
    match &statement {
        Statement::Statement(inner) if matches!(inner.as_ref(), ast::Statement::Query(_)) => {
            Ok(statement)
        }
        _ => Err(FrameError::Expression {
            text: query.to_owned(),
            message: "an sql step is one query".to_owned(),
            span: None,
            did_you_mean: None,
            hint: Some("start with SELECT or WITH; what is to be written is a sink".to_owned()),
        }),
    }
}

fn references(
    state: &SessionState,
    query: &str,
    statement: &Statement,
) -> Result<Vec<TableReference>> {
    let empty = datafusion::common::DFSchema::empty();
    state
        .resolve_table_references(statement)
        .map_err(|error| from_engine(query, &error, &empty))
}

fn unknown(query: &str, name: &str, frames: &[(&str, DynamicFrame)]) -> FrameError {
    let known = frames.iter().map(|(known, _)| *known);
    FrameError::FrameNotFound {
        name: name.to_owned(),
        span: find_word(query, name),
        did_you_mean: names::closest(name, known.clone()),
        available: known.map(str::to_owned).collect(),
    }
}

/// The session's functions and settings over a catalog that holds these tables only.
fn with_only(state: &SessionState, tables: MemorySchemaProvider) -> Result<SessionState> {
    let options = &state.config_options().catalog;
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(&options.default_schema, Arc::new(tables))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(options.default_catalog.clone(), Arc::new(catalog));
    let list: Arc<dyn CatalogProviderList> = Arc::new(list);
    let mut config = state.config().clone();
    // The builder would put an empty default schema over ours.
    config = config.with_create_default_catalog_and_schema(false);
    Ok(SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .with_catalog_list(list)
        .build())
}
