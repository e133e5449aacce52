//! What a run really cost, and what it was that ran.
//!
//! - [`measure`] and [`Reading`]: wall and CPU time, page faults and context switches of a section
//!   of this process, as [`Counters`].
//! - [`peak_rss_bytes`]: the most memory this process ever held.
//! - [`Sampler`]: a thread that records CPU and memory over time, as a [`Timeline`].
//! - [`Identity`]: the libc, linkage and build of the running program, found from the program
//!   itself.
//! - [`Host`]: the facts about the machine that a figure cannot be read without.
//! - [`Observation`]: all of it in one JSON object, in the form of `docs/observation.schema.json`.
//!
//! Everything is about *this* process, on Linux with glibc or musl. Clocks and counters are asked
//! from the kernel without passing through the libc where that is possible, so that programs built
//! for different libcs are measured by the same code. A reading that is not available is `None`,
//! never 0.
//!
//! ```
//! use probe::{Identity, Observation, Phase, measure};
//!
//! let mut fit = Phase::default();
//! for _ in 0..3 {
//!     let (sum, counters) = measure(|| (0..10_000u64).sum::<u64>());
//!     assert_eq!(sum, 49_995_000);
//!     fit.push(&counters, 1);
//! }
//! let mut observation = Observation::new("sum/10k", Identity::of_this_process("system"));
//! observation.phases.insert("fit".into(), fit);
//! observation.peak_rss_bytes = probe::peak_rss_bytes().ok();
//! assert!(observation.to_json_line()?.starts_with(r#"{"schema":1,"case":"sum/10k""#));
//! # Ok::<(), probe::ProbeError>(())
//! ```

mod cgroup;
mod counters;
mod error;
mod histogram;
mod host;
mod identity;
mod loaded;
mod memory;
mod observation;
mod phase;
mod sampler;
mod timeline;

pub use counters::{Counters, Reading, measure, monotonic_ns};
pub use error::ProbeError;
pub use histogram::Histogram;
pub use host::Host;
pub use identity::{Identity, Libc, Linkage};
pub use memory::peak_rss_bytes;
pub use observation::{Observation, SCHEMA};
pub use phase::Phase;
pub use sampler::Sampler;
pub use timeline::Timeline;
