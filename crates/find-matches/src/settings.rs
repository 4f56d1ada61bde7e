//! What can be set. Everything has a default, and everything chosen is told in the explanation.

use serde::{Deserialize, Serialize};

/// How two values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Short text, such as a name: edit distance, Jaro–Winkler and 3-grams.
    String,
    /// Many words: the cosine of 3-grams weighted by how rare they are.
    Text,
    /// A measured number: relative difference.
    Number,
    /// Digits that name something (postcodes, phones, dates without separators): edit distance.
    Code,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Code => "code",
        }
    }

    /// The kind of a name.
    pub fn parse(name: &str) -> Option<Kind> {
        [Kind::String, Kind::Text, Kind::Number, Kind::Code]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A comparison that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The column.
    pub column: String,
    /// How its values are compared; found out by itself otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
}

/// Settings; the default ones find out everything by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A column that tells rows apart. It has no nulls and nothing twice, and is never compared.
    pub primary_key: Option<String>,
    /// Linking: a record has one partner at most.
    pub one_to_one: bool,
    /// The columns to compare, where not all that are fit for it.
    pub comparisons: Vec<Comparison>,
    /// Columns that are not compared.
    pub ignore: Vec<String>,
    /// Blocking rules: pairs are compared that agree on all columns of one of them; chosen otherwise.
    pub blocking: Vec<Vec<String>>,
    /// Glue's precision–recall trade-off, 0 to 1: 1 is for precision, 0 for recall.
    pub precision_recall_tradeoff: f64,
    /// Glue's accuracy–cost trade-off, 0 to 1: 1 is for accuracy, which compares more pairs.
    pub accuracy_cost_tradeoff: f64,
    /// Up to how many rows each record's neighbours are looked for among all; the accuracy-cost trade-off says so
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_rows: Option<usize>,
    /// Glue: labelled pairs come out as they are labelled. It takes effect where there are labels.
    pub enforce_provided_labels: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            primary_key: None,
            one_to_one: false,
            comparisons: Vec::new(),
            ignore: Vec::new(),
            blocking: Vec::new(),
            precision_recall_tradeoff: 0.5,
            accuracy_cost_tradeoff: 0.5,
            search_rows: None,
            enforce_provided_labels: false,
        }
    }
}

impl Settings {
    /// How far the threshold is moved, in natural units of log odds: ±6 at the ends.
    pub(crate) fn shift(&self) -> f64 {
        (self.precision_recall_tradeoff - 0.5) * 12.0
    }

    /// How many neighbours of each record are compared: 5 to 20.
    pub(crate) fn neighbours(&self) -> usize {
        (10.0 * 4.0_f64.powf(self.accuracy_cost_tradeoff - 0.5)).round() as usize
    }

    /// Up to how many rows every record's neighbours are looked for among all.
    pub(crate) fn search_rows(&self) -> usize {
        let usual = (20_000.0 * 100.0_f64.powf(self.accuracy_cost_tradeoff - 0.5)) as usize;
        self.search_rows.unwrap_or(usual)
    }

    /// About how many pairs a row the blocking rules may make.
    pub(crate) fn pairs_a_row(&self) -> f64 {
        8.0 * 4.0_f64.powf(self.accuracy_cost_tradeoff - 0.5)
    }
}
