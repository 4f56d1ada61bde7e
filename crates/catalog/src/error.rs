//! What can go wrong with a catalog.

use std::error::Error as StdError;

use chrono::{DateTime, Utc};

use crate::model::{QueryState, RunState, VersionId};

/// The result of everything here that can fail.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// What can go wrong with a catalog. `Display` is one sentence; [`CatalogError::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// There is no such database. Glue: `EntityNotFoundException`.
    #[error("database {name} does not exist")]
    DatabaseNotFound {
        /// The name that was asked for.
        name: String,
        /// The database whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such table in that database. Glue: `EntityNotFoundException`.
    #[error("table {database}.{name} does not exist")]
    TableNotFound {
        /// The database, which does exist.
        database: String,
        /// The name that was asked for.
        name: String,
        /// The table of that database whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// The table never had such a version, or it is no longer kept ([`crate::ChangeSet::keep_versions`]).
    #[error(
        "table {database}.{name} has no version {version}{}; it has versions {oldest} to {newest}",
        if version < oldest && version.0 >= 1 { " any more" } else { "" }
    )]
    VersionNotFound {
        /// The database.
        database: String,
        /// The table.
        name: String,
        /// The version that was asked for.
        version: VersionId,
        /// The oldest version that is kept.
        oldest: VersionId,
        /// The newest version.
        newest: VersionId,
    },
    /// There is no such classifier. Glue: `EntityNotFoundException`.
    #[error("classifier {name} does not exist")]
    ClassifierNotFound {
        /// The name that was asked for.
        name: String,
        /// The classifier whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such crawler. Glue: `EntityNotFoundException`.
    #[error("crawler {name} does not exist")]
    CrawlerNotFound {
        /// The name that was asked for.
        name: String,
        /// The crawler whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such transform. Glue: `EntityNotFoundException`.
    #[error("transform {name} does not exist")]
    TransformNotFound {
        /// The name that was asked for.
        name: String,
        /// The transform whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such crawl, or its history is no longer kept ([`crate::KEPT_CRAWLS`]).
    #[error("the history has no crawl {id}")]
    CrawlNotFound {
        /// The number that was asked for.
        id: i64,
    },
    /// Nothing is known of such a job: it has neither runs nor bookmarks. Glue: `EntityNotFoundException`.
    #[error("job {name} does not exist: it was never run, and has no bookmarks")]
    JobNotFound {
        /// The name that was asked for.
        name: String,
        /// The job whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such run, or its history is no longer kept ([`crate::KEPT_RUNS`]).
    #[error("the history has no run {id}")]
    RunNotFound {
        /// What was asked for.
        id: String,
    },
    /// Several runs have ids that begin so.
    #[error("several runs begin with {id}: {}", matches.join(", "))]
    RunAmbiguous {
        /// What was asked for.
        id: String,
        /// Some of them.
        matches: Vec<String>,
    },
    /// A run's end was written already.
    #[error("run {id} has ended already: it is {}", state.as_str())]
    RunEnded {
        /// The run.
        id: String,
        /// How it ended.
        state: RunState,
    },
    /// There is no such workgroup.
    #[error("workgroup {name} does not exist")]
    WorkGroupNotFound {
        /// The name that was asked for.
        name: String,
        /// The workgroup whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// There is no such query, or its history is no longer kept ([`crate::KEPT_QUERIES`]).
    #[error("the history has no query {id}")]
    QueryNotFound {
        /// What was asked for.
        id: String,
    },
    /// Several queries have ids that begin so.
    #[error("several queries begin with {id}: {}", matches.join(", "))]
    QueryAmbiguous {
        /// What was asked for.
        id: String,
        /// Some of them.
        matches: Vec<String>,
    },
    /// A query's end was written already.
    #[error("query {id} has ended already: it is {}", state.as_str())]
    QueryEnded {
        /// The query.
        id: String,
        /// How it ended.
        state: QueryState,
    },
    /// A job has no bookmark for that source.
    #[error("job {job} has no bookmark for a source {source_name}")]
    BookmarkNotFound {
        /// The job, which does exist.
        job: String,
        /// The source that was asked for.
        source_name: String,
        /// The source of that job whose name is nearest to it, if one is near.
        did_you_mean: Option<String>,
    },
    /// Somebody else changed the bookmark meanwhile. Glue: `VersionMismatchException`.
    #[error(
        "the bookmark of source {source_name} in job {job} was {} meanwhile{}: version {expected} was expected, version {found} is current",
        if run.is_some() { "advanced" } else { "changed" },
        by(run.as_deref(), *committed_on)
    )]
    BookmarkConflict {
        /// The job.
        job: String,
        /// The source.
        source_name: String,
        /// The version that the commit was made for.
        expected: i64,
        /// The version that is current.
        found: i64,
        /// The run that came first; `None`: it was reset, rewound or set by hand.
        run: Option<String>,
        /// When that run committed.
        committed_on: Option<DateTime<Utc>>,
    },
    /// Another run has begun to commit the bookmark, and has not settled it.
    #[error("run {run} is committing the bookmark of source {source_name} in job {job}")]
    BookmarkBusy {
        /// The job.
        job: String,
        /// The source.
        source_name: String,
        /// The run that came first.
        run: String,
    },
    /// A bookmark's history does not go back so far ([`crate::KEPT_COMMITS`]).
    #[error(
        "the history of the bookmark of source {source_name} in job {job} begins {}",
        oldest.map_or_else(|| "with its last reset".to_owned(), |oldest| format!("at {}", shown(oldest)))
    )]
    BookmarkHistory {
        /// The job.
        job: String,
        /// The source.
        source_name: String,
        /// When the oldest commit that is kept was made.
        oldest: Option<DateTime<Utc>>,
    },
    /// A run that a bookmark was to be told by has committed none, or it is no longer kept.
    #[error("the bookmarks of job {job} have no commit by run {run}")]
    RunWithoutBookmark {
        /// The job.
        job: String,
        /// The run that was asked for.
        run: String,
    },
    /// A run has no commit that waits to be settled.
    #[error("run {run} has no commit under way: it began none, or it was settled already")]
    CommitNotFound {
        /// The run.
        run: String,
    },
    /// A classifier that crawlers name was to be deleted.
    #[error("classifier {name} is named by the crawler(s) {}", crawlers.join(", "))]
    ClassifierInUse {
        /// The classifier.
        name: String,
        /// The crawlers that name it.
        crawlers: Vec<String>,
    },
    /// What was to be made is there already. Glue: `AlreadyExistsException`.
    #[error("{what} already exists")]
    AlreadyExists {
        /// `database x`, `table x.y`, `classifier x`, `crawler x`…
        what: String,
    },
    /// A database that still has tables was to be deleted without them.
    #[error("database {name} still has {tables} table(s)")]
    DatabaseNotEmpty {
        /// The database.
        name: String,
        /// How many tables it has.
        tables: u64,
    },
    /// Somebody else changed the table meanwhile. Glue: `ConcurrentModificationException`.
    #[error(
        "table {table} was changed meanwhile: version {expected} was expected, version {found} is current; read it again and repeat the change"
    )]
    Conflict {
        /// `database.table`.
        table: String,
        /// The version the change was made for.
        expected: VersionId,
        /// The version that is current.
        found: VersionId,
    },
    /// A name that the catalog does not take.
    #[error("{what} name {name:?} is not allowed: {reason}")]
    InvalidName {
        /// `database`, `table`, `classifier`…
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A definition that does not hold what it should.
    #[error("{what} {name:?} is not allowed: {reason}")]
    InvalidDefinition {
        /// `classifier`, `crawler`…
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A column's type is not one.
    #[error(
        "column {column} of table {table} has the type {text:?}, which is not a Hive type: {source}"
    )]
    InvalidType {
        /// `database.table`.
        table: String,
        /// The column.
        column: String,
        /// Its type as the catalog has it.
        text: String,
        /// What the parser says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A partition that does not fit its table.
    #[error("partition {values} of table {table} is not allowed: {reason}")]
    InvalidPartition {
        /// `database.table`.
        table: String,
        /// Its values, joined by `/`.
        values: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A predicate on partition keys that makes no sense for the table.
    #[error("the partition predicate is not valid: {reason}")]
    InvalidPredicate {
        /// What is wrong with it.
        reason: String,
    },
    /// A document that is no catalog.
    #[error("the document cannot be imported: {reason}")]
    InvalidImport {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The store was made by a newer version of this program.
    #[error("the catalog has schema version {found}, this mastic knows up to {known}")]
    Newer {
        /// The store's schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// There is no catalog at the place, and none was to be made.
    #[error("there is no catalog at {location}")]
    NoCatalog {
        /// The place, without password.
        location: String,
    },
    /// Another process held the catalog for longer than we wait.
    #[error(
        "the catalog is busy: another process has been writing to it for more than {seconds} seconds"
    )]
    Busy {
        /// How long we waited.
        seconds: u64,
    },
    /// A URL that names no catalog.
    #[error("{url:?} does not name a catalog: {reason}")]
    Url {
        /// The URL, without password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store itself failed.
    #[error("cannot {action}: {source}")]
    Store {
        /// What was being done.
        action: String,
        /// What the driver says.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl CatalogError {
    /// What the user may do about it, where we can tell.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::DatabaseNotFound { did_you_mean, .. }
            | Self::ClassifierNotFound { did_you_mean, .. }
            | Self::CrawlerNotFound { did_you_mean, .. }
            | Self::TransformNotFound { did_you_mean, .. }
            | Self::WorkGroupNotFound { did_you_mean, .. }
            | Self::JobNotFound { did_you_mean, .. }
            | Self::BookmarkNotFound { did_you_mean, .. } => did_you_mean
                .as_ref()
                .map(|name| format!("did you mean {name}?")),
            Self::TableNotFound {
                database,
                did_you_mean,
                ..
            } => did_you_mean
                .as_ref()
                .map(|name| format!("did you mean {database}.{name}?")),
            Self::VersionNotFound { .. } => {
                Some("list the versions of the table to see those there are".to_owned())
            }
            Self::DatabaseNotEmpty { .. } => {
                Some("delete its tables first, or delete with cascade".to_owned())
            }
            Self::CrawlNotFound { .. } => Some("list the crawls to see those there are".to_owned()),
            Self::RunNotFound { .. } => Some("list the runs to see those there are".to_owned()),
            Self::QueryNotFound { .. } => {
                Some("list the queries to see those there are".to_owned())
            }
            Self::RunAmbiguous { .. } | Self::QueryAmbiguous { .. } => {
                Some("give more of the id".to_owned())
            }
            Self::BookmarkConflict { .. } => {
                Some("nothing was written; run the job again, and it sees what is left".to_owned())
            }
            Self::BookmarkBusy { .. } => Some(
                "wait for that run to end; if it was killed, the next run of the job settles what it left"
                    .to_owned(),
            ),
            Self::BookmarkHistory { .. } => Some(
                "rewind to a later time, or reset the bookmark to forget all that was seen".to_owned(),
            ),
            Self::RunWithoutBookmark { .. } => {
                Some("show the bookmark to see the runs that committed it".to_owned())
            }
            Self::ClassifierInUse { .. } => {
                Some("take it from those crawlers first, or delete them".to_owned())
            }
            Self::Conflict { .. } => Some("nothing was written; run the command again".to_owned()),
            Self::Newer { .. } => {
                Some("use a mastic at least as new as the one that made the catalog".to_owned())
            }
            Self::NoCatalog { .. } => {
                Some("a crawl makes the catalog; or check the path".to_owned())
            }
            Self::Busy { .. } => {
                Some("wait for the other process to end, and run the command again".to_owned())
            }
            Self::Url { .. } => {
                Some("give a path, sqlite:PATH, or postgres://USER@HOST/DATABASE".to_owned())
            }
            _ => None,
        }
    }
}

/// Who came first, and when.
fn by(run: Option<&str>, time: Option<DateTime<Utc>>) -> String {
    let run = run.map(|run| format!(" by run {run}")).unwrap_or_default();
    let time = time.map(|time| format!(" at {}", shown(time)));
    format!("{run}{}", time.unwrap_or_default())
}

fn shown(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The name nearest to `name`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let name = name.to_lowercase();
    // One slip in a short name, a third of a longer one: beyond that a suggestion is noise.
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&name, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= allowed || (name.len() >= 4 && candidate.to_lowercase().starts_with(&name))
        })
        .min_by(|a, b| a.cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["flights", "orders", "order_items"];
        assert_eq!(nearest("Flihgts", names).as_deref(), Some("flights"));
        assert_eq!(nearest("order", names).as_deref(), Some("orders"));
        assert_eq!(nearest("order_it", names).as_deref(), Some("order_items"));
        assert_eq!(nearest("weather", names), None);
        assert_eq!(nearest("x", names), None);
    }
}
