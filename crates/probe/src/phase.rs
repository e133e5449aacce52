use serde::{Deserialize, Serialize};

use crate::{Counters, Histogram, ProbeError};

/// One measured part of a run (`fit`, `train`, `predict`, …): a list of values per counter.
///
/// The lists run in parallel. Entry `i` of each is the sum over `iterations[i]` iterations, which
/// is 1 where every iteration was read by itself. Units are those of [`Counters`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// How many iterations each entry sums over.
    pub iterations: Vec<u64>,
    /// Time that passed, in nanoseconds.
    pub wall_ns: Vec<u64>,
    /// CPU time in user mode, in nanoseconds.
    pub user_ns: Vec<u64>,
    /// CPU time in the kernel, in nanoseconds.
    pub sys_ns: Vec<u64>,
    /// Page faults without input or output.
    pub minor_faults: Vec<u64>,
    /// Page faults with input or output.
    pub major_faults: Vec<u64>,
    /// Context switches because a thread had to wait.
    pub voluntary_switches: Vec<u64>,
    /// Context switches because the scheduler took the CPU away.
    pub involuntary_switches: Vec<u64>,
    /// The latencies of the operations of this phase, where it has operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// CPU time of this process per operation, in nanoseconds, where the phase has operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cpu_ns_per_operation: Option<f64>,
}

impl Phase {
    /// Appends what `iterations` iterations cost together.
    pub fn push(&mut self, counters: &Counters, iterations: u64) {
        self.iterations.push(iterations);
        self.wall_ns.push(counters.wall_ns);
        self.user_ns.push(counters.user_ns);
        self.sys_ns.push(counters.sys_ns);
        self.minor_faults.push(counters.minor_faults);
        self.major_faults.push(counters.major_faults);
        self.voluntary_switches.push(counters.voluntary_switches);
        self.involuntary_switches
            .push(counters.involuntary_switches);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iterations.len()
    }

    /// Whether nothing was pushed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iterations.is_empty()
    }

    /// Checks that all lists have one length; `name` is for the message.
    pub(crate) fn check(&self, name: &str) -> Result<(), ProbeError> {
        let expected = self.iterations.len();
        for (field, found) in [
            ("wall_ns", self.wall_ns.len()),
            ("user_ns", self.user_ns.len()),
            ("sys_ns", self.sys_ns.len()),
            ("minor_faults", self.minor_faults.len()),
            ("major_faults", self.major_faults.len()),
            ("voluntary_switches", self.voluntary_switches.len()),
            ("involuntary_switches", self.involuntary_switches.len()),
        ] {
            if found != expected {
                return Err(ProbeError::Lengths {
                    place: format!("phase `{name}`"),
                    field,
                    found,
                    reference: "iterations",
                    expected,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_appends_every_counter_to_its_own_list() {
        let mut phase = Phase::default();
        assert!(phase.is_empty());
        let counters = Counters {
            wall_ns: 1,
            user_ns: 2,
            sys_ns: 3,
            minor_faults: 4,
            major_faults: 5,
            voluntary_switches: 6,
            involuntary_switches: 7,
        };
        phase.push(&counters, 1);
        phase.push(&Counters::default(), 8);
        assert_eq!(phase.len(), 2);
        assert_eq!(phase.iterations, [1, 8]);
        assert_eq!(phase.wall_ns, [1, 0]);
        assert_eq!(phase.user_ns, [2, 0]);
        assert_eq!(phase.sys_ns, [3, 0]);
        assert_eq!(phase.minor_faults, [4, 0]);
        assert_eq!(phase.major_faults, [5, 0]);
        assert_eq!(phase.voluntary_switches, [6, 0]);
        assert_eq!(phase.involuntary_switches, [7, 0]);
    }

    #[test]
    fn a_list_of_another_length_is_named() {
        let mut phase = Phase::default();
        phase.push(&Counters::default(), 1);
        assert!(phase.check("fit").is_ok());
        phase.sys_ns.clear();
        let message = phase.check("fit").unwrap_err().to_string();
        assert_eq!(
            message,
            "phase `fit`: `sys_ns` has 0 values, but `iterations` has 1"
        );
    }
}
