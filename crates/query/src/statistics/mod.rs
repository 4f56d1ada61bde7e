//! Column statistics: counted on request, kept in the catalog, used by the planner.
//!
//! `ANALYZE` counts them in one aggregate plan and keeps them with a fingerprint of the files that were read. A scan
//! takes them at their word only where it lists these very files, and even then as estimates: which input of a join is
//! the smaller one depends on them, no answer does.

mod analyze;
mod bounds;
mod data;
mod fingerprint;
mod footers;
mod inform;
mod late;
mod show;
mod statement;

pub use self::analyze::analyze;
pub(crate) use self::fingerprint::Fnv;
pub(crate) use self::footers::look;
pub(crate) use self::inform::inform;
pub(crate) use self::statement::answer;
