//! Steps that bring something into a frame's records, or make several of one.

use mastic_dynamic_frame::{Fill, FlatMap, Kmeans, Lookup, Unbox};

use mastic_find_matches::{Settings, Side};

use crate::script::ast::SinkDef;
use crate::source::Text;

/// What such a step does. `texts` are the parts of the script that a complaint may be about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EnrichStep {
    /// Makes a record of each element of an array.
    FlatMap {
        /// How.
        map: FlatMap,
        /// Where it says so.
        texts: Vec<Text>,
    },
    /// Adds fields of another frame's records, found by keys.
    Lookup {
        /// The other frame.
        with: Text,
        /// How.
        lookup: Lookup,
        /// Where it says so.
        texts: Vec<Text>,
    },
    /// Replaces records by staged ones with the same keys.
    Merge {
        /// The staged frame.
        with: Text,
        /// The keys.
        primary_keys: Vec<Text>,
    },
    /// Parses the text of a field.
    Unbox {
        /// How.
        unbox: Unbox,
        /// Of how many records the type is found, where it is not given.
        infer: usize,
        /// Where it says so.
        texts: Vec<Text>,
    },
    /// Fills in missing values.
    Fill {
        /// How.
        fill: Fill,
        /// Where it says so.
        texts: Vec<Text>,
    },
    /// Numbers clusters of records.
    Kmeans {
        /// How.
        kmeans: Kmeans,
        /// Where it says so.
        texts: Vec<Text>,
    },
    /// Finds which records mean the same thing.
    Match(Box<MatchStep>),
    /// Deals records out to so many streams, by fields where there are any.
    Repartition {
        /// How many streams.
        num: usize,
        /// The fields.
        by: Vec<Text>,
    },
    /// Puts streams together until there are at most so many.
    Coalesce(usize),
    /// Writes a sample aside.
    Spigot {
        /// Where and how it is written.
        sink: Box<SinkDef>,
        /// How many records at most.
        topk: usize,
        /// How likely a record is in it.
        prob: f64,
    },
    /// Adds other frames' records, widening types that disagree.
    UnionWidened(Vec<Text>),
}

/// A step that matches records.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MatchStep {
    /// What the step says of itself; what it does not say is as a transform says, or as usual.
    pub settings: Settings,
    /// The trade-offs of precision and recall, and of accuracy and cost, where it says so.
    pub trade_offs: [Option<f64>; 2],
    /// The frame that records are linked with.
    pub with: Option<Text>,
    /// The frame of labels.
    pub labels: Option<Text>,
    /// The frame of records that have entities already.
    pub existing: Option<Text>,
    /// The transform that was saved.
    pub transform: Option<Text>,
    /// Of which table that the transform linked the frame's records are, where the step says so.
    pub side: Option<Side>,
    /// Whether the best record of each entity is kept, and no other.
    pub best: bool,
    /// All these frames.
    pub frames: Vec<Text>,
    /// Where it says so.
    pub texts: Vec<Text>,
}

impl MatchStep {
    /// The settings over those of a transform.
    pub(crate) fn over(&self, saved: Option<&Settings>) -> Settings {
        let own = &self.settings;
        let mut out = match saved {
            None => own.clone(),
            Some(saved) => Settings {
                primary_key: own
                    .primary_key
                    .clone()
                    .or_else(|| saved.primary_key.clone()),
                one_to_one: own.one_to_one || saved.one_to_one,
                blocking: match own.blocking.is_empty() {
                    true => saved.blocking.clone(),
                    false => own.blocking.clone(),
                },
                enforce_provided_labels: own.enforce_provided_labels,
                ..saved.clone()
            },
        };
        if let [Some(precision), _] = self.trade_offs {
            out.precision_recall_tradeoff = precision;
        }
        if let [_, Some(accuracy)] = self.trade_offs {
            out.accuracy_cost_tradeoff = accuracy;
        }
        out
    }

    fn draw(&self) -> String {
        let mut parts = vec![match &self.with {
            Some(with) => format!("linked with {with}"),
            None => "duplicates".to_owned(),
        }];
        if let Some(transform) = &self.transform {
            parts.push(format!("as transform {transform} says"));
        }
        if let Some(labels) = &self.labels {
            parts.push(format!("taught by {labels}"));
        }
        if let Some(existing) = &self.existing {
            parts.push(format!("joining the entities of {existing}"));
        }
        parts.join(", ")
    }
}

impl EnrichStep {
    /// The other frames that the step reads.
    pub(crate) fn inputs(&self) -> &[Text] {
        match self {
            Self::Lookup { with, .. } | Self::Merge { with, .. } => std::slice::from_ref(with),
            Self::UnionWidened(others) => others,
            Self::Match(step) => &step.frames,
            _ => &[],
        }
    }

    /// What is written aside.
    pub(crate) fn sink(&self) -> Option<&SinkDef> {
        match self {
            Self::Spigot { sink, .. } => Some(sink),
            _ => None,
        }
    }

    /// The step in a line, behind its verb.
    pub(crate) fn draw(&self) -> String {
        let list = |texts: &[Text]| {
            let texts = texts.iter().map(Text::as_str);
            texts.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::FlatMap { map, .. } => match &map.output {
                Some(output) => format!("{} as {output}", map.expression),
                None => map.expression.clone(),
            },
            Self::Lookup { with, lookup, .. } => {
                let keys = lookup.on.iter().map(|key| match key.left == key.right {
                    true => key.left.clone(),
                    false => format!("{} = {}", key.left, key.right),
                });
                format!("{with} by {}", keys.collect::<Vec<_>>().join(", "))
            }
            Self::Merge { with, primary_keys } => format!("{with} by {}", list(primary_keys)),
            Self::Unbox { unbox, .. } => match &unbox.schema {
                Some(schema) => format!("{} as {schema}", unbox.path),
                None => unbox.path.clone(),
            },
            Self::Fill { fill, .. } => {
                format!("{} → {}", fill.missing_values_column, fill.output_column)
            }
            Self::Kmeans { kmeans, .. } => format!(
                "{} clusters over {} → {}",
                kmeans.k,
                kmeans.columns.join(", "),
                kmeans.output_column
            ),
            Self::Match(step) => step.draw(),
            Self::Repartition { num, by } if by.is_empty() => num.to_string(),
            Self::Repartition { num, by } => format!("{num} by {}", list(by)),
            Self::Coalesce(num) => num.to_string(),
            Self::Spigot { sink, topk, prob } => {
                format!("{}, at most {topk}, {prob} of all", sink.path)
            }
            Self::UnionWidened(others) => format!("{}, types widened", list(others)),
        }
    }
}
