//! Whether rows are filtered while Parquet is decoded ("late materialisation"), or after.
//!
//! Passing over rows pays where hardly any are left: then most of the other columns is not decoded. Where some in a
//! hundred are left, scattered, keeping account of which costs more than it saves (TPC-H's sixth query takes 1.6 times as
//! long). So what the filters leave is estimated: from bounds, from counted values, and from how many bits a value takes
//! in the files, as many as a dictionary of so many different values needs.

use arrow::datatypes::Schema;
use datafusion::common::{Column, ColumnStatistics, ScalarValue};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use mastic_lake::footers::FooterFacts;

use super::footers::number;

/// The part of the rows below which passing over the others pays.
const FEW: f64 = 0.005;
/// What passes a condition that nothing is known of.
const UNKNOWN: f64 = 0.2;

struct Known<'a> {
    columns: &'a Schema,
    statistics: &'a [ColumnStatistics],
    facts: &'a FooterFacts,
}

/// Whether it pays to filter while decoding: few rows are left, and there is more to decode than what is filtered by.
pub(super) fn worthwhile(
    columns: &Schema,
    wanted: Option<&Vec<usize>>,
    filters: &[Expr],
    statistics: &[ColumnStatistics],
    facts: &FooterFacts,
) -> bool {
    let known = Known {
        columns,
        statistics,
        facts,
    };
    let used: std::collections::HashSet<&Column> =
        filters.iter().flat_map(Expr::column_refs).collect();
    let is_used = |at: &usize| {
        let name = columns.fields().get(*at).map(|f| f.name());
        name.is_none_or(|name| used.iter().any(|c| &c.name == name))
    };
    let rest = match wanted {
        Some(wanted) => wanted.iter().any(|at| !is_used(at)),
        None => (0..columns.fields().len()).any(|at| !is_used(&at)),
    };
    let left: f64 = filters.iter().map(|f| known.part(f)).product();
    rest && !filters.is_empty() && left <= FEW
}

impl Known<'_> {
    /// The part of the rows that pass a condition.
    fn part(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => self.part(left) * self.part(right),
                Operator::Or => (self.part(left) + self.part(right)).min(1.0),
                Operator::Eq => match (column(left), column(right)) {
                    (Some(column), None) | (None, Some(column)) => 1.0 / self.different(column),
                    _ => UNKNOWN,
                },
                Operator::Lt | Operator::LtEq => self.below(left, right, false),
                Operator::Gt | Operator::GtEq => self.below(left, right, true),
                Operator::NotEq => 1.0,
                _ => UNKNOWN,
            },
            Expr::InList(list) if !list.negated => match column(&list.expr) {
                Some(column) => (list.list.len() as f64 / self.different(column)).min(1.0),
                None => UNKNOWN,
            },
            Expr::Between(Between {
                expr,
                negated: false,
                low,
                high,
            }) => {
                let part = self.below(expr, high, false) - self.below(expr, low, false);
                part.clamp(0.0, 1.0)
            }
            Expr::Not(inner) => 1.0 - self.part(inner),
            Expr::IsNotNull(_) => 1.0,
            _ => UNKNOWN,
        }
    }

    /// The part that is below a value, or above; columns may stand on either side.
    fn below(&self, left: &Expr, right: &Expr, above: bool) -> f64 {
        let (column, value, above) =
            match (column(left), literal(right), literal(left), column(right)) {
                (Some(column), Some(value), ..) => (column, value, above),
                (.., Some(value), Some(column)) => (column, value, !above),
                _ => return UNKNOWN,
            };
        let bounds = self.statistics(column).and_then(|own| {
            let low = number(own.min_value.get_value()?)?;
            let high = number(own.max_value.get_value()?)?;
            Some((low, high, number(value)?))
        });
        let Some((low, high, value)) = bounds.filter(|(low, high, _)| low < high) else {
            return UNKNOWN;
        };
        let part = ((value - low) / (high - low)).clamp(0.0, 1.0);
        if above { 1.0 - part } else { part }
    }

    /// How many different values a column has, about.
    fn different(&self, column: &Column) -> f64 {
        let own = self.statistics(column);
        if let Some(counted) = own.and_then(|own| own.distinct_count.get_value()) {
            return (*counted as f64).max(1.0);
        }
        let bits = self
            .columns
            .index_of(&column.name)
            .ok()
            .and_then(|at| self.facts.bits.get(at).copied().flatten());
        let by_bits = bits.map(|bits| bits.min(60.0).exp2());
        let by_bounds = own.and_then(|own| {
            let low = number(own.min_value.get_value()?)?;
            let high = number(own.max_value.get_value()?)?;
            Some(high - low + 1.0)
        });
        match (by_bits, by_bounds) {
            (Some(bits), Some(bounds)) => bits.min(bounds),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 1.0 / UNKNOWN,
        }
        .max(1.0)
    }

    fn statistics(&self, column: &Column) -> Option<&ColumnStatistics> {
        self.statistics
            .get(self.columns.index_of(&column.name).ok()?)
    }
}

fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => column(&cast.expr),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};
    use datafusion::common::Statistics;
    use datafusion::common::stats::Precision;
    use datafusion::prelude::{col, lit};

    use super::*;

    /// Ten million rows: `id` from 0 on, `kind` of about 8 texts, `note` of 40 bytes.
    fn worth(filter: Expr, wanted: &[usize]) -> bool {
        let columns = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("kind", DataType::Utf8View, true),
            Field::new("note", DataType::Utf8View, true),
        ]);
        let mut statistics = vec![ColumnStatistics::new_unknown(); 3];
        statistics[0].min_value = Precision::Inexact(ScalarValue::Int64(Some(0)));
        statistics[0].max_value = Precision::Inexact(ScalarValue::Int64(Some(10_000_000)));
        let facts = FooterFacts {
            statistics: Statistics::new_unknown(&columns),
            bits: vec![Some(64.0), Some(3.0), Some(320.0)],
        };
        worthwhile(
            &Arc::new(columns),
            Some(&wanted.to_vec()),
            &[filter],
            &statistics,
            &facts,
        )
    }

    #[test]
    fn few_rows_are_worth_it_where_there_is_more_to_decode() {
        assert!(worth(col("id").eq(lit(7_i64)), &[0, 2]));
        assert!(!worth(col("id").eq(lit(7_i64)), &[0]));
        assert!(worth(lit(7_i64).eq(col("id")), &[1, 2]));
        assert!(worth(col("note").eq(lit("x")), &[0]));
        assert!(worth(col("id").between(lit(10_i64), lit(20_000_i64)), &[2]));
        assert!(worth(col("id").lt(lit(10_000_i64)), &[2]));
        assert!(worth(
            col("id").in_list(vec![lit(1_i64), lit(2_i64)], false),
            &[2]
        ));
    }

    #[test]
    fn many_rows_are_not() {
        assert!(!worth(col("kind").eq(lit("a")), &[2]));
        assert!(!worth(col("id").gt(lit(10_000_i64)), &[2]));
        assert!(!worth(col("id").not_eq(lit(7_i64)), &[2]));
        assert!(!worth(col("note").like(lit("%x%")), &[0]));
        let either = col("kind").eq(lit("a")).or(col("id").eq(lit(1_i64)));
        assert!(!worth(either, &[2]));
    }
}
