//! That the test accepts the instrument, and would not accept a broken one.

use super::*;
use crate::analysis::RunResult;
use crate::journal::KeptBlock;
use crate::plan::Plan;
use crate::stats::Verdict;

/// Enough repetitions to tell right from badly wrong within seconds.
const FEW: Repetitions = Repetitions {
    same: 5 * synthetic::SET,
    suites: 40,
    coverage: 400,
    margin: 500,
    power: 800,
    pilots: 300,
    bootstraps: 60,
};

/// None of an experiment but these.
const NONE: Repetitions = Repetitions {
    same: 0,
    suites: 0,
    coverage: 0,
    margin: 0,
    power: 0,
    pilots: 0,
    bootstraps: 0,
};

fn failed(analyse: Analyse, times: Repetitions) -> Vec<String> {
    let (_, checks) = synthetic(analyse, 1, times).expect("the forms fit");
    let failed = checks
        .iter()
        .filter(|check| !check.passed && check.repetitions > 0);
    failed
        .map(|check| format!("{} {}", check.name, check.measured))
        .collect()
}

/// The analysis with something done to its result.
fn broken(
    plan: &Plan,
    blocks: &[KeptBlock],
    breaks: impl Fn(&mut crate::analysis::Comparison),
) -> RunResult {
    let mut result = analyse_for_verdicts(plan, blocks);
    result.comparisons.iter_mut().for_each(breaks);
    result
}

/// The rule that looks at the middle 40 % of the blocks only, as if the others were outliers.
fn trusts_the_middle(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    broken(plan, blocks, |comparison| {
        let mut ratios = comparison.wall.log_ratios.clone();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = (
            ratios[ratios.len() * 3 / 10],
            ratios[ratios.len() * 7 / 10 - 1],
        );
        if low > 0.0 {
            comparison.verdict = Verdict::Slower;
        }
        if high < 0.0 {
            comparison.verdict = Verdict::Faster;
        }
    })
}

/// Intervals of two thirds of their length, on the log scale.
fn narrow_intervals(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    broken(plan, blocks, |comparison| {
        let centre = comparison.wall.ratio;
        if let Some(interval) = &mut comparison.wall.interval_95 {
            interval.low = centre * (interval.low / centre).powf(2.0 / 3.0);
            interval.high = centre * (interval.high / centre).powf(2.0 / 3.0);
        }
    })
}

/// Equivalent as soon as the estimate lies inside the margin.
fn lenient_equivalence(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    broken(plan, blocks, |comparison| {
        comparison.within_margin = comparison.wall.ratio.ln().abs() < plan.margin.ln_1p();
    })
}

/// No correction for many comparisons.
fn uncorrected(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    broken(plan, blocks, |comparison| {
        if comparison.wall.p <= 0.05 {
            comparison.verdict = Verdict::Slower;
        }
    })
}

/// Nothing is ever found.
fn blind(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    broken(plan, blocks, |comparison| {
        comparison.verdict = Verdict::Inconclusive
    })
}

#[track_caller]
fn check_noticed(analyse: Analyse, times: Repetitions, part: &str) {
    let failed = failed(analyse, times);
    assert!(
        failed.iter().any(|name| name.contains(part)),
        "`{part}` is not in {failed:#?}"
    );
}

#[test]
fn a_broken_instrument_is_noticed() {
    let same = Repetitions {
        same: FEW.same,
        ..NONE
    };
    check_noticed(trusts_the_middle, same, "false positives, 20 blocks");
    check_noticed(blind, same, "false positives, 20 blocks");
    let coverage = Repetitions {
        coverage: FEW.coverage,
        ..NONE
    };
    check_noticed(
        narrow_intervals,
        coverage,
        "coverage, normal noise, 20 blocks",
    );
    let margin = Repetitions {
        margin: FEW.margin,
        ..NONE
    };
    check_noticed(
        lenient_equivalence,
        margin,
        "false equivalence at the margin, 30 blocks",
    );
    let suites = Repetitions {
        suites: FEW.suites,
        ..NONE
    };
    check_noticed(
        uncorrected,
        suites,
        "family-wise error over 20 cases, 20 blocks",
    );
    let power = Repetitions {
        power: FEW.power,
        ..NONE
    };
    check_noticed(blind, power, "5 % found with an SD of 1 %");
    let pilots = Repetitions {
        pilots: FEW.pilots,
        ..NONE
    };
    check_noticed(blind, pilots, "found at the pilot's n");
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let times = Repetitions {
        same: 200,
        power: 50,
        bootstraps: 5,
        ..NONE
    };
    let figures = |seed| {
        synthetic(analyse_for_verdicts, seed, times)
            .expect("the forms fit")
            .0
    };
    assert_eq!(figures(3).power, figures(3).power);
    assert_ne!(figures(3).power, figures(4).power);
}

#[test]
fn the_instrument_passes_and_its_figures_can_be_read_back() {
    let (made, checks) = synthetic(analyse_for_verdicts, 1, FEW).expect("the forms fit");
    let verification = Verification::of(1, made, None, checks);
    assert!(
        verification.passed,
        "{:#?}",
        verification.failed().collect::<Vec<_>>()
    );
    let text = serde_json::to_string(&verification).expect("it is JSON");
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    for key in [
        "false_positive_rate",
        "family_wise_error_rate",
        "coverage",
        "false_equivalence_rate",
    ] {
        assert!(value[key].is_f64(), "{key}: {}", value[key]);
    }
    assert_eq!(value["power"].as_array().map(Vec::len), Some(16));
    let again: Verification = serde_json::from_str(&text).expect("its own form");
    assert_eq!(again.coverage, verification.coverage);
    let shown = show::text(&verification);
    for part in ["All ", "false positives, 20 blocks", "+5 %"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(
        shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );
}

#[test]
fn nothing_measured_is_nothing_passed() {
    let (_, checks) = synthetic(analyse_for_verdicts, 1, NONE).expect("the forms fit");
    assert!(checks.iter().all(|check| !check.passed));
}
