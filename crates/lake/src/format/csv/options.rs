//! What has to be known of a delimited text to read it.

use crate::value::DateOrder;

/// A dialect of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// What stands between cells.
    pub delimiter: u8,
    /// Whether several delimiters in a row, and tabs among spaces, count as one (aligned text).
    pub collapse: bool,
    /// What cells may be quoted with.
    pub quote: Option<u8>,
    /// What escapes a quote within quotes, where quotes are not doubled.
    pub escape: Option<u8>,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Lines before the header, or before the first row where there is none.
    pub preamble: u64,
    /// Lines after the last row that are notes and no rows.
    pub footer: u64,
    /// What a line begins with that is a comment.
    pub comment: Option<u8>,
    /// Whether preamble, comments and footer are found in each file anew, since they differ from
    /// file to file; else their numbers hold for every file, as Hive's do.
    pub per_file: bool,
    /// The encoding of lines that are not UTF-8, by its name in the WHATWG's list. Byte order marks
    /// and UTF-16 are told by each file itself.
    pub encoding: Option<String>,
    /// What comes first in dates that do not tell (`03/04/2024`).
    pub date_order: Option<DateOrder>,
    /// Cells that stand for null, beside the empty cell, but for those in `literal_columns`.
    pub null_markers: Vec<String>,
    /// Those of the null markers that are so rare among their columns' values (fewer than one in a thousand)
    /// that they tell nothing of the file: nulls in a table, values in a dynamic frame.
    pub rare_markers: Vec<String>,
    /// Columns in which null markers are text while the column is: codes that look like them (`NA`
    /// among the codes of countries). By their names in the catalog, in any case.
    pub literal_columns: Vec<String>,
    /// Cells that stand for null in every column.
    pub text_nulls: Vec<String>,
    /// Whether rows are read as Hive reads them: an empty cell of a column of text is an empty text and not null, and cells
    /// beyond the last column are passed over.
    pub as_hive: bool,
    /// What stands between the parts of a nested value, by level, as in Hive's `LazySimpleSerDe`. Without it, and where a
    /// cell begins like JSON, nested values are JSON.
    pub nested: Vec<u8>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            delimiter: b',',
            collapse: false,
            quote: Some(b'"'),
            escape: None,
            header: true,
            preamble: 0,
            footer: 0,
            comment: None,
            per_file: false,
            encoding: None,
            date_order: None,
            null_markers: Vec::new(),
            rare_markers: Vec::new(),
            literal_columns: Vec::new(),
            text_nulls: Vec::new(),
            as_hive: false,
            nested: Vec::new(),
        }
    }
}

impl CsvOptions {
    /// Whether null markers are text in a column, where that is a column of text.
    pub fn is_literal(&self, column: &str) -> bool {
        let column = column.to_lowercase();
        self.literal_columns
            .iter()
            .any(|c| c.to_lowercase() == column)
    }

    /// The null markers that are nulls in a dynamic frame, too, but for those of every column.
    pub fn common_markers(&self) -> impl Iterator<Item = &String> {
        let markers = self.null_markers.iter();
        markers.filter(|marker| !self.rare_markers.contains(marker))
    }

    /// Whether one table's options can read files of both: what they differ in is found in each
    /// file anew, or can be merged.
    pub fn same_dialect(&self, other: &CsvOptions) -> bool {
        let orders = match (self.date_order, other.date_order) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        let encodings = match (&self.encoding, &other.encoding) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        let places = self.per_file && other.per_file
            || (self.preamble, self.footer, self.comment)
                == (other.preamble, other.footer, other.comment);
        orders
            && encodings
            && places
            && self.per_file == other.per_file
            && self.delimiter == other.delimiter
            && self.collapse == other.collapse
            && self.quote == other.quote
            && self.escape == other.escape
            && self.header == other.header
    }

    /// Takes up what a look at more of a table found beyond its dialect: null markers, columns where they are text, an
    /// encoding, an order of dates.
    pub fn learn(&mut self, found: &CsvOptions) {
        let (preamble, footer, comment) = (self.preamble, self.footer, self.comment);
        self.merge(found);
        (self.preamble, self.footer, self.comment) = (preamble, footer, comment);
    }

    /// Takes up what `other`, of the same dialect, knows beyond this: null markers, columns where they
    /// are text, an encoding, an order of dates, longer preambles and footers.
    pub fn merge(&mut self, other: &CsvOptions) {
        let union = |all: &mut Vec<String>, more: &[String]| {
            for marker in more {
                if !all.contains(marker) {
                    all.push(marker.clone());
                }
            }
            all.sort();
        };
        // What is no rarity in one file is none in the table.
        let common: Vec<String> = [&*self, other]
            .iter()
            .flat_map(|options| options.common_markers())
            .cloned()
            .collect();
        union(&mut self.rare_markers, &other.rare_markers);
        self.rare_markers.retain(|marker| !common.contains(marker));
        union(&mut self.null_markers, &other.null_markers);
        union(&mut self.literal_columns, &other.literal_columns);
        union(&mut self.text_nulls, &other.text_nulls);
        if self.encoding.is_none() {
            self.encoding.clone_from(&other.encoding);
        }
        if self.date_order.is_none() {
            self.date_order = other.date_order;
        }
        if self.comment.is_none() {
            self.comment = other.comment;
        }
        self.preamble = self.preamble.max(other.preamble);
        self.footer = self.footer.max(other.footer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_find_by_themselves_does_not_part_them() {
        let found = CsvOptions {
            per_file: true,
            ..CsvOptions::default()
        };
        let titled = CsvOptions {
            preamble: 3,
            footer: 1,
            encoding: Some("windows-1252".into()),
            null_markers: vec!["NA".into()],
            literal_columns: vec!["code".into()],
            date_order: Some(DateOrder::DayFirst),
            ..found.clone()
        };
        assert!(found.same_dialect(&titled));
        let mut merged = found.clone();
        merged.merge(&titled);
        assert_eq!(merged, titled);
        let american = CsvOptions {
            date_order: Some(DateOrder::MonthFirst),
            ..found.clone()
        };
        assert!(!american.same_dialect(&titled));
        assert!(found.same_dialect(&american));
        let fixed = CsvOptions {
            preamble: 3,
            ..CsvOptions::default()
        };
        assert!(!fixed.same_dialect(&CsvOptions::default()));
    }
}
