//! The answer in plain sentences: what a person wants to know first.

use super::words::{bytes, interval, list, margin, percent};
use crate::analysis::{Comparison, RunResult, Summary, VariantFigures, workload};
use crate::plan::Plan;
use crate::stats::Verdict;

/// What is said of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The variant.
    pub variant: String,
    /// How many comparisons had which verdict.
    pub counts: Vec<(Verdict, usize)>,
    /// The answer on the whole in a sentence.
    pub headline: String,
    /// One sentence a workload, then what another variant makes of it.
    pub sentences: Vec<String>,
}

/// The most cases of a verdict that a sentence names one by one.
const NAMED: usize = 3;

/// The answers, one a variant other than the reference.
pub fn answers(plan: &Plan, result: &RunResult) -> Vec<Answer> {
    let variants = plan.variants.iter().skip(1);
    variants
        .map(|variant| answer(&variant.name, result))
        .collect()
}

fn answer(variant: &str, result: &RunResult) -> Answer {
    let of_variant = |c: &&Comparison| c.variant == variant;
    let all: Vec<&Comparison> = result.comparisons.iter().filter(of_variant).collect();
    let count = |verdict| all.iter().filter(|c| c.verdict == verdict).count();
    let counts: Vec<(Verdict, usize)> = [
        Verdict::Slower,
        Verdict::Faster,
        Verdict::Equivalent,
        Verdict::Inconclusive,
    ]
    .map(|verdict| (verdict, count(verdict)))
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .collect();
    let mut workloads: Vec<&str> = Vec::new();
    for comparison in &all {
        let name = workload(&comparison.case);
        if !workloads.contains(&name) {
            workloads.push(name);
        }
    }
    let of_workload = |name: &str| {
        let cases = all.iter().filter(|c| workload(&c.case) == name);
        workload_sentence(name, &cases.copied().collect::<Vec<_>>(), result)
    };
    let mut sentences: Vec<String> = workloads.into_iter().map(of_workload).collect();
    sentences.extend(what_others_change(variant, &all, result));
    Answer {
        variant: variant.into(),
        headline: headline(variant, &all, &counts, result),
        counts,
        sentences,
    }
}

fn headline(
    variant: &str,
    all: &[&Comparison],
    counts: &[(Verdict, usize)],
    result: &RunResult,
) -> String {
    let reference = &result.reference;
    if all.is_empty() {
        return format!("Nothing was measured of {variant} against {reference}.");
    }
    let summary = result
        .summaries
        .iter()
        .find(|summary| summary.variant == variant && summary.workload.is_none());
    let mean = match summary {
        Some(summary) if summary.cases > 1 => format!(
            " Its geometric mean over these {} cases is {}{}.",
            summary.cases,
            percent(summary.ratio),
            mean_interval(summary)
        ),
        _ => String::new(),
    };
    if let [(Verdict::Inconclusive, _)] = counts {
        return format!(
            "Nothing can be said of {variant} against {reference} on this machine yet: the blocks are too few or \
             too noisy.{mean}"
        );
    }
    let total = all.len();
    let parts: Vec<String> = counts
        .iter()
        .map(|(verdict, count)| match *count == total {
            true if total == 1 => verdict.to_string(),
            true => format!("{verdict} in all {total} cases"),
            false => format!("{verdict} in {count}"),
        })
        .collect();
    let of = match counts.len() {
        1 => String::new(),
        _ => format!(" of {total} cases"),
    };
    format!(
        "On this machine {variant} against {reference} is {}{of}.{mean}",
        list(&parts)
    )
}

/// The interval of a geometric mean in parentheses, where there is one.
fn mean_interval(summary: &Summary) -> String {
    match summary.interval_95 {
        Some(_) => format!(" ({})", interval(summary.interval_95)),
        None => String::new(),
    }
}

fn workload_sentence(name: &str, cases: &[&Comparison], result: &RunResult) -> String {
    let phrase = |verdict: Verdict| -> Option<String> {
        let chosen: Vec<&Comparison> = cases
            .iter()
            .filter(|c| c.verdict == verdict)
            .copied()
            .collect();
        if chosen.is_empty() {
            return None;
        }
        let word = match verdict {
            Verdict::Equivalent => format!("equivalent within {}", margin(result.margin)),
            other => other.to_string(),
        };
        let sized = matches!(verdict, Verdict::Slower | Verdict::Faster);
        Some(match chosen.len() {
            n if n == cases.len() && n > NAMED => {
                format!("{word} in all {n} cases{}", range(&chosen, sized))
            }
            n if n > NAMED => format!(
                "{word} in {n} of {} cases{}",
                cases.len(),
                range(&chosen, sized)
            ),
            _ => {
                let named: Vec<String> = chosen.iter().map(|c| named(c, sized)).collect();
                format!("{word} at {}", list(&named))
            }
        })
    };
    let phrases: Vec<String> = [
        Verdict::Slower,
        Verdict::Faster,
        Verdict::Equivalent,
        Verdict::Inconclusive,
    ]
    .into_iter()
    .filter_map(phrase)
    .collect();
    format!("{name}: {}.", phrases.join("; "))
}

/// A case without its workload, with the size of its difference.
fn named(comparison: &Comparison, sized: bool) -> String {
    let case = &comparison.case;
    let short = case.split_once('/').map_or(case.as_str(), |(_, rest)| rest);
    let cpu = if comparison.rests_on_cpu() {
        " of CPU"
    } else {
        ""
    };
    match sized {
        true => format!("{short} ({}{cpu})", percent(comparison.primary().ratio)),
        false => short.into(),
    }
}

fn range(comparisons: &[&Comparison], sized: bool) -> String {
    let ratios = || comparisons.iter().map(|c| c.primary().ratio);
    let (low, high) = (
        ratios().fold(f64::INFINITY, f64::min),
        ratios().fold(0.0, f64::max),
    );
    match sized {
        true => format!(" ({} to {})", percent(low), percent(high)),
        false => String::new(),
    }
}

/// What becomes of this variant's slower cases with each of the other variants, and at what memory.
fn what_others_change(variant: &str, all: &[&Comparison], result: &RunResult) -> Vec<String> {
    let slower: Vec<&str> = all
        .iter()
        .filter(|c| c.verdict == Verdict::Slower)
        .map(|c| c.case.as_str())
        .collect();
    let others = result.variants.iter().skip(1);
    let sentence = |other: &str| {
        let better: Vec<&str> = result
            .comparisons
            .iter()
            .filter(|c| c.variant == other && slower.contains(&c.case.as_str()))
            .filter(|c| matches!(c.verdict, Verdict::Equivalent | Verdict::Faster))
            .map(|c| c.case.as_str())
            .collect();
        if better.is_empty() {
            return None;
        }
        let memory =
            memory_difference(other, &better, result).map_or(String::new(), |difference| {
                let sign = if difference < 0.0 { "−" } else { "+" };
                format!(", at {sign}{} of peak memory", bytes(difference.abs()))
            });
        Some(format!(
            "Of the {} where {variant} is slower, {} {} not slower than {} with {other}{memory}.",
            match slower.len() {
                1 => "one case".to_string(),
                n => format!("{n} cases"),
            },
            better.len(),
            if better.len() == 1 { "is" } else { "are" },
            result.reference
        ))
    };
    others
        .filter(|other| other.variant != variant)
        .filter_map(|other| sentence(&other.variant))
        .collect()
}

/// The median over the cases of a variant's peak memory less the reference's, bytes.
fn memory_difference(variant: &str, cases: &[&str], result: &RunResult) -> Option<f64> {
    let peak = |figures: &VariantFigures| figures.metrics.get("peak_rss_bytes").copied();
    let differences: Vec<f64> = result
        .cases
        .iter()
        .filter(|case| cases.contains(&case.case.as_str()))
        .filter_map(|case| {
            let reference = peak(case.variants.first()?)?;
            let other = case.variants.iter().find(|v| v.variant == variant)?;
            Some(peak(other)? - reference)
        })
        .collect();
    crate::stats::median(&differences)
}
