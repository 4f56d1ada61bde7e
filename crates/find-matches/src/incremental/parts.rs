//! The columns that old and new records have in common.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, cast, lit};
use mastic_schema::names::closest;

use super::sides::sides;
use super::{OLD_CONFIDENCE, OLD_ID};
use crate::align::{self, Shared};
use crate::error::{MatchError, Result};
use crate::find::{MatchInput, Table, input};
use crate::normalise::column;
use crate::transform::{Linked, Side, Transform};

/// Old records of a table, and new ones with the same columns. The old ones' entities come last.
pub(super) struct Part {
    pub(super) old: DataFrame,
    pub(super) new: Option<DataFrame>,
}

/// One part for one table, or one for each of two.
pub(super) fn parts(
    existing: Table,
    new: MatchInput,
    transform: &Transform,
    side: Option<Side>,
) -> Result<(Vec<Shared>, Vec<Part>)> {
    let old = Old::new(existing)?;
    if !transform.linked {
        if new.right.is_some() || side.is_some() {
            return Err(MatchError::Transform(
                "the transform finds duplicates of one table, and new records of one join them"
                    .into(),
            ));
        }
        let fresh = Fresher::new(&old, new.left, None)?;
        let types = old.types([&fresh]);
        let part = Part {
            old: old.rows(&types, None)?,
            new: Some(fresh.rows(&types)?),
        };
        return Ok((align::of_one(part.old_schema()), vec![part]));
    }
    let (linked, new) = sides(transform, new, side)?;
    old.is_linked(linked)?;
    let fresh = |table: Option<Table>, side: Side| {
        table
            .map(|table| Fresher::new(&old, table, Some((linked, side))))
            .transpose()
    };
    let (left, right) = (fresh(new.left, Side::Left)?, fresh(new.right, Side::Right)?);
    let types = old.types(left.iter().chain(&right));
    let mut out = Vec::new();
    for (fresh, name) in [left, right].iter().zip(&linked.tables) {
        out.push(Part {
            old: old.rows(&types, Some((&linked.source, name)))?,
            new: fresh.as_ref().map(|f| f.rows(&types)).transpose()?,
        });
    }
    let mut shared = out
        .first()
        .map_or_else(Vec::new, |part| align::of_one(part.old_schema()));
    shared.retain(|s| s.name != linked.source);
    for of in &mut shared {
        let Some(column) = linked.columns.iter().find(|c| c.name == of.name) else {
            continue;
        };
        (of.left, of.right) = (column.left, column.right.clone());
        if !column.left {
            of.unfit = Some("only the right table has it".into());
        } else if column.right.is_none() {
            of.unfit = Some("only the left table has it".into());
        }
    }
    Ok((shared, out))
}

impl Part {
    /// Without entities.
    fn old_schema(&self) -> &Schema {
        self.new.as_ref().unwrap_or(&self.old).schema().as_arrow()
    }
}

/// Records that have entities.
struct Old {
    name: String,
    frame: DataFrame,
    /// All columns but those of entities.
    fields: Vec<Arc<Field>>,
}

impl Old {
    fn new(existing: Table) -> Result<Old> {
        let frame = input::unqualified(existing.rows)?;
        if !has(&frame, "match_id") {
            return Err(MatchError::Transform(format!(
                "'{}' has no column 'match_id': it is no result of matching that new records could join",
                existing.name
            )));
        }
        let all = frame.schema().fields().iter();
        let plain = |f: &&Arc<Field>| !matches!(f.name().as_str(), "match_id" | "match_confidence");
        let fields = all.filter(plain).cloned().collect();
        Ok(Old {
            name: existing.name,
            frame,
            fields,
        })
    }

    /// That the records are those of the two tables.
    fn is_linked(&self, linked: &Linked) -> Result<()> {
        let mut wanted = linked
            .columns
            .iter()
            .map(|c| &c.name)
            .chain([&linked.source]);
        match wanted.find(|name| self.fields.iter().all(|f| f.name() != *name)) {
            None => Ok(()),
            Some(name) => Err(MatchError::Transform(format!(
                "'{}' has no column '{name}', which the two tables had that the transform linked",
                self.name
            ))),
        }
    }

    /// For each column a type that holds the values of all.
    fn types<'a>(&self, fresh: impl IntoIterator<Item = &'a Fresher>) -> Vec<Arc<Field>> {
        let mut out = self.fields.clone();
        for fresh in fresh {
            for (field, theirs) in out.iter_mut().zip(&fresh.names) {
                let theirs = theirs.as_ref().and_then(|name| {
                    let schema = fresh.frame.schema();
                    schema.field_with_unqualified_name(name).ok()
                });
                if let Some(theirs) = theirs {
                    let wanted = common(field.data_type(), theirs.data_type());
                    *field = Arc::new(Field::new(field.name(), wanted, true));
                }
            }
        }
        out
    }

    /// The records, or those of one table.
    fn rows(&self, types: &[Arc<Field>], source: Option<(&str, &str)>) -> Result<DataFrame> {
        let mut shown: Vec<Expr> = types
            .iter()
            .map(|f| cast(column(f.name()), f.data_type().clone()).alias(f.name()))
            .collect();
        let confidence = match has(&self.frame, "match_confidence") {
            true => cast(column("match_confidence"), DataType::Float64),
            false => lit(1.0),
        };
        shown.push(cast(column("match_id"), DataType::Int64).alias(OLD_ID));
        shown.push(coalesce(vec![confidence, lit(1.0)]).alias(OLD_CONFIDENCE));
        let rows = match source {
            None => self.frame.clone(),
            Some((of, name)) => self
                .frame
                .clone()
                .filter(cast(column(of), DataType::Utf8).eq(lit(name)))?,
        };
        Ok(rows.select(shown)?)
    }
}

/// New records, and what they call each column.
struct Fresher {
    frame: DataFrame,
    names: Vec<Option<String>>,
    source: Option<(String, String)>,
}

impl Fresher {
    fn new(old: &Old, new: Table, linked: Option<(&Linked, Side)>) -> Result<Fresher> {
        let frame = input::unqualified(new.rows)?;
        // What a column of the result is called in the new table.
        let theirs = |ours: &String| match linked {
            None => Some(ours.clone()),
            Some((linked, side)) => {
                let of = linked.columns.iter().find(|c| c.name == *ours)?;
                match side {
                    Side::Left => of.left.then(|| of.name.clone()),
                    Side::Right => of.right.clone(),
                }
            }
        };
        let names: Vec<Option<String>> = old.fields.iter().map(|f| theirs(f.name())).collect();
        let known = || names.iter().flatten().map(String::as_str);
        for field in frame.schema().fields() {
            if !known().any(|n| n == field.name()) {
                let near = closest(field.name(), known());
                return Err(MatchError::Transform(format!(
                    "'{}' has a column '{}', which '{}' has not{}",
                    new.name,
                    field.name(),
                    old.name,
                    near.map(|n| format!("; did you mean '{n}'?"))
                        .unwrap_or_default()
                )));
            }
        }
        let there = |name: Option<String>| name.filter(|name| has(&frame, name));
        let names = names.into_iter().map(there).collect();
        let source = linked.map(|(linked, side)| {
            let [left, right] = &linked.tables;
            let name = match side {
                Side::Left => left,
                Side::Right => right,
            };
            (linked.source.clone(), name.clone())
        });
        Ok(Fresher {
            frame,
            names,
            source,
        })
    }

    /// The records with the old ones' columns.
    fn rows(&self, types: &[Arc<Field>]) -> Result<DataFrame> {
        let mut shown = Vec::new();
        for (field, theirs) in types.iter().zip(&self.names) {
            let (name, wanted) = (field.name(), field.data_type());
            let value = match (theirs, &self.source) {
                (_, Some((source, table))) if source == name => {
                    cast(lit(table.as_str()), wanted.clone())
                }
                (Some(theirs), _) => cast(column(theirs), wanted.clone()),
                (None, _) => lit(ScalarValue::try_from(wanted)?),
            };
            shown.push(value.alias(name));
        }
        Ok(self.frame.clone().select(shown)?)
    }
}

fn has(frame: &DataFrame, name: &str) -> bool {
    frame.schema().field_with_unqualified_name(name).is_ok()
}

/// A type that holds the values of both.
fn common(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (a, b) if a.is_integer() && b.is_integer() => DataType::Int64,
        (a, b) if a.is_numeric() && b.is_numeric() => DataType::Float64,
        _ => DataType::Utf8View,
    }
}
