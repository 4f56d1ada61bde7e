//! Of which table new records are, where two are linked.

use crate::error::{MatchError, Result};
use crate::find::{MatchInput, Table};
use crate::transform::{Linked, Side, Transform};

/// New records, by table; one at least has some.
pub(crate) struct New {
    pub(crate) left: Option<Table>,
    pub(crate) right: Option<Table>,
}

/// The two tables that the transform linked, and the new records of each. Of one table with new records, its name says
/// which it is, where nobody else does.
pub(crate) fn sides(
    transform: &Transform,
    new: MatchInput,
    side: Option<Side>,
) -> Result<(&Linked, New)> {
    let Some(linked) = &transform.between else {
        return Err(MatchError::Transform(
            "the transform was saved by an earlier version, which did not keep how the two tables were linked: save it again"
                .into(),
        ));
    };
    let [of_left, of_right] = &linked.tables;
    let new = match (new.right, side) {
        (Some(right), None) => New {
            left: Some(new.left),
            right: Some(right),
        },
        (Some(_), Some(_)) => {
            return Err(MatchError::Setting(
                "with new records of both tables, the first are of the left one, and the second of the right one".into(),
            ));
        }
        (None, side) => {
            let by_name = if new.left.name == *of_left {
                Some(Side::Left)
            } else if new.left.name == *of_right {
                Some(Side::Right)
            } else {
                None
            };
            match side.or(by_name) {
                Some(Side::Left) => New {
                    left: Some(new.left),
                    right: None,
                },
                Some(Side::Right) => New {
                    left: None,
                    right: Some(new.left),
                },
                None => {
                    return Err(MatchError::Side {
                        table: new.left.name,
                        left: of_left.clone(),
                        right: of_right.clone(),
                    });
                }
            }
        }
    };
    Ok((linked, new))
}
