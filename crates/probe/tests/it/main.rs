//! Readings of real processes, the identity of this very program, and the form of an observation.

mod child;
mod identity;
mod readings;
mod sampler;
mod schema;
