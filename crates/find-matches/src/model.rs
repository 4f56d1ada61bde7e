//! What the comparisons are worth.

pub(crate) mod em;
pub(crate) mod logistic;
pub(crate) mod patterns;
pub(crate) mod relations;
pub(crate) mod self_training;
pub(crate) mod supervised;
pub(crate) mod tf;
mod together;
mod transitive;

use serde::{Deserialize, Serialize};

use crate::settings::Kind;

/// What one comparison is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonModel {
    /// The column, or `*3gram` for whole records.
    pub name: String,
    /// How its values are compared; none for whole records.
    pub kind: Option<Kind>,
    /// The share of matches that are on each level, the least alike first, of those that have both values.
    pub m: Vec<f64>,
    /// The same of pairs that agree by chance.
    pub u: Vec<f64>,
    /// The same of pairs that are related without being the same: of one household, one brand. Empty where there is
    /// no such class.
    pub related: Vec<f64>,
    /// The mean of -ln of the frequency of values that agree exactly: rarer ones are worth more.
    pub rarity: Option<f64>,
    /// How much of a weight against a match counts: columns that differ together, as the parts of an address do of who
    /// moved, say it once.
    #[serde(default = "whole")]
    pub part: f64,
}

fn whole() -> f64 {
    1.0
}

impl ComparisonModel {
    /// The weight of a level, in natural units of log odds.
    pub fn weight(&self, level: usize) -> f64 {
        match (self.m.get(level), self.u.get(level)) {
            (Some(m), Some(u)) if m < u => (m / u).ln() * self.part,
            (Some(m), Some(u)) => (m / u).ln(),
            _ => 0.0,
        }
    }

    /// The same against pairs that are related.
    pub fn weight_of_related(&self, level: usize) -> f64 {
        match (self.m.get(level), self.related.get(level)) {
            (Some(m), Some(u)) => (m / u).ln(),
            _ => 0.0,
        }
    }
}

/// Everything that is needed to score pairs again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The share of candidate pairs that are matches.
    pub prior: f64,
    /// The share of those that are related without being the same.
    pub related: f64,
    /// The comparisons, in order.
    pub comparisons: Vec<ComparisonModel>,
    /// Linking one to one: the learner trained on the model's own assignment.
    pub learner: Option<self_training::Learner>,
    /// What was learned from labels, over all that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised: Option<supervised::Supervised>,
    /// Whether a record has one partner at most.
    pub one_to_one: bool,
    /// Pairs over this score were matches before labels were heard.
    pub unsupervised_threshold: f64,
    /// Pairs over this score are matches.
    pub threshold: f64,
}

/// The inverse of the logistic function.
pub(crate) fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x.clamp(-50.0, 50.0)).exp())
}
