//! Frames that several plans of a run read, computed once.
//!
//! [`SharedNode`] marks such a frame in a plan. [`share()`] looks at all plans that run together: a mark that one
//! of them alone reads is taken out; of the others the columns that anyone reads are computed once, as a
//! [`SharedRun`](run::SharedRun), and every plan reads them through a [`ReadNode`]. At execution each partition of
//! the run is a [`Lane`](lane::Lane), which hands every batch to every reader.

mod exec;
mod lane;
mod node;
mod run;
mod share;

pub(super) use node::ReadNode;
pub(crate) use node::SharedNode;
pub use share::share;
pub(crate) use share::shared_ids;

#[cfg(test)]
mod tests;
