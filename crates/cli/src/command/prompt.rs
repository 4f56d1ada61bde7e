//! The prompt of `mastic sql`: history, completion, statements over several lines.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::IsTerminal;

use mastic_query::Session;
use mastic_query::execution::split;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Context, Editor, Helper, Highlighter, Hinter, Validator};

use crate::command::sql::Asking;
use crate::error::{CliError, Result};

const HISTORY: &str = ".mastic/history";

const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "WITH",
    "UNION ALL",
    "DISTINCT",
    "COUNT(*)",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "IS NULL",
    "IS NOT NULL",
    "CAST",
    "EXPLAIN",
    "DESCRIBE",
    "SHOW TABLES",
    "SHOW DATABASES",
];

const HELP: &str = "\
A statement ends with a semicolon, and may go over several lines.
  SHOW TABLES;         what there is          DESCRIBE db.table;   its columns
  help                 this text              quit, Ctrl-D         leave
  Tab completes, the arrow keys go through the history, Ctrl-C drops a line or stops a query.";

#[derive(Helper, Highlighter, Hinter, Validator)]
struct Words(BTreeSet<String>);

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let start = line[..position]
            .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '"')))
            .map_or(0, |i| {
                i + line[i..].chars().next().map_or(1, char::len_utf8)
            });
        let word = &line[start..position];
        let lower = word.to_lowercase();
        let names = self.0.iter().filter(|name| name.starts_with(&lower));
        let keywords = KEYWORDS
            .iter()
            .filter(|k| k.to_lowercase().starts_with(&lower));
        let pairs = names
            .map(|name| Cow::Borrowed(name.as_str()))
            .chain(keywords.map(|k| {
                let small = word.chars().all(char::is_lowercase);
                Cow::Owned(if small {
                    k.to_lowercase()
                } else {
                    (*k).to_owned()
                })
            }))
            .map(|text| Pair {
                display: text.to_string(),
                replacement: text.into_owned(),
            })
            .collect();
        Ok((start, pairs))
    }
}

async fn words(session: &Session) -> Result<Words> {
    let snapshot = session.refresh();
    snapshot.load().await?;
    let mut words = BTreeSet::new();
    for full in snapshot.table_names() {
        if let Some((database, name)) = full.split_once('.') {
            if let Some(table) = snapshot.table(database, name).await? {
                let columns = table.columns().iter().chain(&table.partition_keys);
                words.extend(columns.map(|c| c.name.clone()));
            }
            if session.database() == Some(database) {
                words.insert(name.to_owned());
            }
        }
        words.insert(full);
    }
    Ok(Words(words))
}

pub(crate) async fn run(asking: &Asking) -> Result<()> {
    let broken = |e: ReadlineError| CliError::failed(format!("the prompt failed: {e}"));
    let mut editor: Editor<Words, FileHistory> = Editor::new().map_err(broken)?;
    editor.set_helper(Some(words(&asking.session).await?));
    // A missing history is an empty one.
    let _ = editor.load_history(HISTORY);
    anstream::eprintln!(
        "Mastic {}; help shows what can be typed",
        env!("CARGO_PKG_VERSION")
    );
    let mut statement = String::new();
    let mut failed = false;
    loop {
        let prompt = if statement.is_empty() {
            "mastic> "
        } else {
            "     -> "
        };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                statement.clear();
                continue;
            }
            Err(ReadlineError::Eof) => {
                // What a pipe or file ends with needs no semicolon.
                let text = std::mem::take(&mut statement);
                if !text.trim().is_empty() {
                    failed |= !answer(asking, &text).await?;
                }
                break;
            }
            Err(error) => return Err(broken(error)),
        };
        if statement.is_empty() {
            match line.trim().trim_end_matches(';').to_lowercase().as_str() {
                "" => continue,
                "quit" | "exit" | "\\q" => break,
                "help" | "\\?" | "\\h" => {
                    anstream::eprintln!("{HELP}");
                    continue;
                }
                "\\d" | "\\dt" => statement.push_str("SHOW TABLES;"),
                _ => statement.push_str(&line),
            }
        } else {
            statement.push('\n');
            statement.push_str(&line);
        }
        if !is_whole(&statement) {
            continue;
        }
        let text = std::mem::take(&mut statement);
        // What cannot be added to the history was still typed.
        let _ = editor.add_history_entry(text.as_str());
        failed |= !answer(asking, &text).await?;
    }
    if std::fs::create_dir_all(".mastic").is_ok()
        && let Err(error) = editor.save_history(HISTORY)
    {
        anstream::eprintln!("the history was not saved: {error}");
    }
    // At a terminal an error was seen; a script has to be told.
    if failed && !std::io::stdin().is_terminal() {
        return Err(CliError::Told);
    }
    Ok(())
}

/// Answers the statements of a text up to the first that fails; an error is told, and the prompt goes on. Whether all were
/// answered.
async fn answer(asking: &Asking, text: &str) -> Result<bool> {
    for part in split(text) {
        match asking.answer(&part, text, None).await {
            Err(CliError::ClosedPipe) => return Err(CliError::ClosedPipe),
            Err(error) => {
                error.report();
                return Ok(false);
            }
            Ok(()) => {}
        }
    }
    Ok(true)
}

/// Whether a text ends with a semicolon that ends a statement: one that is in no string, name or comment.
fn is_whole(text: &str) -> bool {
    let parts = split(text);
    let ends = text.contains(';');
    parts.last().map_or(ends, |last| last.ended)
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn statements_go_over_lines() {
        assert!(is_whole("SELECT 1;"));
        assert!(is_whole("SELECT 1; -- done"));
        assert!(is_whole(";"));
        assert!(!is_whole("SELECT ';"));
        assert!(!is_whole("SELECT 1; SELECT"));
        assert!(!is_whole("SELECT 1 -- ;"));
        assert!(!is_whole("-- nothing yet"));
    }
}
