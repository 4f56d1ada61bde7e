//! The storage descriptors that a table's partitions share: each different one is stored once.

use std::collections::HashMap;

use super::driver::{Tx, args};
use super::partitions::PartitionRow;
use crate::error::Result;

/// Digests asked for at once.
const DIGESTS_PER_LIST: usize = 500;

/// The storage descriptors of partitions that are to be written. They are collected first, and numbered together: what
/// a table has is looked up by digest, so that it costs nothing how many others it has.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    /// The place of each definition in `all`.
    places: HashMap<String, usize>,
    all: Vec<String>,
    /// Those that the table does not have yet.
    new: Vec<(i64, String)>,
}

impl Descriptors {
    /// The definition's place in the list; [`resolve`](Self::resolve) makes a descriptor's number of it.
    pub(super) fn place_of(&mut self, definition: String) -> i64 {
        let place = self.places.get(&definition).copied().unwrap_or_else(|| {
            self.all.push(definition.clone());
            self.places.insert(definition, self.all.len() - 1);
            self.all.len() - 1
        });
        place as i64
    }

    /// Gives each row the number of its descriptor instead of the place.
    pub(super) async fn resolve(
        &mut self,
        tx: &mut Tx,
        table_id: Option<i64>,
        rows: impl Iterator<Item = &mut PartitionRow> + Send,
    ) -> Result<()> {
        if self.all.is_empty() {
            return Ok(());
        }
        let (mut known, mut next) = (HashMap::new(), 1);
        if let Some(table_id) = table_id {
            fill_in_digests(tx, table_id).await?;
            next = highest(tx, table_id).await? + 1;
            known = self.known(tx, table_id).await?;
        }
        let mut ids = Vec::with_capacity(self.all.len());
        for definition in &self.all {
            ids.push(match known.get(definition) {
                Some(id) => *id,
                None => {
                    self.new.push((next, definition.clone()));
                    next += 1;
                    next - 1
                }
            });
        }
        for row in rows {
            row.descriptor = row
                .descriptor
                .and_then(|place| ids.get(usize::try_from(place).ok()?).copied());
        }
        Ok(())
    }

    /// Those of ours that the table has, with their numbers.
    async fn known(&self, tx: &mut Tx, table_id: i64) -> Result<HashMap<String, i64>> {
        let mut known = HashMap::new();
        for chunk in self.all.chunks(DIGESTS_PER_LIST) {
            let digests: Vec<String> = chunk.iter().map(|text| digest(text).to_string()).collect();
            let sql = format!(
                "SELECT definition, descriptor_id FROM descriptors WHERE table_id = $1 AND digest IN ({})",
                digests.join(", ")
            );
            let found = tx
                .rows(
                    "read the storage descriptors",
                    sql,
                    args![table_id],
                    |row| Ok((row.text(0)?, row.int(1)?)),
                )
                .await?;
            known.extend(found);
        }
        Ok(known)
    }

    /// Writes those that are new.
    pub(super) async fn save(&mut self, tx: &mut Tx, table_id: i64) -> Result<()> {
        for chunk in std::mem::take(&mut self.new).chunks(tx.dialect().rows_per_insert()) {
            let mut args = args![table_id];
            let mut rows = Vec::with_capacity(chunk.len());
            for (id, definition) in chunk {
                let at = args.len();
                rows.push(format!("($1, ${}, ${}, ${})", at + 1, at + 2, at + 3));
                args.extend(args![*id, definition.as_str(), digest(definition)]);
            }
            let sql = format!(
                "INSERT INTO descriptors (table_id, descriptor_id, definition, digest) VALUES {}",
                rows.join(", ")
            );
            tx.execute("write the storage descriptors", sql, args)
                .await?;
        }
        Ok(())
    }
}

/// The highest number of a table's descriptors; 0 if it has none.
async fn highest(tx: &mut Tx, table_id: i64) -> Result<i64> {
    let highest = tx
        .row(
            "number the storage descriptors",
            "SELECT COALESCE(MAX(descriptor_id), 0) FROM descriptors WHERE table_id = $1",
            args![table_id],
            |row| Ok(row.int(0)?),
        )
        .await?;
    Ok(highest.unwrap_or(0))
}

/// Descriptors written before there were digests get theirs, once.
async fn fill_in_digests(tx: &mut Tx, table_id: i64) -> Result<()> {
    let action = "number the storage descriptors";
    let without = tx
        .rows(
            action,
            "SELECT descriptor_id, definition FROM descriptors WHERE table_id = $1 AND digest IS NULL",
            args![table_id],
            |row| Ok((row.int(0)?, row.text(1)?)),
        )
        .await?;
    for (id, definition) in without {
        tx.execute(
            action,
            "UPDATE descriptors SET digest = $1 WHERE table_id = $2 AND descriptor_id = $3",
            args![digest(&definition), table_id, id],
        )
        .await?;
    }
    Ok(())
}

/// What a definition is found by.
fn digest(definition: &str) -> i64 {
    super::fnv1a(definition.bytes())
}
