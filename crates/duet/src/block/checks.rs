//! What the processes of a block must agree in, with the plan and with each other.

use probe::{Identity, Observation};
use serde_json::Value;

use super::Block;
use crate::journal::ProcessEntry;

impl Block<'_> {
    /// The reason why the block must be dropped for every variant, if its processes are not what was planned
    /// or did not do the same.
    pub(super) fn disagreement(&self, processes: &[ProcessEntry]) -> Option<String> {
        let observations: Vec<&Observation> = processes
            .iter()
            .filter_map(|entry| entry.observation.as_ref())
            .collect();
        for (variant, observation) in self.plan.variants.iter().zip(&observations) {
            let name = &variant.name;
            if observation.case != self.case.id {
                let other = &observation.case;
                return Some(format!("{name}: its arguments make it the case `{other}`"));
            }
            if !same_identity(&variant.identity, &observation.identity) {
                return Some(format!(
                    "{name}: its identity changed since the binary was built"
                ));
            }
            for (key, expected) in &self.case.expect {
                let result = observation.result.get(key).and_then(Value::as_f64);
                if let Some(complaint) = unexpected(key, result, *expected, self.case.tolerance) {
                    return Some(format!("{name}: {complaint}"));
                }
            }
        }
        let (first, others) = observations.split_first()?;
        for (variant, other) in self.plan.variants.iter().skip(1).zip(others) {
            if first.fingerprint != other.fingerprint {
                return Some(format!(
                    "the results differ: {} has {}, {} has {}",
                    self.plan.variants[0].name,
                    serde_json::json!(first.fingerprint),
                    variant.name,
                    serde_json::json!(other.fingerprint)
                ));
            }
        }
        None
    }
}

/// Whether two identities agree in what the comparison is about.
fn same_identity(planned: &Identity, observed: &Identity) -> bool {
    let what = |identity: &Identity| {
        (
            identity.libc,
            identity.libc_version.clone(),
            identity.linkage,
            identity.allocator.clone(),
        )
    };
    what(planned) == what(observed)
}

/// What is wrong with a result; `None` if it is as expected.
fn unexpected(key: &str, result: Option<f64>, expected: f64, tolerance: f64) -> Option<String> {
    let Some(result) = result else {
        return Some(format!("it reports no number `{key}`, expected {expected}"));
    };
    let difference = (result - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
    // Written so that a NaN is unexpected, too.
    let fits = result == expected || difference <= tolerance;
    (!fits).then(|| {
        format!("its `{key}` is {result}, expected {expected} within {tolerance:e} relative")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_held_against_what_is_expected() {
        assert_eq!(unexpected("x", Some(100.0), 100.0, 1e-9), None);
        assert_eq!(unexpected("x", Some(100.000_000_01), 100.0, 1e-9), None);
        assert_eq!(unexpected("x", Some(0.0), 0.0, 1e-9), None);
        assert!(unexpected("x", Some(100.001), 100.0, 1e-9).is_some());
        assert!(unexpected("x", Some(1e-12), 0.0, 1e-9).is_some());
        assert!(unexpected("x", Some(f64::NAN), 1.0, 1e-9).is_some());
        assert!(unexpected("x", None, 1.0, 1e-9).is_some_and(|words| words.contains("`x`")));
    }
}
