use serde::{Deserialize, Serialize};

/// The distribution of the latencies of one kind of operation, in nanoseconds.
///
/// `p99_ns` is the latency that 99 % of the operations did not exceed, and so on. The recorder that
/// fills it decides the precision of the quantiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many operations were recorded.
    pub count: u64,
    /// The arithmetic mean.
    pub mean_ns: f64,
    /// The shortest.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// The 90th percentile.
    pub p90_ns: u64,
    /// The 95th percentile.
    pub p95_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The 99.9th percentile.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}
