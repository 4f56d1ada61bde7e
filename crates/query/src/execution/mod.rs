//! Queries as things that are run: each has an id, a state, statistics and a result that is kept.
//!
//! [`Execution::start`] hands a statement in; it goes on by itself from there, is seen in the catalog's history
//! ([`mastic_catalog::QueryStore`]) by whoever asks, and can be stopped from any process. What it means is up to
//! [`Session::sql`](crate::Session::sql); what it may cost is up to its workgroup and its [`Limits`].
//!
//! ```
//! # use std::sync::Arc;
//! # use mastic_catalog::OpenMode;
//! # use mastic_lake::store::Stores;
//! use mastic_query::Session;
//! use mastic_query::execution::{Execution, Request, Results, read_result};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("c.db").display().to_string();
//! # let results = dir.path().join("results").display().to_string();
//! # let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing).await?;
//! let session = Arc::new(Session::open(catalog, Arc::new(Stores::default()), None).await?);
//! let request = Request {
//!     results: Results::at(results),
//!     ..Request::new("SELECT 1 + 1 AS two")
//! };
//! let execution = Execution::start(session.clone(), request).await?;
//! let query = execution.finish().await?;
//! assert_eq!(query.statistics.rows_returned, 1);
//! let csv = query.result_configuration.output_location.clone().ok_or("no result")?;
//! assert_eq!(std::fs::read_to_string(csv)?, "\"two\"\n\"2\"\n");
//! // The same rows with their types.
//! let rows = read_result(session.stores(), &query).await?;
//! assert_eq!(rows.schema().field(0).name(), "two");
//! # Ok(())
//! # }
//! ```

mod control;
mod inputs;
mod kind;
mod measure;
mod peak;
mod request;
mod result;
mod run;
mod size;
mod split;
mod work;

pub use self::request::{Limits, Request};
pub use self::result::{KEPT_RESULT_BYTES, KEPT_RESULTS, Results, read_result, retain};
pub use self::run::{Execution, ROWS_ENDED};
pub use self::size::{Size, SizeError, Span, SpanError};
pub use self::split::{Part, split};

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

/// Counts a plan that a statement runs by itself, while it is planned, among those of the execution that it belongs to: for
/// its statistics and its limit on bytes. Nothing where there is no execution.
pub(crate) fn observe(plan: &Arc<dyn ExecutionPlan>) {
    let _ = control::CURRENT.try_with(|control| control.observe(plan.clone()));
}

/// Tells the execution that a statement belongs to of files that it wrote, for the manifest that is kept of them. Nothing
/// where there is no execution.
pub fn wrote(urls: impl IntoIterator<Item = String>) {
    let _ = control::CURRENT.try_with(|control| control.wrote(urls));
}
