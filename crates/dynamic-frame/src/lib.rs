//! Dynamic frames: Glue's transforms over lazy plans.
//!
//! A [`DynamicFrame`] is a plan that makes records. It is handed a plan (a DataFusion
//! [`DataFrame`](datafusion::dataframe::DataFrame), from a table or a path that someone else
//! opened) and hands one back; it never opens a file or a catalog, and never loops over rows. So
//! every transform runs in parallel, spills and streams, and can be explained.
//!
//! Fields are named by [`Path`]s: `route.origin` leads into a struct, and `` `a.b` `` is a name with
//! a dot in it. A name is looked up as it is written, then without regard to case. In SQL
//! expressions names follow SQL: they are lowered unless quoted, and a dot leads into a struct.
//!
//! # A verb at a time
//!
//! ```
//! use datafusion::prelude::SessionContext;
//! use mastic_dynamic_frame::{Change, DynamicFrame, JoinKey, JoinKind, Mapping};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = SessionContext::new();
//! let flights = DynamicFrame::new(ctx.sql(
//!     "SELECT 'UA' AS carrier, named_struct('from', 'EWR', 'to', 'IAH') AS route, 120 AS minutes, NULL AS gate",
//! ).await?)?;
//! let airlines = DynamicFrame::new(ctx.sql("SELECT 'UA' AS code, 'United' AS name").await?)?;
//! let names = |frame: &DynamicFrame| -> Vec<String> {
//!     frame.fields().iter().map(|f| f.name().clone()).collect()
//! };
//!
//! // Fewer fields: by name, at any depth; those of which no value was ever seen; all but some.
//! let fewer = flights.clone().drop_fields(&["route.to"])?;
//! assert_eq!(names(&fewer.drop_null_fields()?), ["carrier", "route", "minutes"]);
//! let some = flights.clone().select_fields(&["minutes", "route.from"])?;
//! assert_eq!(some.pretty_schema(), "\
//! root
//! |-- minutes: bigint
//! |-- route: struct
//! |    |-- from: string
//! ");
//!
//! // Other names, in place; both are whole paths.
//! let renamed = flights.clone().rename_field("route.from", "route.origin")?;
//!
//! // Fewer records.
//! let long = renamed.filter("minutes >= 60 and route.origin = 'EWR'")?;
//!
//! // Computed fields, over the record as it was.
//! let mapped = long.map(&[Change::set("hours", "minutes / 60.0"), Change::remove("gate")])?;
//! assert_eq!(names(&mapped), ["carrier", "route", "minutes", "hours"]);
//!
//! // Other frames' records: beside, and behind.
//! let joined = mapped.join(airlines.clone(), &[JoinKey::new("carrier", "code")], JoinKind::Left)?;
//! assert_eq!(names(&joined)[4..], ["code", "name"]);
//! let both = airlines.clone().union(airlines)?;
//!
//! // Exactly these fields: renamed, cast, nested.
//! let out = joined.apply_mapping(&[
//!     "name -> airline.name".parse()?,
//!     "carrier string -> airline.code string".parse()?,
//!     Mapping::typed("minutes", "bigint", "minutes", "int"),
//! ])?;
//! assert_eq!(names(&out), ["airline", "minutes"]);
//!
//! // A query over frames by name.
//! let query = "SELECT airline.name, sum(minutes) AS minutes FROM f JOIN b ON b.code = f.airline.code GROUP BY 1";
//! let answer = DynamicFrame::sql(&ctx.state(), query, [("f", out), ("b", both)]).await?;
//! assert_eq!(answer.into_dataframe().count().await?, 1);
//!
//! // A mistake says what was meant.
//! let error = flights.filter("minuets > 3").unwrap_err();
//! assert_eq!(error.to_string(), "there is no field 'minuets'");
//! assert_eq!(error.hint().as_deref(), Some("did you mean 'minutes'?"));
//! # Ok(())
//! # }
//! ```
//!
//! # Where this differs from Glue, and why
//!
//! * A field that does not exist is an error; Glue passes over it in silence.
//! * `join` has all kinds, not only inner; a key of one name is there once; other names that clash
//!   get the prefix `right_` (Glue's library writes `.name`, Glue Studio `right_name`).
//! * `union` widens types that differ; Glue makes a choice of them.
//!
//! The frame's plan must be run by the frame's own session state
//! ([`DynamicFrame::into_dataframe`] keeps it): it turns off an optimizer rule of DataFusion 55.2
//! that fails on renamed fields.

mod collection;
mod error;
mod expression;
mod frame;
mod path;
mod record;
mod run;
mod transforms;
mod types;

pub use collection::FrameCollection;
pub use error::FrameError;
pub use frame::DynamicFrame;
pub use path::Path;
pub use run::{ErrorRecord, Ledger, StepCount, error_fields, share};
pub use transforms::{
    Change, ChoiceAction, Comparison, JoinKey, JoinKind, Mapping, OnError, sql_frames,
};

/// What every transform gives: the next frame, or why there is none.
pub type Result<T, E = FrameError> = std::result::Result<T, E>;
