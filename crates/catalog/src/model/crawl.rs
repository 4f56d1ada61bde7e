//! The history of crawls. Glue API: `CrawlerHistory`, which tells of one crawler; this tells of crawls without one,
//! too.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time;

/// One crawl: when it was, and what came of it. The names are those of Glue's `CrawlerHistory` where it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Crawl {
    /// Its number; later crawls have higher ones.
    pub crawl_id: i64,
    /// The crawler that it was a run of; `None`: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crawler_name: Option<String>,
    /// The database its tables went to.
    pub database_name: String,
    /// The paths and URLs that it looked at.
    pub targets: Vec<String>,
    /// What came of it.
    pub state: CrawlState,
    /// When it began.
    #[serde(with = "time::required")]
    pub start_time: DateTime<Utc>,
    /// When it ended; `None` while it is running, and where its process ended without saying so.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub end_time: Option<DateTime<Utc>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What it saw, changed and skipped, as the crawler writes it; `null` until it ends.
    #[serde(default)]
    pub summary: serde_json::Value,
}

/// What came of a crawl. Glue API: `LastCrawlStatus` (`SUCCEEDED`, `CANCELLED`, `FAILED`), and `RUNNING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CrawlState {
    /// It has not ended, or its process ended without saying so.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl CrawlState {
    /// The word of Glue's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// A crawl that begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewCrawl {
    /// The crawler that it is a run of, if it is one's.
    pub crawler_name: Option<String>,
    /// The database its tables go to.
    pub database_name: String,
    /// The paths and URLs that it looks at.
    pub targets: Vec<String>,
    /// When it began; now if it is not given.
    pub start_time: Option<DateTime<Utc>>,
}
