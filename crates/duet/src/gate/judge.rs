//! The rule of the gate: a pure function from results to a judgement.

use serde::{Deserialize, Serialize};

use crate::analysis::{Comparison, RatioInterval, RunResult};
use crate::plan::NotRun;
use crate::stats::Verdict;

/// The version of the gate's JSON.
const GATE_SCHEMA: u32 = 1;

/// What the gate found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The version of this format.
    pub schema: u32,
    /// The largest slowdown that may pass, as a ratio minus one.
    pub max_slowdown: f64,
    /// The exit code of `gate`, which depends on `--strict`.
    pub exit_code: u8,
    /// One per comparison of every folder, in their order.
    pub checks: Vec<Check>,
    /// Cases without a valid block, by folder.
    pub not_run: Vec<Missing>,
    /// Folders without any valid comparison.
    pub nothing_valid: Vec<String>,
}

/// A comparison held against the limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The results folder.
    pub folder: String,
    /// The case.
    pub case: String,
    /// The variant.
    pub variant: String,
    /// What it is compared with.
    pub reference: String,
    /// What was found.
    pub finding: Finding,
    /// What the verdict rests on: `wall_ns`, or `cpu_ns` where the client of a server is compared.
    pub metric: String,
    /// The median ratio of it, variant over reference.
    pub ratio: f64,
    /// Its 95 % interval; absent where there are too few blocks for one.
    pub interval_95: Option<RatioInterval>,
    /// The verdict of the comparison, corrected for the family where possible.
    pub verdict: Verdict,
}

/// How a comparison stands to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// The verdict is `slower`, and the whole 95 % interval lies above the limit.
    Regression,
    /// The interval reaches from below the limit to above it, or there is none; or it lies above the limit
    /// and the verdict, corrected for the number of comparisons, is not `slower`.
    Inconclusive,
    /// The whole interval lies at or below the limit.
    Within,
}

/// A case that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The results folder.
    pub folder: String,
    /// The case.
    pub case: String,
    /// Why it was not measured.
    pub reason: String,
}

/// Holds every comparison against `max_slowdown`, a ratio minus one.
///
/// A regression is what is certain: not an estimate above the limit, which half of the harmless changes at
/// the limit would have. With `strict`, whatever is not shown to be within the limit does not pass either.
/// The interval is that of each comparison, at 95 %; that a regression must also have the verdict `slower`
/// brings in the correction for many comparisons, and keeps the gate and the report of one mind.
pub fn judge(results: &[(String, RunResult)], max_slowdown: f64, strict: bool) -> Gate {
    let mut gate = Gate {
        schema: GATE_SCHEMA,
        max_slowdown,
        exit_code: 0,
        checks: Vec::new(),
        not_run: Vec::new(),
        nothing_valid: Vec::new(),
    };
    for (folder, result) in results {
        for comparison in &result.comparisons {
            gate.checks.push(Check {
                folder: folder.clone(),
                case: comparison.case.clone(),
                variant: comparison.variant.clone(),
                reference: result.reference.clone(),
                finding: find(comparison, 1.0 + max_slowdown),
                metric: comparison.metric.clone(),
                ratio: comparison.primary().ratio,
                interval_95: comparison.primary().interval_95,
                verdict: comparison.verdict,
            });
        }
        for NotRun { case, reason } in &result.not_run {
            gate.not_run.push(Missing {
                folder: folder.clone(),
                case: case.clone(),
                reason: reason.clone(),
            });
        }
        if result.comparisons.is_empty() {
            gate.nothing_valid.push(folder.clone());
        }
    }
    gate.exit_code = match () {
        () if gate.count(Finding::Regression) > 0 => 1,
        () if gate.checks.is_empty() || !gate.nothing_valid.is_empty() => 3,
        () if strict && (gate.count(Finding::Inconclusive) > 0 || !gate.not_run.is_empty()) => 4,
        () => 0,
    };
    gate
}

/// `limit` is a ratio. Figures that are no numbers fail every comparison, and so end as inconclusive.
fn find(comparison: &Comparison, limit: f64) -> Finding {
    match comparison.primary().interval_95 {
        Some(interval) if interval.high <= limit => Finding::Within,
        Some(interval) if interval.low > limit && comparison.verdict == Verdict::Slower => {
            Finding::Regression
        }
        _ => Finding::Inconclusive,
    }
}

impl Gate {
    /// How many comparisons came out so.
    pub fn count(&self, finding: Finding) -> usize {
        self.having(finding).count()
    }

    /// The comparisons that came out so.
    pub fn having(&self, finding: Finding) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(move |check| check.finding == finding)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::analysis::{Correction, CorrectionMethod, Estimate, RESULT_SCHEMA};

    /// A comparison with this ratio and interval.
    pub fn comparison(
        case: &str,
        verdict: Verdict,
        ratio: f64,
        interval: Option<(f64, f64)>,
    ) -> Comparison {
        Comparison {
            case: case.into(),
            variant: "new".into(),
            metric: "wall_ns".into(),
            verdict,
            within_margin: false,
            interleave: serde_json::from_str("\"lockstep\"").expect("a mode"),
            reference_wall_ns: 1e6,
            variant_wall_ns: 1e6 * ratio,
            wall: Estimate {
                blocks: 6,
                ratio,
                interval_95: interval.map(|(low, high)| RatioInterval {
                    low,
                    high,
                    level: 0.96875,
                }),
                interval_90: None,
                p: 0.03125,
                p_adjusted: 0.03125,
                block_sd: Some(0.01),
                detectable: Some(0.02),
                secondary: Default::default(),
                log_ratios: vec![ratio.ln(); 6],
            },
            exploratory: BTreeMap::new(),
            checks: Default::default(),
        }
    }

    pub fn result(comparisons: Vec<Comparison>, not_run: &[&str]) -> RunResult {
        RunResult {
            schema: RESULT_SCHEMA,
            suite: "quick".into(),
            created: "2026-01-01T00:00:00Z".into(),
            margin: 0.03,
            blocks: 6,
            builds: 1,
            reference: "old".into(),
            correction: Correction {
                comparisons: comparisons.len(),
                method: CorrectionMethod::None,
                smallest_p: 0.03125,
            },
            comparisons,
            summaries: Vec::new(),
            cases: Vec::new(),
            variants: Vec::new(),
            not_run: not_run
                .iter()
                .map(|case| NotRun {
                    case: (*case).into(),
                    reason: "no server".into(),
                })
                .collect(),
            dropped: Vec::new(),
            disturbances: Default::default(),
        }
    }

    /// A comparison with this verdict, ratio and interval is found so at a limit of 5 %, and gives these exit
    /// codes without and with `--strict`.
    #[track_caller]
    fn check(
        verdict: Verdict,
        ratio: f64,
        interval: Option<(f64, f64)>,
        finding: Finding,
        codes: (u8, u8),
    ) {
        let result = result(vec![comparison("a/b/c", verdict, ratio, interval)], &[]);
        check_codes(&[result], codes);
        let gate = judge(&[], 0.05, false);
        assert_eq!((gate.exit_code, gate.checks.len()), (3, 0));
        let comparison = comparison("a/b/c", verdict, ratio, interval);
        assert_eq!(find(&comparison, 1.05), finding);
    }

    #[track_caller]
    fn check_codes(results: &[RunResult], codes: (u8, u8)) {
        let named: Vec<_> = results
            .iter()
            .map(|result| ("folder".to_string(), result.clone()))
            .collect();
        let code = |strict| judge(&named, 0.05, strict).exit_code;
        assert_eq!((code(false), code(true)), codes);
    }

    #[test]
    fn only_what_is_certain_is_a_regression() {
        use Finding::{Inconclusive, Regression, Within};
        use Verdict::{Equivalent, Faster, Slower};
        check(Slower, 1.10, Some((1.06, 1.12)), Regression, (1, 1));
        check(Slower, 1.10, Some((1.05, 1.12)), Inconclusive, (0, 4));
        check(Slower, 1.10, Some((1.02, 1.12)), Inconclusive, (0, 4));
        check(Slower, 1.03, Some((1.02, 1.12)), Inconclusive, (0, 4));
        check(Slower, 1.03, Some((1.02, 1.05)), Within, (0, 0));
        check(Equivalent, 1.0, Some((0.99, 1.01)), Within, (0, 0));
        check(Faster, 0.5, Some((0.4, 0.6)), Within, (0, 0));
        // The interval alone says so, but not after the correction for many comparisons.
        check(
            Verdict::Inconclusive,
            1.10,
            Some((1.06, 1.12)),
            Inconclusive,
            (0, 4),
        );
        // Below 6 blocks there is no interval.
        check(Verdict::Inconclusive, 1.5, None, Inconclusive, (0, 4));
        check(Verdict::Inconclusive, 1.0, None, Inconclusive, (0, 4));
        let nan = Some((f64::NAN, f64::NAN));
        check(Slower, f64::NAN, nan, Inconclusive, (0, 4));
    }

    #[test]
    fn the_worst_of_several_comparisons_and_folders_counts() {
        let good = || comparison("good", Verdict::Equivalent, 1.0, Some((0.99, 1.01)));
        let bad = || comparison("bad", Verdict::Slower, 1.2, Some((1.1, 1.3)));
        let open = || comparison("open", Verdict::Inconclusive, 1.0, Some((0.9, 1.1)));
        check_codes(&[result(vec![good(), bad(), open()], &["x"])], (1, 1));
        check_codes(&[result(vec![good(), open()], &[])], (0, 4));
        check_codes(&[result(vec![good()], &["x"])], (0, 4));
        let nothing = || result(Vec::new(), &["x"]);
        check_codes(&[nothing()], (3, 3));
        check_codes(&[result(vec![good()], &[]), nothing()], (3, 3));
        check_codes(&[result(vec![bad()], &[]), nothing()], (1, 1));
        check_codes(
            &[result(vec![good()], &[]), result(vec![bad()], &[])],
            (1, 1),
        );
    }

    #[test]
    fn everything_is_listed_with_its_folder() {
        let good = comparison("good", Verdict::Equivalent, 1.0, Some((0.99, 1.01)));
        let results = [
            ("one".to_string(), result(vec![good], &["skipped"])),
            ("two".to_string(), result(Vec::new(), &[])),
        ];
        let gate = judge(&results, 0.05, false);
        assert_eq!(gate.checks[0].folder, "one");
        assert_eq!(gate.checks[0].reference, "old");
        assert_eq!(gate.not_run[0].case, "skipped");
        assert_eq!(gate.nothing_valid, ["two"]);
    }
}
