//! Grok patterns: named regular expressions put together.
//!
//! The syntax is Glue's ("Writing grok custom classifiers", AWS Glue developer guide): `%{NAME}`,
//! `%{NAME:column}`, `%{NAME:column:type}` with the types byte, boolean, double, short, int, long, float and
//! string; custom patterns are lines of a name and an expression. The named patterns are those that come
//! with the `grok` crate, and a few of Glue's that it lacks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arrow::datatypes::DataType;
use regex::{Regex, RegexBuilder};

use super::builtin;

/// A grok pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GrokError(pub(super) String);

/// A column that a pattern captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) name: String,
    /// The type that the pattern gives it, where it gives one.
    pub(super) data_type: Option<DataType>,
    /// The groups that fill it, the first that matched going first.
    groups: Vec<usize>,
}

/// A pattern ready to be matched.
#[derive(Debug)]
pub(super) struct Pattern {
    engine: Engine,
    captures: Vec<Capture>,
    /// What is tried before: see [`builtin::NARROWER`].
    narrower: Option<Narrower>,
}

#[derive(Debug)]
struct Narrower {
    regex: Regex,
    /// For each capture of the pattern, the group that fills it.
    groups: Vec<Option<usize>>,
}

#[derive(Debug)]
enum Engine {
    /// Linear in the text, whatever the pattern.
    Plain(Regex),
    /// For look-around and atomic groups: it goes back, with a limit on how often. Groups by name.
    Backtracking(Box<grok::Pattern>),
}

/// What a pattern may grow to when its names are replaced, in bytes.
const MAX_EXPANDED: usize = 256 << 10;
/// How deep names may refer to names.
const MAX_DEPTH: usize = 64;
/// What a pattern may compile to, in bytes.
const MAX_COMPILED: usize = 16 << 20;

/// Patterns of Glue's list that the `grok` crate lacks.
const OF_GLUE: &[(&str, &str)] = &[
    ("HOST", "%{HOSTNAME}"),
    ("BOOLEAN", "(?i:true|false)"),
    ("DATESTAMP_US", "%{DATE_US}[- ]%{TIME}"),
    ("DATESTAMP_EU", "%{DATE_EU}[- ]%{TIME}"),
    ("CISCOTIMESTAMP", "%{MONTH} %{MONTHDAY} %{TIME}"),
    ("MESSAGESLOG", "%{SYSLOGBASE} %{DATA}"),
];

static NAMED: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let bundled = grok::patterns().iter().copied();
    bundled
        .chain(OF_GLUE.iter().copied())
        .chain(builtin::PATTERNS.iter().copied())
        .collect()
});

struct Expansion<'a> {
    custom: BTreeMap<&'a str, &'a str>,
    /// The custom patterns that are being replaced, which are not seen meanwhile.
    open: Vec<&'a str>,
    regex: String,
    /// The column and type of each group that was made, by the group's name.
    groups: Vec<(String, Option<DataType>)>,
}

impl Expansion<'_> {
    fn expand(&mut self, pattern: &str, depth: usize) -> Result<(), GrokError> {
        if depth > MAX_DEPTH {
            return Err(GrokError(
                "the names of grok patterns are nested deeper than 64 levels".into(),
            ));
        }
        let mut rest = pattern;
        while let Some(at) = rest.find("%{") {
            self.push(&rest[..at])?;
            let inner = &rest[at + 2..];
            let Some(end) = inner.find('}') else {
                return Err(GrokError(format!(
                    "'%{{{}' is not closed",
                    inner.chars().take(20).collect::<String>()
                )));
            };
            self.reference(&inner[..end], depth)?;
            rest = &inner[end + 1..];
        }
        self.push(rest)
    }

    fn push(&mut self, text: &str) -> Result<(), GrokError> {
        self.regex.push_str(text);
        if self.regex.len() > MAX_EXPANDED {
            return Err(GrokError(
                "the pattern grows beyond 256 KiB when its names are replaced".into(),
            ));
        }
        Ok(())
    }

    fn reference(&mut self, reference: &str, depth: usize) -> Result<(), GrokError> {
        let mut parts = reference.splitn(3, [':', ';']);
        let name = parts.next().unwrap_or_default();
        let column = parts.next().filter(|c| !c.is_empty() && *c != "UNWANTED");
        let data_type = match parts.next() {
            Some(name) => typed(name.trim())?,
            None => None,
        };
        let found = self.custom.get(name).copied();
        let Some(definition) = found.or_else(|| NAMED.get(name).copied()) else {
            if self.open.contains(&name) {
                return Err(GrokError(format!(
                    "the custom pattern '{name}' refers to itself"
                )));
            }
            let known = NAMED.keys().chain(self.custom.keys()).copied();
            let meant = mastic_schema::names::closest(name, known)
                .map(|n| format!(" (did you mean '{n}'?)"))
                .unwrap_or_default();
            return Err(GrokError(format!(
                "there is no grok pattern '{name}'{meant}"
            )));
        };
        match column {
            Some(column) => {
                let group = self.groups.len();
                self.groups.push((column.to_owned(), data_type));
                self.push(&format!("(?<{GROUP}{group}>"))?;
            }
            None => self.push("(?:")?,
        }
        // A custom pattern may be built on the one whose name it takes.
        let own = found.and_then(|_| self.custom.remove_entry(name));
        self.open.extend(own.map(|(name, _)| name));
        self.expand(definition, depth + 1)?;
        if let Some((name, definition)) = own {
            self.open.pop();
            self.custom.insert(name, definition);
        }
        self.push(")")
    }
}

/// What the names of groups begin with that stand for columns.
const GROUP: &str = "mastic_";

fn typed(name: &str) -> Result<Option<DataType>, GrokError> {
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "byte" => DataType::Int8,
        "boolean" => DataType::Boolean,
        "double" => DataType::Float64,
        "short" => DataType::Int16,
        "int" | "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "string" => DataType::Utf8,
        // As a date is written its value tells.
        date if date == "date" || date.starts_with("date;") || date.starts_with("date:") => {
            return Ok(None);
        }
        other => {
            return Err(GrokError(format!(
                "there is no grok type '{other}'; there are byte, boolean, double, short, int, long, float and string"
            )));
        }
    }))
}

/// Custom patterns: a name, spaces, and an expression on each line.
fn custom(lines: &str) -> Result<BTreeMap<&str, &str>, GrokError> {
    let mut patterns = BTreeMap::new();
    for line in lines.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, definition)) = line.split_once(char::is_whitespace) else {
            return Err(GrokError(format!(
                "the custom pattern '{line}' has a name and no expression"
            )));
        };
        patterns.insert(name, definition.trim_start());
    }
    Ok(patterns)
}

impl Pattern {
    pub(super) fn compile(text: &str, custom_patterns: &str) -> Result<Self, GrokError> {
        let mut expansion = Expansion {
            custom: custom(custom_patterns)?,
            open: Vec::new(),
            regex: String::new(),
            groups: Vec::new(),
        };
        expansion.expand(text, 0)?;
        let regex = &expansion.regex;
        let plain = RegexBuilder::new(regex).size_limit(MAX_COMPILED).build();
        let (engine, names) = match plain {
            Ok(plain) => {
                let names = plain.capture_names().map(|n| n.map(str::to_owned));
                let names: Vec<Option<String>> = names.collect();
                (Engine::Plain(plain), names)
            }
            Err(regex::Error::CompiledTooBig(_)) => {
                return Err(GrokError("the pattern compiles to more than 16 MiB".into()));
            }
            Err(error) => {
                // Look-around and atomic groups, or a mistake that both engines see.
                let fancy = grok::Grok::empty().compile(regex, true);
                let fancy = fancy.map_err(|_| GrokError(first_line(&error)))?;
                let mut names: Vec<Option<String>> = vec![None];
                names.extend(fancy.capture_names().map(|n| Some(n.to_owned())));
                (Engine::Backtracking(Box::new(fancy)), names)
            }
        };
        let mut pattern = Pattern {
            engine,
            captures: Vec::new(),
            narrower: None,
        };
        pattern.name(&names, &expansion.groups);
        if pattern.captures.is_empty() {
            return Err(GrokError("the pattern names no column".into()));
        }
        let narrower = builtin::NARROWER.iter().find(|(of, _)| *of == text);
        if let Some((_, narrower)) = narrower.filter(|_| custom_patterns.is_empty()) {
            pattern.narrower = Self::compile(narrower, "")?.narrow(&pattern);
        }
        Ok(pattern)
    }

    fn narrow(self, wider: &Pattern) -> Option<Narrower> {
        let group = |capture: &Capture| {
            let own = self.captures.iter().find(|own| own.name == capture.name);
            own.and_then(|own| own.groups.first().copied())
        };
        let groups = wider.captures.iter().map(group).collect();
        match self.engine {
            Engine::Plain(regex) => Some(Narrower { regex, groups }),
            Engine::Backtracking(_) => None,
        }
    }

    /// Says which groups fill which columns.
    fn name(&mut self, names: &[Option<String>], made: &[(String, Option<DataType>)]) {
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (group, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            let number = name.strip_prefix(GROUP).and_then(|n| n.parse().ok());
            let (column, data_type) = match number.and_then(|n: usize| made.get(n)) {
                Some((column, data_type)) => (column.clone(), data_type.clone()),
                // A group that the expression itself names.
                None => (name.clone(), None),
            };
            // The backtracking engine's groups come by name: their order is that of the numbers.
            let order = number.unwrap_or(made.len() + group);
            match self.captures.iter().position(|c| c.name == column) {
                Some(at) => {
                    self.captures[at].groups.push(group);
                    places[at].0 = places[at].0.min(order);
                }
                None => {
                    places.push((order, self.captures.len()));
                    self.captures.push(Capture {
                        name: column,
                        data_type,
                        groups: vec![group],
                    });
                }
            }
        }
        if let Engine::Plain(regex) = &self.engine
            && self.captures.is_empty()
        {
            // An expression without names: its groups are columns by position.
            self.captures = (1..regex.captures_len())
                .map(|group| Capture {
                    name: format!("col{}", group - 1),
                    data_type: None,
                    groups: vec![group],
                })
                .collect();
            return;
        }
        places.sort_unstable();
        let mut sorted = Vec::with_capacity(places.len());
        for (_, at) in places {
            sorted.push(self.captures[at].clone());
        }
        self.captures = sorted;
    }

    /// Whether columns go by position: the expression names none.
    pub(super) fn is_positional(&self) -> bool {
        match &self.engine {
            Engine::Plain(regex) => regex.capture_names().flatten().next().is_none(),
            Engine::Backtracking(_) => false,
        }
    }

    pub(super) fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// The expression, where it needs no backtracking.
    pub(super) fn expression(&self) -> Option<&str> {
        match &self.engine {
            Engine::Plain(regex) => Some(regex.as_str()),
            Engine::Backtracking(_) => None,
        }
    }

    /// The same pattern without the narrower one.
    #[cfg(test)]
    pub(super) fn widened(mut self) -> Self {
        self.narrower = None;
        self
    }

    pub(super) fn matcher(&self) -> Matcher<'_> {
        Matcher {
            pattern: self,
            locations: match &self.engine {
                Engine::Plain(regex) => Some(regex.capture_locations()),
                Engine::Backtracking(_) => None,
            },
            narrow: self
                .narrower
                .as_ref()
                .map(|narrower| narrower.regex.capture_locations()),
            names: self
                .captures
                .iter()
                .map(|capture| self.group_names(capture))
                .collect(),
        }
    }

    /// The names of a capture's groups, for the engine that knows them by name.
    fn group_names(&self, capture: &Capture) -> Vec<String> {
        match &self.engine {
            Engine::Plain(_) => Vec::new(),
            Engine::Backtracking(fancy) => {
                let names: Vec<&str> = fancy.capture_names().collect();
                let groups = capture.groups.iter();
                groups
                    .filter_map(|group| names.get(group.wrapping_sub(1)))
                    .map(|name| (*name).to_owned())
                    .collect()
            }
        }
    }
}

/// Matches lines, reusing what it needs for one.
pub(super) struct Matcher<'p> {
    pattern: &'p Pattern,
    locations: Option<regex::CaptureLocations>,
    narrow: Option<regex::CaptureLocations>,
    names: Vec<Vec<String>>,
}

impl Matcher<'_> {
    /// Hands the line's captures over, one for each column in its order; whether the line matches.
    pub(super) fn captures<E>(
        &mut self,
        line: &str,
        mut each: impl FnMut(usize, Option<&str>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if let (Some(narrower), Some(locations)) = (&self.pattern.narrower, &mut self.narrow)
            && narrower.regex.captures_read(locations, line).is_some()
        {
            for (i, group) in narrower.groups.iter().enumerate() {
                let found = group.and_then(|group| locations.get(group));
                each(i, found.and_then(|(from, to)| line.get(from..to)))?;
            }
            return Ok(true);
        }
        match (&self.pattern.engine, &mut self.locations) {
            (Engine::Plain(regex), Some(locations)) => {
                if regex.captures_read(locations, line).is_none() {
                    return Ok(false);
                }
                for (i, capture) in self.pattern.captures.iter().enumerate() {
                    let found = capture.groups.iter().find_map(|g| locations.get(*g));
                    each(i, found.and_then(|(from, to)| line.get(from..to)))?;
                }
            }
            (Engine::Backtracking(fancy), _) => {
                let Some(matches) = fancy.match_against(line) else {
                    return Ok(false);
                };
                for (i, names) in self.names.iter().enumerate() {
                    each(i, names.iter().find_map(|name| matches.get(name)))?;
                }
            }
            (Engine::Plain(_), None) => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn matches(&mut self, line: &str) -> bool {
        match &self.pattern.engine {
            Engine::Plain(regex) => regex.is_match(line),
            Engine::Backtracking(fancy) => fancy.match_against(line).is_some(),
        }
    }
}

/// The last line of an expression's error says what is wrong; those before it draw the place.
fn first_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let told = text.lines().rev().find_map(|l| l.strip_prefix("error: "));
    format!("the expression is bad: {}", told.unwrap_or(&text))
}
