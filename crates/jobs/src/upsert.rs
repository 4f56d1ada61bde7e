//! Sinks that put records in the place of those with the same key.
//!
//! Only the files that hold a record with one of the new keys are read as a whole and written again, without what is
//! replaced; the others stay as they are. To find them, the new records' keys are collected first (and their frame so
//! read twice, as the join for it would do), and of what is there the keys are read. All of it is one commit, which
//! fails where another run has changed the files meanwhile. What does not stand in the sink's own format and folders
//! is written again altogether.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::Result as EngineResult;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::prelude::DataFrame;
use futures::TryStreamExt;
use mastic_dynamic_frame::{DynamicFrame, FrameError, Ledger, share};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{OutputFormat, SinkSpec};
use mastic_query::frame::{FrameSource, frame_scans};

use crate::error::ScriptError;
use crate::plan::{Labels, Planner};
use crate::script::{Origin, SinkDef, SinkMode, SourceDef};
use crate::source::Text;
use crate::sources::Reading;
use crate::tally::StepInfo;

/// A sink that upserts into what is there.
#[derive(Debug)]
pub(crate) struct Upsert {
    before: DynamicFrame,
    new: DynamicFrame,
    keys: Vec<String>,
    /// The labels of what is read of the files there, and of the step.
    labels: (String, String),
}

impl Upsert {
    /// Whether files can stay beside those that the sink writes: all are of its format, below its folder, and in
    /// folders of its keys. CSV and XML may be of another dialect, and are written again.
    pub(crate) fn in_place(&self, spec: &SinkSpec) -> bool {
        let format = spec.options.format;
        if matches!(format, OutputFormat::Csv | OutputFormat::Xml) {
            return false;
        }
        let scans = frame_scans(self.before.plan());
        let [scan] = scans.as_slice() else {
            return false;
        };
        let below = format!("{}/", spec.root.url_of(&spec.root.path));
        let lower = |names: &[String]| names.iter().map(|n| n.to_lowercase()).collect::<Vec<_>>();
        scan.formats.iter().all(|own| own == format.name())
            && lower(&scan.keys) == lower(&spec.partition_keys)
            && scan.objects.iter().all(|o| o.path.starts_with(&below))
    }

    /// The records that are written, and the files that they are written for.
    pub(crate) async fn found(
        &self,
        ledger: &Arc<Ledger>,
    ) -> Result<(DynamicFrame, BTreeSet<String>), LakeError> {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let only = self.new.clone().select_fields(&keys).map_err(lake)?;
        let mut alone = share(vec![only]).map_err(lake)?;
        let Some(only) = alone.pop() else {
            return Ok((self.new.clone(), BTreeSet::new()));
        };
        let (mut state, plan) = only.into_dataframe().distinct()?.into_parts();
        ledger.attach(&mut state);
        let known = self.collected(DataFrame::new(state, plan)).await?;
        let bounds = bounds(&known, &self.before, &keys).await?;
        let known = DynamicFrame::new(known).map_err(lake)?;
        let files = self
            .before
            .clone()
            .files_with(known.clone(), &keys, &bounds);
        let mut files = files.map_err(lake)?.execute_stream().await?;
        let mut found = BTreeSet::new();
        while let Some(batch) = files.try_next().await? {
            let names = cast(batch.column(0), &DataType::Utf8)?;
            let names = names.as_string::<i32>().iter().flatten();
            found.extend(names.map(str::to_owned));
        }
        let before = self.before.clone().of_files(found.iter().cloned());
        let before = before.map_err(lake)?.counted(&self.labels.0);
        let merged = before.merge_known(self.new.clone(), known, &keys);
        Ok((merged.map_err(lake)?.counted(&self.labels.1), found))
    }

    /// The keys in memory, as the join that leaves records out needs them, and within its limit.
    async fn collected(&self, keys: DataFrame) -> Result<DataFrame, LakeError> {
        let schema = Arc::new(keys.schema().as_arrow().clone());
        let (state, _) = keys.clone().into_parts();
        let context = keys.task_ctx();
        let pool = context.memory_pool();
        let held = MemoryConsumer::new("the keys of an upsert").register(pool);
        let mut stream = keys.execute_stream().await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.try_next().await? {
            held.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        let table = MemTable::try_new(schema, vec![batches])?;
        let source = provider_as_source(Arc::new(table));
        let plan = LogicalPlanBuilder::scan("upsert_keys", source, None)?.build()?;
        Ok(DataFrame::new(state, plan))
    }
}

/// The least and the greatest value of each key whose order is the same wherever values are compared.
async fn bounds(
    keys: &DataFrame,
    before: &DynamicFrame,
    names: &[&str],
) -> EngineResult<Vec<(String, ScalarValue, ScalarValue)>> {
    let ordered = |name: &&str| {
        let own = before.fields().iter().find(|f| f.name() == name);
        let new = keys.schema().as_arrow().field_with_name(name).ok();
        let (Some(own), Some(new)) = (own, new) else {
            return false;
        };
        let kind = own.data_type();
        kind == new.data_type() && (kind.is_integer() || kind.is_temporal() || kind.is_string())
    };
    let names: Vec<&str> = names.iter().copied().filter(ordered).collect();
    let column = |name: &str| Expr::Column(Column::from_name(name));
    let asked = names
        .iter()
        .flat_map(|name| [min(column(name)), max(column(name))]);
    let asked: Vec<Expr> = asked
        .enumerate()
        .map(|(at, e)| e.alias(format!("bound_{at}")))
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let told = keys.clone().aggregate(Vec::new(), asked)?.collect().await?;
    let mut bounds = Vec::new();
    for batch in told.iter().filter(|batch| batch.num_rows() > 0) {
        for (name, pair) in names.iter().zip(batch.columns().chunks(2)) {
            let [least, greatest] = pair else { continue };
            let least = ScalarValue::try_from_array(least, 0)?;
            let greatest = ScalarValue::try_from_array(greatest, 0)?;
            if !least.is_null() && !greatest.is_null() {
                bounds.push(((*name).to_owned(), least, greatest));
            }
        }
    }
    Ok(bounds)
}

fn lake(error: FrameError) -> LakeError {
    crate::stage::from_frame(error)
}

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

    /// The records that a sink writes: where it upserts, those that are there and stay, too, and how fewer of
    /// them can be written.
    pub(crate) async fn upserted(
        &mut self,
        sink: &SinkDef,
        frame: DynamicFrame,
        labels: Labels,
    ) -> Option<(DynamicFrame, Option<Upsert>)> {
        if sink.mode != SinkMode::Upsert {
            return Some((frame, None));
        }
        let keys: Vec<&str> = sink.key.iter().map(Text::as_str).collect();
        let texts: Vec<&Text> = sink.key.iter().collect();
        // That the keys are there is to be known the first time, too.
        self.told(frame.clone().select_fields(&keys), &texts, sink.path.span())?;
        let Some(before) = self.before(sink).await? else {
            return Some((frame, None));
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
        let upsert = Upsert {
            before: before.clone(),
            new: frame.clone(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            labels: (kept.clone(), label.clone()),
        };
        let merged = before.counted(&kept).merge(frame, &keys);
        let merged = self.told(merged, &texts, sink.path.span())?;
        Some((merged.counted(&label), Some(upsert)))
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
