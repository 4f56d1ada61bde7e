//! Sinks that put records in the place of those with the same key.
//!
//! What is at the sink's path is read, the records that new ones replace are left out, and all of it is written
//! again: the sink overwrites, in one commit, and fails where another run has changed the files meanwhile.

use mastic_dynamic_frame::DynamicFrame;
use mastic_query::frame::FrameSource;

use crate::error::ScriptError;
use crate::plan::{Labels, Planner};
use crate::script::{Origin, SinkDef, SinkMode, SourceDef};
use crate::source::Text;
use crate::sources::Reading;
use crate::tally::StepInfo;

impl Planner<'_> {
    /// The labels of the steps that give a sink its records.
    pub(crate) fn sink_labels(&self, sink: &SinkDef) -> Labels {
        let name = sink.frame.as_str();
        let base = name.split('/').next().unwrap_or(name);
        let frames = self.script.frames.iter();
        match frames
            .zip(&self.labels)
            .find(|(f, _)| f.name.as_str() == base)
        {
            Some((_, labels)) => match name.split_once('/') {
                None => labels.clone(),
                Some((_, key)) => labels.iter().filter(|(k, _)| k == key).cloned().collect(),
            },
            None => vec![(String::new(), base.to_owned())],
        }
    }

    /// The records that a sink writes: where it upserts, those that are there and stay, too.
    pub(crate) async fn upserted(
        &mut self,
        sink: &SinkDef,
        frame: DynamicFrame,
        labels: Labels,
    ) -> Option<DynamicFrame> {
        if sink.mode != SinkMode::Upsert {
            return Some(frame);
        }
        let keys: Vec<&str> = sink.key.iter().map(Text::as_str).collect();
        let texts: Vec<&Text> = sink.key.iter().collect();
        // That the keys are there is to be known the first time, too.
        self.told(frame.clone().select_fields(&keys), &texts, sink.path.span())?;
        let Some(before) = self.before(sink).await? else {
            return Some(frame);
        };
        let (kept, label) = (
            format!("{} (before)", sink.path),
            format!("upsert {}", sink.path),
        );
        let step = |label: &str, verb: &str, inputs: Vec<String>| StepInfo {
            label: label.to_owned(),
            verb: verb.to_owned(),
            inputs,
        };
        let mut inputs = vec![kept.clone()];
        inputs.extend(labels.into_iter().map(|(_, label)| label));
        self.steps.push(step(&kept, "read", Vec::new()));
        self.steps.push(step(&label, "upsert", inputs));
        let merged = before.counted(&kept).merge(frame, &keys);
        let merged = self.told(merged, &texts, sink.path.span())?;
        Some(merged.counted(&label))
    }

    /// What is at the sink's path; nothing where it is empty.
    async fn before(&mut self, sink: &SinkDef) -> Option<Option<DynamicFrame>> {
        let def = SourceDef {
            name: sink.path.clone(),
            origin: Origin::Path {
                path: sink.path.clone(),
                format: None,
                options: Vec::new(),
            },
            predicate: None,
            partitions: None,
            bookmark: false,
        };
        let place = FrameSource::Path {
            path: sink.path.as_str().to_owned(),
            format: None,
            options: std::collections::BTreeMap::new(),
        };
        let options = def.frame_options(&Reading::default(), self.ledger());
        let opened = match self.sources.objects(&place, &options).await {
            Ok(objects) if objects.is_empty() => return Some(None),
            Ok(_) => {
                // A table knows its columns' types better than its files do.
                let table = sink
                    .table
                    .as_ref()
                    .map(|t| FrameSource::Table(t.to_string()));
                match table {
                    Some(table) => match self.sources.open(&table, &options).await {
                        Ok(frame) => Ok(frame),
                        Err(_) => self.sources.open(&place, &options).await,
                    },
                    None => self.sources.open(&place, &options).await,
                }
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(frame) => self
                .told(DynamicFrame::new(frame), &[], sink.path.span())
                .map(Some),
            Err(error) => {
                let mut told =
                    ScriptError::new(&self.script.source, sink.path.span(), error.message);
                told.hint = error.hint;
                self.errors.push(told);
                None
            }
        }
    }
}
