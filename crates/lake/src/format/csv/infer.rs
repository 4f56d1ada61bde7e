//! What a file's rows have in common: the types of its columns.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use mastic_schema::names::column_names;

use super::CsvOptions;
use super::frame::Aside;
use super::grid::{Cells, Grid};
use super::rows::Rows;
use crate::error::{LakeError, Result};
use crate::format::{BadRecord, BadRecords, Inference, Limits};
use crate::infer::{Choices, Kind, Node, Typing};
use crate::value::{DateOrder, Orders, TEXT_NULLS};

/// How many rows are held at once while a schema is inferred, of a file that may have no more.
const FIRST_ROWS: usize = 1024;
/// How many are, of one that has; more than one thread watches them.
const MORE_ROWS: usize = 8192;
/// How many threads watch a file's columns, at most.
const WATCHERS: usize = 4;

/// Watches every row up to the limits. What the rows tell of the options is set: null markers, the
/// order of dates, the encoding of lines that are not UTF-8; and why, in `reason`.
///
/// Where the head's quotes turn out to be none further on, the file is read again (from what
/// `again` opens) without them.
pub(in crate::format) fn infer<R: Read>(
    file: &str,
    reader: impl Read,
    again: impl Fn() -> Result<R>,
    options: &mut CsvOptions,
    limits: &Limits,
    lenient: bool,
    reason: &mut String,
) -> Result<Inference> {
    let (given, told) = (options.clone(), reason.clone());
    match strict(file, reader, &again, options, limits, reason) {
        // A row that is none is passed over only where that is not for its dialect.
        Err(LakeError::Data { .. }) if lenient => {}
        found => return found,
    }
    *options = given;
    *reason = told;
    let aside = Some(Aside::new(file, Arc::new(Ignored)));
    let (inference, _) = watch(file, again()?, options, limits, aside, reason)?;
    Ok(inference)
}

/// Where bad records go that another reading will set aside.
#[derive(Debug)]
struct Ignored;

impl BadRecords for Ignored {
    fn set_aside(&self, _: BadRecord) -> Result<()> {
        Ok(())
    }
}

fn strict<R: Read>(
    file: &str,
    reader: impl Read,
    again: impl Fn() -> Result<R>,
    options: &mut CsvOptions,
    limits: &Limits,
    reason: &mut String,
) -> Result<Inference> {
    let given = options.clone();
    let error = match watch(file, reader, options, limits, None, reason) {
        Ok((inference, _)) => return Ok(inference),
        Err(error) => error,
    };
    let LakeError::Data { message, .. } = &error else {
        return Err(error);
    };
    if given.quote.is_none() || !message.contains("quote") {
        return Err(error);
    }
    let mut bare = CsvOptions {
        quote: None,
        escape: None,
        ..given
    };
    let mut told = reason.clone();
    match watch(file, again()?, &mut bare, limits, None, &mut told) {
        // Rows that lose their shape without quotes do need them.
        Ok((inference, regular)) if regular * 20 >= inference.rows * 19 => {
            *options = bare;
            told.push_str("; quotes are characters like others, since one is never closed");
            *reason = told;
            Ok(inference)
        }
        _ => Err(error),
    }
}

/// The inference, and how many rows had the width of the table.
fn watch(
    file: &str,
    reader: impl Read,
    options: &mut CsvOptions,
    limits: &Limits,
    aside: Option<Aside>,
    reason: &mut String,
) -> Result<(Inference, u64)> {
    let mut rows = Rows::open(file, reader, options, true)?.with_aside(aside);
    // Nulls that somebody named are no values to infer from.
    let named_nulls = options.text_nulls.clone();
    let mut header: Vec<String> = Vec::new();
    if options.header
        && let Some(cells) = rows.header()?
    {
        header = cells;
    }
    let mut nodes: Vec<Node> = vec![Node::default(); header.len()];
    let width = if header.is_empty() {
        rows.layout().width
    } else {
        header.len()
    };
    let mut count = 0u64;
    let mut regular = 0u64;
    let mut complete = true;
    loop {
        if rows.bytes() >= limits.bytes {
            complete = false;
            break;
        }
        let wanted = if count == 0 { FIRST_ROWS } else { MORE_ROWS };
        if rows.read(wanted)? == 0 {
            break;
        }
        let cells = rows.cells();
        let left_out = |line: u64| rows.aside().is_some_and(|aside| aside.is_left_out(line));
        // A file appended to another brings its header along.
        let kept: Vec<usize> = (0..rows.len())
            .filter(|row| !cells.same_as(*row, &header))
            .filter(|row| !left_out(cells.line(*row)))
            .collect();
        count += kept.len() as u64;
        let of_width = |row: &&usize| cells.width(**row) == width;
        regular += kept.iter().filter(of_width).count() as u64;
        let widest = kept.iter().map(|row| cells.width(*row)).max();
        if widest.is_some_and(|widest| widest > nodes.len()) {
            nodes.resize_with(widest.unwrap_or_default(), Node::default);
        }
        see(&mut nodes, cells, &kept, &named_nulls);
    }
    options.encoding = rows.encoding().or(options.encoding.take());
    if options.per_file {
        options.footer = rows.footer_lines();
        if options.footer > 0 {
            let lines = match options.footer {
                1 => "1 line of notes follows".to_owned(),
                lines => format!("{lines} lines of notes follow"),
            };
            reason.push_str(&format!("; {lines} the last row"));
        }
    }
    // A column at the end without a name and without a value is a delimiter too many.
    while nodes.last().is_some_and(|n| n.sightings().is_empty())
        && header
            .get(nodes.len() - 1)
            .is_none_or(|name| name.trim().is_empty())
        && nodes.len() > 1
    {
        nodes.pop();
    }
    settle_nulls(options, &nodes);
    let choices = Choices {
        date_order: date_order(&nodes, reason),
        ..Choices::default()
    };
    options.date_order = choices.date_order;
    let nulls = [options.null_markers.as_slice(), &options.text_nulls].concat();

    header.resize(nodes.len(), String::new());
    let names = column_names(header.iter().map(String::as_str));
    let fields: Fields = names
        .iter()
        .zip(&nodes)
        .map(|(name, node)| Field::new(name, node.data_type(&nulls, choices), true))
        .collect();
    let kept: Vec<String> = options
        .common_markers()
        .chain(&options.text_nulls)
        .cloned()
        .collect();
    let chosen: Fields = names
        .iter()
        .zip(&nodes)
        .map(|(name, node)| node.choice_field(name, &kept, choices, Typing::Text))
        .collect();
    literal_columns(options, &fields, &nodes);
    for (name, node) in names.iter().zip(&nodes) {
        if node.is_inexact() {
            reason.push_str(&format!(
                "; '{name}' stays text, since no type of numbers holds its values as they are written"
            ));
        }
        if node.finer_times() > 0 {
            let count = node.finer_times();
            reason.push_str(&format!(
                "; digits beyond the microsecond are cut off {count} times in '{name}'"
            ));
        }
    }
    let mut root = Node::default();
    for (name, node) in names.iter().zip(nodes) {
        *root.field(name) = node;
    }
    let inference = Inference {
        rows: count,
        bytes: rows.bytes(),
        complete,
        node: Some(root),
        choices: (chosen != fields).then_some(chosen),
        fields,
    };
    Ok((inference, regular))
}

/// Shows columns their cells, several columns at once where there are many rows.
fn see(nodes: &mut [Node], cells: Cells<'_>, rows: &[usize], nulls: &[String]) {
    let see = |first: usize, nodes: &mut [Node]| {
        for (i, node) in nodes.iter_mut().enumerate() {
            for row in rows {
                match cells.cell(*row, first + i).map(str::trim) {
                    Some(named) if nulls.iter().any(|n| n == named) => node.see_null(),
                    Some(cell) => node.see_text(cells.line(*row), cell),
                    None => {}
                }
            }
        }
    };
    let watchers = match rows.len() > FIRST_ROWS {
        true => std::thread::available_parallelism().map_or(1, |n| n.get().min(WATCHERS)),
        false => 1,
    };
    let share = nodes.len().div_ceil(watchers).max(1);
    let mut shares = nodes.chunks_mut(share).enumerate();
    let Some((_, own)) = shares.next() else {
        return;
    };
    std::thread::scope(|scope| {
        for (i, others) in shares {
            scope.spawn(move || see(i * share, others));
        }
        see(0, own);
    });
}

/// The markers that columns of values tell of, and those that stand for null among text, too.
fn settle_nulls(options: &mut CsvOptions, nodes: &[Node]) {
    let typed: BTreeSet<&str> = nodes.iter().flat_map(Node::telling_markers).collect();
    let everywhere = nodes
        .iter()
        .flat_map(Node::markers)
        .filter(|m| TEXT_NULLS.contains(m));
    let mut all: BTreeSet<String> = options.text_nulls.drain(..).collect();
    all.extend(everywhere.map(str::to_owned));
    options.text_nulls = all.into_iter().collect();
    options.null_markers = typed
        .into_iter()
        .map(str::to_owned)
        .filter(|m| !options.text_nulls.contains(m))
        .collect();
    // A marker that is no rarity in one column is the file's own.
    let rare = |marker: &&String| {
        let telling = |node: &&Node| node.telling_markers().any(|m| m == marker.as_str());
        nodes
            .iter()
            .filter(telling)
            .all(|node| node.is_rare(marker))
    };
    options.rare_markers = options.null_markers.iter().filter(rare).cloned().collect();
}

/// The columns of text where markers are values, since the others look like them: those of the column
/// itself, and those that are the file's nulls and may come further on.
fn literal_columns(options: &mut CsvOptions, fields: &Fields, nodes: &[Node]) {
    let looks_like = |node: &Node| {
        let own = node.markers();
        own.chain(options.null_markers.iter().map(String::as_str))
            .filter(|m| !options.text_nulls.iter().any(|n| n == m))
            .any(|marker| node.looks_like(marker))
    };
    let literal = fields
        .iter()
        .zip(nodes)
        // A column of nothing but markers is text unless other files of the table say more.
        .filter(|(f, node)| {
            matches!(f.data_type(), DataType::Utf8 | DataType::Null) && looks_like(node)
        })
        .map(|(f, _)| f.name().clone())
        .collect();
    options.literal_columns = literal;
}

/// The order of day, month and year that the file's decisive dates are in.
fn date_order(nodes: &[Node], reason: &mut String) -> Option<DateOrder> {
    let is_ordered = |node: &&Node| {
        let kinds = node.sightings();
        [
            Kind::OrderedDate,
            Kind::OrderedTimestamp,
            Kind::OrderedInstant,
        ]
        .iter()
        .any(|kind| kinds.contains_key(kind))
            && !kinds.contains_key(&Kind::Text)
    };
    let orders: Vec<Orders> = nodes
        .iter()
        .filter(is_ordered)
        .map(Node::date_orders)
        .collect();
    let mut decided: Vec<(DateOrder, u64)> = DateOrder::ALL.map(|o| (o, 0)).to_vec();
    // A column that contradicts itself says nothing of the others.
    for (order, count) in orders.iter().filter_map(Orders::decided) {
        for (_, all) in decided.iter_mut().filter(|(o, _)| *o == order) {
            *all += count;
        }
    }
    if orders.iter().any(Orders::is_open) {
        reason.push_str(
            "; dates that may be year-month-day or day-month-year, with years of two digits, stay strings, since none of them decides",
        );
    }
    // The first of equals.
    let most = decided.into_iter().rev().max_by_key(|(_, count)| *count);
    let Some((order, count)) = most.filter(|(_, count)| *count > 0) else {
        if orders.iter().any(|o| !o.is_open() && o.decided().is_none()) {
            reason.push_str(
                "; dates that may be day/month or month/day stay strings, since none of them decides",
            );
        }
        return None;
    };
    let first = match order {
        DateOrder::DayFirst => "the day comes first",
        DateOrder::MonthFirst => "the month comes first",
        DateOrder::YearFirst => "the year comes first",
    };
    reason.push_str(&format!("; in dates {first}, as {count} of them tell"));
    Some(order)
}
