//! Steps that bring something into a frame's records, or make several of one.

use mastic_dynamic_frame::{Fill, FlatMap, Kmeans, Lookup, Unbox};

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

impl EnrichStep {
    /// The other frames that the step reads.
    pub(crate) fn inputs(&self) -> &[Text] {
        match self {
            Self::Lookup { with, .. } | Self::Merge { with, .. } => std::slice::from_ref(with),
            Self::UnionWidened(others) => others,
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
