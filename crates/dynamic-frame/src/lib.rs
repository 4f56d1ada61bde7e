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
//! use mastic_dynamic_frame::{
//!     Change, DynamicFrame, Fill, FillMethod, FlatMap, JoinKey, JoinKind, Kmeans, Lookup, Mapping, Unbox, UnboxFormat,
//! };
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
//! let both = airlines.clone().union(airlines.clone())?;
//!
//! // Exactly these fields: renamed, cast, nested.
//! let mixed = joined.clone();
//! let out = joined.apply_mapping(&[
//!     "name -> airline.name".parse()?,
//!     "carrier string -> airline.code string".parse()?,
//!     Mapping::typed("minutes", "bigint", "minutes", "int"),
//! ])?;
//! assert_eq!(names(&out), ["airline", "minutes"]);
//!
//! // Fields found by keys in a frame that is read once; several records of one; text that holds a record.
//! let known = airlines.clone().cached()?;
//! let named = flights.clone().lookup(known, &Lookup::by("airlines", [JoinKey::new("carrier", "code")]))?;
//! assert_eq!(names(&named)[4..], ["name"]);
//! let ends = FlatMap::of("make_array(route.from, route.to)").output("airport");
//! assert_eq!(flights.clone().flat_map(&ends)?.into_dataframe().count().await?, 2);
//! let text = airlines.clone().map(&[Change::set("name", "'{\"x\": 1}'")])?;
//! let text = text.unbox(&Unbox::of("name", UnboxFormat::Json).schema("struct<x:int>"))?;
//! assert_eq!(text.pretty_schema(), "root\n|-- code: string\n|-- name: struct\n|    |-- x: int\n");
//!
//! // Values where there are none; clusters; newer records for older ones; streams, and so files.
//! let filled = flights.clone().fill_missing_values(&Fill::of("minutes").by(FillMethod::Mean))?;
//! let clusters = filled.kmeans(&Kmeans::over(["minutes_filled"], 1))?;
//! let newer = clusters.clone().merge(clusters.filter("minutes > 0")?, &["carrier"])?;
//! assert_eq!(newer.repartition(2).into_dataframe().count().await?, 1);
//!
//! // Nested records: structs to columns, arrays to tables of their own, which are a collection.
//! let nested = DynamicFrame::new(ctx.sql(
//!     "SELECT 1 AS id, named_struct('x', 2) AS at, ['a', 'b'] AS tags",
//! ).await?)?;
//! assert_eq!(names(&nested.clone().unnest()?), ["id", "at.x", "tags"]);
//! let tables = nested.relationalize("root")?;
//! assert_eq!(tables.keys().collect::<Vec<_>>(), ["root", "root_tags"]);
//! assert_eq!(names(&tables.select("root_tags")?), ["id", "index", "tags.val"]);
//!
//! // Values of types that disagree (here there are none), as one type.
//! let resolved = mixed.resolve_choice(&[("minutes".to_owned(), "cast:string".parse()?)])?;
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
//!   get the prefix `right_` or another one (Glue's library writes `.name`, Glue Studio `right_name`).
//! * `resolve_choice` of what is no choice is an error, unless it is a cast; Glue passes over it.
//! * `apply_mapping` sets a record aside whose value cannot be cast; Glue makes the value NULL.
//! * In an expression a choice stands for its first alternative (`c > 3`); `c.string` names one.
//! * `select` from a collection is an error where there is no such frame; Glue gives an empty one.
//! * `union` widens numbers that differ in width; Glue makes a choice of them, too.
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
pub use run::{CastCount, ErrorRecord, Ledger, StepCount, error_fields, share};
pub use transforms::{
    Change, ChoiceAction, Comparison, Fill, FillMethod, FindMatches, FlatMap, JoinKey, JoinKind,
    Kmeans, Lookup, Mapping, MatchFrames, Missing, Multiple, OnError, Unbox, UnboxFormat,
    sql_frames,
};

/// What every transform gives: the next frame, or why there is none.
pub type Result<T, E = FrameError> = std::result::Result<T, E>;
