//! The columns of records, and of the objects within them.

use std::collections::HashMap;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::Fields;
use arrow::error::ArrowError;

use super::{Column, Misfit, Reading};
use crate::format::json::parse::Parser;

/// The columns of a record, or of a struct in it. Keys are bound to fields by name: the same case
/// first, then any case.
pub(in crate::format) struct StructColumn {
    fields: Fields,
    columns: Vec<Column>,
    /// By key: the column it belongs to, `None` for fields that are not wanted.
    binding: HashMap<String, Option<usize>>,
    /// The same by the key in lower case; of several the first.
    lower: HashMap<String, Option<usize>>,
    /// The keys of the last record in their order, with what they are bound to.
    order: Vec<Key>,
    /// In which record each column was last filled.
    filled: Vec<u64>,
    record: u64,
    validity: NullBufferBuilder,
    reading: Reading,
}

/// A key that a record had.
struct Key {
    /// As it stands in a record, in quotes.
    quoted: Box<[u8]>,
    name: Box<str>,
    bound: Option<usize>,
}

impl Key {
    fn of(name: &str, bound: Option<usize>) -> Key {
        Key {
            quoted: format!("\"{name}\"").into_bytes().into(),
            name: name.into(),
            bound,
        }
    }
}

/// What the column of a key is called: a key of blanks alone would leave it without a name.
pub(in crate::format) fn named(key: &str) -> &str {
    match key.trim() {
        "" => "_",
        _ => key,
    }
}

impl StructColumn {
    /// Columns for the fields numbered in `wanted`; keys are bound with regard to all of them.
    pub(in crate::format) fn new(
        all: &Fields,
        wanted: &[usize],
        reading: Reading,
    ) -> Result<StructColumn, Misfit> {
        let mut binding = HashMap::with_capacity(all.len());
        let mut lower = HashMap::with_capacity(all.len());
        for (i, field) in all.iter().enumerate() {
            let column = wanted.iter().position(|w| *w == i);
            binding.insert(field.name().clone(), column);
            lower.entry(field.name().to_lowercase()).or_insert(column);
        }
        let fields: Fields = wanted.iter().map(|i| all[*i].clone()).collect();
        let columns = fields
            .iter()
            .map(|f| Column::new(f.data_type(), reading))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(StructColumn {
            filled: vec![0; columns.len()],
            fields,
            columns,
            binding,
            lower,
            order: Vec::new(),
            record: 0,
            validity: NullBufferBuilder::new(0),
            reading,
        })
    }

    /// Keys of these names are passed over: they are known, and no column has them.
    pub(in crate::format) fn pass_over(&mut self, names: &[String]) {
        for name in names {
            self.lower.entry(name.to_lowercase()).or_insert(None);
        }
    }

    /// How many records were appended since the last finish.
    pub(in crate::format) fn len(&self) -> usize {
        self.validity.len()
    }

    /// The column of a key, `None` where none is wanted.
    ///
    /// # Errors
    /// [`Misfit::Key`] where no column is known for it, and that is odd.
    fn bind(&mut self, position: usize, key: &str) -> Result<Option<usize>, Misfit> {
        if let Some(known) = self.order.get(position)
            && *known.name == *key
        {
            return Ok(known.bound);
        }
        let name = named(key);
        let known = self.binding.get(name).copied();
        // Columns have the names of keys without the blanks around them.
        let known = known.or_else(|| self.lower.get(&name.trim().to_lowercase()).copied());
        if known.is_none() && self.reading.keys {
            return Err(Misfit::Key {
                path: key.to_owned(),
            });
        }
        let bound = known.flatten();
        self.order.truncate(position);
        if self.order.len() == position {
            self.order.push(Key::of(key, bound));
        }
        Ok(bound)
    }

    /// Appends the object whose opening brace was just read.
    pub(in crate::format) fn append_object(
        &mut self,
        parser: &mut Parser<'_>,
    ) -> Result<(), Misfit> {
        self.record += 1;
        let mut first = true;
        let mut position = 0;
        let mut filled = 0;
        loop {
            // Records mostly have the same keys in the same order, and those without escapes.
            let expected = self.order.get(position);
            let bound = match expected.filter(|key| parser.key_is(&mut first, &key.quoted)) {
                Some(key) => key.bound,
                None => match parser.key(&mut first)? {
                    Some(key) => self.bind(position, &key)?,
                    None => break,
                },
            };
            match bound {
                None => parser.skip()?,
                Some(i) if self.filled[i] == self.record => {
                    let key = self.order.get(position).map_or("", |key| &key.name);
                    return Err(Misfit::Json(
                        parser.problem(format!("the key '{key}' is there twice")),
                    ));
                }
                Some(i) => {
                    if let Err(misfit) = self.columns[i].append_json(parser) {
                        return Err(self.misfit(i, position, parser, misfit));
                    }
                    self.filled[i] = self.record;
                    filled += 1;
                }
            }
            position += 1;
        }
        if filled < self.columns.len() {
            for (column, filled) in self.columns.iter_mut().zip(&self.filled) {
                if *filled != self.record {
                    column.append_null();
                }
            }
        }
        self.validity.append_non_null();
        Ok(())
    }

    fn misfit(&self, at: usize, position: usize, parser: &Parser<'_>, misfit: Misfit) -> Misfit {
        match misfit {
            Misfit::Value { .. } if self.reading.frame => misfit.within(self.fields[at].name()),
            Misfit::Key { .. } => misfit.within(self.fields[at].name()),
            Misfit::Value { wanted, found, .. } => {
                let key = self.order.get(position).map_or("", |key| &key.name);
                Misfit::Json(parser.problem(format!("{found} in field '{key}' is no {wanted}")))
            }
            other => other,
        }
    }

    pub(super) fn append_null(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.validity.append_null();
    }

    pub(super) fn longest(&self) -> usize {
        let longest = self.columns.iter().map(Column::longest).max();
        longest.unwrap_or_default().max(self.len())
    }

    /// See [`Column::level`].
    pub(in crate::format) fn level(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.level(rows);
        }
        self.validity
            .append_n_nulls(rows.saturating_sub(self.validity.len()));
    }

    pub(super) fn finish(&mut self) -> Result<StructArray, ArrowError> {
        let length = self.len();
        let arrays = self.take_columns()?;
        StructArray::try_new_with_length(
            self.fields.clone(),
            arrays,
            self.validity.finish(),
            length,
        )
    }

    fn take_columns(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns.iter_mut().map(Column::finish).collect()
    }

    /// The records appended so far, as columns, and how many they are.
    pub(in crate::format) fn finish_records(
        &mut self,
    ) -> Result<(Vec<ArrayRef>, usize), ArrowError> {
        let length = self.len();
        let columns = self.take_columns()?;
        self.validity.finish();
        Ok((columns, length))
    }
}
