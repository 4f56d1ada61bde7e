//! Which pairs are matches, and what entities they make.

pub(crate) mod assignment;
pub(crate) mod cluster;
pub(crate) mod gate;
pub(crate) mod groups;
pub(crate) mod identity;
pub(crate) mod null;
pub(crate) mod threshold;
