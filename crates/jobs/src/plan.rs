//! A script over its sources: frames planned in order, sinks checked against what they get.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{DataFusionError as EngineError, Result as EngineResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::DataFrame;
use futures::FutureExt;
use futures::future::BoxFuture;
use mastic_connect::{ConnectError, ConnectionScan, Relation, connection_scans};
use mastic_dynamic_frame::{Change, DynamicFrame, FrameError, JoinKey, Ledger, share};
use mastic_lake::LakeError;
use mastic_lake::format::ReadOptions;
use mastic_query::frame::{FrameScan, frame_scans};

use crate::collections::Value;
use crate::enrich::Enriching;
use crate::error::{ScriptError, ScriptErrors};
use crate::errors_table;
use crate::graph::{Input, base, late, made_from, order, others, resolve};
use crate::script::{
    ERRORS, FrameDef, Origin, RelationDef, Script, SinkDef, SinkMode, SourceDef, Step, StepDef,
};
use crate::share::Readers;
use crate::sinks;
use crate::source::{Span, Text};
use crate::sources::{Reading, SourceError, Sources};
use crate::tally::StepInfo;
use crate::upsert::Upsert;

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
    /// The sources, and the steps that take, drop, make or fail records, each after those that it takes
    /// from.
    pub steps: Vec<StepInfo>,
    /// Where the counts and error records of its run go.
    pub ledger: Arc<Ledger>,
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
    /// Whether it is made from the run's error records, and so written when all others are staged.
    pub(crate) late: bool,
    /// Whether it is a sample that a step writes aside, whose records go on in their frame.
    pub(crate) aside: bool,
    /// Where it upserts into what is there: how files that nothing is replaced in are left as they are.
    pub(crate) upsert: Option<Upsert>,
}

impl PlannedSink {
    /// What the optimized plan reads of each source: partitions chosen in the catalog store, filters and columns
    /// that the files' readers are told of.
    ///
    /// # Errors
    /// When the engine cannot optimize the plan.
    pub fn reads(&self) -> EngineResult<Vec<FrameScan>> {
        let plans = self.plans()?;
        Ok(plans.iter().flat_map(frame_scans).collect())
    }

    /// The queries that the optimized plan sends to databases.
    ///
    /// # Errors
    /// When the engine cannot optimize the plan.
    pub fn queries(&self) -> EngineResult<Vec<ConnectionScan>> {
        let plans = self.plans()?;
        Ok(plans.iter().flat_map(connection_scans).collect())
    }

    /// The optimized plan, as if the sink were written alone, and those of the frames that it looks up in.
    fn plans(&self) -> EngineResult<Vec<LogicalPlan>> {
        let looked_up = self.frame.looked_up();
        let alone = share(vec![self.frame.clone()]).map_err(|e| EngineError::External(e.into()))?;
        let frames = alone.into_iter().chain(looked_up);
        frames
            .map(|frame| frame.into_dataframe().into_optimized_plan())
            .collect()
    }

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
    plan_reading(script, sources, &Reading::default()).await
}

/// Plans a script like [`plan()`], with what is known of its sources.
///
/// # Errors
/// As [`plan()`].
pub async fn plan_reading(
    script: &Script,
    sources: &dyn Sources,
    reading: &Reading,
) -> Result<Plan, ScriptErrors> {
    let planned = plan_or_look(script, sources, reading).await;
    planned.map_err(|refused| refused.errors)
}

/// Why a script could not be planned.
pub(crate) struct Refused {
    pub(crate) errors: ScriptErrors,
    /// The sources whose records, if all of them were looked at, may show that it is right after all: that values of
    /// columns disagree of which nothing else is wrong with the script than that they are no choices. None where
    /// something else is.
    pub(crate) look_at: BTreeSet<String>,
}

impl From<ScriptErrors> for Refused {
    fn from(errors: ScriptErrors) -> Self {
        Refused {
            errors,
            look_at: BTreeSet::new(),
        }
    }
}

/// Plans a script like [`plan_reading`], and tells which sources are worth a look where it cannot be planned.
pub(crate) async fn plan_or_look(
    script: &Script,
    sources: &dyn Sources,
    reading: &Reading,
) -> Result<Plan, Refused> {
    let state = sources.context().state();
    let order = order(script, &state).map_err(|e| ScriptErrors(vec![e]))?;
    let runtime = sources.context().runtime_env();
    let ledger = Ledger::new(script.total_threshold, runtime);
    let records = errors_table::frame(&ledger, sources.context()).map_err(|error| {
        let error = placed(script, &error, &[], Span::default());
        ScriptErrors(vec![error])
    })?;
    let late = late(script, &state);
    let partial = |number: usize| script.sources[number].bookmark && !reading.ignore_bookmarks;
    let in_part = made_from(
        script,
        &state,
        &|input| matches!(input, Input::Source(number) if partial(number)),
    );
    let mut planner = Planner {
        script,
        sources,
        reading,
        errors: Vec::new(),
        opened: vec![None; script.sources.len()],
        frames: vec![None; script.frames.len()],
        records,
        steps: Vec::new(),
        labels: vec![Labels::new(); script.frames.len()],
        ledger,
        enriching: Enriching::default(),
        at_hand: None,
        no_choices: 0,
        look_at: BTreeSet::new(),
    };
    let readers = Readers::of(script, &state);
    for (number, source) in script.sources.iter().enumerate() {
        let opened = planner.open(source).await;
        planner.opened[number] = match readers.source(script, number) {
            Some(id) => opened.map(|frame| frame.shared(&id)),
            None => opened,
        };
    }
    for number in &order {
        let made = planner.frame(*number).await;
        planner.frames[*number] = match readers.frame(script, *number) {
            Some(id) => made.map(|value| value.shared(&id)),
            None => made,
        };
    }
    let mut planned = Vec::new();
    for sink in &script.sinks {
        let name = base(sink.frame.as_str());
        let frames = script.frames.iter().position(|f| f.name.as_str() == name);
        let source = script.sources.iter().position(|s| s.name.as_str() == name);
        let frame = match (frames, source) {
            _ if name == ERRORS => Some(Value::from(planner.records.clone())),
            (Some(frame), _) => planner.frames[frame].clone(),
            (None, Some(source)) => planner.opened[source].clone().map(Value::from),
            (None, None) => None,
        };
        let in_part = frames.map_or_else(|| source.is_some_and(partial), |number| in_part[number]);
        if in_part && sink.mode == SinkMode::Overwrite {
            let message = format!(
                "'{name}' has only what no earlier run has read, and would replace what earlier runs wrote"
            );
            let error = ScriptError::new(&script.source, sink.path.span(), message);
            planner.errors.push(error.hint(
                "use mode: append, upsert or overwrite_partitions, or read all: bookmark: false, or run with --bookmarks disable",
            ));
        }
        // What could not be planned was complained of.
        let Some(frame) = frame else { continue };
        let late = name == ERRORS || frames.is_some_and(|frame| late[frame]);
        for (def, frame) in planner.written(sink, frame) {
            let labels = planner.sink_labels(&def);
            let Some((frame, upsert)) = planner.upserted(&def, frame, labels).await else {
                continue;
            };
            let (partition_by, errors) = sinks::check(script, &def, &frame);
            planner.errors.extend(errors);
            planned.push(PlannedSink {
                def,
                frame,
                partition_by,
                late,
                aside: false,
                upsert,
            });
        }
    }
    planned.extend(planner.spigots());
    let no_choices = planner.no_choices == planner.errors.len();
    ScriptErrors::check(planner.errors).map_err(|errors| Refused {
        errors,
        look_at: match no_choices {
            true => planner.look_at,
            false => BTreeSet::new(),
        },
    })?;

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
        steps: planner.steps,
        ledger: planner.ledger,
    })
}

/// Steps that give as many records as they take, and fail none: there is nothing to count.
const EVEN: [&str; 15] = [
    "from",
    "drop_fields",
    "drop_null_fields",
    "rename_field",
    "select_fields",
    "map",
    "resolve_choice",
    "unnest",
    "simplify_ddb_json",
    "unnest_ddb_json",
    "select_from_collection",
    "fill_missing_values",
    "kmeans",
    "repartition",
    "coalesce",
];

/// The labels of the steps that were counted last on the way to a frame, each with the key of a collection's
/// frame, or nothing.
pub(crate) type Labels = Vec<(String, String)>;

pub(crate) struct Planner<'a> {
    pub(crate) script: &'a Script,
    pub(crate) sources: &'a dyn Sources,
    reading: &'a Reading,
    pub(crate) errors: Vec<ScriptError>,
    opened: Vec<Option<DynamicFrame>>,
    frames: Vec<Option<Value>>,
    /// The frame of error records.
    records: DynamicFrame,
    /// What is counted.
    pub(crate) steps: Vec<StepInfo>,
    /// For each frame, the labels of the last steps that were counted on the way to it.
    pub(crate) labels: Vec<Labels>,
    ledger: Arc<Ledger>,
    pub(crate) enriching: Enriching,
    /// The frame that is planned.
    at_hand: Option<usize>,
    /// How many of the errors are that a choice is none.
    no_choices: usize,
    /// The sources that those are made from.
    look_at: BTreeSet<String>,
}

impl Planner<'_> {
    async fn open(&mut self, source: &SourceDef) -> Option<DynamicFrame> {
        if let Origin::Path {
            format, options, ..
        } = &source.origin
            && let Err(error) = self.checked(format.as_ref(), options)
        {
            self.errors.push(error);
            return None;
        }
        let (opened, place) = self.records(source).await;
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
        let frame = self.told(frame, &texts, place.span())?;
        let label = source.name.as_str().to_owned();
        self.steps.push(StepInfo {
            label: label.clone(),
            verb: "read".to_owned(),
            inputs: Vec::new(),
        });
        Some(frame.counted(&label))
    }

    /// Whether a source of files can be read with these options: what is wrong, at the option.
    fn checked(&self, format: Option<&Text>, options: &[(Text, Text)]) -> Result<(), ScriptError> {
        let told = |span: Span, error: LakeError| {
            let told = ScriptError::new(&self.script.source, span, error.to_string());
            match error.hint() {
                Some(hint) => told.hint(hint),
                None => told,
            }
        };
        let mut read = match format {
            Some(format) => ReadOptions::new(Some(format.as_str()))
                .map_err(|error| told(format.span(), error))?,
            None => ReadOptions::default(),
        };
        for (name, value) in options {
            read.set(name.as_str(), value.as_str())
                .map_err(|error| told(name.span(), error))?;
        }
        let place = options.first().map(|(name, _)| name).or(format);
        match place {
            Some(place) => read.check().map_err(|error| told(place.span(), error)),
            None => Ok(()),
        }
    }

    /// What a source has, and the text that a mistake with it is about.
    async fn records<'s>(
        &self,
        source: &'s SourceDef,
    ) -> (Result<DataFrame, SourceError>, &'s Text) {
        let (connection, relation) = match &source.origin {
            Origin::Table(place) | Origin::Path { path: place, .. } => {
                let options = source.frame_options(self.reading, &self.ledger);
                let opened = match source.frame_source() {
                    Some(files) => self.sources.open(&files, &options).await,
                    None => Err(SourceError::new("the source has no files")),
                };
                return (opened, place);
            }
            Origin::Connection {
                connection,
                relation,
            } => (connection, relation),
        };
        let (relation, place) = match relation {
            RelationDef::Table(name) => (Relation::Table(name.to_string()), name),
            RelationDef::Query(sql) => (Relation::Query(sql.to_string()), sql),
        };
        let name = source.name.as_str();
        let opened = self.sources.connection(name, connection.as_str(), relation);
        match opened.await {
            Ok(frame) => (Ok(frame), place),
            Err(error) => {
                let place = match &error {
                    ConnectError::Url { .. } | ConnectError::Connect { .. } => connection,
                    _ => place,
                };
                let told = SourceError {
                    message: error.to_string(),
                    did_you_mean: error.did_you_mean().map(str::to_owned),
                    hint: error.hint(),
                };
                (Err(told), place)
            }
        }
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
                let told = placed(self.script, &error, texts, fallback);
                self.errors.push(told);
                if matches!(error, FrameError::NoChoice { .. }) {
                    self.no_choices += 1;
                    let sources = self.read_sources();
                    self.look_at.extend(sources);
                }
            })
            .ok()
    }

    /// The sources that the frame at hand is made from and whose records have not all been looked at.
    fn read_sources(&self) -> Vec<String> {
        let state = self.sources.context().state();
        let sources = self.script.sources.iter().enumerate();
        let read = sources.filter(|(number, source)| {
            let made = made_from(self.script, &state, &|i| i == Input::Source(*number));
            let own = self.at_hand.is_some_and(|frame| made[frame]);
            own && !self.reading.looked.contains_key(source.name.as_str())
        });
        read.map(|(_, source)| source.name.to_string()).collect()
    }

    fn input(&self, input: Input) -> Option<Value> {
        match input {
            Input::Source(number) => self.opened[number].clone().map(Value::from),
            Input::Frame(number) => self.frames[number].clone(),
            Input::Errors => Some(Value::from(self.records.clone())),
        }
    }

    /// The labels of the last steps that were counted on the way to what a name stands for.
    fn labels_of(&self, frame: &FrameDef, name: &str) -> Labels {
        let one = |label: &str| vec![(String::new(), label.to_owned())];
        match resolve(self.script, frame, name) {
            Some(Input::Source(number)) => one(self.script.sources[number].name.as_str()),
            Some(Input::Errors) => one(ERRORS),
            Some(Input::Frame(number)) => {
                let all = &self.labels[number];
                match name.split_once('/') {
                    None => all.clone(),
                    Some((_, key)) => all.iter().filter(|(k, _)| k == key).cloned().collect(),
                }
            }
            None => Labels::new(),
        }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// What a name stands for in a frame, whatever key follows it; nothing where it could not be planned.
    pub(crate) fn value(&self, frame: &FrameDef, name: &str) -> Option<Value> {
        resolve(self.script, frame, name).and_then(|input| self.input(input))
    }

    /// The frame that a name stands for; nothing where it could not be planned, or is a collection.
    pub(crate) fn named(&mut self, frame: &FrameDef, name: &Text) -> Option<DynamicFrame> {
        let value = self.chosen(frame, name)?;
        self.one(value, name)
    }

    async fn frame(&mut self, number: usize) -> Option<Value> {
        let script = self.script;
        self.at_hand = Some(number);
        let def = &script.frames[number];
        let own = def.name.as_str();
        let (so_far, labels) = match def.steps.first().map(|s| &s.step) {
            Some(Step::From(_) | Step::Sql(_)) => (None, Labels::new()),
            _ => (Some(self.value(def, own)?), self.labels_of(def, own)),
        };
        let (value, labels) = self.steps(def, &def.steps, so_far, labels, own).await?;
        self.labels[number] = labels;
        Some(value)
    }

    /// Applies steps, and counts what they give; `prefix` tells the steps from others of their kind.
    pub(crate) fn steps<'b>(
        &'b mut self,
        def: &'b FrameDef,
        steps: &'b [StepDef],
        so_far: Option<Value>,
        labels: Labels,
        prefix: &'b str,
    ) -> BoxFuture<'b, Option<(Value, Labels)>> {
        async move {
            let (mut so_far, mut labels) = (so_far, labels);
            for (at, step) in steps.iter().enumerate() {
                let verb = step.verb.as_str();
                let name = format!("{prefix}: {} {verb}", at + 1);
                if let Some(threshold) = step.stage_threshold.or(self.script.stage_threshold) {
                    self.ledger.limit(&name, threshold);
                }
                let taken = self.taken(def, step, so_far.is_some());
                let labelled = so_far.take().map(|value| match value {
                    Value::Frame(frame) => Value::from(frame.in_step(&name)),
                    all => all,
                });
                let mut counted = None;
                let made = match &step.step {
                    Step::From(name) => self.chosen(def, name)?,
                    Step::Shape(shape) => {
                        let shaped = self
                            .shape(def, step, shape, labelled?, &labels, &name)
                            .await?;
                        counted = shaped.1;
                        shaped.0
                    }
                    Step::Enrich(enrich) => {
                        let frame = self.one(labelled?, &step.verb)?;
                        Value::from(self.enrich(def, step, enrich, frame).await?)
                    }
                    Step::Sql(query) => {
                        let own = match labelled {
                            Some(value) => Some(self.one(value, &step.verb)?),
                            None => None,
                        };
                        Value::from(self.sql(def, query, own).await?)
                    }
                    _ => {
                        let frame = self.one(labelled?, &step.verb)?;
                        Value::from(self.step(def, step, frame)?)
                    }
                };
                let inputs: Labels = labels.drain(..).chain(taken).collect();
                // Casts that lose values are told of in the step's line.
                let casts = match &made {
                    Value::Frame(frame) => frame.counts_casts(&name),
                    Value::Collection(_) => false,
                };
                (so_far, labels) = match (counted, EVEN.contains(&verb) && !casts) {
                    (Some(labels), _) => (Some(made), labels),
                    (None, true) => (Some(made), inputs),
                    (None, false) => {
                        let (made, labels) = self.count(made, &name, verb, &inputs);
                        (Some(made), labels)
                    }
                };
            }
            so_far.map(|value| (value, labels))
        }
        .boxed()
    }

    /// Where a step's records come from, beside what its frame has so far.
    fn taken(&self, def: &FrameDef, step: &StepDef, so_far: bool) -> Labels {
        let own = def.name.as_str();
        let names = others(step, &self.sources.context().state());
        names
            .iter()
            .filter(|name| !so_far || !matches!(step.step, Step::Sql(_)) || *name != own)
            .flat_map(|name| self.labels_of(def, name))
            .collect()
    }

    /// Counts what a step gives.
    fn count(&mut self, made: Value, name: &str, verb: &str, inputs: &Labels) -> (Value, Labels) {
        let mut told = |label: &str| {
            self.steps.push(StepInfo {
                label: label.to_owned(),
                verb: verb.to_owned(),
                inputs: inputs.iter().map(|(_, label)| label.clone()).collect(),
            });
        };
        match made {
            Value::Frame(frame) => {
                told(name);
                let labels = vec![(String::new(), name.to_owned())];
                (Value::from(frame.counted(name)), labels)
            }
            Value::Collection(all) => {
                let mut labels = Labels::new();
                let counted = all.map(|key, frame| {
                    let label = format!("{name}/{key}");
                    told(&label);
                    let frame = frame.counted(&label);
                    labels.push((key.to_owned(), label));
                    Ok(frame)
                });
                // Counting changes no field, so there is nothing that could fail.
                (Value::Collection(counted.unwrap_or_default()), labels)
            }
        }
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
        let made = self.script.frames.iter().map(|f| f.name.as_str());
        for name in sources.chain(made).chain([ERRORS]) {
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
            Step::From(_) | Step::Sql(_) | Step::Shape(_) | Step::Enrich(_) => Some(frame),
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
            Step::Join {
                with,
                on,
                how,
                prefix,
            } => {
                let other = self.named(def, with)?;
                let keys: Vec<JoinKey> = on
                    .iter()
                    .map(|(l, r)| JoinKey::new(l.as_str(), r.as_str()))
                    .collect();
                let texts: Vec<&Text> = on.iter().flat_map(|(l, r)| [l, r]).collect();
                let joined = match prefix {
                    Some(prefix) => frame.join_prefixed(other, &keys, *how, prefix.as_str()),
                    None => frame.join(other, &keys, *how),
                };
                self.told(joined, &texts, at)
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
        | FrameError::NoChoice { path, .. }
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
