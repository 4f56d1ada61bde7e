//! `ResolveChoice`: columns whose values disagree in type, made to agree.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};
use mastic_functions::choice::{
    Action, Resolution, Step, can_fail, convertible, resolve, resolved_type,
};
use mastic_schema::choice::{alternative_name, alternatives, format_type, has_choice, is_choice};
use mastic_schema::hive::{list_of, map_of, parse_type};
use mastic_schema::merge::position as twin;
use mastic_schema::names;

use crate::path::Path;
use crate::record::{Value, column, converted, field_expr, position};
use crate::run::{Cast, StepNode, WORKING, Watched};
use crate::types::element;
use crate::{DynamicFrame, FrameError, Result};

/// Choices lie in each other at most so deep where all of them are resolved.
const ROUNDS: usize = 32;

/// What becomes of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChoiceAction {
    /// Each value is cast to this Hive type; one that cannot be cast is NULL.
    Cast(String),
    /// Only the values that are of this type are kept, the others are NULL. An alternative goes by Glue's
    /// name of it (`long`) or by its Hive type (`bigint`).
    Project(String),
    /// Each alternative becomes a column of its own: `c_long`, `c_string`.
    MakeCols,
    /// The choice becomes a struct of its alternatives.
    MakeStruct,
}

impl ChoiceAction {
    /// The actions, as a script writes them.
    pub const NAMES: [&'static str; 4] = ["cast:TYPE", "project:TYPE", "make_cols", "make_struct"];
}

impl FromStr for ChoiceAction {
    type Err = FrameError;

    /// Reads Glue's form of an action, `cast:long`.
    fn from_str(text: &str) -> Result<Self> {
        let (verb, rest) = match text.split_once(':') {
            Some((verb, rest)) => (verb.trim(), Some(rest.trim())),
            None => (text.trim(), None),
        };
        match (verb, rest) {
            ("cast", Some(rest)) if !rest.is_empty() => Ok(Self::Cast(rest.to_owned())),
            ("project", Some(rest)) if !rest.is_empty() => Ok(Self::Project(rest.to_owned())),
            ("make_cols", None) => Ok(Self::MakeCols),
            ("make_struct", None) => Ok(Self::MakeStruct),
            _ => Err(FrameError::BadAction {
                text: text.to_owned(),
                did_you_mean: names::closest(verb, ["cast", "project", "make_cols", "make_struct"]),
            }),
        }
    }
}

impl fmt::Display for ChoiceAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cast(to) => write!(f, "cast:{to}"),
            Self::Project(of) => write!(f, "project:{of}"),
            Self::MakeCols => f.write_str("make_cols"),
            Self::MakeStruct => f.write_str("make_struct"),
        }
    }
}

impl DynamicFrame {
    /// Resolves choices by their paths. `a.b` leads into structs, `a[].b` into the elements of an array or
    /// the values of a map, `c.struct.b` into an alternative of a choice.
    ///
    /// * `cast:TYPE` casts each value; one that cannot be cast becomes NULL, as in Glue. A column that is no
    ///   choice is cast too. Nested values become text as JSON; a plain value becomes an array of one.
    ///   How many did is counted by the step's label ([`crate::CastCount`]), where it can happen at all.
    /// * `project:TYPE` keeps the values of that type; all others become NULL. Glue's Scala page, FAQ and
    ///   sample agree on it; its Python page says that a type is projected to, which is `cast`.
    /// * `make_cols` puts the columns `c_long`, `c_string` in the place of `c`.
    /// * `make_struct` makes `c` a struct of the fields `long` and `string`.
    ///
    /// # Errors
    /// When there is no such field or no such type; when what is to be resolved is no choice, unless it is to
    /// be cast (Glue passes over it); when no value could be cast; when a choice has no such alternative; when
    /// a column of `make_cols` is there already, or would have to go into an array's elements.
    pub fn resolve_choice(self, specs: &[(String, ChoiceAction)]) -> Result<Self> {
        let mut found: Vec<(usize, Resolution)> = Vec::new();
        let mut casts: Vec<(usize, Cast)> = Vec::new();
        for (text, action) in specs {
            let (at, steps, data_type) = self.locate(text)?;
            let action = fitted(text, action, &data_type, &steps)?;
            if let Action::Cast(to) = &action
                && parse_type(to).is_ok_and(|to| can_fail(&data_type, &to))
            {
                let (path, steps, to) = (text.clone(), steps.clone(), to.clone());
                casts.push((at, Cast { path, steps, to }));
            }
            if found.iter().any(|(a, r)| *a == at && r.path == steps) {
                return Err(FrameError::FieldExists { path: text.clone() });
            }
            let path = steps;
            found.push((at, Resolution { path, action }));
        }
        self.resolved(&found, casts)
    }

    /// Resolves all choices of the frame in the same way, at any depth (Glue's `choice` argument).
    ///
    /// # Errors
    /// As with [`DynamicFrame::resolve_choice`].
    pub fn resolve_choices(self, action: &ChoiceAction) -> Result<Self> {
        let mut frame = self;
        // What comes out of a choice may have choices in it.
        for _ in 0..ROUNDS {
            let mut specs = Vec::new();
            for field in frame.fields() {
                let name = Path::of([field.name()]).to_string();
                choices(field.data_type(), &name, &mut specs);
            }
            if specs.is_empty() {
                break;
            }
            let specs: Vec<_> = specs.into_iter().map(|p| (p, action.clone())).collect();
            frame = frame.resolve_choice(&specs)?;
        }
        Ok(frame)
    }

    /// Casts each choice, and each column of another type, to what a table's column of the same name has;
    /// Glue's `match_catalog`, which says this of choices only. Structs are matched by their fields' names.
    /// Columns and fields that the table does not have stay as they are; those that only the table has are
    /// not added. A value that cannot be cast becomes NULL.
    ///
    /// # Errors
    /// When no value of a column could be cast.
    pub fn match_catalog(self, columns: &Fields) -> Result<Self> {
        let mut specs = Vec::new();
        for field in self.fields() {
            let Some(at) = twin(columns, field.name()) else {
                continue;
            };
            let to = fit(field.data_type(), columns[at].data_type());
            if format_type(&to) != format_type(field.data_type()) || is_choice(field.data_type()) {
                let path = Path::of([field.name()]).to_string();
                specs.push((path, ChoiceAction::Cast(format_type(&to))));
            }
        }
        self.resolve_choice(&specs)
    }

    /// The choices resolved. What casts lose is counted between two projections: one that has each column
    /// before and after its casts, and one that leaves out what was before.
    fn resolved(self, all: &[(usize, Resolution)], casts: Vec<(usize, Cast)>) -> Result<Self> {
        let label = self.step("resolve_choice");
        let mut columns: Vec<Expr> = Vec::new();
        let mut made: Vec<Expr> = Vec::new();
        let mut watched: Vec<Watched> = Vec::new();
        for (at, field) in self.fields().iter().enumerate() {
            let own: Vec<&Resolution> = all
                .iter()
                .filter(|(of, _)| *of == at)
                .map(|(_, r)| r)
                .collect();
            let first = columns.len();
            match own.as_slice() {
                [] => columns.push(column(field.name())),
                [resolution] if resolution.path.is_empty() => {
                    columns.extend(whole(field, &resolution.action)?);
                }
                own => {
                    let resolutions: Vec<Resolution> = own.iter().map(|r| (*r).clone()).collect();
                    resolved_type(field.data_type(), &resolutions).map_err(clash)?;
                    let expr = resolve(column(field.name()), &resolutions)?;
                    columns.push(expr.alias(field.name()));
                }
            }
            let mut own = casts.iter().filter(|(of, _)| *of == at).peekable();
            if let (Some(_), [resolved]) = (own.peek(), &mut columns[first..]) {
                let name = format!("{WORKING}{at}");
                let after = std::mem::replace(resolved, column(&name).alias(field.name()));
                made.push(after.unalias().alias(&name));
                watched.extend(own.map(|(_, cast)| Watched {
                    cast: cast.clone(),
                    before: column(field.name()),
                    after: column(&name),
                }));
            }
        }
        let mut seen = HashSet::new();
        for expr in &columns {
            let (_, name) = expr.qualified_name();
            if !seen.insert(name.to_lowercase()) {
                return Err(FrameError::FieldExists {
                    path: Path::of([name]).to_string(),
                });
            }
        }
        columns.extend(self.origin());
        if watched.is_empty() {
            return Ok(Self::of(self.inner.select(columns)?));
        }
        let mut both = self.columns();
        both.extend(self.origin());
        both.extend(made);
        let (state, input) = self.inner.select(both)?.into_parts();
        let node = StepNode {
            label,
            reason: None,
            casts: watched,
            input,
        };
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        let counted = DataFrame::new(state, plan);
        Ok(Self::of(counted.select(columns)?))
    }

    /// The column that a path begins with, the steps from it, and the type that they lead to.
    fn locate(&self, text: &str) -> Result<(usize, Vec<Step>, DataType)> {
        let route = route(text)?;
        let mut at = None;
        let mut steps = Vec::new();
        let mut here = DataType::Struct(self.fields().clone());
        let mut walked: Vec<String> = Vec::new();
        for step in &route {
            let next = match step {
                Step::Items => inner(&here).ok_or_else(|| FrameError::TypeMismatch {
                    path: text.to_owned(),
                    expected: format!("an array or a map for '{}[]'", walked.join(".")),
                    found: format_type(&here),
                    hint: None,
                })?,
                Step::Field(name) => {
                    let DataType::Struct(fields) = &here else {
                        return Err(FrameError::TypeMismatch {
                            path: text.to_owned(),
                            expected: format!("a struct for '{}'", walked.join(".")),
                            found: format_type(&here),
                            hint: element(&here).map(|_| {
                                format!("an array's elements are '{}[]'", walked.join("."))
                            }),
                        });
                    };
                    let known = fields.iter().map(|f| f.name().as_str());
                    let found = position(known.clone(), name).ok_or_else(|| {
                        let full = |name: &str| {
                            let mut all = walked.clone();
                            all.push(name.to_owned());
                            all.join(".")
                        };
                        FrameError::FieldNotFound {
                            path: text.to_owned(),
                            did_you_mean: names::closest(name, known.clone()).map(|n| full(&n)),
                            available: known.clone().map(full).collect(),
                        }
                    })?;
                    let field = &fields[found];
                    if at.is_none() {
                        at = Some(found);
                    } else {
                        steps.push(Step::Field(field.name().clone()));
                    }
                    field.data_type().clone()
                }
            };
            match step {
                Step::Items => {
                    steps.push(Step::Items);
                    if let Some(last) = walked.last_mut() {
                        last.push_str("[]");
                    }
                }
                Step::Field(name) => walked.push(Path::of([name]).to_string()),
            }
            here = next;
        }
        Ok((at.unwrap_or_default(), steps, here))
    }
}

/// Reads `a[].b`: names as in a [`Path`], each of which may be followed by `[]`.
fn route(text: &str) -> Result<Vec<Step>> {
    let mut in_ticks = false;
    let mut steps = Vec::new();
    for segment in text.split(|c| {
        in_ticks ^= c == '`';
        c == '.' && !in_ticks
    }) {
        let mut name = segment.trim();
        let mut items = 0;
        while let Some(rest) = name.strip_suffix("[]") {
            name = rest;
            items += 1;
        }
        let path = Path::parse(name).map_err(|error| match error {
            FrameError::BadPath { reason, .. } => FrameError::BadPath {
                path: text.to_owned(),
                reason,
            },
            other => other,
        })?;
        steps.extend(path.parts().iter().cloned().map(Step::Field));
        steps.extend(std::iter::repeat_n(Step::Items, items));
    }
    Ok(steps)
}

/// The elements of an array, the values of a map.
fn inner(data_type: &DataType) -> Option<DataType> {
    if let Some(item) = element(data_type) {
        return Some(item.data_type().clone());
    }
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => pair.get(1).map(|f| f.data_type().clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The paths of the choices in a value, the outermost ones.
fn choices(data_type: &DataType, path: &str, out: &mut Vec<String>) {
    if is_choice(data_type) {
        out.push(path.to_owned());
    } else if let DataType::Struct(fields) = data_type {
        for field in fields.iter().filter(|f| has_choice(f.data_type())) {
            let name = Path::of([field.name()]).to_string();
            choices(field.data_type(), &format!("{path}.{name}"), out);
        }
    } else if let Some(inner) = inner(data_type).filter(has_choice) {
        choices(&inner, &format!("{path}[]"), out);
    }
}

/// The action against the type that it is for.
fn fitted(path: &str, action: &ChoiceAction, own: &DataType, steps: &[Step]) -> Result<Action> {
    if let ChoiceAction::Cast(text) = action {
        let to = parse_type(text.trim()).map_err(|source| FrameError::BadType {
            text: text.clone(),
            source,
        })?;
        if !convertible(own, &to) {
            return Err(FrameError::TypeMismatch {
                path: path.to_owned(),
                expected: format!("a type that can be cast to {}", format_type(&to)),
                found: format_type(own),
                hint: None,
            });
        }
        return Ok(Action::Cast(format_type(&to)));
    }
    let Some(all) = alternatives(own) else {
        return Err(FrameError::NoChoice {
            path: path.to_owned(),
            expected: "a choice".to_owned(),
            found: format_type(own),
            hint: "there is nothing to resolve: leave it out, or use cast:TYPE".to_owned(),
        });
    };
    match action {
        ChoiceAction::Project(text) => {
            let wanted = text.trim();
            let named = all.iter().find(|f| f.name() == wanted).or_else(|| {
                let data_type = parse_type(wanted).ok()?;
                let name = alternative_name(&data_type);
                let same = |f: &&Arc<Field>| format_type(f.data_type()) == format_type(&data_type);
                let similar = |f: &&Arc<Field>| f.name() == name;
                all.iter().find(same).or_else(|| all.iter().find(similar))
            });
            match named {
                Some(field) => Ok(Action::Project(field.name().clone())),
                None => Err(FrameError::NoChoice {
                    path: path.to_owned(),
                    expected: format!("a choice that can be {wanted}"),
                    found: format_type(own),
                    hint: format!("its alternatives are {}", listed(all)),
                }),
            }
        }
        ChoiceAction::MakeCols if steps.last() == Some(&Step::Items) => {
            Err(FrameError::TypeMismatch {
                path: path.to_owned(),
                expected: "a record or a struct to put the columns into".to_owned(),
                found: "the elements of an array".to_owned(),
                hint: Some("use make_struct for it".to_owned()),
            })
        }
        ChoiceAction::MakeCols => Ok(Action::MakeCols),
        _ => Ok(Action::MakeStruct),
    }
}

fn listed(all: &Fields) -> String {
    let names = all.iter().map(|f| {
        let kind = format_type(f.data_type());
        match *f.name() == kind {
            true => kind,
            false => format!("{} ({kind})", f.name()),
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The columns that a column of the frame's becomes.
fn whole(field: &Field, action: &Action) -> Result<Vec<Expr>> {
    let name = field.name();
    let own = || alternatives(field.data_type()).into_iter().flatten();
    Ok(match action {
        Action::Cast(text) => {
            let to = parse_type(text).map_err(|source| FrameError::BadType {
                text: text.clone(),
                source,
            })?;
            vec![converted(&Value::of_field(field), &to)?.expr.alias(name)]
        }
        Action::Project(of) => vec![field_expr(&column(name), of).alias(name)],
        Action::MakeCols => own()
            .map(|f| field_expr(&column(name), f.name()).alias(format!("{name}_{}", f.name())))
            .collect(),
        Action::MakeStruct => {
            let resolution = Resolution {
                path: Vec::new(),
                action: Action::MakeStruct,
            };
            vec![resolve(column(name), &[resolution])?.alias(name)]
        }
    })
}

/// The functions' own complaint; all but names that clash was looked at before.
fn clash(error: datafusion::error::DataFusionError) -> FrameError {
    let message = crate::error::brief(&error);
    match message.split('\'').nth(1) {
        Some(name) if message.ends_with("is there already") => FrameError::FieldExists {
            path: Path::of([name]).to_string(),
        },
        _ => FrameError::from(error),
    }
}

/// The table's type for a value of this one: fields that the table's struct lacks stay.
fn fit(own: &DataType, wanted: &DataType) -> DataType {
    let same = |a: &DataType, b: &DataType| format_type(a) == format_type(b);
    if same(own, wanted) {
        return own.clone();
    }
    match (own, wanted) {
        (DataType::Struct(a), DataType::Struct(b)) if !is_choice(own) => {
            let fields = a.iter().map(|f| match twin(b, f.name()) {
                Some(at) => {
                    let data_type = fit(f.data_type(), b[at].data_type());
                    Arc::new(f.as_ref().clone().with_data_type(data_type))
                }
                None => f.clone(),
            });
            DataType::Struct(fields.collect())
        }
        (DataType::Map(..), DataType::Map(..)) => match (inner(own), inner(wanted), key(wanted)) {
            (Some(a), Some(b), Some(key)) => map_of(key, fit(&a, &b)),
            _ => wanted.clone(),
        },
        _ => match (element(own), element(wanted)) {
            (Some(a), Some(b)) => list_of(fit(a.data_type(), b.data_type())),
            _ => wanted.clone(),
        },
    }
}

fn key(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => pair.first().map(|f| f.data_type().clone()),
            _ => None,
        },
        _ => None,
    }
}
