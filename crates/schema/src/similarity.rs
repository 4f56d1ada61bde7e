//! How much two schemas look like the same table.
//!
//! Glue says that its crawler groups folders whose schemas are "similar", by a threshold of 70 %,
//! and does not publish the formula. Ours: the sum of how well each column of the one matches its
//! namesake in the other, over the number of columns of the wider one.

use arrow_schema::{DataType, Fields};

use crate::merge::{position, widen};

/// A number from 0 (nothing in common) to 1 (the same columns).
pub fn similarity(a: &Fields, b: &Fields) -> f64 {
    let wider = a.len().max(b.len());
    if wider == 0 {
        return 1.0;
    }
    let shared: f64 = a
        .iter()
        .filter_map(|left| {
            let right = &b[position(b, left.name())?];
            Some(type_similarity(left.data_type(), right.data_type()))
        })
        .sum();
    // Column counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let wider = wider as f64;
    shared / wider
}

fn type_similarity(a: &DataType, b: &DataType) -> f64 {
    match (a, b) {
        (DataType::Struct(x), DataType::Struct(y)) => {
            // The same name for an object counts for something whatever is in it.
            0.5 + 0.5 * similarity(x, y)
        }
        (DataType::List(x), DataType::List(y)) => type_similarity(x.data_type(), y.data_type()),
        _ if a == b => 1.0,
        // Nothing but nulls was seen on one side: nothing speaks against it.
        (DataType::Null, _) | (_, DataType::Null) => 1.0,
        // Types that widen to more than text are the same column at another precision.
        _ if widen(a, b) != DataType::Utf8 => 1.0,
        // Same name, another type: as likely a column that drifted as another column.
        _ => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::parse_type;

    fn between(a: &str, b: &str) -> f64 {
        match (parse_type(a), parse_type(b)) {
            (Ok(DataType::Struct(a)), Ok(DataType::Struct(b))) => similarity(&a, &b),
            _ => f64::NAN,
        }
    }

    #[test]
    fn drift_is_similar_and_other_tables_are_not() {
        let five = "struct<a:int,b:int,c:int,d:int,e:int>";
        assert!(between(five, "struct<a:int,b:int,c:int,d:int,e:double,f:string>") > 0.7);
        assert!(between(five, "struct<a:int,x:int,y:int>") < 0.3);
        assert!((between(five, five) - 1.0).abs() < f64::EPSILON);
        assert!(between("struct<a:int,b:int>", "struct<c:int,d:int>") < f64::EPSILON);
    }
}
