//! A script over its sources: frames planned in order, sinks checked against what they get.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Fields;
use datafusion::common::Result as EngineResult;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::FutureExt;
use futures::future::BoxFuture;
use mastic_dynamic_frame::{Change, DynamicFrame, FrameError, JoinKey};

use crate::collections::Value;
use crate::error::{ScriptError, ScriptErrors};
use crate::graph::{Input, base, order, resolve};
use crate::script::{FrameDef, Origin, Script, SinkDef, SourceDef, Step, StepDef};
use crate::sinks;
use crate::source::{Span, Text};

/// Where a script's sources come from. A query session is one; a test may hold tables in memory.
#[async_trait]
pub trait Sources: Send + Sync {
    /// The records of the catalog table `database.table`.
    ///
    /// A source's `where` is put over them as a filter, which the engine pushes down into the
    /// table's scan: there is nothing to do for it here.
    async fn table(&self, name: &str) -> Result<DataFrame, SourceError>;

    /// The records of the files under a path, in this format, or in what they turn out to be.
    async fn path(
        &self,
        path: &str,
        format: Option<&str>,
        options: &BTreeMap<String, String>,
    ) -> Result<DataFrame, SourceError>;

    /// The columns of the catalog table `database.table`, its partition keys with them.
    async fn columns(&self, name: &str) -> Result<Fields, SourceError> {
        let table = self.table(name).await?;
        Ok(table.schema().as_arrow().fields().clone())
    }

    /// The session that plans are made in.
    fn context(&self) -> &SessionContext;
}

/// A source that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct SourceError {
    /// What is wrong.
    pub message: String,
    /// The closest name that exists.
    pub did_you_mean: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            did_you_mean: None,
            hint: None,
        }
    }

    /// With the closest name that exists, where one is close.
    #[must_use]
    pub fn meant(mut self, name: Option<String>) -> Self {
        self.did_you_mean = name;
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A script, planned: every frame, in the order in which they build on each other.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The sources by name, as the script orders them.
    pub sources: Vec<(String, DynamicFrame)>,
    /// The frames by name, each after those that it is made from; those of a collection as
    /// `collection/key`.
    pub frames: Vec<(String, DynamicFrame)>,
    /// The sinks, as the script orders them.
    pub sinks: Vec<PlannedSink>,
}

/// A sink and the records that go into it.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlannedSink {
    /// What the script says of it.
    pub def: SinkDef,
    /// The records.
    pub frame: DynamicFrame,
    /// The partition keys, spelled as the frame's columns are.
    pub partition_by: Vec<String>,
}

impl PlannedSink {
    /// The optimized logical plan, as text.
    ///
    /// # Errors
    /// When the engine cannot optimize the plan.
    pub fn logical_plan(&self) -> EngineResult<String> {
        let plan = self.frame.clone().into_dataframe().into_optimized_plan()?;
        Ok(plan.display_indent().to_string())
    }
}

/// Plans a script: opens its sources, applies every step, checks every sink. Nothing is read yet
/// but what opening a source needs.
///
/// # Errors
/// Every mistake that does not follow from another one, with its place.
pub async fn plan(script: &Script, sources: &dyn Sources) -> Result<Plan, ScriptErrors> {
    let state = sources.context().state();
    let order = order(script, &state).map_err(|e| ScriptErrors(vec![e]))?;
    let mut planner = Planner {
        script,
        sources,
        errors: Vec::new(),
        opened: vec![None; script.sources.len()],
        frames: vec![None; script.frames.len()],
    };
    for (number, source) in script.sources.iter().enumerate() {
        planner.opened[number] = planner.open(source).await;
    }
    for number in &order {
        planner.frames[*number] = planner.frame(&script.frames[*number]).await;
    }
    let mut planned = Vec::new();
    for sink in &script.sinks {
        let name = base(sink.frame.as_str());
        let frames = script.frames.iter().position(|f| f.name.as_str() == name);
        let source = script.sources.iter().position(|s| s.name.as_str() == name);
        let frame = match (frames, source) {
            (Some(frame), _) => planner.frames[frame].clone(),
            (None, Some(source)) => planner.opened[source].clone().map(Value::from),
            (None, None) => None,
        };
        // What could not be planned was complained of.
        let Some(frame) = frame else { continue };
        for (def, frame) in planner.written(sink, frame) {
            let (partition_by, errors) = sinks::check(script, &def, &frame);
            planner.errors.extend(errors);
            planned.push(PlannedSink {
                def,
                frame,
                partition_by,
            });
        }
    }
    ScriptErrors::check(planner.errors)?;

    let named = |name: &Text, frame: &Option<DynamicFrame>| {
        frame.clone().map(|f| (name.as_str().to_owned(), f))
    };
    let all = |name: &Text, value: &Option<Value>| {
        let value = value.as_ref().into_iter();
        value
            .flat_map(|v| v.frames(name.as_str()))
            .collect::<Vec<_>>()
    };
    let opened = script.sources.iter().zip(&planner.opened);
    let frames = order
        .iter()
        .map(|n| (&script.frames[*n], &planner.frames[*n]));
    Ok(Plan {
        sources: opened.filter_map(|(s, f)| named(&s.name, f)).collect(),
        frames: frames.flat_map(|(d, f)| all(&d.name, f)).collect(),
        sinks: planned,
    })
}

pub(crate) struct Planner<'a> {
    pub(crate) script: &'a Script,
    pub(crate) sources: &'a dyn Sources,
    pub(crate) errors: Vec<ScriptError>,
    opened: Vec<Option<DynamicFrame>>,
    frames: Vec<Option<Value>>,
}

impl Planner<'_> {
    async fn open(&mut self, source: &SourceDef) -> Option<DynamicFrame> {
        let (place, opened) = match &source.origin {
            Origin::Table(table) => (table, self.sources.table(table.as_str()).await),
            Origin::Path {
                path,
                format,
                options,
            } => {
                let options = options
                    .iter()
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .collect();
                let format = format.as_ref().map(Text::as_str);
                (
                    path,
                    self.sources.path(path.as_str(), format, &options).await,
                )
            }
        };
        let frame = match opened {
            Ok(frame) => frame,
            Err(error) => {
                let mut told = ScriptError::new(&self.script.source, place.span(), error.message);
                told.did_you_mean = error.did_you_mean;
                told.hint = error.hint;
                self.errors.push(told);
                return None;
            }
        };
        let frame = DynamicFrame::new(frame).and_then(|frame| match &source.predicate {
            Some(predicate) => frame.filter(predicate.as_str()),
            None => Ok(frame),
        });
        let texts: Vec<&Text> = source.predicate.iter().collect();
        self.told(frame, &texts, place.span())
    }

    /// The frame, or a complaint about it at the text that it is about.
    pub(crate) fn told<T>(
        &mut self,
        result: Result<T, FrameError>,
        texts: &[&Text],
        fallback: Span,
    ) -> Option<T> {
        result
            .map_err(|error| {
                self.errors
                    .push(placed(self.script, &error, texts, fallback))
            })
            .ok()
    }

    fn input(&self, input: Input) -> Option<Value> {
        match input {
            Input::Source(number) => self.opened[number].clone().map(Value::from),
            Input::Frame(number) => self.frames[number].clone(),
        }
    }

    /// What a name stands for in a frame, whatever key follows it; nothing where it could not be planned.
    pub(crate) fn value(&self, frame: &FrameDef, name: &str) -> Option<Value> {
        resolve(self.script, frame, name).and_then(|input| self.input(input))
    }

    /// The frame that a name stands for; nothing where it could not be planned, or is a collection.
    fn named(&mut self, frame: &FrameDef, name: &Text) -> Option<DynamicFrame> {
        let value = self.chosen(frame, name)?;
        self.one(value, name)
    }

    async fn frame(&mut self, def: &FrameDef) -> Option<Value> {
        let so_far = match def.steps.first().map(|s| &s.step) {
            Some(Step::From(_) | Step::Sql(_)) => None,
            _ => Some(self.value(def, def.name.as_str())?),
        };
        self.steps(def, &def.steps, so_far).await
    }

    pub(crate) fn steps<'b>(
        &'b mut self,
        def: &'b FrameDef,
        steps: &'b [StepDef],
        so_far: Option<Value>,
    ) -> BoxFuture<'b, Option<Value>> {
        async move {
            let mut so_far = so_far;
            for step in steps {
                so_far = Some(match &step.step {
                    Step::From(name) => self.chosen(def, name)?,
                    Step::Shape(shape) => self.shape(def, step, shape, so_far?).await?,
                    Step::Sql(query) => {
                        let own = match so_far {
                            Some(value) => Some(self.one(value, &step.verb)?),
                            None => None,
                        };
                        Value::from(self.sql(def, query, own).await?)
                    }
                    _ => {
                        let frame = self.one(so_far?, &step.verb)?;
                        Value::from(self.step(def, step, frame)?)
                    }
                });
            }
            so_far
        }
        .boxed()
    }

    async fn sql(
        &mut self,
        def: &FrameDef,
        query: &Text,
        so_far: Option<DynamicFrame>,
    ) -> Option<DynamicFrame> {
        let state = self.sources.context().state();
        let read = mastic_dynamic_frame::sql_frames(&state, query.as_str());
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                return self.told(Err(error), &[query], query.span());
            }
        };
        let own = def.name.as_str();
        if so_far.is_some() && !read.iter().any(|name| name == own) {
            let message =
                format!("this query does not read '{own}', so the steps before it are lost");
            let error = ScriptError::new(&self.script.source, query.span(), message);
            self.errors
                .push(error.hint(format!("read them by the frame's own name: FROM {own}")));
            return None;
        }
        let mut frames: Vec<(String, DynamicFrame)> = Vec::new();
        let sources = self.script.sources.iter().map(|s| s.name.as_str());
        for name in sources.chain(self.script.frames.iter().map(|f| f.name.as_str())) {
            if frames.iter().any(|(known, _)| base(known) == name) {
                continue;
            }
            let value = match &so_far {
                Some(frame) if name == own => Some(Value::from(frame.clone())),
                _ => self.value(def, name),
            };
            match value {
                Some(value) => frames.extend(value.frames(name)),
                // It could not be planned, and that was complained of.
                None if read.iter().any(|r| base(r) == name) => return None,
                None => {}
            }
        }
        let frames = frames.iter().map(|(name, f)| (name.as_str(), f.clone()));
        let answer = DynamicFrame::sql(&state, query.as_str(), frames).await;
        self.told(answer, &[query], query.span())
    }

    fn step(
        &mut self,
        def: &FrameDef,
        step: &StepDef,
        frame: DynamicFrame,
    ) -> Option<DynamicFrame> {
        let at = step.verb.span();
        match &step.step {
            Step::From(_) | Step::Sql(_) | Step::Shape(_) => Some(frame),
            Step::DropFields(fields) => {
                let paths: Vec<&str> = fields.iter().map(Text::as_str).collect();
                self.told(
                    frame.drop_fields(&paths),
                    &fields.iter().collect::<Vec<_>>(),
                    at,
                )
            }
            Step::DropNullFields => self.told(frame.drop_null_fields(), &[], at),
            Step::SelectFields(fields) => {
                let paths: Vec<&str> = fields.iter().map(Text::as_str).collect();
                self.told(
                    frame.select_fields(&paths),
                    &fields.iter().collect::<Vec<_>>(),
                    at,
                )
            }
            Step::RenameField(pairs) => pairs.iter().try_fold(frame, |frame, (old, new)| {
                let renamed = frame.rename_field(old.as_str(), new.as_str());
                // A name that is taken is the new one's fault, whatever the old one's text.
                let texts = match &renamed {
                    Err(FrameError::FieldExists { .. }) => [new, old],
                    _ => [old, new],
                };
                self.told(renamed, &texts, texts[0].span())
            }),
            Step::Filter(condition) => self.told(
                frame.filter(condition.as_str()),
                &[condition],
                condition.span(),
            ),
            Step::Map(changes) => {
                let texts: Vec<&Text> = changes
                    .iter()
                    .flat_map(|(field, expr)| expr.iter().chain([field]))
                    .collect();
                let changes: Vec<Change> = changes
                    .iter()
                    .map(|(field, expression)| match expression {
                        Some(expression) => Change::set(field.as_str(), expression.as_str()),
                        None => Change::remove(field.as_str()),
                    })
                    .collect();
                self.told(frame.map(&changes), &texts, at)
            }
            Step::Join { with, on, how } => {
                let other = self.named(def, with)?;
                let keys: Vec<JoinKey> = on
                    .iter()
                    .map(|(l, r)| JoinKey::new(l.as_str(), r.as_str()))
                    .collect();
                let texts: Vec<&Text> = on.iter().flat_map(|(l, r)| [l, r]).collect();
                self.told(frame.join(other, &keys, *how), &texts, at)
            }
            Step::ApplyMapping(mappings, on_error) => {
                let all: Vec<_> = mappings.iter().map(|m| m.mapping.clone()).collect();
                let texts: Vec<&Text> = mappings.iter().flat_map(|m| &m.parts).collect();
                self.told(frame.apply_mapping_with(&all, *on_error), &texts, at)
            }
            Step::Union(others) => others.iter().try_fold(frame, |frame, name| {
                let other = self.named(def, name)?;
                self.told(frame.union(other), &[name], name.span())
            }),
        }
    }
}

/// A transform's complaint, at the part of the script that it is about.
fn placed(script: &Script, error: &FrameError, texts: &[&Text], fallback: Span) -> ScriptError {
    let whole = |wanted: &str| {
        let same = texts.iter().rev().find(|t| t.as_str() == wanted);
        let longer = || {
            texts
                .iter()
                .find(|t| t.as_str().starts_with(&format!("{wanted}.")))
        };
        same.or_else(longer).map_or(fallback, |t| t.span())
    };
    let mut hint = error.hint();
    let span = match error {
        FrameError::Expression { text, span, .. } => {
            let found = texts.iter().find(|t| t.as_str() == text);
            // `{a: coalesce(b, c)}`: in braces, YAML ends a value at the comma.
            if text.matches('(').count() > text.matches(')').count() {
                hint = Some(
                    "inside { } or [ ] a comma ends a value: put the expression in quotes"
                        .to_owned(),
                );
            }
            match (found, span) {
                (Some(found), Some(span)) => found.locate(span.clone()),
                (Some(found), None) => found.span(),
                (None, _) => fallback,
            }
        }
        FrameError::FrameNotFound { span, .. } => match (texts.first(), span) {
            (Some(text), Some(span)) => text.locate(span.clone()),
            _ => fallback,
        },
        FrameError::FieldNotFound { path, .. }
        | FrameError::FieldExists { path }
        | FrameError::BadPath { path, .. }
        | FrameError::TypeMismatch { path, .. } => whole(path),
        FrameError::BadType { text, .. }
        | FrameError::BadMapping { text }
        | FrameError::BadAction { text, .. }
        | FrameError::BadComparison { text, .. }
        | FrameError::KeyNotFound { key: text, .. }
        | FrameError::KeyExists { key: text } => whole(text),
        _ => fallback,
    };
    let mut told = ScriptError::new(&Arc::clone(&script.source), span, error.to_string());
    told.did_you_mean = error.did_you_mean().map(str::to_owned);
    told.hint = hint;
    told
}
