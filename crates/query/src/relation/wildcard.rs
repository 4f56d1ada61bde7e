//! What `*` stands for where tables have hidden columns: everything but them.
//!
//! `*` is written out as `a.*, b.*` over the tables of FROM, each without its hidden columns. What a derived table shows
//! of them was asked for, and stays.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, ExcludeSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Select,
    SelectItem, SelectItemQualifiedWildcardKind, Statement, TableAlias, TableFactor,
    TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::Opened;
use super::marks::{normal, settled};
use crate::error::{QueryError, Result};
use crate::table::hidden;

/// Writes out every `*` over tables with hidden columns.
pub(super) fn write_out(statement: &mut Statement, opened: &Opened) -> Result<()> {
    struct Selects<'a>(&'a Opened);
    impl VisitorMut for Selects<'_> {
        type Break = QueryError;
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
            match of_select(select, self.0) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    match statement.visit(&mut Selects(opened)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// One of the tables that are joined in FROM.
struct Relation {
    /// What its columns are qualified with.
    name: ObjectName,
    /// The hidden columns it has.
    hidden: Vec<&'static str>,
    /// Columns that an earlier one has too, and that are shown once.
    shared: Vec<Ident>,
}

fn not_built(what: &str) -> QueryError {
    QueryError::Unsupported(format!(
        "{what} in a statement that names a hidden column, such as \"$path\", is not built: name the columns"
    ))
}

fn of_select(select: &mut Select, opened: &Opened) -> Result<()> {
    let starred = select.projection.iter().any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    });
    let mut relations = Vec::new();
    let mut unnamed = 0;
    let mut any = false;
    for table in &select.from {
        any |= has_hidden(table, opened)?;
    }
    if !any || !starred {
        return Ok(());
    }
    for table in &mut select.from {
        collect(table, opened, &mut unnamed, &mut relations)?;
    }
    let mut written = Vec::with_capacity(select.projection.len());
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(options) => star(options, &relations, &mut written)?,
            SelectItem::QualifiedWildcard(kind, mut options) => {
                let relation = match &kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => {
                        relations.iter().find(|r| same(&r.name, name))
                    }
                    SelectItemQualifiedWildcardKind::Expr(_) => None,
                };
                if let Some(relation) = relation {
                    leave_out(&mut options, relation.hidden.iter().copied().map(quoted))?;
                }
                written.push(SelectItem::QualifiedWildcard(kind, options));
            }
            other => written.push(other),
        }
    }
    select.projection = written;
    Ok(())
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// `*` as `a.*, b.*`.
fn star(
    options: WildcardAdditionalOptions,
    relations: &[Relation],
    written: &mut Vec<SelectItem>,
) -> Result<()> {
    let plain = WildcardAdditionalOptions {
        wildcard_token: AttachedToken::empty(),
        ..WildcardAdditionalOptions::default()
    };
    let same = WildcardAdditionalOptions {
        wildcard_token: AttachedToken::empty(),
        ..options.clone()
    };
    if same != plain && relations.len() > 1 {
        return Err(not_built(
            "* EXCEPT, EXCLUDE, REPLACE or RENAME over several tables",
        ));
    }
    for relation in relations {
        let mut options = options.clone();
        let hidden = relation.hidden.iter().copied().map(quoted);
        leave_out(&mut options, hidden.chain(relation.shared.iter().cloned()))?;
        written.push(SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(relation.name.clone()),
            options,
        ));
    }
    Ok(())
}

/// Adds columns to those that a wildcard leaves out.
fn leave_out(
    options: &mut WildcardAdditionalOptions,
    columns: impl Iterator<Item = Ident>,
) -> Result<()> {
    let mut all: Vec<ObjectName> = match options.opt_exclude.take() {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(one)) => vec![one],
        Some(ExcludeSelectItem::Multiple(several)) => several,
    };
    if let Some(ExceptSelectItem {
        first_element,
        additional_elements,
    }) = options.opt_except.take()
    {
        all.push(ObjectName::from(vec![first_element]));
        all.extend(
            additional_elements
                .into_iter()
                .map(|c| ObjectName::from(vec![c])),
        );
    }
    for column in columns {
        // Who leaves it out by name leaves it out once.
        let own = |name: &ObjectName| match name.0.as_slice() {
            [one] => one.as_ident().is_some_and(|i| normal(i) == normal(&column)),
            _ => false,
        };
        if !all.iter().any(own) {
            all.push(ObjectName::from(vec![column]));
        }
    }
    if !all.is_empty() {
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(all));
    }
    Ok(())
}

/// Whether a qualifier names a relation: the same, or its last part alone.
fn same(relation: &ObjectName, qualifier: &ObjectName) -> bool {
    let parts = |name: &ObjectName| -> Vec<String> {
        let idents = name.0.iter().filter_map(|part| part.as_ident());
        idents.map(normal).collect()
    };
    parts(relation).ends_with(&parts(qualifier))
}

fn hidden_of(factor: &TableFactor, opened: &Opened) -> Vec<&'static str> {
    let TableFactor::Table {
        version: Some(version),
        ..
    } = factor
    else {
        return Vec::new();
    };
    let Some(table) = settled(version).and_then(|id| opened.get(id)) else {
        return Vec::new();
    };
    let own = |name: &&'static str| table.hides(name);
    hidden::NAMES.into_iter().filter(own).collect()
}

/// Whether any of the tables that are joined has hidden columns; a NATURAL JOIN of one would join by them.
fn has_hidden(table: &TableWithJoins, opened: &Opened) -> Result<bool> {
    let mut any = factor_has_hidden(&table.relation, opened)?;
    for join in &table.joins {
        any |= factor_has_hidden(&join.relation, opened)?;
        if any
            && matches!(
                constraint(&join.join_operator),
                Some(JoinConstraint::Natural)
            )
        {
            return Err(not_built("NATURAL JOIN"));
        }
    }
    Ok(any)
}

fn factor_has_hidden(factor: &TableFactor, opened: &Opened) -> Result<bool> {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => has_hidden(table_with_joins, opened),
        other => Ok(!hidden_of(other, opened).is_empty()),
    }
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator as J;
    match operator {
        J::Join(c)
        | J::Inner(c)
        | J::Left(c)
        | J::LeftOuter(c)
        | J::Right(c)
        | J::RightOuter(c)
        | J::FullOuter(c)
        | J::CrossJoin(c)
        | J::StraightJoin(c) => Some(c),
        _ => None,
    }
}

/// The relations that `*` shows, in order; those without a name get one.
fn collect(
    table: &mut TableWithJoins,
    opened: &Opened,
    unnamed: &mut usize,
    relations: &mut Vec<Relation>,
) -> Result<()> {
    factor(&mut table.relation, opened, unnamed, relations)?;
    for join in &mut table.joins {
        let before = relations.len();
        factor(&mut join.relation, opened, unnamed, relations)?;
        match constraint(&join.join_operator) {
            None => return Err(not_built("* over a SEMI, ANTI or other special join")),
            Some(JoinConstraint::Using(columns)) => {
                let [.., last] = relations.as_mut_slice() else {
                    continue;
                };
                for column in columns {
                    let ident = column.0.last().and_then(|part| part.as_ident());
                    last.shared.extend(ident.cloned());
                }
                if before + 1 != relations.len() {
                    return Err(not_built("* over a join in parentheses with USING"));
                }
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn factor(
    factor: &mut TableFactor,
    opened: &Opened,
    unnamed: &mut usize,
    relations: &mut Vec<Relation>,
) -> Result<()> {
    let hidden = hidden_of(factor, opened);
    let name = match factor {
        TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } => return collect(table_with_joins, opened, unnamed, relations),
        TableFactor::NestedJoin { alias: Some(_), .. } => {
            return Err(not_built("* over a join in parentheses that has a name"));
        }
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => ObjectName::from(vec![alias.name.clone()]),
            None => name.clone(),
        },
        TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => {
            let alias = alias.get_or_insert_with(|| {
                *unnamed += 1;
                TableAlias {
                    explicit: true,
                    name: quoted(&format!("$unnamed {unnamed}")),
                    columns: Vec::new(),
                    at: None,
                }
            });
            ObjectName::from(vec![alias.name.clone()])
        }
        TableFactor::Function {
            alias: Some(alias), ..
        }
        | TableFactor::TableFunction {
            alias: Some(alias), ..
        } => ObjectName::from(vec![alias.name.clone()]),
        _ => return Err(not_built("* over a table function without a name")),
    };
    relations.push(Relation {
        name,
        hidden,
        shared: Vec::new(),
    });
    Ok(())
}
