//! SQL expressions over a frame's fields, and what is wrong with those that do not fit.

use std::ops::Range;

use arrow::datatypes::{DataType, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Location, SchemaError, Span};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable};
use mastic_schema::choice::{alternatives, has_choice};
use mastic_schema::names;
use mastic_schema::origin::is_origin;

use crate::error::brief;
use crate::record::field_expr;
use crate::{FrameError, Result};

/// Reads an expression over the fields of `schema`, and checks that the engine can compute it,
/// so that a type that does not fit is found here and not when the plan runs.
pub(crate) fn parse(state: &SessionState, schema: &DFSchema, text: &str) -> Result<Expr> {
    let mut state = state.clone();
    // Without this the engine's errors do not say where.
    state.config_mut().options_mut().sql_parser.collect_spans = true;
    let explain = |error| from_engine(text, &error, schema);
    let expr = state
        .create_logical_expr(text, schema)
        .map_err(explain)?
        .unalias();
    let expr = first_alternatives(expr, schema).map_err(explain)?;
    reject(&expr, text)?;
    expr.get_type(schema).map_err(explain)?;
    if !holds(&expr, |e| {
        matches!(
            e,
            Expr::WindowFunction(_)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
        )
    }) {
        state
            .create_physical_expr(expr.clone(), schema)
            .map_err(explain)?;
    }
    Ok(expr)
}

/// Lets each choice that an expression reads stand for its first alternative, unless one is named
/// (`c.string`). A choice alone is the choice, and whether it is NULL is asked of all alternatives.
fn first_alternatives(expr: Expr, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    if !schema.fields().iter().any(|f| has_choice(f.data_type())) || is_reference(&expr) {
        return Ok(expr);
    }
    let read = expr.transform_down(|part| {
        let set = |inner: &Expr| -> Result<Option<Expr>, DataFusionError> {
            let data_type = match is_reference(inner) {
                true => inner.get_type(schema)?,
                false => return Ok(None),
            };
            let all = alternatives(&data_type).into_iter().flatten();
            let set = all.map(|f| field_expr(inner, f.name()).is_not_null());
            Ok(set.reduce(Expr::or))
        };
        if let Expr::IsNotNull(inner) | Expr::IsNull(inner) = &part
            && let Some(set) = set(inner)?
        {
            let made = match part {
                Expr::IsNull(_) => Expr::Not(Box::new(set)),
                _ => set,
            };
            return Ok(Transformed::new(made, true, TreeNodeRecursion::Jump));
        }
        if !is_reference(&part) {
            return Ok(Transformed::no(part));
        }
        let data_type = part.get_type(schema)?;
        let first = alternatives(&data_type).and_then(|all| all.first());
        Ok(match first {
            Some(first) => Transformed::new(
                field_expr(&part, first.name()),
                true,
                TreeNodeRecursion::Jump,
            ),
            None => Transformed::new(part, false, TreeNodeRecursion::Jump),
        })
    });
    Ok(read?.data)
}

/// A column, or a field of a field of one.
fn is_reference(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => {
            call.args.split_first().is_some_and(|(of, names)| {
                is_reference(of) && names.iter().all(|n| matches!(n, Expr::Literal(..)))
            })
        }
        _ => false,
    }
}

/// Refuses what makes no sense row by row.
fn reject(expr: &Expr, text: &str) -> Result<()> {
    let refuse = |what: &str| {
        Err(FrameError::Expression {
            text: text.to_owned(),
            message: format!("{what} has no place in an expression over one record"),
            span: None,
            did_you_mean: None,
            hint: Some("use an sql step for it".to_owned()),
        })
    };
    if holds(expr, |e| matches!(e, Expr::AggregateFunction(_))) {
        return refuse("an aggregate");
    }
    if holds(expr, |e| matches!(e, Expr::Unnest(_))) {
        return refuse("unnest, which makes several records of one,");
    }
    Ok(())
}

/// Whether the expression holds a part like this.
pub(crate) fn holds(expr: &Expr, like: impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    // The visitor itself never fails.
    let _ = expr.apply(|part| {
        found = found || like(part);
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    found
}

/// The engine's error about an SQL text, with the place in the text where it says one.
pub(crate) fn from_engine(text: &str, error: &DataFusionError, schema: &DFSchema) -> FrameError {
    let diagnostic = error.diagnostic();
    let mut span = diagnostic
        .and_then(|d| d.span)
        .and_then(|span| range_of(text, span));
    let mut message = brief(error);
    let mut did_you_mean = None;
    let mut hint = None;

    match error.find_root() {
        DataFusionError::SchemaError(schema_error, _) => {
            if let SchemaError::FieldNotFound {
                field,
                valid_fields,
            } = schema_error.as_ref()
            {
                let name = match &field.relation {
                    Some(relation) => format!("{relation}.{}", field.name),
                    None => field.name.clone(),
                };
                let mut known = paths(schema.as_arrow().fields());
                if known.is_empty() {
                    known = valid_fields.iter().map(|f| f.name.clone()).collect();
                    known.dedup();
                }
                did_you_mean = names::closest(&name, known.iter().map(String::as_str));
                span = span.or_else(|| find_word(text, &name));
                // The engine lowers names that are not quoted: say so where that was the fault.
                if did_you_mean
                    .as_deref()
                    .is_some_and(|n| n.to_lowercase() == name.to_lowercase())
                {
                    hint = did_you_mean.take().map(|n| {
                        format!("SQL lowers names: write \"{n}\" in double quotes to keep its case")
                    });
                } else if did_you_mean.is_none() && !known.is_empty() {
                    hint = Some(available(&known));
                }
                message = format!("there is no field '{name}'");
            }
        }
        DataFusionError::SQL(..) => {
            if let Some((what, location)) = split_location(&message) {
                span = offset_of(text, location).map(|start| start..token_end(text, start));
                message = what;
            } else if message.contains("found: EOF") {
                span = Some(text.len()..text.len());
            }
            message = plainly(&message);
        }
        _ => {
            // The engine puts its own suggestions into the message.
            if let Some((what, meant)) = message.split_once("Did you mean '") {
                did_you_mean = meant.split('\'').next().map(str::to_owned);
                message = what.trim().trim_end_matches('.').to_owned();
            }
            if let Some(name) = message
                .strip_prefix("Field ")
                .and_then(|rest| rest.strip_suffix(" not found in struct"))
                .map(str::to_owned)
            {
                let known = paths(schema.as_arrow().fields());
                let inner: Vec<&str> = known
                    .iter()
                    .filter_map(|path| path.rsplit_once('.').map(|(_, last)| last))
                    .collect();
                did_you_mean = names::closest(&name, inner.iter().copied());
                span = find_word(text, &name).or(span);
                message = format!("there is no field '{name}' in the struct");
            }
            if let Some(name) = message
                .strip_prefix("Invalid function '")
                .and_then(|rest| rest.strip_suffix('\''))
            {
                span = span.or_else(|| find_word(text, name));
                message = format!("there is no function '{name}'");
            }
        }
    }
    if let Some(diagnostic) = diagnostic
        && hint.is_none()
        && did_you_mean.is_none()
    {
        hint = diagnostic.helps.first().map(|h| h.message.clone());
    }
    FrameError::Expression {
        text: text.to_owned(),
        message: message.trim_end_matches('.').to_owned(),
        span,
        did_you_mean,
        hint,
    }
}

/// The parser's `Expected: a, found: b` as a sentence.
fn plainly(message: &str) -> String {
    let message = message.replacen("Expected: ", "expected ", 1).replacen(
        ", found: EOF",
        ", but it ends here",
        1,
    );
    message.replacen(", found: ", ", found ", 1)
}

fn available(known: &[String]) -> String {
    let shown = known.iter().filter(|n| !n.contains('.')).take(12);
    format!(
        "there are {}{}",
        shown.map(String::as_str).collect::<Vec<_>>().join(", "),
        if known.len() > 12 { ", ..." } else { "" }
    )
}

/// The paths of all fields, those inside structs included.
fn paths(fields: &Fields) -> Vec<String> {
    fn walk(fields: &Fields, prefix: &str, out: &mut Vec<String>) {
        for field in fields {
            let path = format!("{prefix}{}", field.name());
            if let DataType::Struct(inner) = field.data_type() {
                walk(inner, &format!("{path}."), out);
            }
            out.push(path);
        }
    }
    let mut out = Vec::new();
    walk(fields, "", &mut out);
    // Those of the origin are nothing to be offered.
    out.retain(|path| !is_origin(path));
    out
}

/// Parts `Expected: .., found: x at Line: 1, Column: 5` into the sentence and the place.
fn split_location(message: &str) -> Option<(String, Location)> {
    let (what, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((
        what.to_owned(),
        Location {
            line: line.trim().parse().ok()?,
            column: digits.parse().ok()?,
        },
    ))
}

/// The byte offset of a line and column, both counted from 1.
fn offset_of(text: &str, location: Location) -> Option<usize> {
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    let within = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(i, _)| i);
    Some(start + within)
}

fn range_of(text: &str, span: Span) -> Option<Range<usize>> {
    let start = offset_of(text, span.start)?;
    let end = offset_of(text, span.end)?;
    (start < end)
        .then_some(start..end)
        .or_else(|| Some(start..token_end(text, start)))
}

/// The end of the word or sign that starts here.
fn token_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = match rest.chars().next() {
        None => 0,
        Some(c) if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
        Some(c) => c.len_utf8(),
    };
    start + length
}

/// The first place where the name stands as a word of its own, whatever its case.
pub(crate) fn find_word(text: &str, name: &str) -> Option<Range<usize>> {
    let lower_text = text.to_ascii_lowercase();
    let lower_name = name.to_ascii_lowercase();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    lower_text
        .match_indices(&lower_name)
        .map(|(start, found)| start..start + found.len())
        .find(|range| {
            let before = text[..range.start].chars().next_back();
            let after = text[range.end..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
}
