//! Readings of real processes, the identity of this very program, and the form of an observation.

mod accuracy;
mod child;
mod counting;
mod denied;
mod family;
mod identity;
mod process;
mod readings;
mod sampler;
mod schema;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
