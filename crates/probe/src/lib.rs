//! What a run really cost, and what it was that ran.
//!
//! - [`observe`]: what a section of this program cost, as a [`Section`]: time, CPU, faults, switches, and the
//!   peak of its memory. [`measure`] and [`Usage`] are the same without memory, in a microsecond.
//! - [`Process`]: this process or another one. [`Process::glance`] is CPU and memory at the least cost,
//!   [`Process::reading`] everything there is, as a [`Reading`].
//! - [`Sampler`]: a thread that records CPU and memory over time, as a [`Timeline`], of this process or of
//!   another one with its descendants. [`Timeline::summary`] is what that comes to.
//! - [`Limits`] and [`Pressure`]: what the control groups allow, and what contention there was.
//! - [`Identity`]: the libc, linkage, allocator and build of the running program, found from the program
//!   itself. [`Host`]: the facts about the machine that a figure cannot be read without.
//! - [`Observation`]: what one process reports, as one JSON object, in the form of
//!   `docs/observation.schema.json`.
//!
//! For Linux with glibc or musl. Clocks and counters are asked from the kernel without passing through the
//! libc where that is possible, so that programs built for different libcs are measured by the same code. A
//! reading that is not available is `None`, never 0. `docs/readings.md` has the unit, the source and the
//! kernel version of every figure.
//!
//! # A function, profiled
//!
//! ```
//! # fn fit() -> Vec<u64> { (0..100_000).map(|x: u64| x * x).collect() }
//! let sampler = probe::Sampler::start(std::time::Duration::from_millis(100))?;
//! let (model, section) = probe::observe(|| fit());
//! print!("{}", sampler.stop().summary(&probe::Limits::of_this_process()));
//! println!("{} ns of CPU, {:?} bytes at most", section.counters.cpu_ns(), section.peak_rss_bytes);
//! # assert_eq!(model.len(), 100_000);
//! # Ok::<(), probe::ProbeError>(())
//! ```
//!
//! # An observation
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
//! let allocator = probe::allocator_name(&[]);
//! let mut observation = Observation::new("sum/10k", Identity::of_this_process(&allocator));
//! observation.phases.insert("fit".into(), fit);
//! observation.peak_rss_bytes = probe::peak_rss_bytes().ok();
//! assert!(observation.to_json_line()?.starts_with(r#"{"schema":1,"case":"sum/10k""#));
//! # Ok::<(), probe::ProbeError>(())
//! ```

mod allocator;
mod cgroup;
mod clock;
mod container;
mod error;
mod export;
mod file;
mod histogram;
mod host;
mod identity;
mod limits;
mod loaded;
mod observation;
mod parse;
mod peak;
mod phase;
mod pressure;
mod process;
mod reading;
mod sampler;
mod section;
mod summary;
mod timeline;
mod usage;

pub use allocator::{Candidate, allocator_name};
pub use clock::monotonic_ns;
pub use error::ProbeError;
pub use histogram::Histogram;
pub use host::Host;
pub use identity::{Identity, Libc, Linkage};
pub use limits::{Limits, WholeMemory};
pub use observation::{Observation, SCHEMA};
pub use parse::pressure::{Stall, StallTime};
pub use peak::peak_rss_bytes;
pub use phase::Phase;
pub use pressure::{Contention, Pressure};
pub use process::Process;
pub use reading::{Glance, Reading, ThreadTime};
pub use sampler::{Sample, Sampler, Sampling};
pub use section::{Section, observe};
pub use summary::{Distribution, Summary, memory_words};
pub use timeline::{Mark, Thinned, Timeline};
pub use usage::{Counters, Usage, measure};
