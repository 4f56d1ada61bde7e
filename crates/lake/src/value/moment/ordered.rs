//! Dates such as `03/04/2024`, whose order their texts do not tell.

use super::cursor::Cursor;
use super::{Calendar, Time, calendar, days};

/// What comes first in dates such as `03/04/2024` and `24-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// `D/M/Y`, as in most of the world.
    DayFirst,
    /// `M/D/Y`, as in the United States.
    MonthFirst,
    /// `Y-M-D` with a year of two digits.
    YearFirst,
}

impl DateOrder {
    /// Every order.
    pub const ALL: [DateOrder; 3] = [
        DateOrder::DayFirst,
        DateOrder::MonthFirst,
        DateOrder::YearFirst,
    ];

    /// As the order is written down in a catalog: `dmy`, `mdy` or `ymd`.
    pub fn name(self) -> &'static str {
        match self {
            DateOrder::DayFirst => "dmy",
            DateOrder::MonthFirst => "mdy",
            DateOrder::YearFirst => "ymd",
        }
    }

    /// The order of that name.
    pub fn of_name(name: &str) -> Option<DateOrder> {
        DateOrder::ALL
            .into_iter()
            .find(|o| o.name().eq_ignore_ascii_case(name))
    }
}

/// A date that can be read in one order or in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    first: u32,
    second: u32,
    /// The year, where it comes last.
    year: i32,
    /// The year where it comes first, and the day behind it.
    year_first: Option<(i32, u32)>,
    time: Option<Time>,
}

/// A date such as `03/04/2024`, `3-4-24` or `24-04-03`, perhaps with a time behind it.
pub fn ordered(text: &str) -> Option<Ordered> {
    let bytes = text.as_bytes();
    // The shortest is `1/1/70`.
    if bytes.len() < 6 || bytes.len() > 40 || !bytes[0].is_ascii_digit() {
        return None;
    }
    let between = if bytes[1].is_ascii_digit() {
        bytes[2]
    } else {
        bytes[1]
    };
    if !matches!(between, b'/' | b'-') || !text.is_ascii() {
        return None;
    }
    let mut cursor = Cursor { bytes, at: 0 };
    let first = cursor.number(2)?;
    cursor.byte(between)?;
    let second = cursor.number(2)?;
    cursor.byte(between)?;
    let third = Cursor { ..cursor }.number(2);
    let (year, year_first) = match cursor.year() {
        Some(year) => (year, None),
        None => (
            cursor.short_year()?,
            Cursor { bytes, at: 0 }.short_year().zip(third),
        ),
    };
    let time = cursor.time()?;
    let found = Ordered {
        first,
        second,
        year,
        year_first,
        time,
    };
    found.orders().next().is_some().then_some(found)
}

impl Ordered {
    /// What the text is under an order; `None` where there is no such day.
    pub fn read(&self, order: DateOrder) -> Option<Calendar> {
        let (year, month, day) = match order {
            DateOrder::DayFirst => (self.year, self.second, self.first),
            DateOrder::MonthFirst => (self.year, self.first, self.second),
            DateOrder::YearFirst => {
                let (year, day) = self.year_first?;
                (year, self.second, day)
            }
        };
        Some(calendar(days(year, month, day)?, self.time))
    }

    /// The orders under which there is such a day.
    pub fn orders(&self) -> impl Iterator<Item = DateOrder> {
        DateOrder::ALL
            .into_iter()
            .filter(|order| self.read(*order).is_some())
    }

    /// Whether there is a time, and whether it is zoned.
    pub fn time(&self) -> Option<bool> {
        self.time.map(|t| t.offset.is_some())
    }
}

/// How many of a column's dates cannot be read in each order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orders {
    unread: [u64; 3],
}

impl Orders {
    /// Counts a date.
    pub fn see(&mut self, date: &Ordered) {
        for (unread, order) in self.unread.iter_mut().zip(DateOrder::ALL) {
            *unread += u64::from(date.read(order).is_none());
        }
    }

    /// The orders in which every date can be read.
    pub fn possible(&self) -> impl Iterator<Item = DateOrder> {
        let all = DateOrder::ALL.into_iter().zip(self.unread);
        all.filter(|(_, unread)| *unread == 0)
            .map(|(order, _)| order)
    }

    /// The only order in which every date can be read, and how many of them rule out the others.
    pub fn decided(&self) -> Option<(DateOrder, u64)> {
        let mut possible = self.possible();
        let order = possible.next().filter(|_| possible.next().is_none())?;
        let others = self.unread.into_iter().filter(|unread| *unread > 0);
        Some((order, others.min().unwrap_or_default()))
    }

    /// Whether the year may come first as well as the day or the month: nothing but the dates
    /// themselves could tell.
    pub fn is_open(&self) -> bool {
        let mut possible = self.possible();
        let first = possible.next();
        first != Some(DateOrder::YearFirst) && possible.any(|o| o == DateOrder::YearFirst)
    }

    /// Whether every date can be read in the file's order, and the column does not leave open where
    /// the year is.
    pub fn allow(&self, order: DateOrder) -> bool {
        !self.is_open() && self.possible().any(|o| o == order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn orders(texts: &[&str]) -> Orders {
        let mut orders = Orders::default();
        for text in texts {
            if let Some(date) = ordered(text) {
                orders.see(&date);
            }
        }
        orders
    }

    #[test]
    fn orders_are_decided_by_days_beyond_twelve() {
        let decided = |texts: &[&str]| orders(texts).decided();
        assert_eq!(decided(&["25/12/2020"]), Some((DateOrder::DayFirst, 1)));
        assert_eq!(
            decided(&["12/25/20 4:30 PM"]),
            Some((DateOrder::MonthFirst, 1))
        );
        assert_eq!(decided(&["1-2-1999"]), None);
        assert!(ordered("1-2-1999").is_some());
        for text in ["25/25/2020", "555-0100", "1/2", "12-34-56", "1/2/199"] {
            assert_eq!(ordered(text), None, "{text}");
        }
        let read = |text, order| ordered(text).and_then(|o| o.read(order));
        assert_eq!(read("2/1/70", DateOrder::DayFirst), Some(Calendar::Date(1)));
        assert_eq!(
            read("2/1/70", DateOrder::MonthFirst),
            Some(Calendar::Date(31))
        );
        assert_eq!(
            read("70-01-02", DateOrder::YearFirst),
            Some(Calendar::Date(1))
        );
        assert_eq!(read("01/02/1970", DateOrder::YearFirst), None);
    }

    #[test]
    fn years_of_two_digits_may_come_first() {
        let open = orders(&["24-01-31", "23-02-14", "24-03-25", "22-12-30"]);
        assert!(open.is_open());
        assert_eq!(open.decided(), None);
        assert!(!open.allow(DateOrder::DayFirst) && !open.allow(DateOrder::YearFirst));
        // No month has 99 days, and there is no 31st of February.
        for texts in [&["99-01-31", "24-01-31"][..], &["31-01-29", "31-02-28"]] {
            let year = orders(texts);
            assert_eq!(year.decided().map(|d| d.0), Some(DateOrder::YearFirst));
            assert!(year.allow(DateOrder::YearFirst));
        }
        // Nor has it 95, and a single digit is no year.
        for texts in [&["31/01/95", "1/2/95"][..], &["31/1/20", "1/2/20"]] {
            let day = orders(texts);
            assert_eq!(day.decided().map(|d| d.0), Some(DateOrder::DayFirst));
        }
        let either = orders(&["1/2/20", "3/4/20"]);
        assert!(!either.is_open() && either.decided().is_none());
        assert!(either.allow(DateOrder::MonthFirst));
        assert_eq!(orders(&["25/12/2020", "12/25/2020"]).decided(), None);
    }

    proptest! {
        #[test]
        fn texts_like_dates_do_not_panic(text in "[-0-9/: aApPmM]{0,40}") {
            let _ = ordered(&text).map(|o| o.orders().count());
        }
    }
}
