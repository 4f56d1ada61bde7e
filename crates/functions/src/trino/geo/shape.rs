//! Points, lines and polygons of a plane.

use datafusion::common::{Result, exec_err};

/// An x and a y.
pub(super) type Place = (f64, f64);

/// A shape; the flag says that it is written in its MULTI form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Points(Vec<Place>, bool),
    Lines(Vec<Vec<Place>>, bool),
    /// Each polygon is an outer ring and holes; a ring ends where it begins.
    Polygons(Vec<Vec<Vec<Place>>>, bool),
}

impl Shape {
    pub(super) fn wkt_name(&self) -> &'static str {
        match self {
            Self::Points(_, false) => "POINT",
            Self::Points(_, true) => "MULTIPOINT",
            Self::Lines(_, false) => "LINESTRING",
            Self::Lines(_, true) => "MULTILINESTRING",
            Self::Polygons(_, false) => "POLYGON",
            Self::Polygons(_, true) => "MULTIPOLYGON",
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Points(_, false) => "ST_Point",
            Self::Points(_, true) => "ST_MultiPoint",
            Self::Lines(_, false) => "ST_LineString",
            Self::Lines(_, true) => "ST_MultiLineString",
            Self::Polygons(_, false) => "ST_Polygon",
            Self::Polygons(_, true) => "ST_MultiPolygon",
        }
    }

    fn places(&self) -> Box<dyn Iterator<Item = Place> + '_> {
        match self {
            Self::Points(points, _) => Box::new(points.iter().copied()),
            Self::Lines(lines, _) => Box::new(lines.iter().flatten().copied()),
            Self::Polygons(all, _) => Box::new(all.iter().flatten().flatten().copied()),
        }
    }

    /// Points that were written; a ring's last one, which is its first, is not counted again.
    pub(super) fn num_points(&self) -> usize {
        let rings = match self {
            Self::Polygons(all, _) => all.iter().map(Vec::len).sum(),
            _ => 0,
        };
        self.places().count() - rings
    }

    /// The place of a point; NULL if it is empty.
    pub(super) fn place(&self, name: &str) -> Result<Option<Place>> {
        match self {
            Self::Points(points, false) => Ok(points.first().copied()),
            other => exec_err!("{name} takes a POINT, not a {}", other.wkt_name()),
        }
    }

    pub(super) fn bound(&self, of: fn(Place) -> f64, pick: fn(f64, f64) -> f64) -> Option<f64> {
        self.places().map(of).reduce(pick)
    }

    pub(super) fn area(&self) -> Result<f64> {
        match self {
            Self::Polygons(all, _) => Ok(all
                .iter()
                .map(|rings| {
                    let mut areas = rings.iter().map(|r| ring_area(r));
                    areas.next().unwrap_or(0.0) - areas.sum::<f64>()
                })
                .sum()),
            other => exec_err!(
                "ST_Area takes a POLYGON or MULTIPOLYGON, not a {}",
                other.wkt_name()
            ),
        }
    }

    pub(super) fn length(&self) -> Result<f64> {
        match self {
            Self::Lines(lines, _) => Ok(lines
                .iter()
                .flat_map(|l| l.windows(2))
                .map(|pair| match pair {
                    [a, b] => apart(*a, *b),
                    _ => 0.0,
                })
                .sum()),
            other => exec_err!(
                "ST_Length takes a LINESTRING or MULTILINESTRING, not a {}",
                other.wkt_name()
            ),
        }
    }

    /// The lines that it is made of; a point is a line from itself to itself.
    fn segments(&self) -> Vec<(Place, Place)> {
        let pairs = |line: &Vec<Place>| -> Vec<(Place, Place)> {
            line.windows(2)
                .filter_map(|pair| match pair {
                    [a, b] => Some((*a, *b)),
                    _ => None,
                })
                .collect()
        };
        match self {
            Self::Points(points, _) => points.iter().map(|p| (*p, *p)).collect(),
            Self::Lines(lines, _) => lines.iter().flat_map(pairs).collect(),
            Self::Polygons(all, _) => all.iter().flatten().flat_map(pairs).collect(),
        }
    }

    /// Whether a place is within a polygon, and not on its edge.
    fn has_inside(&self, place: Place) -> bool {
        let Self::Polygons(all, _) = self else {
            return false;
        };
        all.iter().any(|rings| {
            let mut rings = rings.iter();
            rings.next().is_some_and(|outer| ring_has(outer, place))
                && !rings.any(|hole| ring_has(hole, place))
        }) && !self.on_edge(place)
    }

    fn on_edge(&self, place: Place) -> bool {
        self.segments()
            .iter()
            .any(|segment| to_segment(place, *segment) == 0.0)
    }

    /// The shortest way between two shapes; nothing if one is empty.
    pub(super) fn distance(&self, other: &Self) -> Option<f64> {
        let (ours, theirs) = (self.segments(), other.segments());
        let (first, second) = (ours.first()?, theirs.first()?);
        if self.has_inside(second.0) || other.has_inside(first.0) {
            return Some(0.0);
        }
        // Of polygons with several parts each part is looked at.
        if theirs.iter().any(|s| self.has_inside(s.0)) || ours.iter().any(|s| other.has_inside(s.0))
        {
            return Some(0.0);
        }
        let pairs = ours
            .iter()
            .flat_map(|a| theirs.iter().map(move |b| between(*a, *b)));
        pairs.reduce(f64::min)
    }

    /// Whether the other lies within this one and not only on its edge.
    pub(super) fn contains(&self, other: &Self) -> Result<bool> {
        match (self, other) {
            (Self::Polygons(..), Self::Points(points, _)) => {
                let all = points
                    .iter()
                    .all(|p| self.has_inside(*p) || self.on_edge(*p));
                Ok(all && points.iter().any(|p| self.has_inside(*p)))
            }
            (Self::Points(ours, _), Self::Points(theirs, _)) => {
                Ok(!theirs.is_empty() && theirs.iter().all(|p| ours.contains(p)))
            }
            (Self::Points(..), _) => Ok(false),
            (Self::Lines(..), Self::Points(points, _)) => {
                Ok(!points.is_empty() && points.iter().all(|p| self.on_edge(*p)))
            }
            (a, b) => exec_err!(
                "ST_Contains and ST_Within of a {} and a {} are not built: one must be a POINT or MULTIPOINT",
                a.wkt_name(),
                b.wkt_name()
            ),
        }
    }
}

fn apart(a: Place, b: Place) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn ring_area(ring: &[Place]) -> f64 {
    let twice: f64 = ring
        .windows(2)
        .map(|pair| match pair {
            [a, b] => a.0 * b.1 - b.0 * a.1,
            _ => 0.0,
        })
        .sum();
    twice.abs() / 2.0
}

/// A line from the place to the right crosses the ring an odd number of times.
fn ring_has(ring: &[Place], place: Place) -> bool {
    let crossings = ring.windows(2).filter(|pair| match pair {
        [a, b] => {
            (a.1 > place.1) != (b.1 > place.1)
                && place.0 < (b.0 - a.0) * (place.1 - a.1) / (b.1 - a.1) + a.0
        }
        _ => false,
    });
    crossings.count() % 2 == 1
}

fn to_segment(place: Place, (a, b): (Place, Place)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    if square == 0.0 {
        return apart(place, a);
    }
    let along = (((place.0 - a.0) * dx + (place.1 - a.1) * dy) / square).clamp(0.0, 1.0);
    apart(place, (a.0 + along * dx, a.1 + along * dy))
}

fn between(a: (Place, Place), b: (Place, Place)) -> f64 {
    let side = |from: Place, to: Place, p: Place| {
        (to.0 - from.0) * (p.1 - from.1) - (to.1 - from.1) * (p.0 - from.0)
    };
    let crosses = side(a.0, a.1, b.0) * side(a.0, a.1, b.1) < 0.0
        && side(b.0, b.1, a.0) * side(b.0, b.1, a.1) < 0.0;
    if crosses {
        return 0.0;
    }
    to_segment(a.0, b)
        .min(to_segment(a.1, b))
        .min(to_segment(b.0, a))
        .min(to_segment(b.1, a))
}
