//! ETL scripts: read with their places, planned over their sources, run into files and catalog.
//!
//! A script says what it reads, what it makes of that, and what it writes. Expressions are SQL; the
//! steps are Glue's transforms, by their names.
//!
//! ```yaml
//! name: flights_enriched
//! parameters:
//!   out: .mastic/lake                  # a default; its type is the parameter's
//!   since: {type: date, description: the first day}    # no default: it must be given
//! sources:
//!   flights: nyc.flights               # a table of the catalog
//!   planes: {table: nyc.planes, where: year > 1990}
//!   airlines: {path: lake/airlines.json}
//! frames:                              # a frame is a name for a list of steps
//!   planes:                            # named as a source: it goes on from that source
//!     - rename_field: {year: built}
//!   enriched:
//!     - from: flights
//!     - filter: time_hour >= '${since}'
//!     - join: {with: planes, on: tailnum, how: left}
//!     - join: {with: airlines, on: {carrier: code}}
//!     - apply_mapping:
//!         - year -> year int
//!         - origin -> route.origin
//!         - [dest, string, route.dest, string]
//! sinks:
//!   - frame: enriched
//!     path: ${out}/enriched
//!     partition_by: [year]
//!     table: nyc.enriched
//! ```
//!
//! # What names mean
//!
//! Frames may be defined in any order. A name in a step is the frame of that name, or else the
//! source. A frame's own name is, in its first step, the source of that name, and in a later `sql`
//! step what the steps before it made.
//!
//! # Collections
//!
//! `relationalize`, `split_fields` and `split_rows` make a frame a collection of frames, each under a key.
//! Wherever a frame is named, `tables/root_tags` is the frame under that key (in SQL, in double quotes).
//! `map_to_collection` does steps to each, `select_from_collection` goes on with one, and a sink of a
//! collection writes all: to the folders `PATH/KEY` and the tables `PREFIX` with the key behind it.
//!
//! ```yaml
//! frames:
//!   tables:
//!     - from: countries
//!     - resolve_choice: {currencies: make_struct, languages: 'cast:string'}
//!     - relationalize: countries
//! sinks:
//!   - {frame: tables, path: lake/flat, table: geo.flat_}    # geo.flat_countries, geo.flat_countries_borders
//! ```
//!
//! # Reading
//!
//! [`Script::parse`] finds every mistake that can be found without opening a source, all at once,
//! each a [`ScriptError`] with its place, what was meant, and what to do:
//!
//! ```
//! use mastic_jobs::{Script, Source};
//!
//! let source = Source::new("job.yaml", "\
//! sources:
//!   airlines: nyc.airlines
//! frames:
//!   out:
//!     - from: airlines
//!     - filtre: name like 'U%'
//! sinks:
//!   - {frame: out, path: lake/out}
//! ");
//! let errors = Script::parse(&source, &[]).unwrap_err();
//! assert_eq!(errors.render(), "\
//! error: there is no step 'filtre'
//!  --> job.yaml:6:7
//!   |
//! 6 |     - filtre: name like 'U%'
//!   |       ^^^^^^
//!   = help: did you mean 'filter'?");
//! ```
//!
//! # Planning
//!
//! [`plan()`] opens the sources through [`Sources`] (a query session is one), makes every frame a
//! lazy plan, and checks the sinks against what they get. No record is read. [`explain`] draws it.
//!
//! # Running
//!
//! [`Prepared`] gives each sink its place, options and table; [`Prepared::run`] stages all sinks,
//! then commits them, then updates the catalog in one transaction. A run that fails or is stopped
//! before the first commit changes nothing.
//!
//! ```
//! use std::sync::Arc;
//! use mastic_catalog::OpenMode;
//! use mastic_jobs::{Prepared, Script, Source, explain, plan};
//! use mastic_lake::store::Stores;
//! use mastic_query::Session;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let out = folder.path().display().to_string();
//! # std::fs::write(folder.path().join("airlines.csv"), "code,name\nUA,United\nAA,American\n")?;
//! let source = Source::new("job.yaml", "\
//! parameters: {out: .}
//! sources:
//!   airlines: {path: '${out}/airlines.csv'}
//! frames:
//!   united:
//!     - from: airlines
//!     - filter: code = 'UA'
//! sinks:
//!   - {frame: united, path: '${out}/united', table: nyc.united}
//! ");
//! let script = Script::parse(&source, &[("out".into(), out.clone())])?;
//!
//! let catalog = mastic_catalog::open(&format!("{out}/catalog.db"), OpenMode::CreateIfMissing).await?;
//! let stores = Arc::new(Stores::default());
//! let session = Session::open(catalog.clone(), stores.clone(), None).await?;
//! let plan = plan(&script, &session).await?;
//! assert!(explain(&script, Some(&plan)).contains("united ◀── airlines"));
//!
//! let prepared = Prepared::new(&script, plan, &stores, &*catalog).await?;
//! let report = prepared.run(&*catalog, None, std::future::pending()).await?;
//! assert_eq!(report.sinks[0].written.rows, 1);
//! assert_eq!(session.sql("SELECT name FROM nyc.united").await?.count().await?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! This crate contains no transform: those are `mastic-dynamic-frame`'s.

mod collections;
mod enrich;
mod error;
mod errors_table;
mod explain;
mod generate;
mod graph;
mod guard;
mod job;
mod look;
mod paths;
mod plan;
mod run;
mod script;
mod session;
mod settle;
mod shape;
mod share;
mod sinks;
mod source;
mod sources;
mod stage;
mod summary;
mod tables;
mod tally;
mod upsert;

pub use error::{ScriptError, ScriptErrors};
pub use explain::explain;
pub use generate::{GenerateRequest, generate};
pub use job::{BookmarkMode, JobError, JobOptions, OnStage, run_job};
pub use look::plan_looking;
pub use plan::{Plan, PlannedSink, plan, plan_reading};
pub use run::{OnSinkProgress, Prepared, Report, RunError, SinkReport};
pub use script::{
    ERRORS, EnrichStep, FrameDef, MappingDef, MatchStep, Origin, Parameter, ParameterType,
    RelationDef, RowsDef, Script, ShapeStep, SinkDef, SinkFormat, SinkMode, SourceDef, Step,
    StepDef,
};
pub use source::{Source, Span, Text};
pub use sources::{Reading, SourceError, Sources};
pub use summary::SourceReport;
pub use tally::{StepInfo, StepReport, Totals};
