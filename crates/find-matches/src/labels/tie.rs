//! Which row of the table a row of a label file is: by the primary key, or else by the equality of all columns.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use datafusion::common::{DFSchema, JoinType};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::{btrim, coalesce};
use datafusion::logical_expr::{Expr, cast, lit, try_cast};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::HashMap;
use mastic_schema::names::closest;

use super::{LABEL, LABELING_SET_ID, Labels, MOST_ROWS, Tied};
use crate::align::{Shared, local};
use crate::error::{MatchError, Result};
use crate::normalise::column;
use crate::settings::Settings;
use crate::spool::{ROW, Spool};

/// How many equal rows of the table are told apart.
const EQUALS: usize = 1_000;
/// The most characters of a row that are shown.
const SHOWN: usize = 200;

/// A row of the file.
struct Given {
    set: String,
    label: String,
    line: u64,
    /// The values by which it is found.
    values: Vec<String>,
}

/// What a row is found by: the table's column, and the label file's.
struct By {
    ours: String,
    theirs: String,
}

/// The rows of a label file with those of the table that they are.
///
/// Of equal rows of the table, a set's first row is the first one, its second the second one.
///
/// # Errors
/// When the file lacks a column, or names a row that is not there.
pub(crate) async fn tie(
    context: &SessionContext,
    raw: &Arc<Spool>,
    shared: &[Shared],
    labels: &Labels,
    settings: &Settings,
) -> Result<Vec<Tied>> {
    let table = raw.scan(context, "records")?;
    let (set, label) = (named(labels, LABELING_SET_ID)?, named(labels, LABEL)?);
    let by = columns(labels, table.schema(), shared, settings)?;
    let given = read(labels, &set, &label, &by, table.schema()).await?;
    let found = find(context, table, &given, &by).await?;
    let mut out = Vec::with_capacity(given.len());
    let mut used: HashMap<(&str, &[String]), usize> = HashMap::new();
    for (given, rows) in given.iter().zip(found) {
        let before = used
            .entry((given.set.as_str(), given.values.as_slice()))
            .or_default();
        let Some(row) = rows.get(*before) else {
            if labels.partial {
                continue;
            }
            return Err(missing(labels, given, &by, rows.len()));
        };
        *before += 1;
        out.push(Tied {
            set: given.set.clone(),
            label: given.label.clone(),
            line: given.line,
            row: *row,
        });
    }
    Ok(out)
}

fn missing(labels: &Labels, given: &Given, by: &[By], there: usize) -> MatchError {
    let mut shown: String = by
        .iter()
        .zip(&given.values)
        .filter(|(_, value)| !value.is_empty())
        .map(|(by, value)| format!("{}: {value}", by.ours))
        .collect::<Vec<_>>()
        .join(", ");
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(cut);
        shown.push('…');
    }
    let what = match there {
        0 => "is not in the table".to_owned(),
        n => format!("is in the table {n} times, and in the set more often"),
    };
    MatchError::Label(format!(
        "labelling set '{}' of {}, line {}: the row {what}: {shown}",
        given.set, labels.name, given.line
    ))
}

/// A column of the file, in any case.
fn find_name<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    let names = || {
        labels
            .rows
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().as_str())
    };
    names()
        .find(|n| *n == name)
        .or_else(|| names().find(|n| n.eq_ignore_ascii_case(name)))
}

fn named(labels: &Labels, name: &'static str) -> Result<String> {
    find_name(labels, name).map(str::to_owned).ok_or_else(|| {
        MatchError::Label(format!(
            "{} has no column '{name}': a label file has {LABELING_SET_ID}, {LABEL} and the table's columns",
            labels.name
        ))
    })
}

/// The columns by which rows are found.
fn columns(
    labels: &Labels,
    table: &DFSchema,
    shared: &[Shared],
    settings: &Settings,
) -> Result<Vec<By>> {
    let theirs = |ours: &str| {
        find_name(labels, ours).map(str::to_owned).or_else(|| {
            let mut names = labels.rows.schema().fields().iter().map(|f| f.name());
            let same = |n: &&String| !n.starts_with('$') && local(n) == local(ours);
            names.find(same).cloned()
        })
    };
    let lacks = |ours: &str| {
        let names = labels
            .rows
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().as_str());
        let near = closest(ours, names);
        MatchError::Label(format!(
            "{} has no column '{ours}', which the table has{}: its rows cannot be found",
            labels.name,
            near.map(|n| format!("; is it '{n}'?")).unwrap_or_default()
        ))
    };
    let mut out = Vec::new();
    if let Some(key) = &settings.primary_key {
        let theirs = theirs(key).ok_or_else(|| lacks(key))?;
        out.push(By {
            ours: key.clone(),
            theirs,
        });
    }
    for field in table.fields().iter().filter(|f| !f.name().starts_with('$')) {
        let name = field.name();
        let of = shared.iter().find(|s| s.name == *name);
        // In linking, which table a row is of, and what only one table has, need not be said.
        let needed = of.is_some_and(|s| {
            s.unfit
                .as_deref()
                .is_none_or(|why| !why.starts_with("only the"))
        });
        let with_key = settings.primary_key.is_some();
        if with_key && of.is_some()
            || field.data_type().is_nested()
            || field.data_type().is_binary()
        {
            continue;
        }
        match theirs(name) {
            Some(theirs) => out.push(By {
                ours: name.clone(),
                theirs,
            }),
            None if needed => return Err(lacks(name)),
            None => {}
        }
    }
    if out.is_empty() {
        return Err(MatchError::Label(format!(
            "{} has none of the table's columns",
            labels.name
        )));
    }
    Ok(out)
}

fn text(value: Expr) -> Expr {
    coalesce(vec![btrim(vec![cast(value, DataType::Utf8)]), lit("")])
}

/// A value of the file as the table would write it: `1.50` is `1.5` where the column is of numbers.
fn as_table(value: &str, data_type: &DataType) -> Expr {
    let plain = text(column(value));
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => plain,
        other => {
            let typed = try_cast(plain.clone(), other.clone());
            coalesce(vec![cast(typed, DataType::Utf8), plain])
        }
    }
}

async fn read(
    labels: &Labels,
    set: &str,
    label: &str,
    by: &[By],
    table: &DFSchema,
) -> Result<Vec<Given>> {
    let mut shown = vec![text(column(set)).alias("s"), text(column(label)).alias("l")];
    for (at, by) in by.iter().enumerate() {
        let field = table.field_with_unqualified_name(&by.ours)?;
        shown.push(as_table(&by.theirs, field.data_type()).alias(format!("k{at}")));
    }
    if let Some(line) = &labels.line {
        shown.push(text(column(line)).alias("n"));
    }
    let mut stream = labels.rows.clone().select(shown)?.execute_stream().await?;
    let mut out = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let all = (0..batch.num_columns())
            .map(|at| batch.column(at).as_string_opt::<i32>())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| DataFusionError::Internal("labels are text".into()))?;
        for row in 0..batch.num_rows() {
            let value = |at: usize| all.get(at).map_or("", |c| c.value(row)).to_owned();
            let own = out.len() as u64 + 1;
            let line = match labels.line {
                Some(_) => value(2 + by.len()).parse().unwrap_or(own),
                None => own,
            };
            if value(0).is_empty() {
                return Err(MatchError::Label(format!(
                    "line {line} of {} has no {LABELING_SET_ID}",
                    labels.name
                )));
            }
            out.push(Given {
                set: value(0),
                label: value(1),
                line,
                values: (0..by.len()).map(|at| value(2 + at)).collect(),
            });
        }
        if out.len() > MOST_ROWS {
            return Err(MatchError::Label(format!(
                "{} has more than {MOST_ROWS} rows",
                labels.name
            )));
        }
    }
    // Files of several parts are read at once.
    out.sort_by_key(|given| given.line);
    Ok(out)
}

/// For each row of the file, the rows of the table that are equal to it, the first [`EQUALS`].
async fn find(
    context: &SessionContext,
    table: DataFrame,
    given: &[Given],
    by: &[By],
) -> Result<Vec<Vec<u32>>> {
    let mut fields = vec![Field::new("given", DataType::UInt32, false)];
    let mut arrays: Vec<Arc<dyn Array>> = vec![Arc::new(UInt32Array::from_iter_values(
        0..u32::try_from(given.len()).unwrap_or(u32::MAX),
    ))];
    for at in 0..by.len() {
        fields.push(Field::new(format!("k{at}"), DataType::Utf8, false));
        let values = given.iter().map(|g| g.values[at].as_str());
        arrays.push(Arc::new(StringArray::from_iter_values(values)));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(DataFusionError::from)?;
    let wanted = context.read_table(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))?;
    let mut shown = vec![column(ROW)];
    for (at, by) in by.iter().enumerate() {
        shown.push(text(column(&by.ours)).alias(format!("t{at}")));
    }
    let ours: Vec<String> = (0..by.len()).map(|at| format!("k{at}")).collect();
    let theirs: Vec<String> = (0..by.len()).map(|at| format!("t{at}")).collect();
    let joined = wanted.join(
        table.select(shown)?,
        JoinType::Inner,
        &ours.iter().map(String::as_str).collect::<Vec<_>>(),
        &theirs.iter().map(String::as_str).collect::<Vec<_>>(),
        None,
    )?;
    let pairs = joined.select(vec![column("given"), column(ROW)])?;
    let mut stream = pairs.execute_stream().await?;
    let mut out = vec![Vec::new(); given.len()];
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let places = batch.column(0).as_primitive::<UInt32Type>();
        let rows = batch.column(1).as_primitive::<UInt32Type>();
        for (place, row) in places.values().iter().zip(rows.values()) {
            let list: &mut Vec<u32> = &mut out[*place as usize];
            list.push(*row);
            // The least ones are kept.
            if list.len() >= 2 * EQUALS {
                list.sort_unstable();
                list.truncate(EQUALS);
            }
        }
    }
    for list in &mut out {
        list.sort_unstable();
        list.truncate(EQUALS);
    }
    Ok(out)
}
