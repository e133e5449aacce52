//! The built-in cases, as data.

use std::fmt;

use serde_json::Value;

use crate::case::Case;
use crate::session::{Outcome, WorkloadError};

/// How far a result may be from what is expected, relatively.
const TOLERANCE: f64 = 1e-9;

/// A built-in case.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The case's name; what [`Case::id`] makes of the arguments.
    pub id: &'static str,
    /// The arguments of the program `workload`.
    pub args: &'static [&'static str],
    /// The suites that the case belongs to. `quick` ones are also what `cargo bench` runs.
    pub suites: &'static [Suite],
    /// A figure of the result that must come out, to nine digits.
    pub expect: Option<(&'static str, f64)>,
}

/// A choice of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Small: an iteration takes milliseconds.
    Quick,
    /// As large as programs really are: an iteration takes seconds.
    Standard,
    /// The sizes that the original comparison of containers used.
    Origin,
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Suite::Quick => "quick",
            Suite::Standard => "standard",
            Suite::Origin => "origin",
        })
    }
}

impl Entry {
    /// The case that the arguments describe.
    ///
    /// # Errors
    ///
    /// Never for a built-in entry, whose arguments are right.
    pub fn case(&self) -> Result<Case, WorkloadError> {
        Case::parse(self.args)
    }

    /// Holds an outcome of the case against what is expected.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Wrong`] when it differs.
    pub fn verify(&self, outcome: &Outcome) -> Result<(), WorkloadError> {
        let Some((figure, expected)) = self.expect else {
            return Ok(());
        };
        let found = outcome.result.get(figure).and_then(Value::as_f64);
        match found {
            Some(found) if (found - expected).abs() <= TOLERANCE * expected.abs() => Ok(()),
            _ => Err(WorkloadError::Wrong(format!(
                "{figure} is {found:?}, expected {expected}"
            ))),
        }
    }
}

/// Every built-in case, by workload and from small to large.
///
/// In `libc` the single-threaded allocator comes first: `cargo bench` works out its statistics on threads, which stay.
pub const ENTRIES: &[Entry] = &[
    Entry {
        id: "kmeans/fit/1k-k5",
        args: &["kmeans", "--samples", "1k", "--clusters", "5"],
        suites: &[Suite::Quick],
        expect: Some(("inertia", 127_468.697_787)),
    },
    Entry {
        id: "kmeans/fit/5k-k5",
        args: &["kmeans", "--samples", "5k", "--clusters", "5"],
        suites: &[Suite::Quick],
        expect: Some(("inertia", 640_316.540_346)),
    },
    Entry {
        id: "kmeans/fit/5k-k7",
        args: &["kmeans", "--samples", "5k", "--clusters", "7"],
        suites: &[Suite::Quick],
        expect: Some(("inertia", 640_081.010_189)),
    },
    Entry {
        id: "kmeans/fit/100k-k5",
        args: &["kmeans", "--samples", "100k", "--clusters", "5"],
        suites: &[Suite::Standard, Suite::Origin],
        expect: Some(("inertia", 12_800_855.22)),
    },
    Entry {
        id: "kmeans/fit/100k-k7",
        args: &["kmeans", "--samples", "100k", "--clusters", "7"],
        suites: &[Suite::Standard, Suite::Origin],
        expect: Some(("inertia", 12_800_608.95)),
    },
    Entry {
        id: "kmeans/fit/500k-k5",
        args: &["kmeans", "--samples", "500k", "--clusters", "5"],
        suites: &[Suite::Origin],
        expect: Some(("inertia", 64_009_635.94)),
    },
    Entry {
        id: "kmeans/fit/500k-k7",
        args: &["kmeans", "--samples", "500k", "--clusters", "7"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "kmeans/fit/1m-k3",
        args: &["kmeans", "--samples", "1m", "--clusters", "3"],
        suites: &[Suite::Origin],
        expect: Some(("inertia", 128_018_685.50)),
    },
    Entry {
        id: "kmeans/fit/1m-k5",
        args: &["kmeans", "--samples", "1m", "--clusters", "5"],
        suites: &[Suite::Origin],
        expect: Some(("inertia", 128_018_441.10)),
    },
    Entry {
        id: "kmeans/fit/5m-k3",
        args: &["kmeans", "--samples", "5m", "--clusters", "3"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "kmeans/fit/5m-k5",
        args: &["kmeans", "--samples", "5m", "--clusters", "5"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/train/1k-t10",
        args: &[
            "forest",
            "--phase",
            "train",
            "--samples",
            "1k",
            "--trees",
            "10",
        ],
        suites: &[Suite::Quick],
        expect: None,
    },
    Entry {
        id: "forest/train/2k-t5",
        args: &[
            "forest",
            "--phase",
            "train",
            "--samples",
            "2k",
            "--trees",
            "5",
        ],
        suites: &[Suite::Quick],
        expect: None,
    },
    Entry {
        id: "forest/train/5k-t10",
        args: &[
            "forest",
            "--phase",
            "train",
            "--samples",
            "5k",
            "--trees",
            "10",
        ],
        suites: &[Suite::Standard],
        expect: None,
    },
    Entry {
        id: "forest/train/10k-t10",
        args: &[
            "forest",
            "--phase",
            "train",
            "--samples",
            "10k",
            "--trees",
            "10",
        ],
        suites: &[Suite::Standard],
        expect: None,
    },
    Entry {
        id: "forest/predict/5k-t10",
        args: &[
            "forest",
            "--phase",
            "predict",
            "--samples",
            "5k",
            "--trees",
            "10",
        ],
        suites: &[Suite::Quick],
        expect: None,
    },
    Entry {
        id: "forest/predict/10k-t50",
        args: &[
            "forest",
            "--phase",
            "predict",
            "--samples",
            "10k",
            "--trees",
            "50",
        ],
        suites: &[Suite::Standard],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t1",
        args: &["forest", "--samples", "100k", "--trees", "1"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t2",
        args: &["forest", "--samples", "100k", "--trees", "2"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t5",
        args: &["forest", "--samples", "100k", "--trees", "5"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t10",
        args: &["forest", "--samples", "100k", "--trees", "10"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t25",
        args: &["forest", "--samples", "100k", "--trees", "25"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t50",
        args: &["forest", "--samples", "100k", "--trees", "50"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "forest/both/100k-t100",
        args: &["forest", "--samples", "100k", "--trees", "100"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "dbload/query/user-by-name",
        args: &["dbload", "--operation", "user_by_name"],
        suites: &[Suite::Quick, Suite::Standard, Suite::Origin],
        expect: None,
    },
    Entry {
        id: "dbload/query/name-range",
        args: &["dbload", "--operation", "name_range"],
        suites: &[Suite::Quick, Suite::Standard, Suite::Origin],
        expect: None,
    },
    Entry {
        id: "dbload/query/users-by-uids",
        args: &["dbload", "--operation", "users_by_uids"],
        suites: &[Suite::Quick, Suite::Standard, Suite::Origin],
        expect: None,
    },
    Entry {
        id: "dbload/query/count-extremes",
        args: &["dbload", "--operation", "count_extremes"],
        suites: &[Suite::Quick, Suite::Standard, Suite::Origin],
        expect: None,
    },
    Entry {
        id: "dbload/load/1k",
        args: &["dbload", "--operation", "load", "--users", "1k"],
        suites: &[Suite::Quick],
        expect: None,
    },
    Entry {
        id: "dbload/load/10k",
        args: &["dbload", "--operation", "load", "--users", "10k"],
        suites: &[Suite::Standard],
        expect: None,
    },
    Entry {
        id: "dbload/load/100k",
        args: &["dbload", "--operation", "load", "--users", "100k"],
        suites: &[Suite::Origin],
        expect: None,
    },
    Entry {
        id: "libc/malloc/churn",
        args: &["libc", "--operation", "malloc"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/malloc/churn-t4",
        args: &["libc", "--operation", "malloc", "--threads", "4"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/malloc/large",
        args: &["libc", "--operation", "malloc", "--pattern", "large"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/memcpy/64",
        args: &["libc", "--operation", "memcpy", "--bytes", "64"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/memcpy/4kib",
        args: &["libc", "--operation", "memcpy", "--bytes", "4096"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/memcpy/1mib",
        args: &["libc", "--operation", "memcpy", "--bytes", "1048576"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/memcpy/16mib",
        args: &["libc", "--operation", "memcpy", "--bytes", "16777216"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
    Entry {
        id: "libc/math/sin-exp-ln",
        args: &["libc", "--operation", "math"],
        suites: &[Suite::Quick, Suite::Standard],
        expect: None,
    },
];
