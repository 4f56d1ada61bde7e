//! The shape of the record that a transform puts out.
//!
//! A transform opens the frame's schema as a tree, changes the tree, and renders it as one
//! projection. A struct is opened only where a change lies inside it, so a projection that
//! touches nothing nested stays a list of columns.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::compute::can_cast_types;
use datafusion::common::Column;
use datafusion::functions::core;
use datafusion::logical_expr::{Expr, lit, try_cast, when};
use mastic_functions::choice;
use mastic_schema::choice::{format_type, is_choice};
use mastic_schema::names;

use crate::path::Path;
use crate::types::{element, without};
use crate::{FrameError, Result};

/// A record's fields, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    fields: Vec<(String, Node)>,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// The value of an expression.
    Value(Value),
    /// A struct whose fields are taken one by one.
    Struct { present: Presence, fields: Record },
}

/// An expression, and the field that it gives.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) expr: Expr,
    pub(crate) data_type: DataType,
    pub(crate) nullable: bool,
}

/// When a struct is there at all: a struct that was NULL stays NULL, and does not become a struct
/// of NULLs because one of its fields was renamed.
#[derive(Debug, Clone)]
pub(crate) enum Presence {
    Always,
    /// Where the expression is true.
    When(Expr),
    /// Where any of its fields is not NULL: a struct that a transform nests.
    AnyField,
}

/// The column of this name. `col(..)` would take dots for qualifiers and lower the letters.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The field of this name: exactly so written, else the only one that differs just in case.
pub(crate) fn position<'a>(
    names: impl IntoIterator<Item = &'a str> + Clone,
    wanted: &str,
) -> Option<usize> {
    if let Some(exact) = names.clone().into_iter().position(|n| n == wanted) {
        return Some(exact);
    }
    let lower = wanted.to_lowercase();
    let mut similar = names
        .into_iter()
        .enumerate()
        .filter(|(_, n)| n.to_lowercase() == lower);
    match (similar.next(), similar.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

pub(crate) fn field_expr(parent: &Expr, name: &str) -> Expr {
    core::get_field().call(vec![parent.clone(), lit(name)])
}

impl Value {
    pub(crate) fn of_field(field: &Field) -> Self {
        Self {
            expr: column(field.name()),
            data_type: field.data_type().clone(),
            nullable: field.is_nullable(),
        }
    }

    /// The value's field of this name, where the value is a struct.
    fn field(&self, field: &Field) -> Self {
        Self {
            expr: field_expr(&self.expr, field.name()),
            data_type: field.data_type().clone(),
            nullable: self.nullable || field.is_nullable(),
        }
    }
}

impl Node {
    /// Opens a struct, so that its fields can be changed one by one. A choice is no struct: one of its
    /// alternatives cannot be taken away or changed without the others.
    fn open(&mut self) -> Option<(&mut Presence, &mut Record)> {
        if let Self::Value(value) = self
            && is_choice(&value.data_type)
        {
            return None;
        }
        self.open_any()
    }

    /// Opens a struct or a choice.
    fn open_any(&mut self) -> Option<(&mut Presence, &mut Record)> {
        if let Self::Value(value) = self
            && let DataType::Struct(fields) = &value.data_type
        {
            let present = if value.nullable {
                Presence::When(value.expr.clone().is_not_null())
            } else {
                Presence::Always
            };
            let fields = fields
                .iter()
                .map(|f| (f.name().clone(), Self::Value(value.field(f))))
                .collect();
            *self = Self::Struct {
                present,
                fields: Record { fields },
            };
        }
        match self {
            Self::Struct { present, fields } => Some((present, fields)),
            Self::Value(_) => None,
        }
    }

    fn type_name(&self) -> String {
        match self {
            Self::Value(value) => format_type(&value.data_type),
            Self::Struct { .. } => "struct".to_owned(),
        }
    }

    /// Whether the value can be NULL.
    fn nullable(&self) -> bool {
        match self {
            Self::Value(value) => value.nullable,
            Self::Struct { present, fields } => match present {
                Presence::Always => false,
                Presence::When(_) => true,
                Presence::AnyField => fields.fields.iter().all(|(_, n)| n.nullable()),
            },
        }
    }

    /// The expressions of which one is not NULL where the value is there.
    fn leaves<'a>(&'a self, out: &mut Vec<&'a Expr>) {
        match self {
            Self::Value(value) => out.push(&value.expr),
            Self::Struct { fields, .. } => fields.fields.iter().for_each(|(_, n)| n.leaves(out)),
        }
    }

    fn render(&self) -> Result<Expr> {
        let (present, fields) = match self {
            Self::Value(value) => return Ok(value.expr.clone()),
            Self::Struct { present, fields } => (present, fields),
        };
        let mut arguments = Vec::with_capacity(fields.fields.len() * 2);
        for (name, node) in &fields.fields {
            arguments.push(lit(name.as_str()));
            arguments.push(node.render()?);
        }
        let made = core::named_struct().call(arguments);
        let condition = match present {
            Presence::Always => None,
            Presence::When(condition) => Some(condition.clone()),
            Presence::AnyField if !self.nullable() => None,
            Presence::AnyField => {
                let mut leaves = Vec::new();
                self.leaves(&mut leaves);
                leaves
                    .into_iter()
                    .map(|leaf| leaf.clone().is_not_null())
                    .reduce(Expr::or)
            }
        };
        Ok(match condition {
            None => made,
            Some(condition) => when(condition, made).end()?,
        })
    }
}

impl Record {
    pub(crate) fn of_schema(schema: &Schema) -> Self {
        let fields = schema.fields().iter();
        Self {
            fields: fields
                .map(|f| (f.name().clone(), Node::Value(Value::of_field(f))))
                .collect(),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The place of the field `path.parts()[depth]` in this record, which lies at that depth.
    pub(crate) fn at(&self, path: &Path, depth: usize) -> Result<usize> {
        let wanted = path.parts().get(depth).map_or("", String::as_str);
        position(self.names(), wanted).ok_or_else(|| {
            let prefix = &path.parts()[..depth];
            let full = |name: &str| {
                let parts = prefix.iter().map(String::as_str).chain([name]);
                Path::of(parts).to_string()
            };
            FrameError::FieldNotFound {
                path: path.to_string(),
                did_you_mean: names::closest(wanted, self.names()).map(|name| {
                    let rest = path.parts()[depth + 1..].iter().map(String::as_str);
                    let parts = prefix.iter().map(String::as_str);
                    Path::of(parts.chain([name.as_str()]).chain(rest)).to_string()
                }),
                available: self.names().map(full).collect(),
            }
        })
    }

    /// The value at the path: a column, a field of a struct, or an alternative of a choice.
    pub(crate) fn value(&self, path: &Path) -> Result<Value> {
        let mut node = match self.fields.get(self.at(path, 0)?) {
            Some((_, node)) => node.clone(),
            None => return Err(not_a_value(path)),
        };
        for depth in 1..path.parts().len() {
            let found = node.type_name();
            let Some((_, fields)) = node.open_any() else {
                return Err(not_a_struct(path, depth - 1, found));
            };
            let at = fields.at(path, depth)?;
            node = fields.fields.swap_remove(at).1;
        }
        match node {
            Node::Value(value) => Ok(value),
            Node::Struct { .. } => Err(not_a_value(path)),
        }
    }

    /// Takes the field out of the record. A struct that loses its last field goes with it.
    pub(crate) fn take(&mut self, path: &Path) -> Result<Node> {
        self.take_from(path, 0)
    }

    fn take_from(&mut self, path: &Path, depth: usize) -> Result<Node> {
        let at = self.at(path, depth)?;
        if depth + 1 == path.parts().len() {
            return Ok(self.fields.remove(at).1);
        }
        let found = self.fields[at].1.type_name();
        let Some((_, inner)) = self.fields[at].1.open() else {
            return Err(not_a_struct(path, depth, found));
        };
        let taken = inner.take_from(path, depth + 1)?;
        if inner.fields.is_empty() {
            self.fields.remove(at);
        }
        Ok(taken)
    }

    /// Drops the field, which may also lie in structs inside arrays.
    pub(crate) fn drop_field(&mut self, path: &Path) -> Result<()> {
        self.drop_from(path, 0)
    }

    fn drop_from(&mut self, path: &Path, depth: usize) -> Result<()> {
        let at = self.at(path, depth)?;
        if depth + 1 == path.parts().len() {
            self.fields.remove(at);
            return Ok(());
        }
        let node = &mut self.fields[at].1;
        if let Node::Value(value) = node
            && let Some(element) = element(&value.data_type)
            && matches!(element.data_type(), DataType::Struct(_))
        {
            match without(&value.data_type, path, depth + 1)? {
                // A cast between structs goes by name, so a cast to fewer fields drops the rest,
                // in every element, without a loop of ours.
                Some(narrow) => *value = cast(value, narrow),
                None => {
                    self.fields.remove(at);
                }
            }
            return Ok(());
        }
        let found = node.type_name();
        let Some((_, inner)) = node.open() else {
            return Err(not_a_struct(path, depth, found));
        };
        inner.drop_from(path, depth + 1)?;
        if inner.fields.is_empty() {
            self.fields.remove(at);
        }
        Ok(())
    }

    /// Sets the field, in its place where it exists, else at the end of its struct. Structs on the
    /// way that do not exist are made.
    pub(crate) fn set(&mut self, path: &Path, node: Node) -> Result<()> {
        let (parents, last) = path.split();
        let mut record = self;
        for (depth, name) in parents.iter().enumerate() {
            let at = match position(record.names(), name) {
                Some(at) => at,
                None => {
                    let made = Node::Struct {
                        present: Presence::AnyField,
                        fields: Self::default(),
                    };
                    record.fields.push((name.clone(), made));
                    record.fields.len() - 1
                }
            };
            let found = record.fields[at].1.type_name();
            let Some((present, inner)) = record.fields[at].1.open() else {
                return Err(not_a_struct(path, depth, found));
            };
            // A struct that was NULL comes into being where one of its fields is set.
            if let Presence::When(condition) = present {
                let mut leaves = Vec::new();
                node.leaves(&mut leaves);
                *condition = leaves.into_iter().fold(condition.clone(), |whole, leaf| {
                    whole.or(leaf.clone().is_not_null())
                });
            }
            record = inner;
        }
        match position(record.names(), last) {
            Some(at) => record.fields[at].1 = node,
            None => record.fields.push((last.to_owned(), node)),
        }
        Ok(())
    }

    /// Whether there is a field at the path.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.clone().take(path).is_ok()
    }

    /// Renames the field where it stands.
    pub(crate) fn rename(&mut self, path: &Path, new_name: &str) -> Result<()> {
        let mut record = self;
        let (parents, _) = path.split();
        for depth in 0..parents.len() {
            let at = record.at(path, depth)?;
            let found = record.fields[at].1.type_name();
            let Some((_, inner)) = record.fields[at].1.open() else {
                return Err(not_a_struct(path, depth, found));
            };
            record = inner;
        }
        let at = record.at(path, parents.len())?;
        let lower = new_name.to_lowercase();
        let clash = record.names().enumerate();
        if clash
            .into_iter()
            .any(|(i, n)| i != at && n.to_lowercase() == lower)
        {
            let parts = parents.iter().map(String::as_str).chain([new_name]);
            return Err(FrameError::FieldExists {
                path: Path::of(parts).to_string(),
            });
        }
        record.fields[at].0 = new_name.to_owned();
        Ok(())
    }

    /// Keeps only these paths, in their order, nested as they were.
    pub(crate) fn select(&self, paths: &[Path]) -> Result<Self> {
        let mut kept = Self::default();
        for path in paths {
            // The names as the frame has them, whatever the case of the path.
            let mut source = self.clone();
            let mut record = &mut source;
            let mut into = &mut kept;
            for depth in 0..path.parts().len() {
                let at = record.at(path, depth)?;
                let name = record.fields[at].0.clone();
                let place = position(into.names(), &name);
                if depth + 1 == path.parts().len() {
                    let node = record.fields[at].1.clone();
                    match place {
                        Some(place) => into.fields[place].1 = node,
                        None => into.fields.push((name, node)),
                    }
                    break;
                }
                let found = record.fields[at].1.type_name();
                let Some((present, inner)) = record.fields[at].1.open() else {
                    return Err(not_a_struct(path, depth, found));
                };
                let place = place.unwrap_or_else(|| {
                    let empty = Node::Struct {
                        present: present.clone(),
                        fields: Self::default(),
                    };
                    into.fields.push((name, empty));
                    into.fields.len() - 1
                });
                match &mut into.fields[place].1 {
                    Node::Struct { fields, .. } => into = fields,
                    // The whole struct was selected before.
                    Node::Value(_) => break,
                }
                record = inner;
            }
        }
        Ok(kept)
    }

    /// One expression per column, each named.
    pub(crate) fn render(&self) -> Result<Vec<Expr>> {
        if self.fields.is_empty() {
            return Err(FrameError::NoFieldsLeft);
        }
        self.fields
            .iter()
            .map(|(name, node)| match node {
                // A column under its own name stays a column, with its metadata.
                Node::Value(Value {
                    expr: Expr::Column(c),
                    ..
                }) if c.name == *name => Ok(Expr::Column(c.clone())),
                node => Ok(node.render()?.alias(name)),
            })
            .collect()
    }
}

/// The value, cast. A plain value that does not fit becomes NULL, as in Glue. Nested types are cast
/// by their fields' names; of those the engine has only the strict cast, which fails on a value
/// that does not fit.
pub(crate) fn cast(value: &Value, to: DataType) -> Value {
    let expr = value.expr.clone();
    let (expr, nullable) = if to.is_nested() {
        (
            datafusion::logical_expr::cast(expr, to.clone()),
            value.nullable,
        )
    } else {
        (try_cast(expr, to.clone()), true)
    };
    Value {
        expr,
        data_type: to,
        nullable,
    }
}

/// The value converted as far as it can be, as in Glue; what cannot be is NULL. Plain values are cast by the
/// engine's own expression, which the optimizer knows. (A choice could be too, by `coalesce`; the function is
/// faster, for it casts only the few values that are of another type.)
pub(crate) fn converted(value: &Value, to: &DataType) -> Result<Value> {
    let from = &value.data_type;
    if from == to {
        return Ok(value.clone());
    }
    let plain = !from.is_nested() && !to.is_nested() && can_cast_types(from, to);
    let expr = match plain {
        true => try_cast(value.expr.clone(), to.clone()),
        false => choice::convert(value.expr.clone(), to)?,
    };
    Ok(Value {
        expr,
        data_type: to.clone(),
        nullable: true,
    })
}

fn not_a_value(path: &Path) -> FrameError {
    FrameError::TypeMismatch {
        path: path.to_string(),
        expected: "a value".to_owned(),
        found: "a struct that another step is putting together".to_owned(),
        hint: None,
    }
}

pub(crate) fn not_a_struct(path: &Path, depth: usize, found: String) -> FrameError {
    let at = Path::of(&path.parts()[..=depth]);
    let hint = if found.starts_with("choice<") {
        Some(format!("resolve it first: resolve_choice: {{{at}: ...}}"))
    } else if found.starts_with("array<") {
        Some("paths do not lead into arrays here; use an sql step with unnest".to_owned())
    } else if found.starts_with("map<") {
        Some(format!("a map's value is an expression: {at}['key']"))
    } else {
        None
    };
    FrameError::TypeMismatch {
        path: at.to_string(),
        expected: format!("a struct for '{path}'"),
        found,
        hint,
    }
}

impl Record {
    /// Sets a field that nothing else sets, into structs that nothing else made.
    pub(crate) fn set_new(&mut self, path: &Path, node: Node) -> Result<()> {
        let (parents, _) = path.split();
        for depth in 1..=parents.len() {
            let parent = Path::of(&parents[..depth]);
            // A mapping to `a` and one to `a.b` would fight over `a`.
            if self.value(&parent).is_ok() {
                return Err(FrameError::FieldExists {
                    path: parent.to_string(),
                });
            }
        }
        self.set(path, node)
    }
}
