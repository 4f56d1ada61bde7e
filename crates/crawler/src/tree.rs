//! The folders of a listing, each made into tables as soon as the listing has left it.
//!
//! A listing comes folder by folder. So only the folders that the last file lies in are open; of all
//! others there is left what their tables have in common. Folders that look the same (a thousand
//! partitions) are folded into one as they come, and are told apart again only where it turns out that
//! each is a table of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::facts::{Evidence, Fact, ShapeId, Shapes};
use crate::found::{Found, Part, depth};
use crate::group::{self, Rules};
use crate::levels::Level;
use crate::memory::Remembered;
use crate::names::{Names, family};

/// How many families of names are told apart in one folder.
const FAMILIES: usize = 1000;

/// Files of one shape and one family of names in a folder.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) shape: ShapeId,
    pub(crate) family: Option<String>,
    pub(crate) names: Names,
    /// The first file, by its path within the store.
    pub(crate) first: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) print: u64,
    pub(crate) evidence: BTreeMap<String, (String, Evidence)>,
    pub(crate) repeats: BTreeMap<(String, usize), bool>,
}

/// Folders of one level whose tables look the same, folded into one.
#[derive(Debug)]
pub(crate) struct Alike {
    pub(crate) level: Level,
    /// How many folders they are.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) name: String,
    pub(crate) tables: Vec<Found>,
}

/// What has to be the same for two folders to be folded: for each table how deep it lies, the levels, the
/// shapes, and the name where it has one of its own.
type Signature = (
    Level,
    Vec<(usize, Vec<usize>, Vec<Level>, Vec<ShapeId>, Option<String>)>,
);

/// A folder that the listing is in.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) name: String,
    /// The folder, relative to the target.
    pub(crate) path: String,
    /// The name of the folder above.
    pub(crate) above: String,
    /// How many folders are between the target and this one, itself counted.
    pub(crate) depth: usize,
    cells: BTreeMap<(ShapeId, Option<String>), Cell>,
    /// Files that are no data: no table must read them.
    pub(crate) bad: Names,
    pub(crate) children: Vec<Alike>,
    index: HashMap<Signature, usize>,
}

impl Folder {
    pub(crate) fn level(&self) -> Level {
        Level::of(&self.name, &self.above)
    }

    pub(crate) fn take_cells(&mut self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = std::mem::take(&mut self.cells).into_values().collect();
        // By file, since names of shapes have no meaning.
        cells.sort_by(|a, b| a.first.cmp(&b.first));
        cells
    }

    fn add(&mut self, file: &Remembered, name: &str, fact: &Fact) {
        let family = match self.level() {
            // Names of files in partitions are the writer's business.
            Level::Other if self.cells.len() < FAMILIES => family(name),
            _ => None,
        };
        let cell = self
            .cells
            .entry((fact.shape, family.clone()))
            .or_insert_with(|| Cell {
                shape: fact.shape,
                family,
                names: Names::default(),
                first: file.path.clone(),
                files: 0,
                bytes: 0,
                rows: 0,
                print: 0,
                evidence: BTreeMap::new(),
                repeats: BTreeMap::new(),
            });
        cell.names.add(name);
        cell.files += 1;
        cell.bytes += file.size();
        cell.rows += fact.rows;
        cell.print = cell.print.wrapping_add(file.print(name));
        for seen in &fact.evidence {
            cell.evidence
                .entry(seen.column.clone())
                .or_insert_with(|| (file.path.clone(), seen.clone()));
        }
        for (column, depth, same) in &fact.repeats {
            *cell.repeats.entry((column.clone(), *depth)).or_insert(true) &= same;
        }
    }

    /// Takes the tables of a folder below this one.
    fn close(&mut self, level: Level, name: String, mut tables: Vec<Found>) {
        for table in &mut tables {
            // Below `year=2023/`, `orders/` is a name, and not a partition's.
            table.named |= depth(&table.folder) > self.depth + 1;
        }
        let signature: Signature = (
            level.clone(),
            tables
                .iter()
                .map(|t| {
                    let own = t.named.then(|| t.name.clone());
                    let shapes = t.shapes.iter().copied().collect();
                    (
                        depth(&t.folder),
                        t.depths.clone(),
                        t.levels.clone(),
                        shapes,
                        own,
                    )
                })
                .collect(),
        );
        if let Some(at) = self.index.get(&signature) {
            let alike = &mut self.children[*at];
            alike.count += 1;
            for (known, table) in alike.tables.iter_mut().zip(tables) {
                known.absorb(table);
            }
            return;
        }
        self.index.insert(signature, self.children.len());
        self.children.push(Alike {
            level,
            count: 1,
            name,
            tables,
        });
    }
}

/// The folders of one target.
pub(crate) struct Tree {
    shapes: Shapes,
    rules: Rules,
    /// How many bytes of a path are the target's.
    prefix: usize,
    open: Vec<Folder>,
}

impl Tree {
    /// A tree for the target with this path within its store. `name` is what it is called.
    pub(crate) fn new(path: &str, name: &str, shapes: Shapes, rules: Rules) -> Self {
        Tree {
            shapes,
            rules,
            prefix: if path.is_empty() { 0 } else { path.len() + 1 },
            open: vec![Folder {
                name: name.to_owned(),
                ..Folder::default()
            }],
        }
    }

    pub(crate) fn shapes(&mut self) -> &mut Shapes {
        &mut self.shapes
    }

    pub(crate) fn knows(&self, shape: ShapeId) -> bool {
        self.shapes.get(shape).is_some()
    }

    /// The names between the target and a file, the file's last. A target that is a file has only its own.
    fn folders_of<'p>(&self, path: &'p str) -> Vec<&'p str> {
        match path.get(self.prefix..) {
            Some(below) if !below.is_empty() => below.split('/').collect(),
            _ => vec![path.rsplit('/').next().unwrap_or(path)],
        }
    }

    /// Adds a file. Files come in the order of the listing.
    pub(crate) fn add(&mut self, file: &Remembered, fact: &Fact) {
        if let Some((folder, name)) = self.folder(&file.path) {
            folder.add(file, name, fact);
        }
    }

    /// Adds a file that is no data.
    pub(crate) fn add_bad(&mut self, path: &str) {
        if let Some((folder, name)) = self.folder(path) {
            folder.bad.add(name);
        }
    }

    /// The folder of a file, opened, and the file's name in it.
    fn folder<'p>(&mut self, path: &'p str) -> Option<(&mut Folder, &'p str)> {
        let parts = self.folders_of(path);
        let (name, folders) = parts.split_last()?;
        let shared = self.open[1..]
            .iter()
            .zip(folders)
            .take_while(|(open, folder)| open.name == **folder)
            .count();
        self.close_to(shared);
        for folder in &folders[shared..] {
            let above = self.open.last();
            let path = match above {
                Some(above) if !above.path.is_empty() => format!("{}/{folder}", above.path),
                _ => (*folder).to_owned(),
            };
            let above = above.map(|a| a.name.clone()).unwrap_or_default();
            self.open.push(Folder {
                name: (*folder).to_owned(),
                path,
                above,
                depth: self.open.len(),
                ..Folder::default()
            });
        }
        Some((self.open.last_mut()?, name))
    }

    /// Closes folders until so many below the target are open.
    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth + 1 {
            let Some(mut folder) = self.open.pop() else {
                return;
            };
            let tables = group::tables(&mut folder, &self.shapes, &self.rules);
            if let Some(above) = self.open.last_mut()
                && !tables.is_empty()
            {
                above.close(folder.level(), folder.name, tables);
            }
        }
    }

    /// The tables of the target.
    pub(crate) fn finish(mut self) -> (Vec<Found>, Shapes) {
        self.close_to(0);
        let mut found = match self.open.pop() {
            Some(mut folder) => group::tables(&mut folder, &self.shapes, &self.rules),
            None => Vec::new(),
        };
        for table in &mut found {
            table.join_parts();
            group::finish(table);
        }
        (found, self.shapes)
    }
}

/// Files of one shape in a folder, as a table.
pub(crate) fn table_of(folder: &Folder, cell: Cell, shapes: &Shapes) -> Option<(Found, Names)> {
    let part = Part {
        folder: folder.path.as_str().into(),
        files: cell.files,
        bytes: cell.bytes,
        rows: cell.rows,
        print: cell.print,
        shape: cell.shape,
        others: Vec::new(),
        include: None,
        only: None,
    };
    let mut found = Found::of(&folder.path, &folder.name, &cell.first, part, shapes)?;
    found.evidence = cell.evidence;
    found.repeats = cell.repeats;
    Some((found, cell.names))
}

/// Gives a table's parts globs for the names of its files.
pub(crate) fn include(found: &mut Found, globs: std::collections::BTreeSet<String>) {
    let globs = Arc::new(globs);
    for part in &mut found.parts {
        part.include = Some(globs.clone());
        if part.files == 1 {
            part.only = Some(found.first.as_str().into());
        }
    }
}
