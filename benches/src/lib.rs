//! The cases: what the program `workload` runs once, what `cargo bench` measures, and what another program can
//! run turn by turn.
//!
//! - [`case::Case`] is a workload with its parameters; [`case::Case::prepare`] does its set-up and gives a
//!   [`session::Session`], whose iterations can be repeated.
//! - [`run::Run`] measures a session's iterations and makes the [`probe::Observation`] of them.
//! - [`paced`] lets another program set the pace.
//! - [`slowdown`] makes iterations longer by a known share, to test what measures them.
//! - [`registry`] reads the cases of `duet.toml`.
//! - [`allocator::name`] proves which allocator the process uses, [`identity::of_this_program`] what it is.
//!
//! # Example
//!
//! ```
//! use benches::{case::Case, run::Run};
//!
//! let case = Case::parse(&["kmeans", "--samples", "200", "--clusters", "3", "--features", "2"])?;
//! assert_eq!(case.id(), "kmeans/fit/200-k3-features2");
//! let mut run = Run::prepare(&case)?;
//! run.turn(2)?;
//! let observation = run.finish(None)?;
//! assert_eq!(observation.phases["fit"].iterations, [2]);
//! # Ok::<(), benches::session::WorkloadError>(())
//! ```

pub mod allocator;
mod arrays;
pub mod baseline;
pub mod case;
pub mod dbload;
pub mod forest;
pub mod hash;
pub mod identity;
pub mod kmeans;
pub mod libc;
pub mod paced;
pub mod registry;
pub mod run;
pub mod session;
pub mod size;
pub mod slowdown;
