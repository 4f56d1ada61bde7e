//! Pairs that are related without being the same: persons of one household, branches of one chain, products of one
//! brand.
//!
//! They agree on much that no chance explains, so that a model of two classes takes them for matches. A third class
//! tells them apart, if there are such: its pairs agree on some columns as matches do, and on others hardly
//! ever. Where there are none, what the class gathers is matches with mistakes, which agree on each column
//! less often; then it is given up. So it is where what differs is an address alone: that changes when
//! somebody moves.

use super::Model;
use super::em::{Input, learn as expect};
use crate::profile::Column;

/// From this many columns on, the comparison of whole records, which repeats what they say, takes no part.
const MANY: usize = 6;

/// A model with that class, if it is there, and each pair's score.
pub(crate) fn learn(
    input: &Input<'_>,
    columns: &[Column],
    scores: &[f32],
    chances: &[f32],
) -> Option<(Model, Vec<f32>)> {
    if input.one_to_one {
        return None;
    }
    let own = match columns.len() >= MANY {
        true => input.comparisons.get(..columns.len())?,
        false => input.comparisons,
    };
    let input = Input {
        comparisons: own,
        relations: true,
        ..*input
    };
    let (model, scores) = expect(&input, scores, chances.to_vec());
    is_there(&model).then_some((model, scores))
}

/// Whether there are columns that matches mostly agree on and the related hardly ever: two, and three in ten, of
/// which one is no part of an address; and the related mostly agree on most of the others.
fn is_there(model: &Model) -> bool {
    let columns: Vec<_> = model
        .comparisons
        .iter()
        .filter(|c| c.kind.is_some())
        .collect();
    let telling: Vec<_> = columns
        .iter()
        .filter(|c| agree(&c.m) >= 0.6 && agree(&c.related) <= 0.2)
        .collect();
    let clear = columns
        .iter()
        .filter(|c| !(0.2..0.6).contains(&agree(&c.related)))
        .count();
    telling.len() >= 2
        && 10 * telling.len() >= 3 * columns.len()
        && 3 * clear >= 2 * columns.len()
        && telling.iter().any(|c| !of_address(&c.name))
}

/// The share on the upper two fifths of levels.
fn agree(shares: &[f64]) -> f64 {
    let top = shares.len().saturating_sub(1);
    shares
        .iter()
        .enumerate()
        .filter(|(level, _)| level * 5 >= top * 3)
        .map(|(_, share)| share)
        .sum()
}

/// Whether a column is called like a part of an address.
fn of_address(name: &str) -> bool {
    const PARTS: [&str; 14] = [
        "street", "address", "addr", "city", "town", "suburb", "zip", "post", "state", "county",
        "country", "region", "district", "house",
    ];
    let name = name.to_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ComparisonModel;

    fn comparison(name: &str, m: f64, related: f64) -> ComparisonModel {
        ComparisonModel {
            name: name.into(),
            kind: Some(crate::Kind::String),
            m: vec![1.0 - m, m],
            u: vec![0.9, 0.1],
            related: vec![1.0 - related, related],
            rarity: None,
            part: 1.0,
        }
    }

    #[test]
    fn households_are_related_and_who_moved_is_not() {
        let of = |comparisons: [ComparisonModel; 3]| {
            is_there(&Model {
                comparisons: comparisons.into(),
                ..Model::default()
            })
        };
        assert!(of([
            comparison("first", 0.9, 0.05),
            comparison("born", 0.95, 0.1),
            comparison("street", 0.9, 0.9)
        ]));
        assert!(!of([
            comparison("first", 0.9, 0.9),
            comparison("city", 0.95, 0.1),
            comparison("street", 0.9, 0.1)
        ]));
        assert!(!of([
            comparison("first", 0.9, 0.6),
            comparison("born", 0.95, 0.7),
            comparison("street", 0.9, 0.5)
        ]));
    }
}
