//! Reading the step that matches records.

use mastic_find_matches::{Comparison, Kind as Likeness, Side};

use super::enrich::Pairs;
use crate::script::enrich::{EnrichStep, MatchStep};
use crate::script::reader::{Reader, get};
use crate::script::tree::{Kind, Node};
use crate::source::Text;

const KEYS: [&str; 14] = [
    "with",
    "one_to_one",
    "primary_key",
    "comparisons",
    "ignore",
    "blocking",
    "precision_recall_tradeoff",
    "accuracy_cost_tradeoff",
    "labels",
    "enforce_provided_labels",
    "transform",
    "existing",
    "side",
    "keep",
];
const LIKENESSES: [&str; 4] = ["string", "text", "number", "code"];

impl Reader {
    pub(super) fn read_find_matches(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        if value.is_null() {
            return Some(EnrichStep::Match(Box::default()));
        }
        let pairs = self.known(value, "a find_matches", &KEYS);
        let mut step = MatchStep {
            with: self.optional(&pairs, "with", "a frame"),
            labels: self.optional(&pairs, "labels", "a frame"),
            existing: self.optional(&pairs, "existing", "a frame"),
            transform: self.optional(&pairs, "transform", "a transform"),
            trade_offs: [
                self.share(&pairs, "precision_recall_tradeoff"),
                self.share(&pairs, "accuracy_cost_tradeoff"),
            ],
            ..MatchStep::default()
        };
        let frames = [&step.with, &step.labels, &step.existing].into_iter();
        step.frames = frames.flatten().cloned().collect();
        let settings = &mut step.settings;
        settings.one_to_one = self.yes(&pairs, "one_to_one");
        settings.enforce_provided_labels = self.yes(&pairs, "enforce_provided_labels");
        if let Some(key) = self.optional(&pairs, "primary_key", "a field") {
            settings.primary_key = Some(key.as_str().to_owned());
            step.texts.push(key);
        }
        if let Some(node) = get(&pairs, "comparisons") {
            for (column, kind) in
                self.named_pairs(node, "a mapping of fields to how they are compared")
            {
                let kind = match kind {
                    None => None,
                    Some(text) => match Likeness::parse(text.as_str()) {
                        Some(kind) => Some(kind),
                        None => {
                            self.unknown(&text, "way to compare", LIKENESSES);
                            continue;
                        }
                    },
                };
                settings.comparisons.push(Comparison {
                    column: column.as_str().to_owned(),
                    kind,
                });
                step.texts.push(column);
            }
        }
        if let Some(node) = get(&pairs, "ignore") {
            let ignored = self.texts(node, "a field");
            settings.ignore = ignored.iter().map(|t| t.as_str().to_owned()).collect();
            step.texts.extend(ignored);
        }
        if let Some(node) = get(&pairs, "blocking") {
            // `[born, city]` are two rules of one field each, `[[born, city]]` is one of two.
            let rules: Vec<Vec<Text>> = match &node.kind {
                Kind::Sequence(items) => items.iter().map(|n| self.texts(n, "a field")).collect(),
                _ => vec![self.texts(node, "a field")],
            };
            for rule in rules {
                let names = rule.iter().map(|t| t.as_str().to_owned());
                settings.blocking.push(names.collect());
                step.texts.extend(rule);
            }
        }
        if let Some(keep) = self.optional(&pairs, "keep", "which records are kept") {
            match keep.as_str() {
                "all" => {}
                "best" => step.best = true,
                _ => self.unknown(&keep, "choice of records", ["all", "best"]),
            }
        }
        if let Some(side) = self.optional(&pairs, "side", "which table the records are of") {
            match side.as_str() {
                "left" => step.side = Some(Side::Left),
                "right" => step.side = Some(Side::Right),
                _ => self.unknown(&side, "side", ["left", "right"]),
            }
        }
        self.check_match(verb, &pairs, &step);
        Some(EnrichStep::Match(Box::new(step)))
    }

    /// What does not go together.
    fn check_match(&mut self, verb: &Text, pairs: &Pairs<'_>, step: &MatchStep) {
        let settings = &step.settings;
        if settings.one_to_one && step.with.is_none() {
            self.error(verb.span(), "one_to_one is for linking: it needs 'with'");
        }
        let has_labels = step.labels.is_some() || step.transform.is_some();
        if settings.enforce_provided_labels && !has_labels {
            self.error(
                verb.span(),
                "enforce_provided_labels needs 'labels', or a 'transform' that has some",
            );
        }
        if let Some(existing) = &step.existing
            && step.transform.is_none()
        {
            self.error(
                existing.span(),
                "new records join entities by a transform that was saved with them",
            )
            .hint = Some(
                "save one with mastic match TABLE --save NAME, and name it with 'transform'"
                    .to_owned(),
            );
        }
        if let (Some(_), true) = (step.side, step.with.is_some() || step.existing.is_none()) {
            self.error(
                verb.span(),
                "side says which of two linked tables new records are of: it goes with 'existing', and not with 'with'",
            );
        }
        if step.transform.is_some() {
            for (key, _) in pairs
                .iter()
                .filter(|(k, _)| matches!(k.as_str(), "comparisons" | "ignore"))
            {
                self.error(key.span(), format!("a transform compares the fields that it was learned with: '{key}' says nothing there"));
            }
        }
    }

    fn share(&mut self, pairs: &Pairs<'_>, key: &str) -> Option<f64> {
        let text = self.optional(pairs, key, "a number from 0 to 1")?;
        match text.as_str().parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Some(share),
            _ => {
                self.error(text.span(), format!("'{text}' is no number from 0 to 1"));
                None
            }
        }
    }
}
