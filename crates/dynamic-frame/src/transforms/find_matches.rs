//! Glue's `FindMatches`, and `FindIncrementalMatches`.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Extension, LogicalPlan};
use mastic_find_matches::{
    MatchError, MatchInput, Settings, Side, Table, Transform, output_schema,
};
use mastic_schema::choice;
use mastic_schema::names::closest;
use mastic_schema::origin::LINE;

use crate::run::{MatchNode, Role, Spec};
use crate::{ChoiceAction, DynamicFrame, FrameError, Result};

/// How [`DynamicFrame::find_matches`] goes about it.
#[derive(Debug, Clone, Default)]
pub struct FindMatches {
    /// Columns, blocking, trade-offs and the like.
    pub settings: Settings,
    /// What was learned before, to be applied.
    pub transform: Option<Transform>,
    /// Of which of the two frames that the transform linked new records are, where they are of one and its name does not
    /// say so.
    pub side: Option<Side>,
    /// Whether the best record of each entity is kept, and no other.
    pub best: bool,
}

/// The frames that records are matched by, each with what it is called.
#[derive(Debug, Clone, Default)]
pub struct MatchFrames {
    /// The frame's own name: `source` says so of its records, in linking.
    pub own: String,
    /// Linking: the frame whose records they are linked with.
    pub with: Option<(String, DynamicFrame)>,
    /// Labels, as Glue's label file has them: `labeling_set_id`, `label`, and the frame's fields.
    pub labels: Option<(String, DynamicFrame)>,
    /// Records that have entities already, which the frame's records join.
    pub existing: Option<(String, DynamicFrame)>,
}

impl FindMatches {
    /// That no field is compared whose values are of several types: they would be no text.
    fn settled(&self, frame: &DynamicFrame) -> Result<()> {
        let settings = &self.settings;
        let is_compared = |name: &String| match &self.transform {
            Some(transform) => transform.columns.iter().any(|c| c.name == *name),
            None if settings.ignore.contains(name) => false,
            None => {
                settings.comparisons.is_empty()
                    || settings.comparisons.iter().any(|c| c.column == *name)
            }
        };
        for field in frame.fields() {
            if choice::is_choice(field.data_type()) && is_compared(field.name()) {
                return Err(FrameError::TypeMismatch {
                    path: field.name().clone(),
                    expected: "one type".to_owned(),
                    found: choice::format_type(field.data_type()),
                    hint: Some(format!(
                        "settle it before: resolve_choice: {{{}: cast:string}}",
                        field.name()
                    )),
                });
            }
        }
        Ok(())
    }
}

impl DynamicFrame {
    /// Finds which records mean the same thing: adds `match_id` and `match_confidence`; linking two frames has the
    /// records of both, with `source`. Fields are the same in both if their names are, whatever their case and punctuation.
    ///
    /// The records are kept on disk, and each input is read once. See [`mastic_find_matches`].
    ///
    /// # Errors
    /// When a field does not exist, a setting makes no sense, or a transform does not fit the frame. What is wrong
    /// with records and labels is told when the frame is run.
    pub fn find_matches(self, frames: MatchFrames, options: &FindMatches) -> Result<Self> {
        let table = |name: &str, rows: DataFrame| Table {
            name: name.to_owned(),
            rows,
        };
        let own = self.clone().into_dataframe();
        let others = [&frames.with, &frames.existing].into_iter().flatten();
        for frame in others.map(|(_, frame)| frame).chain([&self]) {
            options.settled(frame)?;
        }
        let plan = |(name, frame): (String, DynamicFrame)| (name, frame.into_dataframe());
        let with = frames.with.map(plan);
        let existing = frames.existing.map(plan);
        self.named_in(&options.settings)?;
        let input = MatchInput {
            left: table(&frames.own, own.clone()),
            right: with.as_ref().map(|(name, rows)| table(name, rows.clone())),
        };
        let old = existing
            .as_ref()
            .map(|(name, rows)| table(name, rows.clone()));
        let known = (options.transform.as_ref(), options.side);
        let schema = output_schema(input, &options.settings, old, known).map_err(refused)?;
        if let Some(transform) = &options.transform {
            // New records may be of one of two frames that were linked.
            let linked = with.is_some() || existing.is_some() && transform.linked;
            fits(transform, &schema, linked)?;
        }
        let mut inputs = vec![(Role::Left, frames.own, own)];
        inputs.extend(with.map(|(name, rows)| (Role::Right, name, rows)));
        inputs.extend(existing.map(|(name, rows)| (Role::Existing, name, rows)));
        if let Some((name, labels)) = frames.labels {
            // A label says which record it is of by text. With the lines, for what is wrong with a label is told with its line.
            let labels = labels.resolve_choices(&ChoiceAction::Cast("string".to_owned()))?;
            let line = labels
                .inner
                .schema()
                .field_with_unqualified_name(LINE)
                .is_ok();
            let role = Role::Labels(line.then(|| LINE.to_owned()));
            inputs.push((role, name, labels.inner));
        }
        let (mut roles, mut plans) = (Vec::new(), Vec::new());
        for (role, name, rows) in inputs {
            roles.push((role, name));
            plans.push(rows.into_parts().1);
        }
        let node = MatchNode {
            spec: Arc::new(Spec {
                settings: options.settings.clone(),
                transform: options.transform.clone(),
                side: options.side,
                best: options.best,
                inputs: roles,
            }),
            inputs: plans,
            schema: Arc::new(DFSchema::try_from(schema)?),
        };
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        let state = self.state();
        Ok(Self::of(DataFrame::new(state, plan)))
    }

    /// That the frame has the fields that settings name.
    fn named_in(&self, settings: &Settings) -> Result<()> {
        let names = settings
            .primary_key
            .iter()
            .chain(settings.comparisons.iter().map(|c| &c.column))
            .chain(&settings.ignore)
            .chain(settings.blocking.iter().flatten());
        let available = || self.fields().iter().map(|f| f.name().as_str());
        for name in names {
            if !available().any(|known| known == name) {
                return Err(FrameError::FieldNotFound {
                    path: name.clone(),
                    did_you_mean: closest(name, available()),
                    available: available().map(str::to_owned).collect(),
                });
            }
        }
        Ok(())
    }
}

/// That a transform's columns are there, and that it is of one table or of two as is asked for.
fn fits(transform: &Transform, schema: &arrow::datatypes::Schema, linked: bool) -> Result<()> {
    if transform.linked != linked {
        let what = match transform.linked {
            true => "the transform links two tables, and here is one frame",
            false => "the transform finds duplicates of one table, and here are two frames",
        };
        return Err(FrameError::Match(MatchError::Transform(what.to_owned())));
    }
    for c in &transform.columns {
        if schema.field_with_name(&c.name).is_err() {
            let known = schema.fields().iter().map(|f| f.name().as_str());
            return Err(FrameError::Match(MatchError::UnknownColumn {
                what: "the transform",
                name: c.name.clone(),
                meant: closest(&c.name, known),
            }));
        }
    }
    Ok(())
}

fn refused(error: MatchError) -> FrameError {
    match error {
        MatchError::Engine(source) => FrameError::Engine { source },
        other => FrameError::Match(other),
    }
}
