//! Errors as people see them: `error:`, the place where there is one, `hint:`.

use std::io;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use mastic_catalog::CatalogError;
use mastic_crawler::CrawlError;
use mastic_lake::LakeError;
use mastic_query::QueryError;
use mastic_query::execution::{Part, ROWS_ENDED};

/// A result of the command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

/// A text with a place in it that an error is about.
#[derive(Debug)]
pub(crate) struct Excerpt {
    pub(crate) source: String,
    pub(crate) file: Option<String>,
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) label: String,
}

/// One mistake.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) excerpt: Option<Excerpt>,
    pub(crate) hint: Option<String>,
}

/// Why the command ends without success.
#[derive(Debug)]
pub(crate) enum CliError {
    /// It failed: code 1.
    Failed(Vec<Mistake>),
    /// It was used wrongly: code 2.
    Usage(String),
    /// It failed, and why was told already: code 1.
    Told,
    /// Nobody reads the output any more, as in `mastic sql … | head`: a success.
    ClosedPipe,
}

impl CliError {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        CliError::hinted(message, None)
    }

    pub(crate) fn hinted(message: impl Into<String>, hint: Option<String>) -> Self {
        CliError::Failed(vec![Mistake {
            message: message.into(),
            excerpt: None,
            hint,
        }])
    }

    /// An error of a statement, with its place in the statement's text.
    pub(crate) fn of_query(error: &QueryError, text: &str, file: Option<String>) -> Self {
        CliError::at(error, error.place(), text, file)
    }

    fn at(error: &QueryError, place: Option<(u64, u64)>, text: &str, file: Option<String>) -> Self {
        let excerpt = place.and_then(|(line, column)| {
            let start = offset(text, line, column)?;
            let rest = &text[start..];
            let length = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '"')))
                .unwrap_or(rest.len());
            let one = rest.chars().next().map_or(0, char::len_utf8);
            Some(Excerpt {
                source: text.to_owned(),
                file,
                range: start..start + length.max(one),
                label: String::new(),
            })
        });
        CliError::Failed(vec![Mistake {
            message: error.to_string(),
            excerpt,
            hint: error.hint(),
        }])
    }

    /// An error of one statement of a text, with its place in the text.
    pub(crate) fn of_part(
        error: &QueryError,
        part: &Part,
        whole: &str,
        file: Option<&str>,
    ) -> Self {
        let place = error.place().map(|place| part.place(place));
        let several = part.line > 1 || part.text.len() < whole.trim().len().saturating_sub(1);
        // Where the error itself has no place, the statement's tells which of them it was.
        let place = place.or(several.then_some((part.line, part.column)));
        CliError::at(error, place, whole, file.map(str::to_owned))
    }

    /// Whether it only tells that a query's rows ended before their end: why is for the query to tell.
    pub(crate) fn is_of_query(&self) -> bool {
        matches!(self, CliError::Failed(mistakes)
            if mistakes.iter().any(|mistake| mistake.message.ends_with(ROWS_ENDED)))
    }

    /// Tells the error; the exit code that it means.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            CliError::ClosedPipe => ExitCode::SUCCESS,
            CliError::Told => ExitCode::FAILURE,
            CliError::Usage(message) => {
                complain(&message, Some("mastic --help"));
                ExitCode::from(2)
            }
            CliError::Failed(mistakes) => {
                for (i, mistake) in mistakes.iter().enumerate() {
                    if i > 0 {
                        anstream::eprintln!();
                    }
                    mistake.tell();
                }
                ExitCode::FAILURE
            }
        }
    }
}

fn offset(text: &str, line: u64, column: u64) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    let within: usize = rest.chars().take(column).map(char::len_utf8).sum();
    (start + within < text.len()).then_some(start + within)
}

impl Mistake {
    fn tell(&self) {
        let Some(excerpt) = &self.excerpt else {
            complain(&self.message, self.hint.as_deref());
            return;
        };
        let mut snippet = Snippet::source(&excerpt.source);
        if let Some(file) = &excerpt.file {
            snippet = snippet.path(file);
        }
        let mut mark = AnnotationKind::Primary.span(excerpt.range.clone());
        if !excerpt.label.is_empty() {
            mark = mark.label(&excerpt.label);
        }
        let group = Level::ERROR
            .primary_title(&self.message)
            .element(snippet.annotation(mark));
        let rendered = Renderer::styled().render(&[group]);
        // `anstream` takes the colours out where there is no terminal.
        anstream::eprintln!("{rendered}");
        if let Some(hint) = &self.hint {
            give(hint);
        }
    }
}

fn complain(message: &str, hint: Option<&str>) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    anstream::eprintln!("{red}error{red:#}: {message}");
    if let Some(hint) = hint {
        give(hint);
    }
}

fn give(hint: &str) {
    let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    anstream::eprintln!("{cyan}hint{cyan:#}: {hint}");
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            CliError::ClosedPipe
        } else {
            CliError::failed(format!("cannot write the output: {error}"))
        }
    }
}

impl From<CatalogError> for CliError {
    fn from(error: CatalogError) -> Self {
        CliError::hinted(error.to_string(), error.hint())
    }
}

impl From<CrawlError> for CliError {
    fn from(error: CrawlError) -> Self {
        CliError::hinted(error.to_string(), error.hint())
    }
}

impl From<LakeError> for CliError {
    fn from(error: LakeError) -> Self {
        CliError::hinted(error.to_string(), error.hint())
    }
}

impl From<QueryError> for CliError {
    fn from(error: QueryError) -> Self {
        CliError::hinted(error.to_string(), error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_offsets() {
        let text = "SELECT é,\n  b";
        assert_eq!(offset(text, 1, 8), Some(7));
        assert_eq!(offset(text, 2, 3), Some(13));
        assert_eq!(offset(text, 9, 1), None);
    }
}
