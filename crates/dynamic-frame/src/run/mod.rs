//! What a run of frames keeps count of, and the operators that do.
//!
//! A frame's plan holds [`StepNode`](step::StepNode)s: after each source and each step that drops, makes or
//! fails records. They count what passes, and take out the records that a step could not transform. Counts
//! and error records go to the run's [`Ledger`], which rides in the session's configuration, as an extension;
//! a plan that runs without one loses nothing: its first error record is an error.
//!
//! A frame that several plans of a run read is marked by a [`SharedNode`], and computed once.

mod batch;
mod cached;
mod errors;
mod exchange;
mod explode;
mod hint;
mod ledger;
mod matching;
mod number;
mod planner;
mod shared;
mod step;
mod uncounted;

pub(crate) use cached::{CachedTable, behind, want};
pub use errors::{ErrorRecord, error_fields};
pub(crate) use exchange::{Exchange, ExchangeNode};
pub(crate) use explode::{ExplodeNode, INDEX, PARENT, RECORD, VALUE};
pub(crate) use hint::hinted;
pub use ledger::{CastCount, Ledger, StepCount};
pub(crate) use matching::{MatchNode, Role, Spec};
pub(crate) use number::NumberNode;
pub(crate) use planner::with_planner;
pub use shared::share;
pub(crate) use shared::{SharedNode, shared_ids};
pub(crate) use step::{Cast, StepNode, WORKING, Watched};
pub(crate) use uncounted::uncounted;
