//! Label files: read as frames are, so that each row has its line; written as CSV.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use mastic_catalog::MlTransform;
use mastic_find_matches::{KeptLabels, LABEL, LABELING_SET_ID, Labels, Transform};
use mastic_lake::LakeError;
use mastic_lake::format::{BadRecord, BadRecords};
use mastic_query::Session;
use mastic_query::frame::{FrameOptions, FrameSource};

use crate::error::{CliError, Result};

/// The column of lines.
const LINE: &str = "$line";

/// A row of a label file that cannot be read ends the reading.
#[derive(Debug)]
struct Strict;

impl BadRecords for Strict {
    fn set_aside(&self, record: BadRecord) -> mastic_lake::Result<()> {
        Err(LakeError::Data {
            file: record.file,
            line: record.line,
            column: record.column,
            message: record.reason,
        })
    }
}

/// A label file, all of whose values are text.
pub(super) async fn read(session: &Session, file: &Path) -> Result<Labels> {
    let source = FrameSource::Path {
        path: file.display().to_string(),
        format: None,
        options: std::collections::BTreeMap::new(),
    };
    let mut options = FrameOptions::new(Arc::new(Strict));
    let mut looked = session
        .find_choices(&source, &options)
        .await?
        .as_ref()
        .clone();
    let own = looked.fields.iter();
    let text = own.map(|f| Arc::new(Field::new(f.name(), DataType::Utf8, true)));
    looked.fields = text.collect();
    options.looked = Some(Arc::new(looked));
    let rows = session.frame(&source, &options).await?;
    let line = rows.schema().field_with_unqualified_name(LINE).is_ok();
    let name = file.file_name().map_or_else(
        || file.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    Ok(Labels {
        name,
        rows,
        line: line.then(|| LINE.to_owned()),
        partial: false,
    })
}

/// The labels that a transform keeps.
pub(super) fn kept(session: &Session, name: &str, transform: &Transform) -> Result<Labels> {
    match &transform.labels {
        Some(kept) => Ok(kept.labels(session.context(), &format!("the labels of {name}"))?),
        None => Err(without(name)),
    }
}

/// That a transform keeps no labels.
pub(super) fn without(name: &str) -> CliError {
    CliError::hinted(
        format!("transform {name} keeps no labels"),
        Some(format!(
            "give a label file with --labels, or add labels with mastic match label TABLE --transform {name}"
        )),
    )
}

/// Where labels are kept.
pub(super) enum Place<'a> {
    /// In a label file.
    File(&'a Path),
    /// With a transform.
    Transform(Box<(MlTransform, Transform)>),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(file) => write!(f, "{}", file.display()),
            Place::Transform(of) => write!(f, "transform {}", of.0.name),
        }
    }
}

impl Place<'_> {
    /// The labels that are there.
    pub(super) fn sheet(&self) -> Result<Option<Sheet>> {
        match self {
            Place::File(file) if !file.exists() => Ok(None),
            Place::File(file) => Ok(Some(Sheet::read(file)?)),
            Place::Transform(of) => Ok(of.1.labels.as_ref().map(|kept| Sheet {
                columns: kept.columns.clone(),
                rows: kept
                    .rows
                    .iter()
                    .map(|row| row.iter().map(|v| v.clone().unwrap_or_default()).collect())
                    .collect(),
            })),
        }
    }

    /// The labels that are there, to be tied to rows.
    pub(super) async fn labels(&self, session: &Session) -> Result<Labels> {
        match self {
            Place::File(file) => read(session, file).await,
            Place::Transform(of) => kept(session, &of.0.name, &of.1),
        }
    }

    /// Keeps these, and no others.
    pub(super) async fn write(&mut self, session: &Session, sheet: &Sheet) -> Result<()> {
        match self {
            Place::File(file) => sheet.write(file),
            Place::Transform(of) => {
                let (kept, learned) = of.as_mut();
                let value = |v: &String| (!v.is_empty()).then(|| v.clone());
                learned.labels = Some(KeptLabels {
                    columns: sheet.columns.clone(),
                    rows: sheet
                        .rows
                        .iter()
                        .map(|row| row.iter().map(value).collect())
                        .collect(),
                });
                kept.label_count = i64::try_from(learned.label_count()).unwrap_or(i64::MAX);
                kept.model = learned.to_value()?;
                session.catalog().put_transform(kept.clone(), true).await?;
                Ok(())
            }
        }
    }
}

/// A label file as it is written: its columns, and the rows.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Without rows.
    pub(super) fn new(columns: &[String]) -> Sheet {
        let own = [LABELING_SET_ID, LABEL].map(str::to_owned);
        Sheet {
            columns: own.iter().chain(columns).cloned().collect(),
            rows: Vec::new(),
        }
    }

    /// As it is in a file.
    pub(super) fn read(file: &Path) -> Result<Sheet> {
        let bad = |e: csv::Error| {
            CliError::failed(format!("cannot read the labels of {}: {e}", file.display()))
        };
        let mut reader = csv::Reader::from_path(file).map_err(bad)?;
        let columns: Vec<String> = reader
            .headers()
            .map_err(bad)?
            .iter()
            .map(str::to_owned)
            .collect();
        let sheet = Sheet {
            rows: reader
                .records()
                .map(|record| Ok(record.map_err(bad)?.iter().map(str::to_owned).collect()))
                .collect::<Result<_>>()?,
            columns,
        };
        for needed in [LABELING_SET_ID, LABEL] {
            if sheet.place(needed).is_none() {
                return Err(CliError::hinted(
                    format!("{} has no column '{needed}'", file.display()),
                    Some(format!(
                        "a label file has the columns {LABELING_SET_ID}, {LABEL}, and the table's"
                    )),
                ));
            }
        }
        Ok(sheet)
    }

    fn place(&self, column: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| c.eq_ignore_ascii_case(column))
    }

    /// A value of a row.
    pub(super) fn value<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let value = self.place(column).and_then(|at| row.get(at));
        value.map_or("", String::as_str)
    }

    /// The number of the next set.
    pub(super) fn next_set(&self) -> u64 {
        let sets = self.rows.iter();
        let numbers = sets.filter_map(|r| self.value(r, LABELING_SET_ID).parse::<u64>().ok());
        numbers.max().unwrap_or(0).saturating_add(1)
    }

    /// Adds a row of some columns' values; what the sheet has no column for is left out.
    pub(super) fn push(
        &mut self,
        set: &str,
        label: &str,
        columns: &[String],
        values: &[Option<String>],
    ) {
        let mut row = vec![String::new(); self.columns.len()];
        let own = [(LABELING_SET_ID, set), (LABEL, label)];
        let others = columns
            .iter()
            .zip(values)
            .map(|(c, v)| (c.as_str(), v.as_deref().unwrap_or_default()));
        for (column, value) in own.into_iter().chain(others) {
            if let Some(cell) = self.place(column).and_then(|at| row.get_mut(at)) {
                value.clone_into(cell);
            }
        }
        self.rows.push(row);
    }

    /// Writes it: all of it, or nothing.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let bad = |e: &dyn std::fmt::Display| {
            CliError::failed(format!("cannot write {}: {e}", file.display()))
        };
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut staged = tempfile::Builder::new()
            .prefix(".mastic-")
            .tempfile_in(folder)
            .map_err(|e| bad(&e))?;
        {
            let mut writer = csv::Writer::from_writer(staged.as_file_mut());
            writer.write_record(&self.columns).map_err(|e| bad(&e))?;
            for row in &self.rows {
                writer.write_record(row).map_err(|e| bad(&e))?;
            }
            writer.flush().map_err(|e| bad(&e))?;
        }
        staged.as_file().sync_all().map_err(|e| bad(&e))?;
        staged.persist(file).map_err(|e| bad(&e.error))?;
        Ok(())
    }
}
