//! Marks on the tables of a statement, in the place of a version.
//!
//! A version that somebody writes is never an identifier, so none is taken for a mark.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Statement, TableFactor, TableVersion, VisitMut, VisitorMut,
};

use crate::error::{QueryError, Result};
use crate::table::hidden;

/// What begins a mark that is yet to be settled, and one that stands for a provider.
const OPEN: &str = "$table ";
const SETTLED: &str = "$opened ";

/// A table that was marked.
pub(super) struct Marked {
    pub(super) mark: u64,
    pub(super) name: ObjectName,
    /// The version that was asked for.
    pub(super) version: Option<TableVersion>,
}

fn mark_of(prefix: &str, number: u64) -> TableVersion {
    TableVersion::Function(Expr::Identifier(Ident::new(format!("{prefix}{number}"))))
}

fn number_of(prefix: &str, version: &TableVersion) -> Option<u64> {
    match version {
        TableVersion::Function(Expr::Identifier(ident)) => {
            ident.value.strip_prefix(prefix)?.parse().ok()
        }
        _ => None,
    }
}

/// The provider that a mark stands for.
pub(super) fn settled(version: &TableVersion) -> Option<u64> {
    number_of(SETTLED, version)
}

/// Whether a statement names a hidden column anywhere; their names are written as they are then, whatever their case.
pub(super) fn names_hidden(statement: &mut Statement) -> bool {
    struct Names(bool);
    impl Names {
        fn look(&mut self, ident: &mut Ident) {
            let known = hidden::NAMES
                .into_iter()
                .find(|name| ident.value.eq_ignore_ascii_case(name));
            if let (Some(name), true) = (known, ident.quote_style.is_some()) {
                name.clone_into(&mut ident.value);
                self.0 = true;
            }
        }
    }
    impl VisitorMut for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(ident) => self.look(ident),
                Expr::CompoundIdentifier(parts) => {
                    if let Some(last) = parts.last_mut() {
                        self.look(last);
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(false);
    // Nothing breaks off.
    let _ = statement.visit(&mut names);
    names.0
}

/// Marks the tables that have a version, or all of them.
pub(super) fn mark(statement: &mut Statement, all: bool) -> Result<Vec<Marked>> {
    struct Marks {
        all: bool,
        found: Vec<Marked>,
        /// The names of WITH queries that can be read here.
        queries: Vec<String>,
    }
    impl Marks {
        fn is_query(&self, name: &ObjectName) -> bool {
            match name.0.as_slice() {
                [one] => one
                    .as_ident()
                    .is_some_and(|ident| self.queries.contains(&normal(ident))),
                _ => false,
            }
        }
    }
    impl VisitorMut for Marks {
        type Break = QueryError;

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
            if let Some(with) = &mut query.with {
                for cte in &mut with.cte_tables {
                    // A query does not see itself: `WITH t AS (SELECT * FROM t)` reads the table. It is looked at again
                    // with all of this one, when what it reads has its marks.
                    if !with.recursive {
                        cte.visit(self)?;
                    }
                    self.queries.push(normal(&cte.alias.name));
                }
            }
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
            let own = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
            let left = self.queries.len().saturating_sub(own);
            self.queries.truncate(left);
            ControlFlow::Continue(())
        }

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
            let TableFactor::Table {
                name,
                version,
                args: None,
                ..
            } = factor
            else {
                return ControlFlow::Continue(());
            };
            let marked = version
                .as_ref()
                .is_some_and(|v| number_of(OPEN, v).is_some());
            if marked || (version.is_none() && !self.all) {
                return ControlFlow::Continue(());
            }
            if self.is_query(name) {
                return match version {
                    None => ControlFlow::Continue(()),
                    Some(_) => ControlFlow::Break(QueryError::Statement {
                        message: format!("'{name}' is a query of WITH, which has no versions"),
                        place: None,
                        hint: None,
                    }),
                };
            }
            let number = self.found.len() as u64;
            self.found.push(Marked {
                mark: number,
                name: name.clone(),
                version: version.replace(mark_of(OPEN, number)),
            });
            ControlFlow::Continue(())
        }
    }
    let mut marks = Marks {
        all,
        found: Vec::new(),
        queries: Vec::new(),
    };
    match statement.visit(&mut marks) {
        ControlFlow::Continue(()) => Ok(marks.found),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The name that the engine knows an identifier by.
pub(super) fn normal(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// Puts in the place of marks those of the providers that were opened for them, or nothing.
pub(super) fn settle(statement: &mut Statement, opened: &HashMap<u64, u64>) {
    struct Settle<'a>(&'a HashMap<u64, u64>);
    impl VisitorMut for Settle<'_> {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { version, .. } = factor
                && let Some(mark) = version.as_ref().and_then(|v| number_of(OPEN, v))
            {
                *version = self.0.get(&mark).map(|id| mark_of(SETTLED, *id));
            }
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut Settle(opened));
}
