//! Which columns of two tables are the same.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::SessionContext;
use mastic_functions::matching::grams;

use crate::error::Result;
use crate::normalise::{column, normal, text};
use crate::profile::unfit;

/// A column of the rows that are matched: of the one table, or of both.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) name: String,
    /// Why it is not compared.
    pub(crate) unfit: Option<String>,
    /// Whether the table, or the left one, has it.
    pub(crate) left: bool,
    /// What it is called in the right table, if that has it.
    pub(crate) right: Option<String>,
}

/// How many values of a column its likeness to others is told by.
const LOOKED_AT: usize = 500;

/// What is left of a name without a namespace and punctuation, in lower case.
pub(crate) fn local(name: &str) -> String {
    let last = name.trim().rsplit(['#', '/', ':']).next().unwrap_or(name);
    last.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The columns of one table.
pub(crate) fn of_one(schema: &Schema) -> Vec<Shared> {
    let fields = schema.fields().iter();
    fields
        .map(|f| Shared {
            name: f.name().clone(),
            unfit: unfit(f.data_type()),
            left: true,
            right: None,
        })
        .collect()
}

/// Both tables with the same columns: those that they share under the left one's names, then what only one has. Names
/// say which are the same, and then values.
pub(crate) async fn of_two(
    context: &SessionContext,
    left: DataFrame,
    right: DataFrame,
) -> Result<(DataFrame, DataFrame, Vec<Shared>)> {
    let (a, b) = (
        left.schema().as_arrow().clone(),
        right.schema().as_arrow().clone(),
    );
    let (mut partner, mut free) = named(&a, &b);
    let open: Vec<usize> = (0..partner.len())
        .filter(|at| partner[*at].is_none())
        .collect();
    if !open.is_empty() && !free.is_empty() {
        let ours = profiles(context, &left, &open).await?;
        let theirs = profiles(context, &right, &free).await?;
        let mut alike = Vec::new();
        for (at, x) in open.iter().zip(&ours) {
            for (other, y) in free.iter().zip(&theirs) {
                let product: f64 = x.iter().filter_map(|(g, v)| Some(v * y.get(g)?)).sum();
                alike.push((product, *at, *other));
            }
        }
        alike.sort_by(|x, y| y.0.total_cmp(&x.0));
        for (likeness, at, other) in alike {
            if likeness > 0.5 && partner[at].is_none() && free.contains(&other) {
                partner[at] = Some(other);
                free.retain(|o| *o != other);
            }
        }
    }
    together(left, right, &partner, &free)
}

/// The same, by names alone: which columns there are does not depend on the rows.
pub(crate) fn of_two_by_name(
    left: DataFrame,
    right: DataFrame,
) -> Result<(DataFrame, DataFrame, Vec<Shared>)> {
    let (partner, free) = named(left.schema().as_arrow(), right.schema().as_arrow());
    together(left, right, &partner, &free)
}

/// For each column of the left table the right one's of the same name, and the right one's that have none.
fn named(a: &Schema, b: &Schema) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut partner: Vec<Option<usize>> = vec![None; a.fields().len()];
    let mut free: Vec<usize> = (0..b.fields().len()).collect();
    for (at, field) in a.fields().iter().enumerate() {
        let name = local(field.name());
        let same = |other: &usize| {
            b.fields()
                .get(*other)
                .is_some_and(|f| local(f.name()) == name)
        };
        if let Some(found) = free.iter().position(|o| !name.is_empty() && same(o)) {
            partner[at] = Some(free.remove(found));
        }
    }
    (partner, free)
}

fn together(
    left: DataFrame,
    right: DataFrame,
    partner: &[Option<usize>],
    free: &[usize],
) -> Result<(DataFrame, DataFrame, Vec<Shared>)> {
    let (a, b) = (
        left.schema().as_arrow().clone(),
        right.schema().as_arrow().clone(),
    );
    let (mut of_left, mut of_right, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for (field, other) in a.fields().iter().zip(partner) {
        let name = field.name();
        let theirs = other.and_then(|o| b.fields().get(o));
        let (x, y) = match theirs {
            Some(theirs) if theirs.data_type() == field.data_type() => {
                (column(name), column(theirs.name()))
            }
            Some(theirs) => (
                cast(column(name), DataType::Utf8View),
                cast(column(theirs.name()), DataType::Utf8View),
            ),
            None => (column(name), null(field.data_type())?),
        };
        of_left.push(x.alias(name));
        of_right.push(y.alias(name));
        let why = match theirs {
            Some(theirs) => unfit(field.data_type()).or_else(|| unfit(theirs.data_type())),
            None => Some("only the left table has it".into()),
        };
        shared.push(Shared {
            name: name.clone(),
            unfit: why,
            left: true,
            right: theirs.map(|theirs| theirs.name().clone()),
        });
    }
    for field in free.iter().filter_map(|o| b.fields().get(*o)) {
        let mut name = field.name().clone();
        while shared.iter().any(|s| s.name == name) {
            name.push_str("_right");
        }
        of_left.push(null(field.data_type())?.alias(&name));
        of_right.push(column(field.name()).alias(&name));
        shared.push(Shared {
            name,
            unfit: Some("only the right table has it".into()),
            left: false,
            right: Some(field.name().clone()),
        });
    }
    Ok((left.select(of_left)?, right.select(of_right)?, shared))
}

fn null(data_type: &DataType) -> Result<Expr> {
    Ok(lit(ScalarValue::try_from(data_type)?))
}

/// The 3-grams of the first values of some columns, each as a vector of length 1.
async fn profiles(
    context: &SessionContext,
    frame: &DataFrame,
    columns: &[usize],
) -> Result<Vec<HashMap<u64, f64>>> {
    let mut out = Vec::new();
    for at in columns {
        let mut counts: HashMap<u64, f64> = HashMap::new();
        let field = frame.schema().field(*at).clone();
        if unfit(field.data_type()).is_none() {
            let value = normal(context, text(field.name(), frame.schema())?)?;
            let value = cast(value, DataType::Utf8).alias("v");
            let few = frame
                .clone()
                .limit(0, Some(LOOKED_AT))?
                .select(vec![value])?
                .collect()
                .await?;
            for batch in &few {
                let values = batch.column(0).as_string::<i32>();
                for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
                    grams(values.value(row), |gram| {
                        *counts.entry(gram).or_default() += 1.0
                    });
                }
            }
        }
        let length = counts.values().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
        counts.values_mut().for_each(|v| *v /= length);
        out.push(counts);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn names_are_local() {
        assert_eq!(
            local("http://www.okkam.org/ontology_restaurant1.owl#Phone_number"),
            "phonenumber"
        );
        assert_eq!(local("First Name"), "firstname");
    }
}
