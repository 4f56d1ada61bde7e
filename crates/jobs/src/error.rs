//! What is wrong with a script, and where.

use std::fmt;
use std::sync::Arc;

use crate::script::GIVEN;
use crate::source::{Source, Span};

/// A mistake in a script: what, where, and what to do about it.
///
/// `Display` is the one-line message; [`ScriptError::render`] draws the place, in plain text. All
/// that another drawing needs is there too: the source, the byte range, the label and the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptError {
    /// What is wrong.
    pub message: String,
    /// The text that it is wrong in: the script, or the `--set` that was given.
    pub source: Arc<Source>,
    /// Where in the text.
    pub span: Span,
    /// What to write at the place.
    pub label: Option<String>,
    /// The closest name that would be right.
    pub did_you_mean: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ScriptError {
    /// A mistake at a place.
    pub fn new(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: Arc::clone(source),
            span,
            label: None,
            did_you_mean: None,
            hint: None,
        }
    }

    /// With what to write at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the closest right name, where one is close.
    #[must_use]
    pub fn meant(mut self, name: Option<String>) -> Self {
        self.did_you_mean = name;
        self
    }

    /// The line and column, both from 1.
    pub fn line_column(&self) -> (usize, usize) {
        self.source.line_column(self.span.start)
    }

    /// The help line: "did you mean", else the hint.
    pub fn help(&self) -> Option<String> {
        match (&self.did_you_mean, &self.hint) {
            (Some(name), _) => Some(format!("did you mean '{name}'?")),
            (None, hint) => hint.clone(),
        }
    }

    /// The message with the line it is about, in plain text:
    ///
    /// ```text
    /// error: there is no field 'dep_dealy'
    ///  --> flights.yaml:9:15
    ///   |
    /// 9 |     - filter: dep_dealy > 0
    ///   |               ^^^^^^^^^
    ///   = help: did you mean 'dep_delay'?
    /// ```
    pub fn render(&self) -> String {
        let (line, column) = self.line_column();
        let text = self.source.text();
        let shown = text.lines().nth(line - 1).unwrap_or_default();
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // A span over several lines is marked up to the end of its first.
        let marked = text.get(self.span.range()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().trim_end();
        let carets = "^".repeat(marked.chars().count().max(1));
        // Tabs stay tabs, so that the marks stand under their letters.
        let pad: String = shown
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let label = self.label.as_deref().map(|l| format!(" {l}"));
        let mut out = format!(
            "error: {}\n{gutter}--> {}:{line}:{column}\n{gutter} |\n{number} | {}\n{gutter} | {pad}{carets}{}",
            self.message,
            self.source.name(),
            shown.trim_end(),
            label.unwrap_or_default(),
        );
        if let Some(help) = self.help() {
            out.push_str(&format!("\n{gutter} = help: {help}"));
        }
        out
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        let name = self.source.name();
        write!(f, "{} ({name}, line {line}, column {column})", self.message)
    }
}

impl std::error::Error for ScriptError {}

/// All mistakes that were found in a script at once; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptErrors(pub Vec<ScriptError>);

impl ScriptErrors {
    /// Each of them drawn, in the order of the script.
    pub fn render(&self) -> String {
        let drawn: Vec<String> = self.0.iter().map(ScriptError::render).collect();
        drawn.join("\n\n")
    }

    /// Nothing where there are none, else all in the order of the script.
    pub(crate) fn check(mut errors: Vec<ScriptError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        // What was given on the command line comes before what is in the script.
        errors.sort_by_key(|e| (e.source.name() != GIVEN, e.span));
        errors.dedup();
        Err(Self(errors))
    }
}

impl fmt::Display for ScriptErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no mistake"),
            [one] => one.fmt(f),
            [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
        }
    }
}

impl std::error::Error for ScriptErrors {}
