//! Files become tables: which folders belong together.
//!
//! Glue's rule: folders are partitions of one table where their files have one format and their
//! schemas are similar, more than 70 %, with at most five distinct ones; else each is a table of
//! its own ("How does the AWS Glue crawler detect the schema?", AWS re:Post). Folders that are
//! named `key=value` or as parts of a date say themselves that they are partitions: there, one
//! format is enough. Files of several kinds in one folder are told apart by the same similarity.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, Fields};
use mastic_lake::format::{CsvOptions, FileFormat};
use mastic_lake::store::Location;
use mastic_schema::merge::{Disagreement, position, widen_fields};
use mastic_schema::similarity::similarity;

use crate::levels::{Level, level, value_of};
use crate::survey::SeenFile;

/// Glue's threshold of similarity between partitions.
const SIMILAR: f64 = 0.7;
/// Glue's bound on the distinct schemas of one table.
const MAX_SCHEMAS: usize = 5;

/// A table in the making.
#[derive(Debug)]
pub(crate) struct Found {
    /// What the table is to be called, before names are normalised.
    pub(crate) name: String,
    /// The folder that the table is, or its one file.
    pub(crate) location: Location,
    /// The levels of folders between the table and its files.
    pub(crate) levels: Vec<Level>,
    /// The files, with the names of the folders on each level.
    pub(crate) files: Vec<(SeenFile, Vec<String>)>,
    /// The format of the first file, with the null markers of all.
    pub(crate) format: FileFormat,
    /// All columns, widened.
    pub(crate) fields: Fields,
    /// Where files disagreed.
    pub(crate) disagreements: Vec<(String, Disagreement)>,
    /// Globs for file names, where the folder holds other tables' files too.
    pub(crate) include: BTreeSet<String>,
    /// Why these files are one table.
    pub(crate) why: Vec<String>,
    schemas: Vec<Fields>,
}

/// Whether two files can be read in the same way.
fn same_dialect(a: &FileFormat, b: &FileFormat) -> bool {
    match (a, b) {
        (FileFormat::Csv(a), FileFormat::Csv(b)) => {
            let plain = |o: &CsvOptions| CsvOptions {
                null_markers: Vec::new(),
                ..o.clone()
            };
            plain(a) == plain(b)
        }
        _ => a == b,
    }
}

/// Whether two schemas may be one table's: similar by Glue's rule, or the one is the other with
/// columns added.
fn alike(a: &Fields, b: &Fields) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let grown = few.len() * 2 >= many.len()
        && few.iter().all(|field| {
            position(many, field.name()).is_some_and(|at| {
                let (x, y) = (field.data_type(), many[at].data_type());
                x == y
                    || *x == DataType::Null
                    || *y == DataType::Null
                    || x.is_numeric() && y.is_numeric()
            })
        });
    grown || similarity(a, b) > SIMILAR
}

fn same_kind(a: &FileFormat, b: &FileFormat) -> bool {
    a.classification() == b.classification()
}

fn merge_format(into: &mut FileFormat, other: &FileFormat) {
    if let (FileFormat::Csv(a), FileFormat::Csv(b)) = (into, other) {
        for marker in &b.null_markers {
            if !a.null_markers.contains(marker) {
                a.null_markers.push(marker.clone());
            }
        }
        a.null_markers.sort();
    }
}

impl Found {
    fn of(location: &Location, name: &str, file: SeenFile) -> Found {
        Found {
            name: name.to_owned(),
            location: location.clone(),
            levels: Vec::new(),
            format: file.format.clone(),
            fields: file.fields.clone(),
            schemas: vec![file.fields.clone()],
            files: vec![(file, Vec::new())],
            disagreements: Vec::new(),
            include: BTreeSet::new(),
            why: Vec::new(),
        }
    }

    fn widen(&mut self, url: &str, fields: &Fields) {
        if self.fields == *fields {
            return;
        }
        let told = &mut self.disagreements;
        self.fields = widen_fields(&self.fields, fields, &mut |d| {
            if !told
                .iter()
                .any(|(_, known)| known.path == d.path && known.right == d.right)
            {
                told.push((url.to_owned(), d));
            }
        });
    }

    fn absorb(&mut self, other: Found) {
        if self.include.is_empty() != other.include.is_empty() {
            // The one side takes every file of its folders, the other only some: name them all.
            let open = if self.include.is_empty() {
                &self.files
            } else {
                &other.files
            };
            let names: Vec<String> = open.iter().map(|(f, _)| f.name.clone()).collect();
            self.include.extend(names);
        }
        merge_format(&mut self.format, &other.format);
        let url = other
            .files
            .first()
            .map_or("", |(f, _)| f.url.as_str())
            .to_owned();
        self.widen(&url, &other.fields);
        self.disagreements.extend(other.disagreements);
        for schema in other.schemas {
            if !self.schemas.contains(&schema) {
                self.schemas.push(schema);
            }
        }
        self.files.extend(other.files);
        self.include.extend(other.include);
    }
}

#[derive(Default)]
struct Folder {
    files: Vec<SeenFile>,
    folders: BTreeMap<String, Folder>,
}

/// The tables below a target.
pub(crate) fn tables(root: &Location, files: Vec<SeenFile>) -> Vec<Found> {
    let mut tree = Folder::default();
    for file in files {
        let mut at = &mut tree;
        for folder in &file.folders {
            at = at.folders.entry(folder.clone()).or_default();
        }
        at.files.push(file);
    }
    // Of `s3://lake` the bucket is the name.
    let name = root
        .url
        .rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or("root")
        .to_owned();
    let mut found = folder(root, &name, tree, None);
    for table in &mut found {
        finish(table);
    }
    found
}

fn finish(table: &mut Found) {
    let count = table.files.len();
    let files = if count == 1 {
        "1 file".to_owned()
    } else {
        format!("{count} files")
    };
    let schemas = match table.schemas.len() {
        1 => "one schema".to_owned(),
        n => format!("{n} schemas that were widened into one"),
    };
    table.why.insert(0, format!("{files} with {schemas}"));
}

fn folder(location: &Location, name: &str, tree: Folder, above: Option<&Level>) -> Vec<Found> {
    let alone = tree.folders.is_empty();
    let mut found = files(location, name, tree.files, alone);
    if tree.folders.is_empty() {
        return found;
    }
    let kind = level(tree.folders.keys().map(String::as_str), above);
    let children: Vec<(String, Vec<Found>)> = tree
        .folders
        .into_iter()
        .map(|(child, tree)| {
            let place = location.child(&child);
            let tables = folder(&place, &child, tree, Some(&kind));
            (child, tables)
        })
        .collect();
    match kind {
        Level::Other => found.extend(others(location, name, children)),
        _ => found.extend(partitions(location, name, &kind, children)),
    }
    found
}

/// The files of one folder, told apart by format and schema.
fn files(location: &Location, folder: &str, files: Vec<SeenFile>, alone: bool) -> Vec<Found> {
    let mut groups: Vec<Found> = Vec::new();
    for file in files {
        let twin = groups.iter_mut().find(|group| {
            same_dialect(&group.format, &file.format) && alike(&group.fields, &file.fields)
        });
        match twin {
            Some(group) => group.absorb(Found::of(location, folder, file)),
            None => groups.push(Found::of(location, folder, file)),
        }
    }
    if groups.len() <= 1 && alone {
        return groups;
    }
    let names: Vec<Vec<String>> = groups
        .iter()
        .map(|g| g.files.iter().map(|(f, _)| f.name.clone()).collect())
        .collect();
    let several = groups.len() > 1;
    for (i, group) in groups.iter_mut().enumerate() {
        let others: Vec<&String> = names
            .iter()
            .enumerate()
            .filter(|(j, _)| *j != i)
            .flat_map(|(_, names)| names)
            .collect();
        group.name = stem(&names[i]).unwrap_or_else(|| folder.to_owned());
        group.include = patterns(&names[i], &others);
        group.why.push(if several {
            "its folder holds files of several formats or schemas, which became a table each".into()
        } else {
            "its files lie beside folders, and only folders become partitions".into()
        });
    }
    groups
}

/// What the names of a group's files begin with: `orders` of `orders_2019.csv`, `orders_2020.csv`.
fn stem(names: &[String]) -> Option<String> {
    let bases: Vec<&str> = names
        .iter()
        .map(|n| n.split('.').next().unwrap_or(n))
        .collect();
    let first = bases.first()?;
    let shared = bases.iter().skip(1).fold(first.len(), |length, other| {
        first
            .char_indices()
            .zip(other.chars())
            .take_while(|((_, a), b)| a == b)
            .last()
            .map_or(0, |((i, a), _)| i + a.len_utf8())
            .min(length)
    });
    let stem = &first[..shared];
    let stem = if names.len() > 1 {
        stem.trim_end_matches(|c: char| !c.is_alphabetic())
    } else {
        stem
    };
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// Globs that let these names in and none of the others.
fn patterns(names: &[String], others: &[&String]) -> BTreeSet<String> {
    let exact: BTreeSet<String> = names.iter().cloned().collect();
    if names.len() < 2 {
        return exact;
    }
    let endings: BTreeSet<&str> = names
        .iter()
        .map(|n| n.find('.').map_or("", |dot| &n[dot..]))
        .collect();
    let (Some(stem), 1) = (stem(names), endings.len()) else {
        return exact;
    };
    let ending = endings.first().copied().unwrap_or_default();
    let glob: BTreeSet<String> = [format!("{stem}*{ending}")].into();
    if others
        .iter()
        .any(|name| mastic_lake::list::fits(name, &glob))
    {
        exact
    } else {
        glob
    }
}

/// Folders that call themselves partitions: tables of the same format in all of them are one.
fn partitions(
    location: &Location,
    name: &str,
    kind: &Level,
    children: Vec<(String, Vec<Found>)>,
) -> Vec<Found> {
    let single = children.iter().all(|(_, tables)| tables.len() <= 1);
    let mut merged: Vec<Found> = Vec::new();
    for (child, tables) in children {
        for mut table in tables {
            if table.name == child {
                // `year=2022` is a partition's name; the folder above is the table's.
                name.clone_into(&mut table.name);
            }
            lift(&mut table, location, kind, &child);
            let twin = merged.iter_mut().find(|other| {
                other.levels == table.levels
                    && same_kind(&other.format, &table.format)
                    && (single || alike(&other.fields, &table.fields))
            });
            match twin {
                Some(other) => other.absorb(table),
                None => merged.push(table),
            }
        }
    }
    let count = merged.len();
    for table in &mut merged {
        if count == 1 || table.include.is_empty() {
            name.clone_into(&mut table.name);
        }
        let why = match kind {
            Level::Hive(key) => format!("folders named {key}=… are partitions"),
            Level::Date(part) => format!("folders named as {}s are partitions", part.name()),
            Level::Other => continue,
        };
        if !table.why.contains(&why) {
            table.why.insert(0, why);
        }
    }
    merged
}

/// Moves a table up to the folder above its own, which thereby becomes a level.
fn lift(table: &mut Found, location: &Location, kind: &Level, child: &str) {
    table.location = location.clone();
    table.levels.insert(0, kind.clone());
    for (_, values) in &mut table.files {
        values.insert(0, value_of(kind, child));
    }
}

/// Folders that say nothing of themselves: Glue's rule.
fn others(location: &Location, name: &str, children: Vec<(String, Vec<Found>)>) -> Vec<Found> {
    let mut all = children.iter().flat_map(|(_, tables)| tables);
    let similar = children.len() > 1
        && children.iter().all(|(_, tables)| tables.len() == 1)
        && all.next().is_some_and(|first| {
            let mut schemas = first.schemas.clone();
            all.all(|other| {
                for schema in &other.schemas {
                    if !schemas.contains(schema) {
                        schemas.push(schema.clone());
                    }
                }
                same_dialect(&first.format, &other.format)
                    && first.levels == other.levels
                    && similarity(&first.fields, &other.fields) > SIMILAR
                    && schemas.len() <= MAX_SCHEMAS
            })
        });
    if !similar {
        return children
            .into_iter()
            .flat_map(|(_, tables)| tables)
            .collect();
    }
    let count = children.len();
    let mut tables = children
        .into_iter()
        .flat_map(|(child, tables)| tables.into_iter().map(move |table| (child.clone(), table)));
    let Some((child, mut merged)) = tables.next() else {
        return Vec::new();
    };
    lift(&mut merged, location, &Level::Other, &child);
    for (child, mut table) in tables {
        lift(&mut table, location, &Level::Other, &child);
        merged.absorb(table);
    }
    merged.name = name.to_owned();
    merged.why.insert(
        0,
        format!("{count} folders with similar schemas (more than 70 %, at most 5 distinct) are partitions"),
    );
    vec![merged]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_share_stems_and_globs() {
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let orders = names(&["orders_2019.csv", "orders_2020.csv"]);
        assert_eq!(stem(&orders), Some("orders".into()));
        let stores = "stores.csv".to_owned();
        assert_eq!(
            patterns(&orders, &[&stores]),
            BTreeSet::from(["orders*.csv".to_owned()])
        );
        let clash = "orders_extra.csv".to_owned();
        assert_eq!(patterns(&orders, &[&clash]).len(), 2);
        assert_eq!(stem(&names(&["stores.csv"])), Some("stores".into()));
        assert_eq!(stem(&names(&["2019.csv", "2020.csv"])), None);
    }
}
