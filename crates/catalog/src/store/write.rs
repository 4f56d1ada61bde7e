//! Applying a change set: one transaction, compare-and-swap by table.

use chrono::{DateTime, Utc};

use super::bookmarks;
use super::descriptors::Descriptors;
use super::driver::{Pool, Tx, args};
use super::lock::lock;
use super::lookup::{
    FoundTable, existing_database, find_table, now, table_at, table_not_found, time_text,
};
use super::partitions;
use super::plan::plan_partitions;
use super::prune::prune;
use super::runs;
use super::{
    Applied, AppliedDatabase, AppliedDefinition, AppliedRun, AppliedTable, Change, ChangeSet,
    DatabaseOutcome, DefinitionOutcome, Expected, PartitionChanges, TableOutcome, definitions,
    statistics,
};
use crate::error::{CatalogError, Result};
use crate::model::named::check_name;
use crate::model::{Database, MlTransform, RunState, Table, VersionId};

/// Names have at most this many characters (Glue API: `NameString`).
const MAX_NAME: usize = 255;

pub(super) async fn apply(pool: &Pool, mut changes: ChangeSet) -> Result<Applied> {
    for change in &mut changes.changes {
        normalize(change)?;
    }
    let mut tx = pool.begin_write().await?;
    lock(&mut tx, &changes.changes).await?;
    let mut work = Work {
        tx: &mut tx,
        by: &changes.by,
        keep_versions: changes.keep_versions,
        now: now(),
        applied: Applied::default(),
    };
    for change in changes.changes {
        work.make(change).await?;
    }
    let applied = work.applied;
    // Where nothing changed there is nothing to wait for the disk for.
    if applied.changed() {
        tx.commit().await?;
    }
    Ok(applied)
}

fn normalize(change: &mut Change) -> Result<()> {
    match change {
        Change::CreateDatabase { database, .. } | Change::UpdateDatabase { database } => {
            database.name = name_of("database", &database.name)?;
        }
        Change::DeleteDatabase { name, .. } => *name = name.to_lowercase(),
        Change::PutTable { table, .. } => {
            table.database_name = name_of("database", &table.database_name)?;
            table.name = name_of("table", &table.name)?;
        }
        Change::DeleteTable { database, name, .. }
        | Change::RestoreTable { database, name, .. } => {
            *database = database.to_lowercase();
            *name = name.to_lowercase();
        }
        Change::PutClassifier { .. }
        | Change::DeleteClassifier { .. }
        | Change::PutCrawler { .. }
        | Change::DeleteCrawler { .. }
        | Change::PutTransform { .. }
        | Change::DeleteTransform { .. } => definitions::check(change)?,
        Change::CommitBookmark {
            job,
            run_id,
            bookmark,
            ..
        } => bookmarks::check_planned(job, run_id, bookmark)?,
        Change::SettleCommit { run_id } => check_name("run", run_id)?,
        Change::FinishRun { run_id, outcome } => runs::check_outcome(run_id, outcome)?,
        Change::SetBookmark {
            job,
            source,
            position,
            ..
        } => bookmarks::check_position(job, source, position)?,
    }
    Ok(())
}

/// The name in lower case, if it is one (Glue API: `NameString`, folded to lower case for Hive).
fn name_of(what: &'static str, name: &str) -> Result<String> {
    let reason = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().count() > MAX_NAME {
        "it has more than 255 characters"
    } else if name.chars().any(char::is_control) {
        "it contains a control character"
    } else {
        return Ok(name.to_lowercase());
    };
    Err(CatalogError::InvalidName {
        what,
        name: name.to_owned(),
        reason,
    })
}

/// A change set under way.
struct Work<'a> {
    tx: &'a mut Tx,
    by: &'a str,
    keep_versions: u32,
    now: DateTime<Utc>,
    applied: Applied,
}

fn report_definition(
    applied: &mut Vec<AppliedDefinition>,
    name: String,
    outcome: DefinitionOutcome,
) {
    applied.push(AppliedDefinition { name, outcome });
}

impl Work<'_> {
    async fn make(&mut self, change: Change) -> Result<()> {
        match change {
            Change::CreateDatabase {
                database,
                if_not_exists,
            } => self.create_database(database, if_not_exists).await,
            Change::UpdateDatabase { database } => self.update_database(database).await,
            Change::DeleteDatabase { name, cascade } => self.delete_database(&name, cascade).await,
            Change::PutTable {
                table,
                expected,
                partitions,
            } => self.put_table(table, expected, partitions).await,
            Change::DeleteTable {
                database,
                name,
                expected,
            } => self.delete_table(&database, &name, expected).await,
            Change::RestoreTable {
                database,
                name,
                version,
                expected,
            } => {
                self.restore_table(&database, &name, version, expected)
                    .await
            }
            Change::PutClassifier {
                classifier,
                replace,
            } => {
                let name = classifier.name().to_owned();
                let outcome = definitions::put(self.tx, classifier, replace, self.now).await?;
                report_definition(&mut self.applied.classifiers, name, outcome);
                Ok(())
            }
            Change::DeleteClassifier { name } => {
                definitions::delete_classifier(self.tx, &name).await?;
                let applied = &mut self.applied.classifiers;
                report_definition(applied, name, DefinitionOutcome::Deleted);
                Ok(())
            }
            Change::PutCrawler { crawler, replace } => {
                let name = crawler.name.clone();
                let outcome = definitions::put_crawler(self.tx, crawler, replace, self.now).await?;
                report_definition(&mut self.applied.crawlers, name, outcome);
                Ok(())
            }
            Change::DeleteCrawler { name } => {
                definitions::delete_crawler(self.tx, &name).await?;
                let applied = &mut self.applied.crawlers;
                report_definition(applied, name, DefinitionOutcome::Deleted);
                Ok(())
            }
            Change::PutTransform { transform, replace } => {
                let name = transform.name.clone();
                let outcome = definitions::put(self.tx, *transform, replace, self.now).await?;
                report_definition(&mut self.applied.transforms, name, outcome);
                Ok(())
            }
            Change::DeleteTransform { name } => {
                definitions::delete::<MlTransform>(self.tx, &name).await?;
                let applied = &mut self.applied.transforms;
                report_definition(applied, name, DefinitionOutcome::Deleted);
                Ok(())
            }
            Change::CommitBookmark {
                job,
                run_id,
                attempt,
                bookmark,
            } => {
                let done = bookmarks::commit(self.tx, &job, &run_id, attempt, bookmark).await?;
                self.applied.bookmarks.push(done);
                Ok(())
            }
            Change::SettleCommit { run_id } => {
                let done = bookmarks::settled(self.tx, &run_id, true).await?;
                self.applied.bookmarks.extend(done);
                self.report_run(run_id, None);
                Ok(())
            }
            Change::FinishRun { run_id, outcome } => {
                if outcome.state == RunState::Succeeded {
                    bookmarks::check_settled(self.tx, &run_id).await?;
                }
                runs::finish(self.tx, &run_id, &outcome).await?;
                self.report_run(run_id, Some(outcome.state));
                Ok(())
            }
            Change::SetBookmark {
                job,
                source,
                position,
                paused,
                only_new,
            } => {
                let done =
                    bookmarks::set(self.tx, &job, &source, position, paused, only_new).await?;
                self.applied.bookmarks.push(done);
                Ok(())
            }
        }
    }

    fn report_run(&mut self, id: String, ended: Option<RunState>) {
        self.applied.runs.push(AppliedRun { id, ended });
    }

    fn report_database(&mut self, name: String, outcome: DatabaseOutcome) {
        self.applied
            .databases
            .push(AppliedDatabase { name, outcome });
    }

    async fn create_database(&mut self, mut database: Database, if_not_exists: bool) -> Result<()> {
        let name = database.name.clone();
        match existing_database(self.tx, &name).await {
            Ok(_) if if_not_exists => {
                self.report_database(name, DatabaseOutcome::Unchanged);
                return Ok(());
            }
            Ok(_) => {
                return Err(CatalogError::AlreadyExists {
                    what: format!("database {name}"),
                });
            }
            Err(CatalogError::DatabaseNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        database.create_time.get_or_insert(self.now);
        self.tx
            .execute(
                &format!("create the database {name}"),
                "INSERT INTO databases (name, definition) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE
                 SET definition = excluded.definition, dropped_at = NULL, dropped_by = NULL",
                args![name.clone(), json(&database)?],
            )
            .await?;
        self.report_database(name, DatabaseOutcome::Created);
        Ok(())
    }

    async fn update_database(&mut self, mut database: Database) -> Result<()> {
        let name = database.name.clone();
        let old = existing_database(self.tx, &name).await?;
        if old.same_definition(&database) {
            self.report_database(name, DatabaseOutcome::Unchanged);
            return Ok(());
        }
        database.create_time = old.create_time.or(database.create_time);
        self.tx
            .execute(
                &format!("update the database {name}"),
                "UPDATE databases SET definition = $1 WHERE name = $2",
                args![json(&database)?, name.clone()],
            )
            .await?;
        self.report_database(name, DatabaseOutcome::Updated);
        Ok(())
    }

    async fn delete_database(&mut self, name: &str, cascade: bool) -> Result<()> {
        existing_database(self.tx, name).await?;
        let action = format!("delete the database {name}");
        let tables = self
            .tx
            .rows(
                &action,
                "SELECT name FROM tables WHERE database_name = $1 AND dropped_at IS NULL ORDER BY name",
                args![name],
                |row| Ok(row.text(0)?),
            )
            .await?;
        if !cascade && !tables.is_empty() {
            return Err(CatalogError::DatabaseNotEmpty {
                name: name.to_owned(),
                tables: tables.len() as u64,
            });
        }
        for table in tables {
            self.delete_table(name, &table, Expected::Any).await?;
        }
        self.tx
            .execute(
                &action,
                "UPDATE databases SET dropped_at = $1, dropped_by = $2 WHERE name = $3",
                args![time_text(self.now), self.by, name],
            )
            .await?;
        self.report_database(name.to_owned(), DatabaseOutcome::Deleted);
        Ok(())
    }

    /// Whether what is there is what was expected. Returns the table if it is there now.
    async fn expect(
        &mut self,
        database: &str,
        name: &str,
        found: Option<&FoundTable>,
        expected: Expected,
    ) -> Result<Option<Table>> {
        let Some(found) = found.filter(|found| !found.dropped) else {
            return match expected {
                Expected::Version(_) => Err(table_not_found(self.tx, database, name).await?),
                Expected::Absent | Expected::Any => Ok(None),
            };
        };
        match expected {
            Expected::Absent => Err(CatalogError::AlreadyExists {
                what: format!("table {database}.{name}"),
            }),
            Expected::Version(expected) if expected != found.last_version => {
                Err(CatalogError::Conflict {
                    table: format!("{database}.{name}"),
                    expected,
                    found: found.last_version,
                })
            }
            Expected::Version(_) | Expected::Any => {
                table_at(self.tx, found, found.last_version, database, name)
                    .await
                    .map(Some)
            }
        }
    }

    async fn delete_table(&mut self, database: &str, name: &str, expected: Expected) -> Result<()> {
        let found = find_table(self.tx, database, name).await?;
        let old = self
            .expect(database, name, found.as_ref(), expected)
            .await?;
        let (Some(found), Some(_)) = (found, old) else {
            return Err(table_not_found(self.tx, database, name).await?);
        };
        let next = VersionId(found.last_version.0 + 1);
        let removed = partitions::close(self.tx, found.id, next, None).await?;
        statistics::delete_of(self.tx, found.id).await?;
        self.tx
            .execute(
                &format!("delete the table {database}.{name}"),
                "UPDATE tables SET dropped_at = $1, dropped_by = $2 WHERE table_id = $3",
                args![time_text(self.now), self.by, found.id],
            )
            .await?;
        self.applied.tables.push(AppliedTable {
            database: database.to_owned(),
            name: name.to_owned(),
            outcome: TableOutcome::Deleted {
                version: found.last_version,
            },
            partitions_added: 0,
            partitions_removed: removed,
            partitions_changed: 0,
        });
        Ok(())
    }

    async fn restore_table(
        &mut self,
        database: &str,
        name: &str,
        version: VersionId,
        expected: Expected,
    ) -> Result<()> {
        let Some(found) = find_table(self.tx, database, name).await? else {
            return Err(table_not_found(self.tx, database, name).await?);
        };
        let table = table_at(self.tx, &found, version, database, name).await?;
        let partitions = partitions::read(self.tx, &found, &table, None).await?;
        self.put_table(table, expected, PartitionChanges::replace_all(partitions))
            .await
    }

    async fn put_table(
        &mut self,
        mut table: Table,
        expected: Expected,
        changes: PartitionChanges,
    ) -> Result<()> {
        let (database, name) = (table.database_name.clone(), table.name.clone());
        existing_database(self.tx, &database).await?;
        let found = find_table(self.tx, &database, &name).await?;
        let old = self
            .expect(&database, &name, found.as_ref(), expected)
            .await?;

        let mut descriptors = Descriptors::default();
        let current = found
            .as_ref()
            .zip(old.as_ref())
            .map(|(found, old)| (found.id, old));
        let plan = plan_partitions(
            self.tx,
            &table,
            found.as_ref().map(|found| found.id),
            current,
            changes,
            &mut descriptors,
        )
        .await?;

        let mut applied = AppliedTable {
            database: database.clone(),
            name: name.clone(),
            outcome: TableOutcome::Created {
                version: VersionId(1),
            },
            partitions_added: plan.added,
            partitions_removed: plan.removed,
            partitions_changed: plan.changed,
        };
        let last = found
            .as_ref()
            .map_or(VersionId(0), |found| found.last_version);
        let version = VersionId(last.0 + 1);
        applied.outcome = match &old {
            None => TableOutcome::Created { version },
            Some(old)
                if old.same_definition(&table) && plan.added + plan.removed + plan.changed == 0 =>
            {
                applied.outcome = TableOutcome::Unchanged { version: last };
                self.applied.tables.push(applied);
                return Ok(());
            }
            Some(_) => TableOutcome::Updated {
                from: last,
                to: version,
            },
        };

        let action = format!("write the table {database}.{name}");
        let table_id = match &found {
            Some(found) => {
                self.tx
                    .execute(
                        &action,
                        "UPDATE tables SET last_version = $1, dropped_at = NULL, dropped_by = NULL WHERE table_id = $2",
                        args![version.0, found.id],
                    )
                    .await?;
                found.id
            }
            None => {
                let table_id = self.next_table_id().await?;
                self.tx
                    .execute(
                        &action,
                        "INSERT INTO tables (table_id, database_name, name, last_version) VALUES ($1, $2, $3, $4)",
                        args![table_id, database.as_str(), name.as_str(), version.0],
                    )
                    .await?;
                table_id
            }
        };
        let created = old
            .as_ref()
            .and_then(|old| old.create_time)
            .or(table.create_time);
        table.create_time = created.or(Some(self.now));
        table.update_time = None;
        table.version_id = None;
        self.tx
            .execute(
                &action,
                "INSERT INTO table_versions (table_id, version, created_at, created_by, definition,
                                             partitions_added, partitions_removed, partitions_changed)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                args![
                    table_id,
                    version.0,
                    time_text(self.now),
                    self.by,
                    json(&table)?,
                    plan.added as i64,
                    plan.removed as i64,
                    plan.changed as i64,
                ],
            )
            .await?;
        descriptors.save(self.tx, table_id).await?;
        if plan.close_all {
            partitions::close(self.tx, table_id, version, None).await?;
        } else if !plan.close.is_empty() {
            partitions::close(self.tx, table_id, version, Some(&plan.close)).await?;
        }
        partitions::insert(
            self.tx,
            table_id,
            version,
            &table.partition_keys,
            &plan.insert,
            self.now,
        )
        .await?;
        prune(self.tx, table_id, version, self.keep_versions).await?;
        self.applied.tables.push(applied);
        Ok(())
    }

    async fn next_table_id(&mut self) -> Result<i64> {
        self.tx
            .row(
                "number the table",
                "UPDATE counters SET value = value + 1 WHERE name = 'table' RETURNING value",
                vec![],
                |row| Ok(row.int(0)?),
            )
            .await?
            .ok_or_else(|| CatalogError::Store {
                action: "number the table".to_owned(),
                source: "the counter 'table' is missing".into(),
            })
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| CatalogError::Store {
        action: "write a definition as JSON".to_owned(),
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_checked() {
        assert_eq!(name_of("table", "Flüge").unwrap(), "flüge");
        for name in ["", "  ", "a\nb", &"x".repeat(256)] {
            assert!(name_of("table", name).is_err(), "{name:?}");
        }
    }
}
