//! What the other fields of a record tell of a missing one.

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::functions::core;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{avg, count, first_value, max, sum};
use datafusion::functions_nested::expr_fn::{array_element, make_array};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, cast, lit, when};

use super::super::join::side;
use super::{fitted, known, working};
use crate::path::Path;
use crate::record::{Value, column};
use crate::{DynamicFrame, Result};

/// So many fields are looked at; of more, the first ones.
const NUMBERS: usize = 64;
const COMPANIONS: usize = 16;

impl DynamicFrame {
    /// The fields that may tell something of the one at the path.
    fn others(&self, path: &Path, like: impl Fn(&DataType) -> bool, most: usize) -> Vec<Value> {
        let own = path.parts().first().map_or("", String::as_str);
        self.fields()
            .iter()
            .filter(|f| !f.name().eq_ignore_ascii_case(own) && like(f.data_type()))
            .take(most)
            .map(|f| Value::of_field(f))
            .collect()
    }

    /// A number by least squares over the other numbers of its record, each of which is its mean where it is
    /// missing itself; the mean, where there are none.
    pub(super) fn by_line(self, path: &Path, value: &Value) -> Result<(Self, Expr)> {
        let double = |expr: &Expr| cast(expr.clone(), DataType::Float64);
        let others = self.others(path, DataType::is_numeric, NUMBERS);
        let means = others.iter().enumerate();
        let mut means: Vec<Expr> = means
            .map(|(at, v)| avg(double(&v.expr)).alias(working(format!("mean{at}"))))
            .collect();
        means.push(avg(double(&value.expr)).alias(working("mean")));
        let frame = self.learned(means)?;
        let known: Vec<Expr> = others
            .iter()
            .enumerate()
            .map(|(at, v)| {
                coalesce(vec![
                    double(&v.expr),
                    column(&working(format!("mean{at}"))),
                    lit(0.0),
                ])
            })
            .collect();
        let mut arguments = vec![double(&value.expr)];
        arguments.extend(known.iter().cloned());
        let line = mastic_functions::least_squares().call(arguments);
        let line = frame
            .uncounted()?
            .inner
            .aggregate(Vec::new(), vec![line.alias(working("line"))])?;
        let names: Vec<String> = frame
            .inner
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .filter(|n| n.starts_with(crate::run::WORKING))
            .collect();
        let frame = frame.beside_again(line, &names)?;
        let slope = |at: usize| {
            let place = i64::try_from(at).unwrap_or(i64::MAX);
            array_element(column(&working("line")), lit(place))
        };
        let predicted = known
            .into_iter()
            .enumerate()
            .fold(slope(1), |sum, (at, x)| sum + slope(at + 2) * x);
        let by = coalesce(vec![predicted, column(&working("mean"))]);
        Ok((frame, fitted(by, &value.data_type)))
    }

    /// [`DynamicFrame::beside`], for a frame that has working columns already.
    fn beside_again(self, one: DataFrame, names: &[String]) -> Result<Self> {
        let (state, plan) = self.inner.clone().into_parts();
        let (_, one) = one.into_parts();
        let mut columns = self.columns();
        columns.extend(names.iter().map(|n| column(n)));
        columns.extend(one.schema().fields().iter().map(|f| column(f.name())));
        columns.extend(self.origin());
        let plan = LogicalPlanBuilder::from(one)
            .cross_join(plan)?
            .project(columns)?
            .build()?;
        Ok(self.over(DataFrame::new(state, plan)))
    }

    /// The most frequent value beside the same value of one other field, its companion: of all fields the one
    /// by which most records agree with another one. The most frequent of all, where the companion's value was
    /// never seen twice with one.
    pub(super) fn by_companion(self, path: &Path, value: &Value) -> Result<(Self, Expr)> {
        let telling = |t: &DataType| {
            t.is_string() || t.is_integer() || matches!(t, DataType::Boolean | DataType::Date32)
        };
        let others = self.others(path, telling, COMPANIONS);
        let own = known(value);
        let mode = self.mode(&own)?;
        let one = column(&working("fill"));
        if others.is_empty() {
            return Ok((self.beside(mode)?, one));
        }
        let text = |v: &Value| cast(known(v), DataType::Utf8);
        let number = |at: usize| lit(i64::try_from(at).unwrap_or(i64::MAX));

        // A record for each value that stands beside each value of each other field, with how often.
        let (v, c, x, n) = (working("v"), working("c"), working("x"), working("n"));
        let pair = |(at, other): (usize, &Value)| {
            core::named_struct().call(vec![lit("c"), number(at), lit("x"), text(other)])
        };
        let pairs = make_array(others.iter().enumerate().map(pair).collect());
        let part = |name: &str| core::get_field().call(vec![column(&working("pair")), lit(name)]);
        let (state, plan) = self
            .uncounted()?
            .inner
            .select(vec![own.alias(&v), pairs.alias(working("pair"))])?
            .filter(column(&v).is_not_null())?
            .into_parts();
        let plan = LogicalPlanBuilder::from(plan)
            .unnest_column(Column::new_unqualified(working("pair")))?
            .project(vec![column(&v), part("c").alias(&c), part("x").alias(&x)])?
            .filter(column(&x).is_not_null())?
            .build()?;
        // Of these the most frequent, beside each value of each other field.
        let best = DataFrame::new(state, plan)
            .aggregate(
                vec![column(&c), column(&x), column(&v)],
                vec![count(lit(1_i64)).alias(&n)],
            )?
            .aggregate(
                vec![column(&c), column(&x)],
                vec![
                    first_value(
                        column(&v),
                        vec![column(&n).sort(false, false), column(&v).sort(true, false)],
                    )
                    .alias(&v),
                    max(column(&n)).alias(&n),
                ],
            )?
            .filter(column(&n).gt(lit(1_i64)))?;
        // The field by which most records agree with another one.
        let agreed = sum(column(&n) - lit(1_i64)).alias(working("agreed"));
        let chosen = best
            .clone()
            .aggregate(vec![column(&c)], vec![agreed])?
            .sort(vec![
                column(&working("agreed")).sort(false, false),
                column(&c).sort(true, false),
            ])?
            .limit(0, Some(1))?
            .aggregate(
                Vec::new(),
                vec![first_value(column(&c), Vec::new()).alias(working("chosen"))],
            )?;

        // Each record with its value of that field, and what goes with it.
        let (_, mode) = mode.into_parts();
        let (state, one_chosen) = chosen.clone().into_parts();
        let both = LogicalPlanBuilder::from(one_chosen)
            .cross_join(mode)?
            .build()?;
        let frame = self.beside(DataFrame::new(state, both))?;
        let mut key = when(lit(false), lit(datafusion::common::ScalarValue::Utf8(None)));
        for (at, other) in others.iter().enumerate() {
            key = key.when(column(&working("chosen")).eq(number(at)), text(other));
        }
        let (state, plan) = frame.inner.clone().into_parts();
        let mut columns = frame.columns();
        columns.extend([one.clone(), key.end()?.alias(working("key"))]);
        columns.extend(frame.origin());
        let left = LogicalPlanBuilder::from(plan)
            .project(columns)?
            .alias("left")?
            .build()?;
        let (_, best) = best.into_parts();
        let (_, chosen) = chosen.into_parts();
        let columns = [column(&x), column(&v)];
        let of_chosen = column(&c).eq(column(&working("chosen")));
        let right = LogicalPlanBuilder::from(chosen)
            .join_on(best, JoinType::Inner, [of_chosen])?
            .project(columns)?
            .alias("right")?;
        let mut columns: Vec<Expr> = frame
            .fields()
            .iter()
            .map(|f| side("left", f.name()).alias(f.name()))
            .collect();
        let fill = working("fill");
        columns.push(side("left", &fill).alias(&fill));
        columns.push(side("right", &v).alias(&v));
        columns.extend(frame.origin().into_iter().filter_map(|expr| match expr {
            Expr::Column(c) => Some(side("left", &c.name).alias(c.name)),
            _ => None,
        }));
        let same = side("right", &x).eq(side("left", &working("key")));
        let plan = right
            .join_on(left, JoinType::Right, [same])?
            .project(columns)?
            .build()?;
        let frame = frame.over(DataFrame::new(state, plan));
        Ok((frame, coalesce(vec![column(&v), one])))
    }
}
