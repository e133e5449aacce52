//! Numbers and sentences, the same in every face.

use crate::analysis::{Comparison, CorrectionMethod, Estimate, RatioInterval, RunResult};
use crate::plan::Plan;
use crate::stats::Verdict;

/// A ratio as a signed percentage: 1.019 is `+1.9 %`; from a factor of two on as the factor: `×2.31`.
pub fn percent(ratio: f64) -> String {
    if !(0.5..2.0).contains(&ratio) {
        return format!("×{ratio:.2}");
    }
    let percent = (ratio - 1.0) * 100.0;
    // The sign of what is shown, so that −0.04 is not "−0.0".
    let shown = format!("{:.1}", percent.abs());
    match percent {
        _ if shown == "0.0" => "0.0 %".into(),
        p if p < 0.0 => format!("−{shown} %"),
        _ => format!("+{shown} %"),
    }
}

/// An interval of ratios: `+1.2 … +2.6 %`.
pub fn interval(interval: Option<RatioInterval>) -> String {
    let Some(RatioInterval { low, high, .. }) = interval else {
        return "–".into();
    };
    let (low, high) = (percent(low), percent(high));
    match (low.strip_suffix(" %"), high.strip_suffix(" %")) {
        (Some(low), Some(_)) => format!("{low} … {high}"),
        _ => format!("{low} … {high}"),
    }
}

/// The minimal detectable effect: `±0.9 %`.
pub fn detectable(estimate: &Estimate) -> String {
    match estimate.detectable {
        Some(effect) if effect < 1.0 => format!("±{:.1} %", effect * 100.0),
        Some(effect) => format!("×{:.1}", 1.0 + effect),
        None => "–".into(),
    }
}

/// A time in the unit that suits it, three digits: `152 ms`.
pub fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// The answer in plain words, one sentence a variant.
pub fn sentences(plan: &Plan, result: &RunResult) -> Vec<String> {
    let variants = plan.variants.iter().skip(1);
    variants
        .map(|variant| sentence(&variant.name, plan, result))
        .collect()
}

fn sentence(variant: &str, plan: &Plan, result: &RunResult) -> String {
    let of = |verdict: Verdict| -> Vec<&Comparison> {
        let all = result.comparisons.iter();
        all.filter(|c| c.variant == variant && c.verdict == verdict)
            .collect()
    };
    let sized = |comparisons: &[&Comparison]| {
        let named = comparisons
            .iter()
            .map(|c| format!("{} ({})", c.case, percent(c.wall.ratio)));
        named.collect::<Vec<_>>().join(", ")
    };
    let named = |all: &[&Comparison]| {
        all.iter()
            .map(|c| c.case.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut parts = Vec::new();
    for (verdict, word) in [
        (Verdict::Slower, "slower at"),
        (Verdict::Faster, "faster at"),
    ] {
        let comparisons = of(verdict);
        if !comparisons.is_empty() {
            parts.push(format!("{word} {}", sized(&comparisons)));
        }
    }
    let equivalent = of(Verdict::Equivalent);
    if !equivalent.is_empty() {
        let margin = plan.margin * 100.0;
        parts.push(format!(
            "equivalent within ±{margin} % for {}",
            named(&equivalent)
        ));
    }
    let reference = &result.reference;
    let open = of(Verdict::Inconclusive);
    let said = match parts.is_empty() {
        true => format!("Nothing can be said of {variant} against {reference} on this machine yet"),
        false => format!(
            "On this machine {variant} against {reference} is {}",
            parts.join("; ")
        ),
    };
    match open.is_empty() {
        true => format!("{said}."),
        false => format!("{said}; inconclusive for {}.", named(&open)),
    }
}

/// What must be said beside the verdicts.
pub fn caveats(plan: &Plan, result: &RunResult) -> Vec<String> {
    let mut caveats = Vec::new();
    let correction = &result.correction;
    let m = correction.comparisons;
    match correction.method {
        CorrectionMethod::Holm if m > 1 => caveats.push(format!(
            "Verdicts are corrected for {m} comparisons (Holm): the chance of any false \"faster\" or \
             \"slower\" in the table is at most 5 %."
        )),
        CorrectionMethod::None if m > 0 => caveats.push(format!(
            "{} blocks cannot pass a correction for {m} comparisons (smallest p {:.3}): each verdict holds \
             for its own case at 95 %, not for the table as a whole. --blocks {} corrects it.",
            result.blocks,
            correction.smallest_p,
            blocks_for(m)
        )),
        CorrectionMethod::Holm | CorrectionMethod::None => {}
    }
    let sequential: Vec<&str> = plan
        .cases
        .iter()
        .filter(|case| case.interleave == crate::plan::Interleave::Sequential)
        .map(|case| case.id.as_str())
        .collect();
    if !sequential.is_empty() {
        caveats.push(format!(
            "Processes ran one after the other, which lets a noisy host through, in: {}.",
            sequential.join(", ")
        ));
    }
    caveats.push(
        "Each variant was built once: what another layout of the same code would change is not covered."
            .into(),
    );
    caveats
}

/// The number of blocks at which the first of `m` comparisons can pass Holm's correction.
fn blocks_for(m: usize) -> usize {
    (6..)
        .find(|&n| crate::stats::smallest_p(n) * m as f64 <= 0.05)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_read_well() {
        assert_eq!(percent(1.019), "+1.9 %");
        assert_eq!(percent(0.981), "−1.9 %");
        assert_eq!(percent(1.0), "0.0 %");
        assert_eq!(percent(0.9996), "0.0 %");
        assert_eq!(percent(2.314), "×2.31");
        assert_eq!(percent(0.25), "×0.25");
    }

    #[test]
    fn intervals_share_their_unit() {
        let of = |low, high| {
            interval(Some(RatioInterval {
                low,
                high,
                level: 0.95,
            }))
        };
        assert_eq!(of(1.012, 1.026), "+1.2 … +2.6 %");
        assert_eq!(of(0.99, 2.5), "−1.0 % … ×2.50");
        assert_eq!(interval(None), "–");
    }

    #[test]
    fn times_have_three_digits_and_a_unit() {
        assert_eq!(time(512.0), "512 ns");
        assert_eq!(time(1_520.0), "1.52 µs");
        assert_eq!(time(15_200_000.0), "15.2 ms");
        assert_eq!(time(2.5e9), "2.50 s");
    }

    #[test]
    fn enough_blocks_for_a_correction() {
        assert_eq!(blocks_for(1), 6);
        assert_eq!(blocks_for(8), 9);
        assert_eq!(blocks_for(20), 10);
    }
}
