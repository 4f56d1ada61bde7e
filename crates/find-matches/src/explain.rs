//! Every choice, and why.

use std::fmt;

use datafusion::common::human_readable_size;
use serde::{Deserialize, Serialize};

use crate::blocking::Blocking;
use crate::model::ComparisonModel;
use crate::profile::{Column, Dropped};

/// How pairs were decided on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Pairs over this score are matches.
    pub threshold: f64,
    /// Why it lies there.
    pub why: String,
    /// How many records an entity has, and how that is known; empty where it was set.
    #[serde(default)]
    pub partners: String,
    /// Whether there is anything to be found at all.
    pub gate: String,
    /// Whether most of what is over the threshold is no better than a record's other candidates.
    pub doubtful: bool,
    /// Pairs over the threshold that are no matches for it.
    pub refused: u64,
    /// Assigned pairs that are none because a rival was as good.
    pub ties: u64,
    /// How many entities there are of each size.
    pub sizes: Vec<(u64, u64)>,
}

/// What was decided on the way to the entities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The columns that were compared.
    pub columns: Vec<Column>,
    /// Those that were not.
    pub dropped: Vec<Dropped>,
    /// How pairs were found.
    pub blocking: Blocking,
    /// The share of candidates that are matches.
    pub prior: f64,
    /// The share of those that are related without being the same, such as persons of one household; 0 where there
    /// is no such class.
    pub related: f64,
    /// What each comparison is worth.
    pub comparisons: Vec<ComparisonModel>,
    /// How pairs were decided on.
    pub decision: Decision,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Columns")?;
        for c in &self.columns {
            writeln!(
                f,
                "  {}: {} ({}; {:.0} % filled, about {} different)",
                c.name,
                c.kind.name(),
                c.why,
                100.0 * c.fill,
                c.distinct
            )?;
        }
        for dropped in &self.dropped {
            writeln!(f, "  {}: not compared: {}", dropped.name, dropped.why)?;
        }
        writeln!(
            f,
            "Normal form\n  lower case without accents and punctuation, \"&\" as \"and\"; empty, null, none, na, nan and unknown as no value"
        )?;
        writeln!(f, "Blocking\n  {}", self.blocking.method)?;
        if self.blocking.spilled > 0 {
            writeln!(
                f,
                "  {} did not fit into memory and went through the spill folder",
                human_readable_size(usize::try_from(self.blocking.spilled).unwrap_or(usize::MAX))
            )?;
        }
        for rule in &self.blocking.rules {
            write!(f, "  {}: {} pairs", rule.agree_on.join(" + "), rule.pairs)?;
            if rule.oversized_blocks > 0 {
                write!(
                    f,
                    "; {} blocks with {} rows are over 50 rows and left to other keys",
                    rule.oversized_blocks, rule.oversized_rows
                )?;
            }
            writeln!(f)?;
        }
        for refused in &self.blocking.refused {
            writeln!(f, "  not by {refused}")?;
        }
        writeln!(f, "  {} pairs in all", self.blocking.pairs)?;
        writeln!(
            f,
            "Comparisons (weight of each level, from the least alike to equal, in log odds; {:.4} of the pairs match)",
            self.prior
        )?;
        for c in &self.comparisons {
            let kind = c
                .kind
                .map_or("3-grams of the whole record", |kind| kind.name());
            let weights: Vec<String> = (0..c.m.len())
                .map(|l| format!("{:+.2}", c.weight(l)))
                .collect();
            writeln!(f, "  {} ({kind}): {}", c.name, weights.join(" "))?;
            if self.related > 0.0 {
                let weights: Vec<String> = (0..c.m.len())
                    .map(|l| format!("{:+.2}", c.weight_of_related(l)))
                    .collect();
                writeln!(f, "    against related records: {}", weights.join(" "))?;
            }
        }
        if self.related > 0.0 {
            writeln!(
                f,
                "  {:.4} of the pairs are related without being the same: they agree on some columns as matches do, and on others hardly ever",
                self.related
            )?;
        }
        let d = &self.decision;
        writeln!(f, "Decision\n  threshold {:.2}: {}", d.threshold, d.why)?;
        if !d.partners.is_empty() {
            writeln!(f, "  an entity has {}", d.partners)?;
        }
        writeln!(f, "  {}", d.gate)?;
        if d.refused > 0 {
            writeln!(
                f,
                "  {} pairs over the threshold are no matches for it",
                d.refused
            )?;
        }
        if d.ties > 0 {
            writeln!(
                f,
                "  {} pairs are no matches because others are as good",
                d.ties
            )?;
        }
        writeln!(f, "Entities")?;
        for (size, count) in &d.sizes {
            writeln!(
                f,
                "  of {size} record{}: {count}",
                if *size == 1 { "" } else { "s" }
            )?;
        }
        Ok(())
    }
}
