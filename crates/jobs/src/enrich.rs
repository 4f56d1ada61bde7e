//! The steps that bring something into a frame's records, or make several of one, planned.

use mastic_dynamic_frame::{DynamicFrame, FindMatches, MatchFrames};

use crate::error::ScriptError;
use crate::graph::{Input, resolve};
use crate::plan::{PlannedSink, Planner};
use crate::script::{EnrichStep, FrameDef, MatchStep, SinkDef, StepDef};
use crate::sinks;
use crate::source::{Span, Text};

/// What these steps keep for the whole script.
#[derive(Debug, Default)]
pub(crate) struct Enriching {
    /// Frames that are looked up in, each read once for all lookups: what they are made of, the name with its
    /// key, the frame.
    cached: Vec<(Input, String, DynamicFrame)>,
    /// Samples that are written aside.
    aside: Vec<(SinkDef, DynamicFrame)>,
}

impl Planner<'_> {
    pub(crate) async fn enrich(
        &mut self,
        def: &FrameDef,
        step: &StepDef,
        enrich: &EnrichStep,
        frame: DynamicFrame,
    ) -> Option<DynamicFrame> {
        let at = step.verb.span();
        match enrich {
            EnrichStep::FlatMap { map, texts } => {
                self.told(frame.flat_map(map), &texts.iter().collect::<Vec<_>>(), at)
            }
            EnrichStep::Lookup {
                with,
                lookup,
                texts,
            } => {
                let other = self.cached(def, with)?;
                let texts: Vec<&Text> = texts.iter().collect();
                self.told(frame.lookup(other, lookup), &texts, at)
            }
            EnrichStep::Merge { with, primary_keys } => {
                let staged = self.named(def, with)?;
                let keys: Vec<&str> = primary_keys.iter().map(Text::as_str).collect();
                let texts: Vec<&Text> = primary_keys.iter().collect();
                self.told(frame.merge(staged, &keys), &texts, at)
            }
            EnrichStep::Unbox {
                unbox,
                infer,
                texts,
            } => {
                let texts: Vec<&Text> = texts.iter().collect();
                let mut unbox = unbox.clone();
                if unbox.schema.is_none() {
                    let found = frame.infer_unbox(&unbox, *infer).await;
                    unbox.schema = Some(self.told(found, &texts, at)?);
                }
                self.told(frame.unbox(&unbox), &texts, at)
            }
            EnrichStep::Fill { fill, texts } => {
                let texts: Vec<&Text> = texts.iter().collect();
                self.told(frame.fill_missing_values(fill), &texts, at)
            }
            EnrichStep::Kmeans { kmeans, texts } => {
                let texts: Vec<&Text> = texts.iter().collect();
                self.told(frame.kmeans(kmeans), &texts, at)
            }
            EnrichStep::Match(step) => self.matched(def, step, frame, at).await,
            EnrichStep::Repartition { num, by } if by.is_empty() => Some(frame.repartition(*num)),
            EnrichStep::Repartition { num, by } => {
                let paths: Vec<&str> = by.iter().map(Text::as_str).collect();
                let texts: Vec<&Text> = by.iter().collect();
                self.told(frame.repartition_by(&paths, *num), &texts, at)
            }
            EnrichStep::Coalesce(num) => Some(frame.coalesce(*num)),
            EnrichStep::Spigot { sink, topk, prob } => {
                let sample = self.told(frame.spigot(Some(*topk), *prob), &[], at)?;
                self.put_aside(sink, sample)?;
                Some(frame)
            }
            EnrichStep::UnionWidened(others) => others.iter().try_fold(frame, |frame, name| {
                let other = self.named(def, name)?;
                self.told(frame.union_widened(other), &[name], name.span())
            }),
        }
    }

    async fn matched(
        &mut self,
        def: &FrameDef,
        step: &MatchStep,
        frame: DynamicFrame,
        at: Span,
    ) -> Option<DynamicFrame> {
        let mut named = |name: &Option<Text>| match name {
            None => Some(None),
            Some(name) => {
                let frame = self.named(def, name)?;
                Some(Some((name.as_str().to_owned(), frame)))
            }
        };
        let frames = MatchFrames {
            own: def.name.as_str().to_owned(),
            with: named(&step.with)?,
            labels: named(&step.labels)?,
            existing: named(&step.existing)?,
        };
        let transform = match &step.transform {
            None => None,
            Some(name) => match self.sources.transform(name.as_str()).await {
                Ok(transform) => Some(transform),
                Err(error) => {
                    let source = &self.script.source;
                    let mut told = ScriptError::new(source, name.span(), error.message);
                    told.did_you_mean = error.did_you_mean;
                    told.hint = error.hint;
                    self.errors.push(told);
                    return None;
                }
            },
        };
        let options = FindMatches {
            settings: step.over(transform.as_ref().map(|t| &t.settings)),
            transform,
            side: step.side,
            best: step.best,
        };
        let texts: Vec<&Text> = step.texts.iter().collect();
        self.told(frame.find_matches(frames, &options), &texts, at)
    }

    /// The frame that a name stands for, read once for all lookups of the script.
    fn cached(&mut self, def: &FrameDef, name: &Text) -> Option<DynamicFrame> {
        let input = resolve(self.script, def, name.as_str())?;
        let known = self
            .enriching
            .cached
            .iter()
            .find(|(of, key, _)| *of == input && key == name.as_str());
        if let Some((.., frame)) = known {
            return Some(frame.clone());
        }
        let frame = self.named(def, name)?.cached();
        let frame = self.told(frame, &[name], name.span())?;
        let key = name.as_str().to_owned();
        self.enriching.cached.push((input, key, frame.clone()));
        Some(frame)
    }

    fn put_aside(&mut self, sink: &SinkDef, sample: DynamicFrame) -> Option<()> {
        let path = sink.path.as_str();
        if self
            .enriching
            .aside
            .iter()
            .any(|(s, _)| s.path.as_str() == path)
        {
            let message = format!("samples of several frames would be written to '{path}'");
            let error = ScriptError::new(&self.script.source, sink.path.span(), message);
            self.errors
                .push(error.hint("a spigot has no place in map_to_collection"));
            return None;
        }
        self.enriching.aside.push((sink.clone(), sample));
        Some(())
    }

    /// The sinks of what is written aside. They are staged and committed with the script's own.
    pub(crate) fn spigots(&mut self) -> Vec<PlannedSink> {
        let aside = std::mem::take(&mut self.enriching.aside);
        let sinks = aside.into_iter().map(|(def, frame)| {
            let (partition_by, errors) = sinks::check(self.script, &def, &frame);
            self.errors.extend(errors);
            PlannedSink {
                def,
                frame,
                partition_by,
                late: false,
                aside: true,
                upsert: None,
            }
        });
        sinks.collect()
    }
}
