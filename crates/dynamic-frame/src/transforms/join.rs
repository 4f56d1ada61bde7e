//! `Join`: the records of two frames that agree in some fields.

use std::collections::HashSet;
use std::str::FromStr;

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use mastic_schema::choice::{format_type, is_choice};
use mastic_schema::names;

use crate::path::Path;
use crate::record::Value;
use crate::{DynamicFrame, FrameError, Result};

const LEFT: &str = "left";
const RIGHT: &str = "right";

/// Which records a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum JoinKind {
    /// Those with a match, joined; Glue's only kind.
    #[default]
    Inner,
    /// All of the left frame, with NULLs where the right one has no match.
    Left,
    /// All of the right frame, with NULLs where the left one has no match.
    Right,
    /// All of both.
    Full,
    /// Those of the left frame that have a match, as they are and once each.
    Semi,
    /// Those of the left frame that have no match, as they are.
    Anti,
}

impl JoinKind {
    /// The kinds' names, as a script writes them.
    pub const NAMES: [&'static str; 6] = ["inner", "left", "right", "full", "semi", "anti"];

    fn join_type(self) -> JoinType {
        match self {
            Self::Inner => JoinType::Inner,
            Self::Left => JoinType::Left,
            Self::Right => JoinType::Right,
            Self::Full => JoinType::Full,
            Self::Semi => JoinType::LeftSemi,
            Self::Anti => JoinType::LeftAnti,
        }
    }
}

impl FromStr for JoinKind {
    type Err = Option<String>;

    /// Reads a kind's name; the error is the closest name, where one is close.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text {
            "inner" => Self::Inner,
            "left" => Self::Left,
            "right" => Self::Right,
            "full" | "outer" => Self::Full,
            "semi" => Self::Semi,
            "anti" => Self::Anti,
            _ => return Err(names::closest(text, Self::NAMES)),
        })
    }
}

/// A pair of fields that must be equal, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinKey {
    /// The left frame's field.
    pub left: String,
    /// The right frame's field.
    pub right: String,
}

impl JoinKey {
    /// The left frame's field and the right frame's.
    pub fn new(left: impl Into<String>, right: impl Into<String>) -> Self {
        Self {
            left: left.into(),
            right: right.into(),
        }
    }

    /// A field that both frames have.
    pub fn same(name: impl Into<String> + Clone) -> Self {
        Self::new(name.clone(), name)
    }
}

impl DynamicFrame {
    /// Joins the records of another frame to those of this one where all keys are equal. NULL
    /// equals nothing.
    ///
    /// The joined record has the left fields, then the right ones. A key of the same name on both
    /// sides is there once, as with SQL's `USING`; keys of different names are both there, as in
    /// Glue. Another name that both sides have is prefixed on the right with `right_`, as Glue
    /// Studio's "Resolve it" does (Glue's own library would call it `.name`, which no SQL can
    /// write without quotes).
    ///
    /// # Errors
    /// When a key does not exist, or the two fields of a key cannot be equal by their types.
    pub fn join(self, other: Self, keys: &[JoinKey], kind: JoinKind) -> Result<Self> {
        self.join_prefixed(other, keys, kind, "right_")
    }

    /// [`DynamicFrame::join`], in which names that both sides have get this prefix on the right: `"."`
    /// for the names that Glue's library gives them. Where such a name is taken, too, it is prefixed
    /// again.
    ///
    /// # Errors
    /// As [`DynamicFrame::join`], and when the prefix is empty.
    pub fn join_prefixed(
        self,
        other: Self,
        keys: &[JoinKey],
        kind: JoinKind,
        prefix: &str,
    ) -> Result<Self> {
        if prefix.is_empty() {
            return Err(FrameError::BadPath {
                path: prefix.to_owned(),
                reason: "a prefix for names that both sides have cannot be empty".to_owned(),
            });
        }
        let mut shared = Vec::new();
        let mut on = Vec::new();
        for key in keys {
            let (left_path, right_path) = (Path::parse(&key.left)?, Path::parse(&key.right)?);
            let left = self.record().value(&left_path)?;
            let right = other.record().value(&right_path)?;
            if !comparable(&left.data_type, &right.data_type) {
                return Err(FrameError::TypeMismatch {
                    path: key.right.clone(),
                    expected: format!(
                        "{} for '{}' on the left",
                        format_type(&left.data_type),
                        key.left
                    ),
                    found: format_type(&right.data_type),
                    hint: Some(cast_first(key, &left.data_type, &right.data_type)),
                });
            }
            if let (Expr::Column(l), Expr::Column(r)) = (&left.expr, &right.expr)
                && l.name.to_lowercase() == r.name.to_lowercase()
            {
                shared.push((l.name.clone(), r.name.clone()));
            }
            on.push(of(LEFT, left)?.eq(of(RIGHT, right)?));
        }

        let mut columns = joined(&self, &other, &shared, kind, prefix);
        // The record stays the left one's, wherever what it was joined with came from.
        columns.extend(self.origin().into_iter().filter_map(|expr| match expr {
            Expr::Column(c) => Some(side(LEFT, &c.name).alias(c.name)),
            _ => None,
        }));
        let (state, left) = self.inner.into_parts();
        let (_, right) = other.inner.into_parts();
        let right = LogicalPlanBuilder::from(right).alias(RIGHT)?.build()?;
        let plan = LogicalPlanBuilder::from(left)
            .alias(LEFT)?
            .join_on(right, kind.join_type(), on)?
            .project(columns)?
            .build()?;
        Self::new(DataFrame::new(state, plan))
    }
}

/// The joined record's columns.
fn joined(
    left: &DynamicFrame,
    right: &DynamicFrame,
    shared: &[(String, String)],
    kind: JoinKind,
    prefix: &str,
) -> Vec<Expr> {
    let mut taken = HashSet::new();
    let mut columns = Vec::new();
    for field in left.fields() {
        let name = field.name();
        let own = side(LEFT, name);
        let same = shared.iter().find(|(l, _)| l == name);
        let expr = match (same, kind) {
            (Some((_, r)), JoinKind::Right) => side(RIGHT, r),
            (Some((_, r)), JoinKind::Full) => core::coalesce().call(vec![own, side(RIGHT, r)]),
            _ => own,
        };
        taken.insert(name.to_lowercase());
        columns.push(expr.alias(name));
    }
    if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        return columns;
    }
    for field in right.fields() {
        let name = field.name();
        if shared.iter().any(|(_, r)| r == name) {
            continue;
        }
        let mut chosen = name.clone();
        while !taken.insert(chosen.to_lowercase()) {
            chosen = format!("{prefix}{chosen}");
        }
        columns.push(side(RIGHT, name).alias(chosen));
    }
    columns
}

pub(super) fn side(table: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(table)), name))
}

/// The value, with its columns taken from that side of the join.
pub(super) fn of(table: &str, value: Value) -> Result<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let expr = value.expr.transform(|part| {
        Ok(match part {
            Expr::Column(c) => Transformed::yes(side(table, &c.name)),
            other => Transformed::no(other),
        })
    })?;
    Ok(expr.data)
}

/// What to do about keys of types that cannot be compared.
fn cast_first(key: &JoinKey, left: &DataType, right: &DataType) -> String {
    // A choice cannot be compared with anything, and nothing can be cast to one.
    let resolved = match (is_choice(left), is_choice(right)) {
        (true, _) => Some((&key.left, "on the left", right)),
        (_, true) => Some((&key.right, "on the right", left)),
        _ => None,
    };
    match resolved {
        Some((path, side, other)) => {
            let to = match is_choice(other) {
                true => "string".to_owned(),
                false => format_type(other),
            };
            format!("make it one type first, {side}: resolve_choice: {{{path}: 'cast:{to}'}}")
        }
        None => format!(
            "cast one of them first, say by map: {{{}: cast({} as {})}}",
            key.right,
            key.right,
            format_type(left)
        ),
    }
}

/// Whether values of the two types can be equal without guessing: numbers with numbers, text with
/// text. (The engine would turn text into numbers, and fail at the first that is none.)
pub(super) fn comparable(a: &DataType, b: &DataType) -> bool {
    let text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = |t: &DataType| {
        matches!(
            t,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
        )
    };
    a.equals_datatype(b)
        || matches!((a, b), (DataType::Null, _) | (_, DataType::Null))
        || (a.is_numeric() && b.is_numeric())
        || (text(a) && text(b))
        || (time(a) && time(b))
}
