//! Labelled sets: tables of which it is known which records are the same. `matching/sets.json` says where their files
//! are published and what they must be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    Outcome, python,
    score::Truth,
    setting::{Setting, package_file},
};

/// An entry of `matching/sets.json`, so far as it matters here; `peers/labelled.py` reads the rest.
#[derive(Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// How Splink is asked: `peers/recipes.py`.
    pub(crate) recipe: String,
    /// The F1 that Mastic should reach without labels.
    pub(crate) bar: f64,
}

/// A set, laid out.
pub(crate) struct Labelled {
    /// One table, or two to link one to one. They have no keys.
    pub(crate) tables: Vec<PathBuf>,
    pub(crate) truth: Truth,
    pub(crate) rows: Vec<usize>,
}

/// The sets there are, or of those the ones named.
pub(crate) fn entries(only: &[String]) -> Outcome<Vec<Entry>> {
    let entries: Vec<Entry> =
        serde_json::from_slice(&fs::read(package_file("matching/sets.json"))?)?;
    let known: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!(
            "there is no set '{unknown}': there are {}",
            known.join(", ")
        )
        .into());
    }
    Ok(entries
        .into_iter()
        .filter(|e| only.is_empty() || only.contains(&e.name))
        .collect())
}

/// Lays a set out, from a folder that has its files or from where they are published, unless an earlier run did.
pub(crate) fn lay_out(setting: &Setting, entry: &Entry, from: Option<&Path>) -> Outcome<Labelled> {
    let (sets, packages) = (
        package_file("matching/sets.json"),
        package_file("matching/packages.txt"),
    );
    let from = match from {
        Some(dir) => dir
            .canonicalize()
            .map_err(|e| format!("{}: {e}", dir.display()))?,
        None => PathBuf::from("-"),
    };
    let name = Path::new(&entry.name);
    let dir = setting.data(&format!("labelled-{}", entry.name), |dir| {
        python::help(setting, "labelled", &[&sets, &packages, name, &from, dir]).map(|_| ())
    })?;
    let rows: Vec<usize> = serde_json::from_slice(&fs::read(dir.join("rows.json"))?)?;
    let file = dir.join("truth");
    let (tables, truth): (&[&str], Truth) = match rows[..] {
        [left, right] => (
            &["left.csv", "right.csv"],
            Truth::of_links(&file, left, right)?,
        ),
        _ => (&["table.csv"], Truth::of_entities(&file)?),
    };
    Ok(Labelled {
        tables: tables.iter().map(|name| dir.join(name)).collect(),
        truth,
        rows,
    })
}
