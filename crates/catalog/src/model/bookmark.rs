//! Job bookmarks: what of a source a job has processed already. Glue API: `JobBookmarkEntry`, which keeps it by the
//! latest modification time; this keeps it by object.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time;

/// An object of a source: a file, or a key in an object store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SourceObject {
    /// What it is called: its full URL is right. It has to be the same each time.
    #[serde(alias = "Key")]
    pub path: String,
    /// Its size in bytes; `None`: of no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was last modified, to the microsecond; `None`: of no account.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub last_modified: Option<DateTime<Utc>>,
    /// Its ETag, as the store gives it; `None`: of no account.
    #[serde(default, rename = "ETag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl SourceObject {
    /// Whatever lies there, and however it changes.
    pub fn any(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// An object as it is listed.
    pub fn new(
        path: impl Into<String>,
        size: u64,
        last_modified: DateTime<Utc>,
        etag: Option<String>,
    ) -> Self {
        Self {
            path: path.into(),
            size: Some(size),
            last_modified: Some(last_modified),
            etag,
        }
    }

    /// Whether this, as it was seen, and another of the same path have the same content as far as can be told: the same
    /// size; and the same ETag, so that one that was only uploaded again is the same; and, where one of them has none,
    /// the same modification time. What one of them does not have is not compared.
    pub fn same_content(&self, other: &Self) -> bool {
        if let (Some(one), Some(other)) = (self.size, other.size)
            && one != other
        {
            return false;
        }
        if let (Some(one), Some(other)) = (&self.etag, &other.etag) {
            return one == other;
        }
        match (self.last_modified, other.last_modified) {
            (Some(one), Some(other)) => one.timestamp_micros() == other.timestamp_micros(),
            _ => true,
        }
    }
}

/// What a bookmark says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Seen {
    /// It was not seen: it is to be processed.
    New,
    /// It was seen, and has changed since: it is to be processed.
    Changed,
    /// It was seen as it is.
    Unchanged,
}

impl Seen {
    /// Whether the object is to be processed.
    pub fn is_wanted(self) -> bool {
        self != Self::Unchanged
    }
}

/// The bookmark of a source in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Bookmark {
    /// The job. Case counts.
    pub job_name: String,
    /// The source; Glue's `transformation_ctx`. Case counts.
    pub source_name: String,
    /// Goes up with each change; 0: there is none yet. A commit says which version it was made for.
    pub version: i64,
    /// The run that brought it to where it stands; `None`: none did, or it was set by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The run's attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When it was brought to where it stands.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub committed_on: Option<DateTime<Utc>>,
    /// Whether it filters without advancing.
    pub paused: bool,
    /// How many objects were seen, each path once.
    pub objects: u64,
    /// The least modification time of all objects that it was given.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub oldest: Option<DateTime<Utc>>,
    /// The greatest.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub newest: Option<DateTime<Utc>>,
    /// Objects that were last modified at this time or before count as seen.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub up_to: Option<DateTime<Utc>>,
}

impl Bookmark {
    /// The bookmark of a source of which nothing was seen yet.
    pub fn none(job: &str, source: &str) -> Self {
        Self {
            job_name: job.to_owned(),
            source_name: source.to_owned(),
            ..Self::default()
        }
    }
}

/// One step of a bookmark's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BookmarkCommit {
    /// The version that the bookmark has had since.
    pub version: i64,
    /// The run that did it; `None`: it was set by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The run's attempt.
    pub attempt: u32,
    /// When.
    #[serde(with = "time::required")]
    pub committed_on: DateTime<Utc>,
    /// How many objects it added, or saw changed.
    pub added: u64,
    /// How many were seen then.
    pub objects: u64,
}

/// Where a bookmark is to be put: what it says before goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookmarkPosition {
    /// These objects were seen.
    pub objects: Vec<SourceObject>,
    /// And so were all that were last modified at this time or before.
    pub up_to: Option<DateTime<Utc>>,
}

/// Where a bookmark is to be rewound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RewindTo {
    /// To where this run (its id, or an unambiguous beginning of it) left it.
    Run(String),
    /// To where it stood at this time.
    Time(DateTime<Utc>),
}

/// A bookmark that is to advance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlannedBookmark {
    /// The source.
    pub source_name: String,
    /// The version that the objects were chosen by ([`Bookmark::version`]).
    pub expected_version: i64,
    /// The objects that were processed.
    pub objects: Vec<SourceObject>,
}

/// Where the commit of a sink is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SinkCommit {
    /// The sink's folder.
    pub url: String,
    /// The id of its commit: the folder below `_mastic` in which `commit.json` is.
    pub commit_id: String,
    /// One of the files that it publishes, below the folder: it is there when the commit was carried out, and its record
    /// removed. `None`: it publishes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A commit that begins: see [`crate::BookmarkStore`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewCommit {
    /// The job.
    pub job_name: String,
    /// The run.
    pub run_id: String,
    /// Its attempt.
    pub attempt: u32,
    /// The bookmarks that will advance.
    pub bookmarks: Vec<PlannedBookmark>,
    /// The sinks that will be committed.
    pub sinks: Vec<SinkCommit>,
    /// What whoever settles it in the run's place should know; the catalog keeps it as it is.
    pub context: serde_json::Value,
}

/// A commit that was begun and is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PendingCommit {
    /// The job.
    pub job_name: String,
    /// The run.
    pub run_id: String,
    /// Its attempt.
    pub attempt: u32,
    /// Whether the run is still at work: then it will settle its commit itself.
    pub alive: bool,
    /// When it was begun.
    #[serde(with = "time::required")]
    pub begun_on: DateTime<Utc>,
    /// The sinks.
    pub sinks: Vec<SinkCommit>,
    /// The sources whose bookmarks will advance, and by how many objects. Those that were paused are not among them.
    pub bookmarks: Vec<(String, u64)>,
    /// What the run left.
    #[serde(default)]
    pub context: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn content_is_compared_by_what_is_known() {
        let seen = SourceObject::new("a", 3, at(10), Some("x".into()));
        let with = |size, second, etag: Option<&str>| {
            SourceObject::new("a", size, at(second), etag.map(str::to_owned))
        };
        // Uploaded again.
        assert!(seen.same_content(&with(3, 99, Some("x"))));
        // Another size, another ETag, and, without an ETag, another time.
        assert!(!seen.same_content(&with(4, 10, Some("x"))));
        assert!(!seen.same_content(&with(3, 10, Some("y"))));
        assert!(!seen.same_content(&with(3, 11, None)));
        assert!(seen.same_content(&with(3, 10, None)));
        assert!(SourceObject::any("a").same_content(&with(3, 10, Some("x"))));
    }

    #[test]
    fn a_listing_of_s3_is_read() {
        // A line of `aws s3api list-objects-v2 --query Contents[]`.
        let text = r#"{"Key":"a/b.csv","LastModified":"2024-05-01T10:00:00+00:00","ETag":"\"d41d\"","Size":7,"StorageClass":"STANDARD"}"#;
        let object: SourceObject = serde_json::from_str(text).unwrap();
        let time = DateTime::parse_from_rfc3339("2024-05-01T10:00:00Z").unwrap();
        let expected = SourceObject::new("a/b.csv", 7, time.to_utc(), Some("\"d41d\"".into()));
        assert_eq!(object, expected);
    }
}
