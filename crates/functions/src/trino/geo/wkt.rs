//! Well-known text: `POLYGON ((0 0, 0 1, 1 1, 0 0))`.

use std::fmt::{Display, Formatter, Result as FmtResult};

use super::shape::{Place, Shape};

/// The shape that a text says, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Shape, String> {
    let mut reader = Reader(text.trim());
    let kind = reader.word().to_ascii_uppercase();
    let empty = reader.0.trim_start();
    if empty.eq_ignore_ascii_case("EMPTY") {
        return Ok(match kind.as_str() {
            "POINT" => Shape::Points(Vec::new(), false),
            "MULTIPOINT" => Shape::Points(Vec::new(), true),
            "LINESTRING" => Shape::Lines(vec![Vec::new()], false),
            "MULTILINESTRING" => Shape::Lines(Vec::new(), true),
            "POLYGON" => Shape::Polygons(vec![Vec::new()], false),
            "MULTIPOLYGON" => Shape::Polygons(Vec::new(), true),
            _ => return Err(unknown(&kind)),
        });
    }
    let shape = match kind.as_str() {
        "POINT" => Shape::Points(vec![reader.enclosed(Reader::place)?], false),
        "MULTIPOINT" => Shape::Points(reader.list(Reader::bare_or_enclosed)?, true),
        "LINESTRING" => Shape::Lines(vec![reader.places()?], false),
        "MULTILINESTRING" => Shape::Lines(reader.list(Reader::places)?, true),
        "POLYGON" => Shape::Polygons(vec![reader.rings()?], false),
        "MULTIPOLYGON" => Shape::Polygons(reader.list(Reader::rings)?, true),
        _ => return Err(unknown(&kind)),
    };
    match reader.0.trim_start() {
        "" => Ok(shape),
        rest => Err(format!("'{rest}' is too much")),
    }
}

fn unknown(kind: &str) -> String {
    format!("'{kind}' is none of POINT, LINESTRING, POLYGON and their MULTI forms")
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn word(&mut self) -> &'a str {
        let end = self
            .0
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    fn mark(&mut self, mark: char) -> Result<(), String> {
        let rest = self.0.trim_start();
        match rest.strip_prefix(mark) {
            Some(rest) => {
                self.0 = rest;
                Ok(())
            }
            None => Err(format!(
                "'{mark}' is missing before '{}'",
                rest.chars().take(20).collect::<String>()
            )),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let rest = self.0.trim_start();
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
            .unwrap_or(rest.len());
        let (digits, rest) = rest.split_at(end);
        self.0 = rest;
        match digits.parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(n),
            _ => Err(format!("'{digits}' is no number")),
        }
    }

    fn place(&mut self) -> Result<Place, String> {
        Ok((self.number()?, self.number()?))
    }

    fn enclosed<T>(&mut self, of: fn(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.mark('(')?;
        let value = of(self)?;
        self.mark(')')?;
        Ok(value)
    }

    fn bare_or_enclosed(&mut self) -> Result<Place, String> {
        if self.0.trim_start().starts_with('(') {
            return self.enclosed(Self::place);
        }
        self.place()
    }

    fn list<T>(&mut self, of: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        self.mark('(')?;
        let mut all = vec![of(self)?];
        while self.mark(',').is_ok() {
            all.push(of(self)?);
        }
        self.mark(')')?;
        Ok(all)
    }

    fn places(&mut self) -> Result<Vec<Place>, String> {
        let places = self.list(Self::place)?;
        match places.len() {
            1 => Err("a line has two points or more".to_owned()),
            _ => Ok(places),
        }
    }

    fn rings(&mut self) -> Result<Vec<Vec<Place>>, String> {
        let rings = self.list(Self::places)?;
        match rings.iter().find(|r| r.len() < 4 || r.first() != r.last()) {
            Some(_) => {
                Err("a polygon's ring has four points or more and ends where it begins".to_owned())
            }
            None => Ok(rings),
        }
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str(self.wkt_name())?;
        if self.num_points() == 0 {
            return f.write_str(" EMPTY");
        }
        f.write_str(" ")?;
        match self {
            Shape::Points(points, false) => list(f, points, place),
            Shape::Points(points, true) => list(f, points, |f, p| {
                f.write_str("(")?;
                place(f, p)?;
                f.write_str(")")
            }),
            Shape::Lines(lines, false) => lines.iter().try_for_each(|l| list(f, l, place)),
            Shape::Lines(lines, true) => list(f, lines, |f, l| list(f, l, place)),
            Shape::Polygons(all, false) => all
                .iter()
                .try_for_each(|rings| list(f, rings, |f, r| list(f, r, place))),
            Shape::Polygons(all, true) => {
                list(f, all, |f, rings| list(f, rings, |f, r| list(f, r, place)))
            }
        }
    }
}

fn place(f: &mut Formatter<'_>, (x, y): &Place) -> FmtResult {
    write!(f, "{x} {y}")
}

fn list<T>(
    f: &mut Formatter<'_>,
    all: &[T],
    of: impl Fn(&mut Formatter<'_>, &T) -> FmtResult,
) -> FmtResult {
    f.write_str("(")?;
    for (i, one) in all.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        of(f, one)?;
    }
    f.write_str(")")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "POINT (1 2.5)",
            "POINT EMPTY",
            "MULTIPOINT ((1 2), (3 4))",
            "LINESTRING (0 0, 1 1)",
            "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))",
            "POLYGON ((0 0, 0 4, 4 4, 0 0), (1 1, 1 2, 2 2, 1 1))",
            "MULTIPOLYGON (((0 0, 0 4, 4 4, 0 0)))",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert!(parse("POLYGON ((0 0, 1 1))").is_err());
        assert!(parse("CIRCLE (1)").is_err());
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "(POINT|POLYGON|MULTIPOINT|LINESTRING) ?[(), 0-9.eE+-]{0,30}") {
            if let Ok(shape) = parse(&text) {
                prop_assert_eq!(parse(&shape.to_string()).map(|s| s.to_string()), Ok(shape.to_string()));
            }
        }
    }
}
