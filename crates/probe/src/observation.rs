use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Identity, Phase, ProbeError, Timeline};

/// The version of the observation's form that this crate writes and reads.
pub const SCHEMA: u32 = 1;

/// What one process reports about itself: one JSON object, described by
/// `docs/observation.schema.json`.
///
/// Times are nanoseconds, sizes are bytes. A reading that was not available is `null` (`None`).
///
/// ```
/// use probe::{Identity, Observation};
///
/// let mut observation = Observation::new("kmeans/fit/1k-k3", Identity::of_this_process("system"));
/// observation.result.insert("inertia".into(), 128.5.into());
/// let line = observation.to_json_line()?;
/// assert_eq!(Observation::from_json(&line)?, observation);
/// # Ok::<(), probe::ProbeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The version of this form: [`SCHEMA`].
    pub schema: u32,
    /// Which computation with which parameters, as `workload/phase/size`.
    pub case: String,
    /// The program that ran.
    pub identity: Identity,
    /// The measured parts by name.
    pub phases: BTreeMap<String, Phase>,
    /// The most memory the process ever held, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Time from the start of the set-up to the first measured part, in nanoseconds.
    pub setup_ns: u64,
    /// CPU and memory over time, where a sampler ran.
    pub timeline: Option<Timeline>,
    /// What was computed, for people and for checks against expected values.
    pub result: BTreeMap<String, Value>,
    /// What must be equal for two processes to have done the same work.
    pub fingerprint: BTreeMap<String, Value>,
}

impl Observation {
    /// An observation of `case` by the program `identity`, with nothing measured yet.
    pub fn new(case: impl Into<String>, identity: Identity) -> Self {
        Self {
            schema: SCHEMA,
            case: case.into(),
            identity,
            phases: BTreeMap::new(),
            peak_rss_bytes: None,
            setup_ns: 0,
            timeline: None,
            result: BTreeMap::new(),
            fingerprint: BTreeMap::new(),
        }
    }

    /// The observation as JSON on one line, without the line's end.
    ///
    /// # Errors
    /// [`ProbeError::Lengths`] if lists that run in parallel have different lengths.
    pub fn to_json_line(&self) -> Result<String, ProbeError> {
        self.check()?;
        Ok(serde_json::to_string(self)?)
    }

    /// Reads an observation from its JSON text.
    ///
    /// # Errors
    /// [`ProbeError::Schema`] for another version, [`ProbeError::Json`] for text that is not JSON
    /// or lacks a part, [`ProbeError::Lengths`] if lists that run in parallel have different
    /// lengths.
    pub fn from_json(text: &str) -> Result<Self, ProbeError> {
        // The version is looked at first: another version must not be reported as a missing field.
        #[derive(Deserialize)]
        struct Version {
            schema: u64,
        }
        let Version { schema: found } = serde_json::from_str(text)?;
        if found != u64::from(SCHEMA) {
            return Err(ProbeError::Schema { found });
        }
        let observation: Self = serde_json::from_str(text)?;
        observation.check()?;
        Ok(observation)
    }

    fn check(&self) -> Result<(), ProbeError> {
        for (name, phase) in &self.phases {
            phase.check(name)?;
        }
        self.timeline.as_ref().map_or(Ok(()), Timeline::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counters;

    fn observation() -> Observation {
        let mut observation = Observation::new("a/b/c", Identity::of_this_process("system"));
        let mut phase = Phase::default();
        phase.push(&Counters::default(), 1);
        observation.phases.insert("fit".into(), phase);
        observation
    }

    #[test]
    fn it_is_one_line_and_comes_back_equal() {
        let line = observation().to_json_line().unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(Observation::from_json(&line).unwrap(), observation());
    }

    #[track_caller]
    fn check_refused(text: &str, message: &str) {
        let error = Observation::from_json(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn other_text_is_refused_with_the_reason() {
        check_refused("", "EOF");
        check_refused("{}", "missing field `schema`");
        check_refused(
            r#"{"schema":2,"case":"a"}"#,
            "has schema 2, but only schema 1",
        );
        check_refused(r#"{"schema":1,"case":"a"}"#, "missing field `identity`");
        let line = observation().to_json_line().unwrap();
        check_refused(
            &line.replace(r#""wall_ns":[0]"#, r#""wall_ns":[]"#),
            "`wall_ns` has 0",
        );
        check_refused(
            &line.replace(r#""wall_ns":[0]"#, r#""wall_ns":[-1]"#),
            "integer `-1`",
        );
    }

    #[test]
    fn lists_out_of_step_are_not_written() {
        let mut observation = observation();
        observation.timeline = Some(Timeline {
            rss_bytes: vec![1],
            ..Timeline::default()
        });
        assert!(matches!(
            observation.to_json_line(),
            Err(ProbeError::Lengths { .. })
        ));
    }
}
