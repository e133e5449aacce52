//! Numbers and short phrases, the same in every face.

use crate::analysis::{Comparison, CorrectionMethod, Estimate, RatioInterval, RunResult};
use crate::plan::{Interleave, Plan};

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

/// A size in the unit that suits it, three digits: `9.41 MB`.
pub fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes.abs() {
        b if b < 1e3 => return format!("{bytes:.0} B"),
        b if b < 1e6 => (bytes / 1e3, "kB"),
        b if b < 1e9 => (bytes / 1e6, "MB"),
        _ => (bytes / 1e9, "GB"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A number with three digits, or all digits of a large whole one: `0.123`, `12.3`, `12345`.
pub fn number(value: f64) -> String {
    match value.abs() {
        _ if value == value.trunc() && value.abs() < 1e15 => format!("{value}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 0.001 => three_digits(value),
        _ => format!("{value:.2e}"),
    }
}

fn three_digits(value: f64) -> String {
    let digits = match value.abs() {
        v if v < 1.0 => 3,
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// CPU use, where 100 % is one core.
pub fn cpu(percent: f64) -> String {
    format!("{percent:.0} %")
}

/// Figures over time as a line of text: each as high as its share of the highest.
pub fn line(figures: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = figures.iter().copied().fold(0.0, f64::max);
    let height = |figure: &f64| match highest > 0.0 {
        true => HEIGHTS[((figure / highest * 8.0).ceil() as usize).clamp(1, 8) - 1],
        false => HEIGHTS[0],
    };
    figures.iter().map(height).collect()
}

/// A p-value: `0.012`, or `< 0.001`.
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "< 0.001".into(),
        p => format!("{p:.3}"),
    }
}

/// The margin of equivalence: `±3 %`.
pub fn margin(margin: f64) -> String {
    format!("±{} %", number((margin * 1e5).round() / 1e3))
}

/// A moment in RFC 3339 as people read it: `2026-01-02 03:04:05 UTC`.
pub fn moment(text: &str) -> String {
    match (text.split_once('T'), text.strip_suffix('Z')) {
        (Some((date, time)), Some(_)) => format!("{date} {} UTC", time.trim_end_matches('Z')),
        _ => text.into(),
    }
}

/// Words as people list them: `a, b and c`.
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
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
        .filter(|case| case.interleave == Interleave::Sequential)
        .map(|case| case.id.as_str())
        .collect();
    if !sequential.is_empty() {
        caveats.push(format!(
            "Processes ran one after the other, which lets a noisy host through, in: {}.",
            sequential.join(", ")
        ));
    }
    if result.comparisons.iter().any(Comparison::rests_on_cpu) {
        caveats.push(
            "Where the measured program is the client of another one, the verdict rests on its own CPU time \
             (marked CPU): the other one's time is the same for every variant and would dilute the difference."
                .into(),
        );
    }
    caveats.push(match result.builds {
        0 | 1 => "Each variant was built once: layout is not covered. Another order of the same functions can change \
                  a time by some per cent, and one build is one sample of it."
            .into(),
        builds => format!(
            "Each variant was built {builds} times with its code laid out in different ways, and blocks took turns \
             with the builds: the intervals cover layout as far as {builds} samples of it can."
        ),
    });
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
