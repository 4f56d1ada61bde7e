//! A table in the making: folders whose files belong together, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Fields};
use mastic_lake::format::FileFormat;
use mastic_schema::choice::choose_fields;
use mastic_schema::merge::{Disagreement, position, widen, widen_fields};
use mastic_schema::similarity::similarity;

use crate::facts::{Evidence, ShapeId, Shapes};
use crate::levels::Level;
use crate::memory::fnv;

/// Glue's threshold of similarity between folders.
pub(crate) const SIMILAR: f64 = 0.7;
/// Glue's bound on the distinct schemas of one table.
pub(crate) const MAX_SCHEMAS: usize = 5;
/// How many disagreements between files are told.
const TOLD: usize = 100;
/// How many distinct schemas are counted.
const COUNTED: usize = 1000;

/// The files of one folder that belong to a table.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The folder, relative to the target.
    pub(crate) folder: Box<str>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// A hash of the files' names, sizes and times.
    pub(crate) print: u64,
    /// What the first file looks like.
    pub(crate) shape: ShapeId,
    /// What others look like, where they differ from the first.
    pub(crate) others: Vec<ShapeId>,
    /// Globs for the names of its files, where the folder holds other tables' files, too.
    pub(crate) include: Option<Arc<BTreeSet<String>>>,
    /// The path within the store of its file, where it is one among other tables'.
    pub(crate) only: Option<Box<str>>,
}

impl Part {
    /// A hash of the files, and of what tells them from others in their folder.
    pub(crate) fn mark(&self) -> u64 {
        let globs = self.include.iter().flat_map(|globs| globs.iter());
        let globs = globs.flat_map(|glob| glob.bytes().chain([0]));
        match &self.include {
            None => self.print,
            Some(_) => self.print.wrapping_add(fnv(globs)),
        }
    }
}

/// A table in the making.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What the table is to be called, before names are normalised.
    pub(crate) name: String,
    /// Whether the name is that of its files, and not of its folder.
    pub(crate) named: bool,
    /// Its folder, relative to the target.
    pub(crate) folder: String,
    /// The first of its files, by its path within the store.
    pub(crate) first: String,
    /// The levels of folders between the table and its files.
    pub(crate) levels: Vec<Level>,
    /// Which of the folders below the target each level is.
    pub(crate) depths: Vec<usize>,
    /// Its folders.
    pub(crate) parts: Vec<Part>,
    /// The format of the first file, with what the others add to it.
    pub(crate) format: FileFormat,
    /// All columns, widened.
    pub(crate) fields: Fields,
    /// All columns, chosen and not widened, where those are others.
    pub(crate) choices: Option<Fields>,
    /// What its files look like.
    pub(crate) shapes: BTreeSet<ShapeId>,
    /// The distinct schemas of its files.
    pub(crate) schemas: Vec<Fields>,
    /// How its files are compressed.
    pub(crate) compressions: BTreeSet<String>,
    /// Null markers of columns that hold nothing else in some file.
    pub(crate) lone_markers: BTreeSet<(String, String)>,
    /// Columns at odds with themselves, each with the first file that has them so.
    pub(crate) evidence: BTreeMap<String, (String, Evidence)>,
    /// Where files disagree, with the file that differs from those before it.
    pub(crate) disagreements: Vec<(String, Disagreement)>,
    /// Whether a column repeats the value of the folder of a depth, where files tell.
    pub(crate) repeats: BTreeMap<(String, usize), bool>,
    /// Why the format is what it is.
    pub(crate) reason: String,
    /// Why these files are one table.
    pub(crate) why: Vec<String>,
}

/// Whether two files can be read with one table's options.
pub(crate) fn same_dialect(a: &FileFormat, b: &FileFormat) -> bool {
    match (a, b) {
        (FileFormat::Csv(a), FileFormat::Csv(b)) => a.same_dialect(b),
        _ => a == b,
    }
}

/// Whether two files are of one format, in whatever dialect.
pub(crate) fn same_kind(a: &FileFormat, b: &FileFormat) -> bool {
    match (a, b) {
        // A log and another log have nothing in common but that they are logs.
        (FileFormat::Grok(_), FileFormat::Grok(_))
        | (FileFormat::Json(_), FileFormat::Json(_))
        | (FileFormat::Xml(_), FileFormat::Xml(_)) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Whether two schemas may be one table's: similar by Glue's rule, or the one is the other with
/// columns added.
pub(crate) fn alike(a: &Fields, b: &Fields) -> bool {
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

/// Whether two schemas may be one table's where the files' names say that they are.
pub(crate) fn akin(a: &Fields, b: &Fields) -> bool {
    let shared = a.iter().filter(|f| position(b, f.name()).is_some()).count();
    shared * 2 >= a.len().min(b.len()).max(1)
}

/// Files without a header are read by position: where the others have one, and as many columns of fitting
/// types, theirs are the names.
fn bind_by_position(a: &mut Found, b: &mut Found) {
    let (FileFormat::Csv(x), FileFormat::Csv(y)) = (&a.format, &b.format) else {
        return;
    };
    let (headed, bare) = match (x.header, y.header) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return,
    };
    let fits = |(x, y): (&FieldRef, &FieldRef)| {
        let (x, y) = (x.data_type(), y.data_type());
        x == y || *x == DataType::Null || *y == DataType::Null || widen(x, y) != DataType::Utf8
    };
    if headed.fields.len() == bare.fields.len() && headed.fields.iter().zip(&bare.fields).all(fits)
    {
        let renamed = |fields: &Fields| -> Fields {
            fields
                .iter()
                .zip(&headed.fields)
                .map(|(field, named)| Arc::new(field.as_ref().clone().with_name(named.name())))
                .collect()
        };
        bare.choices = bare.choices.as_ref().map(&renamed);
        bare.fields = renamed(&bare.fields);
        headed.why.push(
            "files without a header are bound by position to the columns of those with one".into(),
        );
        bare.format = headed.format.clone();
    }
}

fn merge_format(into: &mut FileFormat, other: &FileFormat) {
    if let (FileFormat::Csv(a), FileFormat::Csv(b)) = (into, other) {
        a.merge(b);
    }
}

impl Found {
    /// A table of files of one shape in one folder.
    pub(crate) fn of(
        folder: &str,
        name: &str,
        first: &str,
        part: Part,
        shapes: &Shapes,
    ) -> Option<Found> {
        let shape = shapes.get(part.shape)?;
        Some(Found {
            name: name.to_owned(),
            named: false,
            folder: folder.to_owned(),
            first: first.to_owned(),
            levels: Vec::new(),
            depths: Vec::new(),
            format: shape.format.clone(),
            fields: shape.fields.clone(),
            choices: shape.choices.clone(),
            shapes: [part.shape].into(),
            schemas: vec![shape.fields.clone()],
            compressions: [shape.compression.clone()].into(),
            lone_markers: shape.lone_markers.iter().cloned().collect(),
            parts: vec![part],
            evidence: BTreeMap::new(),
            disagreements: Vec::new(),
            repeats: BTreeMap::new(),
            reason: shape.reason.clone(),
            why: Vec::new(),
        })
    }

    /// All columns, chosen and not widened: what a dynamic frame reads.
    pub(crate) fn chosen(&self) -> &Fields {
        self.choices.as_ref().unwrap_or(&self.fields)
    }

    pub(crate) fn files(&self) -> u64 {
        self.parts.iter().map(|p| p.files).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes).sum()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|p| p.rows).sum()
    }

    /// Moves the table up to the folder above its own, which thereby becomes a level.
    pub(crate) fn lift(&mut self, folder: &str, level: &Level) {
        folder.clone_into(&mut self.folder);
        self.levels.insert(0, level.clone());
        self.depths.insert(0, depth(folder));
    }

    /// Takes the files of another table as its own.
    pub(crate) fn absorb(&mut self, mut other: Found) {
        bind_by_position(self, &mut other);
        merge_format(&mut self.format, &other.format);
        let chosen = (self.fields != other.fields || self.choices != other.choices)
            .then(|| choose_fields(self.chosen(), other.chosen()));
        if self.fields != other.fields {
            let told = &mut self.disagreements;
            self.fields = widen_fields(&self.fields, &other.fields, &mut |d| {
                let new = !told
                    .iter()
                    .any(|(_, known)| known.path == d.path && known.right == d.right);
                if new && told.len() < TOLD {
                    told.push((other.first.clone(), d));
                }
            });
        }
        if let Some(chosen) = chosen {
            self.choices = (chosen != self.fields).then_some(chosen);
        }
        let room = TOLD.saturating_sub(self.disagreements.len());
        self.disagreements
            .extend(other.disagreements.into_iter().take(room));
        self.shapes.extend(other.shapes);
        for schema in other.schemas {
            if self.schemas.len() < COUNTED && !self.schemas.contains(&schema) {
                self.schemas.push(schema);
            }
        }
        self.compressions.extend(other.compressions);
        self.lone_markers.extend(other.lone_markers);
        for (column, seen) in other.evidence {
            self.evidence.entry(column).or_insert(seen);
        }
        for (key, same) in other.repeats {
            *self.repeats.entry(key).or_insert(true) &= same;
        }
        if other.parts.len() > self.parts.len() {
            std::mem::swap(&mut self.parts, &mut other.parts);
        }
        self.parts.append(&mut other.parts);
        for why in other.why {
            if !self.why.contains(&why) {
                self.why.push(why);
            }
        }
    }

    /// Joins parts that are the same folder's: files of several shapes that are one table's.
    pub(crate) fn join_parts(&mut self) {
        self.parts.sort_by(|a, b| a.folder.cmp(&b.folder));
        let mut joined: Vec<Part> = Vec::with_capacity(self.parts.len());
        for part in self.parts.drain(..) {
            match joined.last_mut() {
                Some(last) if last.folder == part.folder => {
                    last.files += part.files;
                    last.bytes += part.bytes;
                    last.rows += part.rows;
                    last.print = last.print.wrapping_add(part.print);
                    for shape in part.others.into_iter().chain([part.shape]) {
                        if shape != last.shape && !last.others.contains(&shape) {
                            last.others.push(shape);
                        }
                    }
                    last.only = None;
                    last.include = match (&last.include, &part.include) {
                        (Some(a), Some(b)) => Some(Arc::new(a.union(b).cloned().collect())),
                        _ => None,
                    };
                }
                _ => joined.push(part),
            }
        }
        self.parts = joined;
    }

    /// The tables that were folded into this one, each in a folder of its own.
    pub(crate) fn split(self) -> Vec<Found> {
        let depth = depth(&self.folder);
        let mut by_folder: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        let mut rest = self;
        for part in std::mem::take(&mut rest.parts) {
            let end = part
                .folder
                .match_indices('/')
                .nth(depth.saturating_sub(1))
                .map_or(part.folder.len(), |(at, _)| at);
            let folder = part.folder[..end].to_owned();
            by_folder.entry(folder).or_default().push(part);
        }
        by_folder
            .into_iter()
            .map(|(folder, parts)| {
                let within = |path: &str| path.contains(&format!("{folder}/"));
                let mut own = rest.clone();
                own.evidence.retain(|_, (path, _)| within(path));
                own.disagreements.retain(|(path, _)| within(path));
                own.parts = parts;
                if !own.named {
                    let name = folder.rsplit('/').next().unwrap_or(&folder);
                    name.clone_into(&mut own.name);
                }
                own.folder = folder;
                own
            })
            .collect()
    }
}

/// How many folders a path has.
pub(crate) fn depth(folder: &str) -> usize {
    if folder.is_empty() {
        0
    } else {
        folder.split('/').count()
    }
}
