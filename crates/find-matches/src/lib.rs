//! Records become entities: which records of a table, or of two, mean the same thing.
//!
//! ```
//! use datafusion::prelude::{SessionContext, col};
//! use mastic_find_matches::{MatchInput, Settings, Table, find_matches};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut context = SessionContext::new();
//! mastic_functions::register_all(&mut context)?;
//! let people = context.sql("SELECT * FROM (VALUES \
//!     ('anna smith', 'london', '1980-02-03'), ('anna smyth', 'london', '1980-02-03'), \
//!     ('bob jones', 'leeds', '1971-11-30'), ('carl king', 'york', '1966-07-12')) AS t(name, city, born)").await?;
//! let table = Table { name: "people".into(), rows: people };
//! let matched = find_matches(&context, MatchInput { left: table, right: None }, &Settings::default(), &|_| {}).await?;
//! assert_eq!(matched.rows.count().await?, 4);
//! # Ok(())
//! # }
//! ```
//!
//! # The way
//!
//! [`profile`](find_matches) says what the columns are; their values are brought to normal forms; *blocking*
//! finds the pairs worth comparing; *comparisons* give each a level of likeness; expectation–maximisation learns
//! what each level is worth (Fellegi and Sunter 1969), with rare values worth more; and the *decision* draws a
//! threshold, takes out what nothing but chance explains, and assigns or clusters.
//!
//! Rows move inside plans: profiles are aggregates, normal forms, hashes and edit distances expressions, and blocking and the
//! search for neighbours are operators that join a table with itself. All of it keeps within the memory pool of the
//! session: hashes and pairs are sorted in runs, vectors are searched a block at a time, and pairs joined with the normal
//! forms by sorting, where the pool refuses to hold them. What comes out is the same. What has to be in memory are the row
//! numbers and levels of pairs, about 48 bytes a pair and 3 more a comparison, and about 40 bytes a row: if the pool
//! refuses that, it is an error that says how much is missing ([`MatchError::Memory`]).
//!
//! # With labels, and again
//!
//! Labels ([`Labels`], in Glue's form) teach a second model over all that ([`Supervised`]), and are enforced if
//! [`Settings::enforce_provided_labels`] says so; [`evaluate`] measures what they are worth by labels that it holds out, and a
//! [`Labelling`] chooses which pairs are worth asking about. What was learned is a [`Transform`], which scores other tables, and
//! new records that join entities that are there ([`Given::existing`]): [`find_matches_with`] takes all of it.
//!
//! This crate knows no scripts, and opens no files.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")
)]
#![allow(
    clippy::indexing_slicing,
    reason = "places of pairs, rows and patterns are made here, never by input"
)]

mod align;
mod blocking;
mod compare;
mod decide;
mod error;
mod evaluate;
mod explain;
mod external;
mod find;
mod gather;
mod incremental;
mod known;
mod labels;
mod memory;
mod model;
mod normalise;
mod operator;
mod output;
mod profile;
mod settings;
mod spool;
mod transform;
mod vectors;

pub use blocking::{Blocking, Rule};
pub use error::{MatchError, Result};
pub use evaluate::{ColumnImportance, ConfusionMatrix, Evaluation, Figures};
pub use explain::{Decision, Explanation};
pub use find::evaluate::evaluate;
pub use find::labelling::{BATCH, Labelling, Question};
pub use find::{Given, MatchInput, Stage, Table, find_matches, find_matches_with, output_schema};
pub use incremental::{Joined, PlaceTaken};
pub use labels::{KeptLabels, LABEL, LABELING_SET_ID, Labels};
pub use model::self_training::Learner;
pub use model::supervised::{Feature, Of, Supervised};
pub use model::{ComparisonModel, Model};
pub use output::{Matched, Summary};
pub use profile::{Column, Dropped};
pub use settings::{Comparison, Kind, Settings};
pub use transform::{Frequencies, Grams, Linked, LinkedColumn, Side, Transform};
