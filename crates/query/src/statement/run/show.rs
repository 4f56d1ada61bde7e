//! `SHOW …`.

use std::collections::BTreeSet;

use datafusion::dataframe::DataFrame;
use mastic_lake::list::fits;
use mastic_lake::sink::folder;

use super::super::command::{Kind, Show};
use super::{Context, full_name, is_of, show_create};
use crate::error::Result;

pub(super) async fn show(context: &Context<'_>, show: Show) -> Result<DataFrame> {
    match show {
        Show::Databases { pattern } => {
            let names = context.snapshot.database_names();
            let names = names.into_iter().filter(matching(pattern.as_deref()));
            context.texts(&[("database", names.map(Some).collect())])
        }
        Show::Tables {
            kind,
            database,
            pattern,
        } => {
            if let Some(name) = &database {
                context.check_database(&name.value, name.start)?;
            }
            let of = database.map(|name| name.value.to_lowercase());
            let of = of.or_else(|| context.session.database().map(str::to_owned));
            tables(context, kind, of.as_deref(), pattern.as_deref()).await
        }
        Show::Columns { table, pattern } => {
            let table = context.find(&table).await?;
            let wanted = matching(pattern.as_deref());
            let mut rows = Rows::default();
            let all = table.columns().iter().map(|c| (c, false));
            for (column, is_key) in all.chain(table.partition_keys.iter().map(|c| (c, true))) {
                if wanted(&column.name) {
                    rows.push(&[
                        Some(&column.name),
                        Some(column.hive_type()),
                        Some(if is_key { "partition key" } else { "" }),
                        column.comment.as_deref(),
                    ]);
                }
            }
            rows.answer(context, &["column", "type", "extra", "comment"])
        }
        Show::Partitions { table, spec } => {
            let found = context.find_table(&table).await?;
            if found.partition_keys.is_empty() {
                let message = format!("{} has no partitions", full_name(&found));
                return Err(context.wrong(table.start, message, None));
            }
            let partitions = context.partitions(&found, &spec).await?;
            let names = partitions.iter().map(|partition| {
                let keys = found.partition_keys.iter().zip(&partition.values);
                Some(folder(keys.map(|(key, value)| {
                    let null = value == mastic_catalog::HIVE_DEFAULT_PARTITION;
                    (key.name.as_str(), (!null).then_some(value.as_str()))
                })))
            });
            context.texts(&[("partition", names.collect())])
        }
        Show::Properties { table, name } => {
            let table = context.find(&table).await?;
            let parameters = table
                .parameters
                .iter()
                .filter(|(key, _)| name.as_ref().is_none_or(|name| name == *key));
            let (keys, values): (Vec<_>, Vec<_>) = parameters
                .map(|(key, value)| (Some(key.clone()), Some(value.clone())))
                .unzip();
            context.texts(&[("property", keys), ("value", values)])
        }
        Show::Create { kind, table: name } => {
            let table = context.find(&name).await?;
            if let Some(kind) = kind.filter(|kind| !is_of(&table, *kind)) {
                let (is, write) = match kind {
                    Kind::Table => ("a view", "SHOW CREATE VIEW"),
                    Kind::View => ("a table", "SHOW CREATE TABLE"),
                };
                let message = format!("{} is {is}", full_name(&table));
                return Err(context.wrong(name.start, message, Some(format!("write {write}"))));
            }
            context.texts(&[("statement", vec![Some(show_create::statement(&table)?)])])
        }
        Show::CreateDatabase(name) => {
            context.check_database(&name.value, name.start)?;
            let database = context.session.catalog().get_database(&name.value).await?;
            context.texts(&[("statement", vec![Some(show_create::database(&database))])])
        }
        Show::Functions { pattern } => functions(context, pattern.as_deref()),
    }
}

async fn tables(
    context: &Context<'_>,
    kind: Kind,
    database: Option<&str>,
    pattern: Option<&str>,
) -> Result<DataFrame> {
    let wanted = matching(pattern);
    let mut rows = Rows::default();
    for full in context.snapshot.table_names() {
        let Some((of, name)) = full.split_once('.') else {
            continue;
        };
        let here = database.is_none_or(|database| database == of) && wanted(&name.to_owned());
        // SHOW TABLES lists views, too, as Athena's does, and need not open them.
        let is_wanted = match kind {
            _ if !here => false,
            Kind::Table => true,
            Kind::View => {
                let table = context.snapshot.table(of, name).await?;
                table.is_some_and(|table| is_of(&table, kind))
            }
        };
        if is_wanted {
            rows.push(&[Some(of), Some(name)]);
        }
    }
    let name = match kind {
        Kind::Table => "table",
        Kind::View => "view",
    };
    rows.answer(context, &["database", name])
}

fn functions(context: &Context<'_>, pattern: Option<&str>) -> Result<DataFrame> {
    let state = context.session.statements().state();
    let wanted = matching(pattern);
    let mut all = BTreeSet::new();
    let mut add = |name: &str, kind: &'static str| {
        // Names that are no words are operators' own.
        if name.chars().all(|c| c.is_alphanumeric() || c == '_') && wanted(&name.to_owned()) {
            all.insert((name.to_owned(), kind));
        }
    };
    state
        .scalar_functions()
        .keys()
        .for_each(|name| add(name, "scalar"));
    state
        .higher_order_functions()
        .keys()
        .for_each(|name| add(name, "scalar"));
    mastic_functions::sql::REWRITTEN
        .iter()
        .for_each(|name| add(name, "scalar"));
    state
        .aggregate_functions()
        .keys()
        .for_each(|name| add(name, "aggregate"));
    state
        .window_functions()
        .keys()
        .for_each(|name| add(name, "window"));
    let (names, kinds): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|(name, kind)| (Some(name), Some(kind.to_owned())))
        .unzip();
    context.texts(&[("function", names), ("type", kinds)])
}

/// Whether a name fits a pattern of `SHOW`: `*` is any characters, `|` stands between several patterns, and case does
/// not count ("SHOW TABLES", Athena user guide). `.*` and `%` are taken for `*`, as people write them.
fn matching(pattern: Option<&str>) -> impl Fn(&String) -> bool + use<> {
    let globs: BTreeSet<String> = pattern
        .into_iter()
        .flat_map(|pattern| pattern.split('|'))
        .map(|one| one.to_lowercase().replace(".*", "*").replace('%', "*"))
        .collect();
    move |name| fits(&name.to_lowercase(), &globs)
}

/// Rows of text.
#[derive(Default)]
struct Rows {
    rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    fn push(&mut self, row: &[Option<&str>]) {
        let row = row.iter().map(|cell| cell.map(str::to_owned));
        self.rows.push(row.collect());
    }

    fn answer(self, context: &Context<'_>, names: &[&str]) -> Result<DataFrame> {
        let columns = names.iter().enumerate().map(|(at, name)| {
            let cells = self.rows.iter();
            let cells = cells.map(|row| row.get(at).cloned().flatten());
            (*name, cells.collect())
        });
        let columns: Vec<(&str, Vec<Option<String>>)> = columns.collect();
        context.texts(&columns)
    }
}

#[cfg(test)]
mod tests {
    use super::matching;

    // The first three are of the Athena user guide, "SHOW TABLES" and "SHOW DATABASES".
    #[test]
    fn patterns_are_athenas() {
        for (pattern, name, fits) in [
            ("*myregex*", "a_myregex_b", true),
            (".*analytics", "web_analytics", true),
            ("elb_logs|s3*", "s3_access", true),
            ("elb_logs|s3*", "elb_logs_2", false),
            ("ORDERS", "orders", true),
            ("ord%", "orders", true),
            ("a_b", "axb", false),
            ("", "orders", false),
        ] {
            assert_eq!(
                matching(Some(pattern))(&name.to_owned()),
                fits,
                "{pattern} {name}"
            );
        }
        assert!(matching(None)(&"x".to_owned()));
    }
}
