//! What the columns are: one aggregate over the rows, and what is decided from it.

use std::fmt::Write as _;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{
    approx_distinct, avg, count, count_distinct, max, min, sum,
};
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};
use mastic_functions::matching::{BROKEN, DIGIT, DIGITS, SPACE, WORD};
use mastic_schema::names::closest;
use serde::{Deserialize, Serialize};

use crate::align::{Shared, local};
use crate::error::{MatchError, Result};
use crate::normalise::{call, column as col, normal, text};
use crate::settings::{Kind, Settings};

/// A column that is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How its values are compared.
    pub kind: Kind,
    /// Why.
    pub why: String,
    /// Share of rows that have a value.
    pub fill: f64,
    /// About how many different values there are.
    pub distinct: u64,
    /// Mean number of words.
    pub words: f64,
    /// Mean number of characters.
    pub length: f64,
}

/// A column that is not compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// What the columns are.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) columns: Vec<Column>,
    pub(crate) dropped: Vec<Dropped>,
}

/// What the aggregate says of a column.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    rows: f64,
    given: f64,
    values: f64,
    same: bool,
    distinct: f64,
    numbers: f64,
    digits: f64,
    coded: f64,
    spaces: f64,
    broken: f64,
    words: f64,
    length: f64,
    whole: f64,
    least: f64,
    most: f64,
}

/// The number of figures of a column.
const FIGURES: usize = 13;

/// How many values have a bit of their shape.
fn share(shape: &Expr, bit: i32) -> Result<Expr> {
    let has = binary_expr(shape.clone(), Operator::BitwiseAnd, lit(bit)).gt(lit(0));
    Ok(sum(when(has, lit(1.0)).otherwise(lit(0.0))?))
}

/// How many columns one plan looks at: what planning costs grows with the square of a plan's columns.
const AT_ONCE: usize = 32;

async fn facts(
    context: &SessionContext,
    rows: DataFrame,
    columns: &[Shared],
) -> Result<Vec<Facts>> {
    let mut out = Vec::with_capacity(columns.len());
    for some in columns.chunks(AT_ONCE) {
        out.extend(facts_of(context, rows.clone(), some).await?);
    }
    Ok(out)
}

async fn facts_of(
    context: &SessionContext,
    rows: DataFrame,
    columns: &[Shared],
) -> Result<Vec<Facts>> {
    let schema = rows.schema().clone();
    // What is computed of a value is computed once.
    let mut made = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let raw = match column.unfit {
            Some(_) => lit(ScalarValue::Utf8(None)),
            None => text(&column.name, &schema)?,
        };
        let number = call(context, "match_number", vec![raw.clone()])?;
        let shape = call(context, "match_shape", vec![raw.clone()])?;
        made.push(normal(context, raw)?.alias(format!("v{at}")));
        made.push(number.alias(format!("x{at}")));
        made.push(shape.alias(format!("r{at}")));
    }
    let rows = rows.select(made)?;
    let mut shaped = Vec::new();
    for at in 0..columns.len() {
        let value = col(&format!("v{at}"));
        let length = call(context, "character_length", vec![value.clone()])?;
        let shape = call(context, "match_shape", vec![value.clone()])?;
        shaped.extend([value, col(&format!("x{at}")), col(&format!("r{at}"))]);
        shaped.push(shape.alias(format!("s{at}")));
        shaped.push(cast(length, DataType::Float64).alias(format!("l{at}")));
    }
    let rows = rows.select(shaped)?;
    let mut figures = vec![count(lit(1)).alias("rows")];
    for at in 0..columns.len() {
        let of = |name: &str| col(&format!("{name}{at}"));
        let (value, number, raw, shape, length) = (of("v"), of("x"), of("r"), of("s"), of("l"));
        let words = cast(shape.clone() / lit(WORD), DataType::Float64);
        let floor = call(context, "floor", vec![number.clone()])?;
        let is_value = value.clone().is_not_null();
        let all: [Expr; FIGURES] = [
            count(raw.clone()),
            count(value.clone()),
            approx_distinct(value.clone()),
            sum(when(is_value.and(number.clone().is_not_null()), lit(1.0)).otherwise(lit(0.0))?),
            share(&shape, DIGITS)?,
            share(&raw, DIGIT)?,
            share(&raw, SPACE)?,
            share(&raw, BROKEN)?,
            avg(words),
            avg(length),
            sum(when(number.clone().eq(floor), lit(1.0)).otherwise(lit(0.0))?),
            min(number.clone()),
            max(number),
        ];
        for (n, figure) in all.into_iter().enumerate() {
            figures.push(figure.alias(format!("f{at}_{n}")));
        }
        figures.push(min(value.clone()).alias(format!("least{at}")));
        figures.push(max(value).alias(format!("most{at}")));
    }
    let answer = rows.aggregate(vec![], figures)?;
    // Whether there are two different values at least is what the least and the greatest say.
    let mut shown = vec![cast(col("rows"), DataType::Float64)];
    for at in 0..columns.len() {
        for n in 0..FIGURES {
            shown.push(
                cast(col(&format!("f{at}_{n}")), DataType::Float64).alias(format!("g{at}_{n}")),
            );
        }
        let same = col(&format!("least{at}")).eq(col(&format!("most{at}")));
        shown.push(
            when(same, lit(1.0))
                .otherwise(lit(0.0))?
                .alias(format!("same{at}")),
        );
    }
    let answer = answer.select(shown)?.collect().await?;
    let Some(row) = answer.iter().find(|b| b.num_rows() > 0) else {
        return Ok(vec![Facts::default(); columns.len()]);
    };
    let figure = |at: usize| -> f64 {
        let column = row.column(at).as_primitive_opt::<Float64Type>();
        column
            .filter(|c| !arrow::array::Array::is_null(c, 0))
            .map_or(0.0, |c| c.value(0))
    };
    let each = (0..columns.len()).map(|at| {
        let f = |n: usize| figure(1 + at * (FIGURES + 1) + n);
        Facts {
            rows: figure(0),
            given: f(0),
            values: f(1),
            distinct: f(2),
            numbers: f(3),
            digits: f(4),
            coded: f(5),
            spaces: f(6),
            broken: f(7),
            words: f(8),
            length: f(9),
            whole: f(10),
            least: f(11),
            most: f(12),
            same: f(FIGURES) > 0.0,
        }
    });
    Ok(each.collect())
}

/// Whether a column is called like a key. `paid` is none.
fn called_key(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "id",
        "key",
        "pk",
        "uuid",
        "guid",
        "index",
        "idx",
        "rowid",
        "rid",
        "recid",
        "no",
        "nr",
        "recordid",
        "rownumber",
        "rownum",
    ];
    let plain = local(name);
    let trimmed = name.trim();
    NAMES.contains(&plain.as_str())
        || ["_id", " id", "Id", "ID", "_ID", "_key", "_pk"]
            .iter()
            .any(|end| trimmed.ends_with(end))
        || trimmed.to_lowercase().starts_with("unnamed")
}

/// Looks at the columns. `sides` are the rows of each table, or of the one; `all` the rows of both.
pub(crate) async fn profile(
    context: &SessionContext,
    all: DataFrame,
    sides: &[DataFrame],
    columns: &[Shared],
    settings: &Settings,
    tables: &[String],
) -> Result<Profile> {
    check_names(columns, settings)?;
    let whole = facts(context, all, columns).await?;
    let mut parts = Vec::new();
    if sides.len() > 1 {
        for side in sides {
            parts.push(facts(context, side.clone(), columns).await?);
        }
    } else {
        parts.push(whole.clone());
    }
    let mut out = Profile {
        columns: Vec::new(),
        dropped: Vec::new(),
    };
    for (at, column) in columns.iter().enumerate() {
        let Some(about) = whole.get(at) else { continue };
        let each: Vec<Facts> = parts.iter().filter_map(|p| p.get(at).copied()).collect();
        let name = column.name.clone();
        let mut drop = |why: String| {
            out.dropped.push(Dropped {
                name: name.clone(),
                why,
            })
        };
        let chosen = settings
            .comparisons
            .iter()
            .find(|c| c.column == column.name);
        if settings.primary_key.as_deref() == Some(column.name.as_str()) {
            for (side, table) in sides.iter().zip(tables) {
                check_key(context, side.clone(), &column.name, table).await?;
            }
            drop("the primary key, which is no evidence".into());
            continue;
        }
        if settings.ignore.contains(&column.name) {
            drop("it is to be ignored".into());
            continue;
        }
        if let Some(why) = &column.unfit {
            drop(why.clone());
            continue;
        }
        if !settings.comparisons.is_empty() && chosen.is_none() {
            drop("other columns are to be compared".into());
            continue;
        }
        if about.values == 0.0 {
            drop("it has no values".into());
            continue;
        }
        if about.same {
            drop("all its values are the same".into());
            continue;
        }
        if about.broken > 0.01 * about.values {
            return Err(MatchError::Encoding {
                column: name,
                share: 100.0 * about.broken / about.values,
            });
        }
        if chosen.is_none() && looks_like_key(&column.name, at, &each) {
            let mut different = true;
            for side in sides {
                different &= distinct(context, side.clone(), &column.name).await?.1;
            }
            if different {
                drop("a key: it tells rows apart, and says nothing of who they are".into());
                continue;
            }
        }
        let (kind, why) = match chosen.and_then(|c| c.kind) {
            Some(kind) => (kind, "as asked for".to_owned()),
            None => kind_of(about),
        };
        out.columns.push(Column {
            name: column.name.clone(),
            kind,
            why,
            fill: about.values / about.rows.max(1.0),
            distinct: about.distinct as u64,
            words: about.words,
            length: about.length,
        });
    }
    if out.columns.is_empty() {
        let mut why = String::new();
        for dropped in &out.dropped {
            let _ = write!(
                why,
                "{}'{}': {}",
                if why.is_empty() { "" } else { "; " },
                dropped.name,
                dropped.why
            );
        }
        if why.is_empty() {
            why.push_str("the tables have no column in common");
        }
        return Err(MatchError::NoColumn { why });
    }
    Ok(out)
}

pub(crate) fn check_names(columns: &[Shared], settings: &Settings) -> Result<()> {
    let known = || columns.iter().map(|c| c.name.as_str());
    let asked = settings
        .primary_key
        .iter()
        .map(|name| ("the primary key", name))
        .chain(settings.ignore.iter().map(|name| ("what is ignored", name)))
        .chain(
            settings
                .comparisons
                .iter()
                .map(|c| ("a comparison", &c.column)),
        )
        .chain(
            settings
                .blocking
                .iter()
                .flatten()
                .map(|name| ("a blocking rule", name)),
        );
    for (what, name) in asked {
        if !known().any(|k| k == name) {
            return Err(MatchError::UnknownColumn {
                what,
                name: name.clone(),
                meant: closest(name, known()),
            });
        }
    }
    Ok(())
}

fn looks_like_key(name: &str, at: usize, sides: &[Facts]) -> bool {
    let all = |test: fn(&Facts) -> bool| sides.iter().all(test);
    // The estimate of different values is off by a few percent.
    if !all(|f| f.given == f.rows && f.distinct > 0.9 * f.rows && f.spaces <= 0.02 * f.rows) {
        return false;
    }
    if all(|f| f.rows <= 3.0) {
        return called_key(name);
    }
    let digits: f64 = sides.iter().map(|f| f.coded / f.rows.max(1.0)).sum();
    called_key(name)
        || at == 0 && digits / sides.len() as f64 > 0.9
        || all(|f| f.whole == f.rows && f.most - f.least < 1.5 * f.rows)
}

fn kind_of(facts: &Facts) -> (Kind, String) {
    if facts.numbers > 0.95 * facts.values {
        if facts.digits > 0.95 * facts.values && facts.length >= 3.5 {
            return (
                Kind::Code,
                format!("digits only, {:.1} on average", facts.length),
            );
        }
        return (Kind::Number, "numbers".into());
    }
    if facts.words > 5.0 {
        return (Kind::Text, format!("{:.1} words on average", facts.words));
    }
    (Kind::String, format!("{:.1} words on average", facts.words))
}

/// Nulls, and whether all values are different.
async fn distinct(
    context: &SessionContext,
    rows: DataFrame,
    name: &str,
) -> Result<(f64, bool, f64)> {
    let _ = context;
    let value = text(name, rows.schema())?;
    let figures = vec![
        count(lit(1)).alias("rows"),
        count(value.clone()).alias("given"),
        count_distinct(value).alias("different"),
    ];
    let schema = rows.aggregate(vec![], figures)?;
    let shown = ["rows", "given", "different"].map(|n| cast(col(n), DataType::Float64).alias(n));
    let answer = schema.select(shown.to_vec())?.collect().await?;
    let figure = |at: usize| {
        let batch = answer.iter().find(|b| b.num_rows() > 0)?;
        Some(batch.column(at).as_primitive_opt::<Float64Type>()?.value(0))
    };
    let (rows, given, different) = (
        figure(0).unwrap_or(0.0),
        figure(1).unwrap_or(0.0),
        figure(2).unwrap_or(0.0),
    );
    Ok((rows - given, rows == different, given - different))
}

pub(crate) async fn check_key(
    context: &SessionContext,
    rows: DataFrame,
    name: &str,
    table: &str,
) -> Result<()> {
    let (nulls, different, twice) = distinct(context, rows, name).await?;
    let mut why = Vec::new();
    if nulls > 0.0 {
        why.push(format!("{nulls} rows have none"));
    }
    if twice > 0.0 {
        why.push(format!("{twice} rows repeat the value of another"));
    }
    if different {
        return Ok(());
    }
    Err(MatchError::PrimaryKey {
        column: name.to_owned(),
        table: table.to_owned(),
        why: why.join(", "),
    })
}

/// Whether a type can be compared as text.
pub(crate) fn unfit(data_type: &DataType) -> Option<String> {
    match data_type {
        t if t.is_nested() => Some("nested records are not compared".into()),
        t if t.is_binary() => Some("bytes are not compared".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_called_so() {
        for name in [
            "id",
            "ID",
            "customer_id",
            "customerId",
            "rec_id",
            "http://x#id",
            "Unnamed: 0",
        ] {
            assert!(called_key(name), "{name}");
        }
        for name in ["paid", "name", "covid", "postcode"] {
            assert!(!called_key(name), "{name}");
        }
    }
}
