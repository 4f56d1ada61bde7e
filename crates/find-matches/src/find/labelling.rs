//! Which pairs to ask somebody about, and what became of it.
//!
//! Labels are worth most where the decision is not clear, and where they say something new. The first questions are spread
//! over the whole range of scores; after them, five of six lie near the boundary of what has been learned so far, and
//! one anywhere among the pairs that could match.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::functions::expr_fn::{btrim, coalesce};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, cast, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::{HashMap, HashSet};
use mastic_functions::sample_number;

use super::prepare::{Input, Prepared};
use super::{MatchInput, Stage, judge, taught};
use crate::blocking::{Sides, rows};
use crate::compare::Compared;
use crate::decide::assignment::greedy;
use crate::error::Result;
use crate::known::Known;
use crate::labels::{Labelled, Labels, Tied};
use crate::model::sigmoid;
use crate::model::supervised::{Signals, Supervised, View};
use crate::normalise::column;
use crate::settings::Settings;
use crate::spool::{ROW, Spool};

/// How many questions are asked before what was answered is learned from.
pub const BATCH: usize = 25;
/// Of how many times as many pairs near the boundary questions are drawn.
const NEAR: usize = 3;
/// One question in so many is drawn from all that could match.
const ANYWHERE: usize = 6;

/// A pair that somebody is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The rows, from 0; in linking the right table's follow the left one's.
    pub rows: [u32; 2],
    /// How likely it is a match by what has been learned so far.
    pub match_probability: f64,
    /// The records' values, in the order of [`Labelling::columns`].
    pub records: [Vec<Option<String>>; 2],
}

/// The pairs of a table, and what was said of them.
pub struct Labelling {
    context: SessionContext,
    raw: Arc<Spool>,
    sides: Sides,
    columns: Vec<String>,
    pairs: Vec<u64>,
    compared: Compared,
    signals: Signals,
    assigned: bool,
    one_to_one: bool,
    scores: Vec<f32>,
    /// What was said, by the place of the pair.
    said: HashMap<usize, bool>,
    /// Pairs that are not asked about again.
    asked: HashSet<usize>,
    /// Rows that repeat another in every column: a label file cannot tell them from that one.
    repeats: HashSet<u32>,
    /// All labelled rows, to see whether answers contradict each other.
    tied: Vec<Tied>,
    rounds: u64,
}

impl fmt::Debug for Labelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labelling")
            .field("pairs", &self.pairs.len())
            .field("said", &self.said.len())
            .finish_non_exhaustive()
    }
}

impl Labelling {
    /// Looks for the pairs. `labels` are those that there are already.
    ///
    /// # Errors
    /// As [`super::find_matches_with`].
    pub async fn open(
        context: &SessionContext,
        input: MatchInput,
        settings: &Settings,
        labels: Option<&Labels>,
        tell: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<Labelling> {
        let input = Input::read(context, input, settings, false, tell).await?;
        let mut tied = Vec::new();
        if let Some(labels) = labels {
            tied = crate::labels::tie(context, &input.raw, &input.shared, labels, settings).await?;
        }
        let (sides, one_to_one) = (input.sides, settings.one_to_one);
        let known = labels.map(|l| Labelled::new(&l.name, &tied, sides, one_to_one));
        let known = known.transpose()?;
        let (prepared, found) =
            Prepared::new(context, input, settings, Known::default(), tell).await?;
        tell(Stage::Comparing(prepared.blocking.pairs));
        let evidence = prepared.gather(context, found, settings, None).await?;
        tell(Stage::Learning);
        let learned = judge::judge(context, &prepared.normal, &evidence, settings, tell).await?;
        let signals = taught::signals(&evidence, &learned);
        let assigned = learned.assigned(evidence.pairs());
        let sides = evidence.sides;
        let (pairs, compared) = evidence.into_compared();
        let raw = prepared.input.raw;
        let columns = columns(context, &raw)?;
        let repeats = match settings.primary_key {
            Some(_) => HashSet::new(),
            None => repeats(context, &raw, &columns).await?,
        };
        let mut out = Labelling {
            context: context.clone(),
            raw,
            sides,
            columns,
            scores: signals.scores().to_vec(),
            pairs,
            compared,
            signals,
            assigned,
            one_to_one: settings.one_to_one,
            said: HashMap::new(),
            asked: HashSet::new(),
            repeats,
            tied,
            rounds: 0,
        };
        if let Some(known) = known {
            out.said.extend(taught::places(&out.pairs, &known));
            let unsure = known
                .unsure
                .iter()
                .filter_map(|p| out.pairs.binary_search(p).ok());
            out.asked.extend(unsure);
            out.asked.extend(out.said.keys());
            out.learn();
        }
        Ok(out)
    }

    /// The columns whose values are shown, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many pairs are labelled, by whether they match.
    pub fn labelled(&self) -> [usize; 2] {
        let yes = self.said.values().filter(|is_match| **is_match).count();
        [yes, self.said.len() - yes]
    }

    /// The most telling pairs: up to so many that were not asked about before. What was answered is learned from first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn ask(&mut self, count: usize) -> Result<Vec<Question>> {
        self.learn();
        let chosen = self.choose(count);
        self.rounds += 1;
        self.asked.extend(&chosen);
        let wanted: HashSet<u32> = chosen
            .iter()
            .flat_map(|at| <[u32; 2]>::from(rows(self.pairs[*at])))
            .collect();
        let mut records = self.records(&wanted).await?;
        let mut out = Vec::new();
        for at in chosen {
            let (a, b) = rows(self.pairs[at]);
            let mut of = |row: u32| records.get_mut(&row).cloned().unwrap_or_default();
            out.push(Question {
                rows: [a, b],
                match_probability: sigmoid(f64::from(self.scores[at])),
                records: [of(a), of(b)],
            });
        }
        Ok(out)
    }

    /// Takes an answer: whether it is a match, or none if that is not known.
    ///
    /// # Errors
    /// When it contradicts what was said before; then it is not taken.
    pub fn answer(&mut self, question: &Question, is_match: Option<bool>) -> Result<()> {
        let Some(at) = self.place(question) else {
            return Ok(());
        };
        let Some(is_match) = is_match else {
            return Ok(());
        };
        let set = format!("answer {}", self.said.len() + 1);
        let before = self.tied.len();
        for (row, label) in question
            .rows
            .iter()
            .zip(["A", if is_match { "A" } else { "B" }])
        {
            self.tied.push(Tied {
                set: set.clone(),
                label: label.to_owned(),
                line: self.tied.len() as u64 + 1,
                row: *row,
            });
        }
        let name = "the labels so far";
        if let Err(error) = Labelled::new(name, &self.tied, self.sides, self.one_to_one) {
            self.tied.truncate(before);
            return Err(error);
        }
        self.said.insert(at, is_match);
        Ok(())
    }

    /// Takes an answer back.
    pub fn take_back(&mut self, question: &Question) {
        if let Some(at) = self.place(question)
            && self.said.remove(&at).is_some()
        {
            let [a, b] = question.rows;
            let last = self.tied.len().saturating_sub(2);
            // The last answer is the last pair of rows.
            if self.tied[last..].iter().map(|t| t.row).eq([a, b]) {
                self.tied.truncate(last);
            }
        }
    }

    fn place(&self, question: &Question) -> Option<usize> {
        let [a, b] = question.rows;
        self.pairs.binary_search(&crate::blocking::pair(a, b)).ok()
    }

    fn learn(&mut self) {
        let mut labels: Vec<(usize, bool)> = self.said.iter().map(|(at, y)| (*at, *y)).collect();
        labels.sort_unstable();
        let view = View {
            compared: &self.compared,
            signals: &self.signals,
        };
        self.scores = match Supervised::learn(view, &labels) {
            Some(learned) if !labels.is_empty() => learned.scores(view),
            _ => self.signals.scores().to_vec(),
        };
        taught::enforce(&mut self.scores, &labels);
    }

    /// The places of pairs to ask about.
    fn choose(&self, count: usize) -> Vec<usize> {
        let scores = &self.scores;
        let mut could: Vec<usize> = match self.assigned {
            true => greedy(&self.pairs, scores, self.sides),
            false => self.best_or_likely(),
        };
        could.retain(|at| {
            let (a, b) = rows(self.pairs[*at]);
            let is_repeat = self.repeats.contains(&a) || self.repeats.contains(&b);
            !is_repeat && !self.asked.contains(at)
        });
        if self.said.is_empty() && self.rounds == 0 {
            // Spread over the scores, the greatest first.
            could.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
            let last = could.len().saturating_sub(1);
            let mut spread: Vec<usize> = (0..count.min(could.len()))
                .map(|n| could[n * last / (count - 1).max(1)])
                .collect();
            spread.dedup();
            return spread;
        }
        let mixed = |at: &usize| sample_number(*at as u64 ^ self.rounds.rotate_left(40));
        could.sort_by(|a, b| scores[*a].abs().total_cmp(&scores[*b].abs()).then(a.cmp(b)));
        let (near, far) = could.split_at((NEAR * count).min(could.len()));
        let (mut near, mut far) = (near.to_vec(), far.to_vec());
        near.sort_by_key(mixed);
        far.sort_by_key(mixed);
        let anywhere = (count / ANYWHERE).min(far.len());
        let mut out: Vec<usize> = near.into_iter().take(count - anywhere).collect();
        out.extend(far.into_iter().take(anywhere));
        out
    }

    /// The pairs that are the best of one of their records, and others that may be matches.
    fn best_or_likely(&self) -> Vec<usize> {
        let mut best = vec![f32::NEG_INFINITY; self.sides.rows as usize];
        for (pair, score) in self.pairs.iter().zip(&self.scores) {
            for row in <[u32; 2]>::from(rows(*pair)) {
                let best = &mut best[row as usize];
                *best = best.max(*score);
            }
        }
        let each = self.pairs.iter().zip(&self.scores).enumerate();
        each.filter(|(_, (pair, score))| {
            let mut rows = <[u32; 2]>::from(rows(**pair)).into_iter();
            **score > -2.0 || rows.any(|row| **score >= best[row as usize])
        })
        .map(|(at, _)| at)
        .collect()
    }

    async fn records(&self, wanted: &HashSet<u32>) -> Result<HashMap<u32, Vec<Option<String>>>> {
        let all = self.raw.scan(&self.context, "records")?;
        let mut list: Vec<u32> = wanted.iter().copied().collect();
        list.sort_unstable();
        let chosen = column(ROW).in_list(list.into_iter().map(lit).collect(), false);
        let mut shown = vec![column(ROW)];
        let texts = self
            .columns
            .iter()
            .map(|c| cast(column(c), DataType::Utf8).alias(c));
        shown.extend(texts);
        let mut stream = all.filter(chosen)?.select(shown)?.execute_stream().await?;
        let mut out = HashMap::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let numbers = batch.column(0).as_primitive::<UInt32Type>();
            for row in 0..batch.num_rows() {
                let values = (1..batch.num_columns()).map(|at| {
                    let text = batch.column(at).as_string_opt::<i32>()?;
                    text.is_valid(row).then(|| text.value(row).to_owned())
                });
                out.insert(numbers.value(row), values.collect());
            }
        }
        Ok(out)
    }
}

/// All but the first of rows that are equal.
async fn repeats(
    context: &SessionContext,
    raw: &Arc<Spool>,
    columns: &[String],
) -> Result<HashSet<u32>> {
    let parts = columns.iter().map(|c| {
        btrim(vec![coalesce(vec![
            cast(column(c), DataType::Utf8),
            lit(""),
        ])])
    });
    let number = row_number()
        .partition_by(parts.collect())
        .order_by(vec![column(ROW).sort(true, false)])
        .build()?;
    let again = raw
        .scan(context, "records")?
        .window(vec![number.alias("$number")])?
        .filter(column("$number").gt(lit(1_u64)))?
        .select(vec![column(ROW)])?;
    let mut stream = again.execute_stream().await?;
    let mut out = HashSet::new();
    while let Some(batch) = stream.next().await {
        out.extend(
            batch?
                .column(0)
                .as_primitive::<UInt32Type>()
                .values()
                .iter()
                .copied(),
        );
    }
    Ok(out)
}

/// The columns that can be shown as text.
fn columns(context: &SessionContext, raw: &Arc<Spool>) -> Result<Vec<String>> {
    let all = raw.scan(context, "records")?;
    let fields = all.schema().fields().iter();
    Ok(fields
        .filter(|f| f.name() != ROW && !f.data_type().is_nested() && !f.data_type().is_binary())
        .map(|f| f.name().clone())
        .collect())
}
