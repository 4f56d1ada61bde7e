//! Lookups: fields of other records, found by keys.

use std::str::FromStr;

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core;
use datafusion::functions::expr_fn::{char_length, concat, left};
use datafusion::functions_aggregate::expr_fn::{count, first_value};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit, when};
use mastic_schema::hive::format_type;
use mastic_schema::names;

use super::JoinKey;
use super::join::{comparable, of, side};
use crate::path::Path;
use crate::record::{Node, Value, column};
use crate::run::{CachedTable, WORKING, want};
use crate::{DynamicFrame, FrameError, Result};

/// What becomes of a record whose keys are not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Missing {
    /// It gets NULLs.
    #[default]
    Null,
    /// It becomes an error record.
    Error,
    /// It is dropped.
    Drop,
}

/// What becomes of a record whose keys are found several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Multiple {
    /// It gets the first of them, in the order of the fields' values.
    #[default]
    First,
    /// It becomes an error record.
    Error,
    /// It is there once for each of them, as with a join.
    All,
}

macro_rules! named {
    ($kind:ident, $($name:literal => $variant:ident),+) => {
        impl $kind {
            /// The names, as a script writes them.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
        }

        impl FromStr for $kind {
            type Err = Option<String>;

            /// Reads a name; the error is the closest one, where one is close.
            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(names::closest(text, Self::NAMES.iter().copied())),
                }
            }
        }
    };
}

named!(Missing, "null" => Null, "error" => Error, "drop" => Drop);
named!(Multiple, "first" => First, "error" => Error, "all" => All);

/// What [`DynamicFrame::lookup`] looks up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup {
    /// What the other frame is called in messages.
    pub name: String,
    /// The fields that must be equal.
    pub on: Vec<JoinKey>,
    /// The other frame's fields that are wanted, and what they are called here; all but the keys where it
    /// is empty.
    pub fields: Vec<(String, Option<String>)>,
    /// What is put before the names of fields that are given no other.
    pub prefix: String,
    /// What becomes of a record whose keys are not found.
    pub missing: Missing,
    /// What becomes of a record whose keys are found several times.
    pub multiple: Multiple,
}

impl Lookup {
    /// All fields of what is called `name`, by these keys.
    pub fn by(name: impl Into<String>, on: impl Into<Vec<JoinKey>>) -> Self {
        Self {
            name: name.into(),
            on: on.into(),
            fields: Vec::new(),
            prefix: String::new(),
            missing: Missing::default(),
            multiple: Multiple::default(),
        }
    }

    /// This field, under this name.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, name: Option<&str>) -> Self {
        self.fields.push((path.into(), name.map(str::to_owned)));
        self
    }

    /// A prefix for the fields' names.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What becomes of a record whose keys are not found.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// What becomes of a record whose keys are found several times.
    #[must_use]
    pub fn multiple(mut self, multiple: Multiple) -> Self {
        self.multiple = multiple;
        self
    }
}

fn working(name: impl std::fmt::Display) -> String {
    format!("{WORKING}{name}")
}

impl DynamicFrame {
    /// The frame's records, read when the first plan that has them runs, and kept in memory until the
    /// last is gone. Clones share what was read; so a frame to look up in is read once, whoever looks up in
    /// it. Of its columns those are kept that somebody asks for.
    ///
    /// # Errors
    /// When the engine refuses the plan.
    pub fn cached(self) -> Result<Self> {
        let (state, plan) = Self::of(self.into_dataframe()).inner.into_parts();
        let table = std::sync::Arc::new(CachedTable::new(plan));
        let source = datafusion::datasource::provider_as_source(table);
        let plan = LogicalPlanBuilder::scan("cached", source, None)?.build()?;
        Self::new(DataFrame::new(state, plan))
    }

    /// Adds fields of the records of another frame, found by keys; so Glue's users enrich a frame from a
    /// table or a connection. The frame's own records stay one each (unless they are dropped or
    /// multiplied by request), whatever the other frame holds. A key that is NULL finds nothing.
    ///
    /// The other frame is the build side of a hash join; [`DynamicFrame::cached`] reads it once for
    /// several.
    ///
    /// # Errors
    /// When a key or field does not exist, keys cannot be equal by their types, or a name is taken.
    pub fn lookup(self, other: Self, lookup: &Lookup) -> Result<Self> {
        let step = self.step("lookup");
        let mut own_keys = Vec::new();
        let mut keys = Vec::new();
        for key in &lookup.on {
            let left = self.record().value(&Path::parse(&key.left)?)?;
            let right = other.record().value(&Path::parse(&key.right)?)?;
            if !comparable(&left.data_type, &right.data_type) {
                return Err(FrameError::TypeMismatch {
                    path: key.right.clone(),
                    expected: format!("{} for '{}'", format_type(&left.data_type), key.left),
                    found: format_type(&right.data_type),
                    hint: Some("cast one of them first, in a map step".to_owned()),
                });
            }
            own_keys.push(left);
            keys.push(right);
        }
        let fields = found(&other, lookup, &keys)?;
        let mut record = self.record();
        for (at, (name, value)) in fields.iter().enumerate() {
            let target = Path::parse(name)?;
            if record.has(&target) {
                return Err(FrameError::FieldExists {
                    path: target.to_string(),
                });
            }
            let whole = column(&working("value"));
            let part = Value {
                expr: core::get_field().call(vec![whole, lit(format!("f{at}"))]),
                data_type: value.data_type.clone(),
                nullable: true,
            };
            record.set(&target, Node::Value(part))?;
        }

        let names = other.fields().iter().map(|f| f.name().as_str());
        let read: Vec<&Expr> = keys
            .iter()
            .chain(fields.iter().map(|(_, v)| v))
            .map(|v| &v.expr)
            .collect();
        let read: Vec<&str> = names
            .filter(|name| {
                let column = Column::new_unqualified(*name);
                read.iter().any(|e| e.column_refs().contains(&column))
            })
            .collect();
        want(other.plan(), read.iter().copied());

        let right = build_side(other, &keys, &fields, lookup.multiple)?;
        let mut columns: Vec<Expr> = self
            .fields()
            .iter()
            .map(|f| side("left", f.name()).alias(f.name()))
            .collect();
        columns.extend(["value", "matches"].map(|name| {
            let name = working(name);
            side("right", &name).alias(name)
        }));
        columns.extend(self.origin().into_iter().filter_map(|expr| match expr {
            Expr::Column(c) => Some(side("left", &c.name).alias(c.name)),
            _ => None,
        }));
        let mut on = Vec::new();
        for (at, key) in own_keys.iter().enumerate() {
            on.push(of("left", key.clone())?.eq(side("right", &working(format!("k{at}")))));
        }
        let kind = match lookup.missing {
            Missing::Drop => JoinType::Inner,
            // The engine builds its table of the left input, which is the one that is looked up in.
            _ => JoinType::Right,
        };
        let (state, left) = self.inner.clone().into_parts();
        let left = LogicalPlanBuilder::from(left).alias("left")?.build()?;
        let plan = LogicalPlanBuilder::from(right)
            .alias(TableReference::bare("right"))?
            .join_on(left, kind, on)?
            .project(columns)?
            .build()?;
        let mut joined = self.over(DataFrame::new(state, plan));
        if let Some(reason) = reason(lookup, &own_keys)? {
            joined = joined.set_aside(&step, reason);
        }
        joined.with_record(&record)
    }
}

/// The fields that are looked up, with the names that they get.
fn found(other: &DynamicFrame, lookup: &Lookup, keys: &[Value]) -> Result<Vec<(String, Value)>> {
    let record = other.record();
    let mut fields = Vec::new();
    if lookup.fields.is_empty() {
        for field in other.fields() {
            let value = Value::of_field(field);
            if !keys.iter().any(|key| key.expr == value.expr) {
                let name = Path::of([format!("{}{}", lookup.prefix, field.name())]);
                fields.push((name.to_string(), value));
            }
        }
    }
    for (from, name) in &lookup.fields {
        let path = Path::parse(from)?;
        let value = record.value(&path)?;
        let name = name.clone().unwrap_or_else(|| {
            let last = path.parts().last().map_or("", String::as_str);
            Path::of([format!("{}{last}", lookup.prefix)]).to_string()
        });
        fields.push((name, value));
    }
    if fields.is_empty() {
        return Err(FrameError::NoFieldsLeft);
    }
    Ok(fields)
}

/// Keys, what is found by them as one struct, and how often: with `all` a record each, else a record for
/// each key.
fn build_side(
    other: DynamicFrame,
    keys: &[Value],
    fields: &[(String, Value)],
    multiple: Multiple,
) -> Result<datafusion::logical_expr::LogicalPlan> {
    let mut named = Vec::new();
    for (at, (_, value)) in fields.iter().enumerate() {
        named.push(lit(format!("f{at}")));
        named.push(value.expr.clone());
    }
    let whole = core::named_struct().call(named);
    let (_, plan) = other.inner.into_parts();
    let mut plan = LogicalPlanBuilder::from(plan);
    let known = keys.iter().map(|k| k.expr.clone().is_not_null());
    if let Some(known) = known.reduce(Expr::and) {
        plan = plan.filter(known)?;
    }
    let key = |at: usize| working(format!("k{at}"));
    let named_keys = keys.iter().enumerate();
    let named_keys = named_keys.map(|(at, k)| k.expr.clone().alias(key(at)));
    let (value, matches) = (working("value"), working("matches"));
    let plan = if multiple == Multiple::All {
        let rest = [whole.alias(value), lit(1_i64).alias(matches)];
        plan.project(named_keys.chain(rest))?
    } else {
        // Equal in all that can be ordered, records may still differ in what is nested.
        let order = fields
            .iter()
            .filter(|(_, v)| !v.data_type.is_nested() && v.data_type != DataType::Null)
            .map(|(_, v)| v.expr.clone().sort(true, false));
        let first = first_value(whole, order.collect()).alias(value);
        plan.aggregate(named_keys, [first, count(lit(1_i64)).alias(matches)])?
    };
    Ok(plan.build()?)
}

/// Why a record is set aside, where anything is to be.
fn reason(lookup: &Lookup, keys: &[Value]) -> Result<Option<Expr>> {
    let matches = column(&working("matches"));
    let mut said = Vec::new();
    for (key, value) in lookup.on.iter().zip(keys) {
        let and = if said.is_empty() { "" } else { " and " };
        said.push(lit(format!("{and}{} = ", key.right)));
        said.push(shown(value)?);
    }
    let text = |start: Vec<Expr>| concat(start.into_iter().chain(said.iter().cloned()).collect());
    let name = &lookup.name;
    let none = text(vec![lit(format!("no record of {name} has "))]);
    let many = text(vec![
        cast(matches.clone(), DataType::Utf8),
        lit(format!(" records of {name} have ")),
    ]);
    let missing = matches.clone().is_null();
    let several = matches.gt(lit(1_i64));
    Ok(match (lookup.missing, lookup.multiple) {
        (Missing::Error, Multiple::Error) => Some(when(missing, none).when(several, many).end()?),
        (Missing::Error, _) => Some(when(missing, none).end()?),
        (_, Multiple::Error) => Some(when(several, many).end()?),
        _ => None,
    })
}

/// A value as text, cut where it is long.
fn shown(value: &Value) -> Result<Expr> {
    let text = cast(value.expr.clone(), DataType::Utf8);
    let quoted = if value.data_type.is_string() { "'" } else { "" };
    let long = char_length(text.clone()).gt(lit(60));
    let cut = concat(vec![left(text.clone(), lit(57_i64)), lit("...")]);
    let short = when(long, cut).otherwise(text.clone())?;
    let whole = concat(vec![lit(quoted), short, lit(quoted)]);
    Ok(when(text.is_null(), lit("NULL")).otherwise(whole)?)
}
